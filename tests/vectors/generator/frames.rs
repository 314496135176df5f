//! Frames: what stands beside the pieces.

use oddswire_model::{CellKey, Field, Market, MarketStatus, PriceLadder, Revision, View};
use oddswire_wire::{
    FrameBuilder,
    proto::{Conflation, Drain, MarketDigest, Resume},
};

use super::{
    Case,
    conversation::{
        Conversation, HELD, SEQUENCE, book, delta_of, empty_book, heartbeat, later, next, position, rung,
        snapshot_of,
    },
    text::from_hex,
};

pub(crate) fn cases() -> Vec<Case> {
    let held = book(PriceLadder::Betfair);
    let other = later(&empty_book(1, PriceLadder::DEFAULT), HELD, 0, &[(rung(0, Field::Lay, 30_000), 50)]);
    let moved = later(&held, 12, 40, &[(rung(0, Field::Back, 24_800), 4_000)]);
    let (piece, _) = delta_of(&held, &moved, View::FULL);
    let new = |name: &str, about: &str, clauses: &[&str]| {
        Conversation::new(&format!("frame/{name}"), about, clauses, View::FULL)
    };
    let mut cases = Vec::new();

    cases.push(
        new(
            "heartbeat",
            "An idle market: the heartbeat moves the cursor on and says how old the prices are.",
            &["BEAT-1", "CUR-2"],
        )
        .hold(&[&held])
        .wait(1_000)
        .receive("heartbeat at revision 40", heartbeat(40, SEQUENCE))
        .case_ending_with(&[&held]),
    );

    let mut frame = FrameBuilder::new();
    frame.advance(20, SEQUENCE + 1, 0);
    frame.cursor(Revision(11));
    frame.conflated(Conflation::Asked);
    let at_30 = later(&held, 30, 40, &[(rung(0, Field::Back, 24_800), 4_000)]);
    frame.pieces(&piece);
    cases.push(
        new("cursor", "The frame leads to revision 30, but it may be resumed from 11 only: another market waits for its rate class.", &["FRAME-4", "CUR-2", "RATE-2"])
            .hold(&[&held])
            .receive("a delta with a cursor", frame)
            .case_ending_with(&[&at_30]),
    );

    let mut conversation =
        new("sequence-wraps", "From sequence 127 to 128: two bits of it travel.", &["FRAME-4"]);
    conversation.hold_at(&[&held], HELD, 127);
    cases.push(
        conversation
            .receive("the frame with sequence 128", next(2, 128, &piece))
            .receive("a heartbeat names all of it", heartbeat(12, 128))
            .case_ending_with(&[&moved]),
    );

    let (of_other, other_moved) = {
        let target = later(&other, 12, 0, &[(rung(0, Field::Lay, 30_000), 75)]);
        (delta_of(&other, &target, View::FULL).0, target)
    };
    cases.push(
        new("two-markets", "Two markets in one frame.", &["FRAME-1", "FRAME-2"])
            .hold(&[&held, &other])
            .receive("both deltas", next(2, SEQUENCE + 1, &[piece.clone(), of_other.clone()].concat()))
            .case_ending_with(&[&moved, &other_moved]),
    );

    let mut first = FrameBuilder::new();
    first.pieces(&snapshot_of(&held, View::FULL));
    first.more();
    let mut last = FrameBuilder::new();
    last.pieces(&snapshot_of(&other, View::FULL));
    position(&mut last, HELD, SEQUENCE, 0);
    cases.push(
        new("more", "Two frames that belong together: nothing is applied before the second.", &["FRAME-3"])
            .begin(HELD, 2, Resume::Unspecified)
            .receive("the first, with more to come", first)
            .receive("the last", last)
            .case_ending_with(&[&held, &other]),
    );

    let mut frame = next(1, SEQUENCE + 1, &[]);
    frame.removed(vec![1, 77]);
    cases.push(
        new(
            "removed",
            "A market has left; one that is not held is named too, which means nothing.",
            &["FRAME-5"],
        )
        .hold(&[&held, &other])
        .receive("market 1 has left", frame)
        .case_ending_with(&[&held]),
    );

    let mut frame = heartbeat(HELD, SEQUENCE);
    frame.digest(MarketDigest { market: 0, digest: held.digest(View::FULL).to_u64() });
    cases.push(
        new("digest-agrees", "A heartbeat with the digest of what is held.", &["DIG-1"])
            .hold(&[&held])
            .receive("heartbeat and digest", frame)
            .case_ending_with(&[&held]),
    );

    let mut frame = heartbeat(12, SEQUENCE);
    frame.digest(MarketDigest { market: 0, digest: moved.digest(View::FULL).to_u64() });
    let mut again = FrameBuilder::new();
    again.pieces(&snapshot_of(&moved, View::FULL));
    position(&mut again, 12, SEQUENCE, 12);
    cases.push(
        new("digest-differs", "The digest is not that of what is held: the market is asked for again and reads as suspended until it is here.", &["DIG-1", "SYNC-1", "STALE-3"])
            .hold(&[&held])
            .receive("heartbeat and digest", frame)
            .receive("the snapshot", again)
            .case_ending_with(&[&moved]),
    );

    let mut frame = heartbeat(12, SEQUENCE);
    frame.digest(MarketDigest { market: 1, digest: other.digest(View::FULL).to_u64() });
    let mut missing = FrameBuilder::new();
    missing.pieces(&snapshot_of(&other, View::FULL));
    position(&mut missing, 12, SEQUENCE, 12);
    cases.push(
        new(
            "digest-of-unknown",
            "The digest of a market that is not held: the frame that brought it was lost.",
            &["DIG-1"],
        )
        .hold(&[&held])
        .receive("heartbeat and digest", frame)
        .receive("the snapshot", missing)
        .case_ending_with(&[&held, &other]),
    );

    cases.push(urgent(&new, &held));
    let (piece_later, _) = delta_of(&held, &moved, View::FULL);
    let mut frame = FrameBuilder::new();
    frame.advance(2, SEQUENCE + 1, 25);
    frame.pieces(&piece_later);
    let mut clocked = moved.clone();
    clocked.touch(moved.revision(), moved.published_ms() + 250);
    cases.push(
        new(
            "time-step",
            "The producers' clock goes on by 250 ms, and the same piece means a later time.",
            &["TIME-1"],
        )
        .hold(&[&held])
        .receive("a delta", frame)
        .case_ending_with(&[&clocked]),
    );
    cases.push(
        new("later-fields", "Fields that a later version added are passed over.", &["VER-1"])
            .hold(&[&held])
            .receive_bytes("a delta, field 40 (bytes) and field 30 (integer)", {
                let frame = next(2, SEQUENCE + 1, &piece).finish();
                [&frame[..], &from_hex("c2 02 02 ff ff f0 01 07")].concat().into()
            })
            .case_ending_with(&[&moved]),
    );

    let mut drain = FrameBuilder::new();
    drain.drain(Drain { reconnect_after_ms: 1_500 });
    cases.push(
        new("drain", "The gateway asks to move; what is held stays live until then.", &["DRAIN-1"])
            .hold(&[&held])
            .receive("drain", drain)
            .case_ending_with(&[&held]),
    );
    cases
}

fn urgent(new: &dyn Fn(&str, &str, &[&str]) -> Conversation, held: &Market) -> Case {
    let status = |market: &Market, revision, status: u64| {
        later(market, revision, 40, &[(CellKey::market(Field::Status), status)])
    };
    let suspended = status(held, 11, MarketStatus::Suspended as u64);
    let unknown = status(&suspended, 12, 77);
    let reopened = status(&unknown, 13, MarketStatus::Open as u64);
    let withheld = later(&reopened, 14, 40, &[(CellKey::market(Field::Held), 1)]);
    let closed = status(&withheld, 15, MarketStatus::Closed as u64);
    let mut conversation = new(
        "statuses",
        "Suspended, a status of a later version, open, held by a silent producer, closed: only open is bettable.",
        &["CELL-3", "CELL-6", "STAT-1", "STAT-2"],
    );
    conversation.hold(&[held]);
    let walk = [held, &suspended, &unknown, &reopened, &withheld, &closed];
    let about = ["suspended", "status 77", "open", "held", "closed"];
    for ((pair, sequence), about) in walk.windows(2).zip(SEQUENCE + 1..).zip(about) {
        let (piece, _) = delta_of(pair[0], pair[1], View::FULL);
        conversation.receive(about, next(1, sequence, &piece));
    }
    conversation.case_ending_with(&[&closed])
}
