//! Conflation: two changes in a row become one, the newest value wins.

use crate::delta::{Base, MarketDelta, canonical};

/// Why two changes cannot become one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConflateError {
    /// The second is not measured against what the first leads to.
    #[error("the second change does not follow the first")]
    NotInARow,
}

/// One change that does what `first` and then `second` do.
///
/// # Errors
/// When the second does not follow the first.
pub fn conflate(first: &MarketDelta, second: &MarketDelta) -> Result<MarketDelta, ConflateError> {
    let follows = match second.base {
        Base::Nothing => false,
        Base::At(base) => base == first.revision,
        Base::Since(base) => base <= first.revision && second.revision >= first.revision,
    };
    if first.market != second.market || !follows {
        return Err(ConflateError::NotInARow);
    }
    let mut both = MarketDelta {
        market: first.market,
        base: first.base,
        revision: second.revision,
        published_ms: second.published_ms,
        id: first.id.clone(),
        first_selection: if first.selections.is_empty() {
            second.first_selection
        } else {
            first.first_selection
        },
        selections: first.selections.clone(),
        attributes: Vec::new(),
        cleared: first.cleared.clone(),
        cells: Vec::new(),
    };
    both.selections.extend(second.selections.iter().filter(|key| !first.selections.contains(key)));

    let replaced = |attribute: &&crate::AttributeChange| {
        !second.attributes.iter().any(|newer| newer.owner == attribute.owner && newer.name == attribute.name)
    };
    both.attributes.extend(first.attributes.iter().filter(replaced).cloned());
    both.attributes.extend(second.attributes.iter().cloned());

    both.cleared.extend(second.cleared.iter().filter(|cleared| !first.cleared.contains(cleared)));

    let mut cells: Vec<_> = first
        .cells
        .iter()
        .filter(|cell| !second.cleared.contains(&(cell.key.selection, cell.key.field)))
        .map(|cell| (*cell, 0u8))
        .chain(second.cells.iter().map(|cell| (*cell, 1)))
        .collect();
    cells.sort_by_key(|(cell, order)| (canonical(cell.key), *order));
    for (at, (cell, _)) in cells.iter().enumerate() {
        if cells.get(at + 1).is_none_or(|(next, _)| next.key != cell.key) {
            both.cells.push(*cell);
        }
    }
    if both.base == Base::Nothing {
        // A snapshot says what is there; what has gone since is simply not in it.
        both.cells.retain(|cell| cell.value != 0);
        both.attributes.retain(|attribute| attribute.value.is_some());
        both.cleared.clear();
    }
    Ok(both)
}
