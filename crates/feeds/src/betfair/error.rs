//! What can go wrong with a recording.

use std::{io, path::PathBuf};

/// Why a recording, or a line of it, could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file could not be opened.
    #[error("cannot open {}: {cause}; check that the file is there and may be read", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file is packed in a way that is not supported.
    #[error(
        "{} is packed with {format}, which is not supported; unpack it, or pack it with bzip2 or gzip",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Name of the packing.
        format: &'static str,
    },
    /// Reading stopped in the middle.
    #[error(
        "reading {} failed after line {line}: {cause}; if the file is damaged, fetch it again",
        path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// The last line that was reached.
        line: u64,
        /// What the system or the unpacker said.
        cause: io::Error,
    },
    /// A line holds something else than stream messages. The reader skips it and goes on.
    #[error("{}, line {line}: {reason}; skipped, expected one JSON object of the Exchange Stream", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}
