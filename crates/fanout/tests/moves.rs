//! Receivers who move: between rates and subscriptions, with their markets from topic to topic, and past the horizon.
//! Each of these was found by a seed of the simulation.

use oddswire_fanout::{ConnectionId, Delivery, Fanout, FanoutConfig, LocalShard};
use oddswire_model::{
    AttributeValue, Commit, Epoch, Field, Handicap, LadderUpdate, MarketId, MarketStatus, MarketUpdate,
    Price, Revision, SelectionId, SelectionKey, SelectionUpdate, View, name,
};
use oddswire_session::{ClientConfig, ClientSession, SubscriptionRequest};
use oddswire_store::Store;
use oddswire_wire::proto::ErrorCode;

struct World {
    now_ms: u64,
    store: Store,
    fanout: Fanout,
    shard: LocalShard,
    id: ConnectionId,
    client: ClientSession,
    /// The client's socket takes nothing.
    is_blocked: bool,
    closed: Option<ErrorCode>,
}

impl World {
    /// A client with these subscriptions, and a market in fixture f1.
    fn new(requests: &[SubscriptionRequest]) -> Self {
        let mut fanout = Fanout::new(FanoutConfig::default());
        let mut client = ClientSession::new(ClientConfig::default());
        for (at, request) in requests.iter().enumerate() {
            client.subscribe(at as u32 + 1, request.clone());
        }
        let (id, mut shard) = (ConnectionId(0), LocalShard::default());
        shard.join(id);
        fanout.connect(0, id);
        client.connected(0);
        let store = Store::new(Epoch(7));
        let mut world = Self { now_ms: 0, store, fanout, shard, id, client, is_blocked: false, closed: None };
        let mut update = back(20_000, 500);
        update.fields.push((Field::Status, MarketStatus::Open as u64));
        update.attributes.push(fixture("f1"));
        world.commit(update);
        world.wait(3_000);
        world
    }

    fn turn(&mut self) {
        loop {
            while let Some(message) = self.client.poll_transmit() {
                self.fanout.handle_message(self.now_ms, &self.store, self.id, message);
            }
            let Some(delivery) = self.shard.poll(self.now_ms, &mut self.fanout, &self.store) else { return };
            match delivery {
                Delivery::Frames { to, frames } if to == self.id => {
                    for frame in frames {
                        self.client.handle_frame(self.now_ms, frame).unwrap();
                        self.check();
                    }
                    if !self.is_blocked {
                        self.shard.ready(self.id);
                    }
                }
                Delivery::Frames { .. } => {}
                Delivery::Close { code, .. } => self.closed = Some(code),
            }
        }
    }

    /// Nothing is ever asked for again, and what is newest stays so.
    fn check(&self) {
        assert_eq!((self.client.stats().gaps, self.client.stats().digest_mismatches), (0, 0));
    }

    fn wait(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        while self.now_ms < end {
            self.now_ms = self.fanout.poll_timeout().clamp(self.now_ms + 1, end);
            self.fanout.handle_timeout(self.now_ms, &self.store);
            self.turn();
        }
    }

    fn commit(&mut self, update: MarketUpdate) {
        let commit = Commit { published_ms: 1_000 + self.now_ms, markets: vec![update] };
        let committed = self.store.commit(&commit).unwrap();
        self.fanout.handle_commit(self.now_ms, &self.store, &committed);
        self.turn();
    }

    fn reconnect(&mut self) {
        self.shard.leave(self.id);
        self.fanout.disconnect(self.id);
        self.client.disconnected();
        self.id = self.join();
        self.client.connected(self.now_ms);
    }

    fn join(&mut self) -> ConnectionId {
        let id = ConnectionId(self.id.0 + 1);
        self.shard.join(id);
        self.fanout.connect(self.now_ms, id);
        id
    }

    fn held(&self) -> &oddswire_model::Market {
        self.client.markets(self.now_ms).next().unwrap().market
    }

    fn amount(&self) -> u64 {
        self.held().selections()[0].ladder(Field::Back).volume(Price(20_000))
    }
}

fn fixture(id: &str) -> (std::sync::Arc<str>, Option<AttributeValue>) {
    (name::FIXTURE.into(), Some(AttributeValue::Text(id.into())))
}

fn back(price: u32, cents: u64) -> MarketUpdate {
    let mut update = MarketUpdate::new(MarketId::new("1.1").unwrap());
    let mut selection = SelectionUpdate::new(SelectionKey { id: SelectionId(7), handicap: Handicap::NONE });
    let rungs = vec![(Price(price), cents)];
    selection.ladders.push(LadderUpdate { field: Field::Back, replace: false, rungs });
    update.selections.push(selection);
    update
}

fn request(topic: &str, view: View, rate_ms: u32) -> SubscriptionRequest {
    SubscriptionRequest { topics: vec![topic.parse().unwrap()], view, rate_ms }
}

#[test]
fn nobody_is_taken_back_by_asking_for_a_slower_rate() {
    let mut world = World::new(&[request("all", View::FULL, 0)]);
    // Somebody else keeps the slow class's baseline alive.
    let other = world.join();
    let mut slow = ClientSession::new(ClientConfig::default());
    slow.subscribe(1, request("all", View::FULL, 1_000));
    slow.connected(world.now_ms);
    while let Some(message) = slow.poll_transmit() {
        world.fanout.handle_message(world.now_ms, &world.store, other, message);
    }
    while world.shard.poll(world.now_ms, &mut world.fanout, &world.store).is_some() {}
    world.commit(back(20_000, 600));
    world.wait(200);
    // Within the second of the slow class, which therefore stays at 600.
    world.commit(back(20_000, 700));
    world.wait(50);
    assert_eq!(world.amount(), 700);
    world.client.subscribe(1, request("all", View::FULL, 1_000));
    world.turn();
    assert_eq!(world.amount(), 700, "the slow class had 600");
    world.commit(back(20_000, 800));
    world.wait(1_100);
    assert_eq!(world.amount(), 800);
}

#[test]
fn a_resume_at_a_slower_rate_than_before_is_not_behind_what_is_held() {
    // The fast subscription is named last, so for a moment the market is followed at the slow rate alone.
    let mut world = World::new(&[request("all", View::FULL, 1_000), request("fixture/f1", View::FULL, 0)]);
    let other = world.join();
    let mut slow = ClientSession::new(ClientConfig::default());
    slow.subscribe(1, request("all", View::FULL, 1_000));
    slow.connected(world.now_ms);
    while let Some(message) = slow.poll_transmit() {
        world.fanout.handle_message(world.now_ms, &world.store, other, message);
    }
    while world.shard.poll(world.now_ms, &mut world.fanout, &world.store).is_some() {}
    world.commit(back(20_000, 600));
    world.wait(200);
    // Within the second of the slow class, which therefore stays at 600.
    world.commit(back(20_000, 700));
    world.wait(50);
    assert_eq!(world.amount(), 700);
    world.reconnect();
    let messages: Vec<_> = std::iter::from_fn(|| world.client.poll_transmit()).collect();
    for (at, message) in messages.into_iter().enumerate() {
        world.fanout.handle_message(world.now_ms, &world.store, world.id, message);
        world.turn();
        if at == 1 {
            // After the slow subscription and before the fast one the slow class is flushed.
            world.commit(back(20_000, 750));
            world.wait(1_100);
            assert_eq!(world.amount(), 750, "the delta from 600 does not fit on 700");
        }
    }
    world.wait(2_000);
    assert!(world.client.is_synced());
    assert_eq!(world.amount(), 750);
}

#[test]
fn a_change_of_status_and_of_topic_in_one_commit_is_one_frame() {
    let views = [request("fixture/f1", View::FULL, 0), request("fixture/f2", View::PRICES, 0)];
    let mut world = World::new(&views);
    let frames = world.client.stats().frames;
    let mut update = back(20_000, 900);
    update.fields.push((Field::Status, MarketStatus::Suspended as u64));
    update.attributes.push(fixture("f2"));
    world.commit(update);
    assert_eq!(world.client.stats().frames, frames + 1);
    assert_eq!(world.amount(), View::HIDDEN_VOLUME, "it is followed in the other view now");
    assert_eq!(world.held().status(), MarketStatus::Suspended);
    world.commit(back(19_000, 100));
    world.wait(3_000);
    assert!(world.held().shows_same(world.held(), View::FULL) && world.client.is_synced());
}

#[test]
fn a_receiver_who_falls_behind_the_horizon_is_sent_away() {
    let mut world = World::new(&[request("all", View::FULL, 0)]);
    // The first frame fills the socket; what follows is missed.
    world.is_blocked = true;
    world.commit(back(20_000, 600));
    world.wait(50);
    world.commit(back(20_000, 0));
    world.wait(50);
    world.store.advance_horizon(Revision(3));
    world.is_blocked = false;
    world.shard.ready(world.id);
    world.turn();
    assert_eq!(world.closed, Some(ErrorCode::SlowReceiver), "the tombstone of the rung is gone");
    world.reconnect();
    world.turn();
    assert!(world.client.is_synced());
    assert_eq!(world.amount(), 0);
}
