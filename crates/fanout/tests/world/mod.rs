//! A store, a fan-out and client sessions on perfect wires, turned by hand.

#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses a part of it")]

use std::collections::BTreeMap;

use oddswire_fanout::{ConnectionId, Delivery, Fanout, FanoutConfig, LocalShard};
use oddswire_model::{
    Commit, Epoch, Field, Handicap, LadderUpdate, MarketId, MarketStatus, MarketUpdate, Price, SelectionId,
    SelectionKey, SelectionUpdate, View,
};
use oddswire_session::{ClientConfig, ClientSession, Event, MarketState, SubscriptionRequest};
use oddswire_store::Store;

/// The whole system in one place.
pub struct World {
    pub now_ms: u64,
    pub store: Store,
    pub fanout: Fanout,
    pub shard: LocalShard,
    joined: u32,
    pub clients: BTreeMap<ConnectionId, ClientSession>,
    /// Connections whose socket takes nothing.
    pub blocked: Vec<ConnectionId>,
    /// Those of them that wait for it.
    pub stuck: Vec<ConnectionId>,
    pub bytes: usize,
}

impl World {
    pub fn new() -> Self {
        Self::with(FanoutConfig::default())
    }

    pub fn with(config: FanoutConfig) -> Self {
        Self {
            now_ms: 0,
            store: Store::new(Epoch(7)),
            fanout: Fanout::new(config),
            shard: LocalShard::default(),
            joined: 0,
            clients: BTreeMap::new(),
            blocked: Vec::new(),
            stuck: Vec::new(),
            bytes: 0,
        }
    }

    pub fn connect(&mut self, mut client: ClientSession) -> ConnectionId {
        let id = ConnectionId::new(0, self.joined, 0);
        self.joined += 1;
        self.shard.join(id);
        self.fanout.connect(self.now_ms, id);
        client.connected(self.now_ms);
        self.clients.insert(id, client);
        self.turn();
        id
    }

    pub fn follow(&mut self, topics: &str, view: View, rate_ms: u32) -> ConnectionId {
        let mut client = ClientSession::new(ClientConfig::default());
        client.subscribe(1, SubscriptionRequest { topics: vec![topics.parse().unwrap()], view, rate_ms });
        self.connect(client)
    }

    pub fn cut(&mut self, id: ConnectionId) -> ClientSession {
        self.shard.leave(id);
        self.fanout.disconnect(id);
        let mut client = self.clients.remove(&id).unwrap();
        client.disconnected();
        client
    }

    /// Moves messages until nothing moves.
    pub fn turn(&mut self) {
        loop {
            let mut moved = false;
            for (&id, client) in &mut self.clients {
                while let Some(message) = client.poll_transmit() {
                    moved = true;
                    self.fanout.handle_message(self.now_ms, &self.store, id, message);
                }
            }
            while let Some(delivery) = self.shard.poll(self.now_ms, &mut self.fanout, &self.store) {
                moved = true;
                let Delivery::Frames { to: id, frames } = delivery else { panic!("{delivery:?}") };
                let Some(client) = self.clients.get_mut(&id) else { continue };
                for frame in &frames {
                    self.bytes += frame.len();
                    client.handle_frame(self.now_ms, frame.clone()).unwrap();
                }
                if self.blocked.contains(&id) {
                    self.stuck.push(id);
                } else {
                    self.shard.ready(id);
                }
            }
            if !moved {
                return;
            }
        }
    }

    pub fn wait(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        while self.now_ms < end {
            self.now_ms = self.fanout.poll_timeout().clamp(self.now_ms + 1, end);
            self.fanout.handle_timeout(self.now_ms, &self.store);
            self.turn();
        }
    }

    pub fn commit(&mut self, update: MarketUpdate) {
        let commit = Commit { published_ms: 1_700_000_000_000 + self.now_ms, markets: vec![update] };
        let committed = self.store.commit(&commit).unwrap();
        self.fanout.handle_commit(self.now_ms, &self.store, &committed);
        self.turn();
    }

    pub fn check(&mut self, id: ConnectionId, view: View) {
        let client = &self.clients[&id];
        assert!(client.is_synced());
        assert_eq!(client.stats().gaps, 0);
        assert_eq!(client.stats().digest_mismatches, 0);
        assert_eq!(client.len(), self.store.len());
        for reading in client.markets(self.now_ms) {
            let held = self.store.market_by_id(reading.market.id()).unwrap();
            let (mirrored, expected) = (reading.market.cells(View::FULL), held.cells(view));
            let differs = mirrored.iter().zip(&expected).find(|(mirrored, expected)| mirrored != expected);
            assert_eq!(differs, None, "market {} in {view}", held.id());
            assert_eq!(mirrored.len(), expected.len(), "market {} in {view}", held.id());
            assert_eq!(reading.market.digest(View::FULL), held.digest(view));
            assert_eq!(reading.state, MarketState::Live);
        }
    }

    /// Whether a receiver's socket takes what is sent now.
    pub fn takes_frames(&self, id: ConnectionId) -> bool {
        !self.stuck.contains(&id)
    }

    /// A receiver's socket takes frames again.
    pub fn unblock(&mut self, id: ConnectionId) {
        self.blocked.retain(|&blocked| blocked != id);
        if let Some(at) = self.stuck.iter().position(|&stuck| stuck == id) {
            self.stuck.swap_remove(at);
            self.shard.ready(id);
        }
        self.turn();
    }

    pub fn events(&mut self, id: ConnectionId) -> Vec<Event> {
        std::iter::from_fn(|| self.clients.get_mut(&id).unwrap().poll_event()).collect()
    }
}

pub fn status(market: &str, status: MarketStatus) -> MarketUpdate {
    let mut update = MarketUpdate::new(MarketId::new(market).unwrap());
    update.fields.push((Field::Status, status as u64));
    update
}

pub fn back(market: &str, price: u32, cents: u64) -> MarketUpdate {
    let mut update = MarketUpdate::new(MarketId::new(market).unwrap());
    let mut selection = SelectionUpdate::new(SelectionKey { id: SelectionId(7), handicap: Handicap::NONE });
    let rungs = vec![(Price(price), cents)];
    selection.ladders.push(LadderUpdate { field: Field::Back, replace: false, rungs });
    update.selections.push(selection);
    update
}
