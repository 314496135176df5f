//! Topics by number, so that a subscription to two hundred of them is eight hundred bytes.

use oddswire_model::{MarketNumber, Topic};
use oddswire_store::Store;
use rustc_hash::FxHashMap;

/// A number for a topic that somebody follows.
pub(crate) type TopicId = u32;

/// Fewer topics than this are not worth looking for those that nobody follows any more.
const SWEEP_AT_LEAST: usize = 1_024;

/// The topics that somebody follows, and some that nobody follows any more until the next sweep.
#[derive(Debug, Default)]
pub(crate) struct TopicNames {
    ids: FxHashMap<Topic, TopicId>,
    names: Vec<Option<Topic>>,
    free: Vec<TopicId>,
    sweep_at: usize,
}

impl TopicNames {
    /// The number of a topic.
    pub(crate) fn id(&mut self, topic: Topic) -> TopicId {
        if let Some(&id) = self.ids.get(&topic) {
            return id;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.names.push(None);
            (self.names.len() - 1) as TopicId
        });
        self.names[id as usize] = Some(topic.clone());
        self.ids.insert(topic, id);
        id
    }

    pub(crate) fn is_member(&self, store: &Store, topic: TopicId, market: MarketNumber) -> bool {
        self.name(topic).is_some_and(|topic| store.is_member(market, topic))
    }

    pub(crate) fn members<'a>(
        &'a self,
        store: &'a Store,
        topic: TopicId,
    ) -> impl Iterator<Item = MarketNumber> + 'a {
        self.name(topic).into_iter().flat_map(|topic| store.members(topic))
    }

    /// Which topics name a market, by number.
    pub(crate) fn naming(&self, store: &Store, market: MarketNumber) -> Vec<bool> {
        self.names
            .iter()
            .map(|topic| topic.as_ref().is_some_and(|topic| store.is_member(market, topic)))
            .collect()
    }

    /// Whether there may be many topics that nobody follows.
    pub(crate) fn is_sweep_due(&self) -> bool {
        self.ids.len() >= self.sweep_at.max(SWEEP_AT_LEAST)
    }

    /// Forgets all topics but those that are followed. The next sweep is due when their number has doubled, so that
    /// whoever makes up topics pays for the sweeps with messages.
    pub(crate) fn sweep(&mut self, followed: impl Iterator<Item = TopicId>) {
        let mut is_followed = vec![false; self.names.len()];
        for id in followed {
            is_followed[id as usize] = true;
        }
        for (id, name) in self.names.iter_mut().enumerate() {
            if !is_followed[id]
                && let Some(topic) = name.take()
            {
                self.ids.remove(&topic);
                self.free.push(id as TopicId);
            }
        }
        self.sweep_at = self.ids.len() * 2;
    }

    fn name(&self, id: TopicId) -> Option<&Topic> {
        self.names.get(id as usize)?.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_that_nobody_follows_are_forgotten_and_their_numbers_used_again() {
        let mut names = TopicNames::default();
        let topic = |number: usize| format!("market/1.{number}").parse::<Topic>().unwrap();
        for number in 0..SWEEP_AT_LEAST {
            assert!(!names.is_sweep_due(), "after {number}");
            assert_eq!(names.id(topic(number)), number as TopicId);
        }
        assert!(names.is_sweep_due());
        names.sweep([7, 9].into_iter());
        assert_eq!(names.id(topic(7)), 7, "still the same");
        let new = names.id(topic(5_000));
        assert!((new as usize) < SWEEP_AT_LEAST && ![7, 9].contains(&new));
        assert_eq!(names.ids.len(), 3);
        assert!(!names.is_sweep_due());
    }
}
