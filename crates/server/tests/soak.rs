//! A minute of everything at once: churn, slow and stuck receivers, suspensions. Nothing may be wrong, and the server's
//! memory stays where it was. benches/load.md has the command for an hour of it.

#![cfg(target_os = "linux")]

mod process;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use oddswire_load::{LoadConfig, PublishConfig, run};

use process::serve;

const SECONDS: usize = 60;
/// Samples of a second each, at the begin and at the end of what is compared.
const SAMPLES: usize = 10;
/// What connecting, the first snapshots and the first stuck receivers take is taken by then; these are cut after 30 s.
const STEADY_AFTER: usize = SECONDS - 25;
/// Resident memory comes in pages and arenas, so it is not the same to the byte. A leak of 1 KiB per reconnect would be
/// 30 a second x 15 s = 450 KiB; one of a frame per flush, tens of MB.
const GROWTH_MAX_KB: usize = 2_048;

fn resident_kb(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux says it");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("a number of kB")
}

fn median(samples: &[usize]) -> usize {
    let mut samples = samples.to_vec();
    samples.sort_unstable();
    samples[samples.len() / 2]
}

#[test]
fn a_minute_of_churn_leaves_no_wrong_market_and_no_memory_behind() {
    let (server, http, grpc) = serve();
    let config = LoadConfig {
        connections: 500,
        churn_per_s: 30.0,
        slow_share: 0.05,
        stuck_share: 0.02,
        verify_share: Some(0.05),
        warmup: Duration::from_secs(1),
        duration: Duration::from_secs(SECONDS as u64),
        server_pid: Some(server.id()),
        publish: Some(PublishConfig {
            url: grpc,
            markets: 100,
            rate: 2.0,
            suspend_every: Some(Duration::from_secs(1)),
        }),
        ..LoadConfig::new(format!("ws://{http}"))
    };
    let mut samples = Vec::new();
    let is_over = AtomicBool::new(false);
    let summary = run(&config, &is_over, &mut |_| {
        samples.push(resident_kb(server.id()));
        is_over.store(samples.len() > 2 * SECONDS, Ordering::Relaxed);
    })
    .expect("a load that can be run");
    println!("{summary}");
    println!("resident, kB: {samples:?}");
    assert!(summary.ok && !summary.interrupted, "{:?}", summary.failures);
    assert!(summary.verification.digests_checked > 1_000, "{:?}", summary.verification);
    assert_eq!(summary.verification.digest_mismatches, 0);
    assert!(summary.total.counts.connections_cut > 1_000, "{:?}", summary.total.counts);
    let begin = median(&samples[STEADY_AFTER..STEADY_AFTER + SAMPLES]);
    let end = median(&samples[samples.len() - SAMPLES..]);
    assert!(end <= begin + GROWTH_MAX_KB, "{begin} kB have become {end} kB");
    assert_eq!(server.terminate(), Some(0));
}
