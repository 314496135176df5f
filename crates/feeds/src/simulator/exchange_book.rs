//! One selection's order book on an exchange. It is never crossed: no price is available to back that is not below
//! every price available to lay.

use std::collections::BTreeMap;

use oddswire_model::{Field, LadderUpdate, Price, SelectionKey, SelectionUpdate};

use super::{
    book_side::{BookSide, Side},
    random::Random,
    stakes::Stakes,
    ticks,
};

/// Fewer rungs than this on a side attract new offers.
const THINNEST: usize = 5;
/// With more rungs than this on a side, offers move up rather than come in.
const CROWDED: usize = 14;
/// Most rungs one message takes when the price runs away; the next message takes the rest.
const MOST_TAKEN: usize = 4;

/// Offers, and what has been traded.
#[derive(Debug)]
pub(super) struct Book {
    back: BookSide,
    lay: BookSide,
    traded: BTreeMap<u16, u64>,
    traded_cents: u64,
    last_traded: Option<u16>,
    /// Cells touched since the last update, with what they were before it.
    touched: Vec<(Field, u16, u64)>,
    said_traded_cents: u64,
    said_last_traded: Option<u16>,
    /// Both sides are new as a whole.
    replaced: bool,
}

impl Book {
    /// A book without offers.
    pub(super) fn new() -> Self {
        Self {
            back: BookSide::new(Side::Back),
            lay: BookSide::new(Side::Lay),
            traded: BTreeMap::new(),
            traded_cents: 0,
            last_traded: None,
            touched: Vec::new(),
            said_traded_cents: 0,
            said_last_traded: None,
            replaced: false,
        }
    }

    /// Amount traded in cents.
    pub(super) fn traded_cents(&self) -> u64 {
        self.traded_cents
    }

    /// Whether nothing is offered.
    pub(super) fn is_empty(&self) -> bool {
        self.back.is_empty() && self.lay.is_empty()
    }

    /// Takes every offer away.
    pub(super) fn clear(&mut self) {
        self.replaced |= !self.is_empty();
        self.back.clear();
        self.lay.clear();
    }

    /// A book as it stands some time after opening, around the tick below the fair price.
    pub(super) fn fill(&mut self, fair: u16, stakes: &mut Stakes, random: &mut Random) {
        self.replaced = true;
        for side in [Side::Back, Side::Lay] {
            let mut tick = Some(side.target(fair));
            for _ in 0..random.between(6, 14) {
                let Some(at) = tick else { break };
                self.add(side, at, stakes.draw(random));
                tick = side.worse(at, if random.chance(0.85) { 1 } else { random.between(2, 3) as u16 });
            }
        }
    }

    /// Trades that happened before anybody watched.
    pub(super) fn trade_earlier(&mut self, fair: u16, stakes: &mut Stakes, random: &mut Random) {
        for _ in 0..random.between(4, 20) {
            let tick = (fair + random.below(9) as u16).saturating_sub(4).min(ticks::LAST);
            self.note_trade(tick, stakes.draw(random));
        }
    }

    /// Follows the fair price: offers on the wrong side of it are taken or withdrawn, and new ones come up to it.
    pub(super) fn follow(&mut self, fair: u16, stakes: &mut Stakes, random: &mut Random) {
        for side in [Side::Back, Side::Lay] {
            for _ in 0..MOST_TAKEN {
                let Some(best) = self.side(side).best() else { break };
                if !side.is_better(best.tick, side.target(fair)) {
                    break;
                }
                if random.chance(0.4) { self.take(side, best.cents) } else { self.set(side, best.tick, 0, 0) }
            }
        }
        for side in [Side::Back, Side::Lay] {
            let slack = [0, 0, 0, 0, 1, 1, 2][random.position(7)];
            let mut tick = side.worse(side.target(fair), slack);
            for _ in 0..MOST_TAKEN {
                let Some(at) = tick else { break };
                if self.side(side).best().is_some_and(|best| !side.is_better(at, best.tick))
                    || random.chance(0.25)
                {
                    break;
                }
                self.add(side, at, stakes.draw(random));
                tick = side.worse(at, 1);
                if self.side(side).len() > CROWDED {
                    // New offers at the best price are mostly old ones that moved up.
                    let moved = self.side(side).rung(random.between(1, 9) as usize).map(|rung| rung.tick);
                    moved.into_iter().for_each(|tick| self.set(side, tick, 0, 0));
                }
            }
            if self.side(side).len() < THINNEST {
                self.deepen(side, stakes, random);
            }
        }
    }

    /// One thing somebody does near the best price: more, less, a new rung or one gone.
    pub(super) fn stir(&mut self, stakes: &mut Stakes, random: &mut Random) {
        let side = if random.chance(0.5) { Side::Back } else { Side::Lay };
        let rank = match random.below(100) {
            0..25 => 0,
            25..66 => random.between(1, 2),
            66..95 => random.between(3, 9),
            _ => random.between(10, 24),
        } as usize;
        let length = self.side(side).len();
        let Some(rung) = self.side(side).rung(rank.min(length.saturating_sub(1))) else { return };
        match random.below(100) {
            0..40 => self.add(side, rung.tick, stakes.draw(random)),
            40..72 if rung.cents > rung.last_added => {
                self.set(side, rung.tick, rung.cents - rung.last_added, rung.last_added);
            }
            40..72 => self.set(side, rung.tick, stakes.draw(random), rung.last_added),
            72..80 if length > THINNEST => self.set(side, rung.tick, 0, 0),
            _ => {
                let beside = side.worse(rung.tick, 1).filter(|&tick| self.side(side).cents(tick) == 0);
                match beside {
                    Some(tick) => self.add(side, tick, stakes.draw(random)),
                    None => self.deepen(side, stakes, random),
                }
            }
        }
    }

    /// Somebody takes what is offered at the best price of a side, up to an amount.
    pub(super) fn take(&mut self, side: Side, cents: u64) {
        let Some(best) = self.side(side).best() else { return };
        let cents = cents.min(best.cents);
        self.set(side, best.tick, best.cents - cents, best.last_added);
        self.note_trade(best.tick, cents);
    }

    /// What changed since the last call; `None` when nothing did.
    pub(super) fn take_update(&mut self, key: SelectionKey) -> Option<SelectionUpdate> {
        let mut update = SelectionUpdate::new(key);
        if self.last_traded != self.said_last_traded {
            self.said_last_traded = self.last_traded;
            let price = self.last_traded.map_or(0, |tick| ticks::price(tick).0);
            update.fields.push((Field::LastTraded, u64::from(price)));
        }
        if self.traded_cents != self.said_traded_cents {
            self.said_traded_cents = self.traded_cents;
            update.fields.push((Field::TradedVolume, self.traded_cents));
        }
        for field in [Field::Back, Field::Lay, Field::Traded] {
            let whole = self.replaced && field != Field::Traded;
            let rungs = match field {
                Field::Back if whole => self.back.offers(),
                Field::Lay if whole => self.lay.offers(),
                _ => self.changed(field),
            };
            if whole || !rungs.is_empty() {
                update.ladders.push(LadderUpdate { field, replace: whole, rungs });
            }
        }
        self.touched.clear();
        self.replaced = false;
        (!update.fields.is_empty() || !update.ladders.is_empty()).then_some(update)
    }

    fn changed(&self, field: Field) -> Vec<(Price, u64)> {
        let of_field = self.touched.iter().filter(|(touched, ..)| *touched == field);
        of_field
            .filter_map(|&(_, tick, before)| {
                let cents = match field {
                    Field::Back => self.back.cents(tick),
                    Field::Lay => self.lay.cents(tick),
                    _ => self.traded.get(&tick).copied().unwrap_or(0),
                };
                (cents != before).then(|| (ticks::price(tick), cents))
            })
            .collect()
    }

    /// An exchange counts both sides of a bet, so twice the stake is traded.
    fn note_trade(&mut self, tick: u16, cents: u64) {
        let traded = self.traded.entry(tick).or_default();
        note(&mut self.touched, Field::Traded, tick, *traded);
        *traded += 2 * cents;
        self.traded_cents += 2 * cents;
        self.last_traded = Some(tick);
    }

    /// Adds offers behind the last ones.
    fn deepen(&mut self, side: Side, stakes: &mut Stakes, random: &mut Random) {
        let Some(last) = self.side(side).last() else { return };
        if let Some(tick) = side.worse(last.tick, random.between(1, 2) as u16) {
            self.add(side, tick, stakes.draw(random));
        }
    }

    fn add(&mut self, side: Side, tick: u16, cents: u64) {
        self.set(side, tick, self.side(side).cents(tick) + cents, cents);
    }

    /// Sets an amount, unless that would cross the book.
    fn set(&mut self, side: Side, tick: u16, cents: u64, last_added: u64) {
        let (own, other, field) = match side {
            Side::Back => (&mut self.back, &self.lay, Field::Back),
            Side::Lay => (&mut self.lay, &self.back, Field::Lay),
        };
        if other.best().is_some_and(|other| tick == other.tick || side.is_better(tick, other.tick)) {
            return;
        }
        let (before, dropped) = own.set(tick, cents, last_added);
        note(&mut self.touched, field, tick, before);
        if let Some(dropped) = dropped {
            note(&mut self.touched, field, dropped.tick, dropped.cents);
        }
    }

    fn side(&self, side: Side) -> &BookSide {
        match side {
            Side::Back => &self.back,
            Side::Lay => &self.lay,
        }
    }
}

/// Remembers what a cell was, the first time it is touched.
fn note(touched: &mut Vec<(Field, u16, u64)>, field: Field, tick: u16, before: u64) {
    if !touched.iter().any(|&(other, at, _)| (other, at) == (field, tick)) {
        touched.push((field, tick, before));
    }
}

#[cfg(test)]
mod tests {
    use oddswire_model::{Handicap, SelectionId};

    use super::*;

    const KEY: SelectionKey = SelectionKey { id: SelectionId(1), handicap: Handicap::NONE };

    #[test]
    fn a_book_is_never_crossed_nor_too_deep_wherever_the_price_runs() {
        let (mut book, mut stakes, mut random) = (Book::new(), Stakes::new(2), Random::from_seed(5));
        book.fill(100, &mut stakes, &mut random);
        for _ in 0..5_000 {
            let fair = random.below(350) as u16;
            book.follow(fair, &mut stakes, &mut random);
            book.stir(&mut stakes, &mut random);
            if let (Some(back), Some(lay)) = (book.back.best(), book.lay.best()) {
                assert!(back.tick < lay.tick);
            }
            assert!(book.back.len() <= BookSide::DEEPEST && book.lay.len() <= BookSide::DEEPEST);
            assert_eq!(book.traded.values().sum::<u64>(), book.traded_cents);
        }
    }

    #[test]
    fn a_trade_leaves_the_best_rung_and_counts_twice() {
        let mut book = Book::new();
        book.add(Side::Lay, 10, 500);
        book.take_update(KEY);
        book.take(Side::Lay, 200);
        let update = book.take_update(KEY).unwrap();
        let price = ticks::price(10);
        assert_eq!(update.fields, [(Field::LastTraded, u64::from(price.0)), (Field::TradedVolume, 400)]);
        assert_eq!(update.ladders[0].rungs, [(price, 300)]);
        assert_eq!(update.ladders[1].rungs, [(price, 400)]);
        assert_eq!(book.take_update(KEY), None);
    }
}
