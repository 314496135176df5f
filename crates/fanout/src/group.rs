//! Groups: receivers with the same subscriptions share every frame.

use std::sync::Arc;

use bytes::Bytes;
use oddswire_model::{MarketNumber, View};
use oddswire_store::Store;
use oddswire_wire::{FrameBuilder, compress_definitions, piece::Encoding};

use crate::{
    class::{ClassIndex, ClassSet},
    lane::{Lane, LaneNumber, Lanes},
    number_set::NumberSet,
    topics::TopicNames,
};

/// Names a group; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub(crate) u32);

impl GroupId {
    /// The group of a connection that has not said hello.
    pub(crate) const NONE: Self = Self(u32::MAX);
}

/// One subscription without its number.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Interest {
    pub(crate) topics: NumberSet,
    pub(crate) class: ClassIndex,
    pub(crate) view: ViewKey,
}

impl Interest {
    pub(crate) fn names(&self, store: &Store, topics: &TopicNames, market: MarketNumber) -> bool {
        self.topics.iter().any(|topic| topics.is_member(store, topic, market))
    }
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

/// What makes receivers a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct GroupKey {
    pub(crate) encoding: Encoding,
    /// Definitions may be compressed.
    pub(crate) has_dictionary: bool,
    /// In order, each once.
    pub(crate) interests: Arc<[Arc<Interest>]>,
}

/// Receivers with the same subscriptions.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) key: GroupKey,
    /// Every market that any of the topics names, once: in the widest view and at the fastest rate asked for. Shared with
    /// whoever builds the group's frames.
    pub(crate) lanes: Arc<NumberSet>,
    pub(crate) members: usize,
}

impl Group {
    /// A group of these interests, with the baselines it needs.
    pub(crate) fn new(key: GroupKey, store: &Store, topics: &TopicNames, lanes: &mut Lanes) -> Self {
        let mut named: Vec<(MarketNumber, &Interest)> = Vec::new();
        for interest in &*key.interests {
            let markets = interest.topics.iter().flat_map(|topic| topics.members(store, topic));
            named.extend(markets.map(|market| (market, &**interest)));
        }
        named.sort_unstable_by_key(|&(market, _)| market);
        let mut numbers: Vec<LaneNumber> = Vec::new();
        for named in named.chunk_by(|(one, _), (other, _)| one == other) {
            if let Some(lane) = key.lane(named.iter().map(|&(_, interest)| interest)) {
                numbers.extend(lanes.acquire(store, named[0].0, lane));
            }
        }
        Self { key, lanes: Arc::new(NumberSet::new(numbers)), members: 0 }
    }

    /// The classes it uses.
    pub(crate) fn classes(&self) -> ClassSet {
        self.key.interests.iter().map(|interest| interest.class).collect()
    }
}

impl GroupKey {
    /// Ready fields for this group's members: definitions compressed, where they can read that.
    pub(crate) fn finish(&self, frame: FrameBuilder) -> Bytes {
        let frame = frame.finish();
        if self.has_dictionary { compress_definitions(frame) } else { frame }
    }

    /// The lane in which these interests follow a market, if they do.
    pub(crate) fn lane_of(&self, store: &Store, topics: &TopicNames, market: MarketNumber) -> Option<Lane> {
        let naming = self.interests.iter().filter(|interest| interest.names(store, topics, market));
        self.lane(naming.map(|interest| &**interest))
    }

    /// The lane of a market that these interests name: the widest view, at the fastest rate.
    fn lane<'a>(&self, naming: impl Iterator<Item = &'a Interest>) -> Option<Lane> {
        let mut lane: Option<Lane> = None;
        for interest in naming {
            let (view, class) = (interest.view.0, interest.class);
            lane = Some(match lane {
                None => Lane { view, class, encoding: self.encoding },
                Some(held) => Lane {
                    view: held.view.union(view),
                    class: held.class.min(class),
                    encoding: self.encoding,
                },
            });
        }
        lane
    }
}
