//! Groups: receivers with the same subscriptions share every frame.

use std::collections::{BTreeMap, BTreeSet};

use oddswire_model::{MarketNumber, Revision, Topic, View};
use oddswire_store::Store;
use oddswire_wire::piece::TIME_STEP_MS;

use crate::{
    baseline::{Class, ClassIndex, RATES_MS},
    connection::ConnectionId,
};

pub(crate) type GroupId = u32;

/// One subscription without its number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Interest {
    pub(crate) topics: Vec<Topic>,
    pub(crate) class: ClassIndex,
    /// Sorts by [`View::code`]; see `key`.
    pub(crate) view: ViewKey,
}

/// A view in an order, so that equal sets of interests are equal lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ViewKey(pub(crate) View);

impl PartialOrd for ViewKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ViewKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.code().cmp(&other.0.code())
    }
}

/// How a group follows a market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lane {
    pub(crate) view: View,
    pub(crate) class: ClassIndex,
}

/// Receivers with the same subscriptions.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) interests: Vec<Interest>,
    /// Every market that any of the topics names, once: in the widest view and at the fastest rate asked for.
    pub(crate) lanes: BTreeMap<MarketNumber, Lane>,
    pub(crate) members: BTreeSet<ConnectionId>,
    /// Revision and sequence of the last frame of the group; live members stand there.
    pub(crate) revision: Revision,
    pub(crate) sequence: u32,
    /// The producers' clock in that frame, in steps of 10 ms.
    pub(crate) time: u64,
    /// The market after which the next heartbeat's digests begin.
    pub(crate) digested: Option<MarketNumber>,
}

impl Group {
    /// The lane in which these interests follow a market, if they do.
    pub(crate) fn lane_of(interests: &[Interest], store: &Store, market: MarketNumber) -> Option<Lane> {
        let mut lane: Option<Lane> = None;
        for interest in interests {
            if interest.topics.iter().any(|topic| store.is_member(market, topic)) {
                lane = Some(match lane {
                    None => Lane { view: interest.view.0, class: interest.class },
                    Some(held) => {
                        Lane { view: held.view.union(interest.view.0), class: held.class.min(interest.class) }
                    }
                });
            }
        }
        lane
    }

    /// A group of these interests, with the baselines it needs.
    pub(crate) fn new(id: GroupId, interests: Vec<Interest>, store: &Store, classes: &mut [Class]) -> Self {
        let markets: BTreeSet<MarketNumber> =
            interests.iter().flat_map(|i| &i.topics).flat_map(|topic| store.members(topic)).collect();
        let mut lanes = BTreeMap::new();
        for market in markets {
            if let Some(lane) = Self::lane_of(&interests, store, market) {
                classes[lane.class].acquire(store, market, lane.view);
                lanes.insert(market, lane);
            }
        }
        let revision = store.revision();
        // Groups begin to count at places of their own (2^32 over the golden ratio apart), so that a frame of the group
        // that a receiver has left does not pass for the next one of the group it has joined.
        let sequence = id.wrapping_mul(0x9e37_79b9);
        let time = store.published_ms() / TIME_STEP_MS;
        Self { interests, lanes, members: BTreeSet::new(), revision, sequence, time, digested: None }
    }

    /// The revision from which its members may resume: all baselines it uses have reached it.
    pub(crate) fn cursor(&self, store: &Store, classes: &[Class]) -> Revision {
        let used = self.classes_used();
        let positions = (0..RATES_MS.len()).filter(|class| used >> class & 1 == 1);
        positions.map(|class| classes[class].position(store)).min().unwrap_or(store.revision())
    }

    /// Bit set of the classes it uses.
    pub(crate) fn classes_used(&self) -> u32 {
        self.interests.iter().fold(0, |used, interest| used | 1 << interest.class)
    }
}
