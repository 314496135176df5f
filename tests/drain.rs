//! A server that goes away asks its clients to move. Each ends at the final state elsewhere, without a gap.

use std::time::{Duration, Instant};

use oddswire_client::{Client, Subscription, View};
use oddswire_feeds::simulator::{Simulator, SimulatorConfig};
use oddswire_model::Commit;
use oddswire_server::{Server, ServerConfig};

const CLIENTS: u64 = 300;
/// Over how long they are asked to move.
const SPREAD: Duration = Duration::from_secs(2);
/// A drain must not take longer.
const WITHIN: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(60);

async fn publish(server: &Server, commit: &Commit) {
    server.commit(commit.clone()).await.expect("the store takes it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_of_a_drained_server_ends_at_the_final_state_elsewhere() {
    let mut config = ServerConfig::default();
    config.http.listen = "127.0.0.1:0".parse().expect("an address");
    config.grpc.listen = "127.0.0.1:0".parse().expect("an address");
    let old = Server::start(&config).await.expect("a free port");
    let mut feed = Simulator::new(SimulatorConfig::small(21));
    let mut said: Vec<Commit> = Vec::new();
    for commit in feed.by_ref().take(300) {
        publish(&old, &commit).await;
        said.push(commit);
    }
    let views = [View::FULL, View::PRICES, View::best(3)];
    let clients: Vec<_> = (0..CLIENTS)
        .map(|seed| {
            let client =
                Client::builder(format!("ws://{}", old.http)).seed(seed).build().expect("an address");
            let view = views[seed as usize % views.len()];
            let subscription = Subscription::new(["all"]).view(view).max_rate_ms(seed as u32 % 2 * 100);
            let subscription = client.subscribe(subscription).expect("a subscription");
            (client, subscription)
        })
        .collect();
    for (client, _) in &clients {
        client.synced_within(PATIENCE).await.expect("the markets arrive");
    }

    // From now on nobody new is taken, and the port is free for the one who takes over.
    let began = Instant::now();
    old.drain(SPREAD.as_millis() as u32).await.expect("the server runs");
    config.http.listen = old.http;
    let new = loop {
        match Server::start(&config).await {
            Ok(new) => break new,
            Err(_) if began.elapsed() < PATIENCE => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(error) => panic!("{error:#}"),
        }
    };
    for commit in &said {
        publish(&new, commit).await;
    }
    // Both hear the feed, as gateways of one log do, while the clients move under load.
    let mut most_a_second = 0;
    let (mut counted, mut second) = (0, Instant::now());
    let drained_ms = loop {
        let commit = feed.next_commit();
        publish(&old, &commit).await;
        publish(&new, &commit).await;
        if second.elapsed() >= Duration::from_secs(1) {
            let accepted = new.counters().read().accepted;
            most_a_second = most_a_second.max(accepted - counted);
            (counted, second) = (accepted, Instant::now());
        }
        if old.report().await.expect("it still answers").connections == 0 {
            break began.elapsed().as_millis();
        }
        assert!(began.elapsed() < WITHIN, "clients are left on the server that goes");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    old.stop().await;
    let mut revision = None;
    for commit in feed.take(100) {
        revision = Some(new.commit(commit).await.expect("the store takes it"));
    }
    let revision = revision.expect("there were commits");
    for (at, (client, _)) in clients.iter().enumerate() {
        let began = Instant::now();
        while client.cursor().is_none_or(|cursor| cursor.revision < revision) {
            assert!(began.elapsed() < PATIENCE, "client {at} has not arrived");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        client.synced_within(PATIENCE).await.expect("live");
        let stats = client.stats();
        assert_eq!((stats.session.gaps, stats.session.digest_mismatches, stats.malformed), (0, 0, 0), "{at}");
        assert_eq!((stats.drains, stats.refused, stats.silent), (1, 0, 0), "{at}");
        let markets = new.report().await.expect("the server runs").markets;
        client.with_markets(|readings| assert_eq!(readings.count(), markets, "client {at}"));
    }
    println!("{CLIENTS} clients moved in {drained_ms} ms, at most {most_a_second} in a second");
    new.stop().await;
}
