//! Checks of a commit before any of it is applied, so that a commit is taken whole or not at all.

use std::sync::Arc;

use oddswire_model::{
    AttributeValue, Commit, Field, FieldKind, MAX_SELECTIONS, Market, MarketId, MarketStatus, MarketUpdate,
    Price, PriceLadder, SelectionKey, SelectionStatus, Volume,
};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::refusal::{Reason, Refusal};

/// Most markets in one commit: an image of 200 markets is common, ten times that is not.
pub const MAX_MARKETS_PER_COMMIT: usize = 2_048;
/// Most changes in one commit: the largest recorded image has 15,000; 2^18 leaves room and bounds the work.
pub const MAX_CHANGES_PER_COMMIT: usize = 1 << 18;
/// Most rungs of one ladder: Betfair's has 350 ticks; two-decimal ladders show a few hundred.
pub const MAX_RUNGS: usize = 2_048;
/// Most attributes of one market or selection; Betfair's definitions have about 30.
pub const MAX_ATTRIBUTES: usize = 96;
/// Longest attribute value in bytes, and a quarter of it for names.
pub const MAX_ATTRIBUTE_BYTES: usize = 1_024;

/// Checks everything that can be checked without applying.
pub(crate) fn validate<'a>(
    commit: &Commit,
    market: impl Fn(&MarketId) -> Option<&'a Market>,
) -> Result<(), Refusal> {
    let mut changes = 0usize;
    let mut named: FxHashMap<&MarketId, Named> = FxHashMap::default();
    for (at, update) in commit.markets.iter().enumerate() {
        if at >= MAX_MARKETS_PER_COMMIT {
            let reason = Reason::TooManyMarkets(commit.markets.len());
            return Err(Refusal::named(&update.id, "markets", reason));
        }
        let existing = market(&update.id);
        changes += update_changes(update);
        if changes > MAX_CHANGES_PER_COMMIT {
            return Err(Refusal::named(&update.id, "commit", Reason::TooManyChanges(MAX_CHANGES_PER_COMMIT)));
        }
        validate_market(update, existing)?;
        let named = named.entry(&update.id).or_default();
        named.total += update.selections.len();
        let standing = existing.map_or(0, |market| market.selections().len());
        if standing + named.total > MAX_SELECTIONS {
            // Only now is it worth counting which of them are new.
            let is_new =
                |key: &SelectionKey| existing.is_none_or(|market| market.selection_number(*key).is_none());
            let from = named.new.as_ref().map_or(0, |_| at);
            let same = commit.markets[from..=at].iter().filter(|other| other.id == update.id);
            let keys = same.flat_map(|other| &other.selections).map(|selection| selection.key);
            let new = named.new.get_or_insert_default();
            new.extend(keys.filter(is_new));
            if standing + new.len() > MAX_SELECTIONS {
                let reason = Reason::TooManySelections(standing + new.len());
                return Err(Refusal::named(&update.id, "selections", reason));
            }
        }
    }
    Ok(())
}

/// What a commit has said of a market's selections so far; the market may stand in it several times.
#[derive(Default)]
struct Named {
    total: usize,
    /// Those that the market does not have yet, once it matters.
    new: Option<FxHashSet<SelectionKey>>,
}

fn update_changes(update: &MarketUpdate) -> usize {
    let of_selections = update.selections.iter().map(|selection| {
        let rungs: usize = selection.ladders.iter().map(|ladder| ladder.rungs.len() + 1).sum();
        1 + selection.fields.len() + selection.attributes.len() + rungs
    });
    1 + update.fields.len() + update.attributes.len() + of_selections.sum::<usize>()
}

fn validate_market(update: &MarketUpdate, existing: Option<&Market>) -> Result<(), Refusal> {
    let id = &update.id;
    let mut ladder = existing.map_or(PriceLadder::DEFAULT, Market::price_ladder);
    for &(field, value) in &update.fields {
        let refuse = |reason| Err(Refusal::field(id, field, reason));
        match field {
            Field::Status if MarketStatus::from_code(value).is_none() => {
                return refuse(Reason::UnknownStatus(value));
            }
            Field::InPlay if value > 1 => return refuse(Reason::OutOfRange(value)),
            // Holding is the store's own decision, made when a producer falls silent.
            Field::Held => return refuse(Reason::Misplaced),
            Field::MarketTradedVolume if value > Volume::MAX.0 => {
                return refuse(Reason::VolumeOutOfRange(value));
            }
            Field::PriceLadder => match PriceLadder::from_code(value) {
                Some(declared) => ladder = declared,
                None => return refuse(Reason::UnknownPriceLadder(value)),
            },
            field if field.kind() != FieldKind::Market => return refuse(Reason::Misplaced),
            _ => {}
        }
    }
    validate_attributes(id, &update.attributes)?;
    if update.selections.len() > MAX_SELECTIONS {
        return Err(Refusal::named(id, "selections", Reason::TooManySelections(update.selections.len())));
    }
    for selection in &update.selections {
        for &(field, value) in &selection.fields {
            validate_value(field, value, ladder).map_err(|reason| Refusal::field(id, field, reason))?;
        }
        validate_attributes(id, &selection.attributes)?;
        for update in &selection.ladders {
            let refuse = |reason| Err(Refusal::field(id, update.field, reason));
            if update.field.kind() != FieldKind::Ladder {
                return refuse(Reason::Misplaced);
            }
            let standing = match existing.and_then(|m| m.selection(m.selection_number(selection.key)?)) {
                Some(held) if !update.replace => held.ladder(update.field).prices_kept(),
                _ => 0,
            };
            if standing + update.rungs.len() > MAX_RUNGS {
                return refuse(Reason::TooManyRungs(standing + update.rungs.len()));
            }
            for &(price, volume) in &update.rungs {
                // Taking a rung away is harmless at any price.
                if volume > 0 {
                    validate_odds(u64::from(price.0), ladder)
                        .map_err(|reason| Refusal::field(id, update.field, reason))?;
                }
                if volume > Volume::MAX.0 {
                    return refuse(Reason::VolumeOutOfRange(volume));
                }
            }
        }
    }
    Ok(())
}

fn validate_value(field: Field, value: u64, ladder: PriceLadder) -> Result<(), Reason> {
    match field {
        _ if field.kind() != FieldKind::Selection => Err(Reason::Misplaced),
        _ if value == 0 => Ok(()),
        Field::SelectionStatus => {
            SelectionStatus::from_code(value).map(|_| ()).ok_or(Reason::UnknownStatus(value))
        }
        Field::Price | Field::LastTraded => validate_odds(value, ladder),
        Field::NearPrice | Field::FarPrice | Field::StartingPrice
            if value == u64::from(Price::INFINITE.0) =>
        {
            Ok(())
        }
        // Projections may be 1.0: every bet is on the same side.
        Field::NearPrice | Field::FarPrice | Field::StartingPrice if value < u64::from(Price::INFINITE.0) => {
            Ok(())
        }
        Field::NearPrice | Field::FarPrice | Field::StartingPrice => Err(Reason::PriceOutOfRange(value)),
        Field::TradedVolume if value > Volume::MAX.0 => Err(Reason::VolumeOutOfRange(value)),
        Field::ReductionFactor if value > u64::from(u32::MAX) => Err(Reason::OutOfRange(value)),
        _ => Ok(()),
    }
}

fn validate_odds(value: u64, ladder: PriceLadder) -> Result<(), Reason> {
    if value >= u64::from(Price::INFINITE.0) {
        return Err(Reason::PriceOutOfRange(value));
    }
    if value <= u64::from(Price::ONE.0) && !matches!(ladder, PriceLadder::Line { .. }) {
        return Err(Reason::PriceNotAboveOne(value));
    }
    Ok(())
}

fn validate_attributes(
    id: &MarketId,
    attributes: &[(Arc<str>, Option<AttributeValue>)],
) -> Result<(), Refusal> {
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(Refusal::named(id, "attributes", Reason::TooManyAttributes(attributes.len())));
    }
    for (name, value) in attributes {
        if name.is_empty() {
            return Err(Refusal::named(id, "attributes", Reason::NameMissing));
        }
        let size = value.as_ref().map_or(0, AttributeValue::size_bytes);
        if size > MAX_ATTRIBUTE_BYTES || name.len() > MAX_ATTRIBUTE_BYTES / 4 {
            return Err(Refusal::named(id, name, Reason::TextTooLong(size.max(name.len()))));
        }
        if let Some(AttributeValue::Integer(number)) = value
            && number.unsigned_abs() > Volume::MAX.0
        {
            return Err(Refusal::named(id, name, Reason::OutOfRange(number.unsigned_abs())));
        }
    }
    Ok(())
}
