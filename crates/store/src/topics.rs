//! Which markets a topic names.

use std::collections::BTreeSet;

use oddswire_model::{AttributeValue, Market, MarketNumber, Topic, name};
use rustc_hash::FxHashMap;

/// Topics and their members, kept up to date as definitions change.
#[derive(Debug, Clone, Default)]
pub(crate) struct TopicIndex {
    members: FxHashMap<Topic, BTreeSet<MarketNumber>>,
    topics: FxHashMap<MarketNumber, Vec<Topic>>,
}

impl TopicIndex {
    /// Brings a market's topics up to date; says whether they changed.
    pub(crate) fn update(&mut self, market: &Market) -> bool {
        let topics = topics_of(market);
        if self.topics.get(&market.number()) == Some(&topics) {
            return false;
        }
        self.remove(market.number());
        for topic in &topics {
            self.members.entry(topic.clone()).or_default().insert(market.number());
        }
        self.topics.insert(market.number(), topics);
        true
    }

    /// Forgets a market.
    pub(crate) fn remove(&mut self, market: MarketNumber) {
        for topic in self.topics.remove(&market).unwrap_or_default() {
            if let Some(members) = self.members.get_mut(&topic) {
                members.remove(&market);
                if members.is_empty() {
                    self.members.remove(&topic);
                }
            }
        }
    }

    pub(crate) fn members(&self, topic: &Topic) -> impl Iterator<Item = MarketNumber> + '_ {
        self.members.get(topic).into_iter().flatten().copied()
    }

    pub(crate) fn is_member(&self, market: MarketNumber, topic: &Topic) -> bool {
        self.members.get(topic).is_some_and(|members| members.contains(&market))
    }
}

fn topics_of(market: &Market) -> Vec<Topic> {
    let mut topics = vec![Topic::All, Topic::Market(market.id().as_str().into())];
    let mut push =
        |attribute: &str, topic: fn(std::sync::Arc<str>) -> Topic| match market.attributes().get(attribute) {
            Some(AttributeValue::Text(text)) => topics.push(topic(text.clone())),
            Some(AttributeValue::Integer(number)) => topics.push(topic(number.to_string().into())),
            _ => {}
        };
    push(name::FIXTURE, Topic::Fixture);
    push(name::COMPETITION, Topic::Competition);
    push(name::SPORT, Topic::Sport);
    push(name::MARKET_TYPE, Topic::Type);
    topics
}
