//! An exchange's market: a book per selection, whose prices follow the chances with a mind of their own.

use oddswire_model::{
    Field, MarketStatus, MarketUpdate, PriceLadder, SelectionKey, SelectionStatus, SelectionUpdate,
};

use super::{
    book_side::Side,
    exchange_book::Book,
    fixture::{FixtureCard, selection_attributes},
    market_life::MarketLife,
    random::Random,
    stakes::Stakes,
    ticks,
};

/// How much happens in one message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bustle {
    /// Most selections a message touches.
    pub(super) touches: u64,
    /// Chance that after one thing at a selection another one follows.
    pub(super) more: f64,
    /// Chance that somebody takes an offer at a selection.
    pub(super) trade: f64,
}

/// A market with full ladders.
#[derive(Debug)]
pub(super) struct ExchangeMarket {
    pub(super) life: MarketLife,
    lines: Vec<Line>,
    stakes: Stakes,
    said_traded_cents: u64,
}

/// A selection and its book.
#[derive(Debug)]
struct Line {
    key: SelectionKey,
    name: String,
    book: Book,
    /// Factor between the chance as the market sees it and as the game has it, near 1.
    mood: f64,
    removed: bool,
}

impl Line {
    /// Longest and shortest chance a price is made for; beyond them the ladder ends anyway.
    const CHANCES: (f64, f64) = (0.0005, 0.9999);

    /// The tick at or below the fair price.
    fn fair(&self, chance: f64) -> u16 {
        let (least, most) = Self::CHANCES;
        ticks::at_or_below(1.0 / (chance * self.mood).clamp(least, most))
    }
}

impl ExchangeMarket {
    /// A market that nobody has heard of yet. `liquidity` scales its stakes.
    pub(super) fn new(
        life: MarketLife,
        liquidity: u64,
        outcomes: impl IntoIterator<Item = (SelectionKey, String)>,
    ) -> Self {
        let line = |(key, name)| Line { key, name, book: Book::new(), mood: 1.0, removed: false };
        let lines = outcomes.into_iter().map(line).collect();
        Self { life, lines, stakes: Stakes::new(liquidity), said_traded_cents: 0 }
    }

    /// Brings it into being with books that have stood for a while.
    pub(super) fn announce(
        &mut self,
        card: &FixtureCard,
        score: &str,
        in_play: bool,
        chances: &[f64],
        random: &mut Random,
    ) -> MarketUpdate {
        let mut update = self.life.announce(card, score, in_play, PriceLadder::Betfair);
        for (position, (line, &chance)) in self.lines.iter_mut().zip(chances).enumerate() {
            let fair = line.fair(chance);
            line.book.trade_earlier(fair, &mut self.stakes, random);
            line.book.fill(fair, &mut self.stakes, random);
            let said = line.book.take_update(line.key);
            let mut selection = said.unwrap_or_else(|| SelectionUpdate::new(line.key));
            selection.attributes = selection_attributes(&line.name, position);
            update.selections.push(selection);
        }
        self.note_traded(&mut update);
        update
    }

    /// One message's worth of offers and trades; `None` when nothing changed or no bets are taken.
    pub(super) fn trade(
        &mut self,
        chances: &[f64],
        bustle: Bustle,
        random: &mut Random,
    ) -> Option<MarketUpdate> {
        if !self.life.is_open() {
            return None;
        }
        let mut touches = 1;
        while touches < bustle.touches && random.chance(bustle.more) {
            touches += 1;
        }
        for _ in 0..touches {
            // Most money is on favourites, but everything trades now and then.
            let at = if random.chance(0.6) {
                random.by_weight(chances)
            } else {
                random.position(self.lines.len())
            };
            let (Some(line), Some(&chance)) = (self.lines.get_mut(at), chances.get(at)) else { continue };
            if line.removed {
                continue;
            }
            line.mood = (line.mood + random.bell() * 0.002_5 - (line.mood - 1.0) * 0.04).clamp(0.9, 1.1);
            line.book.follow(line.fair(chance), &mut self.stakes, random);
            if random.chance(bustle.trade) {
                let side = if random.chance(0.5) { Side::Back } else { Side::Lay };
                line.book.take(side, self.stakes.draw(random));
            }
            line.book.stir(&mut self.stakes, random);
            while random.chance(bustle.more) {
                line.book.stir(&mut self.stakes, random);
            }
        }
        let mut update = self.life.update();
        self.gather(&mut update);
        (!update.selections.is_empty()).then_some(update)
    }

    /// Takes no bets for now. After a goal (`clear`) nobody's offer may stand.
    pub(super) fn suspend(&mut self, clear: bool) -> Option<MarketUpdate> {
        let update = self.life.turn(MarketStatus::Suspended);
        self.emptied(update, clear)
    }

    /// Takes bets again, with thin new books where the old ones are gone.
    pub(super) fn reopen(
        &mut self,
        chances: &[f64],
        in_play: bool,
        random: &mut Random,
    ) -> Option<MarketUpdate> {
        let mut update = self.life.reopen(in_play)?;
        for (line, &chance) in self.lines.iter_mut().zip(chances).filter(|(line, _)| !line.removed) {
            let fair = line.fair(chance);
            if line.book.is_empty() {
                line.book.fill(fair, &mut self.stakes, random);
            } else {
                line.book.follow(fair, &mut self.stakes, random);
            }
        }
        self.gather(&mut update);
        Some(update)
    }

    /// A selection is withdrawn while the market is suspended.
    pub(super) fn remove(&mut self, position: usize) {
        if let Some(line) = self.lines.get_mut(position) {
            line.removed = true;
        }
    }

    /// Identity of a selection, unless it was removed.
    pub(super) fn running(&self, position: usize) -> Option<SelectionKey> {
        self.lines.get(position).filter(|line| !line.removed).map(|line| line.key)
    }

    /// Takes no bets any more.
    pub(super) fn close(&mut self) -> Option<MarketUpdate> {
        let update = self.life.turn(MarketStatus::Closed);
        self.emptied(update, true)
    }

    /// The final result, one status per selection; removed ones stay removed.
    pub(super) fn settle(&mut self, results: impl Iterator<Item = SelectionStatus>) -> Option<MarketUpdate> {
        let pairs = self.lines.iter().zip(results).filter(|(line, _)| !line.removed);
        self.life.settle(pairs.map(|(line, status)| (line.key, status)))
    }

    /// All bets are void.
    pub(super) fn annul(&mut self) -> Option<MarketUpdate> {
        let update = self.life.turn(MarketStatus::Void);
        self.emptied(update, true)
    }

    fn emptied(&mut self, update: Option<MarketUpdate>, clear: bool) -> Option<MarketUpdate> {
        let mut update = update?;
        if clear {
            self.lines.iter_mut().for_each(|line| line.book.clear());
            self.gather(&mut update);
        }
        Some(update)
    }

    /// Adds what changed in the books.
    fn gather(&mut self, update: &mut MarketUpdate) {
        update.selections.extend(self.lines.iter_mut().filter_map(|line| line.book.take_update(line.key)));
        self.note_traded(update);
    }

    fn note_traded(&mut self, update: &mut MarketUpdate) {
        let traded_cents = self.lines.iter().map(|line| line.book.traded_cents()).sum();
        if traded_cents != self.said_traded_cents {
            self.said_traded_cents = traded_cents;
            update.fields.push((Field::MarketTradedVolume, traded_cents));
        }
    }
}

#[cfg(test)]
mod tests {
    use oddswire_model::{Handicap, SelectionId};

    use super::*;
    use crate::simulator::names;

    #[test]
    fn a_goal_empties_the_books_and_reopening_fills_them() {
        let card = FixtureCard {
            id: "sim.f1".to_owned(),
            sport: "football",
            competition: names::league(0),
            name: "A v B".to_owned(),
            venue: "A Park".to_owned(),
            start_ms: 0,
        };
        let outcome =
            |id| (SelectionKey { id: SelectionId(id), handicap: Handicap::NONE }, format!("Team {id}"));
        let life = MarketLife::new(&card.id, "mo", "MATCH_ODDS", "Match Odds");
        let mut market = ExchangeMarket::new(life, 3, [outcome(1), outcome(2)]);
        let mut random = Random::from_seed(1);
        let announced = market.announce(&card, "0-0", true, &[0.5, 0.5], &mut random);
        assert!(announced.fields.contains(&(Field::PriceLadder, PriceLadder::Betfair.to_code())));
        let suspended = market.suspend(true).unwrap();
        let emptied = suspended.selections.iter().flat_map(|selection| &selection.ladders);
        assert!(
            emptied.clone().count() == 4
                && emptied.clone().all(|ladder| ladder.replace && ladder.rungs.is_empty())
        );
        let bustle = Bustle { touches: 2, more: 0.5, trade: 0.5 };
        assert_eq!(market.trade(&[0.5, 0.5], bustle, &mut random), None, "nothing trades while suspended");
        let reopened = market.reopen(&[0.8, 0.2], true, &mut random).unwrap();
        assert!(reopened.selections.iter().all(|selection| !selection.ladders[0].rungs.is_empty()));
    }
}
