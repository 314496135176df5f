//! Rate classes and their baselines.

use oddswire_model::{Market, MarketNumber, Revision};
use oddswire_store::Store;

use crate::lane::LaneNumber;

/// Number of rate classes.
pub(crate) const CLASSES: usize = 6;

/// Rate classes: at most one delta per market in this many milliseconds. 0 is "every flush".
pub const RATES_MS: [u32; CLASSES] = [0, 50, 100, 250, 500, 1_000];

/// Place of a class in [`RATES_MS`].
pub(crate) type ClassIndex = usize;

/// The nearest class that is not faster than what was asked for; the slowest when all are faster.
pub(crate) fn class_of(rate_ms: u32) -> ClassIndex {
    RATES_MS.iter().position(|&class_ms| class_ms >= rate_ms).unwrap_or(RATES_MS.len() - 1)
}

/// What every live receiver of a class holds of a market.
#[derive(Debug)]
pub(crate) struct Baseline {
    pub(crate) market: Market,
    pub(crate) is_dirty: bool,
    /// Lanes in use, those of one view side by side.
    pub(crate) lanes: Vec<LaneNumber>,
}

/// One rate class.
#[derive(Debug)]
pub(crate) struct Class {
    interval_ms: u64,
    last_flush_ms: u64,
    /// What all baselines have reached while some market is dirty.
    flushed: Revision,
    baselines: Vec<Option<Box<Baseline>>>,
    /// Every dirty market, and some that were flushed ahead of their time or dropped meanwhile.
    marked: Vec<MarketNumber>,
    dirty: usize,
}

impl Class {
    pub(crate) fn all(flush_interval_ms: u64) -> [Self; CLASSES] {
        RATES_MS.map(|rate_ms| Self {
            interval_ms: if rate_ms == 0 { flush_interval_ms } else { u64::from(rate_ms) },
            last_flush_ms: 0,
            flushed: Revision(0),
            baselines: Vec::new(),
            marked: Vec::new(),
            dirty: 0,
        })
    }

    pub(crate) fn interval_ms(&self) -> u64 {
        self.interval_ms
    }

    pub(crate) fn baseline(&self, market: MarketNumber) -> Option<&Baseline> {
        self.baselines.get(market.0 as usize)?.as_deref()
    }

    pub(crate) fn baseline_mut(&mut self, market: MarketNumber) -> Option<&mut Baseline> {
        self.baselines.get_mut(market.0 as usize)?.as_deref_mut()
    }

    /// The baseline of a market; the first one who asks for it makes it, at the store's state.
    pub(crate) fn baseline_or_new(&mut self, store: &Store, number: MarketNumber) -> Option<&mut Baseline> {
        let market = store.market(number)?;
        let at = number.0 as usize;
        if self.baselines.len() <= at {
            self.baselines.resize_with(at + 1, || None);
        }
        Some(self.baselines[at].get_or_insert_with(|| {
            Box::new(Baseline { market: market.clone(), is_dirty: false, lanes: Vec::new() })
        }))
    }

    /// A lane of a market is not used any more. With the last one the baseline goes.
    pub(crate) fn drop_lane(&mut self, market: MarketNumber, lane: LaneNumber) {
        let Some(slot) = self.baselines.get_mut(market.0 as usize) else { return };
        let Some(baseline) = slot else { return };
        baseline.lanes.retain(|&other| other != lane);
        if baseline.lanes.is_empty() {
            let was_dirty = baseline.is_dirty;
            *slot = None;
            self.clean(usize::from(was_dirty));
        }
    }

    /// Notes that a commit of a revision has moved the store on from a baseline.
    pub(crate) fn mark(&mut self, market: MarketNumber, revision: Revision) {
        if let Some(Some(baseline)) = self.baselines.get_mut(market.0 as usize)
            && !baseline.is_dirty
        {
            baseline.is_dirty = true;
            if self.dirty == 0 {
                // Up to the commit before this one there was nothing to flush.
                self.flushed = Revision(revision.0 - 1);
            }
            self.dirty += 1;
            self.marked.push(market);
        }
    }

    /// The baseline of a market, if it is dirty, which it is not any more.
    pub(crate) fn take_dirty(&mut self, market: MarketNumber) -> Option<&mut Baseline> {
        let is_dirty = self.baseline(market)?.is_dirty;
        if !is_dirty {
            return None;
        }
        self.clean(1);
        let baseline = self.baselines.get_mut(market.0 as usize)?.as_deref_mut()?;
        baseline.is_dirty = false;
        Some(baseline)
    }

    /// Markets that may be dirty, in order of number; the caller takes each of them and hands the list back.
    pub(crate) fn take_marked(&mut self) -> Vec<MarketNumber> {
        let mut marked = std::mem::take(&mut self.marked);
        marked.sort_unstable();
        marked
    }

    /// The class has been flushed; the list keeps its memory.
    pub(crate) fn note_flush(&mut self, now_ms: u64, mut marked: Vec<MarketNumber>) {
        self.last_flush_ms = now_ms;
        marked.clear();
        self.marked = marked;
    }

    /// The revision that all baselines of the class stand at, whatever their markets' own.
    pub(crate) fn position(&self, store: &Store) -> Revision {
        if self.dirty == 0 { store.revision() } else { self.flushed }
    }

    /// When the next flush is due: never without changes, and at once after a quiet time.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        (self.dirty > 0).then(|| self.last_flush_ms + self.interval_ms)
    }

    fn clean(&mut self, markets: usize) {
        self.dirty -= markets;
        if self.dirty == 0 {
            self.marked.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_gets_the_nearest_class_that_is_not_faster() {
        let given = [0, 1, 50, 51, 400, 1_000, 60_000].map(|rate_ms| RATES_MS[class_of(rate_ms)]);
        assert_eq!(given, [0, 50, 50, 100, 500, 1_000, 1_000]);
    }
}
