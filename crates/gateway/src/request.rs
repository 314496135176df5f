//! What the gateway asks of whoever owns the store and the fan-out.

use bytes::Bytes;
use oddswire_fanout::ConnectionId;
use oddswire_model::{Epoch, Market, MarketId, MarketStatus, Revision};
use tokio::sync::{mpsc, oneshot};

/// Something that happened at the front end.
#[derive(Debug)]
pub enum GatewayRequest {
    /// A client has connected; its socket is ready.
    Connect {
        /// Where its frames go. It never holds more than what the fan-out sends to a connection that is ready, and
        /// a close, so it is short.
        commands: mpsc::Sender<Command>,
        /// Its name from now on.
        reply: oneshot::Sender<ConnectionId>,
    },
    /// A client has said something.
    Message {
        /// Which one.
        connection: ConnectionId,
        /// What.
        message: Bytes,
    },
    /// The socket has taken everything that was sent.
    Ready {
        /// Whose.
        connection: ConnectionId,
    },
    /// A client is gone.
    Disconnect {
        /// Which one.
        connection: ConnectionId,
        /// Why, to be counted.
        cause: DisconnectCause,
    },
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

/// What a connection is told to do.
#[derive(Debug, Clone)]
pub enum Command {
    /// Send these WebSocket frames; then say [`GatewayRequest::Ready`].
    Frames(Vec<Bytes>),
    /// Close with this WebSocket status and reason, once everything is sent.
    Close {
        /// The status, 4000 and up for Oddswire's own codes.
        status: u16,
        /// The reason.
        reason: String,
    },
}
