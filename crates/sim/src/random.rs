//! Chance, from a seed.

use oddswire_model::split_mix;

/// Every concern has a generator of its own, so that a fault switched off does
/// not change what the others draw.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A generator for one concern of one seed.
    pub fn new(seed: u64, concern: u64) -> Self {
        let mut random = Self { state: seed ^ concern.wrapping_mul(0xd134_2543_de82_ef95) };
        // Neighbouring seeds must not begin alike.
        random.next();
        random.state ^= seed.rotate_left(32);
        random
    }

    /// The next 64 bits.
    #[allow(clippy::should_implement_trait, reason = "it never ends, so it is no iterator")]
    pub fn next(&mut self) -> u64 {
        split_mix(&mut self.state)
    }

    /// Evenly from 0 to `end`, exclusive; 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.next() % end }
    }

    /// Evenly from `first` to `last`, both included.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// An index of a list of this length.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// Yes, this many times in a million.
    pub fn chance(&mut self, per_million: u32) -> bool {
        self.below(1_000_000) < u64::from(per_million)
    }

    /// One of a list.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.index(list.len())]
    }
}
