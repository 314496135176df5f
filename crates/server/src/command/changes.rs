//! Changes of markets in words: what was, what is.

use std::collections::BTreeMap;

use oddswire_delta::{ApplyError, Base, MarketDelta, apply, start};
use oddswire_model::{
    AttributeValue, CellKey, Field, FieldKind, Handicap, Market, MarketNumber, MarketStatus, Price,
    PriceLadder, Selection, SelectionNumber, SelectionStatus, name,
};
use serde_json::{Value, json};

/// Copies of markets, so that a change can be told together with what was before it.
#[derive(Debug, Default)]
pub(super) struct Copies {
    markets: BTreeMap<MarketNumber, Market>,
}

/// One value that changed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    /// The selection's name, or its id; `None` for the market itself.
    pub(super) selection: Option<String>,
    /// The field or the attribute.
    pub(super) field: String,
    /// The price of a ladder's rung.
    pub(super) price: Option<Price>,
    /// What was, where that is known.
    pub(super) old: Option<Value>,
    /// What is; null when it is gone.
    pub(super) new: Value,
}

impl Copies {
    /// A market as it is held.
    pub(super) fn get(&self, number: MarketNumber) -> Option<&Market> {
        self.markets.get(&number)
    }

    /// The number of the only market held.
    pub(super) fn only(&self) -> Option<MarketNumber> {
        self.markets.keys().next().copied().filter(|_| self.markets.len() == 1)
    }

    /// Puts a whole market in place.
    pub(super) fn put(&mut self, market: Market) {
        self.markets.insert(market.number(), market);
    }

    /// Forgets a market.
    pub(super) fn remove(&mut self, number: MarketNumber) -> Option<Market> {
        self.markets.remove(&number)
    }

    /// Applies a change and tells what it changes. For a snapshot that is everything it holds, without what was before.
    pub(super) fn take(&mut self, change: &MarketDelta) -> Result<Vec<Change>, ApplyError> {
        if change.base == Base::Nothing {
            let market = start(change)?;
            let told = tell(change, &market, |_| None);
            self.put(market);
            return Ok(told);
        }
        let market = self.markets.get_mut(&change.market).ok_or(ApplyError::Nameless)?;
        let old: Vec<u64> = change.cells.iter().map(|cell| market.get(cell.key)).collect();
        let mut emptied = Vec::new();
        for &(selection, field) in &change.cleared {
            let rungs = market.selection(selection).into_iter().flat_map(|held| held.ladder(field).rungs());
            emptied.extend(rungs.map(|rung| (CellKey::rung(selection, field, rung.price), rung.volume)));
        }
        apply(market, change)?;
        // A rung that was emptied and set again to what it was has not changed; one that was not set again is gone.
        let mut told = tell(change, market, |at| Some(old[at]));
        for (key, volume) in emptied {
            if market.get(key) == 0 {
                told.push(cell(market, key, Some(volume), 0));
            }
        }
        Ok(told)
    }
}

/// What a change says, without what was before.
pub(super) fn tell_blind(change: &MarketDelta, market: &Market) -> Vec<Change> {
    tell(change, market, |_| None)
}

fn tell(change: &MarketDelta, market: &Market, old: impl Fn(usize) -> Option<u64>) -> Vec<Change> {
    let mut told = Vec::new();
    for attribute in &change.attributes {
        told.push(Change {
            selection: selection_name(market, attribute.owner),
            field: attribute.name.as_ref().to_owned(),
            price: None,
            old: None,
            new: attribute.value.as_ref().map_or(Value::Null, attribute_value),
        });
    }
    for (at, changed) in change.cells.iter().enumerate() {
        let old = old(at);
        if old != Some(changed.value) {
            told.push(cell(market, changed.key, old, changed.value));
        }
    }
    told
}

fn cell(market: &Market, key: CellKey, old: Option<u64>, new: u64) -> Change {
    let is_rung = key.field.kind() == FieldKind::Ladder;
    Change {
        selection: selection_name(market, key.selection),
        field: field_name(key.field).to_owned(),
        price: is_rung.then_some(key.price),
        old: old.map(|old| value(key.field, old)),
        new: value(key.field, new),
    }
}

impl Change {
    /// The change as a line's end: selection, field, price, old and new.
    pub(super) fn text(&self) -> String {
        let selection = self.selection.as_ref().map_or(String::new(), |name| format!("{name}  "));
        let price = self.price.map_or(String::new(), |price| format!(" at {price}"));
        let old = self.old.as_ref().map_or(String::new(), |old| format!("{} -> ", plain(old)));
        format!("{selection}{}{price}: {old}{}", self.field, plain(&self.new))
    }

    /// The change as JSON.
    pub(super) fn json(&self) -> Value {
        let mut object = json!({ "selection": self.selection, "field": self.field });
        if let Some(price) = self.price {
            object["price"] = price_value(price);
        }
        if let Some(old) = &self.old {
            object["old"] = old.clone();
        }
        object["new"] = self.new.clone();
        object
    }
}

/// Name of a field, as in the JSON of a market.
pub(super) fn field_name(field: Field) -> &'static str {
    match field {
        Field::Status | Field::SelectionStatus => "status",
        Field::InPlay => "in_play",
        Field::Held => "held",
        Field::MarketTradedVolume | Field::TradedVolume => "traded_volume",
        Field::PriceLadder => "price_ladder",
        Field::Price => "price",
        Field::LastTraded => "last_traded",
        Field::NearPrice => "near_price",
        Field::FarPrice => "far_price",
        Field::StartingPrice => "starting_price",
        Field::ReductionFactor => "reduction_factor",
        Field::Back => "back",
        Field::Lay => "lay",
        Field::Traded => "traded",
        Field::SpBack => "sp_back",
        Field::SpLay => "sp_lay",
        Field::DisplayBack => "display_back",
        Field::DisplayLay => "display_lay",
    }
}

/// The name of a market for people: fixture and market, or the id where the feed gives no names.
pub(super) fn market_title(market: &Market) -> String {
    let text = |name: &str| market.attributes().get(name).and_then(AttributeValue::as_text);
    let market_name = text(name::NAME).or(text(name::MARKET_TYPE));
    let title = match (text(name::FIXTURE_NAME), market_name) {
        (Some(fixture), Some(market)) => format!("{fixture} / {market}"),
        (Some(name), None) | (None, Some(name)) => format!("{} {name}", market.id()),
        (None, None) => market.id().to_string(),
    };
    printable(&title)
}

/// The name of a selection for people; `None` for the market itself.
pub(super) fn selection_name(market: &Market, number: SelectionNumber) -> Option<String> {
    if number == SelectionNumber::MARKET {
        return None;
    }
    Some(match market.selection(number) {
        Some(selection) => selection_title(selection),
        None => format!("selection number {}", number.0),
    })
}

/// The name of a selection, with its handicap where the name does not say it.
pub(super) fn selection_title(selection: &Selection) -> String {
    let key = selection.key();
    let Some(name) = selection.attributes().get(name::NAME).and_then(AttributeValue::as_text) else {
        return key.to_string();
    };
    let handicap = key.handicap.to_decimal();
    let is_said = key.handicap == Handicap::NONE || name.contains(&handicap.abs().to_string());
    if is_said { printable(name) } else { format!("{} {handicap:+}", printable(name)) }
}

/// Names come from outside; a control character in one could command the terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The value of a cell, as in the JSON of a market.
pub(super) fn value(field: Field, value: u64) -> Value {
    let price = |value: u64| price_value(Price(u32::try_from(value).unwrap_or(u32::MAX)));
    match field {
        Field::Status => MarketStatus::from_code(value).map_or(json!(value), |status| json!(status.as_str())),
        Field::SelectionStatus => {
            SelectionStatus::from_code(value).map_or(json!(value), |status| json!(status.as_str()))
        }
        Field::InPlay | Field::Held => json!(value != 0),
        Field::PriceLadder => match PriceLadder::from_code(value) {
            Some(ladder) => json!(format!("{ladder:?}").to_lowercase()),
            None => json!(value),
        },
        Field::Price
        | Field::LastTraded
        | Field::NearPrice
        | Field::FarPrice
        | Field::StartingPrice
        | Field::ReductionFactor => price(value),
        _ if value == 0 => Value::Null,
        _ => number(value as f64 / 100.0),
    }
}

/// A price as a decimal; null when there is none.
pub(super) fn price_value(price: Price) -> Value {
    match price {
        Price::NONE => Value::Null,
        Price::INFINITE => "Infinity".into(),
        price => number(price.to_decimal()),
    }
}

/// Whole numbers without a fraction, as people write them.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 { json!(value as i64) } else { json!(value) }
}

/// The value of an attribute.
pub(super) fn attribute_value(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Text(text) => json!(text.as_ref()),
        AttributeValue::Integer(number) => json!(number),
        AttributeValue::Boolean(yes) => json!(yes),
        AttributeValue::Json(text) => {
            serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_ref()))
        }
    }
}

/// A value without quotes; nothing is a dash.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => printable(text),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use oddswire_delta::{catch_up, diff, snapshot};
    use oddswire_model::{MarketId, Revision, SelectionId, SelectionKey, View};

    use super::*;

    fn market() -> (Market, SelectionNumber) {
        let mut market = Market::new(MarketNumber(3), MarketId::new("1.1").unwrap(), Revision(1));
        let key = SelectionKey { id: SelectionId(7), handicap: Handicap::NONE };
        let runner = market.add_selection(key, Revision(1)).unwrap();
        market.set(CellKey::rung(runner, Field::Back, Price(25_000)), 1_000, Revision(1));
        market.set(CellKey::rung(runner, Field::Back, Price(24_800)), 500, Revision(1));
        market.touch(Revision(1), 0);
        (market, runner)
    }

    #[test]
    fn changes_are_told_with_what_was_before() {
        let (mut market, runner) = market();
        let (mut copies, mut change) = (Copies::default(), MarketDelta::default());
        snapshot(&market, View::FULL, &mut change);
        assert_eq!(copies.take(&change).unwrap()[0].text(), "7  back at 2.5: 10");
        let before = market.clone();
        market.set(CellKey::rung(runner, Field::Back, Price(25_000)), 0, Revision(2));
        market.set(CellKey::market(Field::Status), MarketStatus::Open as u64, Revision(2));
        diff(&before, &market, View::FULL, &mut change);
        let told: Vec<_> = copies.take(&change).unwrap().iter().map(Change::text).collect();
        assert_eq!(told, ["status: SUSPENDED -> OPEN", "7  back at 2.5: 10 -> -"]);
        assert!(copies.take(&change).is_err(), "its base has passed");
    }

    #[test]
    fn a_window_that_is_sent_again_tells_only_what_changed() {
        let (mut market, runner) = market();
        let (mut copies, mut change) = (Copies::default(), MarketDelta::default());
        snapshot(&market, View::best(2), &mut change);
        copies.take(&change).unwrap();
        market.set(CellKey::rung(runner, Field::Back, Price(25_000)), 0, Revision(2));
        market.touch(Revision(2), 0);
        catch_up(&market, Revision(1), View::best(2), &mut change);
        let told: Vec<_> = copies.take(&change).unwrap().iter().map(Change::text).collect();
        assert_eq!(told, ["7  back at 2.5: 10 -> -"]);
    }
}
