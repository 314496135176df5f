//! Thousands of virtual hours of everything going wrong.
//!
//! `ODDSWIRE_SEEDS` sets how many seeds run, `ODDSWIRE_FIRST_SEED` where they begin, `ODDSWIRE_SEED` replays one.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use oddswire_sim::{FAULTS, Failure, Fault, Report, Simulation, SimulationConfig};

const SEEDS: u64 = 2_000;
const THREADS: u64 = 2;
/// The floor for virtual time over processor time, in which what else the machine does counts little, all threads
/// together.
const SPEED_MIN: u64 = 1_000;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Time that this process has spent on all processors so far.
fn processor_ms() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000 + time.tv_nsec as u64 / 1_000_000
}

fn run(seed: u64) -> Result<Report, Failure> {
    Simulation::new(seed, SimulationConfig::default()).run()
}

/// Runs seeds on all threads and returns what they did, in order of seed.
fn run_all(first: u64, count: u64) -> (Vec<Report>, Vec<Failure>) {
    let next = AtomicU64::new(first);
    let work = || {
        let mut done = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                return done;
            }
            done.push(run(seed));
        }
    };
    let done: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("the seed of the panic is printed above"))
            .collect()
    });
    let (mut reports, mut failures) = (Vec::new(), Vec::new());
    for result in done {
        match result {
            Ok(report) => reports.push(report),
            Err(failure) => failures.push(failure),
        }
    }
    reports.sort_by_key(|report| report.seed);
    failures.sort_by_key(|failure| failure.seed);
    (reports, failures)
}

#[test]
fn every_seed_stays_exact_and_comes_right() {
    let count = number("ODDSWIRE_SEEDS").unwrap_or(SEEDS);
    let began = Instant::now();
    let (reports, failures) = run_all(number("ODDSWIRE_FIRST_SEED").unwrap_or(1), count);
    let took = began.elapsed();
    for failure in failures.iter().take(40) {
        eprintln!("{failure}\n");
    }
    assert!(failures.is_empty(), "{} of {count} seeds failed", failures.len());

    let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>();
    let virtual_ms = sum(|report| report.virtual_ms);
    let busy_ms = processor_ms() / THREADS;
    let speed = virtual_ms / busy_ms.max(1);
    println!(
        "{count} seeds, {:.1} virtual hours in {took:.1?}, {busy_ms} ms of it on each processor: {speed}x",
        virtual_ms as f64 / 3_600_000.0
    );
    println!(
        "{} events, {} commits, {} frames applied, {} markets checked by digest, {} by cell, {} status edges",
        sum(|r| r.events),
        sum(|r| r.commits),
        sum(|r| r.frames),
        sum(|r| r.checks),
        sum(|r| r.cell_checks),
        sum(|r| r.edges),
    );
    println!(
        "{} connections, {} resumes, {} snapshots, {} gaps, {} digests, {} mismatches, {} frames refused, \
         {} errors told, {} epochs changed, {} silences noticed, {} left by flipped bits",
        sum(|r| r.connections),
        sum(|r| r.resumes),
        sum(|r| r.snapshots),
        sum(|r| r.gaps),
        sum(|r| r.digests),
        sum(|r| r.digest_mismatches),
        sum(|r| r.frames_refused),
        sum(|r| r.refusals),
        sum(|r| r.epochs_changed),
        sum(|r| r.stale),
        sum(|r| r.flips_left),
    );
    for &fault in Fault::ALL {
        let struck: u64 = reports.iter().map(|report| report.count(fault)).sum();
        let seeds = reports.iter().filter(|report| report.count(fault) > 0).count();
        println!("{:<22}{struck:>9} times in {seeds:>5} seeds", format!("{fault:?}"));
    }
    if count < SEEDS {
        return;
    }
    assert!(speed >= SPEED_MIN, "{speed}x of processor time; {SPEED_MIN}x is the floor");
    let together = |a: usize, b: usize| reports.iter().any(|r| r.faults[a] > 0 && r.faults[b] > 0);
    for a in 0..FAULTS {
        for b in 0..a {
            assert!(together(a, b), "{:?} and {:?} never struck in one seed", Fault::ALL[a], Fault::ALL[b]);
        }
    }
    let mismatches = sum(|report| report.digest_mismatches);
    assert!(mismatches > 0, "bits were flipped and no digest noticed");
}

#[test]
fn the_same_seed_does_the_same_again() {
    for seed in 1..=20 {
        assert_eq!(run(seed).map(|r| r.hash), run(seed).map(|r| r.hash), "seed {seed}");
    }
}

#[test]
fn without_faults_nothing_is_ever_asked_for_again() {
    for seed in 1..=20 {
        let config = SimulationConfig { no_faults: true, ..SimulationConfig::default() };
        let report = Simulation::new(seed, config).run().unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!((report.gaps, report.digest_mismatches, report.refusals), (0, 0, 0), "seed {seed}");
        assert!(report.checks > 100, "seed {seed}");
    }
}

#[test]
fn replay() {
    let Some(seed) = number("ODDSWIRE_SEED") else { return };
    let config = SimulationConfig { trace: true, ..SimulationConfig::default() };
    match Simulation::new(seed, config).run() {
        Ok(report) => println!("{report:#?}"),
        Err(failure) => panic!("{failure}"),
    }
}
