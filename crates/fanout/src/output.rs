//! What the fan-out wants done.

use bytes::Bytes;
use oddswire_wire::proto::ErrorCode;

use crate::connection::ConnectionId;

/// Something for the transport to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send these frames, in this order, to each of these connections. They are all ready; afterwards none of them is,
    /// until [`crate::Fanout::ready`] says so.
    Frames {
        /// To whom.
        to: Vec<ConnectionId>,
        /// What; shared by all of them.
        frames: Vec<Bytes>,
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
