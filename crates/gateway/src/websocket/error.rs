//! What a client may do wrong on an open connection.

use super::{CloseCode, writer::CONTROL_PAYLOAD_MAX};

/// A frame that breaks the rules. It is always the client's fault; the connection must be closed with
/// [`ReaderError::close_code`].
///
/// The texts fit into a close frame and repeat nothing that the client sent but numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReaderError {
    /// A frame without a mask (section 5.1).
    #[error("the client must mask every frame")]
    Unmasked,
    /// A reserved bit, although no extension was negotiated (section 5.2).
    #[error("the client set a reserved bit, but no extension was negotiated")]
    ReservedBits,
    /// An opcode without a meaning (section 5.2).
    #[error("the client used the reserved opcode {0:#x}")]
    ReservedOpcode(u8),
    /// A control frame in fragments (section 5.5).
    #[error("the client must not fragment a control frame")]
    FragmentedControl,
    /// A control frame with a long payload (section 5.5).
    #[error("the client must not send control frames of more than {CONTROL_PAYLOAD_MAX} bytes")]
    LongControl,
    /// A length in more bytes than it needs, or with its top bit set (section 5.2).
    #[error("the client must encode a length in as few bytes as it needs, below 2^63")]
    MalformedLength,
    /// A continuation of nothing (section 5.4).
    #[error("the client continued a message that it had not begun")]
    NothingToContinue,
    /// A new message inside of another one (section 5.4).
    #[error("the client must finish its message before it begins another one")]
    UnfinishedMessage,
    /// An empty fragment that is not the last one.
    #[error("the client must not send empty fragments before the last one")]
    EmptyFragment,
    /// A message in too many pieces.
    #[error("the client must send a message in at most {limit} fragments")]
    TooManyFragments {
        /// The most that are taken.
        limit: u32,
    },
    /// A frame that is too long, judged by its header.
    #[error("the client announced a frame of {length} bytes; at most {limit} are taken")]
    LongFrame {
        /// The length in the header.
        length: u64,
        /// The most that is taken.
        limit: usize,
    },
    /// A message that is too long, judged by the header of its last fragment.
    #[error("the client announced a message of {length} bytes; at most {limit} are taken")]
    LongMessage {
        /// The length of the fragments so far, with the announced one.
        length: u64,
        /// The most that is taken.
        limit: usize,
    },
    /// A text message to a binary endpoint.
    #[error("the client must send binary messages; text is not taken here")]
    TextRefused,
    /// Text, or the reason of a close, that is not UTF-8 (section 8.1).
    #[error("the client sent text that is not UTF-8")]
    InvalidUtf8,
    /// A close frame of one byte, which is half a code (section 5.5.1).
    #[error("the client sent a close frame with half a code")]
    HalfCloseCode,
    /// A close code that a client must not send (section 7.4).
    #[error("the client must not close with code {0}")]
    InvalidCloseCode(CloseCode),
}

impl ReaderError {
    /// The code to close the connection with.
    pub fn close_code(&self) -> CloseCode {
        match self {
            Self::Unmasked
            | Self::ReservedBits
            | Self::ReservedOpcode(_)
            | Self::FragmentedControl
            | Self::LongControl
            | Self::MalformedLength
            | Self::NothingToContinue
            | Self::UnfinishedMessage
            | Self::EmptyFragment
            | Self::HalfCloseCode
            | Self::InvalidCloseCode(_) => CloseCode::PROTOCOL_ERROR,
            Self::TextRefused => CloseCode::UNSUPPORTED,
            Self::InvalidUtf8 => CloseCode::INVALID_PAYLOAD,
            Self::TooManyFragments { .. } | Self::LongFrame { .. } | Self::LongMessage { .. } => {
                CloseCode::TOO_BIG
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::writer::CLOSE_REASON_MAX;

    #[test]
    fn the_longest_texts_fit_into_a_close_frame() {
        let length = u64::MAX;
        for error in [
            ReaderError::TooManyFragments { limit: u32::MAX },
            ReaderError::LongFrame { length, limit: usize::MAX },
            ReaderError::LongMessage { length, limit: usize::MAX },
            ReaderError::InvalidCloseCode(CloseCode(u16::MAX)),
        ] {
            assert!(error.to_string().len() <= CLOSE_REASON_MAX, "{error}");
        }
    }
}
