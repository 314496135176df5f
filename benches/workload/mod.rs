//! The workload of the benchmarks: simulated exchange markets that change five cells each, from a seed.
//!
//! No recording is needed, and every machine gets the same.

#![allow(dead_code, unreachable_pub, reason = "each benchmark uses a part of it")]

use bytes::Bytes;
use oddswire_delta::{MarketDelta, apply, catch_up, diff, snapshot, start};
use oddswire_fanout::{ConnectionId, Delivery, Fanout, FanoutConfig, LocalShard};
use oddswire_feeds::simulator::{Simulator, SimulatorConfig};
use oddswire_measure::encoding_name;
use oddswire_model::{
    Commit, Epoch, Field, FieldKind, LadderUpdate, Market, MarketUpdate, Price, PriceLadder, Revision,
    SelectionUpdate, View,
};
use oddswire_session::{ClientConfig, ClientSession, SubscriptionRequest};
use oddswire_store::Store;
use oddswire_wire::{
    compact::Model,
    decode_frame,
    piece::{self, Encoding, FrameContext, PieceEncoder, PieceKind, TIME_STEP_MS},
    proto,
};

pub use oddswire_measure::ENCODINGS;

/// Markets that change at once.
pub const MARKETS: usize = 200;
/// Cells that change of each of them.
pub const CELLS: usize = 5;
/// Changed cells of a turn.
pub const CHANGED_CELLS: u64 = (MARKETS * CELLS) as u64;

const SEED: u64 = 20_260_110;
/// Races with two exchange markets each; some are between two races when they are looked at.
const RACES: usize = 130;
/// Commits to let the books fill, and then to see what changes.
const COMMITS: usize = 12_000;

/// Where simulated markets stand, and a change of five cells of each.
#[derive(Clone)]
pub struct Workload {
    store: Store,
    changes: Vec<MarketUpdate>,
    now_ms: u64,
}

impl Workload {
    /// Simulates until 200 exchange markets have changed in at least five cells.
    pub fn new() -> Self {
        let config = SimulatorConfig {
            seed: SEED,
            football: 0,
            tennis: 0,
            racing: RACES,
            activity_percent: 300,
            ..SimulatorConfig::default()
        };
        let mut simulator = Simulator::new(config);
        let mut store = Store::new(Epoch(1));
        let mut run = |store: &mut Store| {
            for commit in simulator.by_ref().take(COMMITS) {
                store.commit(&commit).expect("a good commit");
            }
        };
        run(&mut store);
        let before = store.clone();
        run(&mut store);
        let mut changes = Vec::new();
        let mut change = MarketDelta::default();
        for market in before.markets() {
            let Some(after) = store.market(market.number()) else { continue };
            diff(market, after, View::FULL, &mut change);
            changes.extend(five_cells(market, &change));
        }
        changes.truncate(MARKETS);
        assert_eq!(changes.len(), MARKETS, "the simulation is too quiet");
        let now_ms = before.published_ms() / TIME_STEP_MS * TIME_STEP_MS;
        Self { store: before, changes, now_ms }
    }

    /// Changes five cells of every market; no two turns in a row set the same amounts.
    pub fn commit(&self, turn: u64) -> Commit {
        let mut markets = self.changes.clone();
        for update in markets.iter_mut().flat_map(|market| &mut market.selections) {
            for (_, volume) in update.ladders.iter_mut().flat_map(|ladder| &mut ladder.rungs) {
                *volume += turn % 2 * 700 + turn % 7;
            }
            for (_, last_traded) in &mut update.fields {
                let tick = PriceLadder::Betfair.index(Price(*last_traded as u32)).expect("it is a tick");
                let moved = PriceLadder::Betfair.price(tick - (turn % 2) as u32).expect("a tick below it");
                *last_traded = u64::from(moved.0);
            }
        }
        Commit { published_ms: self.now_ms + turn * 100, markets }
    }

    /// Markets before and after a turn.
    pub fn pairs(&self) -> Vec<(Market, Market)> {
        let mut after = self.store.clone();
        let committed = after.commit(&self.commit(1)).expect("a good commit");
        assert_eq!(committed.changed.len(), MARKETS);
        let both = |number: &oddswire_model::MarketNumber| {
            let before = self.store.market(*number).expect("it was there");
            (before.clone(), after.market(*number).expect("it is there").clone())
        };
        committed.changed.iter().map(both).collect()
    }
}

/// The first four rungs that a change sets to an amount, and the last traded price, as a producer would say it.
fn five_cells(market: &Market, change: &MarketDelta) -> Option<MarketUpdate> {
    let rungs =
        change.cells.iter().filter(|cell| cell.key.field.kind() == FieldKind::Ladder && cell.value > 0);
    let rungs: Vec<_> = rungs.take(CELLS - 1).collect();
    if rungs.len() < CELLS - 1 {
        return None;
    }
    let mut update = MarketUpdate::new(market.id().clone());
    for cell in rungs {
        let key = market.selection(cell.key.selection)?.key();
        if update.selections.last().is_none_or(|selection| selection.key != key) {
            update.selections.push(SelectionUpdate::new(key));
        }
        let ladders = &mut update.selections.last_mut()?.ladders;
        if ladders.last().is_none_or(|ladder| ladder.field != cell.key.field) {
            ladders.push(LadderUpdate { field: cell.key.field, replace: false, rungs: Vec::new() });
        }
        ladders.last_mut()?.rungs.push((cell.key.price, cell.value));
    }
    // A tick that is not the one before, whichever turn it is.
    let first =
        market.selection_number(update.selections[0].key).and_then(|number| market.selection(number))?;
    let traded = PriceLadder::Betfair.index(first.price(Field::LastTraded))?;
    let price = PriceLadder::Betfair.price(traded + 2)?;
    update.selections[0].fields.push((Field::LastTraded, u64::from(price.0)));
    Some(update)
}

/// Which change of a market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Snapshot,
    Delta,
    CatchUp,
}

impl Kind {
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Delta, "delta"), (Self::CatchUp, "catch-up"), (Self::Snapshot, "snapshot")];

    fn piece(self) -> PieceKind {
        match self {
            Self::Snapshot => PieceKind::Snapshot,
            Self::Delta => PieceKind::Delta,
            Self::CatchUp => PieceKind::CatchUp,
        }
    }
}

/// One change of each market, encoded, and proven to be decoded to the same.
pub struct Encoded {
    pub name: String,
    /// Cells of all changes.
    pub cells: u64,
    /// Bytes of all pieces, with their protobuf envelopes.
    pub bytes: usize,
    kind: Kind,
    encoder: PieceEncoder,
    buffer: Vec<u8>,
    markets: Vec<(Market, Market)>,
    changes: Vec<MarketDelta>,
    pieces: Vec<(Encoding, Bytes, Option<proto::Definition>)>,
    encoding: Encoding,
    model: Model,
}

impl Encoded {
    pub fn new(workload: &Workload, encoding: Encoding, kind: Kind) -> Self {
        let name = encoding_name(encoding).to_owned();
        let markets = workload.pairs();
        let mut encoder = PieceEncoder::default();
        encoder.set_frame_time(workload.commit(1).published_ms);
        let changes: Vec<_> = markets.iter().map(|(before, after)| change_of(kind, before, after)).collect();
        let buffer = Vec::new();
        let (cells, bytes) = (changes.iter().map(|change| change.cells.len() as u64).sum(), 0);
        let (pieces, model) = (Vec::new(), Model::shipped());
        let mut encoded =
            Self { name, cells, bytes, kind, encoder, buffer, markets, changes, pieces, encoding, model };
        encoded.bytes = encoded.encode();
        for at in 0..MARKETS {
            encoded.buffer.clear();
            encoded.encode_market(at);
            let frame = decode_frame(Bytes::from(encoded.buffer.clone())).expect("a good frame");
            let (_, encoding, piece) = piece::pieces(&frame).next().expect("a piece");
            encoded.pieces.push((encoding, piece.clone(), frame.definitions.first().cloned()));
        }
        encoded.check();
        encoded
    }

    /// Encodes every change; returns the bytes.
    pub fn encode(&mut self) -> usize {
        self.buffer.clear();
        for at in 0..MARKETS {
            self.encode_market(at);
        }
        self.buffer.len()
    }

    fn encode_market(&mut self, at: usize) {
        let (before, after) = &self.markets[at];
        let baseline = (self.kind == Kind::Delta).then_some((before, View::FULL));
        self.encoder.encode(&self.changes[at], baseline, after, self.encoding, &mut self.buffer);
    }

    /// Decodes every piece; hands each change to `take`.
    pub fn decode(&self, mut take: impl FnMut(usize, MarketDelta)) {
        let pieces = self.pieces.iter().zip(&self.markets);
        for (at, ((encoding, piece, definition), (before, after))) in pieces.enumerate() {
            let held = (self.kind != Kind::Snapshot).then_some(before);
            let context = FrameContext {
                revision: after.revision(),
                time: after.published_ms() / TIME_STEP_MS,
                since: before.revision(),
                model: &self.model,
            };
            let kind = self.kind.piece();
            let change = piece::decode(kind, *encoding, piece, definition.as_ref(), held, context);
            take(at, change.expect("a good piece"));
        }
    }

    /// Every change is decoded to what was encoded, and takes a receiver to the market.
    fn check(&self) {
        assert_eq!(self.pieces.len(), MARKETS);
        assert!(self.kind == Kind::Snapshot || self.cells == CHANGED_CELLS, "{} cells", self.cells);
        self.decode(|at, decoded| {
            let (before, after) = &self.markets[at];
            // Cells are sent in the order of their field masks, which is not the canonical one.
            let by_key = |change: &MarketDelta| {
                let mut cells = change.cells.clone();
                cells.sort_by_key(|cell| (cell.key.selection, cell.key.field, cell.key.price));
                cells
            };
            assert!(
                by_key(&decoded) == by_key(&self.changes[at]),
                "market {at} is decoded to something else"
            );
            assert_eq!(decoded.attributes.len(), self.changes[at].attributes.len());
            let held = match self.kind {
                Kind::Snapshot => start(&decoded).expect("a good snapshot"),
                Kind::Delta | Kind::CatchUp => {
                    let mut held = before.clone();
                    apply(&mut held, &decoded).expect("a change that fits");
                    held
                }
            };
            assert!(
                held.shows_same(after, View::FULL) && held.digest(View::FULL) == after.digest(View::FULL)
            );
        });
    }
}

/// A change of a market at full depth.
pub fn change_of(kind: Kind, before: &Market, after: &Market) -> MarketDelta {
    let mut change = MarketDelta::default();
    write_change(kind, before, after, &mut change);
    change
}

/// The same, with the memory of another one.
pub fn write_change(kind: Kind, before: &Market, after: &Market, change: &mut MarketDelta) {
    match kind {
        Kind::Snapshot => snapshot(after, View::FULL, change),
        Kind::Delta => diff(before, after, View::FULL, change),
        Kind::CatchUp => catch_up(after, before.revision().max(Revision(1)), View::FULL, change),
    }
}

/// A store and a fan-out with one receiver of everything in a view.
pub struct World {
    workload: Workload,
    turn: u64,
    now_ms: u64,
    fanout: Fanout,
    shard: LocalShard,
    /// Frames that were made and not taken.
    ready: Vec<Bytes>,
    client: ClientSession,
    id: ConnectionId,
    view: View,
}

impl World {
    pub fn new(workload: &Workload, view: View) -> Self {
        let workload = workload.clone();
        let heartbeat_interval_ms = 1 << 40;
        let config = FanoutConfig { flush_interval_ms: 0, heartbeat_interval_ms, ..FanoutConfig::default() };
        let mut fanout = Fanout::new(config);
        fanout.handle_timeout(0, &workload.store);
        let (id, mut shard) = (ConnectionId::new(0, 0, 0), LocalShard::default());
        fanout.connect(0, id);
        shard.join(id);
        let mut client = ClientSession::new(ClientConfig::default());
        let topics = vec!["all".parse().expect("a topic")];
        client.subscribe(1, SubscriptionRequest { topics, view, rate_ms: 0 });
        client.connected(0);
        let ready = Vec::new();
        let mut world = Self { workload, turn: 0, now_ms: 0, fanout, shard, ready, client, id, view };
        while let Some(message) = world.client.poll_transmit() {
            world.fanout.handle_message(0, &world.workload.store, id, message);
            world.receive();
        }
        // A snapshot of so many markets takes several frames.
        for _ in 0..3 {
            world.commit();
            world.flush();
            world.receive();
        }
        world.check();
        world
    }

    /// Commits five changes of every market.
    pub fn commit(&mut self) {
        let commit = self.next_commit();
        self.take(&commit);
    }

    /// The next turn's commit, for [`World::take`].
    pub fn next_commit(&mut self) -> Commit {
        self.turn += 1;
        self.workload.commit(self.turn)
    }

    /// Commits.
    pub fn take(&mut self, commit: &Commit) {
        self.now_ms += 100;
        let committed = self.workload.store.commit(commit).expect("a good commit");
        self.fanout.handle_commit(self.now_ms, &self.workload.store, &committed);
    }

    /// Makes ready frames of what has changed.
    pub fn flush(&mut self) {
        self.fanout.handle_timeout(self.now_ms, &self.workload.store);
        self.poll();
    }

    fn poll(&mut self) {
        while let Some(delivery) = self.shard.poll(self.now_ms, &mut self.fanout, &self.workload.store) {
            if let Delivery::Frames { frames, .. } = delivery {
                self.ready.extend(frames);
            }
        }
    }

    /// Lets the receiver take what was sent; returns its bytes.
    pub fn receive(&mut self) -> usize {
        let mut bytes = 0;
        self.poll();
        while !self.ready.is_empty() {
            for frame in std::mem::take(&mut self.ready) {
                bytes += frame.len();
                self.client.handle_frame(0, frame).expect("a good frame");
            }
            self.shard.ready(self.id);
            self.poll();
        }
        while self.client.poll_event().is_some() {}
        bytes
    }

    /// Throws away what was sent; returns its bytes.
    pub fn discard(&mut self) -> usize {
        let bytes = self.ready.drain(..).map(|frame| frame.len()).sum();
        self.shard.ready(self.id);
        bytes
    }

    /// The receiver holds what the store holds.
    pub fn check(&self) {
        assert!(self.client.is_synced());
        assert_eq!(self.client.len(), self.workload.store.len());
        for reading in self.client.markets(0) {
            let held = self.workload.store.market(reading.market.number()).expect("the store has it");
            assert_eq!(reading.market.digest(View::FULL), held.digest(self.view));
        }
    }
}
