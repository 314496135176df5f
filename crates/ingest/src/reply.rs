//! Answers of the store's owner, on their way to the stream they belong to.

use oddswire_model::Revision;
use oddswire_store::ProducerError;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tonic::Status;

use crate::{
    convert::ConvertError,
    proto,
    request::{Announced, StreamId},
};

/// The answer to one commit. Dropping it unanswered ends the stream, because a later acknowledgement would
/// otherwise cover a commit that nobody looked at; the producer comes back and sends it again.
#[derive(Debug)]
pub struct PublishReply {
    outcomes: mpsc::UnboundedSender<Outcome>,
    pending: Option<Pending>,
}

/// A commit that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The revision it got; for one that repeats an earlier one, any revision that contains it.
    pub revision: Revision,
    /// How safe it is.
    pub level: AckLevel,
}

/// How safe a commit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AckLevel {
    /// In the memory of one server.
    Accepted,
    /// In the durable log.
    Durable,
}

/// A welcomed stream, as the store's owner holds on to it. Keeps nothing alive.
#[derive(Debug, Clone)]
pub struct StreamHandle {
    id: StreamId,
    outcomes: mpsc::WeakUnboundedSender<Outcome>,
}

/// What a stream's responses are made of.
#[derive(Debug)]
pub(crate) enum Outcome {
    Welcome(Announced),
    Accepted {
        sequence: u64,
        accepted: Accepted,
        room: OwnedSemaphorePermit,
    },
    Refused {
        refused: proto::Refused,
        room: OwnedSemaphorePermit,
    },
    /// The end once everything in flight has its outcome.
    Last(Status),
    /// The end now.
    Cut(Status),
}

#[derive(Debug)]
struct Pending {
    sequence: u64,
    malformed: Option<Box<ConvertError>>,
    room: OwnedSemaphorePermit,
}

impl Accepted {
    /// Taken, and in the memory of this server.
    pub fn in_memory(revision: Revision) -> Self {
        Self { revision, level: AckLevel::Accepted }
    }
}

impl PublishReply {
    /// `room` is given back once the outcome has been turned into a response, which bounds what is in flight.
    pub(crate) fn new(
        outcomes: mpsc::UnboundedSender<Outcome>,
        sequence: u64,
        malformed: Option<ConvertError>,
        room: OwnedSemaphorePermit,
    ) -> Self {
        Self { outcomes, pending: Some(Pending { sequence, malformed: malformed.map(Box::new), room }) }
    }

    /// Answers. A refused commit is reported and the stream goes on; every other error ends the stream.
    pub fn answer(mut self, answer: Result<Accepted, ProducerError>) {
        let Some(Pending { sequence, malformed, room }) = self.pending.take() else { return };
        let refuse = |market, field, reason| proto::Refused { sequence, market, field, reason };
        let outcome = match (answer, malformed) {
            (Ok(accepted), None) => Outcome::Accepted { sequence, accepted, room },
            (Ok(_), Some(error)) => Outcome::Refused {
                refused: refuse(error.market, error.field, error.reason.to_string()),
                room,
            },
            (Err(ProducerError::Refused(refusal)), _) => {
                let market = refusal.market.to_string();
                Outcome::Refused { refused: refuse(market, refusal.field, refusal.reason.to_string()), room }
            }
            (Err(error), _) => Outcome::Cut(turned_away(&error)),
        };
        // A stream that has ended needs no outcome.
        let _ = self.outcomes.send(outcome);
    }
}

impl Drop for PublishReply {
    fn drop(&mut self) {
        if let Some(pending) = &self.pending {
            let sentence =
                format!("commit {} was not looked at; connect again and repeat it", pending.sequence);
            let _ = self.outcomes.send(Outcome::Cut(Status::unavailable(sentence)));
        }
    }
}

impl StreamHandle {
    pub(crate) fn new(id: StreamId, outcomes: &mpsc::UnboundedSender<Outcome>) -> Self {
        Self { id, outcomes: outcomes.downgrade() }
    }

    /// Which stream it is.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// Ends the stream with a sentence and the status `ABORTED`, which asks the producer to connect again. When his
    /// markets were held, this is how he comes to know: the next welcome says so.
    pub fn cut(&self, sentence: &str) {
        if let Some(outcomes) = self.outcomes.upgrade() {
            let _ = outcomes.send(Outcome::Cut(Status::aborted(sentence)));
        }
    }
}

impl From<AckLevel> for proto::AckLevel {
    fn from(level: AckLevel) -> Self {
        match level {
            AckLevel::Accepted => Self::Accepted,
            AckLevel::Durable => Self::Durable,
        }
    }
}

/// The status that ends a stream.
pub(crate) fn turned_away(error: &ProducerError) -> Status {
    let sentence = error.to_string();
    match error {
        ProducerError::Fenced { .. } | ProducerError::Unknown(_) => Status::failed_precondition(sentence),
        ProducerError::TooMany => Status::resource_exhausted(sentence),
        ProducerError::Refused(_) => Status::invalid_argument(sentence),
    }
}
