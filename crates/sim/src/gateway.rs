//! The gateway: a store, a fan-out, and what an engine does around them.

use std::{collections::BTreeMap, sync::Arc};

use oddswire_fanout::{ConnectionId, Fanout, FanoutConfig, LocalShard};
use oddswire_model::{Commit, Epoch, MarketStatus, Revision, View};
use oddswire_store::{Committed, ProducerError, Published, Store};

use crate::{
    history::History,
    link::LinkNumber,
    producer::{Answer, Body, Upload},
};

/// A producer that says nothing for longer has its markets held.
pub(crate) const SILENT_AFTER_MS: u64 = 3_000;

pub(crate) struct Gateway {
    pub(crate) store: Store,
    pub(crate) fanout: Fanout,
    pub(crate) shard: LocalShard,
    /// Counts lives, with the same log or a new one.
    pub(crate) life: u64,
    pub(crate) is_up: bool,
    pub(crate) links: BTreeMap<ConnectionId, LinkNumber>,
    /// When each producer was last heard.
    pub(crate) heard_ms: BTreeMap<String, u64>,
    /// Since when the markets of silent producers are held.
    held: BTreeMap<String, Revision>,
    /// The time that is planned for the next timeout.
    pub(crate) wake_ms: u64,
    /// What every market was, per epoch; clients may still be in an old one.
    pub(crate) histories: BTreeMap<u64, History>,
    views: Arc<[View]>,
    pub(crate) commits: u64,
}

impl Gateway {
    pub(crate) fn new(epoch: u64, views: Arc<[View]>) -> Self {
        let histories = BTreeMap::from([(epoch, History::new(views.clone()))]);
        Self {
            store: Store::new(Epoch(epoch)),
            fanout: Fanout::new(fanout_config()),
            shard: LocalShard::default(),
            life: 0,
            is_up: true,
            links: BTreeMap::new(),
            heard_ms: BTreeMap::new(),
            held: BTreeMap::new(),
            wake_ms: 0,
            histories,
            views,
            commits: 0,
        }
    }

    /// It is gone, with all its connections.
    pub(crate) fn die(&mut self) {
        self.is_up = false;
        self.life += 1;
        self.links.clear();
        self.fanout = Fanout::new(fanout_config());
        self.shard = LocalShard::default();
    }

    /// It has lost its log and begins a new one.
    pub(crate) fn forget_log(&mut self, revisions: u64) {
        let epoch = self.store.epoch().0 + 1;
        self.store = Store::new(Epoch(epoch));
        self.heard_ms.clear();
        self.held.clear();
        self.histories.insert(epoch, History::new(self.views.clone()));
        self.age(revisions);
    }

    /// The log has this many commits behind it that are of no interest any more.
    pub(crate) fn age(&mut self, revisions: u64) {
        for _ in 0..revisions {
            let _ = self.store.commit(&Commit::default());
        }
    }

    pub(crate) fn history(&self) -> &History {
        &self.histories[&self.store.epoch().0]
    }

    /// Takes what a producer says.
    ///
    /// # Errors
    /// When the store does what it must not do.
    pub(crate) fn take(&mut self, now_ms: u64, producer: &str, upload: &Upload) -> Result<Answer, String> {
        let before = self.store.revision();
        let answer = match &upload.body {
            Body::Announce => match self.store.announce_producer(producer, upload.producer_epoch) {
                Ok(_) => self.taken(producer),
                Err(ProducerError::Fenced { .. }) => Answer::Fenced,
                Err(error) => return Err(format!("{producer} may not announce itself: {error}")),
            },
            Body::Publish { sequence, commit, is_bad } => {
                let published = self.store.publish(producer, upload.producer_epoch, *sequence, commit);
                match published {
                    Ok(Published::Applied(_)) if *is_bad => {
                        return Err(format!("a commit of {producer} had to be refused"));
                    }
                    Ok(Published::Applied(committed)) => {
                        self.check_held(producer, &committed)?;
                        self.hand_on(now_ms, &committed);
                        self.taken(producer)
                    }
                    Ok(Published::Repeated(_)) => self.taken(producer),
                    Err(ProducerError::Fenced { .. }) => Answer::Fenced,
                    Err(ProducerError::Unknown(_)) => Answer::Unknown,
                    Err(ProducerError::Refused(_)) if *is_bad => Answer::Refused,
                    Err(error) => return Err(format!("a good commit of {producer} was refused: {error}")),
                }
            }
            Body::Complete | Body::Alive => match self.store.producer(producer) {
                None => Answer::Unknown,
                Some(state) if state.producer_epoch != upload.producer_epoch => Answer::Fenced,
                Some(_) => {
                    if matches!(upload.body, Body::Complete)
                        && let Some(committed) = self.store.release_producer(producer)
                    {
                        self.held.remove(producer);
                        self.hand_on(now_ms, &committed);
                    }
                    self.taken(producer)
                }
            },
        };
        if matches!(answer, Answer::Taken { .. } | Answer::Refused) {
            self.heard_ms.insert(producer.to_owned(), now_ms);
        } else if self.store.revision() != before {
            return Err(format!("{producer} was turned away and changed the store all the same"));
        }
        if answer == Answer::Refused && self.store.revision() != before {
            return Err("a refused commit used a revision up".to_owned());
        }
        Ok(answer)
    }

    /// Holds the markets of producers that have been silent for too long.
    pub(crate) fn hold_silent(&mut self, now_ms: u64) {
        let silent: Vec<String> = self
            .heard_ms
            .iter()
            .filter(|&(_, &heard_ms)| now_ms - heard_ms > SILENT_AFTER_MS)
            .map(|(name, _)| name.clone())
            .collect();
        for producer in silent {
            if let Some(committed) = self.store.hold_producer(&producer) {
                self.held.insert(producer, committed.revision);
                self.hand_on(now_ms, &committed);
            }
        }
    }

    /// What the engine does with every commit.
    pub(crate) fn hand_on(&mut self, now_ms: u64, committed: &Committed) {
        self.commits += 1;
        if let Some(history) = self.histories.get_mut(&self.store.epoch().0) {
            history.record(&self.store, committed);
        }
        self.fanout.handle_commit(now_ms, &self.store, committed);
    }

    fn taken(&self, producer: &str) -> Answer {
        Answer::Taken { is_held: self.store.producer(producer).is_some_and(|state| state.held) }
    }

    /// A market that was open when its producer fell silent must not open before everything has been said again.
    fn check_held(&self, producer: &str, committed: &Committed) -> Result<(), String> {
        if let Some(&since) = self.held.get(producer) {
            for market in committed.changed.iter().filter_map(|&number| self.store.market(number)) {
                if market.created() < since && market.status() == MarketStatus::Open {
                    return Err(format!("market {} is open while its producer is held", market.id()));
                }
            }
        }
        Ok(())
    }
}

/// Digests go round quickly, so that a wrong state is found before the end of a short simulation.
fn fanout_config() -> FanoutConfig {
    FanoutConfig { digests_per_heartbeat: 8, phase_members: 1, ..FanoutConfig::default() }
}
