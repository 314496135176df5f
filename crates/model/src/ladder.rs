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
    recent: Recent,
}

/// Changes that a ladder remembers, so that what changed is found without looking at every rung. Most flushes change one
/// or two rungs of a ladder that may have three hundred.
const RECENT_MAX: usize = 8;

/// Prices that changed after some revision, each once, in no order.
#[derive(Debug, Clone, Copy)]
struct Recent {
    since: Revision,
    prices: [Price; RECENT_MAX],
    count: u8,
}

impl Recent {
    const NONE: Self = Self { since: Revision(0), prices: [Price::NONE; RECENT_MAX], count: 0 };

    fn prices(&self) -> &[Price] {
        &self.prices[..usize::from(self.count)]
    }

    /// `before` is when the ladder last changed before this.
    fn note(&mut self, price: Price, before: Revision) {
        if self.prices().contains(&price) {
            return;
        }
        if usize::from(self.count) == RECENT_MAX {
            self.count = 0;
            self.since = before;
        }
        self.prices[usize::from(self.count)] = price;
        self.count += 1;
    }
}

impl Ladder {
    pub(crate) fn new(highest_first: bool) -> Self {
        Self { rungs: Vec::new(), revision: Revision(0), highest_first, recent: Recent::NONE }
    }

    /// Rungs that hold an amount, best price first.
    #[inline]
    pub fn rungs(&self) -> impl Iterator<Item = &Rung> {
        self.rungs.iter().filter(|rung| rung.volume > 0)
    }

    /// Rungs with tombstones among them, best price first.
    #[inline]
    pub fn entries(&self) -> &[Rung] {
        &self.rungs
    }

    /// The best rung.
    #[inline]
    pub fn best(&self) -> Option<&Rung> {
        self.rungs().next()
    }

    /// Whether no rung holds an amount.
    pub fn is_empty(&self) -> bool {
        self.best().is_none()
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

    /// Prices at which anything changed after a revision, best price first, and perhaps some others that changed
    /// before; `None` when so much changed that the rungs must be gone through.
    pub fn changed_since(&self, since: Revision) -> Option<impl Iterator<Item = Price>> {
        if since < self.recent.since {
            return None;
        }
        let mut recent = self.recent;
        let prices = &mut recent.prices[..usize::from(recent.count)];
        prices.sort_unstable();
        if self.highest_first {
            prices.reverse();
        }
        Some(recent.prices.into_iter().take(usize::from(recent.count)))
    }

    /// Amount at a price, 0 when there is none.
    #[inline]
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
        self.recent.note(price, self.revision);
        self.revision = self.revision.max(revision);
        old
    }

    /// Becomes a copy of another ladder, of which it was a copy earlier, tombstones included, in the memory it has.
    pub(crate) fn advance_to(&mut self, source: &Self) {
        if self.revision < source.recent.since || !self.advance_rungs(source) {
            self.rungs.clone_from(&source.rungs);
        }
        self.revision = source.revision;
        self.recent = source.recent;
    }

    /// Copies the rungs that changed; says whether all of them are the source's now. They are not when the source has
    /// dropped tombstones.
    fn advance_rungs(&mut self, source: &Self) -> bool {
        for &price in source.recent.prices() {
            match (source.position(price), self.position(price)) {
                (Ok(from), Ok(to)) => self.rungs[to] = source.rungs[from],
                (Ok(from), Err(to)) => self.rungs.insert(to, source.rungs[from]),
                (Err(_), _) => return false,
            }
        }
        self.rungs.len() == source.rungs.len()
    }

    /// Forgets tombstones of the horizon and before.
    pub(crate) fn purge(&mut self, horizon: Revision) {
        self.rungs.retain(|rung| rung.volume > 0 || rung.revision > horizon);
    }

    #[inline]
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
