//! How much a peer may ask for.

/// Parts of a token: what a rate of one per minute brings in a millisecond is one part.
const PARTS: u32 = 60_000;

/// A token bucket: `burst` at once, a rate in the long run. 24 bytes, because every connection has several.
#[derive(Debug, Clone)]
pub struct RateLimit {
    per_minute: u32,
    /// In parts of a token, as the level.
    burst: u32,
    level: u32,
    last_ms: u64,
}

impl RateLimit {
    /// A full bucket. Bursts of more than 71,582 (2^32 parts) and rates of more than 71,582,788 a second are taken as those.
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self::per_minute(per_second.saturating_mul(60), burst)
    }

    /// A full bucket that fills slowly.
    pub fn per_minute(per_minute: u32, burst: u32) -> Self {
        let burst = burst.saturating_mul(PARTS);
        Self { per_minute, burst, level: burst, last_ms: 0 }
    }

    /// Takes one token, if there is one. A clock that goes back is taken as standing still.
    pub fn take(&mut self, now_ms: u64) -> bool {
        let passed_ms = now_ms.saturating_sub(self.last_ms);
        self.last_ms = self.last_ms.max(now_ms);
        let filled =
            passed_ms.saturating_mul(u64::from(self.per_minute)).saturating_add(u64::from(self.level));
        self.level = filled.min(u64::from(self.burst)) as u32;
        let allowed = self.level >= PARTS;
        if allowed {
            self.level -= PARTS;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut limit = RateLimit::new(20, 50);
        assert!((0..50).all(|_| limit.take(0)));
        assert!(!limit.take(0), "one past the burst");
        assert!(limit.take(50), "one more every 50 ms");
        assert!(!limit.take(50));
    }

    #[test]
    fn a_slow_rate_is_exact() {
        let mut limit = RateLimit::per_minute(6, 1);
        assert!(limit.take(0));
        assert!(!limit.take(9_999));
        assert!(limit.take(10_000), "six a minute are one every 10 s");
    }
}
