//! Digests, hashed here a second time from the clause alone.

use oddswire_model::{
    AttributeValue, CellKey, Field, Handicap, Market, MarketId, MarketNumber, Price, Revision, SelectionId,
    SelectionKey, SelectionNumber, View,
};
use serde_json::{Value, json};

use super::{Case, describe};

const RUNNER: SelectionNumber = SelectionNumber(0);

pub(crate) fn cases() -> Vec<Case> {
    let empty = || Market::new(MarketNumber(0), MarketId::new("1.23").unwrap(), Revision(1));
    let with_selection = |id, handicap| {
        let mut market = empty();
        let key = SelectionKey { id: SelectionId(id), handicap: Handicap(handicap) };
        market.add_selection(key, Revision(1)).unwrap();
        market
    };
    let mut of_market = empty();
    of_market.set(CellKey::market(Field::Status), 1, Revision(1));
    of_market.set(CellKey::market(Field::MarketTradedVolume), 12_345_678_901, Revision(1));
    let mut of_selection = with_selection(47_972, 0);
    of_selection.set(CellKey::selection(RUNNER, Field::LastTraded), 25_000, Revision(1));
    of_selection.set(CellKey::rung(RUNNER, Field::Back, Price(24_800)), 1_234, Revision(1));
    of_selection.set(CellKey::rung(RUNNER, Field::Lay, Price(25_200)), (1 << 53) - 1, Revision(1));
    let mut named = with_selection(47_972, 0);
    let attributes = [
        (SelectionNumber::MARKET, "name", AttributeValue::Text("Märkt".into())),
        (SelectionNumber::MARKET, "version", AttributeValue::Integer(-42)),
        (SelectionNumber::MARKET, "complete", AttributeValue::Boolean(true)),
        (SelectionNumber::MARKET, "regulators", AttributeValue::Json("[\"MR_INT\"]".into())),
        (RUNNER, "name", AttributeValue::Text("Red".into())),
    ];
    for (owner, name, value) in attributes {
        named.set_attribute(owner, &name.into(), Some(value), Revision(1));
    }
    let mut ladder = with_selection(47_972, 0);
    for (price, cents) in [(24_800, 1_234), (24_600, 5_000), (24_400, 900)] {
        ladder.set(CellKey::rung(RUNNER, Field::Back, Price(price)), cents, Revision(1));
    }
    vec![
        case("nothing", "A market without a cell, a selection or an attribute.", &empty(), View::FULL),
        case("market-cells", "Cells of the market itself: their selection is 65535.", &of_market, View::FULL),
        case(
            "selection-cells",
            "A price and two rungs, one of the largest amount.",
            &of_selection,
            View::FULL,
        ),
        case(
            "handicap",
            "A selection with a large id and a negative handicap.",
            &with_selection(0x1_2345_6789_abcd, -750),
            View::FULL,
        ),
        case("attributes", "Attributes of all four types; texts are bytes in UTF-8.", &named, View::FULL),
        case(
            "best-2-prices",
            "A digest is that of the view: two rungs, amounts hidden as 1.",
            &ladder,
            "best2-prices".parse().unwrap(),
        ),
    ]
}

fn case(name: &str, about: &str, market: &Market, view: View) -> Case {
    let mut shown = Market::new(market.number(), market.id().clone(), Revision(1));
    for selection in market.selections() {
        shown.add_selection(selection.key(), Revision(1)).unwrap();
    }
    for change in market.cells(view) {
        shown.set(change.key, change.value, Revision(1));
    }
    let owners = (0..market.selections().len()).map(|at| SelectionNumber(at as u16));
    for owner in owners.chain([SelectionNumber::MARKET]) {
        let from = market.selection(owner).map_or(market.attributes(), |selection| selection.attributes());
        for (name, value) in from.iter() {
            shown.set_attribute(owner, name, Some(value.clone()), Revision(1));
        }
    }
    let input = json!({
        "about": about,
        "clauses": ["DIG-2", "DIG-3"],
        "kind": "digest",
        "view": view.to_string(),
        "shown": describe::market(&shown),
    });
    let items = items(&shown);
    let (high, low) = items.iter().fold((0u32, 0u32), |(high, low), (_, words)| {
        (high.wrapping_add(murmur3(0x6f64_6473, words)), low.wrapping_add(murmur3(0x7769_7265, words)))
    });
    let digest = u64::from(high) << 32 | u64::from(low);
    assert_eq!(digest, market.digest(view).to_u64(), "{name}");
    let hashed: Vec<Value> = items
        .iter()
        .map(|(what, words)| {
            let hash = |seed| format!("{:08x}", murmur3(seed, words));
            json!({
                "what": what,
                "words": words.iter().map(|word| format!("{word:08x}")).collect::<Vec<_>>(),
                "hash": hash(0x6f64_6473) + &hash(0x7769_7265),
            })
        })
        .collect();
    let expected = json!({ "items": hashed, "digest": format!("{digest:016x}") });
    Case { path: format!("digest/{name}"), input, frames: Vec::new(), expected }
}

/// Everything that is hashed, with its words.
fn items(market: &Market) -> Vec<(Value, Vec<u32>)> {
    let mut items = Vec::new();
    for (at, selection) in market.selections().iter().enumerate() {
        let (key, at) = (selection.key(), at as u32);
        let words = vec![at << 8 | 0xfe, key.handicap.0 as u32, key.id.0 as u32, (key.id.0 >> 32) as u32];
        items.push((json!(["selection", at, key.id.0, key.handicap.0]), words));
    }
    let owners = (0..market.selections().len()).map(|at| SelectionNumber(at as u16));
    for owner in std::iter::once(SelectionNumber::MARKET).chain(owners) {
        let from = market.selection(owner).map_or(market.attributes(), |selection| selection.attributes());
        for (name, value) in from.iter() {
            let (letter, value_text) = match value {
                AttributeValue::Text(text) => ('t', text.to_string()),
                AttributeValue::Integer(number) => ('i', number.to_string()),
                AttributeValue::Boolean(yes) => ('b', u8::from(*yes).to_string()),
                AttributeValue::Json(text) => ('j', text.to_string()),
            };
            let text = format!("{name}\0{letter}{value_text}").into_bytes();
            let mut words = vec![u32::from(owner.0) << 8 | 0xff, text.len() as u32];
            words.extend(text.chunks(4).map(|four| {
                four.iter().enumerate().fold(0, |word, (at, &byte)| word | u32::from(byte) << (8 * at))
            }));
            items.push((describe::attribute(owner, name, Some(value)), words));
        }
    }
    for change in market.cells(View::FULL) {
        let (key, value) = (change.key, change.value);
        let words = vec![
            u32::from(key.selection.0) << 8 | key.field as u32,
            key.price.0,
            value as u32,
            (value >> 32) as u32,
        ];
        items.push((json!(["cell", format!("{:?}", key.field), key.price.0, value]), words));
    }
    items
}

fn murmur3(seed: u32, words: &[u32]) -> u32 {
    let mut hash = seed;
    for word in words {
        let word = word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
        hash = (hash ^ word).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    hash ^= 4 * words.len() as u32;
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}
