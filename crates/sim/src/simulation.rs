//! The simulation: everything in one thread, in the order that the seed says.

use std::sync::Arc;

use crate::{
    config::SimulationConfig,
    fault::{Fault, Faults},
    gateway::Gateway,
    happening::Happening,
    link::Link,
    producer::Producer,
    random::Random,
    receiver::{Receiver, any_views},
    report::{Failure, Report},
    schedule::Schedule,
};

/// Time between two throws of the dice about the larger faults.
const DISTURBANCE_MS: u64 = 500;
/// Time between two looks at what every client would show its user.
const LOOK_MS: u64 = 700;
const HOUSEKEEPING_MS: u64 = 250;
/// Before the end, long enough for the slowest rate and a heartbeat, nothing is published any more.
const QUIET_MS: u64 = 2_500;

/// One world and its seed.
pub struct Simulation {
    pub(crate) seed: u64,
    pub(crate) config: SimulationConfig,
    pub(crate) schedule: Schedule<Happening>,
    pub(crate) faults: Faults,
    pub(crate) network: Random,
    pub(crate) producers: Vec<Producer>,
    pub(crate) gateway: Gateway,
    pub(crate) clients: Vec<Receiver>,
    pub(crate) links: Vec<Link>,
    pub(crate) report: Report,
    pub(crate) began_ms: u64,
    pub(crate) tick_ms: u64,
    pub(crate) is_quiet: bool,
    pub(crate) is_draining: bool,
    is_over: bool,
}

impl Simulation {
    /// A world that has not begun yet.
    pub fn new(seed: u64, config: SimulationConfig) -> Self {
        let mut random = Random::new(seed, 1);
        let mut faults = Faults::new(seed, config.no_faults);
        let began_ms = match faults.strikes(Fault::LateClock) {
            true => (1 << 32) - config.faulty_ms / 2,
            false => 0,
        };
        let is_large = faults.strikes(Fault::LargeMarkets);
        let (asked, views) = any_views(&mut random);
        let markets = random.between(config.markets.0, config.markets.1);
        let markets = if is_large { markets.min(6) } else { markets };
        let count = if markets > 5 { 2 } else { 1 };
        let producers = (0..count as usize)
            .map(|number| Producer::new(seed, number, (markets / count) as usize, is_large))
            .collect();
        let rate = random.between(config.commits_per_second.0, config.commits_per_second.1);
        let rate = if is_large { rate.min(3) } else { rate };
        let mut gateway = Gateway::new(1 + (seed << 8), Arc::from(views));
        if faults.strikes(Fault::LargeRevisions) {
            gateway.age(70_000);
        }
        let clients = random.between(config.clients.0, config.clients.1) as usize;
        Self {
            seed,
            tick_ms: (1_000 * count / rate).max(10),
            schedule: Schedule::new(began_ms),
            faults,
            network: Random::new(seed, 2),
            producers,
            gateway,
            clients: (0..clients).map(|number| Receiver::new(seed, number, &asked)).collect(),
            links: Vec::new(),
            report: Report::new(seed),
            began_ms,
            is_quiet: false,
            is_draining: false,
            is_over: false,
            config,
        }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// When an invariant does not hold.
    ///
    /// # Panics
    /// When one of the parts does; the message of the panic is preceded by the seed.
    pub fn run(mut self) -> Result<Report, Failure> {
        /// Says the seed if a part panics.
        struct Witness(u64);
        impl Drop for Witness {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    let seed = self.0;
                    eprintln!(
                        "seed {seed} panicked; replay: ODDSWIRE_SEED={seed} cargo test --test simulation replay -- --nocapture"
                    );
                }
            }
        }
        let _witness = Witness(self.seed);
        self.begin();
        while !self.is_over {
            let Some(happening) = self.schedule.next() else { break };
            self.report.events += 1;
            self.note(&happening);
            if let Err(what) = self.happen(happening) {
                let virtual_ms = self.now_ms() - self.began_ms;
                return Err(Failure { seed: self.seed, virtual_ms, what });
            }
        }
        Ok(self.finish())
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.schedule.now_ms()
    }

    /// When the last fault may strike.
    pub(crate) fn calm_at_ms(&self) -> u64 {
        self.began_ms + self.config.faulty_ms
    }

    fn begin(&mut self) {
        for producer in 0..self.producers.len() {
            self.schedule.after(producer as u64, Happening::Tick { producer });
        }
        for client in 0..self.clients.len() {
            let after_ms = self.network.below(2_000);
            self.schedule.after(after_ms, Happening::Dial { client, attempt: 0 });
        }
        for happening in [Happening::GatewayWakes, Happening::Housekeeping, Happening::Looks] {
            self.schedule.after(0, happening);
        }
        self.schedule.after(DISTURBANCE_MS, Happening::Disturbance);
        let end_ms = self.config.faulty_ms + self.config.calm_ms;
        self.schedule.after(self.config.faulty_ms, Happening::Calm);
        self.schedule.after(end_ms - QUIET_MS.min(self.config.calm_ms), Happening::Quiet);
        self.schedule.after(end_ms, Happening::End);
    }

    fn happen(&mut self, happening: Happening) -> Result<(), String> {
        match happening {
            Happening::Tick { producer } => self.tick(producer),
            Happening::Retry { producer, token } => self.retry(producer, token),
            Happening::ToGateway { producer, life, upload, answer_lost } => {
                self.upload_arrives(producer, life, &upload, answer_lost)?;
            }
            Happening::ToProducer { producer, token, answer } => self.answered(producer, token, answer)?,
            Happening::ProducerReturns { producer, restarts } => self.producer_returns(producer, restarts),
            Happening::ZombieWrites { producer } => self.zombie_writes(producer)?,
            Happening::GatewayWakes => self.gateway_wakes()?,
            Happening::GatewayReturns { life } => self.gateway_returns(life),
            Happening::Housekeeping => {
                self.housekeeping()?;
                self.schedule.after(HOUSEKEEPING_MS, Happening::Housekeeping);
            }
            Happening::Dial { client, attempt } => self.dial(client, attempt),
            Happening::Linked { link } => self.linked(link),
            Happening::Message { link, bytes } => self.message_arrives(link, bytes)?,
            Happening::Ready { link } => self.socket_is_ready(link)?,
            Happening::Arrives { link, bytes } => self.frame_arrives(link, bytes)?,
            Happening::CutShort { link, bytes } => self.frame_is_cut_short(link, bytes)?,
            Happening::GatewayLearns { link } => self.gateway_learns(link),
            Happening::ClientLearns { link } => self.client_learns(link),
            Happening::ClientWakes { client } => self.client_wakes(client),
            Happening::Looks => {
                self.look()?;
                self.schedule.after(LOOK_MS, Happening::Looks);
            }
            Happening::Disturbance => {
                self.disturb()?;
                if self.now_ms() < self.calm_at_ms() {
                    self.schedule.after(DISTURBANCE_MS, Happening::Disturbance);
                }
            }
            Happening::Calm => self.calm_down(),
            Happening::Quiet => self.is_quiet = true,
            Happening::End => {
                self.is_over = true;
                self.check_end()?;
            }
        }
        Ok(())
    }

    /// Every event goes into the hash, so that two runs of a seed can be told to be the same.
    fn note(&mut self, happening: &Happening) {
        let now_ms = self.now_ms();
        self.report.mix(now_ms);
        let (kind, which, bytes): (u64, u64, &[u8]) = match happening {
            Happening::Tick { producer } => (1, *producer as u64, &[]),
            Happening::Retry { token, .. } => (2, *token, &[]),
            Happening::ToGateway { upload, .. } => (3, upload.token, &[]),
            Happening::ToProducer { token, .. } => (4, *token, &[]),
            Happening::Dial { client, .. } => (5, *client as u64, &[]),
            Happening::Message { link, bytes } => (6, *link, bytes),
            Happening::Arrives { link, bytes } => (7, *link, bytes),
            Happening::CutShort { link, bytes } => (8, *link, bytes),
            Happening::Ready { link } => (9, *link, &[]),
            Happening::GatewayLearns { link } | Happening::ClientLearns { link } => (10, *link, &[]),
            _ => (11, 0, &[]),
        };
        self.report.mix(kind << 48 ^ which);
        for word in bytes.chunks(8) {
            let mut padded = [0; 8];
            padded[..word.len()].copy_from_slice(word);
            self.report.mix(u64::from_le_bytes(padded));
        }
        if self.config.trace {
            let who = match happening {
                Happening::Linked { link }
                | Happening::Message { link, .. }
                | Happening::Ready { link }
                | Happening::Arrives { link, .. }
                | Happening::CutShort { link, .. }
                | Happening::GatewayLearns { link }
                | Happening::ClientLearns { link } => {
                    format!("client {}, ", self.links[*link as usize].client)
                }
                _ => String::new(),
            };
            eprintln!("{:>7} {who}{happening:?}", now_ms - self.began_ms);
        }
    }

    fn finish(mut self) -> Report {
        self.report.virtual_ms = self.now_ms() - self.began_ms;
        self.report.commits = self.gateway.commits;
        self.report.faults = self.faults.counts();
        for client in &self.clients {
            let stats = client.session.stats();
            self.report.frames += stats.frames;
            self.report.connections += stats.connections;
            self.report.resumes += stats.resumes;
            self.report.snapshots += stats.snapshots;
            self.report.gaps += stats.gaps;
            self.report.digests += stats.digests_checked;
            self.report.digest_mismatches += stats.digest_mismatches;
            self.report.epochs_changed += stats.epochs_changed;
            self.report.stale += stats.stale;
        }
        self.report
    }
}
