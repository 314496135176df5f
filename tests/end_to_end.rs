//! Recordings through the whole system on real sockets: gRPC producer, server, and a crowd of clients in mixed views
//! and rates, some of them cut and resumed, some reading slowly. Each ends with exactly what an independent reducer
//! makes of the raw JSON.

mod oracle;
mod support;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use oddswire_client::{Client, MarketId, Subscription, SubscriptionHandle, View};
use oddswire_feeds::betfair::Recording;
use oddswire_ingest::{Producer, ProducerConfig};
use oddswire_model::{Commit, Revision};
use oddswire_server::{Server, ServerConfig};
use oddswire_wire::json;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Clients of each recording. Eleven views and rates that share no factor with the thirds that are cut.
const CLIENTS: usize = 55;
/// Every third client is cut, again and again.
const CUT_EVERY: usize = 3;
/// Every fifth client stops reading for a while, again and again.
const SLOW_EVERY: usize = 5;
/// How long all clients may take to hold the last revision once everything is published.
const SETTLE: Duration = Duration::from_secs(30);

struct Follower {
    client: Client,
    view: View,
    _subscription: SubscriptionHandle,
}

fn follow(url: &str, at: usize) -> Follower {
    let views = [
        "full",
        "best3",
        "prices",
        "full",
        "best1",
        "best10",
        "best3-prices",
        "full",
        "best2",
        "prices",
        "best5",
    ];
    let rates = [0, 100, 1_000, 50, 250, 500, 0];
    let view: View = views[at % views.len()].parse().expect("a view");
    let client = Client::builder(url).seed(at as u64).build().expect("a good address");
    let subscription = Subscription::new(["all"]).view(view).max_rate_ms(rates[at % rates.len()]);
    let subscription = client.subscribe(subscription).expect("a good subscription");
    Follower { client, view, _subscription: subscription }
}

async fn start() -> Server {
    let mut config = ServerConfig::default();
    config.http.listen = "127.0.0.1:0".parse().expect("an address");
    config.grpc.listen = "127.0.0.1:0".parse().expect("an address");
    Server::start(&config).await.expect("a free port")
}

/// Publishes commits at full speed, and cuts and stalls clients at moments of the feed that follow from a seed. Returns
/// the last revision.
async fn publish(server: &Server, commits: &[Commit], followers: &[Follower], seed: u64) -> Revision {
    let mut config = ProducerConfig::new(format!("http://{}", server.grpc), "recording", 1);
    config.recorded = true;
    let mut producer = Producer::connect(config).await.expect("the server is there");
    let mut state = seed;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    // Nobody is cut before he holds something to resume.
    for follower in followers {
        while follower.client.cursor().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let mut trouble: Vec<(usize, usize)> = Vec::new();
    for at in 0..followers.len() {
        let times = if at.is_multiple_of(CUT_EVERY) || at.is_multiple_of(SLOW_EVERY) { 2 } else { 0 };
        trouble.extend((0..times).map(|_| (random(commits.len()), at)));
    }
    trouble.sort_unstable();
    let mut trouble = trouble.into_iter().peekable();
    for (index, commit) in commits.iter().enumerate() {
        while let Some((_, at)) = trouble.next_if(|&(moment, _)| moment <= index) {
            if at.is_multiple_of(CUT_EVERY) {
                followers[at].client.cut();
            }
            if at.is_multiple_of(SLOW_EVERY) {
                followers[at].client.pause_reading(Duration::from_millis(random(700) as u64));
            }
            // The runtime gets a turn, so that the moment is this one.
            tokio::time::sleep(Duration::from_millis(random(10) as u64)).await;
        }
        producer.publish(commit).await.expect("the server takes it");
    }
    let revision = producer.flush().await.expect("everything is acknowledged");
    assert!(producer.take_refusals().is_empty());
    producer.close().await.expect("a clean end");
    revision
}

/// Waits until a client is live at a revision.
async fn settle(follower: &Follower, revision: Revision, name: &str, at: usize) {
    let deadline = Instant::now() + SETTLE;
    loop {
        let cursor = follower.client.cursor().map(|cursor| cursor.revision);
        if cursor >= Some(revision) && follower.client.synced_within(Duration::from_millis(1)).await.is_ok() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{name}: client {at} in {} stands at {cursor:?} of {revision}: {:?}",
            follower.view,
            follower.client.stats(),
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Compares what a client holds with the oracle.
fn check(follower: &Follower, oracle: &oracle::Oracle, name: &str, at: usize) {
    follower.client.with_markets(|markets| {
        let mut count = 0;
        for reading in markets {
            count += 1;
            let id = reading.market.id().as_str();
            let expected = oracle.market(id).expect("the oracle knows the market");
            let expected = expected.to_json_view(support::oracle_view(follower.view));
            let found = json::market(oddswire_model::Epoch(0), reading.market, follower.view);
            if let Some(difference) = support::disagreement(&expected, found) {
                panic!("{name}: client {at} in {}: market {id}: {difference}", follower.view);
            }
        }
        assert_eq!(count, oracle.markets().len(), "{name}: client {at}");
    });
    assert_eq!(follower.client.stats().session.digest_mismatches, 0, "{name}: client {at}");
    assert_eq!(follower.client.stats().session.gaps, 0, "{name}: client {at}");
}

async fn get(server: &Server, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(server.http).await.expect("the server is there");
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, body.to_owned())
}

async fn run_recording(path: &Path) {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut expected = oracle::Oracle::new();
    for message in oracle::Recording::open(path).expect("a recording").messages() {
        expected.apply(&message);
    }
    let server = start().await;
    let url = format!("ws://{}", server.http);
    let followers: Vec<_> = (0..CLIENTS).map(|at| follow(&url, at)).collect();
    let commits: Vec<Commit> = Recording::open(path)
        .expect("a recording")
        .commits()
        .map(|commit| commit.expect("a readable message"))
        .collect();
    let started = Instant::now();
    let revision = publish(&server, &commits, &followers, 7).await;
    let published = started.elapsed();
    for (at, follower) in followers.iter().enumerate() {
        settle(follower, revision, &name, at).await;
        check(follower, &expected, &name, at);
    }
    let sum = |of: fn(&oddswire_client::SessionStats) -> u64| -> u64 {
        followers.iter().map(|follower| of(&follower.client.stats().session)).sum()
    };
    println!(
        "{name:32} {:6} commits in {:5.1} s, {CLIENTS} clients exact: {:7} frames, {:4} connections, {:3} resumes, \
         {:5} slow conflations, {:5} digests agreed",
        revision.0,
        published.as_secs_f64(),
        sum(|stats| stats.frames),
        sum(|stats| stats.connections),
        sum(|stats| stats.resumes),
        sum(|stats| stats.conflated_slow),
        sum(|stats| stats.digests_checked),
    );

    for (at, follower) in followers.iter().enumerate().filter(|(at, _)| at.is_multiple_of(CUT_EVERY)) {
        let resumes = follower.client.stats().session.resumes;
        assert!(resumes >= 1, "{name}: client {at} was cut and came back by a catch-up");
    }

    // The snapshot endpoint says the same.
    let (status, list) = get(&server, "/v1/markets").await;
    assert_eq!(status, 200);
    let list: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list["markets"].as_array().map(Vec::len), Some(expected.markets().len()));
    for (id, market) in expected.markets().iter().take(20) {
        let (status, body) = get(&server, &format!("/v1/markets/{id}")).await;
        assert_eq!(status, 200);
        let found: Value = serde_json::from_str(&body).expect("JSON");
        if let Some(difference) = support::disagreement(&market.to_json(), found) {
            panic!("{name}: GET /v1/markets/{id}: {difference}");
        }
    }
    for follower in followers {
        follower.client.close().await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recording_reaches_every_client_exactly() {
    for path in support::recordings() {
        run_recording(&path).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simulated_markets_reach_every_client_exactly() {
    use oddswire_feeds::simulator::{Simulator, SimulatorConfig};
    let server = start().await;
    let url = format!("ws://{}", server.http);
    let followers: Vec<_> = (0..CLIENTS).map(|at| follow(&url, at)).collect();
    let commits: Vec<Commit> = Simulator::new(SimulatorConfig::small(11)).take(6_000).collect();
    let revision = publish(&server, &commits, &followers, 11).await;
    let (_, list) = get(&server, "/v1/markets").await;
    let list: Value = serde_json::from_str(&list).expect("JSON");
    for (at, follower) in followers.iter().enumerate() {
        settle(follower, revision, "simulator", at).await;
        for line in list["markets"].as_array().expect("markets") {
            let id = line["market"].as_str().expect("an id");
            let (_, body) = get(&server, &format!("/v1/markets/{id}?view={}", follower.view)).await;
            let mut expected: Value = serde_json::from_str(&body).expect("JSON");
            let id = MarketId::new(id).expect("an id");
            let found = follower
                .client
                .read(&id, |reading| json::market(oddswire_model::Epoch(0), reading.market, follower.view));
            // What a receiver holds of a market may be older than the market's last change, where the view shows none
            // of it; and the time travels in steps of 10 ms.
            let drop_keys = |value: &mut Value| {
                for key in ["epoch", "revision", "published_ms"] {
                    value.as_object_mut().expect("an object").remove(key);
                }
            };
            let mut found = found.expect("every client holds every market");
            drop_keys(&mut expected);
            drop_keys(&mut found);
            assert_eq!(oracle::difference(&expected, &found), None, "client {at} in {}: {id}", follower.view);
        }
        if at >= 10 {
            // The HTTP snapshots are slow in number, not in kind; ten clients cover every view.
            break;
        }
    }
    server.stop().await;
}
