//! What clients say, and how a gateway takes it.

use oddswire_wire::{
    encode_client_message,
    proto::{self, Encoding, ResyncReason, client_message::Message},
    view_to_proto,
};
use serde_json::json;

use super::{Case, describe, text::from_hex};

/// Epoch of all cases.
pub(crate) const EPOCH: u64 = 0x0123_4567_89ab_cdef;

pub(crate) fn cases() -> Vec<Case> {
    let hello = |token: &str| {
        Message::Hello(proto::Hello {
            agent: "vectors/1".into(),
            encodings: vec![Encoding::Plain.into()],
            token: token.into(),
            ..Default::default()
        })
    };
    let subscribe = |view: &str, cursor| {
        Message::Subscribe(proto::Subscribe {
            subscription: 1,
            topics: vec!["fixture/30388764".into(), "market/1.23".into()],
            view: Some(view_to_proto(view.parse().unwrap())),
            rate_ms: 250,
            cursor,
        })
    };
    let with_topic = |topic: &str| {
        let view = Some(view_to_proto(oddswire_model::View::FULL));
        Message::Subscribe(proto::Subscribe {
            subscription: 7,
            topics: vec![topic.into()],
            view,
            ..Default::default()
        })
    };
    let best_0 = Message::Subscribe(proto::Subscribe {
        subscription: 7,
        topics: vec!["all".into()],
        view: Some(proto::View { depth: proto::Depth::Best.into(), best: 0, volumes: true }),
        ..Default::default()
    });
    let resync = |markets: &[u32], reason: ResyncReason, since| {
        Message::Resync(proto::Resync { markets: markets.to_vec(), reason: reason.into(), since })
    };
    let report = |reconnects: &[u32], gaps, counts: &[u32]| {
        Message::Telemetry(proto::Telemetry {
            connections: 3,
            reconnects: reconnects.to_vec(),
            gaps,
            apply_delay: Some(proto::Delays { counts: counts.to_vec(), sum_ms: 1_234 }),
            ..Default::default()
        })
    };
    let full_report = Message::Telemetry(proto::Telemetry {
        connections: 4,
        failed_attempts: 5,
        reconnects: vec![1, 2, 2, 1],
        resumes: 3,
        gaps: 1,
        resyncs: 7,
        digest_mismatches: 2,
        frames_refused: 1,
        apply_delay: Some(proto::Delays { counts: vec![0, 300, 2, 5, 13, 1], sum_ms: 3_601_000 }),
        staleness: Some(proto::Delays { counts: vec![7, 1], sum_ms: 900 }),
    });
    let cursor = Some(proto::Cursor { epoch: EPOCH, revision: 300 });
    let after_hello = [
        (
            "subscribe",
            "A new subscription to two topics, best three rungs with amounts.",
            "SUB-1",
            subscribe("best3", None),
        ),
        ("subscribe-prices", "Prices only: depth 1, no amounts.", "VIEW-1", subscribe("prices", None)),
        (
            "subscribe-resume",
            "The same topics are held as of revision 300.",
            "RES-1",
            subscribe("full", cursor),
        ),
        (
            "unsubscribe",
            "The end of subscription 1.",
            "SUB-4",
            Message::Unsubscribe(proto::Unsubscribe { subscription: 1 }),
        ),
        (
            "resync-markets",
            "Two markets did not fit.",
            "SYNC-3",
            resync(&[0, 300], ResyncReason::Digest, None),
        ),
        (
            "resync-since",
            "Frames were lost after revision 300.",
            "SYNC-2",
            resync(&[], ResyncReason::Gap, Some(300)),
        ),
        (
            "resync-since-nothing",
            "Frames were lost before anything was complete; 0 is said, not left out.",
            "SYNC-2",
            resync(&[], ResyncReason::Gap, Some(0)),
        ),
        (
            "bad-topic",
            "A topic that is none is refused; the session goes on.",
            "SUB-2",
            with_topic("nation/GB"),
        ),
        ("bad-view", "Best 0 is not a view; the session goes on.", "VIEW-1", best_0),
        ("telemetry", "A report with everything in it.", "TEL-1", full_report),
        (
            "telemetry-later-cause",
            "A cause that a later version added is some other cause.",
            "TEL-2",
            report(&[1, 1, 77, 1], 0, &[0, 1]),
        ),
        ("telemetry-at-limit", "The greatest number.", "TEL-5", report(&[], 65_535, &[13, 65_535])),
        (
            "telemetry-number-too-large",
            "A number over 65,535 is refused; the session goes on.",
            "TEL-5",
            report(&[], 65_536, &[0, 1]),
        ),
        ("telemetry-count-too-large", "So is one in a pair.", "TEL-5", report(&[1, 65_536], 0, &[0, 1])),
        ("telemetry-later-bucket", "There is no such bucket.", "TEL-3", report(&[], 0, &[14, 1])),
        ("telemetry-unpaired", "A place without a count.", "TEL-1", report(&[], 0, &[0, 1, 2])),
        ("telemetry-descending", "Places that do not ascend.", "TEL-1", report(&[2, 1, 1, 1], 0, &[0, 1])),
        ("hello-repeated", "A session has one hello.", "HELLO-1", hello("")),
    ];
    let first = [
        ("hello", "The first message of a session.", "HELLO-1", hello("")),
        ("hello-token", "A hello with an access token.", "HELLO-1", hello("secret")),
        (
            "hello-compact",
            "A hello that likes the compact encoding best and has two models.",
            "COMPACT-2",
            Message::Hello(proto::Hello {
                agent: "vectors/1".into(),
                encodings: vec![Encoding::Compact.into(), Encoding::Plain.into()],
                models: vec![0x0123_4567, 0x89ab_cdef],
                ..Default::default()
            }),
        ),
        ("hello-expected", "Anything else before the hello ends the session.", "HELLO-1", with_topic("all")),
    ];
    let case = |name: &str, about: &str, clause: &str, greeted: bool, message: &Message| {
        let input = json!({
            "about": about,
            "clauses": [clause],
            "kind": "client_message",
            "after_hello": greeted,
            "message": describe::client_message(message),
        });
        Case::played(
            &format!("client/{name}"),
            input,
            vec![(about.to_owned(), encode_client_message(message.clone()))],
        )
    };
    let mut cases: Vec<Case> = Vec::new();
    cases
        .extend(first.iter().map(|(name, about, clause, message)| case(name, about, clause, false, message)));
    cases.extend(
        after_hello.iter().map(|(name, about, clause, message)| case(name, about, clause, true, message)),
    );
    let about = "A kind of message that a later version added is passed over.";
    let input = json!({
        "about": about, "clauses": ["VER-1"], "kind": "client_message", "after_hello": true, "message": null,
    });
    cases.push(Case::played("client/later-kind", input, vec![(about.to_owned(), from_hex("6a 00"))]));
    cases
}
