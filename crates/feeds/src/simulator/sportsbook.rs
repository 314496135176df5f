//! A sportsbook's market: one price per selection, made from the bookmaker's opinion and a margin.

use oddswire_model::{
    Field, MarketStatus, MarketUpdate, Price, PriceLadder, SelectionKey, SelectionStatus, SelectionUpdate,
};

use super::{
    fixture::{FixtureCard, selection_attributes},
    market_life::MarketLife,
    random::Random,
    ticks,
};

/// A market with a price per selection.
#[derive(Debug)]
pub(super) struct SportsbookMarket {
    pub(super) life: MarketLife,
    offers: Vec<Offer>,
    margin: f64,
}

/// A selection and what is offered on it.
#[derive(Debug)]
struct Offer {
    key: SelectionKey,
    name: String,
    price: Price,
    /// Factor between the chance as the bookmaker's customers see it and as the game has it, near 1.
    mood: f64,
    /// Won or lost before the market is: "over 0.5 goals" after the first goal.
    verdict: Option<SelectionStatus>,
}

impl SportsbookMarket {
    /// The ladder its prices stand on: steps of 0.01.
    const LADDER: PriceLadder = PriceLadder::Decimal { step: 100 };
    /// No bookmaker offers more, however unlikely.
    const LONGEST_ODDS: f64 = 501.0;

    /// A market that nobody has heard of yet.
    pub(super) fn new(
        life: MarketLife,
        margin: f64,
        outcomes: impl IntoIterator<Item = (SelectionKey, String)>,
    ) -> Self {
        let offer = |(key, name)| Offer { key, name, price: Price::NONE, mood: 1.0, verdict: None };
        Self { life, offers: outcomes.into_iter().map(offer).collect(), margin }
    }

    /// Brings it into being; `None` when there is nothing left to bet on.
    pub(super) fn announce(
        &mut self,
        card: &FixtureCard,
        score: &str,
        in_play: bool,
        chances: &[f64],
    ) -> Option<MarketUpdate> {
        for (offer, &chance) in self.offers.iter_mut().zip(chances) {
            offer.verdict = verdict(chance);
        }
        if self.is_decided() {
            return None;
        }
        let mut update = self.life.announce(card, score, in_play, Self::LADDER);
        for (position, (offer, &chance)) in self.offers.iter_mut().zip(chances).enumerate() {
            let mut selection = SelectionUpdate::new(offer.key);
            selection.attributes = selection_attributes(&offer.name, position);
            if let Some(verdict) = offer.verdict {
                selection.fields.push((Field::SelectionStatus, verdict as u64));
            } else {
                offer.price = odds(chance * offer.mood, self.margin);
                selection.fields.push((Field::Price, u64::from(offer.price.0)));
            }
            update.selections.push(selection);
        }
        Some(update)
    }

    /// Offers what the chances are worth now, after some bets on one selection; `None` when no price moves or no bets
    /// are taken.
    pub(super) fn quote(&mut self, chances: &[f64], random: &mut Random) -> Option<MarketUpdate> {
        if !self.life.is_open() {
            return None;
        }
        let at = random.position(self.offers.len());
        if let Some(offer) = self.offers.get_mut(at) {
            offer.mood = (offer.mood + random.bell() * 0.007 - (offer.mood - 1.0) * 0.1).clamp(0.95, 1.05);
        }
        let selections = self.moved(chances);
        (!selections.is_empty()).then(|| MarketUpdate { selections, ..self.life.update() })
    }

    /// Takes no bets for now. Prices stay on show.
    pub(super) fn suspend(&mut self) -> Option<MarketUpdate> {
        self.life.turn(MarketStatus::Suspended)
    }

    /// Takes bets again at moved prices. Selections that can no longer win, or no longer lose, are decided now;
    /// when all are, the market closes instead.
    pub(super) fn reopen(&mut self, chances: &[f64], in_play: bool) -> Option<MarketUpdate> {
        if !self.life.is_suspended() {
            return None;
        }
        let mut decided = Vec::new();
        for (offer, &chance) in self.offers.iter_mut().zip(chances) {
            let Some(verdict) = verdict(chance).filter(|_| offer.verdict.is_none()) else { continue };
            (offer.verdict, offer.price) = (Some(verdict), Price::NONE);
            let mut selection = SelectionUpdate::new(offer.key);
            selection.fields.extend([(Field::SelectionStatus, verdict as u64), (Field::Price, 0)]);
            decided.push(selection);
        }
        let mut update =
            if self.is_decided() { self.life.turn(MarketStatus::Closed) } else { self.life.reopen(in_play) }?;
        update.selections = decided;
        update.selections.extend(self.moved(chances));
        Some(update)
    }

    /// Takes no bets any more.
    pub(super) fn close(&mut self) -> Option<MarketUpdate> {
        self.life.turn(MarketStatus::Closed)
    }

    /// The final result, from chances that are all 0 or 1.
    pub(super) fn settle(&mut self, chances: &[f64]) -> Option<MarketUpdate> {
        let results = self.offers.iter().zip(chances).map(|(offer, &chance)| {
            let status = if chance >= 1.0 { SelectionStatus::Winner } else { SelectionStatus::Loser };
            (offer.key, offer.verdict.unwrap_or(status))
        });
        self.life.settle(results)
    }

    /// All bets are void.
    pub(super) fn annul(&mut self) -> Option<MarketUpdate> {
        self.life.turn(MarketStatus::Void)
    }

    fn is_decided(&self) -> bool {
        self.offers.iter().all(|offer| offer.verdict.is_some())
    }

    /// Selections whose price is another one now.
    fn moved(&mut self, chances: &[f64]) -> Vec<SelectionUpdate> {
        let margin = self.margin;
        let undecided = self.offers.iter_mut().zip(chances).filter(|(offer, _)| offer.verdict.is_none());
        undecided
            .filter_map(|(offer, &chance)| {
                let price = odds(chance * offer.mood, margin);
                if price == offer.price {
                    return None;
                }
                offer.price = price;
                let mut selection = SelectionUpdate::new(offer.key);
                selection.fields.push((Field::Price, u64::from(price.0)));
                Some(selection)
            })
            .collect()
    }
}

/// Chances of exactly 0 and 1 are no chances but facts.
fn verdict(chance: f64) -> Option<SelectionStatus> {
    match chance {
        chance if chance <= 0.0 => Some(SelectionStatus::Loser),
        chance if chance >= 1.0 => Some(SelectionStatus::Winner),
        _ => None,
    }
}

/// Odds for a chance. The small constant is the favourite-longshot bias: outsiders are offered worse than they deserve.
/// Bookmakers round as exchanges do, to coarser steps where odds are long.
fn odds(chance: f64, margin: f64) -> Price {
    let fair = 1.0 / (chance * (1.0 + margin) + 0.001);
    ticks::price(ticks::at_or_below(fair.min(SportsbookMarket::LONGEST_ODDS)))
}

#[cfg(test)]
mod tests {
    use oddswire_model::{Handicap, SelectionId};

    use super::*;
    use crate::simulator::names;

    fn market() -> (SportsbookMarket, FixtureCard) {
        let card = FixtureCard {
            id: "sim.f1".to_owned(),
            sport: "football",
            competition: names::league(0),
            name: "A v B".to_owned(),
            venue: "A Park".to_owned(),
            start_ms: 0,
        };
        let outcome = |id, name: &str| {
            (SelectionKey { id: SelectionId(id), handicap: Handicap::NONE }, name.to_owned())
        };
        let life = MarketLife::new(&card.id, "x", "TEST", "Test");
        (SportsbookMarket::new(life, 0.05, [outcome(1, "Yes"), outcome(2, "No")]), card)
    }

    #[test]
    fn only_prices_that_move_are_said() {
        let (mut market, card) = market();
        let announced = market.announce(&card, "0-0", false, &[0.5, 0.5]).unwrap();
        assert!(announced.image && announced.complete_definition);
        assert_eq!(announced.selections[0].fields, [(Field::Price, 19_000)]);
        let random = &mut Random::from_seed(1);
        let moved = market.quote(&[0.6, 0.5], random).unwrap();
        assert!(moved.selections.iter().any(|selection| selection.key.id == SelectionId(1)));
        assert_eq!(moved.selections[0].fields.len(), 1);
        market.suspend().unwrap();
        assert_eq!(market.quote(&[0.9, 0.1], random), None, "a suspended market keeps its prices");
    }

    #[test]
    fn a_decided_market_closes_and_settles_once() {
        let (mut market, card) = market();
        market.announce(&card, "0-0", true, &[0.5, 0.5]).unwrap();
        market.suspend().unwrap();
        let closed = market.reopen(&[1.0, 0.0], true).unwrap();
        assert_eq!(closed.fields, [(Field::Status, MarketStatus::Closed as u64)]);
        assert!(market.settle(&[1.0, 0.0]).is_some());
        assert!(market.settle(&[1.0, 0.0]).is_none());
        assert!(market.suspend().is_none() && market.annul().is_none());
    }
}
