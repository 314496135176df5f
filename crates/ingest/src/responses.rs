//! The responses of one stream: outcomes in order, acknowledgements joined.

use std::{collections::VecDeque, mem};

use futures_util::{Stream, stream};
use tokio::sync::mpsc;
use tonic::Status;

use crate::{
    proto::{self, PublishResponse, publish_response::Message},
    reply::{AckLevel, Outcome},
};

/// Outcomes looked at together. As many as were ready become one acknowledgement, so this is the most commits
/// that one acknowledgement covers; 1,024 of them make acknowledging free beside decoding.
const BATCH: usize = 1_024;

/// Makes responses of outcomes at the pace at which the peer takes them: whatever has come in since the last
/// response went out is acknowledged at once.
pub(crate) struct Responses {
    outcomes: mpsc::UnboundedReceiver<Outcome>,
    batch: Vec<Outcome>,
    ready: VecDeque<Message>,
    /// How the stream ends, once `ready` is sent.
    end: Option<End>,
    /// How the stream ends, once everything in flight has its outcome.
    last: Option<Status>,
}

enum End {
    Well,
    With(Status),
}

impl Responses {
    pub(crate) fn new(outcomes: mpsc::UnboundedReceiver<Outcome>) -> Self {
        Self { outcomes, batch: Vec::new(), ready: VecDeque::new(), end: None, last: None }
    }

    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<PublishResponse, Status>> + Send + 'static {
        stream::unfold(self, async |mut responses| Some((responses.next().await?, responses)))
    }

    async fn next(&mut self) -> Option<Result<PublishResponse, Status>> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(Ok(PublishResponse { message: Some(message) }));
            }
            match self.end.replace(End::Well) {
                Some(End::Well) => return None,
                Some(End::With(status)) => return Some(Err(status)),
                None => self.end = None,
            }
            // Every request in flight holds a sender, so "closed" means that all have their outcomes.
            if self.outcomes.recv_many(&mut self.batch, BATCH).await == 0 {
                self.end = Some(self.last.take().map_or(End::Well, End::With));
            }
            let mut batch = mem::take(&mut self.batch);
            for outcome in batch.drain(..) {
                if self.end.is_none() {
                    self.note(outcome);
                }
            }
            self.batch = batch;
        }
    }

    fn note(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Welcome(announced) => self.ready.push_back(Message::Welcome(proto::Welcome {
                epoch: announced.epoch.0,
                last_sequence: announced.last_sequence,
                interval_ms: announced.interval_ms,
                resync_required: announced.held,
            })),
            Outcome::Accepted { sequence, accepted, room } => {
                drop(room);
                self.acknowledge(sequence, accepted.revision.0, accepted.level);
            }
            Outcome::Refused { refused, room } => {
                drop(room);
                self.ready.push_back(Message::Refused(refused));
            }
            Outcome::Last(status) => self.last = Some(status),
            Outcome::Cut(status) => {
                self.end = Some(End::With(status));
                // Tells the reading side, which may be waiting for the producer, that there is nobody to answer.
                self.outcomes.close();
            }
        }
    }

    fn acknowledge(&mut self, sequence: u64, revision: u64, level: AckLevel) {
        let level = proto::AckLevel::from(level) as i32;
        if let Some(Message::Ack(ack)) = self.ready.back_mut() {
            ack.sequence = ack.sequence.max(sequence);
            ack.revision = ack.revision.max(revision);
            // What is said of several commits must hold for each of them.
            ack.level = ack.level.min(level);
        } else {
            self.ready.push_back(Message::Ack(proto::Ack { sequence, revision, level }));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::StreamExt;
    use oddswire_model::{Epoch, MarketId, Revision};
    use oddswire_store::{ProducerError, Reason, Refusal};
    use tokio::sync::Semaphore;

    use super::*;
    use crate::{
        reply::{Accepted, PublishReply, StreamHandle},
        request::{Announced, StreamId},
    };

    struct Script {
        outcomes: mpsc::UnboundedSender<Outcome>,
        room: Arc<Semaphore>,
    }

    impl Script {
        fn new() -> (Self, Responses) {
            let (outcomes, received) = mpsc::unbounded_channel();
            (Self { outcomes, room: Arc::new(Semaphore::new(64)) }, Responses::new(received))
        }

        fn reply(&self, sequence: u64) -> PublishReply {
            let room = self.room.clone().try_acquire_owned().unwrap();
            PublishReply::new(self.outcomes.clone(), sequence, None, room)
        }

        fn accept(&self, sequence: u64, level: AckLevel) {
            self.reply(sequence).answer(Ok(Accepted { revision: Revision(sequence + 100), level }));
        }

        fn refuse(&self, sequence: u64) {
            let (market, field) = (MarketId::new("1.1").unwrap(), "Back".to_owned());
            let refusal = Refusal { market, field, reason: Reason::Misplaced };
            self.reply(sequence).answer(Err(ProducerError::Refused(refusal)));
        }
    }

    async fn said(responses: Responses) -> Vec<String> {
        let said = responses.into_stream().map(|response| match response {
            Ok(response) => match response.message.unwrap() {
                Message::Welcome(welcome) => format!("welcome {}", welcome.epoch),
                Message::Ack(ack) => format!("ack {} at {} level {}", ack.sequence, ack.revision, ack.level),
                Message::Refused(refused) => format!("refused {}", refused.sequence),
            },
            Err(status) => format!("{:?}", status.code()),
        });
        said.collect().await
    }

    #[tokio::test]
    async fn one_acknowledgement_covers_what_came_in_since_the_last_and_refusals_keep_their_place() {
        let (script, responses) = Script::new();
        let announced = Announced { epoch: Epoch(7), last_sequence: 0, interval_ms: 1_000, held: false };
        script.outcomes.send(Outcome::Welcome(announced)).unwrap();
        script.accept(1, AckLevel::Durable);
        script.accept(2, AckLevel::Accepted);
        script.accept(3, AckLevel::Durable);
        script.refuse(4);
        script.refuse(5);
        script.accept(6, AckLevel::Durable);
        let room = script.room.clone();
        drop(script);
        let expected =
            ["welcome 7", "ack 3 at 103 level 1", "refused 4", "refused 5", "ack 6 at 106 level 2"];
        assert_eq!(said(responses).await, expected);
        assert_eq!(room.available_permits(), 64, "room is given back");
    }

    #[tokio::test]
    async fn the_last_word_waits_for_what_is_in_flight() {
        let (script, responses) = Script::new();
        let in_flight = script.reply(1);
        script.outcomes.send(Outcome::Last(Status::unavailable("going down"))).unwrap();
        drop(script);
        let said = tokio::spawn(said(responses));
        tokio::task::yield_now().await;
        in_flight.answer(Ok(Accepted::in_memory(Revision(9))));
        assert_eq!(said.await.unwrap(), ["ack 1 at 9 level 1", "Unavailable"]);
    }

    #[tokio::test]
    async fn a_fence_ends_the_stream_after_what_came_before_it() {
        let (script, responses) = Script::new();
        script.accept(1, AckLevel::Accepted);
        script.reply(2).answer(Err(ProducerError::Fenced { given: 1, known: 2 }));
        script.accept(3, AckLevel::Accepted);
        let mut responses = responses;
        assert!(responses.next().await.unwrap().is_ok());
        assert!(script.outcomes.is_closed(), "the reading side must notice before the peer takes the status");
        assert_eq!(said(responses).await, ["FailedPrecondition"]);
    }

    #[tokio::test]
    async fn a_commit_that_nobody_looked_at_is_never_covered_by_a_later_acknowledgement() {
        let (script, responses) = Script::new();
        script.accept(1, AckLevel::Accepted);
        drop(script.reply(2));
        script.accept(3, AckLevel::Accepted);
        assert_eq!(said(responses).await, ["ack 1 at 101 level 1", "Unavailable"]);
    }

    #[tokio::test]
    async fn the_owner_of_the_store_can_cut_a_stream_and_keeps_none_alive() {
        let (script, responses) = Script::new();
        let handle = StreamHandle::new(StreamId(4), &script.outcomes);
        handle.cut("silent for too long");
        assert_eq!(said(responses).await, ["Aborted"]);
        drop(script);
        handle.cut("again");
    }
}
