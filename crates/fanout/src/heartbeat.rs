//! Heartbeats: what all groups are told when it is quiet. Each group's own part is added where its frames are built.

use std::sync::Arc;

use oddswire_model::Revision;
use oddswire_store::Store;

use crate::{
    class::{ClassSet, Positions},
    fanout::Fanout,
    lane::LaneNumber,
    output::Output,
};

/// Every lane's digest is told at least once in this many heartbeats, unless a group has too many lanes for it.
const DIGEST_ROUND: usize = 30;
/// At least so many lanes' digests are worked out for a heartbeat. One costs from nothing (full views) to some
/// microseconds.
const DIGESTS_AT_LEAST: usize = 64;

/// One heartbeat of every group.
#[derive(Debug, Default)]
pub struct Heartbeat {
    pub(crate) positions: Positions,
    pub(crate) revision: Revision,
    pub(crate) freshness_ms: Option<u32>,
    pub(crate) now_ms: u64,
    /// Digests of some lanes, in order of number, with their markets.
    pub(crate) digests: Vec<(LaneNumber, u32, u64)>,
    /// How many digests a group's frame takes.
    pub(crate) digests_per_group: usize,
    /// Counts heartbeats, so that a group with many of these lanes takes others of them each time.
    pub(crate) turn: usize,
}

impl Heartbeat {
    /// The position of some classes.
    pub(crate) fn cursor(&self, classes: ClassSet) -> Revision {
        self.positions.lowest(classes, self.revision)
    }
}

impl Fanout {
    pub(crate) fn heartbeat(&mut self, store: &Store) {
        let mut heartbeat = Heartbeat {
            positions: self.lanes.positions(store),
            revision: store.revision(),
            freshness_ms: self.freshness_ms,
            now_ms: self.wall_ms,
            digests: Vec::new(),
            digests_per_group: self.config.digests_per_heartbeat,
            turn: self.heartbeats,
        };
        let end = self.lanes.end();
        for _ in 0..end.div_ceil(DIGEST_ROUND).max(DIGESTS_AT_LEAST).min(end) {
            let number = self.digested % end;
            self.digested = number + 1;
            if let Some((baseline, lane)) = self.lanes.baseline(number as LaneNumber) {
                let digest = baseline.market.digest(lane.view).to_u64();
                heartbeat.digests.push((number as LaneNumber, baseline.market.number().0, digest));
            }
        }
        heartbeat.digests.sort_unstable();
        self.heartbeats = self.heartbeats.wrapping_add(1);
        self.outputs.push_back(Output::Heartbeat(Arc::new(heartbeat)));
    }
}
