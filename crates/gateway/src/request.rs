//! What the gateway asks of whoever owns the store and the fan-out.

use bytes::Bytes;
use oddswire_fanout::{ConnectionId, Report};
use oddswire_model::{Epoch, Market, MarketId, MarketStatus, Revision};
use tokio::sync::oneshot;

/// Something that a connection did. Shards say it, in order, through [`crate::Shards::next`].
#[derive(Debug)]
pub enum ShardEvent {
    /// A client has connected; its socket is ready.
    Connect {
        /// Its name from now on.
        connection: ConnectionId,
    },
    /// A client has said something.
    Message {
        /// Which one.
        connection: ConnectionId,
        /// What.
        message: Bytes,
    },
    /// For the fan-out.
    Report(Report),
    /// A client is gone.
    Disconnect {
        /// Which one.
        connection: ConnectionId,
        /// Why, to be counted.
        cause: DisconnectCause,
    },
}

/// A question of the HTTP side.
#[derive(Debug)]
pub enum GatewayRequest {
    /// List the markets.
    Markets {
        /// The list, in order of number.
        reply: oneshot::Sender<MarketList>,
    },
    /// One market as it is now.
    Market {
        /// Which one.
        id: MarketId,
        /// A copy of it, so that it is rendered elsewhere.
        reply: oneshot::Sender<Option<(Epoch, Box<Market>)>>,
    },
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DisconnectCause {
    /// The peer closed it.
    Closed,
    /// The peer is gone without a word.
    Gone,
    /// The peer broke the rules of WebSocket.
    Protocol,
    /// The peer sent too many pings and pongs.
    ControlFlood,
    /// The server ended it.
    Server,
}

impl DisconnectCause {
    /// All causes, in order.
    pub const ALL: [Self; 5] = [Self::Closed, Self::Gone, Self::Protocol, Self::ControlFlood, Self::Server];
}

/// The markets of a feed at a moment.
#[derive(Debug)]
pub struct MarketList {
    /// The feed's epoch.
    pub epoch: Epoch,
    /// The feed's revision.
    pub revision: Revision,
    /// One line each.
    pub markets: Vec<MarketLine>,
}

/// A market in a list.
#[derive(Debug)]
pub struct MarketLine {
    /// Its id.
    pub id: MarketId,
    /// Its revision.
    pub revision: Revision,
    /// Its status.
    pub status: MarketStatus,
    /// Whether it is in play.
    pub in_play: bool,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The name of its fixture, if it has one.
    pub fixture_name: Option<String>,
    /// Its type, if it has one.
    pub market_type: Option<String>,
    /// Number of selections.
    pub selections: usize,
}
