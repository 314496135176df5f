//! Servers without deltas: the whole market with every message, compressed, or as a patch of the last one.
//!
//! A patch of bytes between two snapshots is what servers with VCDIFF or Fossil deltas send. zstd's "patch from" stands
//! for all of them here. No crate for those two formats is kept well enough to be depended on (looked at in November
//! 2026): `xdelta3` 0.1.5 and `vcdiff` 0.1.0 bind C and C++ sources and have not been released for years, `fossil-delta`
//! 0.2.0 likewise, `vcdiff-writer` only writes what somebody else has found, and `oxidelta` 0.1.4 is two releases young,
//! was published from a tree with uncommitted changes and has `unsafe` in dozens of places. zstd's patches were
//! smaller than those formats' by a fifth and more on markets like these, so the stand-in does not flatter us.

use std::collections::BTreeMap;

use oddswire_model::MarketNumber;

use crate::{
    MeasureError, Recording,
    compress::zstd_patch,
    json::{Document, MarketDocument},
    measure::{Part, walk},
    streams::Streams,
};

/// Snapshot bytes that are compressed, at most; a busy recording has ten times as many.
const COMPRESSED_BYTES_MAX: u64 = 64 << 20;
/// Messages in a row that are looked at, so that nearly every snapshot follows the one it would follow live.
const RUN_MESSAGES: usize = 100;

/// Bytes of full snapshots. The uncompressed row is exact; the others are measured on evenly spaced runs of messages
/// where there are too many bytes, and scaled by the bytes that were left out.
pub(crate) fn snapshots(recording: &Recording, advance: &dyn Fn(f64)) -> Result<Part, MeasureError> {
    let step = 0.5 / recording.messages().len() as f64;
    let mut documents: BTreeMap<MarketNumber, MarketDocument> = BTreeMap::new();
    let mut document = Document::default();
    let mut total = 0u64;
    walk(recording, |_, published_ms, changed| {
        advance(step);
        for (change, market) in changed {
            documents.entry(change.market).or_default().update(change, market);
        }
        if !changed.is_empty() {
            let markets = changed.iter().map(|(_, market)| (*market, documents[&market.number()].body()));
            total += document.write(published_ms, markets).len() as u64;
        }
        Ok(())
    })?;

    let stride = total.div_ceil(COMPRESSED_BYTES_MAX).max(1) as usize;
    let failed = |cause| MeasureError::Compress { path: recording.path().to_owned(), cause };
    let mut streams = Streams::new("snapshot_json").map_err(failed)?;
    let (mut taken, mut taken_messages, mut messages, mut patches) = (0u64, 0u64, 0u64, 0u64);
    let mut before = Document::default();
    documents.clear();
    walk(recording, |at, published_ms, changed| {
        advance(step);
        let is_taken = (at / RUN_MESSAGES).is_multiple_of(stride);
        messages += u64::from(!changed.is_empty());
        let held = changed.iter().filter(|(_, market)| documents.contains_key(&market.number()));
        let held: Vec<_> = held.map(|(_, market)| *market).collect();
        if is_taken {
            before
                .write(published_ms, held.iter().map(|market| (*market, documents[&market.number()].body())));
        }
        for (change, market) in changed {
            documents.entry(change.market).or_default().update(change, market);
        }
        if is_taken && !changed.is_empty() {
            let markets = changed.iter().map(|(_, market)| (*market, documents[&market.number()].body()));
            let after = document.write(published_ms, markets);
            streams.message(after).map_err(failed)?;
            taken += after.len() as u64;
            taken_messages += 1;
            patches += zstd_patch(before.text(), after).map_err(failed)?;
        }
        Ok(())
    })?;

    let mut part = Part::default();
    let scale = |bytes: u64| (bytes as f64 * total as f64 / taken.max(1) as f64).round() as u64;
    for (key, bytes) in streams.sizes().chain([("snapshot_json_zstd_patch".to_owned(), patches)]) {
        if key == "snapshot_json" {
            part.bytes.push((key, total));
            continue;
        }
        if taken < total {
            part.sampled.insert(key.clone(), taken_messages as f64 / messages as f64);
        }
        part.bytes.push((key, scale(bytes)));
    }
    Ok(part)
}
