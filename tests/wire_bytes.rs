//! What a live receiver costs on the wire, message by message, on every recording: the ratios that must hold.
//!
//! `cargo test --release --test wire_bytes -- --nocapture` prints them; `oddswire bench wire` prints all there is.

mod oracle;
mod support;

use bytes::Bytes;
use oddswire_measure::{Options, Recording, Report, geometric_mean, measure, overhead};

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

/// The tables count headers by arithmetic; the gateway's are real.
#[test]
fn a_websocket_header_takes_what_the_tables_say() {
    for payload in [0, 125, 126, 65_535, 65_536] {
        let frame: Bytes = oddswire_gateway::websocket::binary_frame(&vec![0; payload]);
        assert_eq!((frame.len() - payload) as u64, overhead::websocket_header(payload as u64));
    }
}
