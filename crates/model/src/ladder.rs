//! A ladder: amounts per price, best price first.

use crate::{Price, Revision};

/// One step of a ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// The price.
    pub price: Price,
    /// Amount in cents, above 0.
    pub volume: u64,
    /// When it last changed.
    pub revision: Revision,
}

/// Where a rung stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tombstone {
    /// Its price.
    pub price: Price,
    /// When it was removed.
    pub revision: Revision,
}

/// Rungs in order, best price first, and tombstones of those that went.
///
/// They are kept apart, so that the place of a rung is its rank and nobody has to step over what is not there.
#[derive(Debug, Clone)]
pub struct Ladder {
    rungs: Vec<Rung>,
    tombstones: Vec<Tombstone>,
    revision: Revision,
    highest_first: bool,
}

impl Ladder {
    pub(crate) fn new(highest_first: bool) -> Self {
        Self { rungs: Vec::new(), tombstones: Vec::new(), revision: Revision(0), highest_first }
    }

    /// Rungs, best price first.
    #[inline]
    pub fn rungs(&self) -> &[Rung] {
        &self.rungs
    }

    /// Where rungs stood that are gone, in the order of rungs.
    #[inline]
    pub fn tombstones(&self) -> &[Tombstone] {
        &self.tombstones
    }

    /// How many prices take room: rungs and tombstones.
    pub fn prices_kept(&self) -> usize {
        self.rungs.len() + self.tombstones.len()
    }

    /// The best rung.
    #[inline]
    pub fn best(&self) -> Option<&Rung> {
        self.rungs.first()
    }

    /// Whether there is no rung.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rungs.is_empty()
    }

    /// When any rung last changed.
    #[inline]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Whether the highest price is the best.
    #[inline]
    pub fn is_highest_first(&self) -> bool {
        self.highest_first
    }

    /// Amount at a price, 0 when there is none.
    #[inline]
    pub fn volume(&self, price: Price) -> u64 {
        self.rank(price).map_or(0, |at| self.rungs[at].volume)
    }

    /// Sets the amount at a price (0 removes it); returns the old amount.
    pub(crate) fn set(&mut self, price: Price, volume: u64, revision: Revision) -> u64 {
        let old = match self.rank(price) {
            Ok(at) => {
                let old = self.rungs[at].volume;
                if old == volume {
                    return old;
                }
                if volume == 0 {
                    self.rungs.remove(at);
                    // A price has a rung or a tombstone, never both.
                    let (Ok(grave) | Err(grave)) = self.grave(price);
                    self.tombstones.insert(grave, Tombstone { price, revision });
                } else {
                    self.rungs[at] = Rung { price, volume, revision };
                }
                old
            }
            Err(_) if volume == 0 => return 0,
            Err(at) => {
                self.rungs.insert(at, Rung { price, volume, revision });
                if let Ok(grave) = self.grave(price) {
                    self.tombstones.remove(grave);
                }
                0
            }
        };
        self.revision = self.revision.max(revision);
        old
    }

    /// Makes one price what it is in another ladder, of which this was a copy earlier.
    pub(crate) fn copy_price(&mut self, source: &Self, price: Price) {
        let (from, to) = (source.rank(price), self.rank(price));
        if let (Ok(from), Ok(to)) = (from, to) {
            self.rungs[to] = source.rungs[from];
        } else {
            match (from, to) {
                (Ok(from), Err(to)) => self.rungs.insert(to, source.rungs[from]),
                (Err(_), Ok(to)) => drop(self.rungs.remove(to)),
                _ => {}
            }
            self.tombstones.clone_from(&source.tombstones);
        }
        self.revision = source.revision;
    }

    /// Becomes a copy of another ladder, in the memory it has.
    pub(crate) fn copy(&mut self, source: &Self) {
        self.rungs.clone_from(&source.rungs);
        self.tombstones.clone_from(&source.tombstones);
        self.revision = source.revision;
    }

    /// Forgets tombstones of the horizon and before.
    pub(crate) fn purge(&mut self, horizon: Revision) {
        self.tombstones.retain(|tombstone| tombstone.revision > horizon);
    }

    /// Place of a price's rung, or where it would come.
    #[inline]
    fn rank(&self, price: Price) -> Result<usize, usize> {
        if self.highest_first {
            self.rungs.binary_search_by(|rung| price.cmp(&rung.price))
        } else {
            self.rungs.binary_search_by(|rung| rung.price.cmp(&price))
        }
    }

    /// Place of a price's tombstone, or where it would come.
    #[inline]
    fn grave(&self, price: Price) -> Result<usize, usize> {
        if self.highest_first {
            self.tombstones.binary_search_by(|tombstone| price.cmp(&tombstone.price))
        } else {
            self.tombstones.binary_search_by(|tombstone| tombstone.price.cmp(&price))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_price_comes_first_on_both_sides() {
        for (highest_first, best) in [(true, 300), (false, 100)] {
            let mut ladder = Ladder::new(highest_first);
            for price in [200, 100, 300] {
                ladder.set(Price(price), 5, Revision(1));
            }
            assert_eq!(ladder.best().unwrap().price, Price(best));
        }
    }

    #[test]
    fn a_removed_rung_is_a_tombstone_until_the_horizon() {
        let mut ladder = Ladder::new(true);
        ladder.set(Price(100), 5, Revision(1));
        assert_eq!(ladder.set(Price(100), 0, Revision(2)), 5);
        assert!(ladder.is_empty());
        let tombstone = Tombstone { price: Price(100), revision: Revision(2) };
        ladder.purge(Revision(1));
        assert_eq!(ladder.tombstones(), [tombstone]);
        let mut copy = Ladder::new(true);
        copy.copy_price(&ladder, Price(100));
        assert_eq!(copy.tombstones(), [tombstone]);
        ladder.purge(Revision(2));
        assert!(ladder.tombstones().is_empty());
    }

    #[test]
    fn a_rung_that_comes_back_is_no_tombstone() {
        let mut ladder = Ladder::new(false);
        for (volume, revision) in [(5, 1), (0, 2), (7, 3)] {
            ladder.set(Price(100), volume, Revision(revision));
        }
        assert_eq!(ladder.rungs(), [Rung { price: Price(100), volume: 7, revision: Revision(3) }]);
        assert!(ladder.tombstones().is_empty());
    }
}
