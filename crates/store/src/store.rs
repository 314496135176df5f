//! The store.

use std::collections::VecDeque;

use oddswire_model::{
    CellKey, Commit, Epoch, Field, Market, MarketId, MarketNumber, MarketStatus, Revision, Topic,
};
use rustc_hash::FxHashMap;

use crate::{
    apply::{self, Applied},
    producer::ProducerState,
    refusal::{Reason, Refusal},
    topics::TopicIndex,
    validate::validate,
};

/// Most markets alive at once. A large sportsbook offers about 50,000.
pub const MAX_MARKETS: usize = 200_000;
/// Removals remembered, so that a receiver who was away drops what is gone; past it he takes a snapshot.
const MAX_REMOVALS: usize = 100_000;

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// The revision it got.
    pub revision: Revision,
    /// Markets that changed.
    pub changed: Vec<MarketNumber>,
    /// Those of them whose change must be flushed at once.
    pub urgent: Vec<MarketNumber>,
    /// Those of them that entered or left topics; new markets are among them.
    pub retopiced: Vec<MarketNumber>,
}

/// A market that was forgotten, or that left a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// When.
    pub revision: Revision,
    /// Its number, which is not used again in the epoch.
    pub market: MarketNumber,
}

/// A cursor that the store cannot answer for; the receiver needs snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HorizonError {
    /// Another log altogether.
    #[error("the cursor is of another epoch")]
    OtherEpoch,
    /// Older than the horizon: tombstones are gone.
    #[error("the cursor is older than the resume horizon")]
    TooOld,
    /// Later than anything committed: it cannot be ours.
    #[error("the cursor is ahead of the log")]
    Ahead,
}

/// The state of one feed. One writer; nothing here blocks or knows the time.
#[derive(Debug, Clone)]
pub struct Store {
    epoch: Epoch,
    revision: Revision,
    horizon: Revision,
    published_ms: u64,
    markets: Vec<Option<Market>>,
    alive: usize,
    by_id: FxHashMap<MarketId, MarketNumber>,
    topics: TopicIndex,
    topics_changed: FxHashMap<MarketNumber, Revision>,
    removals: VecDeque<Removal>,
    pub(crate) producers: FxHashMap<String, ProducerState>,
}

impl Store {
    /// An empty store of an epoch. Two lives of a log must not share an epoch.
    pub fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            revision: Revision(0),
            horizon: Revision(0),
            published_ms: 0,
            markets: Vec::new(),
            alive: 0,
            by_id: FxHashMap::default(),
            topics: TopicIndex::default(),
            topics_changed: FxHashMap::default(),
            removals: VecDeque::new(),
            producers: FxHashMap::default(),
        }
    }

    /// The epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Revision of the last commit.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The latest time at which a commit says it was published: no market was published later.
    pub fn published_ms(&self) -> u64 {
        self.published_ms
    }

    /// The oldest revision from which a receiver can still catch up.
    pub fn horizon(&self) -> Revision {
        self.horizon
    }

    /// Number of markets alive.
    pub fn len(&self) -> usize {
        self.alive
    }

    /// Whether there is no market.
    pub fn is_empty(&self) -> bool {
        self.alive == 0
    }

    /// A market by number.
    pub fn market(&self, number: MarketNumber) -> Option<&Market> {
        self.markets.get(number.0 as usize)?.as_ref()
    }

    /// A market's number by id.
    pub fn number(&self, id: &MarketId) -> Option<MarketNumber> {
        self.by_id.get(id).copied()
    }

    /// A market by id.
    pub fn market_by_id(&self, id: &MarketId) -> Option<&Market> {
        self.market(self.number(id)?)
    }

    /// All markets, in order of number.
    pub fn markets(&self) -> impl Iterator<Item = &Market> {
        self.markets.iter().flatten()
    }

    /// The markets a topic names, in order of number.
    pub fn members(&self, topic: &Topic) -> impl Iterator<Item = MarketNumber> + '_ {
        self.topics.members(topic)
    }

    /// Whether a topic names a market.
    pub fn is_member(&self, market: MarketNumber, topic: &Topic) -> bool {
        self.topics.is_member(market, topic)
    }

    /// When a market last entered or left a topic; its creation counts.
    pub fn topics_changed(&self, market: MarketNumber) -> Revision {
        self.topics_changed.get(&market).copied().unwrap_or_default()
    }

    /// Markets that were forgotten or left a topic after a revision, oldest first.
    pub fn removals_since(&self, revision: Revision) -> impl Iterator<Item = &Removal> {
        let from = self.removals.partition_point(|removal| removal.revision <= revision);
        self.removals.range(from..)
    }

    /// Whether "what changed after this revision" has an answer.
    ///
    /// # Errors
    /// When it has not, and why.
    pub fn check_cursor(&self, epoch: Epoch, revision: Revision) -> Result<(), HorizonError> {
        if epoch != self.epoch {
            Err(HorizonError::OtherEpoch)
        } else if revision > self.revision {
            Err(HorizonError::Ahead)
        } else if revision < self.horizon {
            Err(HorizonError::TooOld)
        } else {
            Ok(())
        }
    }

    /// Takes a commit whole and gives it the next revision, or refuses it whole.
    ///
    /// A commit that changes nothing still gets a revision, but no market's revision moves.
    ///
    /// # Errors
    /// Names the market and the field at fault.
    pub fn commit(&mut self, commit: &Commit) -> Result<Committed, Refusal> {
        validate(commit, |id| self.market_by_id(id))?;
        if self.alive + commit.markets.len() > MAX_MARKETS {
            let new = commit.markets.iter().filter(|update| !self.by_id.contains_key(&update.id)).count();
            if let Some(update) = commit.markets.first().filter(|_| self.alive + new > MAX_MARKETS) {
                return Err(Refusal::named(&update.id, "markets", Reason::TooManyMarkets(self.alive + new)));
            }
        }
        let revision = self.revision.next();
        self.revision = revision;
        self.published_ms = self.published_ms.max(commit.published_ms);
        let mut committed = Committed { revision, ..Committed::default() };
        for update in &commit.markets {
            let (number, created) = self.number_or_create(&update.id, revision);
            let market = self.markets[number.0 as usize].as_mut().expect("a number of by_id is alive");
            let mut applied = apply::apply(market, update, revision);
            applied.changed |= created;
            self.note(number, applied, commit.published_ms, &mut committed);
        }
        Ok(committed)
    }

    /// Forgets markets that will not change any more. Each forgetting is a commit of its own.
    pub fn forget(&mut self, numbers: &[MarketNumber]) -> Committed {
        let revision = self.revision.next();
        self.revision = revision;
        let mut committed = Committed { revision, ..Committed::default() };
        for &number in numbers {
            let Some(market) = self.markets.get_mut(number.0 as usize).and_then(Option::take) else {
                continue;
            };
            self.alive -= 1;
            self.by_id.remove(market.id());
            self.topics.remove(number);
            self.topics_changed.remove(&number);
            for producer in self.producers.values_mut() {
                producer.markets.remove(&number);
            }
            self.note_removal(number, revision);
            committed.changed.push(number);
            committed.retopiced.push(number);
        }
        committed
    }

    /// Markets that are settled or void and have not changed since a revision.
    pub fn finished_before(&self, revision: Revision) -> Vec<MarketNumber> {
        let finished = |market: &&Market| {
            matches!(market.status(), MarketStatus::Settled | MarketStatus::Void)
                && market.revision() <= revision
        };
        self.markets().filter(finished).map(Market::number).collect()
    }

    /// Moves the resume horizon up: cursors before it are not served any more, and tombstones up to it go.
    pub fn advance_horizon(&mut self, horizon: Revision) {
        if horizon <= self.horizon || horizon > self.revision {
            return;
        }
        self.horizon = horizon;
        for market in self.markets.iter_mut().flatten() {
            market.purge(horizon);
        }
        while self.removals.front().is_some_and(|removal| removal.revision <= horizon) {
            self.removals.pop_front();
        }
    }

    /// Holds markets within a commit that nobody has seen yet.
    pub(crate) fn hold_in(&mut self, committed: &mut Committed, numbers: &[MarketNumber]) {
        for &number in numbers {
            if let Some(market) = self.markets.get_mut(number.0 as usize).and_then(Option::as_mut) {
                let mut applied = Applied::default();
                apply::set(market, CellKey::market(Field::Held), 1, committed.revision, &mut applied);
                let published_ms = market.published_ms();
                self.note(number, applied, published_ms, committed);
            }
        }
    }

    /// A commit of the store's own: one market cell of several markets.
    pub(crate) fn commit_cell(&mut self, numbers: &[MarketNumber], key: CellKey, value: u64) -> Committed {
        let revision = self.revision.next();
        self.revision = revision;
        let mut committed = Committed { revision, ..Committed::default() };
        for &number in numbers {
            let Some(market) = self.markets.get_mut(number.0 as usize).and_then(Option::as_mut) else {
                continue;
            };
            let mut applied = Applied::default();
            apply::set(market, key, value, revision, &mut applied);
            let published_ms = market.published_ms();
            self.note(number, applied, published_ms, &mut committed);
        }
        committed
    }

    fn number_or_create(&mut self, id: &MarketId, revision: Revision) -> (MarketNumber, bool) {
        if let Some(&number) = self.by_id.get(id) {
            return (number, false);
        }
        let number =
            MarketNumber(u32::try_from(self.markets.len()).expect("an epoch has fewer than 2^32 markets"));
        self.markets.push(Some(Market::new(number, id.clone(), revision)));
        self.alive += 1;
        self.by_id.insert(id.clone(), number);
        (number, true)
    }

    fn note(&mut self, number: MarketNumber, applied: Applied, published_ms: u64, committed: &mut Committed) {
        if !applied.changed {
            return;
        }
        let revision = committed.revision;
        let market = self.markets[number.0 as usize].as_mut().expect("the caller has just changed it");
        if !committed.changed.contains(&number) {
            market.touch(revision, published_ms);
            committed.changed.push(number);
        }
        if applied.urgent && !committed.urgent.contains(&number) {
            committed.urgent.push(number);
        }
        if (market.attributes().revision() == revision || market.created() == revision)
            && self.topics.update(market)
        {
            let is_new = self.topics_changed.insert(number, revision).is_none();
            committed.retopiced.push(number);
            if !is_new {
                self.note_removal(number, revision);
            }
        }
    }

    fn note_removal(&mut self, market: MarketNumber, revision: Revision) {
        if self.removals.len() == MAX_REMOVALS
            && let Some(oldest) = self.removals.pop_front()
        {
            self.horizon = self.horizon.max(oldest.revision);
        }
        self.removals.push_back(Removal { revision, market });
    }
}
