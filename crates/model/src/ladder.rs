//! A ladder: amounts per price, best price first.

use crate::{Price, Revision};

/// One step of a ladder. `volume` 0 is a tombstone: the rung was removed at `revision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// The price.
    pub price: Price,
    /// Amount in cents; 0 for a tombstone.
    pub volume: u64,
    /// When it last changed.
    pub revision: Revision,
}

/// Rungs in order, best price first, with tombstones among them.
#[derive(Debug, Clone)]
pub struct Ladder {
    rungs: Vec<Rung>,
    revision: Revision,
    highest_first: bool,
}

impl Ladder {
    pub(crate) fn new(highest_first: bool) -> Self {
        Self { rungs: Vec::new(), revision: Revision(0), highest_first }
    }

    /// Rungs that hold an amount, best price first.
    pub fn rungs(&self) -> impl Iterator<Item = &Rung> {
        self.rungs.iter().filter(|rung| rung.volume > 0)
    }

    /// Rungs with tombstones among them, best price first.
    pub fn entries(&self) -> &[Rung] {
        &self.rungs
    }

    /// The best rung.
    pub fn best(&self) -> Option<&Rung> {
        self.rungs().next()
    }

    /// Whether no rung holds an amount.
    pub fn is_empty(&self) -> bool {
        self.best().is_none()
    }

    /// When any rung last changed.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Whether the highest price is the best.
    pub fn is_highest_first(&self) -> bool {
        self.highest_first
    }

    /// Amount at a price, 0 when there is none.
    pub fn volume(&self, price: Price) -> u64 {
        self.position(price).map_or(0, |at| self.rungs[at].volume)
    }

    /// Sets the amount at a price (0 removes it); returns the old amount.
    pub(crate) fn set(&mut self, price: Price, volume: u64, revision: Revision) -> u64 {
        let old = match self.position(price) {
            Ok(at) => {
                let rung = &mut self.rungs[at];
                let old = rung.volume;
                if old == volume {
                    return old;
                }
                rung.volume = volume;
                rung.revision = revision;
                old
            }
            Err(_) if volume == 0 => return 0,
            Err(at) => {
                self.rungs.insert(at, Rung { price, volume, revision });
                0
            }
        };
        self.revision = self.revision.max(revision);
        old
    }

    /// Becomes a copy of another ladder, tombstones included, in the memory it has.
    pub(crate) fn copy_from(&mut self, source: &Self) {
        self.rungs.clone_from(&source.rungs);
        self.revision = source.revision;
    }

    /// Forgets tombstones of the horizon and before.
    pub(crate) fn purge(&mut self, horizon: Revision) {
        self.rungs.retain(|rung| rung.volume > 0 || rung.revision > horizon);
    }

    fn position(&self, price: Price) -> Result<usize, usize> {
        if self.highest_first {
            self.rungs.binary_search_by(|rung| price.cmp(&rung.price))
        } else {
            self.rungs.binary_search_by(|rung| rung.price.cmp(&price))
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
        assert_eq!(ladder.entries().len(), 1);
        ladder.purge(Revision(1));
        assert_eq!(ladder.entries().len(), 1);
        ladder.purge(Revision(2));
        assert!(ladder.entries().is_empty());
    }
}
