//! What the service asks of whoever owns the store.

use std::{fmt, sync::Arc};

use oddswire_model::{Commit, Epoch};
use oddswire_store::ProducerError;
use tokio::sync::oneshot;

use crate::reply::{PublishReply, StreamHandle};

/// One thing that a producer said. Requests of one stream come in the order in which it said them, and are to be
/// answered in that order; the service does not wait for one answer before it sends the next.
#[derive(Debug)]
pub enum IngestRequest {
    /// A producer says hello on a new stream.
    Announce {
        /// Its name, checked: 1 to 64 bytes without control characters.
        producer: Arc<str>,
        /// Its start.
        producer_epoch: u64,
        /// How often it promises to be heard; the default is filled in and the limits are kept.
        interval_ms: u32,
        /// It plays a recording, so its silence means nothing.
        recorded: bool,
        /// The stream, so that it can be cut later.
        stream: StreamHandle,
        /// The answer. An error, or no answer, ends the stream; no [`IngestRequest::Gone`] follows then.
        reply: oneshot::Sender<Result<Announced, ProducerError>>,
    },
    /// A commit to apply.
    Publish {
        /// Who.
        producer: Arc<str>,
        /// Which start of it.
        producer_epoch: u64,
        /// The commit's sequence.
        sequence: u64,
        /// The commit.
        commit: Commit,
        /// The answer.
        reply: PublishReply,
    },
    /// A commit that could not be read. Nothing of it is applied, but its sequence is used up; an answer of
    /// "accepted" tells the producer what was wrong with it.
    Skip {
        /// Who.
        producer: Arc<str>,
        /// Which start of it.
        producer_epoch: u64,
        /// The sequence to use up.
        sequence: u64,
        /// The answer.
        reply: PublishReply,
    },
    /// The producer's prices still stand.
    Heartbeat {
        /// Who.
        producer: Arc<str>,
        /// Which start of it; to be ignored when a later one is known.
        producer_epoch: u64,
    },
    /// The producer has said everything again.
    ResyncComplete {
        /// Who.
        producer: Arc<str>,
        /// Which start of it; to be ignored when a later one is known.
        producer_epoch: u64,
    },
    /// A stream that was announced has ended. To be ignored unless it is the producer's latest: a producer who
    /// reconnects is often back before the end of his old stream is noticed.
    Gone {
        /// Who.
        producer: Arc<str>,
        /// Which start of it.
        producer_epoch: u64,
        /// Which stream.
        stream: StreamId,
    },
}

/// What a producer is told when he is welcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// Epoch of the feed's log.
    pub epoch: Epoch,
    /// The last sequence of his start that was applied or refused.
    pub last_sequence: u64,
    /// The interval he is held to.
    pub interval_ms: u32,
    /// His markets are held until he has said everything again.
    pub held: bool,
}

/// Names a stream for as long as the service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u64);

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream {}", self.0)
    }
}
