//! One side of an order book: offers by price, best first.

use oddswire_model::Price;

use super::ticks;

/// Which side: offers to back have the highest price first, offers to lay the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Back,
    Lay,
}

impl Side {
    /// The best price when the fair price lies at or just above this tick.
    pub(super) fn target(self, fair: u16) -> u16 {
        match self {
            Self::Back => fair.min(ticks::LAST - 1),
            Self::Lay => fair.min(ticks::LAST - 1) + 1,
        }
    }

    pub(super) fn is_better(self, tick: u16, than: u16) -> bool {
        match self {
            Self::Back => tick > than,
            Self::Lay => tick < than,
        }
    }

    /// The tick this many steps further from the best; `None` past the end of the ladder.
    pub(super) fn worse(self, tick: u16, steps: u16) -> Option<u16> {
        match self {
            Self::Back => tick.checked_sub(steps),
            Self::Lay => tick.checked_add(steps).filter(|&tick| tick <= ticks::LAST),
        }
    }
}

/// What is offered at one price.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rung {
    pub(super) tick: u16,
    pub(super) cents: u64,
    /// What was added last, which is what its owner takes away again.
    pub(super) last_added: u64,
}

/// The offers of one side.
#[derive(Debug)]
pub(super) struct BookSide {
    side: Side,
    rungs: Vec<Rung>,
}

impl BookSide {
    /// Most rungs a side shows; what lies deeper is left out.
    pub(super) const DEEPEST: usize = 30;

    pub(super) fn new(side: Side) -> Self {
        Self { side, rungs: Vec::new() }
    }

    pub(super) fn best(&self) -> Option<Rung> {
        self.rungs.first().copied()
    }

    pub(super) fn last(&self) -> Option<Rung> {
        self.rungs.last().copied()
    }

    /// The rung at a rank, the best at 0.
    pub(super) fn rung(&self, rank: usize) -> Option<Rung> {
        self.rungs.get(rank).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.rungs.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rungs.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.rungs.clear();
    }

    /// The amount at a tick, 0 when there is none.
    pub(super) fn cents(&self, tick: u16) -> u64 {
        self.rungs.iter().find(|rung| rung.tick == tick).map_or(0, |rung| rung.cents)
    }

    /// Prices and amounts, best first.
    pub(super) fn offers(&self) -> Vec<(Price, u64)> {
        self.rungs.iter().map(|rung| (ticks::price(rung.tick), rung.cents)).collect()
    }

    /// Sets the amount at a tick (0 removes it). Returns what it was, and the deepest rung when that no longer has room.
    pub(super) fn set(&mut self, tick: u16, cents: u64, last_added: u64) -> (u64, Option<Rung>) {
        let at = self.rungs.partition_point(|rung| self.side.is_better(rung.tick, tick));
        let standing = self.rungs.get(at).filter(|rung| rung.tick == tick).map(|rung| rung.cents);
        match (standing, cents) {
            (Some(_), 0) => {
                self.rungs.remove(at);
            }
            (Some(_), _) => self.rungs[at] = Rung { tick, cents, last_added },
            (None, 0) => {}
            (None, _) => self.rungs.insert(at, Rung { tick, cents, last_added }),
        }
        let dropped = self.rung(Self::DEEPEST);
        self.rungs.truncate(Self::DEEPEST);
        (standing.unwrap_or(0), dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_keep_their_best_price_first() {
        for (side, best) in [(Side::Back, 30), (Side::Lay, 10)] {
            let mut offers = BookSide::new(side);
            for tick in [20, 10, 30] {
                assert_eq!(offers.set(tick, 500, 500).0, 0);
            }
            assert_eq!(offers.best().map(|rung| rung.tick), Some(best));
            assert_eq!(offers.set(best, 0, 0).0, 500);
            assert_eq!((offers.len(), offers.cents(best)), (2, 0));
        }
    }

    #[test]
    fn the_deepest_rung_makes_room() {
        let mut offers = BookSide::new(Side::Back);
        for tick in 0..=BookSide::DEEPEST as u16 {
            let (_, dropped) = offers.set(100 + tick, 200, 200);
            assert_eq!(dropped.map(|rung| rung.tick), (tick == BookSide::DEEPEST as u16).then_some(100));
        }
    }
}
