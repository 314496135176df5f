//! What the engine measures of itself, for a metrics endpoint.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Upper edges of the buckets of [`Histogram`], in microseconds; one bucket more holds what is longer.
pub const BUCKETS_US: [u64; 12] = [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000];

/// A histogram of durations that is written by one and read by anybody.
#[derive(Debug, Default)]
pub struct Histogram {
    counts: [AtomicU64; BUCKETS_US.len() + 1],
    sum_ns: AtomicU64,
}

/// What a [`Histogram`] holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HistogramReading {
    /// How many durations fell under each edge of [`BUCKETS_US`] and not under the one before; the last count is of
    /// those beyond all edges.
    pub counts: [u64; BUCKETS_US.len() + 1],
    /// All durations together.
    pub sum: Duration,
}

impl Histogram {
    /// Adds a duration.
    pub fn note(&self, duration: Duration) {
        let us = duration.as_micros() as u64;
        let bucket = BUCKETS_US.partition_point(|&edge| edge < us);
        self.counts[bucket].fetch_add(1, Relaxed);
        self.sum_ns.fetch_add(duration.as_nanos() as u64, Relaxed);
    }

    /// What it holds.
    pub fn read(&self) -> HistogramReading {
        HistogramReading {
            counts: std::array::from_fn(|at| self.counts[at].load(Relaxed)),
            sum: Duration::from_nanos(self.sum_ns.load(Relaxed)),
        }
    }
}

/// Measurements of the engine.
#[derive(Debug, Default)]
pub struct EngineMetrics {
    /// Time that a flush takes: changes worked out and encoded, up to its hand-over to the shards.
    pub flush: Histogram,
    /// Groups there were, added up over all flushes.
    pub groups_flushed: AtomicU64,
}

impl EngineMetrics {
    pub(crate) fn note_flush(&self, took: Duration, groups: usize) {
        self.flush.note(took);
        self.groups_flushed.fetch_add(groups as u64, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_under_the_first_edge_that_it_does_not_pass() {
        let histogram = Histogram::default();
        for us in [0, 10, 11, 250_000, 250_001] {
            histogram.note(Duration::from_micros(us));
        }
        let reading = histogram.read();
        assert_eq!(reading.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(reading.sum, Duration::from_micros(500_022));
    }
}
