//! Amounts of money as people enter them: round ones, odd ones, and above all the same ones again.

use super::random::Random;

/// Round stakes in cents; those that stand here more often are more popular.
const ROUND_CENTS: [u64; 24] = [
    200, 200, 200, 300, 400, 500, 500, 500, 1_000, 1_000, 1_000, 1_000, 2_000, 2_000, 2_500, 3_000, 5_000,
    5_000, 10_000, 10_000, 20_000, 25_000, 50_000, 100_000,
];
/// How many amounts come back.
const REMEMBERED: usize = 16;

/// Draws stakes for one market.
#[derive(Debug)]
pub(super) struct Stakes {
    recent: [u64; REMEMBERED],
    at: usize,
    liquidity: u64,
}

impl Stakes {
    /// Stakes of a market; `liquidity` multiplies about half of them.
    pub(super) fn new(liquidity: u64) -> Self {
        Self { recent: [ROUND_CENTS[0]; REMEMBERED], at: 0, liquidity: liquidity.max(1) }
    }

    /// An amount in cents, at least the smallest stake.
    pub(super) fn draw(&mut self, random: &mut Random) -> u64 {
        let kind = random.below(100);
        if kind < 35 {
            return self.recent[random.position(REMEMBERED)];
        }
        let cents = if kind < 65 {
            random.pick(&ROUND_CENTS)
        } else {
            let unit = random.unit();
            200 + (unit * unit * unit * 40_000.0) as u64
        };
        let cents = if random.chance(0.5) { cents * self.liquidity } else { cents };
        self.at = (self.at + 1) % REMEMBERED;
        self.recent[self.at] = cents;
        cents
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn amounts_are_at_least_two_and_many_of_them_recur() {
        let (mut stakes, mut random) = (Stakes::new(5), Random::from_seed(9));
        let mut seen: BTreeMap<u64, u32> = BTreeMap::new();
        for _ in 0..1_000 {
            *seen.entry(stakes.draw(&mut random)).or_default() += 1;
        }
        assert!(*seen.keys().next().unwrap() >= 200);
        assert!(seen.len() < 600, "{} different amounts", seen.len());
    }
}
