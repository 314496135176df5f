//! What changed last in a market, so that a flush looks at that and at nothing else.

use crate::{CellKey, Field, Price, Revision, SelectionNumber};

/// Changes that a market remembers, 16 bytes each: several flushes' worth of a busy market, and a second's of most.
pub const CHANGES_KEPT: usize = 64;

/// The last changes of a market's cells, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChangeLog {
    /// Every change after this revision is here.
    since: Revision,
    changes: Vec<(Revision, PackedKey)>,
}

impl ChangeLog {
    /// Notes that a cell has changed.
    #[inline]
    pub(crate) fn note(&mut self, key: CellKey, revision: Revision) {
        match self.changes.last() {
            // Whoever sets cells with falling revisions gets no answer instead of a wrong one.
            Some(&(last, _)) if revision < last => self.begin(last),
            // The older half goes at once, so that a change costs a copy of two others.
            Some(_) if self.changes.len() == CHANGES_KEPT => {
                self.since = self.changes[CHANGES_KEPT / 2 - 1].0;
                self.changes.drain(..CHANGES_KEPT / 2);
            }
            _ if self.changes.len() == self.changes.capacity() => {
                self.changes.reserve_exact(CHANGES_KEPT - self.changes.len());
            }
            _ => {}
        }
        self.changes.push((revision, PackedKey::of(key)));
    }

    /// Begins anew: from this revision on.
    pub(crate) fn begin(&mut self, since: Revision) {
        self.since = since;
        self.changes.clear();
    }

    /// Cells that changed after a revision, the last one first, some of them perhaps several times; `None` when that
    /// is not remembered any more.
    #[inline]
    pub(crate) fn since(&self, since: Revision) -> Option<impl Iterator<Item = PackedKey>> {
        let changes = self.changes.iter().rev();
        (since >= self.since)
            .then(|| changes.take_while(move |(revision, _)| *revision > since).map(|&(_, key)| key))
    }
}

/// A key as a number that grows in canonical order: selection (the market itself first), field, price from the best on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct PackedKey(u64);

impl PackedKey {
    #[inline]
    fn of(key: CellKey) -> Self {
        let selection = u64::from(key.selection.0.wrapping_add(1));
        Self(selection << 48 | (key.field as u64) << 32 | u64::from(key.price.0 ^ turn(key.field)))
    }

    #[inline]
    pub(crate) fn key(self) -> CellKey {
        let field = Field::from_code((self.0 >> 32) as u8).expect("a field's code was packed");
        CellKey {
            selection: SelectionNumber(((self.0 >> 48) as u16).wrapping_sub(1)),
            field,
            price: Price(self.0 as u32 ^ turn(field)),
        }
    }
}

/// What turns prices over where the highest comes first.
#[inline]
fn turn(field: Field) -> u32 {
    if field.is_highest_first() { u32::MAX } else { 0 }
}

/// Cells in canonical order, none twice.
#[derive(Debug, Clone, Copy)]
pub struct ChangedCells {
    keys: [PackedKey; CHANGES_KEPT],
    count: usize,
}

impl ChangedCells {
    pub(crate) fn new(keys: impl Iterator<Item = PackedKey>) -> Self {
        let (mut sorted, mut count) = ([PackedKey::default(); CHANGES_KEPT], 0);
        for (slot, key) in sorted.iter_mut().zip(keys) {
            *slot = key;
            count += 1;
        }
        sorted[..count].sort_unstable();
        Self { keys: sorted, count }
    }

    /// The keys, in canonical order.
    pub fn iter(&self) -> impl Iterator<Item = CellKey> {
        let keys = &self.keys[..self.count];
        let is_last = |at: usize| keys.get(at + 1).is_none_or(|next| *next != keys[at]);
        (0..keys.len()).filter(move |&at| is_last(at)).map(|at| keys[at].key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_canonical_order() {
        let (first, second) = (SelectionNumber(0), SelectionNumber(1));
        let keys = [
            CellKey::market(Field::Status),
            CellKey::market(Field::PriceLadder),
            CellKey::selection(first, Field::LastTraded),
            CellKey::rung(first, Field::Back, Price(300)),
            CellKey::rung(first, Field::Back, Price(200)),
            CellKey::rung(first, Field::Lay, Price(200)),
            CellKey::rung(first, Field::Lay, Price(300)),
            CellKey::rung(second, Field::DisplayLay, Price(u32::MAX)),
        ];
        let mut log = ChangeLog::default();
        for key in keys.iter().rev().chain(&keys) {
            log.note(*key, Revision(3));
        }
        let changed = ChangedCells::new(log.since(Revision(2)).unwrap());
        assert_eq!(changed.iter().collect::<Vec<_>>(), keys);
        assert_eq!(log.since(Revision(3)).unwrap().count(), 0);
    }

    #[test]
    fn what_is_forgotten_is_not_told() {
        let mut log = ChangeLog::default();
        for revision in 1..=CHANGES_KEPT as u64 + 1 {
            log.note(CellKey::market(Field::Status), Revision(revision));
        }
        let forgotten = CHANGES_KEPT as u64 / 2;
        assert!(log.since(Revision(forgotten - 1)).is_none());
        let known = log.since(Revision(forgotten)).unwrap().count();
        assert_eq!(known as u64, CHANGES_KEPT as u64 + 1 - forgotten);
        log.note(CellKey::market(Field::Held), Revision(3));
        assert!(log.since(Revision(2)).is_none(), "revisions that fall cannot be told apart");
        log.begin(Revision(100));
        assert!(log.since(Revision(99)).is_none() && log.since(Revision(100)).is_some());
    }
}
