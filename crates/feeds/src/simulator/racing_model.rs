//! Who wins a race: one weight per runner, its share of the sum is its chance.

use super::random::Random;

/// No runner is ever quite without a chance, and no other one quite certain.
const LEAST_CHANCE: f64 = 0.000_05;
/// From this share of the race on the finishing order is settled, and the chances run towards it.
const DECIDED_AT: f64 = 0.85;

/// The runners' chances.
#[derive(Debug, Clone)]
pub(super) struct RacingModel {
    chances: Vec<f64>,
    /// Which way each runner's price goes before the off.
    trends: Vec<f64>,
    removed: Vec<bool>,
    order: Vec<usize>,
}

impl RacingModel {
    /// A field of runners: a favourite or two, a middle, and outsiders.
    pub(super) fn new(runners: usize, random: &mut Random) -> Self {
        let mut chances: Vec<f64> = (0..runners)
            .map(|rank| (0.4 + 1.2 * random.unit()) / ((rank as f64 + 1.2) * (rank as f64 + 8.0)))
            .collect();
        // Cards list runners by their number and not by their chance.
        for at in (1..runners).rev() {
            chances.swap(at, random.position(at + 1));
        }
        let trends = (0..runners).map(|_| random.bell() * 0.000_4).collect();
        let mut model = Self { chances, trends, removed: vec![false; runners], order: Vec::new() };
        model.normalise();
        model
    }

    /// Chances to win; 0 for runners that were removed.
    pub(super) fn win(&self) -> &[f64] {
        &self.chances
    }

    /// Chances to come in among the first two or three, after Harville: the chances for the next place are those for the
    /// win without the runners ahead.
    pub(super) fn place(&self, places: usize) -> Vec<f64> {
        let win = &self.chances;
        let rest = |taken: f64| (1.0 - taken).max(LEAST_CHANCE);
        let mut place = win.clone();
        for (first, &first_chance) in win.iter().enumerate() {
            for (second, &chance) in win.iter().enumerate().filter(|&(second, _)| second != first) {
                let pair = first_chance * chance / rest(first_chance);
                place[second] += pair;
                if places < 3 {
                    continue;
                }
                let share = pair / rest(first_chance + chance);
                for (third, &chance) in win.iter().enumerate() {
                    if third != first && third != second {
                        place[third] += share * chance;
                    }
                }
            }
        }
        place
    }

    /// A second of betting before the off.
    pub(super) fn drift(&mut self, random: &mut Random) {
        for (chance, trend) in self.chances.iter_mut().zip(&self.trends) {
            *chance *= 1.0 + trend + random.bell() * 0.003;
        }
        self.normalise();
    }

    /// A moment of the race that ends at `progress` (0 the off, 1 the finish) and took `step` of it.
    pub(super) fn run(&mut self, progress: f64, step: f64, random: &mut Random) {
        let swing = 0.02 + 0.06 * progress * progress;
        for chance in &mut self.chances {
            *chance *= (1.0 + random.bell() * swing).max(0.5);
        }
        self.normalise();
        if progress >= DECIDED_AT {
            self.decide(random);
            for (position, &runner) in self.order.iter().take(4).enumerate() {
                self.chances[runner] *= 1.0 + 60.0 * step / (1.0 + 2.0 * position as f64);
            }
            self.normalise();
        }
    }

    /// A runner is withdrawn; the others' chances grow.
    pub(super) fn remove(&mut self, runner: usize) {
        if let Some(removed) = self.removed.get_mut(runner) {
            *removed = true;
        }
        self.normalise();
    }

    /// The finishing order, drawn place by place from the chances the first time it is asked for.
    pub(super) fn decide(&mut self, random: &mut Random) -> &[usize] {
        if self.order.is_empty() {
            let mut rest = self.chances.clone();
            for _ in 0..self.removed.iter().filter(|removed| !**removed).count() {
                let next = random.by_weight(&rest);
                rest[next] = 0.0;
                self.order.push(next);
            }
        }
        &self.order
    }

    fn normalise(&mut self) {
        for (chance, &removed) in self.chances.iter_mut().zip(&self.removed) {
            *chance = if removed { 0.0 } else { chance.max(LEAST_CHANCE) };
        }
        let sum: f64 = self.chances.iter().sum();
        if sum > 0.0 {
            self.chances.iter_mut().for_each(|chance| *chance /= sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_add_up_to_the_places_there_are() {
        let mut random = Random::from_seed(2);
        let mut model = RacingModel::new(11, &mut random);
        model.remove(4);
        for _ in 0..600 {
            model.drift(&mut random);
        }
        assert!((model.win().iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!((model.place(3).iter().sum::<f64>() - 3.0).abs() < 1e-6);
        assert!((model.place(2).iter().sum::<f64>() - 2.0).abs() < 1e-6);
        assert_eq!((model.win()[4], model.place(3)[4]), (0.0, 0.0));
    }

    #[test]
    fn the_race_ends_with_its_winner_nearly_certain() {
        for (seed, steps) in [(1, 100), (2, 480)] {
            let mut random = Random::from_seed(seed);
            let mut model = RacingModel::new(9, &mut random);
            for step in 1..=steps {
                model.run(f64::from(step) / f64::from(steps), 1.0 / f64::from(steps), &mut random);
            }
            let order = model.decide(&mut random).to_vec();
            assert_eq!(order.len(), 9);
            assert!(model.win()[order[0]] > 0.9, "{:?}", model.win());
        }
    }
}
