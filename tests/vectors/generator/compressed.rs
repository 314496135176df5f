//! Definitions that travel compressed together.
//!
//! Another version of zstd may write other bytes that say the same; then these cases are blessed anew.

use bytes::Bytes;
use oddswire_model::{AttributeValue, Market, PriceLadder, Revision, SelectionNumber, View, name};
use oddswire_wire::{DICTIONARY_ID, FrameBuilder, compress_definitions, decode_frame, varint};

use super::{
    Case,
    conversation::{Conversation, HELD, SEQUENCE, empty_book, position, snapshot_of},
};

pub(crate) fn cases() -> Vec<Case> {
    let markets: Vec<Market> = (0..6).map(race).collect();
    let held: Vec<&Market> = markets.iter().collect();
    let mut frame = FrameBuilder::new();
    for market in &markets {
        frame.pieces(&snapshot_of(market, View::FULL));
    }
    position(&mut frame, HELD, SEQUENCE, 0);
    let whole = frame.finish();
    let short = compress_definitions(whole.clone());
    assert!(short.len() < whole.len(), "{} of {}", short.len(), whole.len());
    assert_eq!(decode_frame(short.clone()), decode_frame(whole.clone()));

    let mut damaged = short.to_vec();
    // Behind the key, a length of two bytes and zstd's magic number stands the header of its frame.
    damaged[8] ^= 0xff;
    vec![
        conversation(
            "compressed/definitions",
            "The definitions of six markets, compressed together.",
            &["ZSTD-1", "ZSTD-2"],
            6,
        )
        .receive_bytes("snapshots, their definitions compressed", short.clone())
        .case_ending_with(&held),
        conversation(
            "compressed/as-they-are",
            "To a client that names the dictionary definitions may still come as they are.",
            &["ZSTD-2"],
            6,
        )
        .receive_bytes("snapshots", whole)
        .case_ending_with(&held),
        conversation(
            "invalid/compressed-damaged",
            "Bytes that zstd refuses end the connection.",
            &["ZSTD-3"],
            6,
        )
        .receive_bytes("a frame that is damaged", damaged.into())
        .case(),
        conversation(
            "invalid/compressed-nested",
            "Compressed fields that hold compressed fields end the connection.",
            &["ZSTD-3"],
            6,
        )
        .receive_bytes("a field in a field", stored(&short))
        .case(),
    ]
}

/// A race with a name and a place.
fn race(number: u32) -> Market {
    let mut market = empty_book(number, PriceLadder::Betfair);
    let title = format!("Race {} of the day", number + 1);
    for (name, text) in [(name::NAME, title.as_str()), (name::VENUE, "Ayr"), (name::SPORT, "7")] {
        let text = AttributeValue::Text(text.into());
        market.set_attribute(SelectionNumber::MARKET, &name.into(), Some(text), Revision(HELD));
    }
    market
}

/// A client that has the dictionary, welcomed and subscribed.
fn conversation(path: &str, about: &str, clauses: &[&str], markets: u32) -> Conversation {
    let mut conversation = Conversation::new(path, about, clauses, View::FULL);
    conversation.describe("dictionary", format!("{:08x}", *DICTIONARY_ID).into());
    conversation.begin(HELD, markets, Default::default());
    conversation
}

/// `ServerFrame.compressed` of these fields in a zstd frame that stores them as they are: RFC 8878, a header that tells the
/// size in a byte and one raw block, the last.
fn stored(fields: &[u8]) -> Bytes {
    let size = u8::try_from(fields.len()).expect("few fields");
    let length = u32::from(size);
    let mut zstd = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, size];
    zstd.extend_from_slice(&(length << 3 | 1).to_le_bytes()[..3]);
    zstd.extend_from_slice(fields);
    let mut frame = Vec::new();
    varint::write(&mut frame, 23 << 3 | 2);
    varint::write(&mut frame, zstd.len() as u64);
    frame.extend_from_slice(&zstd);
    frame.into()
}
