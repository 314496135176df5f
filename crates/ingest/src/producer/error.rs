//! What can go wrong for a producer, and what to do about it.

use std::{error::Error, fmt, io};

use oddswire_model::Epoch;
use tonic::{Code, Status};

use crate::proto;

/// Why a call of a [`super::Producer`] failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProducerClientError {
    /// The window is out of range.
    #[error("a window of {window} commits is out of range; use 1 to {limit}")]
    BadWindow {
        /// The window.
        window: usize,
        /// Its limit.
        limit: usize,
    },
    /// The address is none.
    #[error("`{url}` is not the address of a server ({cause}); give one such as http://127.0.0.1:7410")]
    BadUrl {
        /// The address.
        url: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The connection was refused.
    #[error("nothing answers at {url}; start `oddswire serve` or check --to")]
    NothingAnswers {
        /// The address.
        url: String,
    },
    /// The connection could not be made, for another reason.
    #[error("cannot connect to {url}: {cause}; check --to and the network between")]
    Unreachable {
        /// The address.
        url: String,
        /// Why.
        cause: String,
    },
    /// Something answers, but not an ingest service.
    #[error(
        "what answers at {url} is not an ingest service of Oddswire ({cause}); check the port given with --to"
    )]
    NotIngest {
        /// The address.
        url: String,
        /// What it said.
        cause: String,
    },
    /// A later start of the same producer is at work.
    #[error("{sentence}; stop this start of the producer, or give it a higher producer epoch")]
    Fenced {
        /// What the server said.
        sentence: String,
    },
    /// The server does not want this producer, or not what it says.
    #[error("the server turned the producer away: {sentence}")]
    TurnedAway {
        /// What the server said.
        sentence: String,
    },
    /// The server knows later sequences of this start than this process has given out.
    #[error(
        "somebody else publishes with the same producer epoch: the server is at sequence {theirs}, this process at \
         {ours}; give every start of a producer its own producer epoch"
    )]
    SharedEpoch {
        /// The last sequence that the server knows.
        theirs: u64,
        /// The last sequence given out here.
        ours: u64,
    },
    /// The connection was lost and could not be made again in time.
    #[error(
        "the connection to {url} was lost ({cause}) and there was no progress for {seconds} s; is the server up?"
    )]
    Lost {
        /// The address.
        url: String,
        /// How it was lost the last time.
        cause: String,
        /// For how long it was tried.
        seconds: u64,
    },
    /// The server needs images. Reported once for each time; the commit at hand was not taken.
    #[error(transparent)]
    ImagesNeeded(#[from] ImagesNeeded),
    /// The commit does not fit into a message.
    #[error("a commit of {bytes} bytes is larger than the {limit} bytes of a message; split it")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The runtime that the producer was made in has ended.
    #[error("the producer's connection has ended together with the runtime it was made in")]
    Ended,
}

/// Why everything must be said again: an image of every market, then `resync_complete`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImagesNeeded {
    /// The server has begun a new log and knows nothing. Commits on their way were dropped, because a change
    /// without what it changes would show a market of which half is missing.
    #[error(
        "the server has begun a new log ({from} is now {to}); publish an image of every market, then resync_complete"
    )]
    NewEpoch {
        /// The epoch of the log that is gone.
        from: Epoch,
        /// The epoch of the new one.
        to: Epoch,
    },
    /// The producer was not heard for too long and its markets are held.
    #[error(
        "the producer was silent for too long and its markets are held; publish an image of each, then resync_complete"
    )]
    Held,
}

/// A commit that the server did not take. Nothing of it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedCommit {
    /// Its sequence, as [`super::Producer::publish`] returned it.
    pub sequence: u64,
    /// The market at fault; may be empty.
    pub market: String,
    /// The field at fault.
    pub field: String,
    /// What is wrong, in words.
    pub reason: String,
}

impl From<proto::Refused> for RefusedCommit {
    fn from(refused: proto::Refused) -> Self {
        let proto::Refused { sequence, market, field, reason } = refused;
        Self { sequence, market, field, reason }
    }
}

impl fmt::Display for RefusedCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "commit {} was refused: ", self.sequence)?;
        if !self.market.is_empty() {
            write!(f, "market {}, ", self.market)?;
        }
        write!(f, "{}: {}", self.field, self.reason)
    }
}

impl ProducerClientError {
    pub(super) fn connecting(url: &str, error: &tonic::transport::Error) -> Self {
        let url = url.to_owned();
        let mut source = Some(error as &dyn Error);
        while let Some(error) = source {
            if let Some(io) = error.downcast_ref::<io::Error>()
                && io.kind() == io::ErrorKind::ConnectionRefused
            {
                return Self::NothingAnswers { url };
            }
            source = error.source();
        }
        Self::Unreachable { url, cause: chain(error) }
    }

    /// A status before the welcome.
    pub(super) fn unwelcome(url: &str, status: &Status) -> Self {
        Self::terminal(url, status)
            .unwrap_or_else(|| Self::Unreachable { url: url.to_owned(), cause: spoken(status) })
    }

    /// The error of a status after which it makes no sense to connect again; `None` for the others.
    pub(super) fn terminal(url: &str, status: &Status) -> Option<Self> {
        let sentence = status.message().to_owned();
        match status.code() {
            Code::FailedPrecondition => Some(Self::Fenced { sentence }),
            Code::Unimplemented => Some(Self::NotIngest { url: url.to_owned(), cause: spoken(status) }),
            Code::InvalidArgument | Code::OutOfRange | Code::PermissionDenied | Code::Unauthenticated => {
                Some(Self::TurnedAway { sentence })
            }
            _ => None,
        }
    }
}

/// What a status says, for people.
pub(super) fn spoken(status: &Status) -> String {
    match status.message() {
        "" => status.code().description().to_owned(),
        message => message.to_owned(),
    }
}

/// An error with its causes, each said once.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut said = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if said.last() != Some(&cause) {
            said.push(cause);
        }
        source = error.source();
    }
    said.join(": ")
}
