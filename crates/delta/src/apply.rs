//! The receiver's side.

use oddswire_model::{FieldKind, MAX_SELECTIONS, Market, MarketNumber, Revision, SelectionNumber};

use crate::delta::{Base, MarketDelta};

/// Why a change does not fit. The receiver keeps what it holds and asks for the market again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// A snapshot where a delta is needed or the other way round; a mistake in the caller's code.
    #[error("a snapshot starts a market, other changes are applied to one")]
    Misused,
    /// The change is about another market; a mistake in the caller's code.
    #[error("the change is about market {0}")]
    OtherMarket(MarketNumber),
    /// Its base is not what is held.
    #[error("the change is measured against {base}, but {held} is held")]
    WrongBase {
        /// Its base.
        base: Revision,
        /// What is held.
        held: Revision,
    },
    /// It would take the market back.
    #[error("the change leads to {revision}, but {held} is held")]
    Backwards {
        /// Where it leads.
        revision: Revision,
        /// What is held.
        held: Revision,
    },
    /// A snapshot without the market's id.
    #[error("the snapshot does not say which market it is")]
    Nameless,
    /// A cell or attribute of a selection that does not exist, or selections that do not join up.
    #[error("the change names selection number {0}, which the market does not have")]
    UnknownSelection(u16),
    /// More selections than a market can have.
    #[error("the change names more selections than a market can have")]
    TooManySelections,
}

/// Makes a market of a snapshot.
///
/// # Errors
/// When it is not a snapshot or contradicts itself.
pub fn start(snapshot: &MarketDelta) -> Result<Market, ApplyError> {
    if snapshot.base != Base::Nothing {
        return Err(ApplyError::Misused);
    }
    let id = snapshot.id.clone().ok_or(ApplyError::Nameless)?;
    let mut market = Market::new(snapshot.market, id, snapshot.revision);
    check_selections(&market, snapshot)?;
    put(&mut market, snapshot);
    Ok(market)
}

/// Applies a delta or a catch-up: all of it, or nothing of it.
///
/// # Errors
/// When it does not fit; the market is then untouched.
pub fn apply(market: &mut Market, change: &MarketDelta) -> Result<(), ApplyError> {
    if change.market != market.number() {
        return Err(ApplyError::OtherMarket(change.market));
    }
    let held = market.revision();
    match change.base {
        Base::Nothing => return Err(ApplyError::Misused),
        Base::At(base) if base != held => return Err(ApplyError::WrongBase { base, held }),
        Base::Since(base) if base > held => return Err(ApplyError::WrongBase { base, held }),
        Base::At(_) | Base::Since(_) => {}
    }
    if change.revision < held {
        return Err(ApplyError::Backwards { revision: change.revision, held });
    }
    check_selections(market, change)?;
    put(market, change);
    Ok(())
}

fn check_selections(market: &Market, change: &MarketDelta) -> Result<(), ApplyError> {
    let held = market.selections().len();
    let first = usize::from(change.first_selection);
    let mut count = held;
    if !change.selections.is_empty() {
        if first > held {
            return Err(ApplyError::UnknownSelection(change.first_selection));
        }
        count = count.max(first + change.selections.len());
        if count > MAX_SELECTIONS {
            return Err(ApplyError::TooManySelections);
        }
        // A catch-up may name selections that are held already; they must be the same ones, at the same numbers.
        for (at, key) in change.selections.iter().enumerate() {
            let number = first + at;
            let known = market.selection_number(*key).map(|number| usize::from(number.0));
            let again = change.selections[..at].contains(key);
            if again || known.is_some_and(|known| known != number) || (number < held && known.is_none()) {
                return Err(ApplyError::UnknownSelection(number as u16));
            }
        }
    }
    let missing = |number: SelectionNumber| usize::from(number.0) >= count;
    for cell in &change.cells {
        if cell.key.field.kind() != FieldKind::Market && missing(cell.key.selection) {
            return Err(ApplyError::UnknownSelection(cell.key.selection.0));
        }
    }
    for &(number, _) in &change.cleared {
        if missing(number) {
            return Err(ApplyError::UnknownSelection(number.0));
        }
    }
    for attribute in &change.attributes {
        if attribute.owner != SelectionNumber::MARKET && missing(attribute.owner) {
            return Err(ApplyError::UnknownSelection(attribute.owner.0));
        }
    }
    Ok(())
}

fn put(market: &mut Market, change: &MarketDelta) {
    let revision = change.revision;
    for &key in &change.selections {
        // check_selections() counted them, so there is room.
        let _ = market.add_selection(key, revision);
    }
    for attribute in &change.attributes {
        market.set_attribute(attribute.owner, &attribute.name, attribute.value.clone(), revision);
    }
    // Nobody asks a receiver what has changed since, so it keeps no tombstones.
    for &(number, field) in &change.cleared {
        market.clear_ladder(number, field, revision);
        market.forget_tombstones(number, field);
    }
    for cell in &change.cells {
        market.set(cell.key, cell.value, revision);
        if cell.value == 0 && cell.key.field.kind() == FieldKind::Ladder {
            market.forget_tombstones(cell.key.selection, cell.key.field);
        }
    }
    market.touch(revision, change.published_ms);
}
