//! What can go wrong with a measurement.

use std::{io, path::PathBuf};

use oddswire_feeds::betfair::RecordingError;

/// Why a recording could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The file could not be opened.
    #[error(transparent)]
    Open(#[from] RecordingError),
    /// Reading or unpacking stopped in the middle.
    #[error("cannot read {}: {cause}; if the file is damaged, fetch it again", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system or the unpacker said.
        cause: io::Error,
    },
    /// There is nothing to measure.
    #[error(
        "{}, line {line}: {reason}; expected Exchange Stream messages, one JSON object a line",
        path.display()
    )]
    NoMessages {
        /// The file.
        path: PathBuf,
        /// The first line that is no message.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The store refuses what a message says.
    #[error("{}, line {line}: the store refuses the message: {reason}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The message's line.
        line: u64,
        /// What the store says.
        reason: String,
    },
    /// A receiver does not hold what the store holds. The encoder or the decoder is wrong, so its bytes count for nothing.
    #[error("{}, line {line}: the {encoding} encoding is wrong: {reason}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The message after which it was seen.
        line: u64,
        /// The encoding.
        encoding: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A compressor failed, which it does only without memory.
    #[error("cannot compress {}: {cause}", path.display())]
    Compress {
        /// The file.
        path: PathBuf,
        /// What the compressor said.
        cause: io::Error,
    },
}
