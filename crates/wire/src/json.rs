//! A market as JSON: the snapshot endpoint, and a form for people.
//!
//! Prices are decimals, amounts are decimals of the currency, ladders are best first. An absent price is `null`,
//! an absent amount is 0; amounts that a view does not show are `null`.

use oddswire_model::{AttributeValue, Attributes, Epoch, Field, Ladder, Market, Price, Selection, View};
use serde_json::{Map, Value, json};

/// The market as a view shows it.
pub fn market(epoch: Epoch, market: &Market, view: View) -> Value {
    let mut selections: Vec<&Selection> = market.selections().iter().collect();
    selections.sort_by_key(|selection| selection.key());
    json!({
        "market": market.id().as_str(),
        "epoch": epoch.to_string(),
        "revision": market.revision().0,
        "status": market.status().as_str(),
        "in_play": market.in_play(),
        "held": market.value(Field::Held) != 0,
        "published_ms": market.published_ms(),
        "traded_volume": amount(shown(market.value(Field::MarketTradedVolume), Field::MarketTradedVolume, view)),
        "definition": attributes(market.attributes()),
        "selections": selections.into_iter().map(|selection| one_selection(selection, view)).collect::<Vec<_>>(),
    })
}

fn one_selection(selection: &Selection, view: View) -> Value {
    let key = selection.key();
    let price_of = |field| match view.shows(field) {
        true => price(selection.price(field)),
        false => Value::Null,
    };
    let ladder_of = |field| ladder(selection.ladder(field), field, view);
    json!({
        "id": key.id.0,
        "handicap": number(key.handicap.to_decimal()),
        "status": selection.status().as_str(),
        "price": price_of(Field::Price),
        "last_traded": price_of(Field::LastTraded),
        "traded_volume": amount(shown(selection.value(Field::TradedVolume), Field::TradedVolume, view)),
        "back": ladder_of(Field::Back),
        "lay": ladder_of(Field::Lay),
        "traded": ladder_of(Field::Traded),
        "near_price": price_of(Field::NearPrice),
        "far_price": price_of(Field::FarPrice),
        "starting_price": price_of(Field::StartingPrice),
        "reduction_factor": price_of(Field::ReductionFactor),
        "sp_back": ladder_of(Field::SpBack),
        "sp_lay": ladder_of(Field::SpLay),
        "display_back": ladder_of(Field::DisplayBack),
        "display_lay": ladder_of(Field::DisplayLay),
        "definition": attributes(selection.attributes()),
    })
}

fn shown(value: u64, field: Field, view: View) -> u64 {
    if view.shows(field) { value } else { 0 }
}

fn ladder(ladder: &Ladder, field: Field, view: View) -> Value {
    let rungs = ladder.rungs().iter().take(view.rungs(field));
    rungs
        .map(|rung| {
            let volume = if view.volumes() { amount(rung.volume) } else { Value::Null };
            Value::Array(vec![price(rung.price), volume])
        })
        .collect()
}

fn price(price: Price) -> Value {
    match price {
        Price::NONE => Value::Null,
        Price::INFINITE => "Infinity".into(),
        price => number(price.to_decimal()),
    }
}

fn amount(cents: u64) -> Value {
    number(cents as f64 / 100.0)
}

/// Whole numbers without a fraction, as people write them.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 { Value::from(value as i64) } else { Value::from(value) }
}

fn attributes(attributes: &Attributes) -> Value {
    let entries = attributes.iter().map(|(name, value)| {
        let value = match value {
            AttributeValue::Text(text) => Value::from(text.as_ref()),
            AttributeValue::Integer(number) => Value::from(*number),
            AttributeValue::Boolean(yes) => Value::from(*yes),
            AttributeValue::Json(json) => {
                serde_json::from_str(json).unwrap_or_else(|_| Value::from(json.as_ref()))
            }
        };
        (name.as_ref().to_owned(), value)
    });
    Value::Object(entries.collect::<Map<_, _>>())
}
