//! A scraper's view of a server.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use oddswire_client::{Client, Subscription};
use oddswire_model::{Commit, Field, MarketId, MarketStatus, MarketUpdate};
use oddswire_server::{Server, ServerConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

fn config() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.http.listen = "127.0.0.1:0".parse().expect("an address");
    config.grpc.listen = "127.0.0.1:0".parse().expect("an address");
    config.metrics.listen = Some("127.0.0.1:0".parse().expect("an address"));
    config
}

async fn request(address: SocketAddr, line: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.expect("somebody listens");
    let request = format!("{line} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.to_lowercase(), body.to_owned())
}

/// Reads an answer as strictly as Prometheus does: samples stand behind what describes them, and are numbers.
fn samples(text: &str) -> HashMap<String, f64> {
    let (mut described, mut samples) = (String::new(), HashMap::new());
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, help] => {
                assert!(!help.is_empty() && !samples.contains_key(name), "{line}");
                described = name.to_owned();
            }
            ["#", "TYPE", name, kind] => {
                assert!(name == described && ["counter", "gauge", "histogram"].contains(&kind), "{line}");
            }
            [sample, value] => {
                let name = sample.split('{').next().unwrap_or_default();
                let parts = ["_bucket", "_sum", "_count"];
                let is_part = parts.iter().any(|part| name.strip_suffix(part) == Some(described.as_str()));
                assert!(name == described || is_part, "{line}");
                let value = value.parse().expect("a number");
                assert!(samples.insert(sample.to_owned(), value).is_none(), "{line} stands there twice");
            }
            _ => panic!("not a line of the format: {line}"),
        }
    }
    samples
}

#[tokio::test]
async fn a_scrape_tells_what_has_happened() {
    let server = Server::start(&config()).await.expect("free ports");
    let address = server.metrics.expect("metrics are on");
    let (status, head, body) = request(address, "GET /metrics").await;
    assert!(status == 200 && head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let before = samples(&body);
    assert_eq!((before["oddswire_feed_revision"], before["oddswire_gateway_connections"]), (0.0, 0.0));

    let mut update = MarketUpdate::new(MarketId::new("1.23").expect("an id"));
    update.fields.push((Field::Status, MarketStatus::Open as u64));
    server.commit(Commit { published_ms: 1, markets: vec![update] }).await.expect("a commit");
    let client = Client::builder(format!("ws://{}", server.http)).build().expect("a client");
    let subscription = client.subscribe(Subscription::new(["all"])).expect("a subscription");
    client.synced_within(Duration::from_secs(5)).await.expect("a snapshot");
    let after = samples(&request(address, "GET /metrics").await.2);
    for (name, value) in [
        ("oddswire_feed_revision", 1.0),
        ("oddswire_feed_markets", 1.0),
        ("oddswire_gateway_connections", 1.0),
        ("oddswire_gateway_groups", 1.0),
        ("oddswire_fanout_snapshots_total", 1.0),
        ("oddswire_gateway_disconnects_total{cause=\"closed\"}", 0.0),
        (concat!("oddswire_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1.0),
    ] {
        assert_eq!(after.get(name), Some(&value), "{name}");
    }
    assert!(after["oddswire_fanout_frames_bytes_total"] > before["oddswire_fanout_frames_bytes_total"]);
    assert_eq!(after.len(), before.len(), "figures do not come and go");
    if cfg!(target_os = "linux") {
        assert!(after["process_resident_memory_bytes"] > 1e6 && after["process_open_fds"] > 3.0);
    }

    drop(subscription);
    client.close().await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while samples(&request(address, "GET /metrics").await.2)["oddswire_gateway_connections"] > 0.0 {
        assert!(tokio::time::Instant::now() < deadline, "the connection is still counted");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn only_metrics_are_there_and_only_for_reading() {
    let server = Server::start(&config()).await.expect("free ports");
    let address = server.metrics.expect("metrics are on");
    assert_eq!(request(address, "GET /").await.0, 404);
    let (status, head, _) = request(address, "POST /metrics").await;
    assert!(status == 405 && head.contains("allow: get, head"), "{head}");
    assert_eq!(request(address, "HEAD /metrics").await.2, "");
    // The clients' listener does not tell them.
    assert_eq!(request(server.http, "GET /metrics").await.0, 404);
    server.stop().await;
}

#[tokio::test]
async fn metrics_can_be_off_and_a_taken_address_does_not_keep_a_server_from_serving() {
    let first = Server::start(&config()).await.expect("free ports");
    let mut taken = config();
    taken.metrics.listen = first.metrics;
    let second = Server::start(&taken).await.expect("it serves all the same");
    assert_eq!(second.metrics, None);
    assert_eq!(second.report().await.expect("the engine runs").markets, 0);
    second.stop().await;
    taken.metrics.listen = None;
    let third = Server::start(&taken).await.expect("free ports");
    assert_eq!(third.metrics, None);
    third.stop().await;
    first.stop().await;
}
