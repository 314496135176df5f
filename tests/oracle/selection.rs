//! One selection: its prices, and how a runner change acts on them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::definition::Terms;
use super::elements;
use super::number::{Quote, cents, cents_to_json, price};
use super::view::View;

/// The newest state of one selection.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    /// What the market definition says of it.
    pub(super) terms: Terms,
    /// What runner changes have said since the last image.
    pub(super) prices: Prices,
}

/// The part of a selection that an image replaces.
#[derive(Debug, Clone, Default)]
pub(super) struct Prices {
    last_traded: Quote,
    near_price: Quote,
    far_price: Quote,
    traded_volume: u64,
    available_to_back: Ladder,
    available_to_lay: Ladder,
    traded: Ladder,
    sp_back: Ladder,
    sp_lay: Ladder,
    best_back: Levels,
    best_lay: Levels,
    display_back: Levels,
    display_lay: Levels,
}

/// Cents by price in ten-thousandths.
type Ladder = BTreeMap<u32, u64>;

/// Price and cents by level; level 0 is the best.
type Levels = BTreeMap<u64, (u32, u64)>;

impl Prices {
    /// Applies one element of `rc`; true if it spoke of the full ladders.
    pub(super) fn apply(&mut self, runner: &Value) -> bool {
        let mut full_depth = false;
        for (field, value) in runner.as_object().into_iter().flatten() {
            match field.as_str() {
                "ltp" => replace(&mut self.last_traded, Quote::read(value)),
                "spn" => replace(&mut self.near_price, Quote::read(value)),
                "spf" => replace(&mut self.far_price, Quote::read(value)),
                "tv" => replace(&mut self.traded_volume, cents(value)),
                "atb" => full_depth |= apply_amounts(&mut self.available_to_back, value),
                "atl" => full_depth |= apply_amounts(&mut self.available_to_lay, value),
                "trd" => _ = apply_amounts(&mut self.traded, value),
                "spb" => _ = apply_amounts(&mut self.sp_back, value),
                "spl" => _ = apply_amounts(&mut self.sp_lay, value),
                "batb" => apply_levels(&mut self.best_back, value),
                "batl" => apply_levels(&mut self.best_lay, value),
                "bdatb" => apply_levels(&mut self.display_back, value),
                "bdatl" => apply_levels(&mut self.display_lay, value),
                _ => {}
            }
        }
        full_depth
    }
}

impl Selection {
    /// The selection as JSON; `full_depth` says whether its market's full ladders are known.
    pub(super) fn to_json(&self, id: i64, handicap: Value, full_depth: bool, view: View) -> Value {
        let Self { terms, prices } = self;
        let (back, lay) = if full_depth {
            (rungs(&prices.available_to_back), rungs(&prices.available_to_lay))
        } else {
            (level_rungs(&prices.best_back), level_rungs(&prices.best_lay))
        };
        let quote = |shown: bool, quote: Quote| if shown { quote.to_json() } else { Value::Null };
        json!({
            "id": id,
            "handicap": handicap,
            "status": terms.status,
            // A price without a book behind it is a sportsbook's; an exchange has none.
            "price": null,
            "last_traded": prices.last_traded.to_json(),
            "traded_volume": cents_to_json(if view.shows_traded_volume() { prices.traded_volume } else { 0 }),
            "back": view.offers(highest_first(back)),
            "lay": view.offers(lay),
            "traded": view.depth_only(rungs(&prices.traded)),
            "near_price": quote(view.shows_projected_prices(), prices.near_price),
            "far_price": quote(view.shows_projected_prices(), prices.far_price),
            "starting_price": terms.starting_price.to_json(),
            "reduction_factor": terms.reduction_factor.to_json(),
            "sp_back": view.depth_only(rungs(&prices.sp_back)),
            "sp_lay": view.depth_only(rungs(&prices.sp_lay)),
            "display_back": view.offers(highest_first(level_rungs(&prices.display_back))),
            "display_lay": view.offers(level_rungs(&prices.display_lay)),
        })
    }
}

/// One price of a ladder, in ten-thousandths, and the cents at it.
pub(super) type Rung = (u32, u64);

/// A ladder's rungs, lowest price first.
fn rungs(ladder: &Ladder) -> Vec<Rung> {
    ladder.iter().map(|(&price, &size)| (price, size)).collect()
}

/// Levels as rungs, lowest price first. While levels move, one price may stand at two of them; a ladder has it
/// once, with the amount of the better level.
fn level_rungs(levels: &Levels) -> Vec<Rung> {
    let mut seen = BTreeSet::new();
    let mut rungs: Vec<Rung> = levels.values().copied().filter(|&(price, _)| seen.insert(price)).collect();
    rungs.sort_unstable();
    rungs
}

/// Who lays wants the lowest price and who backs the highest, so only the back ladders turn round.
fn highest_first(mut rungs: Vec<Rung>) -> Vec<Rung> {
    rungs.reverse();
    rungs
}

fn replace<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

/// Applies `[[price, size], ..]`, where size 0 removes; true if any entry counted.
fn apply_amounts(ladder: &mut Ladder, entries: &Value) -> bool {
    let mut applied = false;
    for entry in elements(entries) {
        let (Some(price), Some(size)) = (price(&entry[0]), cents(&entry[1])) else { continue };
        if size == 0 {
            ladder.remove(&price);
        } else {
            ladder.insert(price, size);
        }
        applied = true;
    }
    applied
}

/// Applies `[[level, price, size], ..]`, where size 0 or price 0 removes.
fn apply_levels(levels: &mut Levels, entries: &Value) {
    for entry in elements(entries) {
        let (Some(level), Some(price), Some(size)) = (entry[0].as_u64(), price(&entry[1]), cents(&entry[2]))
        else {
            continue;
        };
        if size == 0 || price == 0 {
            levels.remove(&level);
        } else {
            levels.insert(level, (price, size));
        }
    }
}
