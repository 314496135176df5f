//! Taking commits in: marking what changed, moving markets in and out of groups, and flushing what cannot wait.

use std::sync::Arc;

use oddswire_model::MarketNumber;
use oddswire_store::{Committed, Store};
use oddswire_wire::{FrameBuilder, proto::Conflation};

use crate::{fanout::Fanout, flush::Moved, group::GroupId, lane::LaneNumber, number_set::NumberSet};

impl Fanout {
    /// Takes in what a commit did. Must be called after every commit, before the next one: a status change is handed
    /// out at once, and no edge is lost between two of them.
    pub fn handle_commit(&mut self, now_ms: u64, store: &Store, committed: &Committed) {
        self.now_ms = now_ms;
        for class in self.lanes.opened().iter() {
            for &market in &committed.changed {
                self.lanes.classes[class].mark(market, committed.revision);
            }
        }
        if committed.urgent.is_empty() && committed.retopiced.is_empty() {
            return;
        }
        // A market that moves to a lane of another class must not be older there than it was, so it cannot wait either.
        let mut at_once = [&committed.urgent[..], &committed.retopiced].concat();
        at_once.sort_unstable();
        at_once.dedup();
        let mut flush = self.begin_flush();
        for class in self.lanes.opened().iter() {
            self.encode_at_once(store, &at_once, class, &mut flush);
        }
        self.stats.urgent += u64::from(!flush.classes.is_empty() && !committed.urgent.is_empty());
        // One frame per group says all of it: a receiver that takes the change and not the move would hold the market
        // in a lane that is not its own any more.
        let mut retopiced = committed.retopiced.clone();
        // A commit may name a market several times.
        retopiced.sort_unstable();
        retopiced.dedup();
        flush.moves = self.move_markets(store, &retopiced);
        flush.cause = Conflation::Asked;
        self.hand_out(store, flush);
    }

    /// Markets have entered or left topics: groups gain and lose them.
    fn move_markets(&mut self, store: &Store, markets: &[MarketNumber]) -> Vec<(GroupId, Moved)> {
        let mut changes: Vec<(GroupId, Change)> = Vec::new();
        for &market in markets {
            let is_named = self.topics.naming(store, market);
            for (&id, group) in &self.groups {
                let old = self.lanes.of_market(&group.lanes, market);
                let mut topics = group.key.interests.iter().flat_map(|interest| interest.topics.iter());
                // Most groups neither follow the market nor name it.
                if old.is_none() && !topics.any(|topic| is_named[topic as usize]) {
                    continue;
                }
                let new = group.key.lane_of(store, &self.topics, market);
                if old.and_then(|old| self.lanes.get(old)).map(|old| old.lane) == new {
                    continue;
                }
                let new = new.and_then(|lane| self.lanes.acquire(store, market, lane));
                changes.push((id, Change { market, old, new }));
            }
        }
        changes.sort_by_key(|(id, _)| *id);
        let mut moves = Vec::new();
        for changes in changes.chunk_by(|(one, _), (other, _)| one == other) {
            let id = changes[0].0;
            let Some(group) = self.groups.get_mut(&id) else { continue };
            let mut lanes: Vec<_> = group.lanes.iter().collect();
            let mut entered: Vec<LaneNumber> = changes.iter().filter_map(|(_, change)| change.new).collect();
            entered.sort_unstable();
            lanes.retain(|lane| !changes.iter().any(|(_, change)| change.old == Some(*lane)));
            lanes.extend(&entered);
            group.lanes = Arc::new(NumberSet::new(lanes));
            let lanes = group.lanes.clone();
            let left = changes.iter().filter(|(_, change)| change.new.is_none());
            let left: Vec<u32> = left.map(|(_, change)| change.market.0).collect();
            let mut fields = FrameBuilder::new();
            if !left.is_empty() {
                fields.removed(left);
            }
            for &lane in &entered {
                let piece = self.snapshot_piece(lane);
                fields.pieces(&piece);
            }
            for &(_, Change { old, .. }) in changes {
                if let Some(old) = old {
                    self.lanes.release(old);
                }
            }
            let fields = self.groups.get(&id).map(|group| group.key.finish(fields)).unwrap_or_default();
            moves.push((id, Moved { lanes, entered, fields }));
        }
        moves
    }
}

/// A market moves from lane to lane of a group, or in or out of it.
#[derive(Debug, Clone, Copy)]
struct Change {
    market: MarketNumber,
    old: Option<LaneNumber>,
    new: Option<LaneNumber>,
}
