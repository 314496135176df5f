//! Bytes that must be refused, each with the name of its error.

use oddswire_model::{Field, MarketNumber, PriceLadder, View};
use serde_json::json;

use super::{
    Case,
    conversation::{Conversation, HELD, SEQUENCE, book, delta_of, heartbeat, later, next, raw_piece, rung},
    text::from_hex,
};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = deltas();
    cases.extend(snapshots());
    cases.extend(frames());
    cases
}

/// Deltas of market 0 of [`book`]; their head is `00`: market 0, published when the frame's clock says.
fn deltas() -> Vec<Case> {
    let cases: [(&str, &str, &str, &str, &str); 17] = [
        ("piece-truncated", "The piece ends inside an integer.", "PLAIN-1", "TRUNCATED", "00 01 01 80"),
        ("piece-ends-early", "The piece ends where an integer must stand.", "PLAIN-1", "TRUNCATED", "00 01"),
        ("piece-overlong", "A mask in more bytes than it needs.", "PLAIN-1", "OVERLONG", "00 01 81 00"),
        (
            "time-negative",
            "A published time before 1970.",
            "PLAIN-2",
            "HEAD",
            "01 ff ff ff ff ff ff ff ff ff 01",
        ),
        ("mask-empty", "The mask of a selection names no field.", "PLAIN-5", "MASK", "00 01 00"),
        (
            "mask-later-bit",
            "Bit 16 of a selection's mask belongs to a later version.",
            "PLAIN-5",
            "MASK",
            "00 01 80 80 04",
        ),
        ("market-mask-empty", "The mask of the market names no field.", "PLAIN-4", "MASK", "00 00 00"),
        (
            "market-mask-later-bit",
            "Bit 5 of the market's mask belongs to a later version.",
            "PLAIN-4",
            "MASK",
            "00 00 20 01",
        ),
        (
            "cleared-mask-empty",
            "Ladders are to be emptied, but none is named.",
            "PLAIN-5",
            "MASK",
            "00 01 80 80 02 00",
        ),
        (
            "market-not-first",
            "The market's group stands after a selection's.",
            "PLAIN-3",
            "ORDER",
            "00 01 10 0a 00 02 02",
        ),
        (
            "selection-not-held",
            "The market has two selections; the piece names number 2.",
            "DEF-2",
            "SELECTION",
            "00 03 10 0a",
        ),
        ("selection-beyond-limit", "Selection number 1536.", "PLAIN-3", "SELECTION", "00 81 0c 10 0a"),
        (
            "price-below-ladder",
            "A last traded price below the ladder's first tick.",
            "PLAIN-6",
            "PRICE",
            "00 01 08 d6 04",
        ),
        (
            "price-beyond-ladder",
            "A back price 300 ticks better than the best one.",
            "PLAIN-7",
            "PRICE",
            "00 01 01 e0 12 64",
        ),
        (
            "amount-zero",
            "A rung with amount 0 that is not marked as removed.",
            "PLAIN-7",
            "AMOUNT",
            "00 01 01 08 00",
        ),
        ("amount-negative", "A held amount of 1234 less 1235.", "PLAIN-7", "AMOUNT", "00 01 01 04 a5 13"),
        (
            "ladder-unknown",
            "Price ladder 4 belongs to a later version.",
            "LADDER-1",
            "PRICE_LADDER",
            "00 00 10 04",
        ),
    ];
    let held = book(PriceLadder::Betfair);
    let build = |(name, about, clause, error, body): (&str, &str, &str, &str, &str)| {
        let piece = raw_piece(11, &from_hex(body));
        let mut conversation = opened(name, about, &[clause, "SYNC-1"]);
        conversation.hold(&[&held]);
        let case = conversation.receive("the delta", next(1, SEQUENCE + 1, &piece)).case();
        expect_piece_error(&case, error);
        case
    };
    cases.map(build).into_iter().collect()
}

fn snapshots() -> Vec<Case> {
    // Market 3 at revision 10, published in 1970, first selection: one back rung at index 70 with amount 2^53.
    let too_much = raw_piece(10, &from_hex("03 0a 00 01 01 b0 04 80 80 80 80 80 80 80 10"));
    let bare = raw_piece(10, &from_hex("03 0a 00"));
    // Field 9: market 3, the id, the first number, and selection 7 so many times over.
    let defined = |id: &str, first: u8, count: usize| {
        let mut body = vec![0x08, 3, 0x12, id.len() as u8];
        body.extend_from_slice(id.as_bytes());
        body.extend_from_slice(&[0x18, first]);
        body.extend_from_slice(&from_hex("22 02 08 07").repeat(count));
        raw_piece(9, &body)
    };
    let cases = [
        ("snapshot-undefined", "A snapshot without its definition.", "DEF-1", "DEFINITION", bare.clone()),
        (
            "snapshot-nameless",
            "A snapshot whose definition does not say which market it is.",
            "DEF-1",
            "DEFINITION",
            [defined("", 0, 1), bare.clone()].concat(),
        ),
        (
            "snapshot-not-from-0",
            "A snapshot whose selections begin with number 1.",
            "DEF-1",
            "SELECTION",
            [defined("1.26", 1, 1), bare.clone()].concat(),
        ),
        (
            "selection-twice",
            "The same selection twice.",
            "DEF-2",
            "SELECTION",
            [defined("1.26", 0, 2), bare].concat(),
        ),
        (
            "amount-too-large",
            "An amount of 2^53 cents.",
            "PLAIN-7",
            "AMOUNT",
            [defined("1.26", 0, 1), too_much].concat(),
        ),
    ];
    let build = |(name, about, clause, error, pieces): (&str, &str, &str, &str, Vec<u8>)| {
        let mut conversation = opened(name, about, &[clause, "SYNC-1"]);
        conversation.hold(&[]);
        let case = conversation.receive("the snapshot", next(1, SEQUENCE + 1, &pieces)).case();
        expect_piece_error(&case, error);
        case
    };
    cases.into_iter().map(build).collect()
}

fn frames() -> Vec<Case> {
    let held = book(PriceLadder::Betfair);
    let moved = later(&held, 11, 40, &[(rung(0, Field::Back, 24_800), 4_000)]);
    let (piece, _) = delta_of(&held, &moved, View::FULL);
    assert_eq!(held.number(), MarketNumber(0));

    let mut cases = vec![
        opened("catch-up-of-unknown-market", "A catch-up of a market that is not held.", &["SYNC-1"])
            .hold(&[])
            .receive("the catch-up", next(1, SEQUENCE + 1, &raw_piece(12, &from_hex("00 0b 00 01 10 0a"))))
            .case(),
        opened(
            "wrong-sequence",
            "The frame that was applied last comes again: it does not follow itself.",
            &["FRAME-4", "SYNC-2"],
        )
        .hold(&[&held])
        .receive("the delta", next(1, SEQUENCE + 1, &piece))
        .receive("the delta again", next(1, SEQUENCE + 1, &piece))
        .case(),
        opened(
            "market-number-missing",
            "A piece without a market number: nobody can say what to ask for again.",
            &["SYNC-4"],
        )
        .hold(&[&held])
        .receive("an empty delta", next(1, SEQUENCE + 1, &raw_piece(11, &[])))
        .case(),
        opened("frame-malformed", "Not a protobuf message.", &["SYNC-4"])
            .hold(&[&held])
            .receive_bytes("field 11 announces nine bytes and has two", from_hex("5a 09 00 00"))
            .case(),
        opened("before-welcome", "A gateway speaks before its welcome.", &["HELLO-2"])
            .step("connect")
            .receive("heartbeat", heartbeat(HELD, SEQUENCE))
            .case(),
        opened(
            "frame-too-long",
            "One byte more than a frame may have; the bytes are zeros and are not stored.",
            &["LIMIT-1"],
        )
        .hold(&[&held])
        .step_with("receive_zeros", json!({ "bytes": 1024 * 1024 + 1 }))
        .case(),
    ];
    let mut conversation = opened(
        "too-many-joined",
        "Fifteen frames with more to come are taken; the sixteenth is one too many.",
        &["FRAME-3", "LIMIT-1"],
    );
    conversation.hold(&[&held]);
    let line = conversation.keep("more", from_hex("88 01 01"));
    cases.push(
        conversation
            .step_with("receive", json!({ "frame": line, "times": 15 }))
            .step_with("receive", json!({ "frame": line }))
            .case(),
    );
    let names = [
        "UNKNOWN_MARKET",
        "",
        "FRAME_MALFORMED",
        "FRAME_MALFORMED",
        "NOT_WELCOMED",
        "FRAME_TOO_LONG",
        "TOO_MANY_JOINED",
    ];
    for (case, name) in cases.iter().zip(names) {
        let last = case.expected["steps"].as_array().and_then(|steps| steps.last()).expect("a step");
        match name {
            "" => assert_eq!(last["sends"][0]["resync"]["reason"], "RESYNC_REASON_GAP", "{}", case.path),
            "UNKNOWN_MARKET" => expect_piece_error(case, name),
            name => assert_eq!(last["error"], name, "{}", case.path),
        }
    }
    cases
}

fn opened(name: &str, about: &str, clauses: &[&str]) -> Conversation {
    Conversation::new(&format!("invalid/{name}"), about, clauses, View::FULL)
}

/// The piece fails with this error, and the market is asked for again.
fn expect_piece_error(case: &Case, error: &str) {
    let last = case.expected["steps"].as_array().and_then(|steps| steps.last()).expect("a step");
    assert_eq!(last["piece_errors"][0]["error"], error, "{}", case.path);
    assert_eq!(last["sends"][0]["resync"]["markets"][0], last["piece_errors"][0]["market"], "{}", case.path);
}
