//! Bytes on the wire: Oddswire's encodings beside everything that people send instead.
//!
//! [`measure`] takes a [`Recording`] and counts, message by message, what each form takes: the JSON as recorded, net
//! changes as JSON, merge patches, protobuf, full snapshots; each as it is and through the compressors of a connection;
//! the frames of a live receiver of Oddswire in every encoding; archives of the whole file. Frames are applied by a
//! receiver whose digests are compared with the store's after every frame, so a wrong encoder has no figures at all.
//!
//! The `oddswire bench wire` command prints the tables and `tests/wire_bytes.rs` holds the ratios in CI, both from here.
//!
//! What this crate deliberately does not know: terminals, tables, sockets, time. Nothing that serves anybody depends on it.
//!
//! ```
//! use oddswire_measure::{Options, Recording, measure};
//!
//! let line = r#"{"op":"mcm","pt":1000,"mc":[{"id":"1.1","rc":[{"id":7,"atb":[[2.5,10]]}]}]}"#;
//! let recording = Recording::parse("one.json", line.into()).unwrap();
//! let report = measure(&recording, Options::FAST, &|_share_done| {}).unwrap();
//! assert_eq!(report.bytes["raw_json"], line.len() as u64);
//! assert!(report.bytes["plain"] < report.bytes["naive_protobuf"]);
//! ```

mod compress;
mod copies;
mod error;
mod history;
mod json;
mod measure;
pub mod overhead;
mod protobuf;
mod receiver;
mod recording;
mod report;
mod snapshots;
mod streams;
mod training;

pub use compress::xz;
pub use error::MeasureError;
pub use measure::{MARKET_COUNTS, Options, RATES_MS, measure};
pub use receiver::{ENCODINGS, FrameSizes, compact_sizes, encoding_name};
pub use recording::{RecordedMessage, Recording};
pub use report::{Conflation, ManyMarkets, Report, Row, Shared, geometric_mean, geometric_mean_of, rows};
pub use training::{Trained, train};
