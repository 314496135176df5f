//! What the fan-out wants done, and what it must be told.

use std::sync::Arc;

use bytes::Bytes;
use oddswire_model::Revision;
use oddswire_wire::proto::ErrorCode;

use crate::{
    class::ClassSet, connection::ConnectionId, flush::Flush, group::GroupId, heartbeat::Heartbeat,
    number_set::NumberSet,
};

/// Something for the shards to do, in this order. [`crate::Shard`] knows how.
#[derive(Debug, Clone)]
pub enum Output {
    /// What changed, for every group: to every shard.
    Flush(Arc<Flush>),
    /// A sign of life for every group: to every shard.
    Heartbeat(Arc<Heartbeat>),
    /// A group has no members any more: to every shard.
    GroupGone(GroupId),
    /// Frames for one connection: to its shard.
    Frames {
        /// To whom.
        connection: ConnectionId,
        /// What, in this order.
        frames: Vec<Bytes>,
        /// From these frames on the connection takes its group's frames.
        attach: Option<Box<Attach>>,
    },
    /// A connection takes no more frames of its group; its shard answers with [`Report::Detached`].
    Detach {
        /// Which one.
        connection: ConnectionId,
    },
    /// End a connection, after what was sent to it.
    Close {
        /// Which one.
        connection: ConnectionId,
        /// Why.
        code: ErrorCode,
        /// Why, as a sentence.
        reason: String,
    },
}

impl Output {
    /// Whose it is; `None` when it is for every shard.
    pub fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Flush(_) | Self::Heartbeat(_) | Self::GroupGone(_) => None,
            Self::Frames { connection, .. }
            | Self::Detach { connection }
            | Self::Close { connection, .. } => Some(*connection),
        }
    }
}

/// A connection joins the chain of its group's frames.
#[derive(Debug, Clone)]
pub struct Attach {
    pub(crate) group: GroupId,
    pub(crate) lanes: Arc<NumberSet>,
    /// The rate classes that the group uses.
    pub(crate) classes: ClassSet,
    /// From where it may resume from now on.
    pub(crate) cursor: Revision,
    /// The last frame says where the receiver stands, and that it must have held everything up to here.
    pub(crate) since: Option<Revision>,
    /// Where the chain begins if this is the group's first connection in the shard.
    pub(crate) revision: Revision,
    /// The producers' clock there.
    pub(crate) time: u64,
}

/// What a shard reports about a connection. See [`crate::Fanout::handle_report`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// The socket could not take a frame of its group: the connection has fallen behind, and takes no more of them.
    /// [`Report::Ready`] follows when the socket has room.
    Missed {
        /// Which one.
        connection: ConnectionId,
        /// It has been given everything up to here.
        cursor: Revision,
    },
    /// The connection takes no more frames of its group, as it was told.
    Detached {
        /// Which one.
        connection: ConnectionId,
        /// It has been given everything up to here.
        cursor: Revision,
        /// A frame of its group was too long to send. It is taken apart in a catch-up.
        is_too_long: bool,
    },
    /// The socket has taken everything and can take more.
    Ready {
        /// Which one.
        connection: ConnectionId,
        /// How many [`Output::Frames`] it has been given, modulo 256.
        given: u8,
    },
    /// The socket has not taken everything yet, but some of it.
    Progress {
        /// Which one.
        connection: ConnectionId,
    },
}
