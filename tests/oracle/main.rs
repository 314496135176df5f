//! The oracle's own tests: what it is told by hand-written messages, and a run over every recording.
//!
//! They are a test target of their own, so that they run once and not again in each test that uses the oracle.

#[path = "mod.rs"]
mod oracle;

mod books;
mod definitions;
mod reading;
mod recordings;
mod views;

use oracle::{Oracle, OracleMarket};
use serde_json::{Value, json};

/// An oracle that has heard these market changes of market 1.1, each in a message of its own.
fn after(changes: &[Value]) -> OracleMarket {
    let mut oracle = Oracle::new();
    for change in changes {
        let mut change = change.clone();
        change["id"] = json!("1.1");
        oracle.apply(&json!({"op": "mcm", "pt": 1, "clk": null, "mc": [change]}));
    }
    oracle.market("1.1").expect("the market was spoken of").clone()
}

/// The first selection of the market that these changes leave behind.
fn selection_after(changes: &[Value]) -> Value {
    after(changes).to_json()["selections"][0].clone()
}
