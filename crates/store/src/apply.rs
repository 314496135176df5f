//! Applying one checked update to one market.

use std::sync::Arc;

use oddswire_model::{
    AttributeValue, CellKey, Field, Market, MarketUpdate, Price, Revision, SelectionNumber, SelectionUpdate,
    View,
};
use rustc_hash::FxHashSet;

/// What applying an update did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Something changed.
    pub(crate) changed: bool,
    /// Something changed that must be flushed at once.
    pub(crate) urgent: bool,
}

/// Facts about a selection that come from the definition, not from the prices.
const DEFINITION_FIELDS: [Field; 3] = [Field::SelectionStatus, Field::StartingPrice, Field::ReductionFactor];

/// Applies an update that [`crate::validate`] has accepted.
pub(crate) fn apply(market: &mut Market, update: &MarketUpdate, revision: Revision) -> Applied {
    let mut applied = Applied::default();
    let numbers: Vec<SelectionNumber> = update
        .selections
        .iter()
        .map(|selection| {
            let before = market.selections().len();
            let number =
                market.add_selection(selection.key, revision).expect("validate() counted the selections");
            applied.changed |= market.selections().len() > before;
            number
        })
        .collect();
    if update.image {
        clear_unnamed_prices(market, update, &numbers, revision, &mut applied);
    }
    for &(field, value) in &update.fields {
        set(market, CellKey::market(field), value, revision, &mut applied);
    }
    if update.complete_definition {
        clear_unnamed_attributes(market, SelectionNumber::MARKET, &update.attributes, revision, &mut applied);
    }
    for (name, value) in &update.attributes {
        applied.changed |= market.set_attribute(SelectionNumber::MARKET, name, value.clone(), revision);
    }
    for (selection, &number) in update.selections.iter().zip(&numbers) {
        if update.complete_definition {
            clear_unnamed_attributes(market, number, &selection.attributes, revision, &mut applied);
            for field in DEFINITION_FIELDS {
                if !selection.fields.iter().any(|&(named, _)| named == field) {
                    set(market, CellKey::selection(number, field), 0, revision, &mut applied);
                }
            }
        }
        apply_selection(market, number, selection, revision, &mut applied);
    }
    applied
}

fn apply_selection(
    market: &mut Market,
    number: SelectionNumber,
    update: &SelectionUpdate,
    revision: Revision,
    applied: &mut Applied,
) {
    for &(field, value) in &update.fields {
        set(market, CellKey::selection(number, field), value, revision, applied);
    }
    for (name, value) in &update.attributes {
        applied.changed |= market.set_attribute(number, name, value.clone(), revision);
    }
    for ladder in &update.ladders {
        if ladder.replace {
            let standing = market.selections()[usize::from(number.0)].ladder(ladder.field).rungs().iter();
            let gone: Vec<Price> = standing
                .map(|rung| rung.price)
                .filter(|price| !ladder.rungs.iter().any(|&(named, volume)| named == *price && volume > 0))
                .collect();
            for price in gone {
                set(market, CellKey::rung(number, ladder.field, price), 0, revision, applied);
            }
        }
        for &(price, volume) in &ladder.rungs {
            set(market, CellKey::rung(number, ladder.field, price), volume, revision, applied);
        }
    }
}

/// An image names every price and amount there is; the others are gone.
fn clear_unnamed_prices(
    market: &mut Market,
    update: &MarketUpdate,
    numbers: &[SelectionNumber],
    revision: Revision,
    applied: &mut Applied,
) {
    let mut named: FxHashSet<CellKey> = FxHashSet::default();
    named.extend(update.fields.iter().map(|&(field, _)| CellKey::market(field)));
    for (selection, &number) in update.selections.iter().zip(numbers) {
        named.extend(selection.fields.iter().map(|&(field, _)| CellKey::selection(number, field)));
        for ladder in &selection.ladders {
            named.extend(ladder.rungs.iter().map(|&(price, _)| CellKey::rung(number, ladder.field, price)));
        }
    }
    let mut gone = Vec::new();
    market.visit_cells(View::FULL, |key, _| {
        let is_definition = DEFINITION_FIELDS.contains(&key.field)
            || matches!(key.field, Field::Status | Field::InPlay | Field::Held | Field::PriceLadder);
        if !is_definition && !named.contains(&key) {
            gone.push(key);
        }
    });
    for key in gone {
        set(market, key, 0, revision, applied);
    }
}

fn clear_unnamed_attributes(
    market: &mut Market,
    owner: SelectionNumber,
    named: &[(Arc<str>, Option<AttributeValue>)],
    revision: Revision,
    applied: &mut Applied,
) {
    let attributes = match market.selection(owner) {
        Some(selection) => selection.attributes(),
        None => market.attributes(),
    };
    let gone: Vec<Arc<str>> = attributes
        .iter()
        .filter(|(name, _)| !named.iter().any(|(other, _)| other == *name))
        .map(|(name, _)| name.clone())
        .collect();
    for name in gone {
        applied.changed |= market.set_attribute(owner, &name, None, revision);
    }
}

pub(crate) fn set(market: &mut Market, key: CellKey, value: u64, revision: Revision, applied: &mut Applied) {
    if market.set(key, value, revision) != value {
        applied.changed = true;
        applied.urgent |= key.field.is_urgent();
    }
}
