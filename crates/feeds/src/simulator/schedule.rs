//! What happens next: a heap over all fixtures, and within a fixture a short timetable.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::random::Random;

/// A time that never comes.
pub(super) const NEVER: u64 = u64::MAX;

/// Which fixture acts next. Ties are broken by position, so the order never depends on the heap's inner state.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    heap: BinaryHeap<Reverse<(u64, usize)>>,
}

impl Schedule {
    /// The fixture at a position acts at this time.
    pub(super) fn add(&mut self, at_ms: u64, position: usize) {
        self.heap.push(Reverse((at_ms, position)));
    }

    /// The earliest time and its fixture, taken off.
    pub(super) fn next(&mut self) -> Option<(u64, usize)> {
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}

/// When each of a fixture's `N` activities is due.
#[derive(Debug)]
pub(super) struct Timetable<const N: usize> {
    due_ms: [u64; N],
}

impl<const N: usize> Timetable<N> {
    /// All activities at once.
    pub(super) fn starting_at(now_ms: u64) -> Self {
        Self { due_ms: [now_ms; N] }
    }

    /// The activity that is due first, and when.
    pub(super) fn earliest(&self) -> (usize, u64) {
        let mut first = (0, NEVER);
        for (activity, &due_ms) in self.due_ms.iter().enumerate() {
            if due_ms < first.1 {
                first = (activity, due_ms);
            }
        }
        first
    }

    /// Sets when an activity is due.
    pub(super) fn set(&mut self, activity: usize, due_ms: u64) {
        self.due_ms[activity] = due_ms;
    }

    /// Nothing is due any more.
    pub(super) fn clear(&mut self) {
        self.due_ms = [NEVER; N];
    }
}

/// How fast messages follow each other: a base rate, and bursts on top of it.
#[derive(Debug)]
pub(super) struct Tempo {
    activity_percent: u32,
    burst_until_ms: u64,
}

impl Tempo {
    /// Time between bursts that come of their own accord. Chances are per time and not per message: otherwise one burst
    /// would breed the next.
    const BURST_EVERY_MS: f64 = 90_000.0;
    /// How much faster messages come in a burst.
    const BURST_FACTOR: u64 = 5;

    pub(super) fn new(activity_percent: u32) -> Self {
        Self { activity_percent: activity_percent.max(1), burst_until_ms: 0 }
    }

    /// Everybody reacts for this long.
    pub(super) fn burst(&mut self, now_ms: u64, length_ms: u64) {
        self.burst_until_ms = self.burst_until_ms.max(now_ms + length_ms);
    }

    /// When the next message comes, at `mean_ms` between messages outside bursts.
    pub(super) fn next_ms(&mut self, now_ms: u64, mean_ms: u64, random: &mut Random) -> u64 {
        let bursting = now_ms < self.burst_until_ms;
        if !bursting && random.chance(mean_ms as f64 / Self::BURST_EVERY_MS) {
            self.burst(now_ms, random.between(500, 3_000));
        }
        let mean_ms = if bursting { mean_ms / Self::BURST_FACTOR } else { mean_ms };
        now_ms + random.wait_ms(mean_ms * 100 / u64::from(self.activity_percent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_ties_go_by_position() {
        let mut schedule = Schedule::default();
        for entry in [(5, 1), (3, 2), (5, 0)] {
            schedule.add(entry.0, entry.1);
        }
        let order: Vec<_> = std::iter::from_fn(|| schedule.next()).collect();
        assert_eq!(order, [(3, 2), (5, 0), (5, 1)]);
    }

    #[test]
    fn a_cleared_timetable_is_never_due() {
        let mut timetable = Timetable::<3>::starting_at(9);
        timetable.set(2, 4);
        assert_eq!(timetable.earliest(), (2, 4));
        timetable.clear();
        assert_eq!(timetable.earliest().1, NEVER);
    }
}
