//! The producer's end: publish without waiting for each answer, survive broken connections.

mod backoff;
mod config;
mod connection;
mod error;
mod link;
mod progress;

use std::sync::Arc;

use oddswire_model::{Commit, Epoch, Revision};
use prost::Message as _;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinHandle,
};

pub use self::{
    config::ProducerConfig,
    error::{ImagesNeeded, ProducerClientError, RefusedCommit},
};
use self::{
    connection::Connection,
    link::{Command, Link},
    progress::Progress,
};
use crate::{limits::MAX_MESSAGE_BYTES, proto};

/// Bytes that a request adds around its commit: a tag and a length of at most four bytes, and the sequence,
/// which is set after measuring.
const ENVELOPE_BYTES: usize = 16;

/// Publishes one producer's commits.
///
/// Commits travel one behind the other, with up to a window of them unacknowledged. When the connection breaks it is
/// made again in the background, and what was not acknowledged is sent again under the same sequences, so that the
/// server takes it once. End with [`Producer::close`]: what is unacknowledged when the process ends may be lost.
#[derive(Debug)]
pub struct Producer {
    commands: mpsc::UnboundedSender<Command>,
    progress: watch::Receiver<Progress>,
    refusals: mpsc::Receiver<RefusedCommit>,
    window: Arc<Semaphore>,
    /// The last sequence given out.
    sequence: u64,
    /// The last of the link's notices that was handed to the caller.
    noticed: u64,
    /// The generation of the server's log for which the caller publishes.
    generation: u64,
    link: JoinHandle<()>,
}

impl Producer {
    /// Connects and says hello. Fails at once when that fails; later losses are repaired in the background.
    ///
    /// # Errors
    /// A sentence that says what to do about it.
    pub async fn connect(config: ProducerConfig) -> Result<Self, ProducerClientError> {
        let endpoint = config.check()?;
        let connection = Connection::open(&endpoint, &config).await?;
        let (commands, received) = mpsc::unbounded_channel();
        let window = Arc::new(Semaphore::new(config.window));
        let sequence = connection.welcome.last_sequence;
        let (link, progress, refusals) = Link::new(config, endpoint, received, &connection);
        let link = tokio::spawn(link.run(connection));
        Ok(Self { commands, progress, refusals, window, sequence, noticed: 0, generation: 0, link })
    }

    /// Publishes a commit; waits only while the window is full. Returns the sequence it got.
    ///
    /// # Errors
    /// The commit was not taken then. After [`ProducerClientError::ImagesNeeded`], publish images and go on;
    /// after [`ProducerClientError::TooLarge`], split it; everything else is final.
    pub async fn publish(&mut self, commit: &Commit) -> Result<u64, ProducerClientError> {
        self.check()?;
        let mut message = proto::Commit::from(commit);
        let bytes = message.encoded_len() + ENVELOPE_BYTES;
        if bytes > MAX_MESSAGE_BYTES {
            return Err(ProducerClientError::TooLarge { bytes, limit: MAX_MESSAGE_BYTES });
        }
        let room = self.window.clone().acquire_owned().await;
        // What the link gave up on makes room too, so look again.
        self.check()?;
        let Ok(room) = room else { return Err(ProducerClientError::Ended) };
        message.sequence = self.sequence + 1;
        let command = Command::Commit { generation: self.generation, commit: message, room };
        self.commands.send(command).map_err(|_| ProducerClientError::Ended)?;
        self.sequence += 1;
        Ok(self.sequence)
    }

    /// Waits until everything published is acknowledged or refused; returns the last revision that the server named.
    ///
    /// # Errors
    /// As [`Producer::publish`].
    pub async fn flush(&mut self) -> Result<Revision, ProducerClientError> {
        let (sequence, noticed) = (self.sequence, self.noticed);
        let waited = self
            .progress
            .wait_for(|now| now.settled >= sequence || now.notices != noticed || now.failure.is_some())
            .await
            .is_ok();
        self.check()?;
        if waited { Ok(Revision(self.progress.borrow().revision)) } else { Err(ProducerClientError::Ended) }
    }

    /// "My prices still stand". Needed only when [`ProducerConfig::background_heartbeat`] is off.
    ///
    /// # Errors
    /// As [`Producer::publish`].
    pub fn heartbeat(&mut self) -> Result<(), ProducerClientError> {
        self.check()?;
        self.commands.send(Command::Heartbeat).map_err(|_| ProducerClientError::Ended)
    }

    /// "Everything has been said again", after what was published so far: markets that were held may be read again.
    /// Harmless when none are held.
    ///
    /// # Errors
    /// As [`Producer::publish`].
    pub fn resync_complete(&mut self) -> Result<(), ProducerClientError> {
        self.check()?;
        self.commands.send(Command::ResyncComplete).map_err(|_| ProducerClientError::Ended)
    }

    /// Flushes, and waits until the server has taken everything else that was said, so that a process may end.
    ///
    /// # Errors
    /// As [`Producer::publish`].
    pub async fn close(mut self) -> Result<Revision, ProducerClientError> {
        let revision = self.flush().await?;
        drop(self.commands);
        self.link.await.map_err(|_| ProducerClientError::Ended)?;
        Ok(revision)
    }

    /// The commits that were refused since the last call, in order. At most 1,024 are kept for the caller; those
    /// after them are only counted, in [`Producer::refused`].
    pub fn take_refusals(&mut self) -> Vec<RefusedCommit> {
        std::iter::from_fn(|| self.refusals.try_recv().ok()).collect()
    }

    /// Number of commits refused so far.
    pub fn refused(&self) -> u64 {
        self.progress.borrow().refused
    }

    /// Number of times that the connection was made again.
    pub fn reconnects(&self) -> u64 {
        self.progress.borrow().reconnects
    }

    /// Epoch of the server's log.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.progress.borrow().epoch)
    }

    /// Whether the last welcome said that this producer's markets are held. They stay so until images are published
    /// and [`Producer::resync_complete`] is called.
    pub fn is_held(&self) -> bool {
        self.progress.borrow().held
    }

    /// Hands every notice to the caller once, and a failure for ever.
    fn check(&mut self) -> Result<(), ProducerClientError> {
        let now = self.progress.borrow();
        if let Some(failure) = &now.failure {
            return Err(failure.clone());
        }
        if now.notices != self.noticed
            && let Some(notice) = &now.notice
        {
            self.noticed = now.notices;
            self.generation = now.generation;
            return Err(ProducerClientError::ImagesNeeded(notice.clone()));
        }
        Ok(())
    }
}
