//! One stream, as it is read: a hello, then commits until either side has enough.

use std::{sync::Arc, time::Duration};

use oddswire_model::Commit;
use prost::Message as _;
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    time::timeout,
};
use tonic::{Code, Status, Streaming};

use crate::{
    convert::{ConvertError, ConvertReason},
    limits::{
        DEFAULT_INTERVAL_MS, HELLO_WITHIN, IN_FLIGHT_KIB, MAX_INTERVAL_MS, MAX_PRODUCER_BYTES,
        MIN_INTERVAL_MS,
    },
    proto::{self, PublishRequest, publish_request::Message},
    reply::{Outcome, PublishReply, StreamHandle, turned_away},
    request::{IngestRequest, StreamId},
};

/// Reads one stream and hands on what it says. Answers do not pass through here: they go to
/// [`crate::responses::Responses`], so that no commit waits for the answer to the one before.
pub(crate) struct Conversation {
    id: StreamId,
    inbound: Streaming<PublishRequest>,
    requests: mpsc::Sender<IngestRequest>,
    outcomes: mpsc::UnboundedSender<Outcome>,
    stopping: watch::Receiver<bool>,
    room: Arc<Semaphore>,
}

/// Who speaks.
struct Speaker {
    producer: Arc<str>,
    producer_epoch: u64,
}

impl Conversation {
    pub(crate) fn new(
        id: StreamId,
        inbound: Streaming<PublishRequest>,
        requests: mpsc::Sender<IngestRequest>,
        outcomes: mpsc::UnboundedSender<Outcome>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let room = Arc::new(Semaphore::new(IN_FLIGHT_KIB));
        Self { id, inbound, requests, outcomes, stopping, room }
    }

    /// Reads to the end.
    pub(crate) async fn run(mut self) {
        let speaker = match self.greet().await {
            Ok(speaker) => speaker,
            Err(status) => {
                tracing::debug!(stream = self.id.0, %status, "a stream ended before its producer was welcome");
                let _ = self.outcomes.send(Outcome::Last(status));
                return;
            }
        };
        let Speaker { producer, producer_epoch } = &speaker;
        tracing::info!(stream = self.id.0, %producer, producer_epoch, "a producer is here");
        let end = self.read(&speaker).await;
        let reason = end.as_ref().map_or("it has finished", Status::message);
        tracing::info!(stream = self.id.0, %producer, producer_epoch, reason, "a producer is gone");
        if let Some(status) = end {
            let _ = self.outcomes.send(Outcome::Last(status));
        }
        let Speaker { producer, producer_epoch } = speaker;
        let _ = self.requests.send(IngestRequest::Gone { producer, producer_epoch, stream: self.id }).await;
    }

    async fn greet(&mut self) -> Result<Speaker, Status> {
        let hello = tokio::select! {
            message = timeout(HELLO_WITHIN, self.inbound.message()) => match message {
                Ok(message) => message?,
                Err(_) => return Err(late(HELLO_WITHIN)),
            },
            _ = self.stopping.wait_for(|&stopping| stopping) => return Err(stopping()),
        };
        let hello = match hello {
            Some(PublishRequest { message: Some(Message::Hello(hello)) }) => hello,
            Some(_) => return Err(Status::invalid_argument("the first message of a stream must be a hello")),
            None => return Err(Status::invalid_argument("the stream ended before a hello")),
        };
        check_name(&hello.producer)?;
        let interval_ms = interval_ms(hello.interval_ms)?;
        let speaker = Speaker { producer: hello.producer.into(), producer_epoch: hello.producer_epoch };
        let (reply, answer) = oneshot::channel();
        self.ask(IngestRequest::Announce {
            producer: speaker.producer.clone(),
            producer_epoch: speaker.producer_epoch,
            interval_ms,
            recorded: hello.recorded,
            stream: StreamHandle::new(self.id, &self.outcomes),
            reply,
        })
        .await?;
        let announced = answer.await.map_err(|_| closed())?.map_err(|error| turned_away(&error))?;
        let _ = self.outcomes.send(Outcome::Welcome(announced));
        Ok(speaker)
    }

    /// Hands on everything until the end; says how the stream is to end, if that needs saying.
    async fn read(&mut self, speaker: &Speaker) -> Option<Status> {
        loop {
            let message = tokio::select! {
                biased;
                () = self.outcomes.closed() => return None,
                _ = self.stopping.wait_for(|&stopping| stopping) => return Some(stopping()),
                message = self.inbound.message() => message,
            };
            let taken = match message {
                Ok(Some(request)) => self.take(request, speaker).await,
                Ok(None) => return None,
                Err(status) => Err(unreadable(status)),
            };
            if let Err(status) = taken {
                return Some(status);
            }
        }
    }

    async fn take(&mut self, request: PublishRequest, speaker: &Speaker) -> Result<(), Status> {
        let (producer, producer_epoch) = (speaker.producer.clone(), speaker.producer_epoch);
        match request.message {
            Some(Message::Commit(commit)) => self.publish(commit, speaker).await,
            Some(Message::Heartbeat(_)) => {
                self.ask(IngestRequest::Heartbeat { producer, producer_epoch }).await
            }
            Some(Message::ResyncComplete(_)) => {
                self.ask(IngestRequest::ResyncComplete { producer, producer_epoch }).await
            }
            Some(Message::Hello(_)) => Err(Status::invalid_argument(
                "a second hello; one stream speaks for one start of one producer",
            )),
            // Passing over it could lose prices, so a producer of a later version must be told.
            None => Err(Status::invalid_argument("a message of a kind that this server does not know")),
        }
    }

    async fn publish(&mut self, commit: proto::Commit, speaker: &Speaker) -> Result<(), Status> {
        let kib = u32::try_from(commit.encoded_len() / 1024 + 1).unwrap_or(u32::MAX);
        let room = tokio::select! {
            room = self.room.clone().acquire_many_owned(kib.min(IN_FLIGHT_KIB as u32)) => room,
            () = self.outcomes.closed() => return Err(closed()),
        };
        let room = room.map_err(|_| closed())?;
        let (producer, producer_epoch) = (speaker.producer.clone(), speaker.producer_epoch);
        let sequence = commit.sequence;
        let converted = match sequence {
            0 => Err(ConvertError::new("", "sequence", ConvertReason::SequenceZero)),
            _ => Commit::try_from(commit),
        };
        let reply = |malformed| PublishReply::new(self.outcomes.clone(), sequence, malformed, room);
        let request = match converted {
            Ok(commit) => {
                let reply = reply(None);
                IngestRequest::Publish { producer, producer_epoch, sequence, commit, reply }
            }
            Err(error) => {
                let reply = reply(Some(error));
                IngestRequest::Skip { producer, producer_epoch, sequence, reply }
            }
        };
        self.ask(request).await
    }

    async fn ask(&self, request: IngestRequest) -> Result<(), Status> {
        self.requests.send(request).await.map_err(|_| closed())
    }
}

fn check_name(producer: &str) -> Result<(), Status> {
    let sentence = match producer.len() {
        0 => "a producer needs a name".to_owned(),
        1..=MAX_PRODUCER_BYTES if producer.chars().any(char::is_control) => {
            "a producer's name holds a control character".to_owned()
        }
        1..=MAX_PRODUCER_BYTES => return Ok(()),
        bytes => format!("a producer's name of {bytes} bytes is too long; the limit is {MAX_PRODUCER_BYTES}"),
    };
    Err(Status::invalid_argument(sentence))
}

fn interval_ms(asked: u32) -> Result<u32, Status> {
    match asked {
        0 => Ok(DEFAULT_INTERVAL_MS),
        MIN_INTERVAL_MS..=MAX_INTERVAL_MS => Ok(asked),
        _ => Err(Status::invalid_argument(format!(
            "an interval of {asked} ms is out of range; it is {MIN_INTERVAL_MS} to {MAX_INTERVAL_MS} ms, or 0 for \
             the default"
        ))),
    }
}

fn late(limit: Duration) -> Status {
    Status::deadline_exceeded(format!("no hello within {} s", limit.as_secs()))
}

fn stopping() -> Status {
    Status::unavailable("the server is going down; connect again")
}

fn closed() -> Status {
    Status::unavailable("the server takes no commits any more; connect again")
}

/// Adds what to do to what the transport says.
fn unreadable(status: Status) -> Status {
    match status.code() {
        Code::OutOfRange => Status::out_of_range(format!("{}; split the commit", status.message())),
        _ => status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_intervals_are_checked_at_their_limits_and_one_past_them() {
        assert!(check_name(&"x".repeat(64)).is_ok());
        for bad in [String::new(), "x".repeat(65), "a\nb".to_owned(), "\u{7f}".to_owned()] {
            assert_eq!(check_name(&bad).unwrap_err().code(), Code::InvalidArgument);
        }
        for (asked, granted) in
            [(0, Some(1_000)), (99, None), (100, Some(100)), (60_000, Some(60_000)), (60_001, None)]
        {
            assert_eq!(interval_ms(asked).ok(), granted);
        }
    }
}
