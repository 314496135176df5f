//! Taking commits in: marking what changed, moving markets in and out of groups, and flushing what cannot wait.

use std::collections::BTreeMap;

use oddswire_model::MarketNumber;
use oddswire_store::{Committed, Store};
use oddswire_wire::{FrameBuilder, proto::Conflation};

use crate::{
    fanout::Fanout,
    group::{Group, GroupId},
};

impl Fanout {
    /// Takes in what a commit did. Must be called after every commit, before the next one: a status change is handed
    /// out at once, and no edge is lost between two of them.
    pub fn handle_commit(&mut self, now_ms: u64, store: &Store, committed: &Committed) {
        for &market in &committed.changed {
            for class in &mut self.classes {
                class.mark(market, committed.revision);
            }
        }
        if !committed.urgent.is_empty() {
            self.flush_at_once(now_ms, store, &committed.urgent);
        }
        if !committed.retopiced.is_empty() {
            self.regroup_markets(now_ms, store, &committed.retopiced);
        }
    }

    /// Markets have entered or left topics: groups gain and lose them.
    fn regroup_markets(&mut self, now_ms: u64, store: &Store, markets: &[MarketNumber]) {
        let mut ids: Vec<GroupId> = self.groups.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let Some(group) = self.groups.get_mut(&id) else { continue };
            let mut entered = BTreeMap::new();
            let mut left = Vec::new();
            for &market in markets {
                let old = group.lanes.get(&market).copied();
                let new = Group::lane_of(&group.interests, store, market);
                if old == new {
                    continue;
                }
                if let Some(lane) = new {
                    self.classes[lane.class].acquire(store, market, lane.view);
                    group.lanes.insert(market, lane);
                    entered.insert(market, lane);
                } else {
                    group.lanes.remove(&market);
                    left.push(market.0);
                }
                if let Some(lane) = old {
                    self.classes[lane.class].release(market, lane.view);
                }
            }
            if entered.is_empty() && left.is_empty() {
                continue;
            }
            let mut body = FrameBuilder::new();
            if !left.is_empty() {
                body.removed(left);
            }
            for (market, lane) in entered {
                let piece = self.snapshot_piece(market, lane);
                body.pieces(&piece);
            }
            self.hand_to_group(now_ms, store, id, body, Conflation::None);
        }
    }
}
