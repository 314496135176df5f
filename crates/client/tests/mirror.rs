//! The mirror follows a gateway: snapshots, changes, subscriptions that come and go, events.

mod gateway;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use gateway::{Gateway, back, id, status};
use oddswire_client::{
    Client, ClientEvent, ClientOptions, Event, MarketState, MarketStatus, SubscribeError, Subscription, View,
    WaitError,
};
use oddswire_model::SelectionNumber;

const SOON: Duration = Duration::from_secs(5);

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(10), "not within 10 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_snapshot_and_then_deltas() {
    let gateway = Gateway::start().await;
    gateway.commit(vec![status("1.1", MarketStatus::Open), back("1.1", 7, [(20_000, 500)])]);
    let client = Client::connect(ClientOptions { url: gateway.url(), ..Default::default() }).unwrap();
    let subscription =
        client.subscribe(Subscription::new(["all"]).view(View::best(3)).max_rate_ms(50)).unwrap();
    client.synced_within(SOON).await.unwrap();
    let read = |reading: oddswire_client::Reading<'_>| {
        assert!(reading.age_ms.is_none_or(|age_ms| age_ms < 5_000));
        assert_eq!(reading.is_bettable(SelectionNumber(0)), reading.status() == MarketStatus::Open);
        (reading.state, reading.status(), reading.market.cells(View::FULL).len())
    };
    let (state, market_status, cells) = client.read(&id("1.1"), read).unwrap();
    assert_eq!((state, market_status), (MarketState::Live, MarketStatus::Open));
    assert!(client.read(&id("1.2"), |_| ()).is_none());

    gateway.commit(vec![status("1.1", MarketStatus::Suspended), back("1.1", 7, [(20_200, 900)])]);
    until("the change is there", || {
        client.read(&id("1.1"), read) == Some((MarketState::Live, MarketStatus::Suspended, cells + 1))
    })
    .await;
    gateway.commit(vec![status("1.2", MarketStatus::Open)]);
    until("the new market is there", || client.with_markets(|markets| markets.count()) == 2).await;
    let stats = client.stats();
    assert_eq!((stats.attempts, stats.welcomes, stats.failed_attempts, stats.disconnects), (1, 1, 0, 0));
    assert_eq!((stats.session.gaps, stats.session.digest_mismatches), (0, 0));
    assert_eq!(client.cursor().unwrap().epoch.0, 7);

    subscription.unsubscribe();
    until("the markets have left", || client.with_markets(|markets| markets.next().is_none())).await;
    client.synced_within(SOON).await.unwrap();
}

#[tokio::test]
async fn closing_is_clean_and_final() {
    let gateway = Gateway::start().await;
    let client = Client::builder(gateway.url()).agent("test/1").build().unwrap();
    let mut events = client.events();
    client.synced_within(SOON).await.unwrap();
    client.clone().close().await;
    until("the gateway has heard it", || gateway.with(|world| world.closes == [1000])).await;
    while events.next().await.is_some() {}
    assert_eq!(client.events().next().await, None);
    assert_eq!(client.synced().await, Err(WaitError::Closed));
    assert_eq!(client.subscribe(Subscription::new(["all"])).unwrap_err(), SubscribeError::Closed);
    client.close().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(gateway.with(|world| world.accepted), 1, "it stays away");
}

#[tokio::test]
async fn dropping_the_last_clone_closes_even_while_connecting_or_waiting() {
    let gateway = Gateway::start().await;
    let client = Client::builder(gateway.url()).build().unwrap();
    let _subscription = client.subscribe(Subscription::new(["all"])).unwrap();
    client.synced_within(SOON).await.unwrap();
    let mut events = client.events();
    drop(client.clone());
    assert_eq!(gateway.with(|world| world.fanout.connections()), 1);
    drop(client);
    until("it is gone", || gateway.with(|world| world.fanout.connections()) == 0).await;
    while events.next().await.is_some() {}

    gateway.with(|world| world.is_frozen = true);
    let client = Client::builder(gateway.url()).build().unwrap();
    tokio::time::timeout(SOON, client.close()).await.unwrap();
}

#[tokio::test]
async fn a_slow_reader_of_events_is_told_what_it_missed_and_misses_no_state() {
    let gateway = Gateway::start().await;
    gateway.commit(vec![status("1.1", MarketStatus::Open)]);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&heard);
    let client = Client::builder(gateway.url())
        .events_kept(4)
        .on_event(move |event| listener.lock().unwrap().push(event.clone()))
        .build()
        .unwrap();
    let mut events = client.events();
    let _subscription = client.subscribe(Subscription::new(["all"])).unwrap();
    client.synced_within(SOON).await.unwrap();
    for step in 0..40 {
        gateway.commit(vec![back("1.1", 7, [(20_000, 100 + step)])]);
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    let best =
        || client.read(&id("1.1"), |reading| reading.market.cells(View::FULL).last().map(|cell| cell.value));
    until("the last change is there", || best() == Some(Some(139))).await;
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    assert_eq!(heard.first(), Some(&ClientEvent::Connected), "the callback hears the first event, too");
    let Some(ClientEvent::Lagged(missed)) = events.next().await else {
        panic!("a reader that did not read lags")
    };
    let kept: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    assert_eq!(kept.len(), 4);
    assert!(kept.iter().all(|event| matches!(event, ClientEvent::Session(Event::Changed { .. }))));
    assert!(missed as usize + 4 >= 40, "{missed} missed of {}", heard.len());
}

#[tokio::test]
async fn more_subscriptions_than_a_gateway_takes_at_once_are_paced() {
    let gateway = Gateway::start().await;
    let markets = (0..80).map(|number| status(&format!("1.{number}"), MarketStatus::Open)).collect();
    gateway.commit(markets);
    let client = Client::builder(gateway.url()).build().unwrap();
    let subscriptions: Vec<_> = (0..80)
        .map(|number| client.subscribe(Subscription::new([format!("market/1.{number}")])).unwrap())
        .collect();
    client.synced_within(Duration::from_secs(10)).await.unwrap();
    assert_eq!(client.with_markets(|markets| markets.count()), 80);
    let stats = client.stats();
    assert_eq!((stats.refused, stats.disconnects), (0, 0), "{stats:?}");
    drop(subscriptions);
}

#[tokio::test]
async fn a_reader_that_panics_leaves_the_mirror_whole() {
    let gateway = Gateway::start().await;
    gateway.commit(vec![status("1.1", MarketStatus::Open)]);
    let client = Client::builder(gateway.url()).build().unwrap();
    let _subscription = client.subscribe(Subscription::new(["all"])).unwrap();
    client.synced_within(SOON).await.unwrap();
    let reader = client.clone();
    let panicked = tokio::spawn(async move { reader.with_markets(|_| panic!("a reader's mistake")) }).await;
    assert!(panicked.is_err());
    gateway.commit(vec![status("1.1", MarketStatus::Suspended)]);
    until("the mirror goes on", || {
        client.read(&id("1.1"), |reading| reading.status()) == Some(MarketStatus::Suspended)
    })
    .await;
}
