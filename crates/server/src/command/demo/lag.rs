//! From handing a commit to the producer to having it applied in the client, on one clock.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use oddswire_model::{MarketId, Revision};

/// Percentiles are of this long a time.
const WINDOW: Duration = Duration::from_secs(10);
/// Most samples kept; at full speed the window is shorter.
const SAMPLES_MAX: usize = 20_000;
/// The client's rate: commits further apart than this are not joined while it listens.
const JOINED_WITHIN: Duration = Duration::from_millis(super::RATE_MS as u64);
/// Commits of one market that wait to be seen; more means that the client is away.
const PENDING_MAX: usize = 1_024;

/// Sends that were not seen yet, and how long the others took.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// Times at which commits were sent, by market and the revision that each will get.
    pending: HashMap<MarketId, VecDeque<(Revision, Instant)>>,
    samples: VecDeque<(Instant, Duration)>,
}

/// Percentiles of a time window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Percentiles {
    /// Half were faster.
    pub(super) p50: Duration,
    /// Of a hundred, one was slower.
    pub(super) p99: Duration,
}

impl Lag {
    /// A commit that touches a market is handed to the producer.
    pub(super) fn sent(&mut self, market: &MarketId, revision: Revision, now: Instant) {
        let pending = match self.pending.get_mut(market) {
            Some(pending) => pending,
            None => self.pending.entry(market.clone()).or_default(),
        };
        if pending.len() == PENDING_MAX {
            pending.pop_front();
        }
        pending.push_back((revision, now));
    }

    /// A change was applied. When it is conflated it stands for the commits of one interval of the client's rate,
    /// otherwise for one. Commits before them changed nothing, or were undone within an interval of their own: there
    /// was nothing to send, so there is nothing to measure.
    pub(super) fn applied(
        &mut self,
        market: &MarketId,
        revision: Revision,
        is_conflated: bool,
        now: Instant,
    ) {
        let Some(pending) = self.pending.get_mut(market) else { return };
        let passed = pending.iter().take_while(|&&(sent, _)| sent <= revision).count();
        let Some(&(_, newest)) = passed.checked_sub(1).and_then(|last| pending.get(last)) else { return };
        for (at, (_, sent)) in pending.drain(..passed).enumerate() {
            let is_joined = is_conflated && newest.saturating_duration_since(sent) <= JOINED_WITHIN;
            if at + 1 == passed || is_joined {
                if self.samples.len() == SAMPLES_MAX {
                    self.samples.pop_front();
                }
                self.samples.push_back((now, now.saturating_duration_since(sent)));
            }
        }
    }

    /// Percentiles of the last seconds; `None` when nothing was measured.
    pub(super) fn percentiles(&mut self, now: Instant) -> Option<Percentiles> {
        while self.samples.front().is_some_and(|&(at, _)| now.saturating_duration_since(at) > WINDOW) {
            self.samples.pop_front();
        }
        let mut lags: Vec<Duration> = self.samples.iter().map(|&(_, lag)| lag).collect();
        lags.sort_unstable();
        let at = |percent: usize| {
            lags.get((lags.len() * percent / 100).min(lags.len().saturating_sub(1))).copied()
        };
        Some(Percentiles { p50: at(50)?, p99: at(99)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn commits_without_effect_do_not_count_and_conflated_ones_do() {
        let (market, start) = (MarketId::new("1.2").unwrap(), Instant::now());
        let mut lag = Lag::default();
        assert_eq!(lag.percentiles(start), None);
        lag.sent(&market, Revision(1), start);
        lag.sent(&market, Revision(2), start + ms(50));
        lag.applied(&market, Revision(2), false, start + ms(60));
        let expected = Percentiles { p50: ms(10), p99: ms(10) };
        assert_eq!(lag.percentiles(start + ms(60)), Some(expected));
        lag.sent(&market, Revision(3), start + ms(100));
        lag.sent(&market, Revision(4), start + ms(120));
        lag.applied(&market, Revision(4), true, start + ms(200));
        let expected = Percentiles { p50: ms(80), p99: ms(100) };
        assert_eq!(lag.percentiles(start + ms(200)), Some(expected));
        lag.sent(&market, Revision(5), start + ms(300));
        lag.sent(&market, Revision(6), start + ms(900));
        lag.applied(&market, Revision(6), true, start + ms(910));
        assert_eq!(lag.percentiles(start + ms(910)), Some(expected), "what was undone is not late");
        assert_eq!(lag.percentiles(start + ms(20_000)), None, "old samples leave");
    }
}
