//! Rate classes and their baselines.

use oddswire_model::{Market, MarketNumber, Revision, View};
use oddswire_store::Store;

/// Rate classes: at most one delta per market in this many milliseconds. 0 is "every flush".
pub const RATES_MS: [u32; 6] = [0, 50, 100, 250, 500, 1_000];

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
    /// Views in use, with the number of groups that use them.
    pub(crate) views: Vec<(View, u32)>,
}

/// One rate class.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) interval_ms: u64,
    pub(crate) last_flush_ms: u64,
    /// What all baselines have reached while some market is dirty.
    flushed: Revision,
    pub(crate) baselines: Vec<Option<Box<Baseline>>>,
    pub(crate) dirty: Vec<MarketNumber>,
}

impl Class {
    pub(crate) fn new(interval_ms: u64) -> Self {
        Self { interval_ms, last_flush_ms: 0, flushed: Revision(0), baselines: Vec::new(), dirty: Vec::new() }
    }

    pub(crate) fn baseline(&self, market: MarketNumber) -> Option<&Baseline> {
        self.baselines.get(market.0 as usize)?.as_deref()
    }

    pub(crate) fn baseline_mut(&mut self, market: MarketNumber) -> Option<&mut Baseline> {
        self.baselines.get_mut(market.0 as usize)?.as_deref_mut()
    }

    /// Notes that a commit of a revision has moved the store on from a baseline.
    pub(crate) fn mark(&mut self, market: MarketNumber, revision: Revision) {
        if let Some(baseline) = self.baselines.get_mut(market.0 as usize).and_then(Option::as_mut)
            && !baseline.is_dirty
        {
            baseline.is_dirty = true;
            if self.dirty.is_empty() {
                // Up to the commit before this one there was nothing to flush.
                self.flushed = Revision(revision.0 - 1);
            }
            self.dirty.push(market);
        }
    }

    /// A group begins to use a view of a market. The first one makes the baseline, at the store's state.
    pub(crate) fn acquire(&mut self, store: &Store, number: MarketNumber, view: View) {
        let Some(market) = store.market(number) else { return };
        let at = number.0 as usize;
        if self.baselines.len() <= at {
            self.baselines.resize_with(at + 1, || None);
        }
        let baseline = self.baselines[at].get_or_insert_with(|| {
            Box::new(Baseline { market: market.clone(), is_dirty: false, views: Vec::new() })
        });
        match baseline.views.iter_mut().find(|(used, _)| *used == view) {
            Some((_, groups)) => *groups += 1,
            None => baseline.views.push((view, 1)),
        }
    }

    /// A group has stopped using a view of a market. The last one drops the baseline.
    pub(crate) fn release(&mut self, number: MarketNumber, view: View) {
        let Some(slot) = self.baselines.get_mut(number.0 as usize) else { return };
        let Some(baseline) = slot else { return };
        if let Some(at) = baseline.views.iter().position(|(used, _)| *used == view) {
            baseline.views[at].1 -= 1;
            if baseline.views[at].1 == 0 {
                baseline.views.swap_remove(at);
            }
        }
        if baseline.views.is_empty() {
            if baseline.is_dirty {
                self.dirty.retain(|&dirty| dirty != number);
            }
            *slot = None;
        }
    }

    /// The revision that all baselines of the class stand at, whatever their markets' own.
    pub(crate) fn position(&self, store: &Store) -> Revision {
        if self.dirty.is_empty() { store.revision() } else { self.flushed }
    }

    pub(crate) fn note_flush(&mut self, now_ms: u64) {
        self.last_flush_ms = now_ms;
    }

    /// When the next flush is due: never without changes, and at once after a quiet time.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        (!self.dirty.is_empty()).then(|| self.last_flush_ms + self.interval_ms)
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
