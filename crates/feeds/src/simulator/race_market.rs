//! An exchange market on a race: books, and starting-price bets before the off.

use oddswire_model::{Field, MarketUpdate, Price, SelectionKey, SelectionStatus, SelectionUpdate};

use super::{
    exchange_market::ExchangeMarket, fixture::FixtureCard, market_life::MarketLife, random::Random,
    stakes::Stakes, starting_price::StartingPrice,
};

/// WIN or PLACE.
#[derive(Debug)]
pub(super) struct RaceMarket {
    pub(super) exchange: ExchangeMarket,
    starting_prices: Vec<StartingPrice>,
    stakes: Stakes,
    /// How many runners it pays for.
    places: usize,
}

impl RaceMarket {
    /// A market that nobody has heard of yet.
    pub(super) fn new(
        life: MarketLife,
        places: usize,
        liquidity: u64,
        runners: Vec<(SelectionKey, String)>,
    ) -> Self {
        let starting_prices = runners.iter().map(|_| StartingPrice::default()).collect();
        let exchange = ExchangeMarket::new(life, liquidity, runners);
        Self { exchange, starting_prices, stakes: Stakes::new(liquidity), places }
    }

    /// How many runners it pays for.
    pub(super) fn places(&self) -> usize {
        self.places
    }

    /// Brings it into being. Each runner has the factor by which bets on the others would be reduced without it.
    pub(super) fn announce(
        &mut self,
        card: &FixtureCard,
        stage: &str,
        chances: &[f64],
        random: &mut Random,
    ) -> MarketUpdate {
        let mut update = self.exchange.announce(card, stage, false, chances, random);
        for (selection, &chance) in update.selections.iter_mut().zip(chances) {
            selection.fields.push((Field::ReductionFactor, self.reduction(chance)));
        }
        update
    }

    /// Somebody bets at the starting price; `None` while no bets are taken.
    pub(super) fn bet_at_starting_price(
        &mut self,
        chances: &[f64],
        random: &mut Random,
    ) -> Option<MarketUpdate> {
        if !self.exchange.life.is_open() {
            return None;
        }
        let at = random.by_weight(chances);
        let key = self.exchange.running(at)?;
        let selection =
            self.starting_prices.get_mut(at)?.bet(key, *chances.get(at)?, &mut self.stakes, random);
        Some(MarketUpdate { selections: vec![selection], ..self.exchange.life.update() })
    }

    /// Suspends, and takes a runner out.
    pub(super) fn remove(&mut self, runner: usize, chance: f64) -> Option<MarketUpdate> {
        let key = self.exchange.running(runner)?;
        let mut update = self.exchange.suspend(true)?;
        self.exchange.remove(runner);
        let reduction = self.reduction(chance);
        let selection = selection_of(&mut update, key);
        selection.fields.extend([
            (Field::SelectionStatus, SelectionStatus::Removed as u64),
            (Field::ReductionFactor, reduction),
        ]);
        if let Some(starting_price) = self.starting_prices.get_mut(runner) {
            starting_price.withdraw(selection);
        }
        Some(update)
    }

    /// Suspends for the off, and gives starting-price bets their price.
    pub(super) fn reconcile(&mut self, chances: &[f64], random: &mut Random) -> Option<MarketUpdate> {
        let mut update = self.exchange.suspend(true)?;
        for (at, (starting_price, &chance)) in self.starting_prices.iter_mut().zip(chances).enumerate() {
            if let Some(key) = self.exchange.running(at) {
                starting_price.reconcile(chance, random, selection_of(&mut update, key));
            }
        }
        Some(update)
    }

    /// The final result from the finishing order.
    pub(super) fn settle(&mut self, order: &[usize]) -> Option<MarketUpdate> {
        let places = self.places;
        let results = (0..self.starting_prices.len()).map(|runner| {
            match order.iter().position(|&other| other == runner) {
                Some(0) => SelectionStatus::Winner,
                Some(position) if position < places => SelectionStatus::Placed,
                _ => SelectionStatus::Loser,
            }
        });
        self.exchange.settle(results)
    }

    /// In percent with four decimals: what the runner's chance takes from the others' odds.
    fn reduction(&self, chance: f64) -> u64 {
        let percent = 100.0 * chance / self.places as f64;
        Price::from_decimal(percent).map_or(0, |factor| u64::from(factor.0))
    }
}

/// What the update says about a selection, begun when it says nothing yet.
fn selection_of(update: &mut MarketUpdate, key: SelectionKey) -> &mut SelectionUpdate {
    let at = update.selections.iter().position(|selection| selection.key == key).unwrap_or_else(|| {
        update.selections.push(SelectionUpdate::new(key));
        update.selections.len() - 1
    });
    &mut update.selections[at]
}
