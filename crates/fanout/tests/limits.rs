//! What a client may do and one past it, on a clock that is turned by hand.

use bytes::Bytes;
use oddswire_fanout::{ConnectionId, Delivery, Fanout, FanoutConfig, LocalShard, MAX_CONTROL_FRAMES};
use oddswire_model::{Commit, Epoch, Field, MarketId, MarketUpdate};
use oddswire_store::Store;
use oddswire_wire::{
    decode_frame, encode_client_message,
    limits::SUBSCRIPTIONS_MAX,
    proto::{self, Conflation, ErrorCode, client_message::Message},
};

const ID: ConnectionId = ConnectionId(0);

/// One connection, and what it was sent.
struct World {
    now_ms: u64,
    store: Store,
    fanout: Fanout,
    shard: LocalShard,
    frames: Vec<proto::ServerFrame>,
    closed: Option<ErrorCode>,
    /// Its socket takes what it is given.
    takes: bool,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            now_ms: 0,
            store: Store::new(Epoch(7)),
            fanout: Fanout::new(FanoutConfig::default()),
            shard: LocalShard::default(),
            frames: Vec::new(),
            closed: None,
            takes: true,
        };
        world.shard.join(ID);
        world.fanout.connect(0, ID);
        world
    }

    fn greeted() -> Self {
        let mut world = Self::new();
        world.say(Message::Hello(proto::Hello { agent: "test".into(), ..Default::default() }));
        world
    }

    fn turn(&mut self) {
        while let Some(delivery) = self.shard.poll(self.now_ms, &mut self.fanout, &self.store) {
            match delivery {
                Delivery::Frames { frames, .. } => {
                    self.frames.extend(frames.into_iter().map(|frame| decode_frame(frame).unwrap()));
                    if self.takes {
                        self.shard.ready(ID);
                    }
                }
                Delivery::Close { code, .. } => self.closed = Some(code),
            }
        }
    }

    fn say(&mut self, message: Message) {
        self.fanout.handle_message(self.now_ms, &self.store, ID, encode_client_message(message));
        self.turn();
    }

    fn subscribe(&mut self, subscription: u32) {
        let view =
            Some(proto::View { depth: proto::Depth::Full.into(), volumes: true, ..Default::default() });
        let topics = vec!["all".to_owned()];
        self.say(Message::Subscribe(proto::Subscribe { subscription, topics, view, ..Default::default() }));
    }

    fn commit(&mut self, volume: u64) {
        let mut update = MarketUpdate::new(MarketId::new("1.1").unwrap());
        update.fields.push((Field::MarketTradedVolume, volume));
        let commit = Commit { published_ms: 1_700_000_000_000 + self.now_ms, markets: vec![update] };
        let committed = self.store.commit(&commit).unwrap();
        self.fanout.handle_commit(self.now_ms, &self.store, &committed);
        self.turn();
    }

    fn wait_until(&mut self, end_ms: u64) {
        while self.now_ms < end_ms {
            self.now_ms = self.fanout.poll_timeout().clamp(self.now_ms + 1, end_ms);
            self.fanout.handle_timeout(self.now_ms, &self.store);
            self.turn();
        }
    }

    fn errors(&self) -> Vec<ErrorCode> {
        self.frames.iter().filter_map(|frame| frame.error.as_ref()).map(proto::Error::code).collect()
    }
}

#[test]
fn a_session_has_so_many_subscriptions_and_not_one_more() {
    let mut world = World::greeted();
    for subscription in 1..=SUBSCRIPTIONS_MAX as u32 {
        // As fast as the limit of messages allows.
        world.wait_until(world.now_ms + 50);
        world.subscribe(subscription);
    }
    assert_eq!((world.errors(), world.closed), (vec![], None));
    world.wait_until(world.now_ms + 50);
    world.subscribe(SUBSCRIPTIONS_MAX as u32 + 1);
    assert_eq!((world.errors(), world.closed), (vec![ErrorCode::TooManySubscriptions], None));
    world.wait_until(world.now_ms + 50);
    world.subscribe(1);
    assert_eq!(world.errors().len(), 1, "a number in use is replaced, which takes no room");
}

#[test]
fn a_hello_may_take_five_seconds() {
    let mut world = World::new();
    world.wait_until(4_999);
    assert_eq!(world.closed, None);
    // Noticed at the heartbeat that follows.
    world.wait_until(5_999);
    assert_eq!(
        (world.errors(), world.closed),
        (vec![ErrorCode::HelloTimeout], Some(ErrorCode::HelloTimeout))
    );
}

#[test]
fn who_takes_nothing_for_thirty_seconds_is_told_and_cut() {
    let mut world = World::greeted();
    world.commit(1);
    world.subscribe(1);
    world.wait_until(2_000);
    world.takes = false;
    let since_ms = world.now_ms;
    world.commit(2);
    world.wait_until(since_ms + 100);
    world.commit(3);
    world.wait_until(since_ms + 29_999);
    assert_eq!(world.closed, None);
    assert_eq!(world.fanout.behind(), 1);
    world.wait_until(since_ms + 32_000);
    assert_eq!(
        (world.errors(), world.closed),
        (vec![ErrorCode::SlowReceiver], Some(ErrorCode::SlowReceiver))
    );
}

#[test]
fn who_takes_a_little_is_not_cut_and_hears_that_it_was_slow() {
    let mut world = World::greeted();
    world.commit(1);
    world.subscribe(1);
    world.wait_until(2_000);
    world.takes = false;
    world.commit(2);
    world.wait_until(2_100);
    for second in 0..60 {
        world.commit(3 + second);
        world.wait_until(3_000 + second * 1_000);
        world.shard.progress(ID);
        world.turn();
    }
    assert_eq!(world.closed, None);
    let sent = world.frames.len();
    world.takes = true;
    world.shard.ready(ID);
    world.turn();
    assert_eq!(world.frames.len(), sent + 1, "a minute and sixty commits are one catch-up");
    let last = world.frames.last().unwrap();
    assert_eq!((last.catch_ups.len(), last.conflated()), (1, Conflation::ReceiverSlow));
    assert_eq!(world.fanout.stats().conflated_receiver_slow, 1);
}

#[test]
fn answers_wait_for_the_socket_up_to_their_limit() {
    let mut world = World::greeted();
    world.wait_until(100);
    world.takes = false;
    let unknown = || Message::Unsubscribe(proto::Unsubscribe { subscription: 9 });
    // One answer is on its way, and does not count among those that wait.
    for _ in 0..=MAX_CONTROL_FRAMES {
        world.wait_until(world.now_ms + 50);
        world.say(unknown());
    }
    assert_eq!(world.closed, None);
    world.wait_until(world.now_ms + 50);
    world.say(unknown());
    assert_eq!(world.closed, Some(ErrorCode::SlowReceiver));
}

#[test]
fn a_connection_that_was_closed_is_given_nothing_more() {
    let mut world = World::greeted();
    world.commit(1);
    world.subscribe(1);
    world.wait_until(1_000);
    world.fanout.handle_message(world.now_ms, &world.store, ID, Bytes::from_static(b"\xff\xff"));
    world.turn();
    assert_eq!(world.closed, Some(ErrorCode::Malformed));
    let sent = world.frames.len();
    world.commit(2);
    world.wait_until(5_000);
    assert_eq!(world.frames.len(), sent);
}
