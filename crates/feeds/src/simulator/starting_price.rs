//! Bets at the starting price, and the two projections of it that an exchange shows before the off.

use std::collections::BTreeMap;

use oddswire_model::{Field, LadderUpdate, Price, SelectionKey, SelectionUpdate};

use super::{random::Random, stakes::Stakes, ticks};

/// Starting-price bets on one selection: amounts by limit.
#[derive(Debug, Default)]
pub(super) struct StartingPrice {
    back: BTreeMap<u16, u64>,
    lay: BTreeMap<u16, u64>,
    /// The projections as last said.
    near: Price,
    far: Price,
}

impl StartingPrice {
    /// One more bet, and what the projections become.
    pub(super) fn bet(
        &mut self,
        key: SelectionKey,
        chance: f64,
        stakes: &mut Stakes,
        random: &mut Random,
    ) -> SelectionUpdate {
        let mut update = SelectionUpdate::new(key);
        let fair = ticks::at_or_below(1.0 / chance.max(0.000_5));
        let backs = random.chance(0.5);
        // Most people take any price: backers from the first tick on, layers up to the last.
        let limit = match (backs, random.chance(0.7)) {
            (true, true) => 0,
            (true, false) => fair.saturating_sub(random.below(12) as u16),
            (false, true) => ticks::LAST,
            (false, false) => (fair + random.below(12) as u16).min(ticks::LAST),
        };
        let (pool, field) =
            if backs { (&mut self.back, Field::SpBack) } else { (&mut self.lay, Field::SpLay) };
        let cents = pool.entry(limit).or_default();
        *cents += stakes.draw(random);
        update.ladders.push(LadderUpdate {
            field,
            replace: false,
            rungs: vec![(ticks::price(limit), *cents)],
        });
        let one_sided = self.back.is_empty() || self.lay.is_empty();
        let far = if one_sided { Price::INFINITE } else { beside(chance, 0.08, random) };
        self.project(beside(chance, 0.02, random), far, &mut update);
        update
    }

    /// The off: every bet gets its price, the projections are gone.
    pub(super) fn reconcile(&mut self, chance: f64, random: &mut Random, update: &mut SelectionUpdate) {
        self.withdraw(update);
        update.fields.push((Field::StartingPrice, u64::from(beside(chance, 0.01, random).0)));
    }

    /// Takes every bet and both projections away.
    pub(super) fn withdraw(&mut self, update: &mut SelectionUpdate) {
        for (pool, field) in [(&mut self.back, Field::SpBack), (&mut self.lay, Field::SpLay)] {
            if !pool.is_empty() {
                pool.clear();
                update.ladders.push(LadderUpdate { field, replace: true, rungs: Vec::new() });
            }
        }
        self.project(Price::NONE, Price::NONE, update);
    }

    fn project(&mut self, near: Price, far: Price, update: &mut SelectionUpdate) {
        for (said, price, field) in
            [(&mut self.near, near, Field::NearPrice), (&mut self.far, far, Field::FarPrice)]
        {
            if *said != price {
                *said = price;
                update.fields.push((field, u64::from(price.0)));
            }
        }
    }
}

/// A price around the fair one. It stands beside the ladder: starting prices are computed, not offered.
fn beside(chance: f64, spread: f64, random: &mut Random) -> Price {
    let odds = 1.0 / chance.clamp(0.000_5, 0.999) * (1.0 + random.bell() * spread);
    Price::from_decimal(odds.clamp(1.01, 1_000.0)).unwrap_or(Price::INFINITE)
}
