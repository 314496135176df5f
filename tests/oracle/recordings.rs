//! A run over every recording at hand. What the states should be nobody has written down, so this checks what
//! must be true of any state, and prints what there is.

use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs};

use serde_json::Value;

use crate::oracle::{Oracle, OracleMarket, Recording, View, difference};

#[test]
fn every_recording_can_be_read_and_leaves_markets_in_order() {
    let folder = folder();
    let Ok(entries) = fs::read_dir(&folder) else {
        println!(
            "skipped: there are no recordings at {}; name their folder in ODDSWIRE_DATA",
            folder.display()
        );
        return;
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("the folder lists").path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| is_recording(path)) {
        replay(path);
    }
}

/// The folder of recordings: beside the workspace, unless the environment names another.
fn folder() -> PathBuf {
    env::var_os("ODDSWIRE_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from)
}

/// Recordings come with all sorts of names; only the pages that describe them do not count.
fn is_recording(path: &Path) -> bool {
    path.is_file() && path.extension().is_none_or(|extension| extension != "md")
}

fn replay(path: &Path) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let started = Instant::now();
    let recording = Recording::open(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut oracle = Oracle::new();
    let mut messages = recording.messages();
    let count = messages.by_ref().inspect(|message| oracle.apply(message)).count();
    println!(
        "{name}: {count} messages, {} markets, {} unreadable lines, {} bytes of text in {:.2?}",
        oracle.markets().len(),
        messages.unreadable_lines(),
        recording.text_len(),
        started.elapsed(),
    );
    assert!(count > 0, "{name} has no message");
    for (id, market) in oracle.markets() {
        check_order(&format!("{name} {id}"), &market.to_json());
        check_views(&format!("{name} {id}"), market);
    }
}

/// Selections and rungs stand in their order, each once.
fn check_order(place: &str, market: &Value) {
    let keys: Vec<(i64, f64)> = array(&market["selections"])
        .iter()
        .map(|selection| (selection["id"].as_i64().unwrap(), selection["handicap"].as_f64().unwrap()))
        .collect();
    assert!(keys.is_sorted_by(|a, b| a < b), "{place}: selections {keys:?}");
    for selection in array(&market["selections"]) {
        for ladder in ["back", "lay", "traded", "sp_back", "sp_lay", "display_back", "display_lay"] {
            let rungs = array(&selection[ladder]);
            let highest_first = ladder.ends_with("back") && ladder != "sp_back";
            let ordered = rungs.is_sorted_by(|a, b| {
                let (a, b) = (a[0].as_f64(), b[0].as_f64());
                if highest_first { a > b } else { a < b }
            });
            assert!(ordered, "{place}: {ladder} {rungs:?}");
            assert!(rungs.iter().all(|rung| rung[1].as_f64() > Some(0.0)), "{place}: {ladder} {rungs:?}");
        }
    }
}

/// A view of enough rungs shows the same offers as the full view.
fn check_views(place: &str, market: &OracleMarket) {
    let (full, best) = (market.to_json(), market.to_json_view(View::Best(usize::MAX, true)));
    for (full, best) in array(&full["selections"]).iter().zip(array(&best["selections"])) {
        for field in ["id", "handicap", "status", "back", "lay", "display_back", "display_lay", "near_price"]
        {
            assert_eq!(difference(&full[field], &best[field]), None, "{place}: {field}");
        }
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
