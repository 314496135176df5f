//! Which commit got which revision, and when it was sent: what a receiver's frame is measured against.

use std::{
    collections::{HashMap, VecDeque},
    sync::{PoisonError, RwLock, RwLockReadGuard},
};

use oddswire_model::MarketId;
use rustc_hash::FxHashMap;

/// Commits are remembered for this long; a receiver that is further behind is not measured.
const KEPT_US: u64 = 120_000_000;

/// What one commit did to one market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) revision: u64,
    /// When it was handed to the producer.
    pub(crate) sent_us: u64,
    /// A bit for each kind of the mix whose view shows the change. What a view does not show is never sent to it.
    pub(crate) visible: u32,
    /// A status has changed, so it must not be conflated.
    pub(crate) is_status: bool,
}

/// Written by the publisher and by whoever learns a market's number, read by everybody for every frame.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    book: RwLock<Book>,
}

/// The ledger, held for reading.
#[derive(Debug, Default)]
pub(crate) struct Book {
    places: HashMap<MarketId, usize>,
    /// Places by the gateway's number of a market.
    numbers: FxHashMap<u32, usize>,
    markets: Vec<VecDeque<Entry>>,
}

impl Ledger {
    /// Notes a commit before it is sent. Revisions only grow.
    pub(crate) fn note(&self, changes: impl Iterator<Item = (MarketId, Entry)>) {
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        for (id, entry) in changes {
            let place = book.place(&id);
            let entries = &mut book.markets[place];
            while entries.front().is_some_and(|oldest| oldest.sent_us + KEPT_US < entry.sent_us) {
                entries.pop_front();
            }
            entries.push_back(entry);
        }
    }

    /// Forgets every commit after a revision: it has turned out that they got other revisions than was thought.
    /// Returns how many market changes that were.
    pub(crate) fn forget_after(&self, revision: u64) -> u64 {
        let mut forgotten = 0;
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        for entries in &mut book.markets {
            while entries.back().is_some_and(|newest| newest.revision > revision) {
                entries.pop_back();
                forgotten += 1;
            }
        }
        forgotten
    }

    /// The gateway's number of a market has become known.
    pub(crate) fn number(&self, id: &MarketId, number: u32) {
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        // Only markets that are published here are measured.
        if let Some(&place) = book.places.get(id) {
            book.numbers.insert(number, place);
        }
    }

    /// For reading. Not to be held for longer than a frame takes.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// The commits of a market after one revision and up to another, newest first.
    pub(crate) fn between(&self, market: u32, after: u64, through: u64) -> impl Iterator<Item = &Entry> {
        let entries = self.numbers.get(&market).map(|&place| &self.markets[place]);
        let newest_first = entries.into_iter().flat_map(|entries| entries.iter().rev());
        newest_first
            .skip_while(move |entry| entry.revision > through)
            .take_while(move |entry| entry.revision > after)
    }

    fn place(&mut self, id: &MarketId) -> usize {
        if let Some(&place) = self.places.get(id) {
            return place;
        }
        self.places.insert(id.clone(), self.markets.len());
        self.markets.push(VecDeque::new());
        self.markets.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(revision: u64, sent_us: u64) -> Entry {
        Entry { revision, sent_us, visible: 1, is_status: false }
    }

    #[test]
    fn a_frame_covers_what_came_after_the_last_one() {
        let (ledger, id) = (Ledger::default(), MarketId::new("1.2").unwrap());
        ledger.number(&id, 5);
        ledger.note((1..=4).map(|revision| (id.clone(), entry(revision * 10, revision))));
        assert_eq!(ledger.read().between(5, 0, 40).count(), 0, "the number is not known yet");
        ledger.number(&id, 5);
        let covered = |after, through| -> Vec<u64> {
            ledger.read().between(5, after, through).map(|entry| entry.revision).collect()
        };
        assert_eq!(covered(10, 35), [30, 20]);
        assert!(covered(40, 99).is_empty());
        assert_eq!(ledger.forget_after(20), 2);
        assert_eq!(covered(0, 99), [20, 10]);
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let (ledger, id) = (Ledger::default(), MarketId::new("1.2").unwrap());
        for at in 0..1_000 {
            ledger.note(std::iter::once((id.clone(), entry(at + 1, at * 1_000_000))));
        }
        ledger.number(&id, 0);
        assert_eq!(ledger.read().between(0, 0, u64::MAX).count() as u64, KEPT_US / 1_000_000 + 1);
    }
}
