//! The other end of what is measured: a producer that knows when it sent each commit, what is visible of it in each
//! view, and what everything must look like in the end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    time::Duration,
};

use anyhow::Context;
use oddswire_delta::{MarketDelta, diff};
use oddswire_feeds::simulator::{Simulator, SimulatorConfig};
use oddswire_ingest::{Producer, ProducerConfig};
use oddswire_model::{
    AttributeValue, Commit, Epoch, Field, Market, MarketId, MarketNumber, MarketStatus, MarketUpdate,
    Revision, Topic, View, name,
};
use oddswire_store::Store;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    clock::{Clock, wall_ms},
    config::PublishConfig,
    ledger::{Entry, Ledger},
    random::Random,
    tally::Times,
};

/// Markets of one fixture of each sport of the simulator, and how often each sport stands among ten fixtures.
const MARKETS_PER_SPORT: [(usize, usize); 3] = [(5, 6), (3, 3), (2, 1)];
/// Commits that may be needed until all markets are there, for each of them.
const OPENING_COMMITS_PER_MARKET: usize = 200;
/// A publisher that is further behind its times than this does not catch up: the load would come in one blow.
const LATE_MAX: Duration = Duration::from_millis(500);
/// How long a market stays suspended, if the next suspension does not come sooner.
const SUSPENDED_FOR: Duration = Duration::from_secs(1);
/// How long the server may take to acknowledge everything in the end.
const FLUSH_WITHIN: Duration = Duration::from_secs(10);

/// What the publisher is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// All markets are there; nothing changes.
    Ready,
    Publishing,
    /// Nothing more is published, but the prices stand.
    Stopped,
    /// Everything is settled, and the connection ends.
    Finished,
}

/// What the publisher has done.
#[derive(Debug, Clone, Default)]
pub(crate) struct Published {
    pub(crate) commits: u64,
    /// Changes of markets in those commits.
    pub(crate) updates: u64,
    pub(crate) suspends: u64,
    /// Changes that nobody was measured by: somebody else's commits made their revisions uncertain.
    pub(crate) unmeasured: u64,
    /// Commits whose time was given up, because the publisher was too late.
    pub(crate) skipped: u64,
    /// Commits that the server refused.
    pub(crate) refused: u64,
    /// From handing over to the acknowledgement, of commits after which the publisher had time to wait for it.
    pub(crate) acknowledged: Times,
    /// Why it ended early.
    pub(crate) problem: Option<String>,
    /// The last revision, once it has stopped.
    pub(crate) last_revision: Option<u64>,
    /// What every market must look like in the end, once it has stopped.
    pub(crate) end_state: HashMap<MarketId, EndState>,
}

/// What a market must look like.
#[derive(Debug, Clone)]
pub(crate) struct EndState {
    /// It is settled or void, so the server may have forgotten it.
    pub(crate) is_finished: bool,
    /// Its digests in the view of each kind of the mix.
    pub(crate) digests: Vec<u64>,
}

/// The way to the publisher, who lives in a thread of his own.
#[derive(Debug)]
pub(crate) struct Publisher {
    phase: watch::Sender<Phase>,
    published: Arc<Mutex<Published>>,
    thread: std::thread::JoinHandle<()>,
    /// Names exactly the markets of this run.
    pub(crate) topic: Topic,
    /// How many markets there were in the beginning.
    pub(crate) markets: usize,
}

impl Publisher {
    /// Connects and publishes all markets, and waits until the server has them.
    pub(crate) fn start(
        config: &PublishConfig,
        views: Vec<View>,
        seed: u64,
        clock: Clock,
        ledger: Arc<Ledger>,
    ) -> anyhow::Result<Self> {
        let (phase, phases) = watch::channel(Phase::Ready);
        let published = Arc::new(Mutex::new(Published::default()));
        let (ready, is_ready) = mpsc::channel();
        // Ids of its own, so that a second run on the same server meets none of the first one's markets.
        let run = format!("load-{:x}", wall_ms());
        let topic = Topic::Competition(run.as_str().into());
        let source = Source::new(config, views, seed, run);
        let (config, shared) = (config.clone(), Arc::clone(&published));
        let thread = std::thread::Builder::new()
            .name("publisher".to_owned())
            .spawn(move || publish(config, source, clock, &ledger, phases, &shared, &ready))
            .context("the system gives no thread")?;
        let markets = is_ready.recv().context("the publisher has failed")??;
        Ok(Self { phase, published, thread, topic, markets })
    }

    /// Begins to change the markets.
    pub(crate) fn begin(&self) {
        let _ = self.phase.send(Phase::Publishing);
    }

    /// Ends the changes; the last revision and the end state are there when this returns.
    pub(crate) fn stop(&self) -> Published {
        let _ = self.phase.send(Phase::Stopped);
        let deadline = std::time::Instant::now() + FLUSH_WITHIN + Duration::from_secs(1);
        while std::time::Instant::now() < deadline {
            let now = lock(&self.published);
            if now.last_revision.is_some() || now.problem.is_some() {
                break;
            }
            drop(now);
            std::thread::sleep(Duration::from_millis(5));
        }
        self.published()
    }

    /// What it has done so far.
    pub(crate) fn published(&self) -> Published {
        lock(&self.published).clone()
    }

    /// Whether it has ended early; what it has published says why.
    pub(crate) fn has_failed(&self) -> bool {
        lock(&self.published).problem.is_some()
    }

    /// Forgets the figures so far: the measurement begins.
    pub(crate) fn reset(&self) {
        let mut now = lock(&self.published);
        *now = Published { problem: now.problem.take(), ..Published::default() };
    }

    /// Settles all markets, so that the server forgets them, and ends.
    pub(crate) fn finish(self) {
        let _ = self.phase.send(Phase::Finished);
        let _ = self.thread.join();
    }
}

fn lock(published: &Mutex<Published>) -> MutexGuard<'_, Published> {
    published.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes commits, and knows what they do.
#[derive(Debug)]
struct Source {
    simulator: Simulator,
    run: String,
    /// What the server holds, if it is right.
    store: Store,
    views: Vec<View>,
    /// Each market as it was before the commit at hand.
    before: HashMap<MarketNumber, Market>,
    change: MarketDelta,
    random: Random,
    /// A market that is suspended here, since this revision of the store.
    suspended: Option<(MarketId, Revision)>,
}

impl Source {
    fn new(config: &PublishConfig, views: Vec<View>, seed: u64, run: String) -> Self {
        let per_ten: usize = MARKETS_PER_SPORT.iter().map(|(markets, share)| markets * share).sum();
        let count = |sport: usize| (config.markets * MARKETS_PER_SPORT[sport].1).div_ceil(per_ten);
        let simulator = Simulator::new(SimulatorConfig {
            seed,
            start_ms: wall_ms(),
            football: count(0),
            tennis: if config.markets > 5 { count(1) } else { 0 },
            racing: if config.markets > 10 { count(2) } else { 0 },
            ..SimulatorConfig::default()
        });
        Self {
            simulator,
            run,
            store: Store::new(Epoch(1)),
            views,
            before: HashMap::new(),
            change: MarketDelta::default(),
            random: Random::new(seed),
            suspended: None,
        }
    }

    /// The next commit of the simulation, as one of this run, published now.
    fn next(&mut self) -> Commit {
        let mut commit = self.simulator.next_commit();
        commit.published_ms = wall_ms();
        for update in &mut commit.markets {
            // Ids of the simulator are short, and a name that does not fit would be refused by the store.
            if let Ok(id) = MarketId::new(&format!("{}-{}", self.run, update.id)) {
                update.id = id;
            }
            if update.complete_definition {
                let competition = |name: &str| name == name::COMPETITION;
                update.attributes.retain(|(name, _)| !competition(name));
                let run = AttributeValue::Text(self.run.as_str().into());
                update.attributes.push((name::COMPETITION.into(), Some(run)));
            }
        }
        commit
    }

    /// Takes a commit into the copy of the server's state, and tells what it does: the entries are without their
    /// revision and time. `None` when the server would refuse it.
    fn apply(&mut self, commit: &Commit) -> Option<Vec<(MarketId, Entry)>> {
        let committed = self.store.commit(commit).ok()?;
        let mut entries = Vec::with_capacity(committed.changed.len());
        for &number in &committed.changed {
            let Some(market) = self.store.market(number) else { continue };
            let mut visible = 0;
            match self.before.get_mut(&number) {
                Some(before) => {
                    for (kind, &view) in self.views.iter().enumerate() {
                        diff(before, market, view, &mut self.change);
                        visible |= u32::from(!self.change.is_empty()) << kind;
                    }
                    before.advance_to(market);
                }
                None => {
                    visible = u32::MAX;
                    self.before.insert(number, market.clone());
                }
            }
            let is_status = committed.urgent.contains(&number);
            entries.push((market.id().clone(), Entry { revision: 0, sent_us: 0, visible, is_status }));
        }
        Some(entries)
    }

    /// A commit that suspends an open market.
    fn suspend(&mut self) -> Option<Commit> {
        let open: Vec<&MarketId> = self
            .store
            .markets()
            .filter(|market| market.status() == MarketStatus::Open)
            .map(Market::id)
            .collect();
        let id = (*open.get(self.random.below(open.len()))?).clone();
        self.suspended = Some((id.clone(), self.store.revision().next()));
        Some(status_commit(std::iter::once(id), MarketStatus::Suspended))
    }

    /// A commit that reopens what was suspended, unless the simulation has decided about it meanwhile.
    fn reopen(&mut self) -> Option<Commit> {
        let (id, revision) = self.suspended.take()?;
        let market = self.store.market_by_id(&id)?;
        (market.value_revision(Field::Status) == revision)
            .then(|| status_commit(std::iter::once(id), MarketStatus::Open))
    }

    /// Every market, as receivers must hold it.
    fn end_state(&self) -> HashMap<MarketId, EndState> {
        let state = |market: &Market| EndState {
            is_finished: matches!(market.status(), MarketStatus::Settled | MarketStatus::Void),
            digests: self.views.iter().map(|&view| market.digest(view).to_u64()).collect(),
        };
        self.store.markets().map(|market| (market.id().clone(), state(market))).collect()
    }
}

fn status_commit(ids: impl Iterator<Item = MarketId>, status: MarketStatus) -> Commit {
    let update = |id| MarketUpdate { fields: vec![(Field::Status, status as u64)], ..MarketUpdate::new(id) };
    Commit { published_ms: wall_ms(), markets: ids.map(update).collect() }
}

/// The thread.
fn publish(
    config: PublishConfig,
    source: Source,
    clock: Clock,
    ledger: &Ledger,
    phases: watch::Receiver<Phase>,
    published: &Mutex<Published>,
    ready: &mpsc::Sender<anyhow::Result<usize>>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error).context("the system gives no event queue"));
            return;
        }
    };
    runtime.block_on(async {
        let mut line = match Line::open(config, source, clock, ledger, published).await {
            Ok(line) => line,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        let _ = ready.send(Ok(line.source.store.len()));
        if let Err(error) = line.run(phases).await {
            lock(published).problem = Some(format!("the publisher has ended: {error:#}"));
        }
    });
}

/// The producer, and what revision its next commit will get.
struct Line<'a> {
    config: PublishConfig,
    source: Source,
    clock: Clock,
    ledger: &'a Ledger,
    published: &'a Mutex<Published>,
    producer: Producer,
    /// The revision of the last commit: known up to `known`, expected from there on.
    revision: u64,
    /// The last revision that the server has named.
    known: u64,
    sent_us: u64,
}

impl<'a> Line<'a> {
    async fn open(
        config: PublishConfig,
        source: Source,
        clock: Clock,
        ledger: &'a Ledger,
        published: &'a Mutex<Published>,
    ) -> anyhow::Result<Self> {
        let mut producer = ProducerConfig::new(&config.url, &source.run, wall_ms());
        // A busy machine may keep this process from a heartbeat, and markets that are held would spoil the figures.
        producer.recorded = true;
        let producer = Producer::connect(producer).await?;
        let mut line =
            Self { config, source, clock, ledger, published, producer, revision: 0, known: 0, sent_us: 0 };
        for _ in 0..line.config.markets * OPENING_COMMITS_PER_MARKET {
            if line.source.store.len() >= line.config.markets {
                break;
            }
            let commit = line.source.next();
            line.send(&commit).await?;
        }
        line.revision = line.producer.flush().await?.0;
        line.known = line.revision;
        Ok(line)
    }

    async fn run(&mut self, mut phases: watch::Receiver<Phase>) -> anyhow::Result<()> {
        phases.wait_for(|&phase| phase >= Phase::Publishing).await?;
        let step = Duration::from_secs_f64(1.0 / (self.config.rate * self.config.markets as f64));
        let never = Instant::now() + Duration::from_secs(1 << 30);
        let mut due = Instant::now();
        let mut suspend_due = self.config.suspend_every.map_or(never, |every| due + every);
        let mut reopen_due = never;
        loop {
            let next = due.min(suspend_due).min(reopen_due);
            tokio::select! {
                biased;
                changed = phases.wait_for(|&phase| phase >= Phase::Stopped) => {
                    changed?;
                    break;
                }
                waited = self.until(next) => waited?,
            }
            let now = Instant::now();
            if reopen_due <= now {
                reopen_due = never;
                if let Some(commit) = self.source.reopen() {
                    self.send(&commit).await?;
                }
            }
            if suspend_due <= now {
                let every = self.config.suspend_every.unwrap_or_default();
                suspend_due = now + every;
                reopen_due = now + SUSPENDED_FOR.min(every / 2);
                if let Some(commit) = self.source.suspend() {
                    self.send(&commit).await?;
                    lock(self.published).suspends += 1;
                }
            }
            // A commit with several markets takes their times, too.
            while due <= now {
                let commit = self.source.next();
                due += step * commit.markets.len() as u32;
                if now.saturating_duration_since(due) > LATE_MAX {
                    let late = now - due;
                    lock(self.published).skipped += (late.as_secs_f64() / step.as_secs_f64()) as u64;
                    due = now;
                }
                self.send(&commit).await?;
            }
        }
        self.end().await?;
        phases.wait_for(|&phase| phase >= Phase::Finished).await?;
        // Settled markets are forgotten by the server after a while.
        let ids: Vec<MarketId> = self.source.store.markets().map(|market| market.id().clone()).collect();
        for ids in ids.chunks(100) {
            let commit = status_commit(ids.iter().cloned(), MarketStatus::Settled);
            self.producer.publish(&commit).await?;
        }
        timeout(FLUSH_WITHIN, self.producer.flush()).await??;
        Ok(())
    }

    /// Waits for a moment, and meanwhile for acknowledgements.
    async fn until(&mut self, moment: Instant) -> anyhow::Result<()> {
        if self.known < self.revision {
            tokio::select! {
                biased;
                flushed = self.producer.flush() => {
                    let revision = flushed?.0;
                    lock(self.published).acknowledged.record(self.clock.now_us().saturating_sub(self.sent_us));
                    self.learn(revision);
                }
                () = sleep_until(moment) => return Ok(()),
            }
        }
        sleep_until(moment).await;
        Ok(())
    }

    /// The server has named the revision of the last commit.
    fn learn(&mut self, revision: u64) {
        if revision != self.revision {
            // Somebody else has committed in between, so which revision each of ours got is not known.
            let forgotten = self.ledger.forget_after(self.known);
            lock(self.published).unmeasured += forgotten;
            self.revision = revision;
        }
        self.known = revision;
    }

    async fn send(&mut self, commit: &Commit) -> anyhow::Result<()> {
        let Some(mut entries) = self.source.apply(commit) else {
            anyhow::bail!("the simulation has made a commit that a store refuses");
        };
        self.revision += 1;
        self.sent_us = self.clock.now_us();
        for (_, entry) in &mut entries {
            (entry.revision, entry.sent_us) = (self.revision, self.sent_us);
        }
        {
            let mut now = lock(self.published);
            now.commits += 1;
            now.updates += entries.len() as u64;
        }
        self.ledger.note(entries.into_iter());
        self.producer.publish(commit).await?;
        Ok(())
    }

    async fn end(&mut self) -> anyhow::Result<()> {
        let flushed = timeout(FLUSH_WITHIN, self.producer.flush()).await;
        let revision = flushed.context("the server does not acknowledge what was published")??;
        self.learn(revision.0);
        let mut now = lock(self.published);
        now.refused = self.producer.refused();
        if let Some(refusal) = self.producer.take_refusals().first() {
            now.problem = Some(format!("the server refuses what the simulation publishes: {refusal}"));
        }
        now.end_state = self.source.end_state();
        now.last_revision = Some(revision.0);
        Ok(())
    }
}
