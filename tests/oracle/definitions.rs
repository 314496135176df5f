//! Rules for definitions: statuses, selections and what a definition says of them.

use serde_json::{Value, json};

use crate::{after, selection_after};

fn definition(status: &str, runners: &[Value]) -> Value {
    json!({"marketDefinition": {"status": status, "inPlay": true, "runners": runners}})
}

/// The printed status of a market whose definition has this status and runners of these statuses.
fn status(status: &str, runners: &[&str]) -> Value {
    let runners: Vec<Value> =
        runners.iter().enumerate().map(|(id, status)| json!({"id": id, "status": status})).collect();
    after(&[definition(status, &runners)]).to_json()["status"].clone()
}

#[test]
fn a_market_is_open_only_when_its_definition_says_so() {
    let market = after(&[json!({"rc": [{"id": 7, "ltp": 2}]})]).to_json();
    assert_eq!(market["status"], "SUSPENDED");
    assert_eq!(market["in_play"], false);
    assert_eq!(market["selections"][0]["status"], "ACTIVE");
    assert_eq!(status("OPEN", &["ACTIVE"]), "OPEN");
    assert_eq!(status("SUSPENDED", &["ACTIVE"]), "SUSPENDED");
    assert_eq!(status("INACTIVE", &["ACTIVE"]), "SUSPENDED");
    assert_eq!(status("SOMETHING_NEW", &["ACTIVE"]), "SUSPENDED");
}

#[test]
fn a_closed_market_is_settled_or_void_by_its_runners() {
    assert_eq!(status("CLOSED", &["ACTIVE", "REMOVED"]), "CLOSED");
    assert_eq!(status("CLOSED", &["WINNER", "ACTIVE"]), "CLOSED");
    assert_eq!(status("CLOSED", &[]), "CLOSED");
    assert_eq!(status("CLOSED", &["WINNER", "LOSER", "REMOVED", "HIDDEN"]), "SETTLED");
    assert_eq!(status("CLOSED", &["PLACED", "LOSER"]), "SETTLED");
    assert_eq!(status("CLOSED", &["REMOVED", "REMOVED_VACANT"]), "VOID");
}

#[test]
fn a_definition_replaces_the_one_before_and_keeps_prices() {
    let first = json!({"id": 7, "status": "ACTIVE", "bsp": 2.86059, "adjustmentFactor": 12.34567});
    let changes = [
        definition("OPEN", &[first]),
        json!({"rc": [{"id": 7, "ltp": 2}]}),
        definition("SUSPENDED", &[json!({"id": 7, "status": "REMOVED"})]),
    ];
    let before = selection_after(&changes[..2]);
    assert_eq!(before["starting_price"], json!(2.8606));
    assert_eq!(before["reduction_factor"], json!(12.3457));
    let selection = selection_after(&changes);
    assert_eq!(selection["status"], "REMOVED");
    assert_eq!(selection["starting_price"], json!(null));
    assert_eq!(selection["reduction_factor"], json!(null));
    assert_eq!(selection["last_traded"], json!(2.0));
}

#[test]
fn starting_prices_may_be_infinite_or_not_a_number() {
    let starting_price = |bsp: Value| {
        selection_after(&[definition("OPEN", &[json!({"id": 7, "bsp": bsp})])])["starting_price"].clone()
    };
    assert_eq!(starting_price(json!("Infinity")), "Infinity");
    assert_eq!(starting_price(json!("NaN")), json!(null));
    assert_eq!(starting_price(json!(1000)), json!(1000.0));
}

#[test]
fn selections_are_sorted_by_id_and_handicap_and_never_forgotten() {
    let runners = [json!({"id": 9, "hc": 0.5}), json!({"id": 9, "hc": -0.25}), json!({"id": 8, "hc": 0.0})];
    let changes = [
        definition("OPEN", &runners),
        json!({"rc": [{"id": 8, "ltp": 2}, {"id": 9, "hc": 0.5, "ltp": 3}, {"id": 10, "ltp": 4}]}),
        definition("OPEN", &[json!({"id": 8, "status": "LOSER"})]),
        json!({"img": true}),
    ];
    let market = after(&changes).to_json();
    let listed: Vec<Value> = market["selections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|selection| json!([selection["id"], selection["handicap"], selection["status"]]))
        .collect();
    let expected = [
        json!([8, 0, "LOSER"]),
        json!([9, -0.25, "ACTIVE"]),
        json!([9, 0.5, "ACTIVE"]),
        json!([10, 0, "ACTIVE"]),
    ];
    assert_eq!(listed, expected);
}

#[test]
fn a_runner_status_of_a_later_version_is_not_active() {
    let selection = selection_after(&[definition("OPEN", &[json!({"id": 7, "status": "SOMETHING_NEW"})])]);
    assert_eq!(selection["status"], "SUSPENDED");
}
