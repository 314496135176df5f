//! Chance that follows from a seed.

use oddswire_model::split_mix;

/// A sequence from a seed.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        split_mix(&mut self.state)
    }

    /// A number from 0 to `end`, `end` excluded; 0 when `end` is 0. The bias of the remainder is below 2^-32 here.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % (end.max(1) as u64)) as usize
    }

    /// `count` different numbers below `end`, in no order; all of them when there are no more.
    pub(crate) fn pick(&mut self, count: usize, end: usize) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..end as u32).collect();
        let count = count.min(end);
        for at in 0..count {
            let other = at + self.below(end - at);
            numbers.swap(at, other);
        }
        numbers.truncate(count);
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_are_different_and_follow_from_the_seed() {
        let picks = Random::new(7).pick(20, 200);
        let mut sorted = picks.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 20);
        assert_eq!(Random::new(7).pick(20, 200), picks);
        assert_ne!(Random::new(8).pick(20, 200), picks);
        assert_eq!(Random::new(7).pick(5, 3).len(), 3);
    }
}
