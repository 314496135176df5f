//! What several end-to-end tests need: the recordings, and the store's JSON held against the oracle's.

#![allow(dead_code, unreachable_pub, reason = "each test target uses a part of it")]

use std::path::PathBuf;

use serde_json::Value;

use crate::oracle::{View as OracleView, difference};

/// The recordings, or none with a printed note.
pub fn recordings() -> Vec<PathBuf> {
    let folder =
        std::env::var_os("ODDSWIRE_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!(
            "skipped: there are no recordings in {}; ODDSWIRE_DATA names another folder",
            folder.display()
        );
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "bz2" || extension == "gz"));
    paths.sort();
    paths
}

/// A view in the oracle's own words; the oracle knows no full view without amounts.
pub fn oracle_view(view: oddswire_model::View) -> OracleView {
    match view.depth() {
        oddswire_model::Depth::Prices => OracleView::Prices,
        oddswire_model::Depth::Best(n) => OracleView::Best(usize::from(n), view.volumes()),
        oddswire_model::Depth::Full => OracleView::Full,
    }
}

/// The first place where a market's JSON is not what the oracle says; what only the engine prints is passed over.
pub fn disagreement(expected: &Value, mut found: Value) -> Option<String> {
    retain_keys(&mut found, expected);
    if let (Some(found), Some(expected)) =
        (found["selections"].as_array_mut(), expected["selections"].as_array())
    {
        for (found, expected) in found.iter_mut().zip(expected) {
            retain_keys(found, expected);
        }
    }
    difference(expected, &found)
}

fn retain_keys(found: &mut Value, expected: &Value) {
    if let (Some(found), Some(expected)) = (found.as_object_mut(), expected.as_object()) {
        found.retain(|key, _| expected.contains_key(key));
    }
}
