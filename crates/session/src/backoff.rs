//! Waiting before the next attempt.

use oddswire_model::split_mix;

/// Exponential backoff with full jitter: a delay drawn evenly from 0 to the current ceiling.
///
/// Full jitter spreads a crowd of clients best; see M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
#[derive(Debug, Clone)]
pub struct Backoff {
    first_ms: u64,
    ceiling_max_ms: u64,
    ceiling_ms: u64,
    state: u64,
}

impl Backoff {
    /// Ceiling of the first delay.
    pub const FIRST_MS: u64 = 500;
    /// Ceiling of every later delay.
    pub const CEILING_MAX_MS: u64 = 20_000;

    /// A backoff whose delays follow from the seed. Two clients must not share a seed.
    pub fn new(seed: u64) -> Self {
        Self::with_limits(seed, Self::FIRST_MS, Self::CEILING_MAX_MS)
    }

    /// A backoff with ceilings of its own.
    pub fn with_limits(seed: u64, first_ms: u64, ceiling_max_ms: u64) -> Self {
        Self { first_ms, ceiling_max_ms, ceiling_ms: first_ms, state: seed }
    }

    /// The delay before the next attempt; the ceiling doubles.
    pub fn next_delay_ms(&mut self) -> u64 {
        let delay = split_mix(&mut self.state) % (self.ceiling_ms + 1);
        self.ceiling_ms = (self.ceiling_ms * 2).min(self.ceiling_max_ms);
        delay
    }

    /// An attempt succeeded: begin again with short delays.
    pub fn reset(&mut self) {
        self.ceiling_ms = self.first_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_under_a_ceiling_that_doubles_and_stops() {
        let mut backoff = Backoff::new(1);
        let mut ceiling = Backoff::FIRST_MS;
        for _ in 0..20 {
            assert!(backoff.next_delay_ms() <= ceiling);
            ceiling = (ceiling * 2).min(Backoff::CEILING_MAX_MS);
        }
        backoff.reset();
        assert!(backoff.next_delay_ms() <= Backoff::FIRST_MS);
    }

    #[test]
    fn a_thousand_clients_spread_evenly_over_the_ceiling() {
        let early =
            (0..1_000).filter(|seed| Backoff::new(*seed).next_delay_ms() < Backoff::FIRST_MS / 2).count();
        assert!((400..600).contains(&early), "{early} of 1000 in the first half");
    }
}
