//! How far back receivers can resume, and how long settled markets stay: revisions by time.

use std::{collections::VecDeque, time::Duration};

use oddswire_model::Revision;

/// How often the revision is noted; the horizon is this coarse.
const TICK_MS: u64 = 10_000;

/// Notes which revision was current when.
#[derive(Debug)]
pub(crate) struct Horizon {
    resume_ms: u64,
    settled_ms: u64,
    /// Time and revision, oldest first; at most as many as the longer time has ticks.
    notes: VecDeque<(u64, Revision)>,
    settled_asked_ms: u64,
}

impl Horizon {
    pub(crate) fn new(resume: Duration, settled: Duration) -> Self {
        let (resume_ms, settled_ms) = (resume.as_millis() as u64, settled.as_millis() as u64);
        Self { resume_ms, settled_ms, notes: VecDeque::new(), settled_asked_ms: 0 }
    }

    /// Notes the revision; returns the new horizon when it is time to move it.
    pub(crate) fn tick(&mut self, now_ms: u64, revision: Revision) -> Option<Revision> {
        if self.notes.back().is_some_and(|&(noted_ms, _)| now_ms < noted_ms + TICK_MS) {
            return None;
        }
        self.notes.push_back((now_ms, revision));
        let horizon = self.at(now_ms.checked_sub(self.resume_ms)?);
        let keep_from = now_ms.saturating_sub(self.resume_ms.max(self.settled_ms));
        while self.notes.get(1).is_some_and(|&(noted_ms, _)| noted_ms <= keep_from) {
            self.notes.pop_front();
        }
        horizon
    }

    /// The revision before which settled markets may be forgotten, every now and then.
    pub(crate) fn settled_before(&mut self, now_ms: u64) -> Option<Revision> {
        if now_ms < self.settled_asked_ms + TICK_MS {
            return None;
        }
        self.settled_asked_ms = now_ms;
        self.at(now_ms.checked_sub(self.settled_ms)?)
    }

    /// The last revision noted at or before a time.
    fn at(&self, time_ms: u64) -> Option<Revision> {
        self.notes.iter().rev().find(|&&(noted_ms, _)| noted_ms <= time_ms).map(|&(_, revision)| revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_horizon_follows_at_its_distance() {
        let mut horizon = Horizon::new(Duration::from_secs(60), Duration::from_secs(20));
        let mut moved = Vec::new();
        for tick in 0..20u64 {
            moved.extend(horizon.tick(tick * TICK_MS, Revision(tick * 100)));
        }
        assert_eq!(moved.first(), Some(&Revision(0)));
        assert_eq!(moved.last(), Some(&Revision(1_300)), "190 s minus 60 s is the revision of tick 13");
        assert_eq!(horizon.settled_before(190_000), Some(Revision(1_700)));
        assert!(horizon.notes.len() <= 8);
    }
}
