//! The test oracle: an independent reducer of Betfair Exchange stream recordings.
//!
//! It says what a market must look like after each recorded message, so that a test can hold the engine's
//! state, or what a receiver rebuilt from frames, against it. It shares no code with the engine on purpose: a
//! mistake made once must not be able to hide in both. It knows nothing of revisions, deltas or views' wire
//! form; it only folds messages into the newest state and prints that as JSON.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "several test targets include this module; each uses a part of it and none exports it"
)]

use std::collections::BTreeMap;

use serde_json::Value;

mod definition;
mod difference;
mod market;
mod number;
mod recording;
mod selection;
mod view;

pub use self::difference::difference;
pub use self::market::OracleMarket;
pub use self::recording::{Messages, Recording};
pub use self::view::View;

/// Every market that the applied messages spoke of, in its newest state.
#[derive(Debug, Clone, Default)]
pub struct Oracle {
    markets: BTreeMap<String, OracleMarket>,
}

impl Oracle {
    /// An oracle that has heard nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies one message. A message without market changes (a heartbeat, another operation) does nothing.
    pub fn apply(&mut self, message: &Value) {
        // Changes of one market may stand several times in a message; they build on each other, in order.
        for change in elements(&message["mc"]) {
            let Some(id) = change["id"].as_str() else { continue };
            if !self.markets.contains_key(id) {
                self.markets.insert(id.to_owned(), OracleMarket::new(id));
            }
            if let Some(market) = self.markets.get_mut(id) {
                market.apply(change);
            }
        }
    }

    /// The markets by id. None is ever forgotten.
    pub fn markets(&self) -> &BTreeMap<String, OracleMarket> {
        &self.markets
    }

    /// One market.
    pub fn market(&self, id: &str) -> Option<&OracleMarket> {
        self.markets.get(id)
    }
}

/// The elements of an array; a missing, null or foreign value has none, because the stream says "no change" so.
fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
