//! Servers die and come back: clients return by themselves, and say what became of what they held.

mod oracle;
mod support;

use std::time::Duration;

use oddswire_client::{Client, ClientEvent, Event, MarketId, ResumeOutcome, Subscription};
use oddswire_feeds::simulator::{Simulator, SimulatorConfig};
use oddswire_ingest::{Producer, ProducerConfig};
use oddswire_model::{Commit, Field, MarketStatus, MarketUpdate};
use oddswire_server::{Server, ServerConfig};

fn config() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.http.listen = "127.0.0.1:0".parse().expect("an address");
    config.grpc.listen = "127.0.0.1:0".parse().expect("an address");
    config
}

async fn producer(server: &Server, producer_epoch: u64) -> Producer {
    let config = ProducerConfig::new(format!("http://{}", server.grpc), "feed", producer_epoch);
    Producer::connect(config).await.expect("the server is there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_epoch_is_told_and_everything_is_taken_anew() {
    let mut config = config();
    let server = Server::start(&config).await.expect("a free port");
    config.http.listen = server.http;
    config.grpc.listen = server.grpc;
    let mut feed = producer(&server, 1).await;
    for commit in Simulator::new(SimulatorConfig::small(3)).take(300) {
        feed.publish(&commit).await.expect("the server takes it");
    }
    feed.flush().await.expect("everything is acknowledged");

    let clients: Vec<Client> = (0..5)
        .map(|seed| {
            Client::builder(format!("ws://{}", server.http)).seed(seed).build().expect("a good address")
        })
        .collect();
    let subscriptions: Vec<_> = clients
        .iter()
        .map(|client| client.subscribe(Subscription::new(["all"])).expect("a good subscription"))
        .collect();
    let mut events: Vec<_> = clients.iter().map(Client::events).collect();
    for client in &clients {
        client.synced_within(Duration::from_secs(10)).await.expect("the markets arrive");
    }
    let epoch = clients[0].cursor().expect("a cursor").epoch;

    drop(feed);
    server.stop().await;
    let server = Server::start(&config).await.expect("the same ports are free again");
    // The new log knows other markets; nothing of the old one may be left at any client.
    let mut feed = producer(&server, 2).await;
    for commit in Simulator::new(SimulatorConfig::small(4)).take(300) {
        feed.publish(&commit).await.expect("the server takes it");
    }
    let revision = feed.flush().await.expect("everything is acknowledged");
    for (client, events) in clients.iter().zip(&mut events) {
        while client.cursor().is_none_or(|cursor| cursor.epoch == epoch || cursor.revision < revision) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        client.synced_within(Duration::from_secs(10)).await.expect("the markets arrive");
        assert_eq!(client.stats().session.epochs_changed, 1);
        let mut was_told = false;
        while let Some(event) = events.try_next() {
            was_told |= matches!(
                event,
                ClientEvent::Session(Event::Subscribed { resume: ResumeOutcome::EpochChanged, .. })
            );
        }
        assert!(was_told, "the client says that the log has begun anew");
        let report = server.report().await.expect("the server runs");
        client.with_markets(|markets| assert_eq!(markets.count(), report.markets));
    }
    drop(subscriptions);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_producers_markets_are_suspended_until_it_has_said_everything_again() {
    let server = Server::start(&config()).await.expect("a free port");
    let id = MarketId::new("1.1").expect("an id");
    let mut open = MarketUpdate::new(id.clone());
    open.image = true;
    open.fields.push((Field::Status, MarketStatus::Open as u64));
    let open = Commit { published_ms: 1, markets: vec![open] };
    let mut first = ProducerConfig::new(format!("http://{}", server.grpc), "feed", 1);
    first.interval_ms = 500;
    let mut feed = Producer::connect(first.clone()).await.expect("the server is there");
    feed.publish(&open).await.expect("the server takes it");
    feed.flush().await.expect("acknowledged");

    let client = Client::builder(format!("ws://{}", server.http)).build().expect("a good address");
    let _subscription =
        client.subscribe(Subscription::new(["all"]).max_rate_ms(1_000)).expect("a good subscription");
    client.synced_within(Duration::from_secs(10)).await.expect("the market arrives");
    let status = || client.read(&id, |reading| reading.status());
    let becomes = async |expected: MarketStatus| {
        let waited = tokio::time::timeout(Duration::from_secs(20), async {
            while status() != Some(expected) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("it stays {:?} and never becomes {expected:?}", status()));
    };
    becomes(MarketStatus::Open).await;

    // Heartbeats keep it open for longer than three intervals, and silence ends it.
    tokio::time::sleep(Duration::from_millis(2_000)).await;
    assert_eq!(status(), Some(MarketStatus::Open));
    drop(feed);
    becomes(MarketStatus::Suspended).await;

    let mut feed =
        Producer::connect(ProducerConfig { producer_epoch: 2, ..first }).await.expect("the server is there");
    assert!(feed.is_held());
    feed.publish(&open).await.expect("the server takes it");
    feed.flush().await.expect("acknowledged");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(status(), Some(MarketStatus::Suspended), "an image alone does not reopen it");
    feed.resync_complete().expect("the connection is there");
    becomes(MarketStatus::Open).await;
    server.stop().await;
}
