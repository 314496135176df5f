//! What each view shows, and the exact printed form.

use serde_json::json;

use crate::after;
use crate::oracle::{OracleMarket, View, difference};

fn market() -> OracleMarket {
    after(&[json!({
        "tv": 500.5,
        "marketDefinition": {"status": "OPEN", "inPlay": false, "runners": [
            {"id": 7, "status": "ACTIVE", "bsp": 2.1, "adjustmentFactor": 50},
        ]},
        "rc": [{
            "id": 7, "ltp": 2, "tv": 500.5, "spn": 2.1, "spf": "Infinity", "trd": [[2, 500.5]],
            "atb": [[2, 1], [1.9, 2], [1.8, 3]], "atl": [[2.2, 4], [2.3, 5], [2.4, 6]],
            "bdatb": [[0, 2.02, 1], [1, 2, 2]], "bdatl": [[0, 2.1, 3], [1, 2.2, 4]],
            "spb": [[1000, 7]], "spl": [[1.01, 8]],
        }],
    })])
}

#[test]
fn full_prints_everything_in_the_agreed_form() {
    let printed = r#"{"market":"1.1","status":"OPEN","in_play":false,"selections":[{"id":7,"handicap":0,"status":"ACTIVE","price":null,"last_traded":2.0,"traded_volume":500.5,"back":[[2.0,1.0],[1.9,2.0],[1.8,3.0]],"lay":[[2.2,4.0],[2.3,5.0],[2.4,6.0]],"traded":[[2.0,500.5]],"near_price":2.1,"far_price":"Infinity","starting_price":2.1,"reduction_factor":50.0,"sp_back":[[1000.0,7.0]],"sp_lay":[[1.01,8.0]],"display_back":[[2.02,1.0],[2.0,2.0]],"display_lay":[[2.1,3.0],[2.2,4.0]]}],"traded_volume":500.5}"#;
    assert_eq!(market().to_json().to_string(), printed);
    assert_eq!(market().to_json_view(View::Full), market().to_json());
}

#[test]
fn prices_shows_one_price_of_each_side() {
    let expected = json!({
        "market": "1.1", "status": "OPEN", "in_play": false, "traded_volume": 0,
        "selections": [{
            "id": 7, "handicap": 0, "status": "ACTIVE", "price": null, "last_traded": 2, "traded_volume": 0,
            "back": [[2, null]], "lay": [[2.2, null]], "traded": [], "near_price": null, "far_price": null,
            "starting_price": 2.1, "reduction_factor": 50, "sp_back": [], "sp_lay": [],
            "display_back": [[2.02, null]], "display_lay": [[2.1, null]],
        }],
    });
    assert_eq!(difference(&expected, &market().to_json_view(View::Prices)), None);
}

#[test]
fn best_cuts_the_offers_and_drops_what_has_no_best() {
    let with_volumes = market().to_json_view(View::Best(2, true));
    let selection = &with_volumes["selections"][0];
    assert_eq!(with_volumes["traded_volume"], json!(500.5));
    assert_eq!(selection["traded_volume"], json!(500.5));
    assert_eq!(selection["back"], json!([[2.0, 1.0], [1.9, 2.0]]));
    assert_eq!(selection["lay"], json!([[2.2, 4.0], [2.3, 5.0]]));
    assert_eq!(selection["display_lay"], json!([[2.1, 3.0], [2.2, 4.0]]));
    assert_eq!(selection["near_price"], json!(2.1));
    assert_eq!(selection["far_price"], json!("Infinity"));
    for ladder in ["traded", "sp_back", "sp_lay"] {
        assert_eq!(selection[ladder], json!([]), "{ladder}");
    }
}

#[test]
fn best_without_volumes_keeps_the_rungs_and_hides_every_amount() {
    let without = market().to_json_view(View::Best(1, false));
    let selection = &without["selections"][0];
    assert_eq!(without["traded_volume"], json!(0.0));
    assert_eq!(selection["traded_volume"], json!(0.0));
    assert_eq!(selection["back"], json!([[2.0, null]]));
    assert_eq!(selection["display_back"], json!([[2.02, null]]));
    assert_eq!(selection["near_price"], json!(2.1));
}

#[test]
fn a_difference_names_the_place() {
    let left = json!({"a": [1, {"b": 2}], "c": 0});
    assert_eq!(difference(&left, &json!({"c": 0.0, "a": [1.0, {"b": 2}]})), None);
    let found = |right| difference(&left, &right).unwrap();
    assert_eq!(found(json!({"a": [1, {"b": 3}], "c": 0})), ".a[1].b: expected 2, found 3");
    assert_eq!(found(json!({"a": [1], "c": 0})), r#".a[1]: expected {"b":2}, found nothing"#);
    assert_eq!(found(json!({"a": [1, {"b": 2}], "c": 0, "d": 1})), ".d: expected nothing, found 1");
    assert_eq!(found(json!({"a": null, "c": 0})), r#".a: expected [1,{"b":2}], found null"#);
}
