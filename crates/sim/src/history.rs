//! What every market was at every revision: the oracle that clients are held against.

use std::sync::Arc;

use oddswire_model::{Digest, MarketNumber, MarketStatus, Revision, Topic, View, name};
use oddswire_session::SubscriptionRequest;
use oddswire_store::{Committed, Store};

/// A market from one revision until the next that touched it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) revision: Revision,
    pub(crate) status: MarketStatus,
    /// What it showed, in the views of the simulation.
    digests: Box<[Digest]>,
    topics: Arc<[Topic]>,
    /// It was forgotten here.
    pub(crate) is_gone: bool,
}

/// All markets of one epoch.
#[derive(Debug, Clone)]
pub(crate) struct History {
    views: Arc<[View]>,
    markets: Vec<Vec<Entry>>,
}

impl History {
    pub(crate) fn new(views: Arc<[View]>) -> Self {
        Self { views, markets: Vec::new() }
    }

    /// Notes what a commit left behind.
    pub(crate) fn record(&mut self, store: &Store, committed: &Committed) {
        for &number in &committed.changed {
            let at = number.0 as usize;
            if self.markets.len() <= at {
                self.markets.resize(at + 1, Vec::new());
            }
            let entries = &mut self.markets[at];
            let Some(market) = store.market(number) else {
                if let Some(last) = entries.last().cloned() {
                    entries.push(Entry { revision: committed.revision, is_gone: true, ..last });
                }
                continue;
            };
            let topics = match entries.last() {
                Some(last) if market.attributes().revision() != committed.revision => last.topics.clone(),
                _ => topics(market),
            };
            entries.push(Entry {
                revision: committed.revision,
                status: market.status(),
                digests: self.views.iter().map(|&view| market.digest(view)).collect(),
                topics,
                is_gone: false,
            });
        }
    }

    /// What a market was at a revision.
    pub(crate) fn at(&self, number: MarketNumber, revision: Revision) -> Option<&Entry> {
        self.since(number, revision).first()
    }

    /// What a market was at a revision, and ever since.
    pub(crate) fn since(&self, number: MarketNumber, revision: Revision) -> &[Entry] {
        let Some(entries) = self.markets.get(number.0 as usize) else { return &[] };
        let later = entries.partition_point(|entry| entry.revision <= revision);
        if later == 0 { &[] } else { &entries[later - 1..] }
    }

    /// The statuses that a market's edges led to, after one revision and up to another.
    pub(crate) fn edges(&self, number: MarketNumber, after: Revision, to: Revision) -> Vec<MarketStatus> {
        let entries = self.since(number, after);
        let upto = entries.partition_point(|entry| entry.revision <= to);
        let pairs = entries[..upto].windows(2).filter(|pair| pair[0].status != pair[1].status);
        pairs.map(|pair| pair[1].status).collect()
    }

    /// Whether this digest is what the entry showed in this view.
    pub(crate) fn showed(&self, entry: &Entry, view: View, digest: Digest) -> bool {
        self.views.iter().position(|&known| known == view).is_some_and(|at| entry.digests[at] == digest)
    }

    /// Whether this digest is what the entry showed in any view.
    pub(crate) fn showed_somehow(&self, entry: &Entry, digest: Digest) -> bool {
        entry.digests.contains(&digest)
    }
}

impl Entry {
    /// The view in which these subscriptions follow the market as it was.
    pub(crate) fn view<'a>(
        &self,
        subscriptions: impl Iterator<Item = &'a SubscriptionRequest>,
    ) -> Option<View> {
        subscriptions
            .filter(|request| request.topics.iter().any(|topic| self.topics.contains(topic)))
            .map(|request| request.view)
            .reduce(View::union)
    }
}

fn topics(market: &oddswire_model::Market) -> Arc<[Topic]> {
    let text = |name| market.attributes().get(name).and_then(|value| value.as_text());
    let mut topics = vec![Topic::All, Topic::Market(market.id().as_str().into())];
    topics.extend(text(name::FIXTURE).map(|id| Topic::Fixture(id.into())));
    topics.extend(text(name::MARKET_TYPE).map(|id| Topic::Type(id.into())));
    topics.into()
}
