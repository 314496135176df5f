//! From messages of the stream to commits.

use std::collections::HashMap;

use oddswire_model::{Commit, MarketId, MarketUpdate};

use super::{MarketChange, Message, market_state::MarketState, names::Names};

/// Turns messages into commits, in the order in which the stream sent them.
#[derive(Debug, Default)]
pub struct Adapter {
    markets: HashMap<String, MarketState>,
    names: Names,
    published_ms: u64,
    skipped_values: u64,
}

impl Adapter {
    /// An adapter at the beginning of a recording.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a message changes; `None` for heartbeats and other messages that change nothing.
    pub fn commit(&mut self, message: &Message) -> Option<Commit> {
        if !message.is_market_change {
            return None;
        }
        self.published_ms = message.published_ms.unwrap_or(self.published_ms);
        let markets: Vec<_> =
            message.markets.iter().filter_map(|change| self.market_update(change)).collect();
        (!markets.is_empty()).then_some(Commit { published_ms: self.published_ms, markets })
    }

    /// How many values could not be taken so far: prices, amounts, ids and texts that make no sense or do not fit.
    pub fn skipped_values(&self) -> u64 {
        self.skipped_values
    }

    fn market_update(&mut self, change: &MarketChange) -> Option<MarketUpdate> {
        let Some(state) = change.id.as_deref().and_then(|id| market_state(&mut self.markets, id)) else {
            self.skipped_values += 1;
            return None;
        };
        let (update, skipped) = state.update(change, &mut self.names);
        self.skipped_values += skipped;
        update
    }
}

fn market_state<'a>(markets: &'a mut HashMap<String, MarketState>, id: &str) -> Option<&'a mut MarketState> {
    // Two look-ups, so that the name is copied once per market and not once per message.
    if !markets.contains_key(id) {
        markets.insert(id.to_owned(), MarketState::new(MarketId::new(id).ok()?));
    }
    markets.get_mut(id)
}

#[cfg(test)]
mod tests {
    use oddswire_model::Field;

    use super::*;

    fn commit(adapter: &mut Adapter, changes: &str) -> Option<Commit> {
        let json = format!(r#"{{"op":"mcm","pt":5,"mc":[{changes}]}}"#);
        adapter.commit(&serde_json::from_str(&json).unwrap())
    }

    #[test]
    fn heartbeats_and_empty_changes_are_no_commits() {
        let mut adapter = Adapter::new();
        for json in [
            r#"{"op":"mcm","id":2,"clk":"x","pt":5,"ct":"HEARTBEAT"}"#,
            r#"{"op":"mcm","pt":5,"mc":[]}"#,
            r#"{"op":"mcm","pt":5,"mc":[{"id":"1.1","con":true}]}"#,
            r#"{"op":"ocm","pt":5,"mc":[{"id":"1.1","tv":5}]}"#,
        ] {
            assert_eq!(adapter.commit(&serde_json::from_str(json).unwrap()), None, "{json}");
        }
        assert_eq!(adapter.skipped_values(), 0);
    }

    #[test]
    fn changes_of_one_market_stay_apart_and_in_order() {
        let changes = r#"{"id":"1.1","tv":1.5},{"id":"1.2","tv":3},{"id":"1.1","tv":2}"#;
        let commit = commit(&mut Adapter::new(), changes).unwrap();
        assert_eq!(commit.published_ms, 5);
        let seen: Vec<_> =
            commit.markets.iter().map(|update| (update.id.as_str(), update.fields[0])).collect();
        let tv = Field::MarketTradedVolume;
        assert_eq!(seen, [("1.1", (tv, 150)), ("1.2", (tv, 300)), ("1.1", (tv, 200))]);
    }

    #[test]
    fn a_message_without_a_time_keeps_the_last_one() {
        let mut adapter = Adapter::new();
        commit(&mut adapter, r#"{"id":"1.1","tv":1}"#);
        let message = serde_json::from_str(r#"{"op":"mcm","mc":[{"id":"1.1","tv":2}]}"#).unwrap();
        assert_eq!(adapter.commit(&message).unwrap().published_ms, 5);
    }

    #[test]
    fn a_market_without_an_id_is_skipped_and_counted() {
        let mut adapter = Adapter::new();
        let changes = r#"{"tv":1},{"id":"","tv":1},{"id":5,"tv":1},{"id":"1.1","tv":1}"#;
        assert_eq!(commit(&mut adapter, changes).unwrap().markets.len(), 1);
        assert_eq!(adapter.skipped_values(), 3);
    }
}
