//! A market update in the making.

use std::collections::HashMap;

use oddswire_model::{Field, LadderUpdate, MarketId, MarketUpdate, SelectionKey, SelectionUpdate};

/// A market update in the making: every selection stands in it once, however often the message names it.
///
/// Once matters: a complete definition clears what a selection's entry does not name, so a second entry
/// would clear what the first one said.
#[derive(Debug)]
pub(super) struct Draft {
    update: MarketUpdate,
    positions: HashMap<SelectionKey, usize>,
    skipped: u64,
}

impl Draft {
    pub(super) fn new(id: MarketId) -> Self {
        Self { update: MarketUpdate::new(id), positions: HashMap::new(), skipped: 0 }
    }

    /// The part that belongs to the market itself.
    pub(super) fn market(&mut self) -> &mut MarketUpdate {
        &mut self.update
    }

    /// The entry of a selection.
    pub(super) fn selection(&mut self, key: SelectionKey) -> &mut SelectionUpdate {
        let selections = &mut self.update.selections;
        let at = *self.positions.entry(key).or_insert_with(|| {
            selections.push(SelectionUpdate::new(key));
            selections.len() - 1
        });
        &mut selections[at]
    }

    /// The entry of a selection's ladder; made when it is not there yet.
    pub(super) fn ladder(&mut self, key: SelectionKey, field: Field) -> &mut LadderUpdate {
        let ladders = &mut self.selection(key).ladders;
        let at = match ladders.iter().position(|ladder| ladder.field == field) {
            Some(at) => at,
            None => {
                ladders.push(LadderUpdate { field, replace: false, rungs: Vec::new() });
                ladders.len() - 1
            }
        };
        &mut ladders[at]
    }

    /// Notes values that could not be taken.
    pub(super) fn skip(&mut self, values: u64) {
        self.skipped += values;
    }

    /// A value that could be taken, or a note that it could not.
    pub(super) fn taken<T>(&mut self, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.skip(1);
        }
        value
    }

    /// The update, `None` when it says nothing, and how many values could not be taken.
    pub(super) fn finish(self) -> (Option<MarketUpdate>, u64) {
        let update = self.update;
        let says_something = update.image
            || update.complete_definition
            || !update.fields.is_empty()
            || !update.selections.is_empty();
        (says_something.then_some(update), self.skipped)
    }
}
