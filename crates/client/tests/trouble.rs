//! What a client does when the line or the gateway fails.

mod gateway;

use std::time::{Duration, Instant};

use gateway::{Gateway, back, id, status};
use oddswire_client::{
    Client, ClientEvent, DisconnectReason, Event, Events, MarketState, MarketStatus, ResumeOutcome,
    Subscription, SubscriptionHandle, View, WaitError,
};
use oddswire_session::Backoff;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_websockets::Message;

const SOON: Duration = Duration::from_secs(10);

/// A gateway with one large market and a client that has it.
async fn live() -> (Gateway, Client, SubscriptionHandle, Events) {
    let gateway = Gateway::start().await;
    gateway.commit(vec![
        status("1.1", MarketStatus::Open),
        back("1.1", 7, (0..300).map(|step| (10_100 + step * 100, 500))),
        status("1.2", MarketStatus::Open),
    ]);
    let client = Client::builder(gateway.url()).seed(1).build().unwrap();
    let events = client.events();
    let subscription = client.subscribe(Subscription::new(["all"])).unwrap();
    client.synced_within(SOON).await.unwrap();
    (gateway, client, subscription, events)
}

/// Waits for the first event that says something.
async fn wait_for<T>(events: &mut Events, mut says: impl FnMut(ClientEvent) -> Option<T>) -> T {
    let waiting = async {
        loop {
            let event = events.next().await.expect("the client is open");
            if let Some(said) = says(event) {
                return said;
            }
        }
    };
    tokio::time::timeout(SOON, waiting).await.expect("the event comes soon")
}

fn disconnected(event: ClientEvent) -> Option<(DisconnectReason, u64)> {
    match event {
        ClientEvent::Disconnected { reason, retry_in_ms } => Some((reason, retry_in_ms)),
        _ => None,
    }
}

fn resumed(event: ClientEvent) -> Option<ResumeOutcome> {
    match event {
        ClientEvent::Session(Event::Subscribed { resume, .. }) => Some(resume),
        _ => None,
    }
}

fn synced(event: ClientEvent) -> Option<()> {
    matches!(event, ClientEvent::Session(Event::Synced { .. })).then_some(())
}

fn assert_same(client: &Client, gateway: &Gateway) {
    client.with_markets(|markets| {
        gateway.with(|world| {
            let mut held = world.store.markets();
            for reading in markets {
                let market = held.next().unwrap();
                assert_eq!(reading.state, MarketState::Live);
                assert_eq!(reading.market.digest(View::FULL), market.digest(View::FULL));
            }
            assert!(held.next().is_none());
        });
    });
}

#[tokio::test]
async fn a_cut_is_resumed_with_only_what_changed() {
    let (gateway, client, _subscription, mut events) = live().await;
    let before = client.stats().session;
    client.cut();
    assert_eq!(wait_for(&mut events, disconnected).await.0, DisconnectReason::Cut);
    client.with_markets(|markets| assert!(markets.all(|reading| reading.state == MarketState::Stale)));
    gateway.commit(vec![back("1.1", 7, [(10_100, 900)])]);
    assert_eq!(wait_for(&mut events, resumed).await, ResumeOutcome::CaughtUp);
    wait_for(&mut events, synced).await;
    client.synced_within(SOON).await.unwrap();
    let after = client.stats().session;
    assert_eq!((after.snapshots, after.resumes), (before.snapshots, 1));
    let bytes = after.bytes - before.bytes;
    assert!(bytes < before.bytes / 2 && bytes < 400, "{bytes} bytes after {} for the snapshot", before.bytes);
    assert_same(&client, &gateway);
}

#[tokio::test]
async fn a_new_epoch_is_taken_afresh_and_said() {
    let (gateway, client, _subscription, mut events) = live().await;
    gateway.restart(8);
    gateway.commit(vec![status("1.9", MarketStatus::Open)]);
    wait_for(&mut events, disconnected).await;
    assert_eq!(wait_for(&mut events, resumed).await, ResumeOutcome::EpochChanged);
    wait_for(&mut events, synced).await;
    assert_same(&client, &gateway);
    assert_eq!(client.stats().session.epochs_changed, 1);
    assert_eq!(client.cursor().unwrap().epoch.0, 8);
    assert!(client.read(&id("1.1"), |_| ()).is_none());
}

#[tokio::test]
async fn a_frozen_gateway_goes_stale_and_is_given_up_again_and_again() {
    let (gateway, client, _subscription, mut events) = live().await;
    let frozen = Instant::now();
    gateway.with(|world| world.is_frozen = true);
    wait_for(&mut events, |event| (event == ClientEvent::Session(Event::Stale)).then_some(())).await;
    let after = frozen.elapsed();
    assert!(after < Duration::from_millis(2_800) && after > Duration::from_millis(1_000), "{after:?}");
    let state = client.read(&id("1.2"), |reading| (reading.state, reading.status())).unwrap();
    assert_eq!(state, (MarketState::Stale, MarketStatus::Suspended), "an open market reads as suspended");
    let (reason, _) = wait_for(&mut events, disconnected).await;
    assert_eq!(reason, DisconnectReason::Silent { after_ms: 2_500 });
    let (reason, _) = wait_for(&mut events, disconnected).await;
    assert!(
        matches!(reason, DisconnectReason::Silent { .. }),
        "one that never says welcome is given up, too"
    );
    gateway.with(|world| world.is_frozen = false);
    client.synced_within(SOON).await.unwrap();
    assert_same(&client, &gateway);
    assert_eq!(client.stats().silent, 2);
}

#[tokio::test]
async fn what_cannot_be_read_ends_the_connection_and_is_counted() {
    let text = || Message::text("{}");
    let long = || Message::binary(vec![0; 1024 * 1024 + 1]);
    for (message, is_malformed) in [
        (Message::binary(&[0x0a, 0xff][..]), true),
        (Message::binary(&[0xff; 40][..]), true),
        (text(), false),
        (long(), false),
    ] {
        let (gateway, client, _subscription, mut events) = live().await;
        gateway.inject(&message);
        let (reason, retry_in_ms) = wait_for(&mut events, disconnected).await;
        assert_eq!(matches!(reason, DisconnectReason::Malformed(_)), is_malformed, "{reason}");
        assert_eq!(matches!(reason, DisconnectReason::BadWebSocket(_)), !is_malformed, "{reason}");
        assert!(retry_in_ms <= Backoff::FIRST_MS);
        assert_eq!(client.stats().malformed, 1);
        assert_eq!(wait_for(&mut events, resumed).await, ResumeOutcome::CaughtUp);
        wait_for(&mut events, synced).await;
        assert_same(&client, &gateway);
        if is_malformed {
            assert_eq!(gateway.with(|world| world.closes.clone()), [1002]);
        }
        client.close().await;
    }
}

#[tokio::test]
async fn a_gateway_that_is_always_at_fault_is_not_hammered() {
    let (gateway, client, _subscription, mut events) = live().await;
    let mut delays = Vec::new();
    while delays.len() < 5 {
        gateway.inject(&Message::text("no"));
        delays.push(wait_for(&mut events, disconnected).await.1);
        client.retry_now();
        client.synced_within(SOON).await.unwrap();
    }
    let mut backoff = Backoff::new(1);
    let grown: Vec<_> = delays.iter().map(|_| backoff.next_delay_ms()).collect();
    assert_eq!(delays, grown, "welcomes in between do not make the delays short again");
}

#[tokio::test]
async fn nobody_there_is_said_and_retried_with_jitter() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::builder(format!("ws://{address}")).seed(42).build().unwrap();
    let mut events = client.events();
    let _subscription = client.subscribe(Subscription::new(["all"])).unwrap();
    let mut expected = Backoff::new(42);
    let mut texts = Vec::new();
    for _ in 0..4 {
        let (reason, retry_in_ms) = wait_for(&mut events, disconnected).await;
        assert_eq!(retry_in_ms, expected.next_delay_ms());
        texts.push(reason.to_string());
        client.retry_now();
    }
    let says =
        format!("nothing answers at ws://{address}/v1/stream; start `oddswire serve` or check the address");
    assert!(texts.iter().all(|text| text.starts_with(&says)), "{texts:?}");
    assert!(client.stats().failed_attempts >= 4);
    let error = client.synced_within(Duration::from_millis(20)).await.unwrap_err();
    assert!(matches!(error, WaitError::Disconnected { .. }) && error.to_string().contains(&says), "{error}");

    let gateway = Gateway::start_at(address).await;
    gateway.commit(vec![status("1.1", MarketStatus::Open)]);
    client.retry_now();
    client.synced_within(SOON).await.unwrap();
    assert_same(&client, &gateway);
}

#[tokio::test]
async fn a_receiver_that_does_not_read_falls_behind_and_catches_up() {
    let (gateway, client, _subscription, mut events) = live().await;
    let paused = Instant::now();
    client.pause_reading(Duration::from_secs(4));
    for round in 0.. {
        // About ten kilobytes a flush: the buffers of both systems hold some hundred.
        let rungs =
            |runner: u64| (0..300).map(move |step| (10_100 + step * 100, runner * 1_000_003 + round * 7_001));
        gateway.commit((1..8).map(|runner| back("1.1", runner, rungs(runner))).collect());
        tokio::time::sleep(Duration::from_millis(10)).await;
        if paused.elapsed() > Duration::from_millis(2_800) {
            break;
        }
    }
    assert!(gateway.with(|world| world.fanout.stats().fell_behind) > 0);
    assert_eq!(gateway.with(|world| world.fanout.behind()), 1);
    let state = client.read(&id("1.1"), |reading| reading.state);
    assert_eq!(
        state,
        Some(MarketState::Stale),
        "what was not heard of for too long is stale while it is not read"
    );
    wait_for(&mut events, |event| {
        let ClientEvent::Session(Event::Changed { conflated, .. }) = event else { return None };
        (conflated as i32 == 2).then_some(())
    })
    .await;
    client.synced_within(SOON).await.unwrap();
    assert_same(&client, &gateway);
    let stats = client.stats();
    assert_eq!((stats.disconnects, stats.session.gaps), (0, 0), "{stats:?}");
    assert!(stats.session.conflated_slow > 0);
}

#[tokio::test]
async fn a_gateway_that_goes_away_is_left_when_it_says() {
    let (gateway, client, _subscription, mut events) = live().await;
    // The second of two connections is asked to leave after half of the time.
    let other = Client::builder(gateway.url()).build().unwrap();
    let mut other_events = other.events();
    other.synced_within(SOON).await.unwrap();
    let asked = Instant::now();
    gateway.with(|world| world.fanout.drain(800));
    let (reason, retry_in_ms) = wait_for(&mut events, disconnected).await;
    assert_eq!((reason, retry_in_ms), (DisconnectReason::Drained, 0));
    gateway.commit(vec![back("1.1", 7, [(10_100, 900)])]);
    let (reason, retry_in_ms) = wait_for(&mut other_events, disconnected).await;
    assert_eq!((reason, retry_in_ms), (DisconnectReason::Drained, 0));
    let after = asked.elapsed();
    assert!(after >= Duration::from_millis(390) && after < Duration::from_millis(1_500), "{after:?}");
    assert_eq!(wait_for(&mut events, resumed).await, ResumeOutcome::CaughtUp);
    wait_for(&mut events, synced).await;
    assert_same(&client, &gateway);
    assert_eq!((client.stats().drains, other.stats().drains), (1, 1));
}

#[tokio::test]
async fn what_is_not_a_gateway_is_told_apart() {
    let endless = format!("HTTP/1.1 101 Switching Protocols\r\nX: {}", "x".repeat(20_000));
    let overlong_accept = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
                 Sec-WebSocket-Accept: {}\r\n\r\n",
        "QUJD".repeat(30)
    );
    for (answer, hint) in [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404 Not Found"),
        ("220 mail.example ESMTP\r\n", "HTTP/1.1"),
        ("", "HTTP/1.1"),
        (&endless, "no end"),
        (&overlong_accept, "key"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let client = Client::builder(url).build().unwrap();
        let mut events = client.events();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1_024];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let (reason, _) = wait_for(&mut events, disconnected).await;
        assert!(matches!(reason, DisconnectReason::NotAGateway { .. }), "{reason:?}");
        assert!(reason.to_string().contains(hint), "{reason}");
        client.close().await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let client = Client::builder(url).connect_timeout_ms(50).build().unwrap();
    let (reason, _) = wait_for(&mut client.events(), disconnected).await;
    assert!(matches!(reason, DisconnectReason::ConnectTimeout { after_ms: 50, .. }), "{reason:?}");
    assert_eq!(client.stats().welcomes, 0);
}
