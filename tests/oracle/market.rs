//! One market and how a market change acts on it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::definition::{Definition, Terms};
use super::elements;
use super::number::{cents, cents_to_json, handicap_to_json, ten_thousandths_signed};
use super::selection::{Prices, Selection};
use super::view::View;

/// The newest state of one market.
#[derive(Debug, Clone)]
pub struct OracleMarket {
    id: String,
    definition: Option<Definition>,
    traded_volume: u64,
    /// Whether the full ladders (`atb`, `atl`) have been sent since the last image. A subscription carries the
    /// full ladders, the best levels, or both; where both come, the full ladders are the truth.
    full_depth: bool,
    /// By id and handicap in ten-thousandths, the order in which selections are printed.
    selections: BTreeMap<(i64, i64), Selection>,
}

impl OracleMarket {
    pub(super) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            definition: None,
            traded_volume: 0,
            full_depth: false,
            selections: BTreeMap::new(),
        }
    }

    /// Applies one element of a message's `mc`.
    pub(super) fn apply(&mut self, change: &Value) {
        if change["img"].as_bool() == Some(true) {
            self.forget_prices();
        }
        let definition = &change["marketDefinition"];
        if definition.is_object() {
            self.define(definition);
        }
        if let Some(volume) = cents(&change["tv"]) {
            self.traded_volume = volume;
        }
        // One selection may stand several times in `rc`: historic files send each side of the book on its own.
        for runner in elements(&change["rc"]) {
            let Some(key) = key(runner) else { continue };
            self.full_depth |= self.selections.entry(key).or_default().prices.apply(runner);
        }
    }

    /// An image replaces all price data. Selections stay, because receivers refer to them for ever, and so do
    /// the definition and what it says of them, because an image need not repeat it.
    fn forget_prices(&mut self) {
        self.traded_volume = 0;
        self.full_depth = false;
        for selection in self.selections.values_mut() {
            selection.prices = Prices::default();
        }
    }

    /// A definition replaces the one before. A selection that it leaves out keeps its last terms.
    fn define(&mut self, definition: &Value) {
        self.definition = Some(Definition::read(definition));
        for runner in elements(&definition["runners"]) {
            let Some(key) = key(runner) else { continue };
            self.selections.entry(key).or_default().terms = Terms::read(runner);
        }
    }

    /// The whole market as JSON, in the form that the engine prints.
    pub fn to_json(&self) -> Value {
        self.to_json_view(View::Full)
    }

    /// What a view shows of the market; what it does not show reads as null, empty or 0.
    pub fn to_json_view(&self, view: View) -> Value {
        let selections: Vec<Value> = self
            .selections
            .iter()
            .map(|(&(id, handicap), selection)| {
                selection.to_json(id, handicap_to_json(handicap), self.full_depth, view)
            })
            .collect();
        json!({
            "market": self.id,
            "status": self.definition.map_or("SUSPENDED", |definition| definition.status),
            "in_play": self.definition.is_some_and(|definition| definition.in_play),
            "selections": selections,
            "traded_volume": cents_to_json(if view.shows_traded_volume() { self.traded_volume } else { 0 }),
        })
    }
}

/// Identity of a runner: id and handicap, where a missing or null handicap is 0.
fn key(runner: &Value) -> Option<(i64, i64)> {
    Some((runner["id"].as_i64()?, ten_thousandths_signed(&runner["hc"]).unwrap_or(0)))
}
