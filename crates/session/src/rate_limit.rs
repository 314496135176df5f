//! How much a peer may ask for.

/// A token bucket: `burst` at once, `per_second` in the long run. Two integers per connection.
#[derive(Debug, Clone)]
pub struct RateLimit {
    per_second: u64,
    burst: u64,
    /// Thousandths of a token.
    level: u64,
    last_ms: u64,
}

impl RateLimit {
    /// A full bucket.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let burst = u64::from(burst) * 1_000;
        Self { per_second: u64::from(per_second), burst, level: burst, last_ms: 0 }
    }

    /// Takes one token, if there is one. A clock that goes back is taken as standing still.
    pub fn take(&mut self, now_ms: u64) -> bool {
        let passed_ms = now_ms.saturating_sub(self.last_ms);
        self.last_ms = self.last_ms.max(now_ms);
        self.level = self.level.saturating_add(passed_ms.saturating_mul(self.per_second)).min(self.burst);
        let allowed = self.level >= 1_000;
        if allowed {
            self.level -= 1_000;
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
}
