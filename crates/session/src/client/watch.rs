//! What a client session watches of itself, to report it.

use crate::telemetry::Telemetry;

#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    /// What was seen, apart from what the session's stats count.
    pub(super) seen: Telemetry,
    /// What was reported of it.
    pub(super) reported: Telemetry,
    /// The gateway of this connection wants no reports.
    pub(super) is_refused: bool,
    /// The gateway's clock minus this client's, by the heartbeat that took the shortest way.
    clock_ahead_ms: Option<i64>,
    /// When everything was live last.
    live_ms: u64,
    /// Prices have stopped being live since.
    is_degraded: bool,
}

impl Watch {
    /// Another connection, to a gateway whose clock may be another.
    pub(super) fn connected(&mut self) {
        self.is_refused = false;
        self.clock_ahead_ms = None;
    }

    /// A heartbeat says what the gateway's clock showed. The one that says most was on its way for the shortest time.
    pub(super) fn heard_clock(&mut self, now_ms: u64, gateway_ms: u64) {
        let ahead_ms = (gateway_ms as i64).saturating_sub(now_ms as i64);
        self.clock_ahead_ms = Some(self.clock_ahead_ms.map_or(ahead_ms, |held_ms| held_ms.max(ahead_ms)));
    }

    /// A frame of changes was applied that were published at a time of the gateway's clock.
    pub(super) fn applied(&mut self, now_ms: u64, published_ms: u64) {
        if let Some(ahead_ms) = self.clock_ahead_ms {
            let delay_ms = (now_ms as i64).saturating_add(ahead_ms).saturating_sub(published_ms as i64);
            // A producer's clock may be ahead of the gateway's.
            self.seen.apply_delay.note(delay_ms.max(0) as u64);
        }
    }

    /// Prices are not live any more.
    pub(super) fn degraded(&mut self) {
        self.is_degraded = true;
    }

    /// Everything is complete as of now, and live.
    pub(super) fn settled(&mut self, now_ms: u64) {
        if std::mem::take(&mut self.is_degraded) {
            self.seen.staleness.note(now_ms.saturating_sub(self.live_ms));
        }
        self.live_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heartbeat_that_took_the_shortest_way_sets_the_clock() {
        let mut watch = Watch::default();
        watch.applied(100, 0);
        assert_eq!(watch.seen.apply_delay.sum_ms, 0, "nothing is known without a heartbeat");
        for (now_ms, gateway_ms) in [(150, 1_000_100), (250, 1_000_245), (350, 1_000_300)] {
            watch.heard_clock(now_ms, gateway_ms);
        }
        watch.applied(400, 1_000_365);
        assert_eq!(watch.seen.apply_delay.sum_ms, 30);
        watch.applied(400, 1_000_999);
        assert_eq!(watch.seen.apply_delay.counts[0], 1, "what comes from the future has no delay");
    }

    #[test]
    fn staleness_is_measured_from_when_everything_was_live_last() {
        let mut watch = Watch::default();
        watch.settled(1_000);
        watch.settled(2_000);
        assert_eq!(watch.seen.staleness.counts.iter().sum::<u64>(), 0);
        watch.degraded();
        watch.degraded();
        watch.settled(2_700);
        assert_eq!((watch.seen.staleness.sum_ms, watch.seen.staleness.counts[7]), (700, 1));
    }
}
