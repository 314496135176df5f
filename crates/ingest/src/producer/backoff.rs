//! Delays between attempts to connect: exponential, with full jitter.

use std::time::Duration;

use oddswire_model::split_mix;

/// The longest first delay: a restart of a server takes about this long.
const FIRST_MS: u64 = 200;
/// The longest delay at all; a tenth of it would make 1,024 producers knock 200 times a second.
const LONGEST_MS: u64 = 5_000;

/// Every delay is drawn between nothing and a bound that doubles, so that those who were cut off together do not
/// come back together.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    bound_ms: u64,
    state: u64,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self { bound_ms: FIRST_MS, state: seed }
    }

    /// The next delay.
    pub(super) fn delay(&mut self) -> Duration {
        let bound = self.bound_ms;
        self.bound_ms = (bound * 2).min(LONGEST_MS);
        let drawn = u128::from(split_mix(&mut self.state)) * u128::from(bound + 1);
        Duration::from_millis((drawn >> 64) as u64)
    }

    /// Begins anew.
    pub(super) fn reset(&mut self) {
        self.bound_ms = FIRST_MS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_under_a_bound_that_doubles_up_to_the_longest_and_repeat_with_the_seed() {
        let mut backoff = Backoff::new(7);
        let delays: Vec<_> = (0..10).map(|_| backoff.delay().as_millis() as u64).collect();
        for (delay, bound) in
            delays.iter().zip([200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000, 5_000, 5_000])
        {
            assert!(*delay <= bound);
        }
        let mut again = Backoff::new(7);
        assert!(delays.iter().all(|&delay| again.delay().as_millis() as u64 == delay));
        let other: Vec<_> = (8..18).map(|seed| Backoff::new(seed).delay()).collect();
        assert!(other.iter().any(|delay| *delay != other[0]));
        backoff.reset();
        assert!(backoff.delay().as_millis() <= 200);
    }
}
