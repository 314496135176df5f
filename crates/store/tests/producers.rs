//! Producers: once, fenced, and held while silent.

use oddswire_model::{
    Commit, Epoch, Field, MarketId, MarketStatus, MarketUpdate, Price, Revision, SelectionUpdate,
};
use oddswire_store::{ProducerError, Published, Reason, Store};

fn id(text: &str) -> MarketId {
    MarketId::new(text).unwrap()
}

fn status(market: &str, status: MarketStatus) -> Commit {
    let mut update = MarketUpdate::new(id(market));
    update.fields.push((Field::Status, status as u64));
    Commit { published_ms: 1, markets: vec![update] }
}

fn status_of(store: &Store, market: &str) -> MarketStatus {
    store.market_by_id(&id(market)).unwrap().status()
}

#[test]
fn a_retried_commit_is_applied_once() {
    let mut store = Store::new(Epoch(1));
    store.announce_producer("feed", 1).unwrap();
    let commit = status("1.1", MarketStatus::Open);
    assert!(matches!(store.publish("feed", 1, 1, &commit), Ok(Published::Applied(_))));
    store.publish("feed", 1, 2, &status("1.1", MarketStatus::Suspended)).unwrap();
    let late = store.publish("feed", 1, 1, &commit);
    assert_eq!(late, Ok(Published::Repeated(Revision(2))), "a late duplicate must not open the market again");
    assert_eq!(status_of(&store, "1.1"), MarketStatus::Suspended);
    assert_eq!(store.revision(), Revision(2));
}

#[test]
fn an_older_start_is_fenced_off_and_a_newer_one_counts_from_the_beginning() {
    let mut store = Store::new(Epoch(1));
    store.announce_producer("feed", 3).unwrap();
    store.publish("feed", 3, 90, &status("1.1", MarketStatus::Open)).unwrap();
    store.announce_producer("feed", 4).unwrap();
    let zombie = store.publish("feed", 3, 91, &status("1.1", MarketStatus::Void));
    assert_eq!(zombie, Err(ProducerError::Fenced { given: 3, known: 4 }));
    assert!(matches!(store.announce_producer("feed", 3), Err(ProducerError::Fenced { .. })));
    assert_eq!(status_of(&store, "1.1"), MarketStatus::Open);
    let first = store.publish("feed", 4, 1, &status("1.1", MarketStatus::Closed));
    assert!(matches!(first, Ok(Published::Applied(_))));
}

#[test]
fn an_announcement_again_keeps_the_sequence() {
    let mut store = Store::new(Epoch(1));
    store.announce_producer("feed", 1).unwrap();
    store.publish("feed", 1, 7, &Commit::default()).unwrap();
    assert_eq!(store.announce_producer("feed", 1).unwrap().last_sequence, 7);
    assert!(matches!(store.publish("feed", 1, 7, &Commit::default()), Ok(Published::Repeated(_))));
}

#[test]
fn whoever_has_not_announced_itself_is_unknown() {
    let mut store = Store::new(Epoch(1));
    let unknown = store.publish("feed", 1, 1, &Commit::default());
    assert_eq!(unknown, Err(ProducerError::Unknown("feed".into())));
    assert_eq!(store.hold_producer("feed"), None);
}

#[test]
fn a_refused_commit_uses_its_sequence_up_and_nothing_else() {
    let mut store = Store::new(Epoch(1));
    store.announce_producer("feed", 1).unwrap();
    let mut bad = status("1.1", MarketStatus::Open);
    bad.markets[0].fields.push((Field::Price, 20_000));
    assert!(matches!(store.publish("feed", 1, 1, &bad), Err(ProducerError::Refused(_))));
    assert_eq!((store.revision(), store.len()), (Revision(0), 0));
    let again = store.publish("feed", 1, 1, &status("1.1", MarketStatus::Open));
    assert!(matches!(again, Ok(Published::Repeated(_))));
}

#[test]
fn a_market_has_one_producer() {
    let mut store = Store::new(Epoch(1));
    for name in ["a", "b"] {
        store.announce_producer(name, 1).unwrap();
    }
    store.publish("a", 1, 1, &status("1.1", MarketStatus::Open)).unwrap();
    let Err(ProducerError::Refused(refusal)) = store.publish("b", 1, 1, &status("1.1", MarketStatus::Void))
    else {
        panic!("two producers wrote one market");
    };
    assert_eq!((refusal.market, refusal.reason), (id("1.1"), Reason::OtherProducer));
    // Once it is forgotten, it is anybody's.
    let number = store.number(&id("1.1")).unwrap();
    store.forget(&[number]);
    assert!(store.publish("b", 1, 2, &status("1.1", MarketStatus::Open)).is_ok());
}

#[test]
fn held_markets_read_as_suspended_whatever_is_said_until_they_are_released() {
    let mut store = Store::new(Epoch(1));
    store.announce_producer("feed", 1).unwrap();
    store.publish("feed", 1, 1, &status("1.1", MarketStatus::Open)).unwrap();
    store.publish("feed", 1, 2, &status("1.2", MarketStatus::Settled)).unwrap();
    let held = store.hold_producer("feed").unwrap();
    assert_eq!(held.urgent.len(), 2);
    assert_eq!(status_of(&store, "1.1"), MarketStatus::Suspended);
    assert_eq!(status_of(&store, "1.2"), MarketStatus::Settled, "what is over stays over");
    assert_eq!(store.hold_producer("feed"), None, "held already");

    // The producer speaks again, but has not said everything.
    let mut image = status("1.1", MarketStatus::Open);
    image.markets[0].image = true;
    image.markets[0].complete_definition = true;
    store.publish("feed", 1, 3, &image).unwrap();
    assert_eq!(status_of(&store, "1.1"), MarketStatus::Suspended);
    assert!(store.producer("feed").unwrap().held);

    let released = store.release_producer("feed").unwrap();
    assert!(released.urgent.contains(&store.number(&id("1.1")).unwrap()));
    assert_eq!(status_of(&store, "1.1"), MarketStatus::Open);
    assert_eq!(store.release_producer("feed"), None);
}

#[test]
fn a_producer_cannot_hold_or_release_by_itself() {
    let mut store = Store::new(Epoch(1));
    let mut commit = status("1.1", MarketStatus::Open);
    commit.markets[0].fields.push((Field::Held, 0));
    assert_eq!(store.commit(&commit).unwrap_err().reason, Reason::Misplaced);
}

#[test]
fn a_producer_without_markets_is_not_held() {
    let mut store = Store::new(Epoch(1));
    store.announce_producer("feed", 1).unwrap();
    assert_eq!(store.hold_producer("feed"), None);
    let mut commit = status("1.1", MarketStatus::Open);
    let key = oddswire_model::SelectionKey {
        id: oddswire_model::SelectionId(1),
        handicap: oddswire_model::Handicap::NONE,
    };
    let mut selection = SelectionUpdate::new(key);
    selection.fields.push((Field::Price, u64::from(Price(20_000).0)));
    commit.markets[0].selections.push(selection);
    store.publish("feed", 1, 1, &commit).unwrap();
    assert_eq!(status_of(&store, "1.1"), MarketStatus::Open);
}
