//! The one task that owns the store and the fan-out.
//!
//! Producers talk to it through bounded channels, connections through their shards. Nothing else may touch the state, so there are no locks. After every commit the fan-out is told, before the next commit.

use std::{
    sync::Arc,
    sync::atomic::Ordering,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use oddswire_fanout::{Fanout, FanoutConfig, FanoutStats};
use oddswire_gateway::{
    DisconnectCause, GatewayCounters, GatewayRequest, GatewayStats, MarketLine, MarketList, ShardEvent,
    Shards,
};
use oddswire_ingest::{Accepted, Announced, IngestRequest};
use oddswire_model::{AttributeValue, Commit, Epoch, Market, Revision, name};
use oddswire_session::Telemetry;
use oddswire_store::{Published, Refusal, Store};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tracing::{debug, info, warn};

use crate::{
    engine_metrics::{EngineMetrics, HistogramReading},
    horizon::Horizon,
    producers::Producers,
};

/// Requests taken from a channel at once, so that neither side starves the other.
const REQUESTS_PER_TURN: usize = 256;
/// Requests that wait in a channel before the sender waits.
pub const REQUESTS_WAITING_MAX: usize = 4_096;
/// While the shards have not sent what they were given, what is due waits so long before it is looked at again.
const SLOW_SHARDS_RETRY_MS: u64 = 1;

/// Settings of the engine.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The fan-out's.
    pub fanout: FanoutConfig,
    /// How long a receiver may be away and still catch up.
    pub resume_horizon: Duration,
    /// How long a settled market stays.
    pub settled_retention: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            fanout: FanoutConfig::default(),
            resume_horizon: Duration::from_secs(2 * 3_600),
            settled_retention: Duration::from_secs(600),
        }
    }
}

/// Something an embedded source asks of the engine.
#[derive(Debug)]
pub enum LocalRequest {
    /// Apply a commit.
    Commit {
        /// The commit.
        commit: Box<Commit>,
        /// What became of it.
        reply: oneshot::Sender<Result<Revision, Refusal>>,
    },
    /// How is it going?
    Report {
        /// The report.
        reply: oneshot::Sender<Report>,
    },
    /// Ask all clients to move, spread over a time.
    Drain {
        /// Over how long, in milliseconds.
        spread_ms: u32,
    },
}

/// Figures of a running engine.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// The feed's epoch.
    pub epoch: Epoch,
    /// The feed's revision.
    pub revision: Revision,
    /// Markets alive.
    pub markets: usize,
    /// Connections.
    pub connections: usize,
    /// Connections that are behind.
    pub behind: usize,
    /// Groups.
    pub groups: usize,
    /// The fan-out's counters.
    pub fanout: FanoutStats,
    /// The shards' counters.
    pub gateway: GatewayStats,
    /// How long flushes took.
    pub flush: HistogramReading,
    /// Groups there were, added up over all flushes.
    pub groups_flushed: u64,
    /// Connections that have ended, by cause, in the order of [`DisconnectCause::ALL`].
    pub disconnects: [u64; DisconnectCause::ALL.len()],
    /// What clients have reported, all together.
    pub telemetry: Telemetry,
}

/// The ways in.
#[derive(Debug)]
pub struct Inboxes {
    /// From producers.
    pub ingest: mpsc::Receiver<IngestRequest>,
    /// From HTTP requests.
    pub http: mpsc::Receiver<GatewayRequest>,
    /// From embedded sources.
    pub local: mpsc::Receiver<LocalRequest>,
}

/// Owns everything that changes.
pub struct Engine {
    started: Instant,
    store: Store,
    fanout: Fanout,
    shards: Shards,
    counters: GatewayCounters,
    metrics: Arc<EngineMetrics>,
    producers: Producers,
    horizon: Horizon,
    disconnects: [u64; DisconnectCause::ALL.len()],
}

impl Engine {
    /// An engine whose log begins now, with the shards that hold its connections.
    pub fn new(config: EngineConfig, shards: Shards) -> Self {
        let epoch = Epoch(wall_clock().as_nanos() as u64);
        info!(%epoch, "the log begins");
        Self {
            started: Instant::now(),
            store: Store::new(epoch),
            fanout: Fanout::new(config.fanout),
            counters: shards.counters(),
            shards,
            metrics: Arc::default(),
            producers: Producers::default(),
            horizon: Horizon::new(config.resume_horizon, config.settled_retention),
            disconnects: Default::default(),
        }
    }

    /// What the engine measures of itself, to be read while it runs.
    pub fn metrics(&self) -> Arc<EngineMetrics> {
        Arc::clone(&self.metrics)
    }

    /// Runs until every way in is closed.
    pub async fn run(mut self, mut inboxes: Inboxes) {
        let mut ingest = Vec::with_capacity(REQUESTS_PER_TURN);
        let mut open = (true, true, true);
        while open.0 || open.1 || open.2 {
            let mut wake_ms = self.fanout.poll_timeout().min(self.producers.next_deadline_ms());
            let is_overwhelmed = self.shards.are_overwhelmed();
            if is_overwhelmed {
                wake_ms = self.now_ms() + SLOW_SHARDS_RETRY_MS;
            }
            let wake = self.started + Duration::from_millis(wake_ms);
            tokio::select! {
                biased;
                count = inboxes.ingest.recv_many(&mut ingest, REQUESTS_PER_TURN), if open.0 && !is_overwhelmed => {
                    open.0 = count > 0;
                }
                Some(events) = self.shards.next() => self.shard_events(events),
                request = inboxes.http.recv(), if open.1 => match request {
                    Some(request) => self.http(request),
                    None => open.1 = false,
                },
                request = inboxes.local.recv(), if open.2 => match request {
                    Some(request) => self.local(request),
                    None => open.2 = false,
                },
                () = tokio::time::sleep_until(wake) => {}
            }
            // A busy producer must not keep clients waiting, so every turn takes from all.
            for _ in 0..REQUESTS_PER_TURN {
                let Some(events) = self.shards.try_next() else { break };
                self.shard_events(events);
            }
            if let Ok(request) = inboxes.http.try_recv() {
                self.http(request);
            }
            for request in ingest.drain(..) {
                self.ingest(request);
            }
            let now_ms = self.now_ms();
            if now_ms >= wake_ms {
                self.timeout(now_ms);
            }
            self.hand_out();
        }
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn timeout(&mut self, now_ms: u64) {
        for producer in self.producers.silent(now_ms) {
            if let Some(committed) = self.store.hold_producer(&producer) {
                warn!(%producer, markets = committed.changed.len(), "producer is silent: its markets are held");
                self.fanout.handle_commit(now_ms, &self.store, &committed);
                self.producers.cut(
                    &producer,
                    "you were silent for too long and your markets are held; send them again",
                );
            }
        }
        self.fanout.set_freshness(self.producers.freshness_ms(now_ms), wall_clock().as_millis() as u64);
        let (started, before) = (Instant::now(), self.fanout.stats());
        self.fanout.handle_timeout(now_ms, &self.store);
        let after = self.fanout.stats();
        if after.flushes > before.flushes {
            self.metrics.note_flush(started.elapsed(), self.fanout.groups());
        }
        let revision = self.store.revision();
        if let Some(horizon) = self.horizon.tick(now_ms, revision) {
            self.store.advance_horizon(horizon);
        }
        if let Some(settled_before) = self.horizon.settled_before(now_ms) {
            let finished = self.store.finished_before(settled_before);
            if !finished.is_empty() {
                debug!(markets = finished.len(), "settled markets are forgotten");
                let committed = self.store.forget(&finished);
                self.fanout.handle_commit(now_ms, &self.store, &committed);
            }
        }
    }

    fn ingest(&mut self, request: IngestRequest) {
        let now_ms = self.now_ms();
        match request {
            IngestRequest::Announce { producer, producer_epoch, interval_ms, recorded, stream, reply } => {
                let epoch = self.store.epoch();
                let announced = self.store.announce_producer(&producer, producer_epoch).map(|state| {
                    Announced { epoch, last_sequence: state.last_sequence, interval_ms, held: state.held }
                });
                match &announced {
                    Ok(_) => {
                        info!(%producer, producer_epoch, "producer announced");
                        let interval_ms = (!recorded).then_some(interval_ms);
                        self.producers.announce(&producer, producer_epoch, interval_ms, stream, now_ms);
                    }
                    Err(error) => warn!(%producer, %error, "producer turned away"),
                }
                let _ = reply.send(announced);
            }
            IngestRequest::Publish { producer, producer_epoch, sequence, commit, reply } => {
                self.producers.heard(&producer, producer_epoch, now_ms);
                let published = self.store.publish(&producer, producer_epoch, sequence, &commit);
                if let Ok(Published::Applied(committed)) = &published {
                    let (started, before) = (Instant::now(), self.fanout.stats());
                    self.fanout.handle_commit(now_ms, &self.store, committed);
                    // What could not wait is a flush, too.
                    if self.fanout.stats().flushes > before.flushes {
                        self.metrics.note_flush(started.elapsed(), self.fanout.groups());
                    }
                }
                if let Err(error) = &published {
                    debug!(%producer, sequence, %error, "commit not taken");
                }
                reply.answer(published.map(|published| match published {
                    Published::Applied(committed) => Accepted::in_memory(committed.revision),
                    Published::Repeated(revision) => Accepted::in_memory(revision),
                }));
                // Frames leave commit by commit, so that an urgent one does not wait for the rest of the batch.
                self.hand_out();
            }
            IngestRequest::Skip { producer, producer_epoch, sequence, reply } => {
                let skipped = self.store.skip(&producer, producer_epoch, sequence);
                reply.answer(skipped.map(Accepted::in_memory));
            }
            IngestRequest::Heartbeat { producer, producer_epoch } => {
                self.producers.heard(&producer, producer_epoch, now_ms);
            }
            IngestRequest::ResyncComplete { producer, producer_epoch } => {
                if self.producers.heard(&producer, producer_epoch, now_ms)
                    && let Some(committed) = self.store.release_producer(&producer)
                {
                    info!(%producer, markets = committed.changed.len(), "producer has said everything again");
                    self.fanout.handle_commit(now_ms, &self.store, &committed);
                }
            }
            IngestRequest::Gone { producer, producer_epoch, stream } => {
                self.producers.gone(&producer, producer_epoch, stream);
            }
        }
    }

    fn local(&mut self, request: LocalRequest) {
        let now_ms = self.now_ms();
        match request {
            LocalRequest::Commit { commit, reply } => {
                self.producers.heard_locally(now_ms);
                let committed = self.store.commit(&commit);
                if let Ok(committed) = &committed {
                    self.fanout.handle_commit(now_ms, &self.store, committed);
                }
                let _ = reply.send(committed.map(|committed| committed.revision));
            }
            LocalRequest::Report { reply } => {
                let _ = reply.send(Report {
                    epoch: self.store.epoch(),
                    revision: self.store.revision(),
                    markets: self.store.len(),
                    connections: self.fanout.connections(),
                    behind: self.fanout.behind(),
                    groups: self.fanout.groups(),
                    fanout: self.fanout.stats(),
                    gateway: self.counters.read(),
                    flush: self.metrics.flush.read(),
                    groups_flushed: self.metrics.groups_flushed.load(Ordering::Relaxed),
                    disconnects: self.disconnects,
                    telemetry: *self.fanout.telemetry(),
                });
            }
            LocalRequest::Drain { spread_ms } => {
                info!(connections = self.fanout.connections(), spread_ms, "draining");
                self.fanout.drain(spread_ms);
            }
        }
    }

    fn shard_events(&mut self, events: Vec<ShardEvent>) {
        let now_ms = self.now_ms();
        for event in events {
            match event {
                ShardEvent::Connect { connection } => self.fanout.connect(now_ms, connection),
                ShardEvent::Message { connection, message } => {
                    self.fanout.handle_message(now_ms, &self.store, connection, message);
                }
                ShardEvent::Report(report) => self.fanout.handle_report(now_ms, &self.store, report),
                ShardEvent::Disconnect { connection, cause } => {
                    self.disconnects[cause as usize] += 1;
                    self.fanout.disconnect(connection);
                }
            }
        }
    }

    fn http(&mut self, request: GatewayRequest) {
        match request {
            GatewayRequest::Markets { reply } => {
                let markets = self.store.markets().map(line).collect();
                let _ = reply.send(MarketList {
                    epoch: self.store.epoch(),
                    revision: self.store.revision(),
                    markets,
                });
            }
            GatewayRequest::Market { id, reply } => {
                let market =
                    self.store.market_by_id(&id).map(|market| (self.store.epoch(), Box::new(market.clone())));
                let _ = reply.send(market);
            }
        }
    }

    /// Gives the shards what the fan-out wants done, one message each.
    fn hand_out(&mut self) {
        while let Some(output) = self.fanout.poll_output() {
            self.shards.post(output);
        }
        self.shards.turn();
    }
}

fn line(market: &Market) -> MarketLine {
    let text =
        |name: &str| market.attributes().get(name).and_then(AttributeValue::as_text).map(str::to_owned);
    MarketLine {
        id: market.id().clone(),
        revision: market.revision(),
        status: market.status(),
        in_play: market.in_play(),
        name: text(name::NAME),
        fixture_name: text(name::FIXTURE_NAME),
        market_type: text(name::MARKET_TYPE),
        selections: market.selections().len(),
    }
}

fn wall_clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
