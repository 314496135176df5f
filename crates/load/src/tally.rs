//! What is counted and timed, by one worker in one interval or by all of them in a whole run.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longest time that is told apart from longer ones: two minutes, as long as commits are remembered.
const LONGEST_US: u64 = 120_000_000;
/// Significant digits of a figure: a microsecond in a millisecond.
const DIGITS: u8 = 3;
/// Different sentences of servers that are kept; they are for people to read.
const SENTENCES_MAX: usize = 8;

/// Times in microseconds.
#[derive(Debug, Clone)]
pub(crate) struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_US, DIGITS).expect("the bounds are right"))
    }
}

impl Times {
    pub(crate) fn record(&mut self, us: u64) {
        self.0.saturating_record(us.max(1));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        if !other.0.is_empty() {
            self.0.add(&other.0).expect("all histograms have the same bounds");
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time within which this share of them lies; `None` when there are none.
    pub(crate) fn quantile_us(&self, share: f64) -> Option<u64> {
        (!self.0.is_empty()).then(|| self.0.value_at_quantile(share).min(self.0.max()))
    }

    pub(crate) fn distribution(&self) -> Distribution {
        let at = |share| self.quantile_us(share).unwrap_or(0);
        Distribution {
            count: self.0.len(),
            min_us: if self.0.is_empty() { 0 } else { self.0.min() },
            mean_us: self.0.mean() as u64,
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p99_9_us: at(0.999),
            max_us: self.0.max(),
        }
    }
}

/// How times are distributed. All 0 when there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Distribution {
    /// How many there are.
    pub count: u64,
    /// The shortest.
    pub min_us: u64,
    /// The mean.
    pub mean_us: u64,
    /// Half of them are not longer.
    pub p50_us: u64,
    /// 90 % of them are not longer.
    pub p90_us: u64,
    /// 99 % of them are not longer.
    pub p99_us: u64,
    /// 99.9 % of them are not longer.
    pub p99_9_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// Numbers of things that happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Connections on which everything subscribed to has arrived.
    pub synced: u64,
    /// Subscribes answered by "a catch-up follows".
    pub resumed: u64,
    /// Subscribes answered by "snapshots follow, the cursor is too old".
    pub resumed_too_late: u64,
    /// Attempts to connect that failed or took too long.
    pub connects_failed: u64,
    /// Connections that the server or the network ended.
    pub connections_lost: u64,
    /// Connections that were cut here, for churn and for storms.
    pub connections_cut: u64,
    /// Connections that heard nothing for longer than 2.5 heartbeat intervals.
    pub silent: u64,
    /// Requests of the server to move.
    pub drains: u64,
    /// WebSocket messages with a frame, or a part of one.
    pub frames: u64,
    /// Bytes of those messages with their WebSocket headers.
    pub bytes: u64,
    /// Market changes in those frames: deltas and catch-ups.
    pub updates: u64,
    /// Snapshots in those frames.
    pub snapshots: u64,
    /// Heartbeats.
    pub heartbeats: u64,
    /// Frames in which several changes became one because the receiver asked for a rate.
    pub conflated_asked: u64,
    /// The same because the receiver was slow.
    pub conflated_receiver_slow: u64,
    /// The same because the server was slow.
    pub conflated_server_slow: u64,
    /// Frames that do not follow the one before them.
    pub gaps: u64,
    /// Messages that are no frames, or break the protocol in another way.
    pub malformed: u64,
    /// Pieces that verifiers could not apply, or that were of markets that are not held.
    pub misfits: u64,
    /// Digests compared by verifiers.
    pub digests_checked: u64,
    /// Digests that did not agree.
    pub digest_mismatches: u64,
}

impl Counts {
    /// Adds another interval's.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self {
            synced,
            resumed,
            resumed_too_late,
            connects_failed,
            connections_lost,
            connections_cut,
            silent,
            drains,
            frames,
            bytes,
            updates,
            snapshots,
            heartbeats,
            conflated_asked,
            conflated_receiver_slow,
            conflated_server_slow,
            gaps,
            malformed,
            misfits,
            digests_checked,
            digest_mismatches,
        } = other;
        self.synced += synced;
        self.resumed += resumed;
        self.resumed_too_late += resumed_too_late;
        self.connects_failed += connects_failed;
        self.connections_lost += connections_lost;
        self.connections_cut += connections_cut;
        self.silent += silent;
        self.drains += drains;
        self.frames += frames;
        self.bytes += bytes;
        self.updates += updates;
        self.snapshots += snapshots;
        self.heartbeats += heartbeats;
        self.conflated_asked += conflated_asked;
        self.conflated_receiver_slow += conflated_receiver_slow;
        self.conflated_server_slow += conflated_server_slow;
        self.gaps += gaps;
        self.malformed += malformed;
        self.misfits += misfits;
        self.digests_checked += digests_checked;
        self.digest_mismatches += digest_mismatches;
    }

    /// What no right server brings about.
    pub(crate) fn faults(&self) -> u64 {
        self.gaps + self.malformed + self.misfits + self.digest_mismatches
    }
}

/// What happened in an interval.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) counts: Counts,
    /// Commit to applied, by kind of the mix; light receivers that read as fast as they can.
    pub(crate) latencies: Vec<Times>,
    /// Commit to applied of status changes, over all kinds.
    pub(crate) statuses: Times,
    /// Commit to applied of verifiers that read as fast as they can.
    pub(crate) verifiers: Times,
    /// Commit to applied of receivers that read slowly.
    pub(crate) slow: Times,
    /// From the first attempt to connect until everything is there.
    pub(crate) synced: Times,
    /// From a cut until everything is there again, beyond what was held by anybody at the cut.
    pub(crate) storm: Times,
    /// Deltas whose clock says that they were published after they arrived, or long before.
    pub(crate) clock_unusable: u64,
    /// What servers said when they refused or closed, and how often.
    pub(crate) sentences: BTreeMap<String, u64>,
    /// By worker, the time in which it did not wait for anything to do, and all of its time.
    pub(crate) turns: BTreeMap<usize, Turns>,
}

/// What became of a worker's time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Turns {
    pub(crate) busy_us: u64,
    pub(crate) total_us: u64,
}

impl Tally {
    pub(crate) fn new(kinds: usize) -> Self {
        Self { latencies: vec![Times::default(); kinds], ..Self::default() }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        for (into, from) in self.latencies.iter_mut().zip(&other.latencies) {
            into.add(from);
        }
        self.statuses.add(&other.statuses);
        self.verifiers.add(&other.verifiers);
        self.slow.add(&other.slow);
        self.synced.add(&other.synced);
        self.storm.add(&other.storm);
        self.clock_unusable += other.clock_unusable;
        for (sentence, count) in &other.sentences {
            self.say(sentence.clone(), *count);
        }
        for (worker, turns) in &other.turns {
            let into = self.turns.entry(*worker).or_default();
            into.busy_us += turns.busy_us;
            into.total_us += turns.total_us;
        }
    }

    /// Keeps a sentence of a server, unless there are too many different ones.
    pub(crate) fn say(&mut self, sentence: String, count: u64) {
        if let Some(said) = self.sentences.get_mut(&sentence) {
            *said += count;
        } else if self.sentences.len() < SENTENCES_MAX {
            self.sentences.insert(sentence, count);
        }
    }

    /// Share of time in which the busiest of some workers had something to do, in percent.
    pub(crate) fn busy_percent(&self, workers: std::ops::Range<usize>) -> f64 {
        let shares =
            self.turns.range(workers).map(|(_, turns)| turns.busy_us as f64 / turns.total_us.max(1) as f64);
        shares.fold(0.0, f64::max) * 100.0
    }

    /// All kinds together.
    pub(crate) fn latency(&self) -> Times {
        let mut all = Times::default();
        for times in &self.latencies {
            all.add(times);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_add_up() {
        let (mut a, mut b) = (Tally::new(2), Tally::new(2));
        for us in 1..=100 {
            a.latencies[0].record(us * 1_000);
            b.latencies[1].record(us * 1_000);
        }
        b.counts.frames = 3;
        a.add(&b);
        let all = a.latency().distribution();
        assert_eq!((all.count, a.counts.frames), (200, 3));
        assert!((all.p50_us as i64 - 50_000).abs() <= 50, "{all:?}");
        assert!((all.p99_us as i64 - 99_000).abs() <= 100, "{all:?}");
        assert_eq!(Times::default().distribution(), Distribution::default());
    }

    #[test]
    fn sentences_do_not_pile_up() {
        let mut tally = Tally::new(0);
        for at in 0..1_000 {
            tally.say(format!("sentence {at}"), 1);
        }
        tally.say("sentence 0".to_owned(), 4);
        assert_eq!((tally.sentences.len(), tally.sentences["sentence 0"]), (SENTENCES_MAX, 5));
    }
}
