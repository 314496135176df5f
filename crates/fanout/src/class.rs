//! Rate classes and their baselines.
//!
//! When many receivers ask for the same rate, sending to all of them takes a good part of the interval, and whoever comes
//! last waits for everybody before. So a crowded rate is split into [`PHASES`]: classes of the same interval that are
//! flushed one after the other. Nobody waits longer for his turn, and turns are short.

use std::{
    ops::Range,
    sync::{Arc, Weak},
};

use oddswire_model::{Market, MarketNumber, Revision};
use oddswire_store::Store;

use crate::{flush::Flush, lane::LaneNumber, number_set::ones};

/// At most one delta per market in this many milliseconds. 0 is "every flush".
pub const RATES_MS: [u32; 6] = [0, 50, 100, 250, 500, 1_000];

/// Most classes that share a rate. "Every flush" has one: its turns are short anyway.
const PHASES: usize = 4;
/// Whether a flush has been sent is looked at so often.
const BUSY_RETRY_MS: u64 = 1;

/// Number of classes: that of every flush, and the phases of each other rate. A set of them is a word of bits.
pub(crate) const CLASSES: usize = 1 + (RATES_MS.len() - 1) * PHASES;

/// Place of a class; the faster comes first, and phases of a rate stand side by side.
pub(crate) type ClassIndex = usize;

/// Some classes, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ClassSet(u64);

const _: () = assert!(CLASSES <= u64::BITS as usize);

impl ClassSet {
    pub(crate) fn insert(&mut self, class: ClassIndex) {
        self.0 |= 1 << class;
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The classes, in order.
    pub(crate) fn iter(self) -> impl Iterator<Item = ClassIndex> {
        ones(0, self.0).map(|class| class as ClassIndex)
    }
}

impl FromIterator<ClassIndex> for ClassSet {
    fn from_iter<T: IntoIterator<Item = ClassIndex>>(classes: T) -> Self {
        let mut set = Self::default();
        classes.into_iter().for_each(|class| set.insert(class));
        set
    }
}

/// What the baselines of each class have reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Positions(pub(crate) [Revision; CLASSES]);

impl Default for Positions {
    fn default() -> Self {
        Self([Revision(0); CLASSES])
    }
}

impl Positions {
    /// The lowest position of some classes; `otherwise` when there are none.
    pub(crate) fn lowest(&self, classes: ClassSet, otherwise: Revision) -> Revision {
        classes.iter().map(|class| self.0[class]).min().unwrap_or(otherwise)
    }
}

/// The classes of the nearest rate that is not faster than what was asked for; of the slowest when all are faster.
pub(crate) fn phases_of(rate_ms: u32) -> Range<ClassIndex> {
    let rate = RATES_MS.iter().position(|&class_ms| class_ms >= rate_ms).unwrap_or(RATES_MS.len() - 1);
    match rate {
        0 => 0..1,
        _ => 1 + (rate - 1) * PHASES..1 + rate * PHASES,
    }
}

/// The rate of a class.
pub(crate) fn rate_ms_of(class: ClassIndex) -> u32 {
    RATES_MS[class.div_ceil(PHASES)]
}

/// Which of its rate's phases a class is.
fn phase_of(class: ClassIndex) -> usize {
    class.checked_sub(1).map_or(0, |class| class % PHASES)
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
    /// Groups' members that follow something in it.
    members: usize,
    /// The last flush that was handed out when it was due.
    handed_out: Weak<Flush>,
    /// What all baselines have reached while some market is dirty.
    flushed: Revision,
    baselines: Vec<Option<Box<Baseline>>>,
    /// Every dirty market, and some that were flushed ahead of their time or dropped meanwhile.
    marked: Vec<MarketNumber>,
    dirty: usize,
}

impl Class {
    pub(crate) fn all(flush_interval_ms: u64) -> [Self; CLASSES] {
        std::array::from_fn(|class| Self {
            interval_ms: match rate_ms_of(class) {
                0 => flush_interval_ms,
                rate_ms => u64::from(rate_ms),
            },
            last_flush_ms: 0,
            members: 0,
            handed_out: Weak::new(),
            flushed: Revision(0),
            baselines: Vec::new(),
            marked: Vec::new(),
            dirty: 0,
        })
    }

    /// Of these phases the one for one more member: phases are opened only when there are so many members in each of
    /// those before, because every phase has baselines and frames of its own.
    pub(crate) fn least_crowded(
        classes: &[Self; CLASSES],
        phases: Range<ClassIndex>,
        crowd: usize,
    ) -> ClassIndex {
        let roomy = phases.clone().find(|&class| classes[class].members < crowd);
        roomy.or_else(|| phases.clone().min_by_key(|&class| classes[class].members)).unwrap_or(phases.start)
    }

    /// A flush that was due has been handed out.
    pub(crate) fn note_handed_out(&mut self, flush: &Arc<Flush>) {
        self.handed_out = Arc::downgrade(flush);
    }

    /// Whether every shard has sent the last flush. Until then a class that is due waits: what is too slow conflates and
    /// does not queue. The fan-out itself holds the flush, too.
    pub(crate) fn is_sent(&self) -> bool {
        self.handed_out.strong_count() <= 1
    }

    pub(crate) fn join(&mut self) {
        self.members += 1;
    }

    pub(crate) fn leave(&mut self) {
        self.members -= 1;
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

    /// The class, which was due, has been flushed; the list keeps its memory.
    ///
    /// The next time counts from when it was due if that was not long ago, so that phases stay apart and a late turn does
    /// not make the next one late, too.
    pub(crate) fn note_flush(&mut self, now_ms: u64, due_ms: u64, mut marked: Vec<MarketNumber>) {
        self.last_flush_ms = if now_ms - due_ms < self.interval_ms / 2 { due_ms } else { now_ms };
        marked.clear();
        self.marked = marked;
    }

    /// The revision that all baselines of the class stand at, whatever their markets' own.
    pub(crate) fn position(&self, store: &Store) -> Revision {
        if self.dirty == 0 { store.revision() } else { self.flushed }
    }

    /// When a class should be looked at again: when it is due, or when it need not wait any more.
    pub(crate) fn wake_ms(
        classes: &[Self; CLASSES],
        class: ClassIndex,
        at_least_ms: u64,
        now_ms: u64,
    ) -> Option<u64> {
        let due_ms = Self::due_ms(classes, class, at_least_ms)?;
        Some(if classes[class].is_sent() { due_ms } else { due_ms.max(now_ms + BUSY_RETRY_MS) })
    }

    /// When the next flush of a class is due: never without changes, and at once after a quiet time, when all phases
    /// of a rate come together. From there each moves to its own place in the interval, by one step a turn. Intervals are at
    /// least so long.
    pub(crate) fn due_ms(classes: &[Self; CLASSES], class: ClassIndex, at_least_ms: u64) -> Option<u64> {
        let this = &classes[class];
        if this.dirty == 0 {
            return None;
        }
        let earliest = this.last_flush_ms + this.interval_ms.max(at_least_ms);
        let phase = phase_of(class);
        if phase == 0 {
            return Some(earliest);
        }
        let place = classes[class - phase].last_flush_ms + phase as u64 * this.step_ms();
        // How long after its place, modulo the interval, the earliest time is.
        let interval_ms = this.interval_ms as i64;
        let past = (earliest as i64 - place as i64).rem_euclid(interval_ms) as u64;
        let wait = (this.interval_ms - past) % this.interval_ms;
        Some(earliest + wait.min(this.step_ms()))
    }

    /// How far phases of a rate are apart.
    fn step_ms(&self) -> u64 {
        self.interval_ms / PHASES as u64
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
        for (asked_ms, given_ms) in
            [(0, 0), (1, 50), (50, 50), (51, 100), (400, 500), (1_000, 1_000), (60_000, 1_000)]
        {
            let phases = phases_of(asked_ms);
            assert!(phases.clone().all(|class| rate_ms_of(class) == given_ms), "{asked_ms} ms: {phases:?}");
        }
    }
}
