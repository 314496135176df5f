//! Sessions: what a client does when something is lost, new or refused.

use oddswire_model::{Field, PriceLadder, Revision, View};
use oddswire_wire::{
    FrameBuilder,
    proto::{Error, ErrorCode, Resume, Subscribed},
};
use serde_json::json;

use super::{
    Case,
    client_messages::EPOCH,
    conversation::{
        Conversation, HELD, SEQUENCE, book, catch_up_of, counted_position, delta_of, empty_book, heartbeat,
        later, next, position, rung, snapshot_of, subscribed, welcome,
    },
};

/// What a subscribe beside the first one asks for.
fn another() -> serde_json::Value {
    json!({ "subscription": 2, "topics": ["market/1.24"], "view": "full", "rate_ms": 0 })
}

pub(crate) fn cases() -> Vec<Case> {
    let held = book(PriceLadder::Betfair);
    let first = later(&held, 11, 40, &[(rung(0, Field::Back, 24_800), 4_000)]);
    let second = later(&first, 12, 50, &[(rung(0, Field::Back, 24_600), 100)]);
    let (first_piece, _) = delta_of(&held, &first, View::FULL);
    let (second_piece, _) = delta_of(&first, &second, View::FULL);
    let other = later(&empty_book(1, PriceLadder::DEFAULT), HELD, 0, &[(rung(0, Field::Lay, 30_000), 50)]);
    let new = |name: &str, about: &str, clauses: &[&str]| {
        Conversation::new(&format!("session/{name}"), about, clauses, View::FULL)
    };
    let caught_up = |since: u64| {
        let mut frame = FrameBuilder::new();
        position(&mut frame, 12, SEQUENCE + 2, since);
        frame.pieces(&catch_up_of(&second, since, View::FULL).0);
        frame
    };
    let everything = || {
        let mut frame = FrameBuilder::new();
        frame.pieces(&snapshot_of(&second, View::FULL));
        position(&mut frame, 12, SEQUENCE + 2, 0);
        frame
    };
    let mut cases = Vec::with_capacity(23);
    cases.push(
        new("gap", "A frame is lost: the next one does not follow. Everything since the cursor is asked for once; frames before the catch-up are passed over.", &["FRAME-4", "SYNC-2", "CUR-3"])
            .hold(&[&held])
            .receive("the frame after the lost one", next(1, SEQUENCE + 2, &second_piece))
            .receive("another one that cannot be used", next(1, SEQUENCE + 3, &second_piece))
            .receive("the catch-up", caught_up(HELD))
            .case_ending_with(&[&second]),
    );
    cases.push(
        new(
            "gap-at-heartbeat",
            "The last frame before a silence is lost: the heartbeat names another sequence.",
            &["BEAT-2", "SYNC-2"],
        )
        .hold(&[&held])
        .wait(1_000)
        .receive("heartbeat", heartbeat(12, SEQUENCE + 2))
        .receive("the catch-up", caught_up(HELD))
        .case_ending_with(&[&second]),
    );
    cases.push(
        new(
            "gap-beyond-horizon",
            "The cursor is older than the resume horizon, so snapshots answer the gap.",
            &["SYNC-2", "CUR-3"],
        )
        .hold(&[&held])
        .receive("the frame after the lost one", next(1, SEQUENCE + 2, &second_piece))
        .receive("everything again", everything())
        .case_ending_with(&[&second]),
    );
    cases.push(
        new(
            "catch-up-too-late",
            "A catch-up that begins after what is held: frames were lost that nothing can replace.",
            &["CUR-3"],
        )
        .hold(&[&held])
        .receive("a catch-up since 11", caught_up(11))
        .case_lost(),
    );

    cases.push(
        new(
            "gap-while-subscribing",
            "A gap while a subscribe is unanswered: the view of a catch-up would be unknown, so the connection is given up.",
            &["SYNC-2"],
        )
        .hold(&[&held])
        .step_with(
            "subscribe",
            another(),
        )
        .receive("the frame after the lost one", next(1, SEQUENCE + 2, &second_piece))
        .case_lost(),
    );
    cases.push(
        new(
            "catch-up-lost",
            "The catch-up after a gap does not come: at the second heartbeat it is asked for again. Then both come, and the second changes nothing.",
            &["SYNC-7"],
        )
        .hold(&[&held])
        .receive("the frame after the lost one", next(1, SEQUENCE + 2, &second_piece))
        .wait(1_000)
        .receive("a heartbeat that may have crossed the request", heartbeat(12, SEQUENCE + 2))
        .wait(1_000)
        .receive("a heartbeat that would have come behind the answer", heartbeat(12, SEQUENCE + 2))
        .wait(500)
        .receive("the catch-up, late", caught_up(HELD))
        .receive("the catch-up that was asked for again", caught_up(HELD))
        .receive("a heartbeat", heartbeat(12, SEQUENCE + 2))
        .case_ending_with(&[&second]),
    );
    let mut short = FrameBuilder::new();
    counted_position(&mut short, 12, SEQUENCE + 2, 11, 5);
    let mut again = FrameBuilder::new();
    counted_position(&mut again, 12, SEQUENCE + 2, HELD, 6);
    again.pieces(&catch_up_of(&second, HELD, View::FULL).0);
    cases.push(
        new(
            "answer-frames",
            "A position says that it is the fifth frame of its kind, and it is the fourth to arrive: what is missing may be part of a catch-up.",
            &["CUR-6"],
        )
        .hold(&[&held])
        .receive("a delta", next(1, SEQUENCE + 1, &first_piece))
        .receive("a position without the snapshot that came before it", short)
        .receive("the catch-up", again)
        .case_ending_with(&[&second]),
    );
    let mut short = FrameBuilder::new();
    counted_position(&mut short, 12, SEQUENCE + 2, HELD, 6);
    cases.push(
        new(
            "answer-frames-of-a-subscription",
            "A frame that belongs to a subscription is missing: its markets come in a view that no catch-up brings.",
            &["CUR-6"],
        )
        .hold(&[&held])
        .step_with(
            "subscribe",
            another(),
        )
        .receive("the second is subscribed", subscribed(2, 1, Resume::Unspecified))
        .receive("where the receiver stands, without the market", short)
        .case_lost(),
    );
    let mut lost = new(
        "catch-up-lost-again",
        "No catch-up comes however often it is asked for: the sixth heartbeat ends the connection.",
        &["SYNC-7"],
    );
    lost.hold(&[&held]).receive("the frame after the lost one", next(1, SEQUENCE + 2, &second_piece));
    for _ in 0..6 {
        lost.wait(1_000).receive("heartbeat", heartbeat(12, SEQUENCE + 2));
    }
    cases.push(lost.case_lost());
    let mut unanswered = new(
        "subscribe-unanswered",
        "A subscribe is not answered, and not said again: the sixth heartbeat ends the connection.",
        &["SYNC-7"],
    );
    unanswered.hold(&[&held]).step_with("subscribe", another());
    for _ in 0..6 {
        unanswered.wait(1_000).receive("heartbeat", heartbeat(HELD, SEQUENCE));
    }
    cases.push(unanswered.case_lost());
    cases.push(
        new(
            "subscription-lost",
            "A heartbeat comes where the markets of a subscription were due: they are lost, in a view that nothing else brings.",
            &["SUB-3", "SYNC-2"],
        )
        .hold(&[&held])
        .step_with(
            "subscribe",
            another(),
        )
        .receive("the second is subscribed", subscribed(2, 1, Resume::Unspecified))
        .receive("a heartbeat", heartbeat(HELD, SEQUENCE))
        .case_lost(),
    );
    cases.push(
        new(
            "leavers",
            "The connection ends before an unsubscribe is answered: which markets left is not known, so all go.",
            &["RES-4"],
        )
        .hold(&[&held])
        .step_with("unsubscribe", json!({ "subscription": 1 }))
        .step("disconnect")
        .step("connect")
        .case_ending_with(&[]),
    );

    let mut unknown = FrameBuilder::new();
    unknown.error(Error {
        code: ErrorCode::UnknownSubscription.into(),
        message: "there is no subscription 1".into(),
        subscription: 1,
    });
    let mut nothing_left = FrameBuilder::new();
    position(&mut nothing_left, HELD, SEQUENCE, HELD);
    nothing_left.cursor(Revision(HELD));
    cases.push(
        new(
            "leavers-of-a-lost-subscribe",
            "A subscribe that resumes is lost, and its subscription is ended. The gateway never heard of it and names nothing as gone: what it left behind is not live, and goes with the connection.",
            &["RES-4"],
        )
        .hold(&[&held])
        .step("disconnect")
        .step("connect")
        .receive("welcome again", welcome(EPOCH, HELD))
        .step_with(
            "subscribe",
            another(),
        )
        .step_with("unsubscribe", json!({ "subscription": 1 }))
        .receive("the second is subscribed", subscribed(2, 0, Resume::Unspecified))
        .receive("the first was never heard of", unknown)
        .receive("where the receiver stands", nothing_left)
        .step("disconnect")
        .step("connect")
        .case_ending_with(&[]),
    );

    let mut ahead = FrameBuilder::new();
    ahead.advance(2, SEQUENCE + 1, 0);
    ahead.cursor(Revision(HELD));
    ahead.pieces(&delta_of(&held, &second, View::FULL).0);
    let mut behind = FrameBuilder::new();
    position(&mut behind, 12, SEQUENCE + 2, HELD);
    behind.pieces(&catch_up_of(&first, HELD, View::FULL).0);
    cases.push(
        new("catch-up-of-the-past", "The cursor lags behind what is held of a market, so a catch-up says what is held already; it is passed over.", &["SYNC-6"])
            .hold(&[&held])
            .receive("a delta to revision 12; it may be resumed from 10", ahead)
            .receive("a catch-up of the market as of 11", behind)
            .case_ending_with(&[&second]),
    );

    let (other_piece, _) =
        delta_of(&other, &later(&other, 11, 0, &[(rung(0, Field::Lay, 30_000), 75)]), View::FULL);
    let other_moved = later(&other, 12, 0, &[(rung(0, Field::Lay, 30_000), 75)]);
    let mut snapshot = FrameBuilder::new();
    snapshot.pieces(&snapshot_of(&other_moved, View::FULL));
    position(&mut snapshot, 12, SEQUENCE + 1, 11);
    cases.push(
        new(
            "unknown-market",
            "A delta of a market that is not held: it is asked for; the rest of the frame is applied.",
            &["SYNC-1", "SYNC-3"],
        )
        .hold(&[&held])
        .receive("two deltas", next(1, SEQUENCE + 1, &[first_piece.clone(), other_piece.clone()].concat()))
        .show()
        .receive("its snapshot", snapshot)
        .case_ending_with(&[&first, &other_moved]),
    );

    let mut snapshot = FrameBuilder::new();
    snapshot.pieces(&snapshot_of(&other_moved, View::FULL));
    position(&mut snapshot, 12, SEQUENCE + 1, 11);
    cases.push(
        new(
            "snapshot-lost",
            "A snapshot that was asked for does not come: at the second heartbeat it is asked for again.",
            &["SYNC-7"],
        )
        .hold(&[&held])
        .receive("two deltas", next(1, SEQUENCE + 1, &[first_piece.clone(), other_piece].concat()))
        .wait(1_000)
        .receive("heartbeat", heartbeat(11, SEQUENCE + 1))
        .wait(1_000)
        .receive("heartbeat", heartbeat(11, SEQUENCE + 1))
        .receive("its snapshot", snapshot)
        .case_ending_with(&[&first, &other_moved]),
    );

    cases.push(
        new(
            "resumed",
            "A new connection resumes from the cursor; frames continue in another sequence.",
            &["RES-1", "RES-2", "STALE-3"],
        )
        .hold(&[&held])
        .receive("a delta", next(1, SEQUENCE + 1, &first_piece))
        .wait(700)
        .step("disconnect")
        .wait(300)
        .begin(12, 1, Resume::CaughtUp)
        .receive("the catch-up", {
            let mut frame = FrameBuilder::new();
            position(&mut frame, 12, 90, 11);
            frame.pieces(&catch_up_of(&second, 11, View::FULL).0);
            frame
        })
        .receive("a heartbeat", heartbeat(12, 90))
        .case_ending_with(&[&second]),
    );
    cases.push(
        new(
            "resume-too-old",
            "The cursor is older than the horizon: what is held is dropped and comes again.",
            &["RES-2"],
        )
        .hold(&[&held, &other])
        .step("disconnect")
        .wait(9_000_000)
        .begin(12, 1, Resume::TooOld)
        .receive("everything there is now", everything())
        .case_ending_with(&[&second]),
    );
    cases.push(
        new(
            "epoch-changed",
            "The log has begun anew: numbers mean something else, so everything is dropped at the welcome.",
            &["EPOCH-1", "RES-2"],
        )
        .hold(&[&held])
        .step("disconnect")
        .step("connect")
        .receive("a welcome of another epoch", welcome(EPOCH + 1, 12))
        .receive("subscribed", subscribed(1, 1, Resume::EpochChanged))
        .receive("everything there is now", everything())
        .case_ending_with(&[&second]),
    );

    let mut gone = FrameBuilder::new();
    position(&mut gone, 12, 0, HELD);
    gone.removed(vec![1]);
    gone.pieces(&catch_up_of(&second, HELD, View::FULL).0);
    cases.push(
        new("resumed-without-one", "A market left while the client was away.", &["RES-2", "FRAME-5"])
            .hold(&[&held, &other])
            .step("disconnect")
            .begin(12, 1, Resume::CaughtUp)
            .receive("the catch-up", gone)
            .case_ending_with(&[&second]),
    );

    let mut both = FrameBuilder::new();
    both.pieces(&snapshot_of(&other, View::FULL));
    position(&mut both, 11, 0, 11);
    cases.push(
        new("cursor-waits", "A second subscribe is on its way: what the gateway says before its answer is not about both, so the cursor waits.", &["CUR-4", "CUR-5"])
            .hold(&[&held])
            .step_with("subscribe", another())
            .receive("a delta of the first one", next(1, SEQUENCE + 1, &first_piece))
            .receive("a heartbeat", heartbeat(11, SEQUENCE + 1))
            .receive("the second is subscribed", subscribed(2, 1, Resume::Unspecified))
            .receive("its market", both)
            .case_ending_with(&[&first, &other]),
    );

    let mut ended = FrameBuilder::new();
    ended.subscribed(Subscribed { subscription: 1, ended: true, ..Default::default() });
    let mut left = FrameBuilder::new();
    position(&mut left, HELD, 0, HELD);
    left.removed(vec![0]);
    cases.push(
        new("unsubscribed", "A subscription ends; its market leaves when the gateway says so.", &["SUB-4"])
            .hold(&[&held])
            .step_with("unsubscribe", json!({ "subscription": 1 }))
            .receive("ended", ended)
            .receive("the market has left", left)
            .case_ending_with(&[]),
    );

    let mut refused = FrameBuilder::new();
    refused.error(Error {
        code: ErrorCode::BadTopic.into(),
        message: "`nation/GB` is not a topic".into(),
        subscription: 1,
    });
    cases.push(
        new("refused", "A subscribe is refused; the session goes on.", &["ERR-1", "SUB-2"])
            .step("connect")
            .receive("welcome", welcome(EPOCH, HELD))
            .receive("refused", refused)
            .case_ending_with(&[]),
    );

    cases.push(
        new("silence", "Nothing is heard for more than 2.5 heartbeat intervals: everything reads as suspended, before any timer fires.", &["STALE-1", "STALE-2"])
            .hold(&[&held])
            .receive("heartbeat", heartbeat(HELD, SEQUENCE))
            .wait(2_500)
            .step("timeout")
            .wait(1)
            .step("timeout")
            .case(),
    );
    cases
}
