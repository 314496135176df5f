//! Rules for prices and amounts: ladders, levels, scalars, images.

use serde_json::{Value, json};

use crate::oracle::{Oracle, difference};
use crate::{after, selection_after};

/// A market change with one runner change for selection 7.
fn runner(mut fields: Value) -> Value {
    fields["id"] = json!(7);
    json!({"rc": [fields]})
}

/// The same, in an image.
fn image(fields: Value) -> Value {
    let mut change = runner(fields);
    change["img"] = json!(true);
    change
}

#[test]
fn ladders_stand_best_first_and_size_zero_removes() {
    let ladders = json!({
        "atb": [[2.0, 1], [2.2, 3.5], [2.1, 2]], "atl": [[2.4, 1], [2.3, 2]],
        "trd": [[3, 10], [2, 20]], "spb": [[4, 1], [1.01, 2]], "spl": [[1.02, 1], [1.01, 2]],
    });
    let selection =
        selection_after(&[runner(ladders), runner(json!({"atb": [[2.1, 0], [1.5, 0]], "trd": null}))]);
    assert_eq!(selection["back"], json!([[2.2, 3.5], [2.0, 1.0]]));
    assert_eq!(selection["lay"], json!([[2.3, 2.0], [2.4, 1.0]]));
    assert_eq!(selection["traded"], json!([[2.0, 20.0], [3.0, 10.0]]));
    assert_eq!(selection["sp_back"], json!([[1.01, 2.0], [4.0, 1.0]]));
    assert_eq!(selection["sp_lay"], json!([[1.01, 2.0], [1.02, 1.0]]));
}

#[test]
fn entries_that_cannot_be_are_ignored() {
    let odd = json!({
        "atb": [[-1, 5], [429497, 5], [2, -1], ["NaN", 5], [3, "NaN"], [4, null], [5], 6, [2.5, 1]],
        "batb": [[-1, 2, 5], [0, 2, -5], [1.5, 2, 5]],
        "unknown": [[1, 2]],
    });
    let selection = selection_after(&[runner(odd)]);
    assert_eq!(selection["back"], json!([[2.5, 1.0]]));
}

#[test]
fn levels_are_replaced_and_removed_by_number() {
    let first = json!({"batb": [[2, 1.9, 3], [0, 2.1, 1], [1, 2, 2]], "bdatl": [[0, 2.2, 4], [1, 2.3, 5]]});
    let then = json!({"batb": [[1, 0, 0]], "bdatl": [[0, 2.24, 9], [1, 2.3, 0]], "batl": []});
    let selection = selection_after(&[runner(first), runner(then)]);
    assert_eq!(selection["back"], json!([[2.1, 1.0], [1.9, 3.0]]));
    assert_eq!(selection["display_lay"], json!([[2.24, 9.0]]));
    assert_eq!(selection["lay"], json!([]));
}

#[test]
fn a_price_at_two_levels_counts_at_the_better_one() {
    let levels = json!({"batl": [[0, 3, 1], [1, 2.9, 2], [2, 3, 7]]});
    assert_eq!(selection_after(&[runner(levels)])["lay"], json!([[2.9, 2.0], [3.0, 1.0]]));
}

#[test]
fn full_ladders_win_over_best_levels_until_an_image_has_none() {
    let levels = || runner(json!({"batb": [[0, 2, 1]], "batl": [[0, 2.2, 1]]}));
    let full = || runner(json!({"atb": [[1.9, 8]]}));
    let book = |changes: &[Value]| {
        let selection = selection_after(changes);
        (selection["back"].clone(), selection["lay"].clone())
    };
    assert_eq!(book(&[levels()]), (json!([[2.0, 1.0]]), json!([[2.2, 1.0]])));
    // One entry on either side of any selection says that this market carries full ladders.
    assert_eq!(book(&[levels(), full()]), (json!([[1.9, 8.0]]), json!([])));
    let other = json!({"rc": [{"id": 8, "atl": [[5, 1]]}]});
    assert_eq!(book(&[levels(), other]), (json!([]), json!([])));
    // An empty or null array is no entry, but a removal is one.
    assert_eq!(book(&[levels(), runner(json!({"atb": [], "atl": null}))]).0, json!([[2.0, 1.0]]));
    assert_eq!(book(&[levels(), runner(json!({"atb": [[5, 0]]}))]).0, json!([]));
    let levels_image = image(json!({"batb": [[0, 3, 1]]}));
    assert_eq!(book(&[full(), levels_image]), (json!([[3.0, 1.0]]), json!([])));
}

#[test]
fn scalars_keep_their_value_through_null_and_lose_it_by_nan() {
    let first = json!({"ltp": 2.5, "tv": 10.456, "spn": 7.77777, "spf": "Infinity"});
    let selection = selection_after(&[runner(first.clone()), runner(json!({"ltp": null, "spn": null}))]);
    assert_eq!(selection["last_traded"], json!(2.5));
    assert_eq!(selection["traded_volume"], json!(10.46));
    assert_eq!(selection["near_price"], json!(7.7778));
    assert_eq!(selection["far_price"], json!("Infinity"));
    let selection = selection_after(&[runner(first), runner(json!({"spn": "NaN", "spf": 1.0, "tv": 0}))]);
    assert_eq!(selection["near_price"], json!(null));
    assert_eq!(selection["far_price"], json!(1.0));
    assert_eq!(selection["traded_volume"], json!(0.0));
}

#[test]
fn an_image_replaces_every_price_and_forgets_no_selection() {
    let first = json!({"tv": 99, "marketDefinition": {"status": "OPEN"}, "rc": [
        {"id": 7, "ltp": 2, "tv": 5, "spn": 2, "atb": [[2, 1]], "trd": [[2, 5]], "bdatb": [[0, 2, 1]]},
        {"id": 8, "ltp": 3},
    ]});
    let market = after(&[first, image(json!({"atb": [[3, 1]]}))]).to_json();
    assert_eq!(market["status"], "OPEN");
    assert_eq!(market["traded_volume"], json!(0.0));
    let expected = after(&[json!({"rc": [{"id": 7, "atb": [[3, 1]]}, {"id": 8}]})]).to_json();
    assert_eq!(difference(&expected["selections"], &market["selections"]), None);
}

#[test]
fn repeated_entries_apply_in_order() {
    let mut oracle = Oracle::new();
    oracle.apply(&json!({"mc": [
        {"id": "1.1", "rc": [{"id": 7, "atb": [[2, 1]]}, {"id": 7, "atl": [[3, 1]]}, {"id": 7, "atb": [[2, 4]]}]},
        {"id": "1.2", "tv": 3},
        {"id": "1.1", "rc": [{"id": 7, "hc": 0, "ltp": 2}, {"id": 7, "hc": null, "ltp": 3}]},
    ]}));
    oracle.apply(&json!({"mc": null}));
    oracle.apply(&json!({"ct": "HEARTBEAT"}));
    assert_eq!(oracle.markets().keys().collect::<Vec<_>>(), ["1.1", "1.2"]);
    let selections = oracle.market("1.1").unwrap().to_json()["selections"].clone();
    assert_eq!(selections.as_array().unwrap().len(), 1);
    assert_eq!(selections[0]["back"], json!([[2.0, 4.0]]));
    assert_eq!(selections[0]["lay"], json!([[3.0, 1.0]]));
    assert_eq!(selections[0]["last_traded"], json!(3.0));
}
