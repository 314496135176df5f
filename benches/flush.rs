//! The hot path: 200 markets change, five cells each, and the flush makes ready frames of it.
//!
//! Bytes are printed beside the time, and every result is checked by a receiver before anything is timed.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use oddswire_fanout::{ConnectionId, Delivery, Fanout, FanoutConfig, LocalShard};
use oddswire_model::{
    Commit, Epoch, Field, Handicap, LadderUpdate, MarketId, MarketUpdate, Price, PriceLadder, SelectionId,
    SelectionKey, SelectionUpdate, View,
};
use oddswire_session::{ClientConfig, ClientSession, SubscriptionRequest};
use oddswire_store::Store;

const SELECTIONS: u64 = 10;
const RUNGS: u32 = 20;

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

struct World {
    now_ms: u64,
    turn: u64,
    markets: u32,
    store: Store,
    fanout: Fanout,
    shard: LocalShard,
    client: ClientSession,
    id: ConnectionId,
}

impl World {
    fn new(markets: u32, view: View) -> Self {
        let mut store = Store::new(Epoch(1));
        for market in 0..markets {
            let commit = Commit { published_ms: 1_700_000_000_000, markets: vec![image(market)] };
            store.commit(&commit).expect("a good commit");
        }
        let heartbeat_interval_ms = 1 << 40;
        let config = FanoutConfig { flush_interval_ms: 0, heartbeat_interval_ms, ..FanoutConfig::default() };
        let mut fanout = Fanout::new(config);
        fanout.handle_timeout(0, &store);
        let (id, mut shard) = (ConnectionId(0), LocalShard::default());
        shard.join(id);
        fanout.connect(0, id);
        let mut client = ClientSession::new(ClientConfig::default());
        client.subscribe(
            1,
            SubscriptionRequest { topics: vec!["all".parse().expect("a topic")], view, rate_ms: 0 },
        );
        client.connected(0);
        let mut world = Self { now_ms: 0, turn: 0, markets, store, fanout, shard, client, id };
        while let Some(message) = world.client.poll_transmit() {
            world.fanout.handle_message(0, &world.store, id, message);
            world.receive();
        }
        world
    }

    /// One commit that changes every market.
    fn commit(&mut self) {
        self.turn += 1;
        self.now_ms += 100;
        let published_ms = 1_700_000_000_000 + self.now_ms;
        let markets = (0..self.markets).map(|market| change(market, self.turn + u64::from(market))).collect();
        let committed = self.store.commit(&Commit { published_ms, markets }).expect("a good commit");
        self.fanout.handle_commit(self.now_ms, &self.store, &committed);
    }

    fn flush(&mut self) {
        self.fanout.handle_timeout(self.now_ms, &self.store);
    }

    /// Lets the receiver take what was sent; returns its bytes.
    fn receive(&mut self) -> usize {
        let mut bytes = 0;
        while let Some(delivery) = self.shard.poll(self.now_ms, &mut self.fanout, &self.store) {
            let Delivery::Frames { frames, .. } = delivery else { continue };
            for frame in frames {
                bytes += frame.len();
                self.client.handle_frame(0, frame).expect("a good frame");
            }
            self.shard.ready(self.id);
        }
        while self.client.poll_event().is_some() {}
        bytes
    }

    /// Throws away what was sent, as fast as can be.
    fn discard(&mut self) -> usize {
        let mut bytes = 0;
        while let Some(delivery) = self.shard.poll(self.now_ms, &mut self.fanout, &self.store) {
            if let Delivery::Frames { frames, .. } = delivery {
                bytes += frames.iter().map(bytes::Bytes::len).sum::<usize>();
            }
        }
        self.shard.ready(self.id);
        bytes
    }

    fn check(&mut self, view: View) {
        assert!(self.client.is_synced());
        for reading in self.client.markets(0) {
            let held = self.store.market(reading.market.number()).expect("the store has it");
            assert_eq!(reading.market.digest(View::FULL), held.digest(view));
        }
    }
}

fn flush(criterion: &mut Criterion) {
    for markets in [200, 1_000] {
        for (name, view) in [("full", View::FULL), ("best3", View::best(3)), ("prices", View::PRICES)] {
            let mut world = World::new(markets, view);
            for _ in 0..50 {
                world.commit();
                world.flush();
                world.receive();
            }
            world.check(view);
            world.commit();
            world.flush();
            let bytes = world.receive();
            let mut group = criterion.benchmark_group(format!("flush/{markets} markets/{name}"));
            println!(
                "{bytes} bytes in the frame, {:.1} per changed cell",
                bytes as f64 / f64::from(markets) / 5.0
            );
            group.throughput(Throughput::Elements(u64::from(markets) * 5));
            group.bench_function("commit to ready frame", |bencher| {
                bencher.iter_custom(|iterations| {
                    let mut spent = std::time::Duration::ZERO;
                    for _ in 0..iterations {
                        world.commit();
                        let started = std::time::Instant::now();
                        world.flush();
                        spent += started.elapsed();
                        black_box(world.discard());
                    }
                    spent
                });
            });
            group.finish();
        }
    }
}

fn receive(criterion: &mut Criterion) {
    let mut world = World::new(200, View::FULL);
    let mut group = criterion.benchmark_group("receive/200 markets/full");
    group.throughput(Throughput::Elements(200 * 5));
    group.bench_function("frame to applied", |bencher| {
        bencher.iter_custom(|iterations| {
            let mut spent = std::time::Duration::ZERO;
            for _ in 0..iterations {
                world.commit();
                world.flush();
                let started = std::time::Instant::now();
                black_box(world.receive());
                spent += started.elapsed();
            }
            spent
        });
    });
    group.finish();
    world.check(View::FULL);
}

criterion_group!(benches, flush, receive);
criterion_main!(benches);
