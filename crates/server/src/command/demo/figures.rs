//! What the demo counts, shared by the feed, the client and the board.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use oddswire_model::{Commit, MarketId, MarketNumber, Revision};

use super::lag::Lag;

/// Rates are of this long a time.
const RATE_WINDOW: Duration = Duration::from_secs(3);
/// Activity counts half after this long.
const ACTIVITY_HALF_LIFE_S: f64 = 10.0;
/// Notices kept for the board.
const NOTICES_KEPT: usize = 3;

/// Figures behind a lock that is held for moments.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Figures>>);

impl Shared {
    /// Counters are good even after a panic elsewhere.
    pub(super) fn lock(&self) -> MutexGuard<'_, Figures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The figures.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// Commits handed to the producer.
    pub(super) commits: u64,
    /// What they weigh as JSON.
    pub(super) json_bytes: u64,
    /// Commits that the server refused.
    pub(super) refused: u64,
    /// Market time of the newest commit.
    pub(super) market_ms: u64,
    /// Changes of markets that the client applied.
    pub(super) updates: u64,
    /// From sending to applying.
    pub(super) lag: Lag,
    /// The last resume, if there was one.
    pub(super) resume: Option<Resume>,
    /// Things to tell, newest last.
    pub(super) notices: VecDeque<String>,
    activity: HashMap<MarketNumber, (f64, Instant)>,
    ids: HashMap<MarketNumber, MarketId>,
    samples: VecDeque<Sample>,
}

/// What a resume cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resume {
    /// Bytes until everything was live again.
    pub(super) bytes: u64,
    /// Bytes that snapshots of all markets would have been.
    pub(super) snapshot_bytes: u64,
    /// From losing the connection until everything was live again.
    pub(super) away: Duration,
}

/// Counters at a time.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    updates: u64,
    wire_bytes: u64,
    json_bytes: u64,
}

/// Figures per second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Rates {
    /// Changes of markets.
    pub(super) updates: f64,
    /// Bytes of frames.
    pub(super) wire_bytes: f64,
    /// Bytes of commits as JSON.
    pub(super) json_bytes: f64,
}

impl Rates {
    /// Share of the bytes that JSON would take and the wire does not, in percent.
    pub(super) fn saved_percent(&self) -> Option<f64> {
        saved_percent(self.wire_bytes, self.json_bytes)
    }
}

impl Figures {
    /// A commit is about to be handed to the producer; this is the revision that it will get.
    pub(super) fn sent(&mut self, commit: &Commit, revision: Revision, json_bytes: u64, now: Instant) {
        self.commits += 1;
        self.json_bytes += json_bytes;
        self.market_ms = commit.published_ms;
        for market in &commit.markets {
            self.lag.sent(&market.id, revision, now);
        }
    }

    /// The client has seen a market for the first time, or anew.
    pub(super) fn appeared(&mut self, number: MarketNumber, id: MarketId, revision: Revision, now: Instant) {
        self.lag.applied(&id, revision, false, now);
        self.ids.insert(number, id);
        self.active(number, now);
    }

    /// The client has applied a change.
    pub(super) fn applied(
        &mut self,
        number: MarketNumber,
        revision: Revision,
        is_conflated: bool,
        now: Instant,
    ) {
        if let Some(id) = self.ids.get(&number) {
            self.lag.applied(id, revision, is_conflated, now);
        }
        self.active(number, now);
    }

    /// The market has left.
    pub(super) fn left(&mut self, number: MarketNumber) {
        self.ids.remove(&number);
        self.activity.remove(&number);
    }

    /// Tells something on the board.
    pub(super) fn notice(&mut self, text: String) {
        if self.notices.len() == NOTICES_KEPT {
            self.notices.pop_front();
        }
        self.notices.push_back(text);
    }

    /// The most active markets, most active first.
    pub(super) fn most_active(&self, count: usize, now: Instant) -> Vec<MarketNumber> {
        let mut scored: Vec<(f64, MarketNumber)> = self
            .activity
            .iter()
            .map(|(&number, &(score, at))| (decayed(score, now.saturating_duration_since(at)), number))
            .collect();
        scored.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        scored.into_iter().take(count).map(|(_, number)| number).collect()
    }

    /// Rates of the last seconds. Call it regularly: it takes the samples, too.
    pub(super) fn rates(&mut self, wire_bytes: u64, now: Instant) -> Rates {
        let sample = Sample { at: now, updates: self.updates, wire_bytes, json_bytes: self.json_bytes };
        self.samples.push_back(sample);
        while self.samples.len() > 2 && now.saturating_duration_since(self.samples[1].at) >= RATE_WINDOW {
            self.samples.pop_front();
        }
        let first = self.samples[0];
        let seconds = now.saturating_duration_since(first.at).as_secs_f64();
        if seconds <= 0.0 {
            return Rates::default();
        }
        Rates {
            updates: (sample.updates - first.updates) as f64 / seconds,
            wire_bytes: wire_bytes.saturating_sub(first.wire_bytes) as f64 / seconds,
            json_bytes: (sample.json_bytes - first.json_bytes) as f64 / seconds,
        }
    }

    /// Share of the bytes that JSON would have taken since the start and the wire did not, in percent.
    pub(super) fn saved_percent(&self, wire_bytes: u64) -> Option<f64> {
        saved_percent(wire_bytes as f64, self.json_bytes as f64)
    }

    fn active(&mut self, number: MarketNumber, now: Instant) {
        self.updates += 1;
        let (score, at) = self.activity.entry(number).or_insert((0.0, now));
        *score = decayed(*score, now.saturating_duration_since(*at)) + 1.0;
        *at = now;
    }
}

fn saved_percent(wire_bytes: f64, json_bytes: f64) -> Option<f64> {
    (json_bytes > 0.0).then(|| 100.0 * (1.0 - wire_bytes / json_bytes))
}

fn decayed(score: f64, age: Duration) -> f64 {
    score * (-age.as_secs_f64() / ACTIVITY_HALF_LIFE_S).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activity_fades() {
        let (mut figures, start) = (Figures::default(), Instant::now());
        let later = start + Duration::from_secs(60);
        for _ in 0..10 {
            figures.applied(MarketNumber(1), Revision(1), false, start);
        }
        figures.applied(MarketNumber(2), Revision(1), false, start);
        assert_eq!(figures.most_active(1, start), [MarketNumber(1)]);
        figures.applied(MarketNumber(2), Revision(1), false, later);
        assert_eq!(figures.most_active(2, later), [MarketNumber(2), MarketNumber(1)]);
        figures.left(MarketNumber(2));
        assert_eq!(figures.most_active(2, later), [MarketNumber(1)]);
    }

    #[test]
    fn rates_are_of_the_last_seconds() {
        let (mut figures, start) = (Figures::default(), Instant::now());
        assert_eq!(figures.rates(0, start), Rates::default());
        for second in 1..=10 {
            figures.updates += 50;
            figures.json_bytes += 10_000;
            let rates = figures.rates(second * 1_000, start + Duration::from_secs(second));
            assert_eq!(rates, Rates { updates: 50.0, wire_bytes: 1_000.0, json_bytes: 10_000.0 });
            assert_eq!(rates.saved_percent(), Some(90.0));
        }
        assert!(figures.samples.len() <= 5);
    }

    #[test]
    fn savings_are_against_json() {
        let mut figures = Figures::default();
        assert_eq!(figures.saved_percent(10), None);
        figures.json_bytes = 1_000;
        assert_eq!(figures.saved_percent(100), Some(90.0));
    }
}
