//! `oddswire load` against a server in this process: what it counts adds up, and a server that is wrong is caught.

mod proxy;

use std::{sync::atomic::AtomicBool, time::Duration};

use oddswire_load::{LoadConfig, PublishConfig, Summary, run};
use oddswire_server::{Server, ServerConfig};
use oddswire_wire::piece::Encoding;

use proxy::{Corruption, Proxy};

async fn start() -> Server {
    let mut config = ServerConfig::default();
    config.http.listen = "127.0.0.1:0".parse().expect("an address");
    config.grpc.listen = "127.0.0.1:0".parse().expect("an address");
    // Digests of all markets come by sooner.
    config.fanout.heartbeat_interval_ms = 200;
    Server::start(&config).await.expect("a free port")
}

fn load(server: &Server, url: String) -> LoadConfig {
    LoadConfig {
        connections: 40,
        warmup: Duration::from_millis(300),
        duration: Duration::from_secs(3),
        publish: Some(PublishConfig {
            url: format!("http://{}", server.grpc),
            markets: 20,
            rate: 5.0,
            suspend_every: Some(Duration::from_millis(500)),
        }),
        ..LoadConfig::new(url)
    }
}

async fn run_load(config: LoadConfig) -> Summary {
    let running = tokio::task::spawn_blocking(move || run(&config, &AtomicBool::new(false), &mut |_| {}));
    running.await.expect("no panic").expect("a load that can be run")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_server_passes_and_the_figures_add_up() {
    let server = start().await;
    let config = LoadConfig {
        connections: 200,
        threads: 2,
        slow_share: 0.05,
        stuck_share: 0.05,
        churn_per_s: 10.0,
        storm_at: vec![Duration::from_secs(1)],
        duration: Duration::from_secs(4),
        server_pid: Some(std::process::id()),
        ..load(&server, format!("ws://{}", server.http))
    };
    let summary = run_load(config).await;
    server.stop().await;
    println!("{summary}");
    assert!(summary.ok, "{:?}", summary.failures);

    let connections = &summary.connections;
    assert_eq!((connections.wanted, connections.served), (200, 200));
    assert_eq!((connections.slow, connections.stuck, connections.verifiers), (10, 10, 10));
    assert!(connections.synced.count >= 200);
    let checked = &summary.verification;
    assert_eq!((checked.end_states_compared, checked.end_states_not_compared), (10, 0));
    assert!(checked.digests_checked > 100 && checked.published_markets_compared >= 20, "{checked:?}");

    let total = &summary.total;
    let by_kind: u64 = total.latency_by_kind.iter().map(|kind| kind.latency.count).sum();
    assert_eq!(total.latency.count, by_kind);
    assert!(total.latency_by_kind.iter().all(|kind| kind.latency.count > 0));
    let (fast, slow) = (&total.latency_by_kind[2].latency, &total.latency_by_kind[0].latency);
    assert!(fast.p50_us < slow.p50_us, "every flush is faster than every 250 ms");
    let publisher = summary.publisher.as_ref().expect("it published");
    // 180 receivers read freely, and nobody gets a change more than once.
    assert!(
        total.latency.count <= (publisher.updates + 200) * 180,
        "{} of {publisher:?}",
        total.latency.count
    );
    assert!(publisher.suspends >= 4 && total.status_latency.count >= 4 * 100, "{:?}", total.status_latency);
    assert!(total.counts.frames > 0 && total.counts.bytes > total.counts.frames);
    assert!(total.server_cpu_per_frame_us.is_some_and(|us| us > 0.0));

    let [storm] = &summary.storms[..] else { panic!("{:?}", summary.storms) };
    assert_eq!((storm.cut, storm.missing), (180, 0));
    let times = [
        storm.fresh_50_percent_ms,
        storm.fresh_90_percent_ms,
        storm.fresh_99_percent_ms,
        storm.fresh_100_percent_ms,
    ];
    assert!(times.iter().all(Option::is_some) && times.is_sorted(), "{times:?}");
    // Everybody but the scout was cut in the storm, if he was connected then, and some of them for churn.
    assert!(total.counts.connections_cut >= 190, "{:?}", total.counts);
    assert!(total.counts.resumed >= 180, "{:?}", total.counts);

    let json = serde_json::to_value(&summary).expect("a JSON object");
    assert_eq!(json["total"]["latency"]["count"], total.latency.count);
    assert_eq!(json["storms"][0]["fresh_99_percent_ms"].as_f64(), storm.fresh_99_percent_ms);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receivers_with_markets_of_their_own_are_judged_by_these() {
    let server = start().await;
    let config = LoadConfig {
        markets_each: Some(5),
        mix: "full@0:1,prices@50:1".parse().expect("a mix"),
        verify_share: Some(0.5),
        rounds: 2,
        duration: Duration::from_secs(1),
        ..load(&server, format!("ws://{}", server.http))
    };
    let summary = run_load(config).await;
    server.stop().await;
    println!("{summary}");
    assert!(summary.ok, "{:?}", summary.failures);
    assert_eq!((summary.load.markets_each, summary.verification.end_states_compared), (5, 20));
    let of_rounds: u64 = summary.rounds.iter().map(|round| round.latency.count).sum();
    assert_eq!((summary.rounds.len(), summary.total.latency.count), (2, of_rounds));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_amount_is_caught() {
    use Encoding::{Compact, Plain};
    for (encoding, corruption, hint) in [
        (Plain, Corruption::Amount, "did not agree"),
        // Nonsense is read where it stood, and does not fit what is held, or what the digest says.
        (Compact, Corruption::Compact, ""),
        (Plain, Corruption::Lost, "did not follow"),
        (Compact, Corruption::Lost, "did not follow"),
        (Compact, Corruption::None, ""),
    ] {
        let server = start().await;
        let proxy = Proxy::start(server.http, corruption).await;
        let config = LoadConfig {
            // Everybody verifies and takes every flush, so whoever is given the wrong frame is caught.
            mix: "full@0".parse().expect("a mix"),
            verify_share: Some(1.0),
            encoding,
            ..load(&server, format!("ws://{}", proxy.address))
        };
        let summary = run_load(config).await;
        server.stop().await;
        println!("{corruption:?}: {:?}", summary.failures);
        let was_corrupted = proxy.corrupted();
        assert_eq!(was_corrupted, corruption != Corruption::None);
        assert_eq!(summary.ok, !was_corrupted, "{summary}");
        assert!(
            summary.failures.iter().any(|failure| failure.contains(hint)) || hint.is_empty(),
            "{summary}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_light_receiver_notices_that_a_frame_is_missing() {
    for encoding in [Encoding::Compact, Encoding::Plain] {
        let server = start().await;
        let proxy = Proxy::start(server.http, Corruption::Lost).await;
        let url = format!("ws://{}", proxy.address);
        let config = LoadConfig { verify_share: Some(0.0), encoding, ..load(&server, url) };
        let summary = run_load(config).await;
        server.stop().await;
        assert!(proxy.corrupted() && !summary.ok && summary.verification.gaps > 0, "{encoding:?}: {summary}");
    }
}

/// Receivers of one market each are the ones whose frames do not even name it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_about_the_only_market_held_are_followed() {
    let server = start().await;
    let config = LoadConfig {
        markets_each: Some(1),
        mix: "prices@0".parse().expect("a mix"),
        ..load(&server, format!("ws://{}", server.http))
    };
    let summary = run_load(config).await;
    server.stop().await;
    assert!(summary.ok && summary.total.latency.count > 100, "{summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_server_it_says_so() {
    let config = LoadConfig { publish: None, ..LoadConfig::new("ws://127.0.0.1:9") };
    let running = tokio::task::spawn_blocking(move || {
        let stop = AtomicBool::new(false);
        run(&config, &stop, &mut |_| {}).map(|_| ())
    });
    let error = running.await.expect("no panic").expect_err("nobody listens there").to_string();
    assert!(error.contains("ws://127.0.0.1:9") && error.contains("nothing answers"), "{error}");
}
