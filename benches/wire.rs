//! The wire, part by part: encoding and decoding of 200 changes, what makes them, and flushes of 200 markets.
//!
//! `cargo bench --bench wire`. Bytes are printed beside the time, and everything is decoded and compared before anything
//! is timed. Times are per changed cell in `elem/s`; for figures without noise see `instructions.rs`.

mod workload;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use oddswire_delta::{MarketDelta, apply};
use oddswire_model::View;
use workload::{CHANGED_CELLS, ENCODINGS, Encoded, Kind, MARKETS, Workload, World, write_change};

fn pieces(criterion: &mut Criterion) {
    let workload = Workload::new();
    for encoding in ENCODINGS {
        for (kind, name) in Kind::ALL {
            let mut encoded = Encoded::new(&workload, encoding, kind);
            println!(
                "\n{} {name}s of {MARKETS} markets: {} cells in {} bytes, {:.2} bytes per cell",
                encoded.name,
                encoded.cells,
                encoded.bytes,
                encoded.bytes as f64 / encoded.cells as f64
            );
            let mut group = criterion.benchmark_group(format!("{}/{name}", encoded.name));
            group.throughput(Throughput::Elements(encoded.cells));
            group.bench_function("encode", |bencher| bencher.iter(|| black_box(encoded.encode())));
            group.bench_function("decode", |bencher| {
                bencher.iter(|| encoded.decode(|_, change| drop(black_box(change))));
            });
            group.finish();
        }
    }
}

fn state(criterion: &mut Criterion) {
    let workload = Workload::new();
    let mut pairs = workload.pairs();
    let mut group = criterion.benchmark_group(format!("{MARKETS} markets"));
    let mut change = MarketDelta::default();
    for (kind, name) in Kind::ALL {
        group.bench_function(format!("make {name}s"), |bencher| {
            bencher.iter(|| {
                for (before, after) in &pairs {
                    write_change(kind, before, after, &mut change);
                    black_box(&change);
                }
            });
        });
    }
    group.throughput(Throughput::Elements(MARKETS as u64));
    group.bench_function("digest, best 10", |bencher| {
        bencher.iter(|| {
            for (_, after) in &pairs {
                black_box(after.digest(View::best(10)));
            }
        });
    });
    group.throughput(Throughput::Elements(CHANGED_CELLS));
    let changes: Vec<_> =
        pairs.iter().map(|(before, after)| workload::change_of(Kind::Delta, before, after)).collect();
    group.bench_function("apply deltas", |bencher| {
        bencher.iter_custom(|iterations| {
            let mut spent = Duration::ZERO;
            for _ in 0..iterations {
                let mut held: Vec<_> = pairs.iter().map(|(before, _)| before.clone()).collect();
                let started = Instant::now();
                held.iter_mut().zip(&changes).for_each(|(market, change)| {
                    apply(market, change).expect("a change that fits");
                });
                spent += started.elapsed();
            }
            spent
        });
    });
    group.finish();
    for ((before, after), change) in pairs.iter_mut().zip(&changes) {
        apply(before, change).expect("a change that fits");
        assert!(before.shows_same(after, View::FULL));
    }
}

fn flush(criterion: &mut Criterion) {
    let workload = Workload::new();
    for (name, view) in [("full", View::FULL), ("best3", View::best(3)), ("prices", View::PRICES)] {
        let mut world = World::new(&workload, view);
        world.commit();
        world.flush();
        let bytes = world.receive();
        println!(
            "\nflush of {MARKETS} markets, {name}: {bytes} bytes, {:.2} per changed cell",
            bytes as f64 / CHANGED_CELLS as f64
        );
        let mut group = criterion.benchmark_group(format!("flush/{name}"));
        group.throughput(Throughput::Elements(CHANGED_CELLS));
        // Commit and flush take turns; only one of them is timed.
        for (step, is_commit) in [("commit", true), ("flush", false)] {
            group.bench_function(step, |bencher| {
                bencher.iter_custom(|iterations| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..iterations {
                        let commit = world.next_commit();
                        let started = Instant::now();
                        world.take(&commit);
                        let committed = Instant::now();
                        world.flush();
                        spent += if is_commit { committed - started } else { committed.elapsed() };
                        world.discard();
                    }
                    spent
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, pieces, state, flush);
criterion_main!(benches);
