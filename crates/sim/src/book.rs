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
const NEVER: Revision = Revision(0);
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
                    selection.ladder(field).rungs().map(|rung| (rung.price, rung.volume)).collect();
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

    fn change_price(&mut self, random: &mut Random, update: &mut MarketUpdate) {
        let number = self.any_selection(random);
        match random.below(20) {
            0..13 => {
                let field = any_ladder(random);
                let standing: Vec<Price> = self.market.selections()[usize::from(number.0)]
                    .ladder(field)
                    .rungs()
                    .map(|rung| rung.price)
                    .collect();
                if !standing.is_empty() && random.below(3) > 0 {
                    let price = *random.pick(&standing);
                    let cents = if random.below(2) == 0 { 0 } else { amount(random) };
                    self.set(update, CellKey::rung(number, field, price), cents);
                } else {
                    let price = self.any_price(random);
                    self.set(update, CellKey::rung(number, field, price), amount(random));
                }
            }
            13 => {
                let (field, price, cents) = (any_ladder(random), self.any_price(random), amount(random));
                self.market.clear_ladder(number, field, NEVER);
                self.put(CellKey::rung(number, field, price), cents);
                let ladder = LadderUpdate { field, replace: true, rungs: vec![(price, cents)] };
                // Said after what the update says of the ladder already, so that it has the last word.
                self.selection(update, number).ladders.push(ladder);
            }
            14 => {
                let price = u64::from(self.any_price(random).0);
                self.set(update, CellKey::selection(number, Field::LastTraded), price);
            }
            15 => {
                let traded = self.market.value(Field::MarketTradedVolume) + random.below(1_000_000);
                self.set(update, CellKey::market(Field::MarketTradedVolume), traded);
                self.set(update, CellKey::selection(number, Field::TradedVolume), amount(random));
            }
            16 => {
                let field = *random.pick(&[Field::NearPrice, Field::FarPrice, Field::StartingPrice]);
                let price = *random.pick(&[0, 15_000, 23_456, u64::from(Price::INFINITE.0)]);
                self.set(update, CellKey::selection(number, field), price);
            }
            _ => {
                let price = if random.below(6) == 0 { 0 } else { u64::from(self.any_price(random).0) };
                self.set(update, CellKey::selection(number, Field::Price), price);
            }
        }
    }

    fn change_status(&mut self, random: &mut Random, update: &mut MarketUpdate) {
        let is_open = self.market.value(Field::Status) == MarketStatus::Open as u64;
        let status = if is_open { MarketStatus::Suspended } else { MarketStatus::Open };
        self.set(update, CellKey::market(Field::Status), status as u64);
        if random.below(3) == 0 {
            self.set(update, CellKey::market(Field::InPlay), random.below(2));
        }
        if random.below(3) == 0 {
            self.change_price(random, update);
        }
    }

    fn change_attribute(&mut self, random: &mut Random, update: &mut MarketUpdate) {
        let owner = if random.below(2) == 0 { SelectionNumber::MARKET } else { self.any_selection(random) };
        let name = *random.pick(&[name::NAME, name::SCORE, "note", "regulators"]);
        let value = match random.below(5) {
            0 => None,
            1 => Some(AttributeValue::Integer(random.below(1 << 53) as i64 - (1 << 52))),
            2 => Some(AttributeValue::Boolean(random.below(2) == 0)),
            3 => Some(AttributeValue::Json("[\"MR_INT\"]".into())),
            _ => text("Ünïcode ", random.below(1_000)),
        };
        self.attribute(update, owner, name, value);
    }

    /// Some prices go and some come, and all of them are said again.
    fn change_image(&mut self, random: &mut Random) -> MarketUpdate {
        let number = self.any_selection(random);
        self.market.clear_ladder(number, any_ladder(random), NEVER);
        self.put(CellKey::selection(number, Field::LastTraded), 0);
        let key = CellKey::rung(number, any_ladder(random), self.any_price(random));
        self.put(key, amount(random));
        self.image()
    }

    /// Prices stand on another ladder from now on.
    fn change_ladder(&mut self, random: &mut Random) -> MarketUpdate {
        let ladder = *random.pick(&[
            PriceLadder::Betfair,
            PriceLadder::Decimal { step: 100 },
            PriceLadder::Decimal { step: 500 },
            PriceLadder::Line { step: 2_500 },
        ]);
        let mut update = MarketUpdate::new(self.market.id().clone());
        self.set(&mut update, CellKey::market(Field::PriceLadder), ladder.to_code());
        for _ in 0..3 {
            self.change_price(random, &mut update);
        }
        update
    }

    fn any_selection(&self, random: &mut Random) -> SelectionNumber {
        SelectionNumber(random.index(self.market.selections().len()) as u16)
    }

    fn any_price(&self, random: &mut Random) -> Price {
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

    fn put(&mut self, key: CellKey, value: u64) {
        self.market.set(key, value, NEVER);
    }

    fn name(&mut self, owner: SelectionNumber, name: &str, value: Option<AttributeValue>) {
        self.market.set_attribute(owner, &Arc::from(name), value, NEVER);
    }

    fn attribute(
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

    fn set(&mut self, update: &mut MarketUpdate, key: CellKey, value: u64) {
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
    fn selection<'a>(
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

fn text(prefix: &str, number: u64) -> Option<AttributeValue> {
    Some(AttributeValue::Text(format!("{prefix}{number}").into()))
}

fn any_ladder(random: &mut Random) -> Field {
    match random.below(10) {
        0..4 => Field::Back,
        4..8 => Field::Lay,
        _ => *random.pick(&Field::LADDERS),
    }
}

fn amount(random: &mut Random) -> u64 {
    match random.below(50) {
        0 => (1 << 53) - 1,
        1 => 1,
        _ => random.between(2, 50_000),
    }
}
