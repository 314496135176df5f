//! The task behind a producer: one connection after the other, and what is not acknowledged yet.

use std::{
    collections::VecDeque,
    pin::pin,
    time::{Duration, Instant},
};

use oddswire_model::Epoch;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, watch},
    time::{MissedTickBehavior, interval_at, sleep, timeout},
};
use tonic::transport::Endpoint;

use super::{
    backoff::Backoff,
    config::ProducerConfig,
    connection::Connection,
    error::{ImagesNeeded, ProducerClientError, RefusedCommit, spoken},
    progress::Progress,
};
use crate::{
    limits::DEFAULT_INTERVAL_MS,
    proto::{self, publish_request::Message, publish_response},
};

/// Refusals kept for the caller. One is enough to find a fault; these are a megabyte at most.
const REFUSALS_KEPT: usize = 1_024;

/// How long a producer that is done waits for the server to say so too; a flush has gone before, usually.
const FINISH_WITHIN: Duration = Duration::from_secs(2);

/// What the producer asks of its link.
#[derive(Debug)]
pub(super) enum Command {
    Commit { generation: u64, commit: proto::Commit, room: OwnedSemaphorePermit },
    Heartbeat,
    ResyncComplete,
}

pub(super) struct Link {
    config: ProducerConfig,
    endpoint: Endpoint,
    commands: mpsc::UnboundedReceiver<Command>,
    progress: watch::Sender<Progress>,
    refusals: mpsc::Sender<RefusedCommit>,
    unacknowledged: VecDeque<Unacknowledged>,
    /// The last sequence taken from the producer.
    taken: u64,
    generation: u64,
    backoff: Backoff,
    /// Since when connections have been breaking without any progress between.
    trouble: Option<Instant>,
}

struct Unacknowledged {
    commit: proto::Commit,
    _room: OwnedSemaphorePermit,
}

/// How a conversation came to its end.
enum End {
    /// The producer was dropped.
    Dropped,
    /// The connection broke.
    Broken(String),
    /// It makes no sense to go on.
    Failed(ProducerClientError),
}

impl Link {
    pub(super) fn new(
        config: ProducerConfig,
        endpoint: Endpoint,
        commands: mpsc::UnboundedReceiver<Command>,
        first: &Connection,
    ) -> (Self, watch::Receiver<Progress>, mpsc::Receiver<RefusedCommit>) {
        let welcome = &first.welcome;
        let (progress, progress_seen) = watch::channel(Progress {
            settled: welcome.last_sequence,
            epoch: welcome.epoch,
            held: welcome.resync_required,
            ..Progress::default()
        });
        let (refusals, refusals_taken) = mpsc::channel(REFUSALS_KEPT);
        let link = Self {
            backoff: Backoff::new(config.seed),
            config,
            endpoint,
            commands,
            progress,
            refusals,
            unacknowledged: VecDeque::new(),
            taken: welcome.last_sequence,
            generation: 0,
            trouble: None,
        };
        (link, progress_seen, refusals_taken)
    }

    pub(super) async fn run(mut self, mut connection: Connection) {
        let failure = loop {
            let cause = match self.converse(&mut connection).await {
                End::Dropped => return self.finish(connection).await,
                End::Failed(failure) => break failure,
                End::Broken(cause) => cause,
            };
            drop(connection);
            connection = match self.reconnect(cause).await {
                Some(Ok(connection)) => connection,
                Some(Err(failure)) => break failure,
                None => return,
            };
            if let Err(failure) = self.resume(&connection) {
                break failure;
            }
        };
        // A caller who waits for room is woken because what is unacknowledged gives its room back, right after this.
        self.progress.send_modify(|now| now.failure = Some(failure));
    }

    /// Says that nothing more comes, and waits until the server has taken what came.
    async fn finish(mut self, connection: Connection) {
        let mut inbound = connection.hang_up();
        let _ = timeout(FINISH_WITHIN, async {
            while let Ok(Some(response)) = inbound.message().await {
                self.hear(response);
            }
        })
        .await;
    }

    async fn converse(&mut self, connection: &mut Connection) -> End {
        let interval_ms = match connection.welcome.interval_ms {
            0 => DEFAULT_INTERVAL_MS,
            interval_ms => interval_ms,
        };
        let interval = Duration::from_millis(interval_ms.into());
        let mut heartbeat = interval_at(tokio::time::Instant::now() + interval, interval);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.perform(command, connection),
                    None => return End::Dropped,
                },
                response = connection.inbound.message() => match response {
                    Ok(Some(response)) => self.hear(response),
                    Ok(None) => return End::Broken("the server has ended the stream".to_owned()),
                    Err(status) => return match ProducerClientError::terminal(&self.config.url, &status) {
                        Some(failure) => End::Failed(failure),
                        None => End::Broken(spoken(&status)),
                    },
                },
                _ = heartbeat.tick(), if self.config.background_heartbeat => connection.send_heartbeat(),
            }
        }
    }

    fn perform(&mut self, command: Command, connection: &Connection) {
        match command {
            Command::Commit { generation, commit, room } => {
                if let Some(commit) = self.keep(generation, commit, room) {
                    connection.send(Message::Commit(commit));
                }
            }
            Command::Heartbeat => connection.send_heartbeat(),
            Command::ResyncComplete => {
                self.progress.send_if_modified(|now| std::mem::take(&mut now.held));
                connection.send(Message::ResyncComplete(proto::ResyncComplete {}));
            }
        }
    }

    /// Keeps a commit to be sent again; gives it back to be sent now, unless it was meant for a log that is gone.
    fn keep(
        &mut self,
        generation: u64,
        commit: proto::Commit,
        room: OwnedSemaphorePermit,
    ) -> Option<proto::Commit> {
        self.taken = commit.sequence;
        if generation != self.generation {
            self.settle(commit.sequence);
            return None;
        }
        self.unacknowledged.push_back(Unacknowledged { commit: commit.clone(), _room: room });
        Some(commit)
    }

    fn hear(&mut self, response: proto::PublishResponse) {
        match response.message {
            Some(publish_response::Message::Ack(ack)) => {
                self.progress.send_modify(|now| now.revision = now.revision.max(ack.revision));
                self.settle(ack.sequence);
                self.note_progress();
            }
            Some(publish_response::Message::Refused(refused)) => {
                let sequence = refused.sequence;
                // More than the caller takes are only counted.
                let _ = self.refusals.try_send(refused.into());
                self.progress.send_modify(|now| now.refused += 1);
                self.settle(sequence);
                self.note_progress();
            }
            // A second welcome changes nothing; what a later version says beside this is not about commits.
            Some(publish_response::Message::Welcome(_)) | None => {}
        }
    }

    fn settle(&mut self, sequence: u64) {
        while self.unacknowledged.front().is_some_and(|front| front.commit.sequence <= sequence) {
            self.unacknowledged.pop_front();
        }
        self.progress.send_modify(|now| now.settled = now.settled.max(sequence));
    }

    fn note_progress(&mut self) {
        self.trouble = None;
        self.backoff.reset();
    }

    /// `None` when the producer was dropped meanwhile.
    async fn reconnect(&mut self, mut cause: String) -> Option<Result<Connection, ProducerClientError>> {
        let since = *self.trouble.get_or_insert_with(Instant::now);
        loop {
            tracing::debug!(url = self.config.url, cause, "the connection to the server is lost");
            if since.elapsed() > self.config.give_up_after {
                let (url, seconds) = (self.config.url.clone(), self.config.give_up_after.as_secs());
                return Some(Err(ProducerClientError::Lost { url, cause, seconds }));
            }
            let (delay, endpoint, config) =
                (self.backoff.delay(), self.endpoint.clone(), self.config.clone());
            let attempt = async move {
                sleep(delay).await;
                Connection::open(&endpoint, &config).await
            };
            match self.meanwhile(attempt).await? {
                Ok(connection) => return Some(Ok(connection)),
                Err(
                    error @ (ProducerClientError::NothingAnswers { .. }
                    | ProducerClientError::Unreachable { .. }),
                ) => cause = error.to_string(),
                Err(failure) => return Some(Err(failure)),
            }
        }
    }

    /// Waits for something while no connection stands, and keeps what the producer publishes. A heartbeat of the
    /// past is worth nothing, and after an outage it is the server who says whether a resync is needed.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Some(done),
                command = self.commands.recv() => {
                    if let Command::Commit { generation, commit, room } = command? {
                        self.keep(generation, commit, room);
                    }
                }
            }
        }
    }

    /// Goes on where the last connection broke.
    fn resume(&mut self, connection: &Connection) -> Result<(), ProducerClientError> {
        let welcome = &connection.welcome;
        let from = self.progress.borrow().epoch;
        if welcome.epoch == from {
            if welcome.last_sequence > self.taken {
                return Err(ProducerClientError::SharedEpoch {
                    theirs: welcome.last_sequence,
                    ours: self.taken,
                });
            }
            for kept in &self.unacknowledged {
                connection.send(Message::Commit(kept.commit.clone()));
            }
        } else {
            self.generation += 1;
            self.settle(self.taken);
        }
        // With commits to send again only an answer is progress: one of them may be what breaks the connection.
        if self.unacknowledged.is_empty() {
            self.note_progress();
        }
        let generation = self.generation;
        self.progress.send_modify(|now| {
            now.reconnects += 1;
            now.held = welcome.resync_required;
            let notice = if welcome.epoch != from {
                now.epoch = welcome.epoch;
                now.revision = 0;
                now.generation = generation;
                Some(ImagesNeeded::NewEpoch { from: Epoch(from), to: Epoch(welcome.epoch) })
            } else {
                welcome.resync_required.then_some(ImagesNeeded::Held)
            };
            if notice.is_some() {
                now.notices += 1;
                now.notice = notice;
            }
        });
        Ok(())
    }
}
