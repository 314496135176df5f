//! Answers that come late, twice, or not at all. Each of these was found by a seed of the simulation.

use bytes::Bytes;
use oddswire_delta::{MarketDelta, catch_up, snapshot};
use oddswire_model::{CellKey, Field, Market, MarketId, MarketNumber, MarketStatus, Revision, View};
use oddswire_session::{ClientConfig, ClientError, ClientSession, Event, SubscriptionRequest};
use oddswire_wire::{
    FrameBuilder, decode_client_message,
    piece::{Encoding, PieceEncoder},
    proto::{self, ErrorCode, client_message::Message},
};

fn request(topic: &str) -> SubscriptionRequest {
    SubscriptionRequest { topics: vec![topic.parse().unwrap()], view: View::FULL, rate_ms: 0 }
}

fn frame(build: impl FnOnce(&mut FrameBuilder)) -> Bytes {
    let mut frame = FrameBuilder::new();
    build(&mut frame);
    frame.finish()
}

fn welcome() -> Bytes {
    frame(|frame| frame.welcome(proto::Welcome { epoch: 7, ..Default::default() }))
}

fn subscribed(subscription: u32) -> Bytes {
    frame(|frame| frame.subscribed(proto::Subscribed { subscription, ..Default::default() }))
}

fn refused(subscription: u32, code: ErrorCode) -> Bytes {
    let message = String::from("no");
    frame(|frame| frame.error(proto::Error { code: code.into(), message, subscription }))
}

/// A market whose status changed at a revision.
fn market(revision: u64) -> Market {
    let mut market = Market::new(MarketNumber(0), MarketId::new("1.0").unwrap(), Revision(1));
    market.set(CellKey::market(Field::Status), MarketStatus::Open as u64, Revision(revision));
    market
}

/// A catch-up since a revision, which is a snapshot if that is 0, up to another.
fn caught_up(market: &Market, since: u64, position: u64) -> Bytes {
    let mut change = MarketDelta::default();
    match since {
        0 => snapshot(market, View::FULL, &mut change),
        since => catch_up(market, Revision(since), View::FULL, &mut change),
    }
    let mut bytes = Vec::new();
    PieceEncoder::default().encode(&change, None, market, Encoding::Plain, &mut bytes);
    frame(|frame| {
        frame.position(proto::Position { revision: position, sequence: 40, since, ..Default::default() });
        frame.pieces(&bytes);
    })
}

/// Subscribed to everything, and live at a revision.
fn live(revision: u64) -> ClientSession {
    let mut session = ClientSession::new(ClientConfig::default());
    session.subscribe(1, request("all"));
    session.connected(0);
    for frame in [welcome(), subscribed(1), caught_up(&market(revision), 0, revision)] {
        session.handle_frame(0, frame).unwrap();
    }
    assert!(session.is_synced() && session.len() == 1);
    while session.poll_transmit().is_some() || session.poll_event().is_some() {}
    session
}

fn said(session: &mut ClientSession) -> Vec<Message> {
    std::iter::from_fn(|| session.poll_transmit())
        .map(|message| decode_client_message(message).unwrap().unwrap())
        .collect()
}

#[test]
fn a_refused_unsubscribe_does_not_end_the_subscription_that_took_its_number() {
    let mut session = live(5);
    session.unsubscribe(1);
    session.subscribe(1, request("sport/7"));
    session.handle_frame(0, refused(1, ErrorCode::UnknownSubscription)).unwrap();
    session.handle_frame(0, subscribed(1)).unwrap();
    session.handle_frame(0, caught_up(&market(6), 0, 6)).unwrap();
    session.disconnected();
    session.connected(10);
    let subscribes = said(&mut session).into_iter().filter(|m| matches!(m, Message::Subscribe(_)));
    assert_eq!(subscribes.count(), 1);
}

#[test]
fn a_refused_subscribe_does_not_end_the_one_that_replaced_it() {
    let mut session = live(5);
    session.subscribe(2, request("sport/7"));
    session.subscribe(2, request("sport/8"));
    session.handle_frame(0, refused(2, ErrorCode::BadTopic)).unwrap();
    session.handle_frame(0, subscribed(2)).unwrap();
    session.handle_frame(0, caught_up(&market(6), 5, 6)).unwrap();
    assert!(session.is_synced());
    // The last one refused ends the subscription, and does not keep the others from being complete.
    session.subscribe(3, request("sport/9"));
    session.handle_frame(0, refused(3, ErrorCode::BadTopic)).unwrap();
    assert!(session.is_synced());
}

#[test]
fn a_gateway_that_goes_away_may_say_so_before_its_welcome() {
    let mut session = ClientSession::new(ClientConfig::default());
    session.connected(0);
    let drain = frame(|frame| frame.drain(proto::Drain { reconnect_after_ms: 40 }));
    session.handle_frame(0, drain).unwrap();
    assert_eq!(session.poll_event(), Some(Event::Drain { reconnect_after_ms: 40 }));
    assert_eq!(session.handle_frame(0, subscribed(1)), Err(ClientError::NotWelcomed));
}

#[test]
fn a_catch_up_to_before_what_is_held_is_passed_over() {
    let mut session = live(9);
    // Another market's rate is slower, so the gateway begins at 4 and has this market as of 8.
    session.handle_frame(0, caught_up(&market(8), 4, 9)).unwrap();
    assert_eq!(session.stats().gaps, 0);
    assert!(session.is_synced() && said(&mut session).is_empty());
    assert_eq!(session.markets(0).next().unwrap().market.revision(), Revision(9));
}

#[test]
fn frames_lost_while_a_subscription_is_on_its_way_end_the_connection() {
    let mut session = live(5);
    session.subscribe(2, request("sport/7"));
    // 41 is missing.
    let late = frame(|frame| frame.advance(1, 42, 0));
    assert_eq!(session.handle_frame(0, late.clone()), Err(ClientError::Lost));
    // With nothing on its way, a catch-up is enough.
    let mut session = live(5);
    assert_eq!(session.handle_frame(0, late), Ok(()));
    assert!(matches!(&said(&mut session)[..], [Message::Resync(resync)] if resync.since == Some(5)));
}

#[test]
fn digests_count_once_everything_is_answered() {
    let digest = |market| {
        frame(|frame| {
            frame.heartbeat(&proto::Heartbeat { revision: 5, sequence: 40, ..Default::default() });
            frame.digest(proto::MarketDigest { market, digest: 1 });
        })
    };
    let mut session = live(5);
    session.subscribe(2, request("sport/7"));
    said(&mut session);
    session.handle_frame(0, digest(0)).unwrap();
    assert_eq!((session.stats().digest_mismatches, said(&mut session).len()), (0, 0));

    let mut session = live(5);
    session.handle_frame(0, digest(0)).unwrap();
    assert_eq!(session.stats().digest_mismatches, 1);

    // A market that the gateway follows and the client does not hold is missing.
    let mut session = live(5);
    session.handle_frame(0, digest(3)).unwrap();
    assert!(matches!(&said(&mut session)[..], [Message::Resync(resync)] if resync.markets == [3]));
}

#[test]
fn a_market_that_returns_under_a_new_number_stays_when_the_old_number_leaves() {
    let mut session = live(5);
    // The snapshot of the new number comes in a frame of its own, ahead of the one that says what has left.
    let mut again = Market::new(MarketNumber(1), MarketId::new("1.0").unwrap(), Revision(6));
    again.set(CellKey::market(Field::Status), MarketStatus::Open as u64, Revision(6));
    session.handle_frame(0, caught_up(&again, 0, 6)).unwrap();
    session.handle_frame(0, frame(|frame| frame.removed(vec![0]))).unwrap();
    let id = MarketId::new("1.0").unwrap();
    assert_eq!(session.read(&id, 0).unwrap().market.number(), MarketNumber(1));
}

#[test]
fn a_horizon_that_passes_between_two_answers_ends_the_connection() {
    let answer = |subscription, resume: proto::Resume| {
        let subscribed = proto::Subscribed { subscription, resume: resume.into(), ..Default::default() };
        frame(|frame| frame.subscribed(subscribed))
    };
    let mut session = live(5);
    session.subscribe(2, request("sport/7"));
    session.handle_frame(0, subscribed(2)).unwrap();
    session.handle_frame(0, caught_up(&market(6), 5, 6)).unwrap();
    session.disconnected();
    session.connected(10);
    session.handle_frame(10, welcome()).unwrap();
    session.handle_frame(10, answer(1, proto::Resume::CaughtUp)).unwrap();
    let too_old = session.handle_frame(10, answer(2, proto::Resume::TooOld));
    assert_eq!(too_old, Err(ClientError::Lost));
    assert_eq!(session.len(), 1, "what the first answer vouched for is kept");
}

#[test]
fn what_was_never_complete_is_not_kept_for_the_next_connection() {
    let mut session = ClientSession::new(ClientConfig::default());
    session.subscribe(1, request("all"));
    session.subscribe(2, request("sport/7"));
    session.connected(0);
    for frame in [welcome(), subscribed(1), caught_up(&market(5), 0, 5)] {
        session.handle_frame(0, frame).unwrap();
    }
    assert_eq!(session.len(), 1);
    session.disconnected();
    session.connected(10);
    assert!(session.is_empty(), "no cursor goes with the subscribes, so nobody would say that it has left");
}

#[test]
fn nothing_is_live_while_an_unsubscribe_is_unanswered() {
    let mut session = ClientSession::new(ClientConfig::default());
    session.subscribe(1, request("all"));
    session.subscribe(2, request("sport/7"));
    session.connected(0);
    session.unsubscribe(2);
    for frame in [welcome(), subscribed(1), caught_up(&market(5), 0, 5)] {
        session.handle_frame(0, frame).unwrap();
    }
    assert!(!session.is_synced(), "the first answer may be in a narrower view than the second leads to");
    session.handle_frame(0, subscribed(2)).unwrap();
    let ended = proto::Subscribed { subscription: 2, ended: true, ..Default::default() };
    session.handle_frame(0, frame(|frame| frame.subscribed(ended))).unwrap();
    session.handle_frame(0, caught_up(&market(5), 5, 5)).unwrap();
    assert!(session.is_synced());
}

/// A heartbeat of a group that stands at a sequence.
fn heartbeat(sequence: u32) -> Bytes {
    frame(|frame| {
        frame.heartbeat(&proto::Heartbeat { revision: 6, sequence, ..Default::default() });
    })
}

#[test]
fn a_lost_catch_up_is_asked_for_twice_more_and_then_on_another_connection() {
    let mut session = live(5);
    let mut asked = Vec::new();
    for _ in 0..=5 {
        session.handle_frame(0, heartbeat(41)).unwrap();
        asked.push(said(&mut session));
    }
    let resync = Message::Resync(proto::Resync {
        reason: proto::ResyncReason::Gap.into(),
        since: Some(5),
        ..Default::default()
    });
    let counts: Vec<_> = asked.iter().map(Vec::len).collect();
    assert_eq!(counts, [1, 0, 1, 0, 1, 0]);
    assert!(asked.iter().flatten().all(|message| *message == resync));
    assert_eq!(session.handle_frame(0, heartbeat(41)), Err(ClientError::Lost));
    session.disconnected();
    session.connected(10);
    let messages = said(&mut session);
    let [_, Message::Subscribe(subscribe)] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(subscribe.cursor, Some(proto::Cursor { epoch: 7, revision: 5 }));
}

#[test]
fn an_answer_begins_the_count_anew() {
    let mut session = live(5);
    for _ in 0..10 {
        // One is lost, and another before the catch-up for it comes.
        for _ in 0..5 {
            session.handle_frame(0, heartbeat(41)).unwrap();
        }
        session.handle_frame(0, caught_up(&market(6), 5, 6)).unwrap();
        assert!(session.is_synced());
    }
}

#[test]
fn a_market_that_is_not_held_is_asked_for_once_however_much_comes_of_it() {
    let mut session = live(5);
    let mut other = Market::new(MarketNumber(1), MarketId::new("1.1").unwrap(), Revision(1));
    other.set(CellKey::market(Field::Status), MarketStatus::Open as u64, Revision(6));
    for _ in 0..3 {
        session.handle_frame(0, caught_up(&other, 5, 6)).unwrap();
    }
    assert_eq!(said(&mut session).len(), 1);
    let mut asked = 0;
    for _ in 0..2 {
        session.handle_frame(0, heartbeat(40)).unwrap();
        asked += said(&mut session).len();
    }
    assert_eq!(asked, 1, "again, because no answer came");
}

#[test]
fn whoever_has_subscribed_to_nothing_waits_for_nothing() {
    let mut session = ClientSession::new(ClientConfig::default());
    session.connected(0);
    session.handle_frame(0, welcome()).unwrap();
    said(&mut session);
    for _ in 0..20 {
        session.handle_frame(0, heartbeat(3)).unwrap();
    }
    assert!(said(&mut session).is_empty());
}
