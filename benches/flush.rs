//! The hot path: markets change, five cells each, and the flush makes ready frames of it.
//!
//! Bytes are printed beside the time, and every result is checked by a receiver before anything is timed. `diff and
//! encode` is the same work without the fan-out: what is spent in delta and wire, and in moving the baseline on. Times are
//! processor time of the thread.

use std::{hint::black_box, time::Duration};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use oddswire_delta::{MarketDelta, diff};
use oddswire_fanout::{Batch, ConnectionId, Fanout, FanoutConfig, Letter, Lines, Shard};
use oddswire_model::{
    Commit, Epoch, Field, Handicap, LadderUpdate, Market, MarketId, MarketUpdate, Price, PriceLadder,
    SelectionId, SelectionKey, SelectionUpdate, View, split_mix,
};
use oddswire_session::{ClientConfig, ClientSession, SubscriptionRequest};
use oddswire_store::Store;
use oddswire_wire::piece::{Encoding, PieceEncoder};

const SELECTIONS: u64 = 10;
const RUNGS: u32 = 20;
/// A store takes no larger commits.
const MARKETS_PER_COMMIT: usize = 500;

/// Processor time of this thread: what others do on the machine counts less than by the clock on the wall.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// A full image of one exchange market.
fn image(market: u32) -> MarketUpdate {
    let mut update = MarketUpdate::new(MarketId::new(&format!("1.{market}")).expect("an id"));
    update.image = true;
    update.fields.push((Field::Status, 1));
    update.fields.push((Field::PriceLadder, PriceLadder::Betfair.to_code()));
    for id in 0..SELECTIONS {
        let mut selection =
            SelectionUpdate::new(SelectionKey { id: SelectionId(id), handicap: Handicap::NONE });
        for (field, first) in [(Field::Back, 20_000), (Field::Lay, 24_000), (Field::Traded, 20_000)] {
            let rungs =
                (0..RUNGS).map(|rung| (Price(first + rung * 200), 1_000 + u64::from(rung) * 37)).collect();
            selection.ladders.push(LadderUpdate { field, replace: true, rungs });
        }
        update.selections.push(selection);
    }
    update
}

/// Five cells of one market: two amounts back, one lay, one traded, and the last price.
fn change(market: u32, turn: u64) -> MarketUpdate {
    let mut update = MarketUpdate::new(MarketId::new(&format!("1.{market}")).expect("an id"));
    let key = SelectionKey { id: SelectionId(turn % SELECTIONS), handicap: Handicap::NONE };
    let mut selection = SelectionUpdate::new(key);
    let cents = 500 + turn * 13 % 7_000;
    let rung = (turn % u64::from(RUNGS - 1)) as u32;
    let back = vec![(Price(20_000 + rung * 200), cents), (Price(20_200 + rung * 200), cents + 1)];
    selection.ladders.push(LadderUpdate { field: Field::Back, replace: false, rungs: back });
    let lay = vec![(Price(24_000 + rung * 200), cents + 2)];
    selection.ladders.push(LadderUpdate { field: Field::Lay, replace: false, rungs: lay });
    let traded = vec![(Price(20_000 + rung * 200), cents + 3)];
    selection.ladders.push(LadderUpdate { field: Field::Traded, replace: false, rungs: traded });
    selection.fields.push((Field::LastTraded, u64::from(20_000 + rung * 200)));
    update.selections.push(selection);
    update
}

/// Lines that take everything at once. Those of the first connection are kept, to be applied.
#[derive(Default)]
struct Sink {
    kept: Vec<Bytes>,
    /// Given frames by name, and rid of them.
    ready: Vec<ConnectionId>,
    keeps: bool,
    bytes: usize,
    offers: usize,
}

const FIRST: ConnectionId = ConnectionId(0);

impl Lines for Sink {
    fn offer(&mut self, connection: ConnectionId, frames: &mut Batch) -> usize {
        self.offers += 1;
        self.bytes += frames.bytes().len();
        if self.keeps && connection == FIRST {
            self.kept.extend(frames.payloads().map(Bytes::copy_from_slice));
        }
        frames.frames()
    }

    fn give(&mut self, connection: ConnectionId, frames: &mut dyn Iterator<Item = Letter>) {
        for Letter { prefix, body } in frames {
            if connection == FIRST {
                self.kept.push([prefix, body].concat().into());
            }
        }
        self.ready.push(connection);
    }
}

struct World {
    now_ms: u64,
    turn: u64,
    markets: u32,
    store: Store,
    fanout: Fanout,
    shard: Shard,
    sink: Sink,
    /// The mirror of the first connection.
    client: ClientSession,
}

impl World {
    /// `own`: every connection follows so many markets of its own instead of all.
    fn new(markets: u32, view: View, connections: u64, own: Option<u32>) -> Self {
        let mut store = Store::new(Epoch(1));
        for market in 0..markets {
            let commit = Commit { published_ms: 1_700_000_000_000, markets: vec![image(market)] };
            store.commit(&commit).expect("a good commit");
        }
        let heartbeat_interval_ms = 1 << 40;
        let config = FanoutConfig { flush_interval_ms: 0, heartbeat_interval_ms, ..FanoutConfig::default() };
        let mut fanout = Fanout::new(config);
        fanout.handle_timeout(0, &store);
        let (shard, sink) = (Shard::new(|_, _| {}), Sink { keeps: true, ..Sink::default() });
        let client = ClientSession::new(ClientConfig::default());
        let mut world = Self { now_ms: 0, turn: 0, markets, store, fanout, shard, sink, client };
        for connection in 0..connections {
            // A second apart, so that nobody asks for too much.
            world.now_ms += 1_000;
            let id = ConnectionId(connection);
            world.shard.join(id);
            world.fanout.connect(world.now_ms, id);
            let mut state = connection;
            let topics = match own {
                None => vec!["all".parse().expect("a topic")],
                // One at random of each stretch, so that no two connections follow the same set.
                Some(own) => (0..own)
                    .map(|at| at * (markets / own) + split_mix(&mut state) as u32 % (markets / own))
                    .map(|market| format!("market/1.{market}").parse().expect("a topic"))
                    .collect(),
            };
            let mut client = ClientSession::new(ClientConfig::default());
            client.subscribe(1, SubscriptionRequest { topics, view, rate_ms: 0 });
            client.connected(0);
            while let Some(message) = client.poll_transmit() {
                world.fanout.handle_message(world.now_ms, &world.store, id, message);
                world.hand_out();
            }
            if id == FIRST {
                world.client = client;
            }
        }
        world.receive();
        world
    }

    /// Every market changes, in as many commits as it takes.
    fn commit(&mut self) {
        self.turn += 1;
        self.now_ms += 100;
        let published_ms = 1_700_000_000_000 + self.now_ms;
        let markets: Vec<u32> = (0..self.markets).collect();
        for markets in markets.chunks(MARKETS_PER_COMMIT) {
            let change = |&market: &u32| change(market, self.turn + u64::from(market));
            let markets = markets.iter().map(change).collect();
            let committed = self.store.commit(&Commit { published_ms, markets }).expect("a good commit");
            self.fanout.handle_commit(self.now_ms, &self.store, &committed);
        }
    }

    /// Makes every connection's frame.
    fn flush(&mut self) {
        self.fanout.handle_timeout(self.now_ms, &self.store);
        while let Some(output) = self.fanout.poll_output() {
            self.shard.handle(&output, &mut self.sink);
        }
    }

    /// Moves outputs and reports until nothing moves.
    fn hand_out(&mut self) {
        loop {
            self.flush();
            for id in std::mem::take(&mut self.sink.ready) {
                self.shard.ready(id);
            }
            let reports: Vec<_> = self.shard.reports().collect();
            if reports.is_empty() {
                return;
            }
            for report in reports {
                self.fanout.handle_report(self.now_ms, &self.store, report);
            }
        }
    }

    /// Lets the first receiver apply what was sent; returns its bytes.
    fn receive(&mut self) -> usize {
        let mut bytes = 0;
        for frame in std::mem::take(&mut self.sink.kept) {
            bytes += frame.len();
            self.client.handle_frame(0, frame).expect("a good frame");
        }
        while self.client.poll_event().is_some() {}
        bytes
    }

    fn check(&mut self, view: View) {
        assert!(self.client.is_synced());
        assert_eq!((self.client.stats().gaps, self.client.stats().digest_mismatches), (0, 0));
        for reading in self.client.markets(0) {
            let held = self.store.market(reading.market.number()).expect("the store has it");
            assert_eq!(reading.market.digest(View::FULL), held.digest(view));
        }
    }

    /// A world in which frames have been applied and found right; returns the bytes of the last one.
    fn checked(mut self, view: View) -> (Self, usize) {
        let mut bytes = 0;
        for _ in 0..20 {
            self.commit();
            self.flush();
            bytes = self.receive();
        }
        self.check(view);
        self.sink.keeps = false;
        (self, bytes)
    }
}

fn flush(criterion: &mut Criterion) {
    for markets in [200, 1_000, 5_000] {
        for (name, view) in [("full", View::FULL), ("best3", View::best(3)), ("prices", View::PRICES)] {
            if markets == 5_000 && view != View::FULL {
                continue;
            }
            let (mut world, bytes) = World::new(markets, view, 1, None).checked(view);
            let mut group = criterion.benchmark_group(format!("flush/{markets} markets/{name}"));
            println!(
                "{bytes} bytes in the frame, {:.1} per changed cell",
                bytes as f64 / f64::from(markets) / 5.0
            );
            group.throughput(Throughput::Elements(u64::from(markets) * 5));
            group.bench_function("commit to ready frame", |bencher| {
                bencher.iter_custom(|iterations| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..iterations {
                        world.commit();
                        let started = thread_time();
                        world.flush();
                        spent += thread_time() - started;
                    }
                    spent
                });
            });
            let mut baselines: Vec<Market> = world.store.markets().cloned().collect();
            let (mut encoder, mut delta, mut out) =
                (PieceEncoder::default(), MarketDelta::default(), Vec::new());
            group.bench_function("diff and encode", |bencher| {
                bencher.iter_custom(|iterations| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..iterations {
                        world.commit();
                        world.flush();
                        let started = thread_time();
                        out.clear();
                        for (baseline, target) in baselines.iter_mut().zip(world.store.markets()) {
                            diff(baseline, target, view, &mut delta);
                            encoder.set_frame_time(world.store.published_ms());
                            encoder.encode(&delta, Some((baseline, view)), target, Encoding::Plain, &mut out);
                            baseline.advance_to(target);
                        }
                        spent += thread_time() - started;
                        black_box(&out);
                    }
                    spent
                });
            });
            group.finish();
        }
    }
}

/// What a shard does for all its connections, without the writes: ready pieces to frames, once per group.
fn gather(criterion: &mut Criterion) {
    const MARKETS: u32 = 200;
    for connections in [1_000, 10_000] {
        for (name, own) in [("shared topic", None), ("own sets of 20", Some(20))] {
            let view = View::best(3);
            let (mut world, _) = World::new(MARKETS, view, connections, own).checked(view);
            let followed = own.unwrap_or(MARKETS);
            let mut group = criterion.benchmark_group(format!("gather/{connections} connections/{name}"));
            group.throughput(Throughput::Elements(connections * u64::from(followed)));
            group.bench_function("flush to frames offered", |bencher| {
                bencher.iter_custom(|iterations| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..iterations {
                        world.commit();
                        world.fanout.handle_timeout(world.now_ms, &world.store);
                        let offers = world.sink.offers;
                        let started = thread_time();
                        while let Some(output) = world.fanout.poll_output() {
                            world.shard.handle(&output, &mut world.sink);
                        }
                        spent += thread_time() - started;
                        assert_eq!(
                            (world.sink.offers - offers) as u64,
                            connections,
                            "everybody gets his frame"
                        );
                    }
                    spent
                });
            });
            group.finish();
        }
    }
}

fn receive(criterion: &mut Criterion) {
    let (mut world, _) = World::new(200, View::FULL, 1, None).checked(View::FULL);
    world.sink.keeps = true;
    let mut group = criterion.benchmark_group("receive/200 markets/full");
    group.throughput(Throughput::Elements(200 * 5));
    group.bench_function("frame to applied", |bencher| {
        bencher.iter_custom(|iterations| {
            let mut spent = Duration::ZERO;
            for _ in 0..iterations {
                world.commit();
                world.flush();
                let started = thread_time();
                black_box(world.receive());
                spent += thread_time() - started;
            }
            spent
        });
    });
    group.finish();
    world.check(View::FULL);
}

criterion_group!(benches, flush, gather, receive);
criterion_main!(benches);
