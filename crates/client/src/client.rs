//! The handle.

use std::{fmt, sync::Arc, time::Duration};

use oddswire_model::{Cursor, MarketId, MarketNumber};
use oddswire_session::{Backoff, ClientConfig, ClientSession, Reading, Telemetry};
use tokio::sync::{broadcast, watch};

use crate::{
    driver::Driver,
    event::Events,
    options::{ClientBuilder, ClientOptions, OnEvent, OptionsError},
    reason::DisconnectReason,
    shared::Shared,
    stats::ClientStats,
    subscription::{SubscribeError, Subscription, SubscriptionHandle},
};

/// A mirror of live markets. Clones share it; when the last one is dropped, the connection is closed.
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    /// Ends when the background task has ended.
    running: watch::Receiver<()>,
}

/// The markets held, as of one moment.
pub struct Markets<'a> {
    readings: Box<dyn Iterator<Item = Reading<'a>> + 'a>,
}

impl<'a> Iterator for Markets<'a> {
    type Item = Reading<'a>;

    fn next(&mut self) -> Option<Reading<'a>> {
        self.readings.next()
    }
}

impl fmt::Debug for Markets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Markets").finish_non_exhaustive()
    }
}

/// Why waiting came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The client is closed.
    #[error("the client is closed; make a new one")]
    Closed,
    /// The time is up, and the last connection ended for a reason.
    #[error("not everything was live within {after_ms} ms: {reason}")]
    Disconnected {
        /// How long it was waited.
        after_ms: u64,
        /// Why there was no connection the last time.
        reason: DisconnectReason,
    },
    /// The time is up.
    #[error("not everything was live within {after_ms} ms; wait longer, or ask for fewer markets")]
    TimedOut {
        /// How long it was waited.
        after_ms: u64,
    },
}

impl Client {
    /// Sets up a client, setting by setting.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(url.into())
    }

    /// Starts a client. It returns at once and connects in the background, for as long as it takes.
    ///
    /// # Errors
    /// When an option cannot be used, or there is no tokio runtime.
    pub fn connect(options: ClientOptions) -> Result<Self, OptionsError> {
        Self::start(options, None)
    }

    pub(crate) fn start(options: ClientOptions, on_event: Option<OnEvent>) -> Result<Self, OptionsError> {
        let endpoint = options.check()?;
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| OptionsError::NoRuntime)?;
        // The channel refuses none and more than half of all numbers.
        let (events, _) = broadcast::channel(options.events_kept.clamp(1, 1 << 20));
        let backoff = Backoff::new(options.seed());
        let session = ClientSession::new(ClientConfig {
            agent: options.agent,
            token: options.token,
            encoding: options.encoding,
            has_dictionary: options.encoding == oddswire_wire::piece::Encoding::Compact,
        });
        let shared = Arc::new(Shared::new(session, events.clone()));
        let (finished, running) = watch::channel(());
        let intervals_ms = (options.connect_timeout_ms, options.report_interval_ms);
        let driver = Driver::new(Arc::clone(&shared), endpoint, backoff, intervals_ms, events, on_event);
        runtime.spawn(async move {
            driver.run().await;
            drop(finished);
        });
        Ok(Self { handle: Arc::new(Handle { shared, running }) })
    }

    /// Asks for markets, now or as soon as there is a connection, and again on every new one.
    ///
    /// # Errors
    /// When a topic is none, there are too many, or the client is closed.
    pub fn subscribe(&self, subscription: Subscription) -> Result<SubscriptionHandle, SubscribeError> {
        subscription.start(&self.handle.shared)
    }

    /// A reader of everything that happens from now on. Events before it are for [`ClientBuilder::on_event`].
    pub fn events(&self) -> Events {
        let state = self.handle.shared.lock();
        state.events.as_ref().map_or_else(Events::ended, |events| Events::new(events.subscribe()))
    }

    /// Reads a market with its state and age as of now; `None` when it is not held.
    ///
    /// It runs under the lock of the mirror: take what is needed and return. Calling the client in it would wait forever.
    pub fn read<R>(&self, market: &MarketId, read: impl FnOnce(Reading<'_>) -> R) -> Option<R> {
        let shared = &self.handle.shared;
        let state = shared.lock();
        state.session.read(market, shared.now_ms()).map(read)
    }

    /// Reads a market by the number that events name; see [`Client::read`].
    pub fn read_number<R>(&self, market: MarketNumber, read: impl FnOnce(Reading<'_>) -> R) -> Option<R> {
        let shared = &self.handle.shared;
        let state = shared.lock();
        state.session.read_number(market, shared.now_ms()).map(read)
    }

    /// Reads all markets held, in order of number and as of one moment; see [`Client::read`].
    pub fn with_markets<R>(&self, read: impl FnOnce(&mut Markets<'_>) -> R) -> R {
        let shared = &self.handle.shared;
        let state = shared.lock();
        read(&mut Markets { readings: Box::new(state.session.markets(shared.now_ms())) })
    }

    /// Waits until everything subscribed to is complete and live, however long that takes.
    ///
    /// # Errors
    /// When the client is closed.
    pub async fn synced(&self) -> Result<(), WaitError> {
        let shared = &self.handle.shared;
        loop {
            let mut progress = std::pin::pin!(shared.progress.notified());
            // Listening begins before looking, or what happens in between would be missed.
            progress.as_mut().enable();
            {
                let state = shared.lock();
                if state.events.is_none() || state.orders.close {
                    return Err(WaitError::Closed);
                }
                if state.session.is_synced() {
                    return Ok(());
                }
            }
            progress.await;
        }
    }

    /// Waits until everything subscribed to is complete and live, but no longer than this.
    ///
    /// # Errors
    /// When the client is closed or the time is up; the sentence says what stood in the way.
    pub async fn synced_within(&self, timeout: Duration) -> Result<(), WaitError> {
        if let Ok(done) = tokio::time::timeout(timeout, self.synced()).await {
            return done;
        }
        let after_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        Err(match self.handle.shared.lock().last_problem.clone() {
            Some(reason) => WaitError::Disconnected { after_ms, reason },
            None => WaitError::TimedOut { after_ms },
        })
    }

    /// Counters.
    pub fn stats(&self) -> ClientStats {
        let state = self.handle.shared.lock();
        ClientStats { session: state.session.stats(), ..state.stats }
    }

    /// What the client has seen since it was made. The gateway is told of it now and then.
    pub fn telemetry(&self) -> Telemetry {
        self.handle.shared.lock().session.telemetry()
    }

    /// From where the client would resume.
    pub fn cursor(&self) -> Option<Cursor> {
        self.handle.shared.lock().session.cursor()
    }

    /// Drops the socket without a word, as a tunnel does; the client comes back by itself. For demos and tests.
    pub fn cut(&self) {
        self.handle.shared.order(|orders| orders.cut = true);
    }

    /// Takes nothing from the socket for a while, as a slow receiver does. For demos and tests.
    ///
    /// Nothing is said meanwhile either, and a silent gateway is not given up; what is read goes stale in time.
    pub fn pause_reading(&self, pause: Duration) {
        self.handle.shared.order(|orders| orders.pause = Some(pause));
    }

    /// Tries to connect at once, if the client is waiting to: the network has changed, or the machine woke up.
    pub fn retry_now(&self) {
        self.handle.shared.order(|orders| orders.retry_now = true);
    }

    /// Closes the connection in order (WebSocket close code 1000) and ends the background task, for all clones.
    pub async fn close(&self) {
        self.handle.shared.order(|orders| orders.close = true);
        let mut running = self.handle.running.clone();
        while running.changed().await.is_ok() {}
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.order(|orders| orders.close = true);
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.handle.shared.lock();
        f.debug_struct("Client")
            .field("connection", &state.session.connection())
            .field("cursor", &state.session.cursor())
            .field("markets", &state.session.len())
            .finish_non_exhaustive()
    }
}
