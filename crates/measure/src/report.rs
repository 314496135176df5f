//! What was measured, and what the rows mean.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{ENCODINGS, FrameSizes, encoding_name};

/// What was measured of one recording.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The file's name without its folder.
    pub file: String,
    /// Market change messages in it, heartbeats among them.
    pub messages: u64,
    /// Values that really change: cells and attributes, images compared with what was there before.
    pub changes: u64,
    /// Bytes of all messages together, by the key of the row.
    pub bytes: BTreeMap<String, u64>,
    /// The JSON as recorded with the headers that every message has on the line.
    pub raw_json_on_line: u64,
    /// Rows of `bytes` that were measured on a part of the messages and scaled: share of the messages looked at.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sampled: BTreeMap<String, f64>,
    /// The recording at every rate class.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflation: Vec<Conflation>,
    /// Copies of one market on one connection.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub many_markets: Vec<ManyMarkets>,
    /// What whoever reads the figures should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One encoding at one rate.
#[derive(Debug, Clone, Serialize)]
pub struct Conflation {
    /// The rate class.
    pub rate_ms: u32,
    /// The encoding.
    pub encoding: &'static str,
    /// What the receiver got.
    #[serde(flatten)]
    pub sizes: FrameSizes,
}

/// One encoding at one rate, for a number of markets on one connection.
#[derive(Debug, Clone, Serialize)]
pub struct ManyMarkets {
    /// How many copies of the market.
    pub markets: usize,
    /// Messages that all of them played together.
    pub messages: u64,
    /// The rate class.
    pub rate_ms: u32,
    /// The encoding.
    pub encoding: &'static str,
    /// What the receiver got.
    #[serde(flatten)]
    pub sizes: FrameSizes,
}

/// Who can be served by the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// Encoded once for everybody.
    Once,
    /// Compressed again for every connection, with state for every connection.
    Connection,
    /// The whole file at once: not live.
    File,
}

impl Shared {
    /// One word for tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Connection => "conn",
            Self::File => "file",
        }
    }
}

/// One row of the table of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Key in [`Report::bytes`].
    pub key: String,
    /// For people.
    pub label: String,
    /// Who can be served by the same bytes.
    pub shared: Shared,
}

/// All rows that there can be, in the order of the table.
pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |key: String, label: String, shared| rows.push(Row { key, label, shared });
    let streams = [
        ("raw_json", "JSON as recorded"),
        ("minified_json", "the same without spaces"),
        ("canonical_json", "canonical JSON: net changes only"),
        ("merge_patch", "JSON merge patch (RFC 7396)"),
        ("naive_protobuf", "naive protobuf"),
        ("snapshot_json", "full snapshot JSON"),
    ];
    for (key, label) in streams {
        row(key.to_owned(), label.to_owned(), Shared::Once);
        row(format!("{key}_deflate"), "  + permessage-deflate".to_owned(), Shared::Connection);
        row(format!("{key}_zstd"), "  + zstd -3 stream".to_owned(), Shared::Connection);
    }
    row("snapshot_json_zstd_patch".to_owned(), "  as zstd patch of the last one".to_owned(), Shared::Once);
    for encoding in ENCODINGS {
        let name = encoding_name(encoding);
        row(name.to_owned(), format!("Oddswire, {name}, full depth"), Shared::Once);
        row(format!("{name}_best3"), format!("Oddswire, {name}, best 3"), Shared::Once);
        row(format!("{name}_prices"), format!("Oddswire, {name}, prices only"), Shared::Once);
    }
    let archives = [("bzip2", "bzip2 -9"), ("xz", "xz -9"), ("zstd19", "zstd -19")];
    for (key, label) in archives {
        row(key.to_owned(), format!("offline {label}, whole file"), Shared::File);
        row(format!("canonical_{key}"), format!("offline {label}, canonical JSON"), Shared::File);
    }
    rows
}

/// Geometric mean of what reports of at least `messages_min` messages say; `None` when one of them does not say it, or
/// when there is none.
pub fn geometric_mean(
    reports: &[Report],
    messages_min: u64,
    share: impl Fn(&Report) -> Option<f64>,
) -> Option<f64> {
    let long: Vec<_> = reports.iter().filter(|report| report.messages >= messages_min).collect();
    let shares: Option<Vec<f64>> = long.into_iter().map(share).collect();
    geometric_mean_of(&shares?)
}

/// Geometric mean of some shares; `None` when there is none.
pub fn geometric_mean_of(shares: &[f64]) -> Option<f64> {
    let logs: f64 = shares.iter().map(|share| share.ln()).sum();
    (!shares.is_empty()).then(|| (logs / shares.len() as f64).exp())
}

impl Report {
    /// Share of the JSON as recorded that a row takes.
    pub fn share(&self, key: &str) -> Option<f64> {
        self.share_of(key, "raw_json")
    }

    /// Share of one row that another takes.
    pub fn share_of(&self, key: &str, whole: &str) -> Option<f64> {
        Some(*self.bytes.get(key)? as f64 / *self.bytes.get(whole)? as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(messages: u64, plain: u64) -> Report {
        let bytes = [("raw_json".to_owned(), 100), ("plain".to_owned(), plain)].into();
        Report { messages, bytes, ..Report::default() }
    }

    #[test]
    fn short_recordings_do_not_count_in_the_mean() {
        let reports = [report(1_000, 4), report(999, 90), report(5_000, 16)];
        let mean = |key: &str| geometric_mean(&reports, 1_000, |report| report.share(key));
        assert!((mean("plain").unwrap() - 0.08).abs() < 1e-12);
        assert_eq!(mean("compact"), None);
        assert_eq!(geometric_mean(&reports, 10_000, |report| report.share("plain")), None);
    }

    #[test]
    fn keys_of_rows_are_unique() {
        let mut keys: Vec<_> = rows().into_iter().map(|row| row.key).collect();
        keys.sort();
        let count = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), count);
        for key in ["raw_json", "raw_json_deflate", "plain", "bzip2"] {
            assert!(keys.iter().any(|found| found == key), "{key}");
        }
    }
}
