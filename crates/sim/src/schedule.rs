//! The virtual clock: what happens when, in an order that depends on nothing but the seed.

use std::{cmp::Ordering, collections::BinaryHeap};

/// Events in order of time; those of one time in the order they were planned in.
#[derive(Debug)]
pub(crate) struct Schedule<E> {
    heap: BinaryHeap<Planned<E>>,
    planned: u64,
    now_ms: u64,
}

#[derive(Debug)]
struct Planned<E> {
    at_ms: u64,
    order: u64,
    event: E,
}

impl<E> Schedule<E> {
    pub(crate) fn new(now_ms: u64) -> Self {
        Self { heap: BinaryHeap::new(), planned: 0, now_ms }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Plans an event; one for the past happens now.
    pub(crate) fn at(&mut self, at_ms: u64, event: E) {
        self.planned += 1;
        self.heap.push(Planned { at_ms: at_ms.max(self.now_ms), order: self.planned, event });
    }

    pub(crate) fn after(&mut self, ms: u64, event: E) {
        self.at(self.now_ms + ms, event);
    }

    /// The next event; the clock moves to its time.
    pub(crate) fn next(&mut self) -> Option<E> {
        let planned = self.heap.pop()?;
        self.now_ms = planned.at_ms;
        Some(planned.event)
    }
}

impl<E> PartialEq for Planned<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Planned<E> {}

impl<E> PartialOrd for Planned<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Planned<E> {
    /// The heap gives the greatest first, and the earliest is wanted.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at_ms, other.order).cmp(&(self.at_ms, self.order))
    }
}
