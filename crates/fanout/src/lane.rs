//! Lanes: one market in one view, at one rate, in one encoding. What changes in a lane is encoded once.

use oddswire_model::{MarketNumber, Revision, View};
use oddswire_store::Store;
use oddswire_wire::piece::Encoding;

use crate::{
    class::{Baseline, CLASSES, Class, ClassIndex, ClassSet, Positions},
    number_set::NumberSet,
};

/// How a group follows a market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lane {
    pub(crate) view: View,
    pub(crate) class: ClassIndex,
    pub(crate) encoding: Encoding,
}

/// Names a lane of a market while some group uses it. Numbers are dense, so that they index tables.
pub(crate) type LaneNumber = u32;

/// A lane that some group uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UsedLane {
    pub(crate) market: MarketNumber,
    pub(crate) lane: Lane,
    groups: u32,
}

/// The rate classes with their baselines, and the lanes in use.
#[derive(Debug)]
pub(crate) struct Lanes {
    pub(crate) classes: Box<[Class; CLASSES]>,
    /// Classes that have had baselines.
    opened: ClassSet,
    used: Vec<Option<UsedLane>>,
    free: Vec<LaneNumber>,
}

impl Lanes {
    pub(crate) fn new(flush_interval_ms: u64) -> Self {
        Self {
            classes: Box::new(Class::all(flush_interval_ms)),
            opened: ClassSet::default(),
            used: Vec::new(),
            free: Vec::new(),
        }
    }

    /// One more than the highest number in use.
    pub(crate) fn end(&self) -> usize {
        self.used.len()
    }

    pub(crate) fn get(&self, number: LaneNumber) -> Option<&UsedLane> {
        self.used.get(number as usize)?.as_ref()
    }

    /// The baseline behind a lane.
    pub(crate) fn baseline(&self, number: LaneNumber) -> Option<(&Baseline, Lane)> {
        let used = self.get(number)?;
        Some((self.classes[used.lane.class].baseline(used.market)?, used.lane))
    }

    /// The lane of a market among some lanes.
    pub(crate) fn of_market(&self, among: &NumberSet, market: MarketNumber) -> Option<LaneNumber> {
        let baselines = self.opened.iter().filter_map(|class| self.classes[class].baseline(market));
        baselines.flat_map(|baseline| &baseline.lanes).copied().find(|lane| among.contains(*lane))
    }

    /// Some lanes with their markets, in order of market.
    pub(crate) fn by_market(&self, lanes: &NumberSet) -> Vec<(MarketNumber, LaneNumber)> {
        let mut markets: Vec<_> =
            lanes.iter().filter_map(|lane| Some((self.get(lane)?.market, lane))).collect();
        markets.sort_unstable();
        markets
    }

    /// A group begins to use a lane of a market; `None` when there is no such market.
    pub(crate) fn acquire(&mut self, store: &Store, market: MarketNumber, lane: Lane) -> Option<LaneNumber> {
        self.opened.insert(lane.class);
        let baseline = self.classes[lane.class].baseline_or_new(store, market)?;
        for &number in &baseline.lanes {
            if let Some(used) = self.used[number as usize].as_mut().filter(|used| used.lane == lane) {
                used.groups += 1;
                return Some(number);
            }
        }
        let used = Some(UsedLane { market, lane, groups: 1 });
        let number = match self.free.pop() {
            Some(number) => {
                self.used[number as usize] = used;
                number
            }
            None => {
                self.used.push(used);
                (self.used.len() - 1) as LaneNumber
            }
        };
        // Lanes of one view stand side by side, so that what changed in it is worked out once.
        let key = |number: LaneNumber| {
            self.used[number as usize].map(|used| (used.lane.view.code(), used.lane.encoding))
        };
        let at = baseline.lanes.partition_point(|&other| key(other) < key(number));
        baseline.lanes.insert(at, number);
        Some(number)
    }

    /// A group has stopped using a lane. The last one of a class drops the baseline.
    pub(crate) fn release(&mut self, number: LaneNumber) {
        let Some(slot) = self.used.get_mut(number as usize) else { return };
        let Some(used) = slot else { return };
        used.groups -= 1;
        if used.groups == 0 {
            let (market, class) = (used.market, used.lane.class);
            *slot = None;
            self.free.push(number);
            self.classes[class].drop_lane(market, number);
        }
    }

    /// Classes that may have baselines.
    pub(crate) fn opened(&self) -> ClassSet {
        self.opened
    }

    /// When the first class should be looked at, while intervals are at least so long.
    pub(crate) fn wake_ms(&self, at_least_ms: u64, now_ms: u64) -> Option<u64> {
        self.opened.iter().filter_map(|class| Class::wake_ms(&self.classes, class, at_least_ms, now_ms)).min()
    }

    /// The revision that everything of some classes has reached, whatever the markets' own.
    pub(crate) fn position(&self, store: &Store, classes: ClassSet) -> Revision {
        let positions = classes.iter().map(|class| self.classes[class].position(store));
        positions.min().unwrap_or(store.revision())
    }

    /// The position of every class.
    pub(crate) fn positions(&self, store: &Store) -> Positions {
        Positions(std::array::from_fn(|class| self.classes[class].position(store)))
    }
}
