//! What every message of a recording changes, told by the state and not by the message.

use std::collections::HashMap;

use oddswire_delta::{MarketDelta, diff};
use oddswire_model::{
    AttributeValue, CellChange, Commit, Epoch, Market, MarketNumber, Revision, SelectionNumber, View,
};
use oddswire_store::{Refusal, Store};

/// A store, and beside it the state before the last commit.
///
/// Recordings repeat themselves: images are sent again, values are set to what they are. Net changes are what is left.
#[derive(Debug)]
pub(crate) struct History {
    store: Store,
    before: HashMap<MarketNumber, Market>,
    changes: Vec<MarketDelta>,
}

impl History {
    pub(crate) fn new() -> Self {
        Self { store: Store::new(Epoch(1)), before: HashMap::new(), changes: Vec::new() }
    }

    #[cfg(test)]
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Applies a commit; returns what it really changes, at full depth, for every market together with its new state.
    /// A market's first change names its id.
    pub(crate) fn commit(
        &mut self,
        commit: &Commit,
    ) -> Result<impl Iterator<Item = (&MarketDelta, &Market)>, Refusal> {
        let committed = self.store.commit(commit)?;
        self.changes.clear();
        for &number in &committed.changed {
            let Some(market) = self.store.market(number) else { continue };
            let mut change = MarketDelta::default();
            let before = self
                .before
                .entry(number)
                .or_insert_with(|| Market::new(number, market.id().clone(), Revision(0)));
            let is_new = before.revision() == Revision(0);
            diff(before, market, View::FULL, &mut change);
            before.advance_to(market);
            if is_new {
                change.id = Some(market.id().clone());
            }
            if !change.is_empty() {
                self.changes.push(change);
            }
        }
        let store = &self.store;
        Ok(self.changes.iter().filter_map(|change| Some((change, store.market(change.market)?))))
    }
}

/// How many values a change sets or removes: cells and attributes.
pub(crate) fn changed_values(change: &MarketDelta) -> u64 {
    (change.cells.len() + change.attributes.len()) as u64
}

/// What a change says about the market itself or about one of its selections.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    /// The selection, or [`SelectionNumber::MARKET`].
    pub(crate) owner: SelectionNumber,
    pub(crate) attributes: Vec<(&'a str, Option<&'a AttributeValue>)>,
    /// In canonical order: one-value fields, then ladders, best price first.
    pub(crate) cells: &'a [CellChange],
}

/// Takes a change apart by owner: the market first, then the selections in order of number.
pub(crate) fn parts(change: &MarketDelta) -> Vec<Part<'_>> {
    let first = change.first_selection;
    let new = (first..).take(change.selections.len()).map(SelectionNumber);
    let mut owners: Vec<SelectionNumber> = new
        .chain(change.attributes.iter().map(|attribute| attribute.owner))
        .chain(change.cells.iter().map(|cell| cell.key.selection))
        .collect();
    owners.sort_unstable_by_key(|owner| owner.0.wrapping_add(1));
    owners.dedup();
    let mut parts = Vec::with_capacity(owners.len());
    let mut cells = &change.cells[..];
    for owner in owners {
        let count = cells.iter().take_while(|cell| cell.key.selection == owner).count();
        let (own, rest) = cells.split_at(count);
        cells = rest;
        let attributes = change.attributes.iter().filter(|attribute| attribute.owner == owner);
        let attributes = attributes.map(|attribute| (&*attribute.name, attribute.value.as_ref())).collect();
        parts.push(Part { owner, attributes, cells: own });
    }
    debug_assert!(cells.is_empty(), "cells are in canonical order");
    parts
}
