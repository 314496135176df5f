//! All workers together.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::AtomicU64,
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};

use anyhow::{Context, bail};
use oddswire_model::{MarketId, Topic};
use oddswire_wire::compact::Model;

use crate::{
    brought::BroughtLately,
    clock::Clock,
    config::LoadConfig,
    ledger::Ledger,
    random::Random,
    receiver::{Interest, Role, Surroundings, VerifierState},
    tally::Tally,
    target::Target,
    worker::{Answer, Command, Gauges, Handle, Plan, Report, Setting, Worker},
};

/// A worker that does not answer for so long is not going to.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The threads of receivers. The last one is the verifiers': what they do takes its time, and the light ones are not to
/// wait for it.
#[derive(Debug)]
pub(crate) struct Crew {
    workers: Vec<Handle>,
    answers: mpsc::Receiver<Answer>,
    /// The worker that gets the next light receiver.
    next: usize,
}

impl Crew {
    pub(crate) fn start(
        config: &LoadConfig,
        target: &Arc<Target>,
        clock: Clock,
        topics: &Arc<[Topic]>,
        ledger: &Arc<Ledger>,
        scouted: &Arc<AtomicU64>,
    ) -> anyhow::Result<Self> {
        let (sender, answers) = mpsc::channel();
        let sources: Arc<[IpAddr]> = target.sources(config.connections).into();
        let mix = config.mix.entries().to_vec();
        let model = Model::shipped();
        let mut workers = Vec::new();
        for at in 0..=config.threads {
            let around = Surroundings {
                clock,
                mix: mix.clone(),
                topics: Arc::clone(topics),
                markets: Arc::new([]),
                ledger: Arc::clone(ledger),
                is_exact: config.publish.is_some(),
                forget_cursors: config.forget_cursors,
                encoding: config.encoding,
                model: model.clone(),
                scouted: Arc::clone(scouted),
                heartbeat_interval_ms: 1_000,
                tally: Tally::new(mix.len()),
                pieces: Vec::new(),
                brought: BroughtLately::default(),
            };
            let setting = Setting {
                number: at,
                target: Arc::clone(target),
                sources: Arc::clone(&sources),
                around,
                seed: config.seed.wrapping_add(at as u64),
                reconnect_within_ms: config.reconnect_within.as_millis() as u64,
                slow_bytes_per_s: config.slow_bytes_per_s,
                answers: sender.clone(),
            };
            let name = if at < config.threads { format!("receivers-{at}") } else { "verifiers".to_owned() };
            workers.push(Worker::spawn(name, setting)?);
        }
        Ok(Self { workers, answers, next: 0 })
    }

    /// Tells every worker the same.
    pub(crate) fn tell(&self, command: impl Fn() -> Command) {
        for worker in &self.workers {
            worker.tell(command());
        }
    }

    /// So many cuts per second, over all light receivers.
    pub(crate) fn churn(&self, per_s: f64) {
        let light = self.workers.len() - 1;
        for worker in &self.workers[..light] {
            worker.tell(Command::Churn(per_s / light as f64));
        }
    }

    /// Hands receivers out.
    pub(crate) fn add(&mut self, plans: Vec<Plan>) {
        let mut shares: Vec<Vec<Plan>> = self.workers.iter().map(|_| Vec::new()).collect();
        let last = self.workers.len() - 1;
        for plan in plans {
            if plan.verifies {
                shares[last].push(plan);
            } else {
                shares[self.next].push(plan);
                self.next = (self.next + 1) % last;
            }
        }
        for (worker, share) in self.workers.iter().zip(shares) {
            worker.tell(Command::Add(share));
        }
    }

    /// What happened since the last report, and how it stands.
    pub(crate) fn report(&self, kinds: usize) -> anyhow::Result<Report> {
        self.tell(|| Command::Report);
        let mut all = Report { tally: Tally::new(kinds), gauges: Gauges::default() };
        for _ in &self.workers {
            if let Answer::Report(report) = self.answer()? {
                all.tally.add(&report.tally);
                all.gauges.add(&report.gauges);
            }
        }
        Ok(all)
    }

    /// What the verifiers hold.
    pub(crate) fn judge(&self) -> anyhow::Result<Vec<VerifierState>> {
        self.tell(|| Command::Judge);
        let mut all = Vec::new();
        for _ in &self.workers {
            if let Answer::Judged(states) = self.answer()? {
                all.extend(states);
            }
        }
        Ok(all)
    }

    /// Ends all threads.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.workers.into_iter().try_for_each(Handle::stop)
    }

    fn answer(&self) -> anyhow::Result<Answer> {
        match self.answers.recv_timeout(ANSWER_WITHIN) {
            Ok(answer) => Ok(answer),
            Err(RecvTimeoutError::Timeout) => {
                bail!("a thread of receivers does not answer; the machine is too busy")
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(RecvTimeoutError::Disconnected).context("all threads have ended")
            }
        }
    }
}

/// Decides who is what: roles, kinds, markets. The verifiers come last, so that the memory of the light ones can be
/// told apart from theirs.
pub(crate) fn plan(config: &LoadConfig, markets: &[MarketId]) -> (Vec<Plan>, Vec<Plan>) {
    let mut random = Random::new(config.seed);
    let kinds = config.mix.deal(config.connections);
    let mut verifies = vec![false; config.connections];
    let mut missing = config.verifiers();
    for kind in 0..config.mix.entries().len() as u16 {
        if let Some(at) = kinds.iter().rposition(|&dealt| dealt == kind) {
            verifies[at] = true;
            missing = missing.saturating_sub(1);
        }
    }
    let must_verify = verifies.clone();
    for at in (0..config.connections).rev() {
        if missing > 0 && !verifies[at] {
            verifies[at] = true;
            missing -= 1;
        }
    }
    let count = |share: f64| (config.connections as f64 * share).round() as usize;
    let (mut slow, mut stuck) = (count(config.slow_share), count(config.stuck_share));
    let mut roles = vec![Role::Normal; config.connections];
    for at in random.pick(config.connections, config.connections) {
        let at = at as usize;
        // Of each kind somebody must be left who reads and can be judged.
        if stuck > 0 && !verifies[at] {
            (roles[at], stuck) = (Role::Stuck, stuck - 1);
        } else if slow > 0 && !must_verify[at] {
            (roles[at], slow) = (Role::Slow, slow - 1);
        }
    }
    let (mut light, mut verifying) = (Vec::new(), Vec::new());
    for at in 0..config.connections {
        let interest = match config.markets_each {
            None => Interest::Shared,
            Some(each) => Interest::Own(random.pick(each, markets.len()).into()),
        };
        let plan = Plan {
            role: roles[at],
            kind: kinds[at],
            interest,
            verifies: verifies[at],
            due_us: 0,
            seed: random.next(),
        };
        if verifies[at] { verifying.push(plan) } else { light.push(plan) }
    }
    (light, verifying)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_part_and_every_kind_a_verifier_that_reads() {
        let mut config = LoadConfig::new("ws://a");
        (config.connections, config.slow_share, config.stuck_share) = (100, 0.5, 0.4);
        config.markets_each = Some(3);
        let markets: Vec<MarketId> = (0..10).map(|at| MarketId::new(&format!("1.{at}")).unwrap()).collect();
        let (light, verifying) = plan(&config, &markets);
        let all: Vec<&Plan> = light.iter().chain(&verifying).collect();
        let of = |role| all.iter().filter(|plan| plan.role == role).count();
        assert_eq!((all.len(), of(Role::Slow), of(Role::Stuck), of(Role::Normal)), (100, 50, 40, 10));
        for kind in 0..3 {
            assert!(
                verifying.iter().any(|plan| plan.kind == kind && plan.role == Role::Normal),
                "kind {kind}"
            );
        }
        for plan in all {
            let Interest::Own(places) = &plan.interest else { panic!("own markets") };
            assert_eq!(places.len(), 3);
        }
    }
}
