//! The simulator's own source of chance: the same seed gives the same numbers on every machine.
//!
//! The generator is xoshiro256** 1.0, its state filled by SplitMix64, both by D. Blackman and S. Vigna, public domain
//! (<https://prng.di.unimi.it/>). It is not for secrets.

use oddswire_model::split_mix;

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(super) struct Random {
    state: [u64; 4],
}

impl Random {
    /// The stream of a seed.
    pub(super) fn from_seed(seed: u64) -> Self {
        let mut mixer = seed;
        Self { state: [0; 4].map(|_: u64| split_mix(&mut mixer)) }
    }

    /// A stream of its own for the `number`-th of many things that share a seed, so that one thing's appetite for
    /// numbers never shifts what another one gets.
    pub(super) fn for_number(seed: u64, number: u64) -> Self {
        let mut mixer = number;
        Self::from_seed(seed ^ split_mix(&mut mixer))
    }

    /// The next 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        let state = &mut self.state;
        let result = state[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = state[3].rotate_left(45);
        result
    }

    /// A whole number under `bound` (0 when the bound is 0). The bias of the multiplication is under 2^-32 for the small
    /// bounds asked for here.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A position in a list of this length.
    pub(super) fn position(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// A whole number from `least` to `most`, both included.
    pub(super) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    /// One of a list.
    pub(super) fn pick<T: Copy, const N: usize>(&mut self, list: &[T; N]) -> T {
        list[self.position(N)]
    }

    /// A number in [0, 1), a multiple of 2^-53 and therefore exact everywhere.
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A number around zero with variance 1, never beyond ±3: the sum of three uniform ones, because a true normal
    /// distribution needs logarithms, and those differ between machines.
    pub(super) fn bell(&mut self) -> f64 {
        (self.unit() + self.unit() + self.unit() - 1.5) * 2.0
    }

    /// A wait around `mean_ms`: mostly short, now and then three times as long. The square of a uniform number stands in
    /// for the exponential distribution, for the reason given at [`Random::bell`].
    pub(super) fn wait_ms(&mut self, mean_ms: u64) -> u64 {
        let unit = self.unit();
        ((mean_ms as f64 * 3.0 * unit * unit) as u64).max(1)
    }

    /// A position drawn by weight; the last one when the weights say nothing.
    pub(super) fn by_weight(&mut self, weights: &[f64]) -> usize {
        let mut rest = self.unit() * weights.iter().sum::<f64>();
        for (at, weight) in weights.iter().enumerate() {
            rest -= weight;
            if rest < 0.0 {
                return at;
            }
        }
        weights.len().saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generators_are_the_published_ones() {
        // Reference values of xoshiro256** from the state 1, 2, 3, 4, and of SplitMix64 from 1477776061723855037.
        let mut random = Random { state: [1, 2, 3, 4] };
        assert_eq!([0; 4].map(|_: u64| random.bits()), [11_520, 0, 1_509_978_240, 1_215_971_899_390_074_240]);
        let mut mixer = 1_477_776_061_723_855_037;
        assert_eq!(
            [0; 2].map(|_: u64| split_mix(&mut mixer)),
            [1_985_237_415_132_408_290, 2_979_275_885_539_914_483]
        );
    }

    #[test]
    fn numbers_stay_in_their_range_and_near_their_mean() {
        let mut random = Random::from_seed(1);
        let (mut bells, mut waits) = (0.0, 0);
        for _ in 0..20_000 {
            assert!(random.below(7) < 7);
            assert!((3..=5).contains(&random.between(3, 5)));
            assert!((0.0..1.0).contains(&random.unit()));
            bells += random.bell();
            waits += random.wait_ms(500);
        }
        assert!((bells / 20_000.0_f64).abs() < 0.05);
        assert!((450..550).contains(&(waits / 20_000)));
        assert_eq!(random.below(0), 0);
        assert_eq!(random.by_weight(&[0.0, 0.0]), 1);
    }
}
