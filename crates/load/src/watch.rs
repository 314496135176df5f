//! Watching a run: reports are gathered from the workers, added up, and told once per second.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread::sleep,
    time::Duration,
};

use crate::{
    clock::{Clock, micros},
    config::LoadConfig,
    crew::Crew,
    process::{ProcessFigures, figures},
    progress::{Progress, Stage},
    summary::Verification,
    tally::Tally,
    worker::Gauges,
};

/// How often progress is told.
const TICK: Duration = Duration::from_secs(1);
/// How often reports are gathered.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The workers, and all that they have reported.
pub(crate) struct Watch<'a> {
    pub(crate) crew: Crew,
    pub(crate) clock: Clock,
    /// Since the begin of the current part of the run.
    pub(crate) tally: Tally,
    pub(crate) gauges: Gauges,
    /// Since the begin of the run.
    pub(crate) verification: Verification,
    config: &'a LoadConfig,
    stop: &'a AtomicBool,
    progress: &'a mut dyn FnMut(&Progress),
    /// Since the begin of the run; only its sentences and faults are used.
    run: Tally,
    /// Since progress was told.
    second: Tally,
    told_us: u64,
    server_cpu: Option<Duration>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(
        config: &'a LoadConfig,
        crew: Crew,
        clock: Clock,
        stop: &'a AtomicBool,
        progress: &'a mut dyn FnMut(&Progress),
    ) -> Self {
        let kinds = config.mix.entries().len();
        Self {
            crew,
            clock,
            tally: Tally::new(kinds),
            gauges: Gauges::default(),
            verification: Verification::default(),
            config,
            stop,
            progress,
            run: Tally::new(0),
            second: Tally::new(kinds),
            told_us: clock.now_us(),
            server_cpu: None,
        }
    }

    /// Whether the run is to end early.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The server's process, if there is one to look at.
    pub(crate) fn server(&self) -> Option<ProcessFigures> {
        self.config.server_pid.and_then(figures)
    }

    /// What servers said, the most frequent first.
    pub(crate) fn sentences(&self) -> Vec<(String, u64)> {
        let mut said: Vec<_> = self.run.sentences.clone().into_iter().collect();
        said.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        said
    }

    /// What was counted so far does not belong to what comes.
    pub(crate) fn begin_part(&mut self) -> anyhow::Result<()> {
        self.gather()?;
        self.tally = Tally::new(self.config.mix.entries().len());
        Ok(())
    }

    /// Gathers what has happened.
    pub(crate) fn gather(&mut self) -> anyhow::Result<()> {
        let report = self.crew.report(self.config.mix.entries().len())?;
        self.tally.add(&report.tally);
        self.second.add(&report.tally);
        self.run.counts.add(&report.tally.counts);
        for (sentence, count) in report.tally.sentences {
            self.run.say(sentence, count);
        }
        self.gauges = report.gauges;
        let counts = &self.run.counts;
        self.verification = Verification {
            digests_checked: counts.digests_checked,
            digest_mismatches: counts.digest_mismatches,
            gaps: counts.gaps,
            malformed: counts.malformed,
            misfits: counts.misfits,
            ..self.verification
        };
        Ok(())
    }

    /// Waits a moment, gathers what has happened, and tells it once per second.
    pub(crate) fn look(&mut self, stage: Stage) -> anyhow::Result<()> {
        sleep(LOOK_EVERY);
        self.gather()?;
        let elapsed_us = self.clock.now_us() - self.told_us;
        if elapsed_us >= micros(TICK) {
            self.tell(stage, elapsed_us);
        }
        Ok(())
    }

    /// Waits for a time, or until the run is to end early.
    pub(crate) fn spend(&mut self, stage: Stage, time: Duration) -> anyhow::Result<()> {
        let end_us = self.clock.now_us() + micros(time);
        while self.clock.now_us() < end_us && !self.is_stopped() {
            self.look(stage)?;
        }
        Ok(())
    }

    fn tell(&mut self, stage: Stage, elapsed_us: u64) {
        self.told_us += elapsed_us;
        let seconds = elapsed_us as f64 / 1e6;
        let server_cpu = self.server().map(|server| server.cpu);
        let used = server_cpu.zip(self.server_cpu).map(|(now, before)| now.saturating_sub(before));
        self.server_cpu = server_cpu;
        let second = std::mem::replace(&mut self.second, Tally::new(self.config.mix.entries().len()));
        let latency = second.latency();
        (self.progress)(&Progress {
            stage,
            elapsed: Duration::from_micros(self.clock.now_us()),
            connections: self.config.connections,
            open: self.gauges.open,
            fresh: self.gauges.fresh,
            frames_per_s: second.counts.frames as f64 / seconds,
            updates_per_s: second.counts.updates as f64 / seconds,
            bytes_per_s: second.counts.bytes as f64 / seconds,
            latency_p50_us: latency.quantile_us(0.5),
            latency_p99_us: latency.quantile_us(0.99),
            server_cpu_percent: used.map(|used| used.as_secs_f64() / seconds * 100.0),
            faults: self.run.counts.faults(),
            in_storm: self.gauges.in_storm,
            busy_percent: second.busy_percent(0..self.config.threads),
        });
    }
}
