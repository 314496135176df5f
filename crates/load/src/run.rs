//! A run from its begin to its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail};
use oddswire_model::{MarketId, Topic};
use oddswire_wire::piece::Encoding;

use crate::{
    clock::{Clock, micros},
    config::LoadConfig,
    crew::{Crew, plan},
    judge::{Verdict, judge},
    ledger::Ledger,
    limits,
    part::{Part, Raging, cpu_between},
    process::{figures, own_rss_bytes},
    progress::{Progress, Stage},
    publisher::{Published, Publisher},
    receiver::{Interest, Role, Storm},
    summary::{
        ClientFigures, Connections, LatencyClock, Load, PublisherFigures, Round, Said, ServerFigures,
        StormFigures, Summary,
    },
    tally::{Tally, Times},
    target::Target,
    watch::Watch,
    worker::{Command, Plan},
};

/// The scout may take so long to see everything.
const SCOUT_WITHIN: Duration = Duration::from_secs(15);
/// A scout that could not connect so often need not try any longer.
const CONNECTS_FAILED_MAX: u64 = 3;
/// Connecting may take so much longer than its pace says, as long as nobody new arrives.
const CONNECT_PATIENCE: Duration = Duration::from_secs(15);
/// Who is not back from a storm after this is missing; the round is made longer for it.
const STORM_PATIENCE: Duration = Duration::from_secs(60);
/// A worker that is busy for a larger share of its time than this delays what it measures.
const BUSY_PERCENT: f64 = 75.0;

/// Runs a load and says what came of it. It ends early, and in order, when `stop` is set.
///
/// # Errors
/// When there is nothing to measure: wrong settings, no server, no markets, no file descriptors. What a server does
/// wrong is not an error but a failure in the summary.
pub fn run(
    config: &LoadConfig,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(&Progress),
) -> anyhow::Result<Summary> {
    config.check()?;
    let target = Arc::new(Target::resolve(&config.url)?);
    limits::make_room_for(config.connections)?;
    let clock = Clock::start();
    let ledger = Arc::new(Ledger::default());
    let views = config.mix.entries().iter().map(|entry| entry.view).collect();
    let publisher = match &config.publish {
        Some(publish) => Some(Publisher::start(publish, views, config.seed, clock, Arc::clone(&ledger))?),
        None => None,
    };
    let topics: Arc<[Topic]> = match &publisher {
        _ if !config.topics.is_empty() => config.topics.clone().into(),
        Some(publisher) => [publisher.topic.clone()].into(),
        None => [Topic::All].into(),
    };
    let scouted = Arc::new(AtomicU64::new(0));
    let crew = Crew::start(config, &target, clock, &topics, &ledger, &scouted)?;
    let watch = Watch::new(config, crew, clock, stop, progress);
    let mut run = Run { config, watch, publisher, scouted, failures: Vec::new(), warnings: Vec::new() };
    let outcome = run.run();
    if let Some(publisher) = run.publisher.take() {
        publisher.finish();
    }
    let stopped = run.watch.crew.stop();
    let summary = outcome?;
    stopped?;
    Ok(summary)
}

struct Run<'a> {
    config: &'a LoadConfig,
    watch: Watch<'a>,
    publisher: Option<Publisher>,
    /// How far the scout has come.
    scouted: Arc<AtomicU64>,
    failures: Vec<String>,
    warnings: Vec<String>,
}

impl Run<'_> {
    fn run(&mut self) -> anyhow::Result<Summary> {
        let markets = self.scout()?;
        let server_before = self.watch.server();
        let (connections, client) = self.connect(&markets)?;
        let server_connected = self.watch.server();
        if let Some(publisher) = &self.publisher {
            publisher.begin();
        }
        self.watch.crew.churn(self.config.churn_per_s);
        self.watch.spend(Stage::WarmingUp, self.config.warmup)?;
        if let Some(publisher) = &self.publisher {
            publisher.reset();
        }
        let (mut rounds, mut storms, mut all) = (Vec::new(), Vec::new(), Part::empty(self.config));
        for round in 1..=self.config.rounds {
            if round == 1 || !self.watch.is_stopped() {
                let part = self.round(round, &mut storms)?;
                rounds.push(part.figures(self.config));
                all.add(&part);
            }
        }
        let server_after = self.watch.server();
        let measured = self.publisher.as_ref().map(Publisher::published);
        let verdict = self.settle()?;
        let total = all.figures(self.config);
        self.conclude(&verdict, &total, all.tally.clock_unusable, measured.as_ref());
        let server = self.config.server_pid.zip(server_before.zip(server_connected));
        let said = self.watch.sentences().into_iter();
        let publisher_markets = self.publisher.as_ref().map_or(0, |publisher| publisher.markets);
        Ok(Summary {
            ok: self.failures.is_empty(),
            failures: std::mem::take(&mut self.failures),
            warnings: std::mem::take(&mut self.warnings),
            interrupted: self.watch.is_stopped(),
            load: Load {
                url: self.config.url.clone(),
                mix: self.config.mix.to_string(),
                encoding: match self.config.encoding {
                    Encoding::Compact => "compact",
                    Encoding::Plain => "plain",
                },
                markets: markets.len(),
                markets_each: self.config.markets_each.unwrap_or(markets.len()).min(markets.len()),
                seed: self.config.seed,
            },
            publisher: measured.map(|measured| PublisherFigures {
                markets: publisher_markets,
                commits: measured.commits,
                updates: measured.updates,
                updates_per_s: measured.updates as f64 / total.duration_s.max(1e-3),
                suspends: measured.suspends,
                skipped: measured.skipped,
                unmeasured: measured.unmeasured,
                acknowledged: measured.acknowledged.distribution(),
            }),
            latency_clock: if self.config.publish.is_some() {
                LatencyClock::Commit
            } else {
                LatencyClock::Frame
            },
            total,
            rounds,
            storms,
            server: server.map(|(pid, (before, connected))| ServerFigures {
                pid,
                rss_before_bytes: before.rss_bytes,
                rss_connected_bytes: connected.rss_bytes,
                rss_after_bytes: server_after.map_or(0, |after| after.rss_bytes),
                rss_per_connection_bytes: connected.rss_bytes.saturating_sub(before.rss_bytes)
                    / connections.served.max(1) as u64,
            }),
            client: ClientFigures { rss_after_bytes: own_rss_bytes().unwrap_or(0), ..client },
            connections,
            verification: self.watch.verification,
            server_said: said.map(|(sentence, count)| Said { sentence, count }).collect(),
        })
    }

    /// One receiver looks at everything there is.
    fn scout(&mut self) -> anyhow::Result<Vec<MarketId>> {
        let watch = &mut self.watch;
        let (role, interest) = (Role::Scout, Interest::Shared);
        watch.crew.add(vec![Plan {
            role,
            kind: 0,
            interest,
            verifies: true,
            due_us: 0,
            seed: self.config.seed,
        }]);
        let deadline_us = watch.clock.now_us() + micros(SCOUT_WITHIN);
        while !watch.gauges.scout_is_fresh {
            if watch.is_stopped() {
                bail!("stopped before anything was measured");
            }
            let nobody_answers = watch.tally.counts.connects_failed >= CONNECTS_FAILED_MAX;
            if nobody_answers || watch.clock.now_us() > deadline_us {
                bail!("the server at {} serves nobody: {}", self.config.url, said(watch));
            }
            watch.look(Stage::Scouting)?;
        }
        let states = watch.crew.judge()?;
        let scout =
            states.into_iter().find(|state| state.role == Role::Scout).context("the scout is lost")?;
        let markets: Vec<MarketId> = scout.digests.into_iter().map(|(id, _)| id).collect();
        if markets.is_empty() {
            bail!(
                "the server has no markets of these topics; publish some first, for example with --publish \
                 http://127.0.0.1:7410, or ask for other topics with --topic"
            );
        }
        let shared: Arc<[MarketId]> = markets.clone().into();
        watch.crew.tell(|| Command::Markets(Arc::clone(&shared)));
        Ok(markets)
    }

    /// Everybody connects, the light ones first.
    fn connect(&mut self, markets: &[MarketId]) -> anyhow::Result<(Connections, ClientFigures)> {
        let (light, verifying) = plan(self.config, markets);
        let of = |role| light.iter().chain(&verifying).filter(|plan| plan.role == role).count();
        let (slow, stuck, verifiers) = (of(Role::Slow), of(Role::Stuck), verifying.len());
        self.watch.begin_part()?;
        let light_bytes = self.connect_some(light, self.config.connections - verifiers)?;
        let verifier_bytes = self.connect_some(verifying, self.config.connections)?;
        let gauges = self.watch.gauges;
        let connections = Connections {
            wanted: self.config.connections,
            served: gauges.fresh + gauges.open.saturating_sub(gauges.fresh).min(stuck),
            verifiers,
            slow,
            stuck,
            synced: self.watch.tally.synced.distribution(),
        };
        if connections.served < connections.wanted && !self.watch.is_stopped() {
            self.failures.push(format!(
                "only {} of {} receivers were served: {}",
                connections.served,
                connections.wanted,
                said(&self.watch)
            ));
        }
        let client = ClientFigures {
            rss_per_connection_bytes: light_bytes,
            rss_per_verifier_bytes: verifier_bytes,
            rss_after_bytes: 0,
        };
        Ok((connections, client))
    }

    /// Returns what each of them added to the resident memory.
    fn connect_some(&mut self, mut plans: Vec<Plan>, there: usize) -> anyhow::Result<u64> {
        let watch = &mut self.watch;
        let rss_before = own_rss_bytes().unwrap_or(0);
        let count = plans.len() as u64;
        let (begin_us, rate) = (watch.clock.now_us(), u64::from(self.config.connect_rate));
        for (at, plan) in plans.iter_mut().enumerate() {
            plan.due_us = begin_us + at as u64 * 1_000_000 / rate;
        }
        watch.crew.add(plans);
        let mut deadline_us = begin_us + count * 1_000_000 / rate + micros(CONNECT_PATIENCE);
        let mut best = 0;
        while !watch.is_stopped() && watch.clock.now_us() < deadline_us {
            watch.look(Stage::Connecting)?;
            if watch.gauges.fresh == watch.gauges.readers && watch.gauges.open == there {
                break;
            }
            if watch.gauges.fresh > best {
                best = watch.gauges.fresh;
                deadline_us = deadline_us.max(watch.clock.now_us() + micros(CONNECT_PATIENCE));
            }
        }
        Ok(own_rss_bytes().unwrap_or(0).saturating_sub(rss_before) / count.max(1))
    }

    fn round(&mut self, round: u32, storms: &mut Vec<StormFigures>) -> anyhow::Result<Part> {
        let stage = Stage::Measuring { round, rounds: self.config.rounds };
        self.watch.begin_part()?;
        let (server, client) = (self.watch.server(), figures(std::process::id()));
        let begin_us = self.watch.clock.now_us();
        let end_us = begin_us + micros(self.config.duration);
        let mut due: Vec<u64> = self.config.storm_at.iter().map(|&at| begin_us + micros(at)).collect();
        due.sort_unstable_by(|a, b| b.cmp(a));
        let mut raging: Option<Raging> = None;
        loop {
            let now_us = self.watch.clock.now_us();
            let has_failed = self.publisher.as_ref().is_some_and(Publisher::has_failed);
            let is_stopped = has_failed || self.watch.is_stopped();
            if raging.is_none() && due.last().is_some_and(|&at_us| at_us <= now_us) {
                due.pop();
                raging = Some(self.begin_storm(round, begin_us)?);
            }
            if let Some(storm) = raging
                && (self.watch.gauges.in_storm == 0 || is_stopped || now_us > storm.deadline_us)
            {
                let figures = storm.figures(&self.watch.tally.storm);
                if figures.missing > 0 && !is_stopped {
                    let (missing, cut) = (figures.missing, figures.cut);
                    self.failures
                        .push(format!("{missing} of {cut} receivers have not come back from a storm"));
                }
                storms.push(figures);
                raging = None;
            }
            if raging.is_none() && (now_us >= end_us || is_stopped) {
                break;
            }
            self.watch.look(stage)?;
        }
        self.watch.gather()?;
        let kinds = self.config.mix.entries().len();
        Ok(Part {
            measured_us: self.watch.clock.now_us() - begin_us,
            tally: std::mem::replace(&mut self.watch.tally, Tally::new(kinds)),
            server_cpu: cpu_between(server, self.watch.server()),
            client_cpu: cpu_between(client, figures(std::process::id())),
        })
    }

    fn begin_storm(&mut self, round: u32, begin_us: u64) -> anyhow::Result<Raging> {
        let watch = &mut self.watch;
        let storm = Storm { cut_us: watch.clock.now_us(), revision: self.scouted.load(Ordering::Relaxed) };
        watch.tally.storm = Times::default();
        watch.crew.tell(|| Command::Storm(storm));
        // The report is asked for behind the order, so everybody has been cut in it.
        watch.gather()?;
        Ok(Raging {
            round,
            at_us: storm.cut_us - begin_us,
            cut: watch.gauges.in_storm + watch.tally.storm.count() as usize,
            deadline_us: storm.cut_us + micros(STORM_PATIENCE),
        })
    }

    /// Nothing changes any more; everybody comes to the same state.
    fn settle(&mut self) -> anyhow::Result<Verdict> {
        let watch = &mut self.watch;
        watch.crew.churn(0.0);
        watch.crew.tell(|| Command::Release);
        let published = self.publisher.as_ref().map(Publisher::stop);
        let last = published.as_ref().and_then(|published| published.last_revision);
        let last = last.unwrap_or_else(|| self.scouted.load(Ordering::Relaxed));
        let is_alone = self.config.topics.is_empty() && published.is_some();
        let kinds: Vec<String> = self.config.mix.entries().iter().map(ToString::to_string).collect();
        let deadline_us = watch.clock.now_us() + micros(self.config.settle);
        let mut best = Verdict::default();
        let mut is_over = false;
        while !is_over {
            watch.look(Stage::Settling)?;
            is_over = watch.clock.now_us() > deadline_us;
            let is_there = watch.gauges.fresh == watch.gauges.readers && watch.gauges.lowest_complete >= last;
            if is_there || is_over {
                let verdict = judge(&watch.crew.judge()?, &kinds, published.as_ref(), is_alone);
                if verdict.differences > 0 || verdict.compared >= best.compared {
                    best = verdict;
                }
                is_over |= best.not_compared == 0 || best.differences > 0;
            }
        }
        if watch.gauges.lowest_complete < last {
            self.failures.push(format!(
                "{} s after the last commit not everybody holds revision {last}: {} of {} readers have everything, and \
                 the last of them holds revision {}",
                self.config.settle.as_secs_f64(),
                watch.gauges.fresh,
                watch.gauges.readers,
                watch.gauges.lowest_complete
            ));
        }
        if let Some(problem) = published.and_then(|published| published.problem) {
            self.failures.push(problem);
        }
        Ok(best)
    }

    fn conclude(
        &mut self,
        verdict: &Verdict,
        total: &Round,
        clock_unusable: u64,
        published: Option<&Published>,
    ) {
        let verification = &mut self.watch.verification;
        verification.end_states_compared = verdict.compared;
        verification.end_states_not_compared = verdict.not_compared;
        verification.end_state_differences = verdict.differences;
        verification.published_markets_compared = verdict.published_compared;
        let faults = [
            (
                verification.digest_mismatches,
                "digests did not agree: a receiver held something else than the server",
            ),
            (verification.gaps, "frames did not follow the ones before them"),
            (verification.malformed, "messages broke the protocol"),
            (verification.misfits, "pieces could not be applied"),
        ];
        let happened = faults.iter().filter(|(count, _)| *count > 0);
        self.failures.extend(happened.map(|(count, what)| format!("{count} {what}")));
        if let Some(first) = &verdict.first {
            self.failures.push(format!("{} markets differ in the end; {first}", verdict.differences));
        }
        let mut warn = |is_so: bool, sentence: String| self.warnings.extend(is_so.then_some(sentence));
        warn(
            verdict.not_compared > 0,
            format!(
                "{} verifiers could not be compared in the end, because the feed does not stand still",
                verdict.not_compared
            ),
        );
        warn(
            total.client_busy_percent > BUSY_PERCENT,
            format!(
                "a thread of receivers was busy {:.0} % of the time, so latencies include waiting for it; use more \
                 --threads, or another machine",
                total.client_busy_percent
            ),
        );
        warn(
            total.verifiers_busy_percent > BUSY_PERCENT,
            format!(
                "the verifiers' thread was busy {:.0} % of the time and may be what makes them slow; let fewer verify \
                 with --verify-share",
                total.verifiers_busy_percent
            ),
        );
        warn(
            total.counts.silent > 0,
            format!(
                "{} times a receiver heard nothing for 2.5 heartbeats and connected again",
                total.counts.silent
            ),
        );
        if let Some(published) = published {
            warn(
                published.skipped > 0,
                format!("the publisher could not keep its pace and left out {} changes", published.skipped),
            );
            warn(
                published.unmeasured > 0,
                format!(
                    "somebody else commits on this server, so {} changes were not measured",
                    published.unmeasured
                ),
            );
            return;
        }
        if self.config.encoding == Encoding::Compact {
            warn(
                true,
                "without --publish, times are only seen in the plain encoding; add --encoding plain"
                    .to_owned(),
            );
            return;
        }
        warn(
            true,
            "latencies are by the producers' clock in the frames: in steps of 10 ms, and right only if that machine's \
             clock and this one's agree; with --publish they are exact"
                .to_owned(),
        );
        warn(
            clock_unusable > total.latency.count,
            format!(
                "{clock_unusable} changes say that they were published at another time than now; is it a recording?"
            ),
        );
    }
}

/// What the server says most.
fn said(watch: &Watch<'_>) -> String {
    watch
        .sentences()
        .into_iter()
        .next()
        .map_or_else(|| "it gives no reason".to_owned(), |(sentence, _)| sentence)
}
