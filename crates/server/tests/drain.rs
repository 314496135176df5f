//! SIGTERM, as an operator or a container runtime sends it: clients of the process move to the one that takes over.

mod process;

use std::time::{Duration, Instant};

use oddswire_client::{Client, Subscription};
use oddswire_feeds::simulator::{Simulator, SimulatorConfig};
use oddswire_ingest::{Producer, ProducerConfig};
use oddswire_model::{Commit, Epoch, View};
use oddswire_store::Store;

use process::{Running, serve};

const CLIENTS: u64 = 100;
/// Nobody may have to wait longer for a process to end.
const WITHIN: Duration = Duration::from_secs(30);

async fn producer(url: &str) -> Producer {
    let mut config = ProducerConfig::new(url, "drain", 1);
    // The simulator's clock is not ours.
    config.recorded = true;
    Producer::connect(config).await.expect("the server takes producers")
}

async fn publish(producers: &mut [Producer], commit: &Commit) {
    for producer in producers {
        producer.publish(commit).await.expect("the server takes it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_sigterm_every_client_ends_at_the_final_state_elsewhere() {
    let (old, http, grpc) = serve();
    let mut producers = vec![producer(&grpc).await];
    let mut feed = Simulator::new(SimulatorConfig::small(22));
    let mut said: Vec<Commit> = Vec::new();
    for commit in feed.by_ref().take(200) {
        publish(&mut producers, &commit).await;
        said.push(commit);
    }
    producers[0].flush().await.expect("it answers");
    let clients: Vec<_> = (0..CLIENTS)
        .map(|seed| {
            let client = Client::builder(format!("ws://{http}")).seed(seed).build().expect("an address");
            let subscription = client.subscribe(Subscription::new(["all"])).expect("a subscription");
            (client, subscription)
        })
        .collect();
    for (client, _) in &clients {
        client.synced_within(WITHIN).await.expect("the markets arrive");
    }

    let began = Instant::now();
    let ending = tokio::task::spawn_blocking(move || {
        let code = old.terminate();
        (code, began.elapsed())
    });
    // The port is free as soon as nobody new is taken; until somebody listens there again, clients only try.
    let (mut new, new_grpc) = loop {
        let mut new = Running::start(&["serve", "--http", &http, "--grpc", "127.0.0.1:0"]);
        let lines = [new.line(), new.line(), new.line()];
        if let Some(url) = lines[2].split_whitespace().nth(1) {
            break (new, url.to_owned());
        }
        assert!(began.elapsed() < WITHIN, "the port does not become free");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let mut takes_over = producer(&new_grpc).await;
    for commit in &said {
        takes_over.publish(commit).await.expect("the server takes it");
    }
    producers.push(takes_over);
    // Both hear the feed while the clients move.
    while !ending.is_finished() {
        let commit = feed.next_commit();
        publish(&mut producers, &commit).await;
        said.push(commit);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (code, took) = ending.await.expect("no panic");
    assert_eq!(code, Some(0));
    assert!(took < WITHIN, "it took {took:?}");
    for commit in feed.take(50) {
        producers[1].publish(&commit).await.expect("the server takes it");
        said.push(commit);
    }
    let mut expected = Store::new(Epoch(1));
    for commit in &said {
        expected.commit(commit).expect("a good commit");
    }
    let revision = producers[1].flush().await.expect("it answers");
    for (at, (client, _)) in clients.iter().enumerate() {
        let began = Instant::now();
        while client.cursor().is_none_or(|cursor| cursor.revision < revision) {
            assert!(began.elapsed() < WITHIN, "client {at} has not arrived");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        client.synced_within(WITHIN).await.expect("live");
        let stats = client.stats();
        assert_eq!((stats.session.gaps, stats.session.digest_mismatches, stats.malformed), (0, 0, 0), "{at}");
        assert_eq!((stats.drains, stats.refused, stats.silent), (1, 0, 0), "{at}");
        client.with_markets(|readings| {
            let mut held = 0;
            for reading in readings {
                let market = expected.market_by_id(reading.market.id()).expect("it was published");
                assert_eq!(reading.market.digest(View::FULL), market.digest(View::FULL), "{at}");
                held += 1;
            }
            assert_eq!(held, expected.len(), "client {at}");
        });
    }
    println!("{CLIENTS} clients moved; the process ended after {} ms", took.as_millis());
    assert!(new.is_running());
}
