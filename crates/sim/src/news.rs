//! What happens to a market at its source.

use oddswire_model::{
    AttributeValue, CellKey, Field, LadderUpdate, MarketStatus, MarketUpdate, Price, PriceLadder,
    SelectionNumber, name,
};

use crate::{
    book::{Book, NEVER, amount, any_ladder, text},
    random::Random,
};

impl Book {
    pub(crate) fn change_price(&mut self, random: &mut Random, update: &mut MarketUpdate) {
        let number = self.any_selection(random);
        match random.below(20) {
            0..13 => {
                let field = any_ladder(random);
                let standing: Vec<Price> = self.market.selections()[usize::from(number.0)]
                    .ladder(field)
                    .rungs()
                    .iter()
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

    pub(crate) fn change_status(&mut self, random: &mut Random, update: &mut MarketUpdate) {
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

    pub(crate) fn change_attribute(&mut self, random: &mut Random, update: &mut MarketUpdate) {
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
    pub(crate) fn change_image(&mut self, random: &mut Random) -> MarketUpdate {
        let number = self.any_selection(random);
        self.market.clear_ladder(number, any_ladder(random), NEVER);
        self.put(CellKey::selection(number, Field::LastTraded), 0);
        let key = CellKey::rung(number, any_ladder(random), self.any_price(random));
        self.put(key, amount(random));
        self.image()
    }

    /// Prices stand on another ladder from now on.
    pub(crate) fn change_ladder(&mut self, random: &mut Random) -> MarketUpdate {
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
}
