//! A scraper's view of a server.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use oddswire_client::{Client, Subscription};
use oddswire_model::{Commit, Field, MarketId, MarketStatus, MarketUpdate};
use oddswire_server::{Server, ServerConfig};
use oddswire_wire::{
    decode_frame, encode_client_message,
    proto::{self, ErrorCode, client_message::Message},
};
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

/// What a client has seen reaches a scraper, and all of it.
#[tokio::test]
async fn clients_report_what_they_have_seen() {
    let server = Server::start(&config()).await.expect("free ports");
    let address = server.metrics.expect("metrics are on");
    let open = |id: &str, published_ms| {
        let mut update = MarketUpdate::new(MarketId::new(id).expect("an id"));
        update.fields.push((Field::Status, MarketStatus::Open as u64));
        Commit { published_ms, markets: vec![update] }
    };
    server.commit(open("1.23", 1)).await.expect("a commit");
    let url = format!("ws://{}", server.http);
    let client = Client::builder(url).report_interval_ms(400).build().expect("a client");
    let _subscription = client.subscribe(Subscription::new(["all"])).expect("a subscription");
    client.synced_within(Duration::from_secs(5)).await.expect("a snapshot");
    client.cut();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while client.stats().session.connections < 2 || client.synced().await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "the client comes back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // A delay is known once a heartbeat has told the gateway's time.
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    server.commit(open("1.24", wall.as_millis() as u64)).await.expect("a commit");
    let mut update = MarketUpdate::new(MarketId::new("1.23").expect("an id"));
    update.fields.push((Field::Status, MarketStatus::Suspended as u64));
    let commit = Commit { published_ms: wall.as_millis() as u64, markets: vec![update] };
    server.commit(commit).await.expect("a commit");
    loop {
        let figures = samples(&request(address, "GET /metrics").await.2);
        let seen = client.telemetry();
        let figure = |name: &str| figures[&format!("oddswire_client_{name}")];
        let said = [
            (figure("connections_total"), seen.connections),
            (figure("reconnects_total{cause=\"application\"}"), 1),
            (figure("reconnects_total{cause=\"network\"}"), 0),
            (figure("resumes_total"), seen.resumes),
            (figure("staleness_seconds_count"), 1),
            (figure("apply_delay_seconds_count"), seen.apply_delay.counts.iter().sum()),
            (figure("apply_delay_seconds_bucket{le=\"+Inf\"}"), seen.apply_delay.counts.iter().sum()),
            (figure("frames_refused_total"), 0),
            (figure("reports_refused_total"), 0),
        ];
        let is_all = said.iter().all(|&(said, seen)| said == seen as f64);
        if is_all && seen.apply_delay.counts.iter().sum::<u64>() > 0 {
            assert!(figure("apply_delay_seconds_sum") >= 1.0, "it was published 1.1 s before");
            assert_eq!(figure("apply_delay_seconds_bucket{le=\"1\"}"), 0.0);
            assert!(seen.resumes == 1 && figure("reports_total") >= 2.0);
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{said:?}, {seen:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    client.close().await;
    server.stop().await;
}

/// A client that means harm gets no label in, no counter to wrap, and no report more than its share; and keeps its prices.
#[tokio::test]
async fn hostile_reports_are_bounded() {
    let server = Server::start(&config()).await.expect("free ports");
    let address = server.metrics.expect("metrics are on");
    let before = samples(&request(address, "GET /metrics").await.2);
    let (mut socket, _) = tokio_websockets::ClientBuilder::new()
        .uri(&format!("ws://{}/v1/stream", server.http))
        .expect("a url")
        .add_header(
            "sec-websocket-protocol".parse().expect("a name"),
            "oddswire.v1".parse().expect("a value"),
        )
        .expect("a header that may be set")
        .connect()
        .await
        .expect("a stream");
    let delays = |counts: Vec<u32>| Some(proto::Delays { counts, sum_ms: u64::MAX });
    let ascending: Vec<u32> = (0..1_000).flat_map(|place| [place, 1]).collect();
    let reports = [
        // Taken: the greatest numbers there are.
        proto::Telemetry {
            gaps: 65_535,
            reconnects: vec![1, 65_535, 4_000_000_000, 65_535],
            staleness: delays(vec![0, 65_535, 13, 65_535]),
            ..Default::default()
        },
        // Refused: huge, unknown, too many, out of order, and the fourth and more because they come at once.
        proto::Telemetry { gaps: u32::MAX, ..Default::default() },
        proto::Telemetry { apply_delay: delays(ascending), ..Default::default() },
        proto::Telemetry { apply_delay: delays(vec![3, 1, 2, 1]), ..Default::default() },
        proto::Telemetry { gaps: 1, ..Default::default() },
        proto::Telemetry { gaps: 1, ..Default::default() },
    ];
    let hello = Message::Hello(proto::Hello { agent: "hostile/1".into(), ..Default::default() });
    let said = std::iter::once(hello).chain(reports.map(Message::Telemetry));
    for message in said {
        let bytes = tokio_websockets::Payload::from(encode_client_message(message));
        socket.send(tokio_websockets::Message::binary(bytes)).await.expect("it is taken");
    }
    let mut refusals = 0;
    while refusals < 5 {
        let frame = socket.next().await.expect("the session goes on").expect("a frame");
        let frame = decode_frame(bytes::Bytes::from(frame.into_payload())).expect("a frame");
        if let Some(error) = frame.error {
            assert_eq!((error.code(), error.subscription), (ErrorCode::TelemetryRefused, 0));
            refusals += 1;
        }
    }
    let after = samples(&request(address, "GET /metrics").await.2);
    for (name, value) in [
        ("oddswire_client_reports_total", 1.0),
        ("oddswire_client_reports_refused_total", 5.0),
        ("oddswire_client_gaps_total", 65_535.0),
        ("oddswire_client_reconnects_total{cause=\"network\"}", 65_535.0),
        ("oddswire_client_reconnects_total{cause=\"other\"}", 65_535.0),
        ("oddswire_client_apply_delay_seconds_count", 0.0),
        ("oddswire_client_staleness_seconds_count", 131_070.0),
        ("oddswire_client_staleness_seconds_sum", 65_535.0 * (0.005 + 3_600.0)),
        ("oddswire_gateway_connections", 1.0),
    ] {
        assert_eq!(after.get(name), Some(&value), "{name}");
    }
    assert_eq!(after.len(), before.len(), "a client makes no figures");
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
