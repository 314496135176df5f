//! What a market definition says.

use serde_json::Value;

use super::elements;
use super::number::Quote;

/// The market's part of its newest definition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Definition {
    /// As printed: OPEN, SUSPENDED, CLOSED, SETTLED or VOID.
    pub(super) status: &'static str,
    pub(super) in_play: bool,
}

impl Definition {
    pub(super) fn read(definition: &Value) -> Self {
        let status = match definition["status"].as_str() {
            Some("OPEN") => "OPEN",
            Some("CLOSED") => closed_status(elements(&definition["runners"])),
            // Inactive, and whatever a later version of the stream invents: not bettable, and it may come back.
            _ => "SUSPENDED",
        };
        Self { status, in_play: definition["inPlay"].as_bool().unwrap_or(false) }
    }
}

/// The stream has one word for the end of a market; the runners tell which end it was.
fn closed_status(runners: &[Value]) -> &'static str {
    let statuses: Vec<&str> = runners.iter().map(runner_status).collect();
    let any = |of: &[&str]| statuses.iter().any(|status| of.contains(status));
    let all = |of: &[&str]| statuses.iter().all(|status| of.contains(status));
    if !statuses.is_empty() && all(&["REMOVED", "REMOVED_VACANT"]) {
        "VOID"
    } else if any(&["WINNER", "LOSER", "PLACED"]) && !any(&["ACTIVE", "SUSPENDED"]) {
        "SETTLED"
    } else {
        "CLOSED"
    }
}

/// What the newest definition that names a selection says of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) status: &'static str,
    pub(super) starting_price: Quote,
    pub(super) reduction_factor: Quote,
}

impl Terms {
    pub(super) fn read(runner: &Value) -> Self {
        Self {
            status: runner_status(runner),
            starting_price: Quote::read(&runner["bsp"]).unwrap_or_default(),
            reduction_factor: Quote::read(&runner["adjustmentFactor"]).unwrap_or_default(),
        }
    }
}

impl Default for Terms {
    /// The terms of a selection that has prices before any definition names it.
    fn default() -> Self {
        Self { status: "ACTIVE", starting_price: Quote::Absent, reduction_factor: Quote::Absent }
    }
}

fn runner_status(runner: &Value) -> &'static str {
    const STATUSES: [&str; 7] =
        ["ACTIVE", "WINNER", "LOSER", "PLACED", "REMOVED", "REMOVED_VACANT", "HIDDEN"];
    match runner["status"].as_str() {
        None => "ACTIVE",
        // A word of a later version must not look bettable.
        Some(word) => STATUSES.into_iter().find(|&status| status == word).unwrap_or("SUSPENDED"),
    }
}
