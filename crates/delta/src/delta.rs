//! A change of one market in one view.

use std::{cmp::Reverse, sync::Arc};

use oddswire_model::{
    AttributeValue, CellChange, CellKey, Field, MarketId, MarketNumber, Revision, SelectionKey,
    SelectionNumber,
};

/// What a receiver must hold for a change to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Base {
    /// Nothing: the change is a snapshot.
    #[default]
    Nothing,
    /// Exactly this revision of the market: the change is a delta.
    At(Revision),
    /// At least everything up to this revision: the change is a catch-up; its values are absolute.
    Since(Revision),
}

/// A new value of an attribute; `None` removes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeChange {
    /// The selection, or [`SelectionNumber::MARKET`].
    pub owner: SelectionNumber,
    /// The attribute's name.
    pub name: Arc<str>,
    /// Its new value.
    pub value: Option<AttributeValue>,
}

/// What changes in one market. Reused from one encoding to the next, so that the hot path allocates nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MarketDelta {
    /// The market.
    pub market: MarketNumber,
    /// What it fits on.
    pub base: Base,
    /// What the receiver holds afterwards.
    pub revision: Revision,
    /// The producer's time of the newest commit in it.
    pub published_ms: u64,
    /// The market's id, in snapshots only.
    pub id: Option<MarketId>,
    /// Number of the first of `selections`.
    pub first_selection: u16,
    /// Selections that come into being, numbered densely from `first_selection`.
    pub selections: Vec<SelectionKey>,
    /// Changed attributes.
    pub attributes: Vec<AttributeChange>,
    /// Ladders to empty before the cells are set.
    pub cleared: Vec<(SelectionNumber, Field)>,
    /// Changed cells in canonical order; value 0 removes.
    pub cells: Vec<CellChange>,
}

impl MarketDelta {
    /// Whether it changes nothing but the revision.
    pub fn is_empty(&self) -> bool {
        self.id.is_none() && !self.has_definition() && self.cleared.is_empty() && self.cells.is_empty()
    }

    /// Whether it changes the definition: selections or attributes.
    pub fn has_definition(&self) -> bool {
        !self.selections.is_empty() || !self.attributes.is_empty()
    }

    /// Empties it for the next use, keeping its memory.
    pub fn reset(&mut self, market: MarketNumber, base: Base, revision: Revision, published_ms: u64) {
        self.market = market;
        self.base = base;
        self.revision = revision;
        self.published_ms = published_ms;
        self.id = None;
        self.first_selection = 0;
        self.selections.clear();
        self.attributes.clear();
        self.cleared.clear();
        self.cells.clear();
    }

    pub(crate) fn set(&mut self, key: CellKey, value: u64) {
        self.cells.push(CellChange { key, value });
    }
}

/// Canonical order of cells: the market's fields, then per selection its one-value fields and its ladders, best price first.
pub(crate) fn canonical(key: CellKey) -> (u16, Field, Reverse<u32>, u32) {
    let (high, low) = if key.field.is_highest_first() { (key.price.0, 0) } else { (0, key.price.0) };
    (key.selection.0.wrapping_add(1), key.field, Reverse(high), low)
}
