//! Frames and cell encodings of `oddswire.wire.v1`.
//!
//! A frame is a concatenation of protobuf fields. Market changes travel in it as **pieces**: one market, one view,
//! encoded once, the same bytes for every receiver who holds the base. [`piece`] makes them of
//! [`oddswire_delta::MarketDelta`]s and back, [`FrameBuilder`] joins them, [`decode_frame`] takes a frame apart.
//!
//! What this crate deliberately does not know: sessions, sockets, time, who receives what.
//!
//! ```
//! use oddswire_wire::{FrameBuilder, decode_frame, proto};
//!
//! let mut frame = FrameBuilder::new();
//! frame.cursor(oddswire_model::Revision(41));
//! frame.heartbeat(&proto::Heartbeat { revision: 41, freshness_ms: Some(12), ..Default::default() });
//! let decoded = decode_frame(frame.finish()).unwrap();
//! assert_eq!(decoded.cursor, Some(41));
//! ```

mod client_message;
pub mod compact;
mod compressed;
mod definition;
mod frame;
pub mod json;
mod lead_bytes;
pub mod limits;
pub mod piece;
mod plain;
mod reference;
pub mod varint;

pub use client_message::{decode_client_message, encode_client_message, view_from_proto, view_to_proto};
pub use compressed::{DICTIONARY_ID, compress_definitions};
pub use definition::KNOWN_NAMES;
pub use frame::{FrameBuilder, FrameError, LeadScratch, decode_frame, decode_joined};
pub use lead_bytes::LeadBytes;

/// The generated messages of `proto/oddswire/wire/v1/wire.proto`.
pub mod proto {
    #![allow(missing_docs, reason = "the .proto file and docs/protocol.md document them")]
    #![allow(clippy::all, unreachable_pub, unused_qualifications, reason = "generated code")]
    include!(concat!(env!("OUT_DIR"), "/oddswire.wire.v1.rs"));
}

/// The WebSocket subprotocol of this version.
pub const SUBPROTOCOL: &str = "oddswire.v1";
