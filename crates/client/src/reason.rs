//! Why there is no connection.

use oddswire_session::{ClientError, ReconnectCause};
use oddswire_wire::proto::ErrorCode;

/// Why a connection ended, or did not come about. Each reads as a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The address takes no connections.
    #[error("nothing answers at {url}; start `oddswire serve` or check the address ({cause})")]
    NothingAnswers {
        /// The gateway's URL.
        url: String,
        /// What the system says.
        cause: String,
    },
    /// The host's name has no address.
    #[error("the host `{host}` has no address; check its name and the network ({cause})")]
    UnknownHost {
        /// The name.
        host: String,
        /// What the system says.
        cause: String,
    },
    /// Connecting took too long.
    #[error(
        "{url} did not answer within {after_ms} ms; check the address, the network and firewalls between"
    )]
    ConnectTimeout {
        /// The gateway's URL.
        url: String,
        /// How long the client waited.
        after_ms: u64,
    },
    /// Something answers, and it is not a gateway.
    #[error("{url} is not an Oddswire stream: {answer}; check host, port and path (/v1/stream by default)")]
    NotAGateway {
        /// The gateway's URL.
        url: String,
        /// What it answered.
        answer: String,
    },
    /// The gateway said why it ended the session.
    #[error("the gateway ended the session ({code:?}): {message}")]
    Refused {
        /// Its code.
        code: ErrorCode,
        /// Its sentence.
        message: String,
    },
    /// The gateway has not been heard for too long.
    #[error(
        "the gateway was silent for more than {after_ms} ms, so it was given up; is it overloaded, or the line dead?"
    )]
    Silent {
        /// How long a gateway may be silent.
        after_ms: u64,
    },
    /// The gateway sent a frame that is none.
    #[error("the gateway sent what cannot be read ({0}); check that its version fits this client's")]
    Malformed(ClientError),
    /// The rules of WebSocket were broken.
    #[error("the bytes from the gateway are not good WebSocket ({0}); a proxy between may alter them")]
    BadWebSocket(String),
    /// The socket failed or ended without a word.
    #[error("the connection broke ({0}); the gateway or the network went away")]
    Broken(String),
    /// The gateway closed the connection.
    #[error("the gateway closed the connection with code {code}: {text}")]
    ClosedByGateway {
        /// WebSocket close code.
        code: u16,
        /// Its text, empty if none.
        text: String,
    },
    /// The gateway is going away and asked the client to move.
    #[error("the gateway is going away and asked to move")]
    Drained,
    /// [`crate::Client::cut`] was called.
    #[error("the connection was cut on this side, by Client::cut")]
    Cut,
}

impl DisconnectReason {
    /// What a report calls it.
    pub(crate) fn cause(&self) -> ReconnectCause {
        match self {
            Self::NothingAnswers { .. }
            | Self::UnknownHost { .. }
            | Self::ConnectTimeout { .. }
            | Self::NotAGateway { .. } => ReconnectCause::Other,
            Self::Refused { .. } => ReconnectCause::Error,
            Self::Silent { .. } => ReconnectCause::Silence,
            Self::Malformed(_) | Self::BadWebSocket(_) => ReconnectCause::Frame,
            Self::Broken(_) => ReconnectCause::Network,
            Self::ClosedByGateway { .. } => ReconnectCause::Closed,
            Self::Drained => ReconnectCause::Drain,
            Self::Cut => ReconnectCause::Application,
        }
    }

    /// Whether it would come again at once if the client did.
    pub(crate) fn is_fault(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Malformed(_) | Self::BadWebSocket(_))
    }
}
