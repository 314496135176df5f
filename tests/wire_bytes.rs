//! What a live receiver costs on the wire, message by message, on every recording: the ratios that must hold.
//!
//! `cargo test --release --test wire_bytes -- --nocapture` prints them; `oddswire bench wire` prints all there is.

mod oracle;
mod support;

use bytes::Bytes;
use oddswire_delta::{MarketDelta, snapshot};
use oddswire_measure::{Options, Recording, Report, geometric_mean, measure, overhead, xz};
use oddswire_model::{Epoch, View};
use oddswire_store::Store;
use oddswire_wire::{
    compact::{Counts, Model, count},
    compress_definitions, json,
    piece::{Encoding, PieceEncoder},
};

/// Recordings shorter than this say more about the first image than about the stream.
const MESSAGES_MIN: u64 = 1_000;
/// The plain encoding must stay under this share of the JSON without spaces, in the geometric mean.
const PLAIN_SHARE_MAX: f64 = 0.09;
/// The same for the compact one, with the model that ships.
const COMPACT_SHARE_MAX: f64 = 0.053;

#[test]
fn plain_frames_are_a_small_share_of_the_json_they_stand_for() {
    let rows = [
        ("minified_json_deflate", "deflate %"),
        ("canonical_json_deflate", "canon. %"),
        ("bzip2", "bzip2 %"),
        ("plain", "plain %"),
        ("compact", "compact %"),
        ("plain_best3", "best 3 %"),
        ("plain_prices", "prices %"),
    ];
    print!("{:34} {:>8} {:>10}", "recording", "messages", "JSON B/msg");
    rows.iter().for_each(|(_, label)| print!(" {label:>9}"));
    println!();
    let mut reports: Vec<Report> = Vec::new();
    for path in support::recordings() {
        let recording = Recording::open(&path).expect("a recording");
        // Every frame is applied and compared with the store on the way; an encoding that is wrong is an error here.
        let report = measure(&recording, Options::FAST, &|_| {}).expect("encodings that are right");
        let json = report.bytes["minified_json"] as f64;
        print!("{:34} {:>8} {:>10.1}", report.file, report.messages, json / report.messages as f64);
        rows.iter().for_each(|(key, _)| print!(" {:>9.1}", report.bytes[*key] as f64 / json * 100.0));
        println!();
        reports.push(report);
    }
    let mean =
        |key: &str| geometric_mean(&reports, MESSAGES_MIN, |report| report.share_of(key, "minified_json"));
    let Some(plain) = mean("plain") else { return };
    print!("{:54}", format!("geometric mean, {MESSAGES_MIN} messages and more"));
    rows.iter().for_each(|(key, _)| print!(" {:>9.1}", mean(key).unwrap_or(f64::NAN) * 100.0));
    println!();
    let mean_of_raw =
        |key: &str| geometric_mean(&reports, MESSAGES_MIN, |report| report.share_of(key, "raw_json"));
    println!(
        "of the JSON as recorded: plain {:.2} %, compact {:.2} %, prices {:.2} %; compact of bzip2 {:.3}",
        mean_of_raw("plain").unwrap_or(f64::NAN) * 100.0,
        mean_of_raw("compact").unwrap_or(f64::NAN) * 100.0,
        mean_of_raw("plain_prices").unwrap_or(f64::NAN) * 100.0,
        geometric_mean(&reports, MESSAGES_MIN, |report| report.share_of("compact", "bzip2"))
            .unwrap_or(f64::NAN),
    );
    assert!(plain <= PLAIN_SHARE_MAX);
    assert!(mean("compact").is_some_and(|compact| compact <= COMPACT_SHARE_MAX));
    assert!(plain <= mean("canonical_json_deflate").unwrap_or(1.0), "a compressor of JSON does better");
}

/// A compact snapshot of a market that is full of offers must stay under this share of `xz -9` of its JSON.
const SNAPSHOT_SHARE_MAX: f64 = 0.72;
/// Runners of a large market, and cells of one that is full of offers.
const RUNNERS_MIN: usize = 12;
const CELLS_MIN: usize = 1_000;

/// The largest image that each recording holds, of markets with many runners.
#[test]
fn snapshots_are_smaller_than_their_json_through_xz() {
    let mut shares = Vec::new();
    for path in support::recordings() {
        let recording = Recording::open(&path).expect("a recording");
        let mut store = Store::new(Epoch(1));
        let (mut largest, mut cells) = (None, 0);
        for (_, commit) in recording.commits() {
            store.commit(commit).expect("a good commit");
            for update in &commit.markets {
                let market = store.number(&update.id).and_then(|number| store.market(number));
                let Some(market) = market.filter(|market| market.selections().len() >= RUNNERS_MIN) else {
                    continue;
                };
                let count = market.cells(View::FULL).len();
                if count > cells {
                    (largest, cells) = (Some(market.clone()), count);
                }
            }
        }
        let Some(market) = largest else { continue };
        let mut change = MarketDelta::default();
        snapshot(&market, View::FULL, &mut change);
        let [plain, compact] = [Encoding::Plain, Encoding::Compact].map(|encoding| {
            let mut bytes = Vec::new();
            PieceEncoder::default().encode(&change, None, &market, encoding, &mut bytes);
            compress_definitions(bytes.into()).len()
        });
        let json = json::market(Epoch(1), &market, View::FULL).to_string();
        let xz = xz(json.as_bytes(), &|_| {}).expect("enough memory");
        let mut counts = Counts::default();
        let fits = count(&change, None, &market, 0, true, &mut counts);
        println!(
            "{}: {} runners, {cells} cells; JSON {}, xz -9 {xz}, plain {plain}, compact {compact}{}: {:.2} of xz",
            recording.name(),
            market.selections().len(),
            json.len(),
            if fits { "" } else { " (in plain: a price is on no ladder)" },
            compact as f64 / xz as f64,
        );
        let mut costs = counts.costs(&Model::shipped());
        costs.sort_by(|a, b| (b.bits + b.raw_bits).total_cmp(&(a.bits + a.raw_bits)));
        for cost in costs.iter().take(if fits { 5 } else { 0 }) {
            let (bits, raw) = (cost.bits / 8.0, cost.raw_bits / 8.0);
            println!(
                "    {:14} {:6.0} symbols {bits:7.0} B, raw bits behind them {raw:7.0} B",
                cost.table, cost.symbols
            );
        }
        assert!(compact <= plain);
        if fits && cells >= CELLS_MIN {
            shares.push(compact as f64 / xz as f64);
        }
    }
    assert!(shares.iter().all(|&share| share <= SNAPSHOT_SHARE_MAX), "{shares:?}");
}

/// The tables count headers by arithmetic; the gateway's are real.
#[test]
fn a_websocket_header_takes_what_the_tables_say() {
    for payload in [0, 125, 126, 65_535, 65_536] {
        let frame: Bytes = oddswire_gateway::websocket::binary_frame(&vec![0; payload]);
        assert_eq!((frame.len() - payload) as u64, overhead::websocket_header(payload as u64));
    }
}
