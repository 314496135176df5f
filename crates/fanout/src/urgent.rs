//! Taking commits in: marking what changed, moving markets in and out of groups, and flushing what cannot wait.

use std::collections::BTreeMap;

use oddswire_model::MarketNumber;
use oddswire_store::{Committed, Store};
use oddswire_wire::proto::Conflation;

use crate::{
    fanout::Fanout,
    flush::Pieces,
    group::{Group, GroupId, Lane},
};

/// Markets that one commit moved in and out of a group.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    /// Followed from now on, or in another lane than before.
    pub(crate) entered: Vec<(MarketNumber, Lane)>,
    /// Not followed any more.
    pub(crate) left: Vec<u32>,
}

/// What a commit moved, by group.
pub(crate) type Moves = BTreeMap<GroupId, Moved>;

impl Fanout {
    /// Takes in what a commit did. Must be called after every commit, before the next one: a status change is handed
    /// out at once, and no edge is lost between two of them.
    pub fn handle_commit(&mut self, now_ms: u64, store: &Store, committed: &Committed) {
        for &market in &committed.changed {
            for class in &mut self.classes {
                class.mark(market, committed.revision);
            }
        }
        // A market that moves to a lane of another class must not be older there than it was, so it cannot wait either.
        let mut at_once = committed.urgent.clone();
        at_once.extend(committed.retopiced.iter().filter(|market| !committed.urgent.contains(market)));
        if at_once.is_empty() {
            return;
        }
        let mut pieces = Pieces::default();
        let mut touched = 0u32;
        for class in 0..self.classes.len() {
            touched |= u32::from(self.encode_at_once(store, &at_once, class, &mut pieces)) << class;
        }
        self.stats.urgent += u64::from(touched != 0 && !committed.urgent.is_empty());
        // One frame per group says all of it: a receiver that takes the change and not the move would hold the market
        // in a lane that is not its own any more.
        let moves = self.move_markets(store, &committed.retopiced);
        if touched != 0 || !moves.is_empty() {
            self.hand_out(now_ms, store, touched, pieces, &moves, Conflation::Asked);
        }
    }

    /// Markets have entered or left topics: groups gain and lose them.
    fn move_markets(&mut self, store: &Store, markets: &[MarketNumber]) -> Moves {
        let mut moves = Moves::new();
        if markets.is_empty() {
            return moves;
        }
        for (&id, group) in &mut self.groups {
            let mut moved = Moved::default();
            for &market in markets {
                let old = group.lanes.get(&market).copied();
                let new = Group::lane_of(&group.interests, store, market);
                if old == new {
                    continue;
                }
                if let Some(lane) = new {
                    self.classes[lane.class].acquire(store, market, lane.view);
                    group.lanes.insert(market, lane);
                    moved.entered.push((market, lane));
                } else {
                    group.lanes.remove(&market);
                    moved.left.push(market.0);
                }
                if let Some(lane) = old {
                    self.classes[lane.class].release(market, lane.view);
                }
            }
            if !moved.entered.is_empty() || !moved.left.is_empty() {
                moves.insert(id, moved);
            }
        }
        moves
    }
}
