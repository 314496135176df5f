//! A measured part of a run, and the figures that follow from it.

use std::time::Duration;

use crate::{
    config::LoadConfig,
    process::ProcessFigures,
    summary::{KindLatency, Round, StormFigures},
    tally::{Tally, Times},
};

/// What was measured in some time.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) tally: Tally,
    pub(crate) measured_us: u64,
    /// `None` when nobody asked, or the process could not be looked at.
    pub(crate) server_cpu: Option<Duration>,
    pub(crate) client_cpu: Option<Duration>,
}

impl Part {
    /// Nothing yet. CPU times begin at 0, and are lost for good with the first part that has none.
    pub(crate) fn empty(config: &LoadConfig) -> Self {
        Self {
            tally: Tally::new(config.mix.entries().len()),
            measured_us: 0,
            server_cpu: Some(Duration::ZERO),
            client_cpu: Some(Duration::ZERO),
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let sum = |a: Option<Duration>, b: Option<Duration>| a.zip(b).map(|(a, b)| a + b);
        self.tally.add(&other.tally);
        self.measured_us += other.measured_us;
        self.server_cpu = sum(self.server_cpu, other.server_cpu);
        self.client_cpu = sum(self.client_cpu, other.client_cpu);
    }

    pub(crate) fn figures(&self, config: &LoadConfig) -> Round {
        let seconds = self.measured_us as f64 / 1e6;
        let counts = &self.tally.counts;
        let per_s = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        let cpu_per = |count: u64| {
            self.server_cpu.filter(|_| count > 0).map(|cpu| cpu.as_secs_f64() * 1e6 / count as f64)
        };
        let kinds = config.mix.entries().iter().zip(&self.tally.latencies);
        Round {
            duration_s: seconds,
            counts: counts.clone(),
            frames_per_s: per_s(counts.frames),
            updates_per_s: per_s(counts.updates),
            bytes_per_s: per_s(counts.bytes),
            latency: self.tally.latency().distribution(),
            latency_by_kind: kinds
                .map(|(entry, times)| KindLatency { kind: entry.to_string(), latency: times.distribution() })
                .collect(),
            status_latency: self.tally.statuses.distribution(),
            verifier_latency: self.tally.verifiers.distribution(),
            slow_latency: self.tally.slow.distribution(),
            resynced: self.tally.synced.distribution(),
            server_cpu_s: self.server_cpu.map(|cpu| cpu.as_secs_f64()),
            server_cpu_per_frame_us: cpu_per(counts.frames),
            server_cpu_per_update_us: cpu_per(counts.updates),
            client_cpu_s: self.client_cpu.map(|cpu| cpu.as_secs_f64()),
            client_busy_percent: self.tally.busy_percent(0..config.threads),
            verifiers_busy_percent: self.tally.busy_percent(config.threads..config.threads + 1),
        }
    }
}

/// CPU time between two looks at a process.
pub(crate) fn cpu_between(before: Option<ProcessFigures>, after: Option<ProcessFigures>) -> Option<Duration> {
    after.zip(before).map(|(after, before)| after.cpu.saturating_sub(before.cpu))
}

/// A storm that is not over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raging {
    pub(crate) round: u32,
    /// After the begin of the round.
    pub(crate) at_us: u64,
    pub(crate) cut: usize,
    /// Whoever is not back by then is missing.
    pub(crate) deadline_us: u64,
}

impl Raging {
    /// How it went, from the times of those who are back.
    pub(crate) fn figures(&self, back: &Times) -> StormFigures {
        let count = back.count() as usize;
        let within = |share: f64| {
            // A share of those who were cut, not of those who are back.
            let share = share * self.cut as f64 / count.max(1) as f64;
            let us = back.quantile_us(share).filter(|_| share <= 1.0)?;
            Some(us as f64 / 1_000.0)
        };
        StormFigures {
            round: self.round,
            at_s: self.at_us as f64 / 1e6,
            cut: self.cut,
            missing: self.cut.saturating_sub(count),
            fresh_50_percent_ms: within(0.5),
            fresh_90_percent_ms: within(0.9),
            fresh_99_percent_ms: within(0.99),
            fresh_100_percent_ms: within(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_are_missing_count_in_a_storm() {
        let raging = Raging { round: 1, at_us: 0, cut: 100, deadline_us: 0 };
        let mut back = Times::default();
        for ms in 1..=95 {
            back.record(ms * 1_000);
        }
        let figures = raging.figures(&back);
        assert_eq!(figures.missing, 5);
        assert!((figures.fresh_90_percent_ms.unwrap() - 90.0).abs() < 0.2, "{figures:?}");
        assert_eq!(figures.fresh_99_percent_ms, None);
        assert_eq!(raging.figures(&Times::default()).fresh_50_percent_ms, None);
    }

    #[test]
    fn cost_per_message_is_cpu_over_messages() {
        let config = LoadConfig::new("ws://a");
        let mut part = Part::empty(&config);
        part.tally.counts.frames = 1_000;
        part.measured_us = 2_000_000;
        part.server_cpu = Some(Duration::from_millis(5));
        let mut total = Part::empty(&config);
        total.add(&part);
        total.add(&part);
        let figures = total.figures(&config);
        assert_eq!((figures.frames_per_s, figures.server_cpu_per_frame_us), (500.0, Some(5.0)));
        assert_eq!(figures.server_cpu_per_update_us, None);
    }
}
