//! What is true of one market at its source, and how it changes.
//!
//! A book applies every change to its own copy with nothing but [`Market::set`], so that the store's ideas of images
//! and complete definitions are checked against an independent reading of them.

use std::sync::Arc;

use oddswire_model::{
    AttributeValue, CellKey, Field, Handicap, LadderUpdate, Market, MarketId, MarketNumber, MarketStatus,
    MarketUpdate, Price, PriceLadder, Revision, SelectionId, SelectionKey, SelectionNumber, SelectionStatus,
    SelectionUpdate, name,
};

use crate::random::Random;

/// Books do not count revisions.
pub(crate) const NEVER: Revision = Revision(0);
/// Facts about a selection that an image leaves alone and a complete definition clears.
const DEFINITION_FIELDS: [Field; 3] = [Field::SelectionStatus, Field::StartingPrice, Field::ReductionFactor];

/// A market at its source.
#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) market: Market,
    /// It is settled or void and does not change any more.
    pub(crate) is_finished: bool,
}

impl Book {
    /// A new market. `selections` is at least the number that a market of this id had before.
    pub(crate) fn new(id: MarketId, selections: usize, rungs: u64, random: &mut Random) -> Self {
        let mut book = Self { market: Market::new(MarketNumber(0), id, NEVER), is_finished: false };
        let ladder = *random.pick(&[
            PriceLadder::Betfair,
            PriceLadder::Betfair,
            PriceLadder::DEFAULT,
            PriceLadder::Decimal { step: 50 },
            PriceLadder::Line { step: 5_000 },
        ]);
        book.put(CellKey::market(Field::PriceLadder), ladder.to_code());
        book.put(CellKey::market(Field::Status), MarketStatus::Open as u64);
        book.name(SelectionNumber::MARKET, name::FIXTURE, text("f", random.below(3)));
        book.name(SelectionNumber::MARKET, name::MARKET_TYPE, text("T", random.below(3)));
        book.name(SelectionNumber::MARKET, name::SPORT, Some(AttributeValue::Integer(7)));
        for at in 0..selections {
            let number = book.add_selection(at);
            for _ in 0..random.below(rungs) {
                let (field, price) = (any_ladder(random), book.any_price(random));
                book.put(CellKey::rung(number, field, price), amount(random));
            }
        }
        book
    }

    /// Something happens; the update says what.
    pub(crate) fn change(&mut self, random: &mut Random) -> MarketUpdate {
        let mut update = MarketUpdate::new(self.market.id().clone());
        match random.below(100) {
            0..68 => {
                for _ in 0..random.between(1, 5) {
                    self.change_price(random, &mut update);
                }
            }
            68..78 => self.change_status(random, &mut update),
            78..82 => {
                let number = self.any_selection(random);
                let status = *random.pick(&[
                    SelectionStatus::Active,
                    SelectionStatus::Suspended,
                    SelectionStatus::Removed,
                ]);
                let key = CellKey::selection(number, Field::SelectionStatus);
                self.set(&mut update, key, status as u64);
                let factor = random.below(5_000);
                self.set(&mut update, CellKey::selection(number, Field::ReductionFactor), factor);
            }
            82..85 => {
                let at = self.market.selections().len();
                let number = self.add_selection(at);
                self.selection(&mut update, number);
                let key = CellKey::rung(number, Field::Back, self.any_price(random));
                self.set(&mut update, key, amount(random));
            }
            85..91 => self.change_attribute(random, &mut update),
            91..93 => {
                let fixture = text("f", random.below(3));
                self.attribute(&mut update, SelectionNumber::MARKET, name::FIXTURE, fixture);
            }
            93..96 => return self.change_image(random),
            96..98 => {
                let number = self.any_selection(random);
                self.name(number, name::NAME, None);
                return self.definition();
            }
            98 => return self.change_ladder(random),
            _ => {}
        }
        // Removed rungs are of no interest to the source.
        self.market.purge(NEVER);
        update
    }

    /// The market is over.
    pub(crate) fn settle(&mut self, random: &mut Random) -> MarketUpdate {
        let mut update = MarketUpdate::new(self.market.id().clone());
        let status = if random.below(5) == 0 { MarketStatus::Void } else { MarketStatus::Settled };
        self.set(&mut update, CellKey::market(Field::Status), status as u64);
        for at in 0..self.market.selections().len() {
            let result = if at == 0 { SelectionStatus::Winner } else { SelectionStatus::Loser };
            let key = CellKey::selection(SelectionNumber(at as u16), Field::SelectionStatus);
            self.set(&mut update, key, result as u64);
        }
        self.is_finished = true;
        update
    }

    /// Everything there is to say.
    pub(crate) fn image(&self) -> MarketUpdate {
        let mut update = self.definition();
        update.image = true;
        for field in [Field::Status, Field::InPlay, Field::MarketTradedVolume, Field::PriceLadder] {
            update.fields.push((field, self.market.value(field)));
        }
        for (at, said) in update.selections.iter_mut().enumerate() {
            let selection = &self.market.selections()[at];
            let prices = Field::SELECTION.into_iter().filter(|field| !DEFINITION_FIELDS.contains(field));
            said.fields.extend(prices.map(|field| (field, selection.value(field))));
            for field in Field::LADDERS {
                let rungs: Vec<_> =
                    selection.ladder(field).rungs().iter().map(|rung| (rung.price, rung.volume)).collect();
                if !rungs.is_empty() {
                    said.ladders.push(LadderUpdate { field, replace: false, rungs });
                }
            }
        }
        update
    }

    /// Every attribute and every fact about selections.
    fn definition(&self) -> MarketUpdate {
        let mut update = MarketUpdate::new(self.market.id().clone());
        update.complete_definition = true;
        let all = |attributes: &oddswire_model::Attributes| {
            attributes.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect()
        };
        update.attributes = all(self.market.attributes());
        for selection in self.market.selections() {
            let mut said = SelectionUpdate::new(selection.key());
            said.attributes = all(selection.attributes());
            for field in DEFINITION_FIELDS {
                // Leaving out what is absent says the same, and must do the same.
                if selection.value(field) != 0 {
                    said.fields.push((field, selection.value(field)));
                }
            }
            update.selections.push(said);
        }
        update
    }

    pub(crate) fn any_selection(&self, random: &mut Random) -> SelectionNumber {
        SelectionNumber(random.index(self.market.selections().len()) as u16)
    }

    pub(crate) fn any_price(&self, random: &mut Random) -> Price {
        let price = match self.market.price_ladder() {
            // One price in a while stands beside its ladder.
            _ if random.below(40) == 0 => Some(Price(20_001 + random.below(10) as u32)),
            PriceLadder::Betfair if random.below(60) == 0 => Some(Price(10_000_000)),
            PriceLadder::Betfair => PriceLadder::Betfair.price(80 + random.below(40) as u32),
            ladder @ (PriceLadder::Decimal { step } | PriceLadder::Line { step }) => {
                ladder.price(20_000 / step + random.below(40) as u32)
            }
        };
        price.unwrap_or(Price(20_000))
    }

    fn add_selection(&mut self, at: usize) -> SelectionNumber {
        let handicap = if at % 4 == 3 { Handicap(-750) } else { Handicap::NONE };
        let key = SelectionKey { id: SelectionId(47_972 + at as u64), handicap };
        let number = self.market.add_selection(key, NEVER).unwrap_or(SelectionNumber(0));
        self.name(number, name::SORT_PRIORITY, Some(AttributeValue::Integer(at as i64)));
        number
    }

    pub(crate) fn put(&mut self, key: CellKey, value: u64) {
        self.market.set(key, value, NEVER);
    }

    pub(crate) fn name(&mut self, owner: SelectionNumber, name: &str, value: Option<AttributeValue>) {
        self.market.set_attribute(owner, &Arc::from(name), value, NEVER);
    }

    pub(crate) fn attribute(
        &mut self,
        update: &mut MarketUpdate,
        owner: SelectionNumber,
        name: &str,
        value: Option<AttributeValue>,
    ) {
        self.name(owner, name, value.clone());
        let said = match owner {
            SelectionNumber::MARKET => &mut update.attributes,
            number => &mut self.selection(update, number).attributes,
        };
        said.push((name.into(), value));
    }

    pub(crate) fn set(&mut self, update: &mut MarketUpdate, key: CellKey, value: u64) {
        self.put(key, value);
        if key.selection == SelectionNumber::MARKET {
            update.fields.push((key.field, value));
            return;
        }
        let selection = self.selection(update, key.selection);
        if key.price == Price::NONE {
            selection.fields.push((key.field, value));
        } else {
            let rungs = vec![(key.price, value)];
            selection.ladders.push(LadderUpdate { field: key.field, replace: false, rungs });
        }
    }

    /// What the update says of a selection so far.
    pub(crate) fn selection<'a>(
        &self,
        update: &'a mut MarketUpdate,
        number: SelectionNumber,
    ) -> &'a mut SelectionUpdate {
        let selection = &self.market.selections()[usize::from(number.0)];
        let key = selection.key();
        let at = update.selections.iter().position(|said| said.key == key).unwrap_or_else(|| {
            update.selections.push(SelectionUpdate::new(key));
            update.selections.len() - 1
        });
        &mut update.selections[at]
    }
}

pub(crate) fn text(prefix: &str, number: u64) -> Option<AttributeValue> {
    Some(AttributeValue::Text(format!("{prefix}{number}").into()))
}

pub(crate) fn any_ladder(random: &mut Random) -> Field {
    match random.below(10) {
        0..4 => Field::Back,
        4..8 => Field::Lay,
        _ => *random.pick(&Field::LADDERS),
    }
}

pub(crate) fn amount(random: &mut Random) -> u64 {
    match random.below(50) {
        0 => (1 << 53) - 1,
        1 => 1,
        _ => random.between(2, 50_000),
    }
}
