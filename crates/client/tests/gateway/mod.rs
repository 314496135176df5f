//! A small gateway over real sockets: a store and a fan-out, and tokio-websockets in front.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use oddswire_fanout::{ConnectionId, Delivery, Fanout, FanoutConfig, LocalShard};
use oddswire_model::{
    Commit, Epoch, Field, Handicap, LadderUpdate, MarketId, MarketStatus, MarketUpdate, Price, SelectionId,
    SelectionKey, SelectionUpdate,
};
use oddswire_store::Store;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc,
    task::AbortHandle,
};
use tokio_websockets::{Limits, Message, ServerBuilder};

/// Small, so that a receiver that does not read is soon felt.
const SEND_BUFFER_BYTES: u32 = 16 * 1024;

pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    world: Arc<Mutex<World>>,
    accepting: AbortHandle,
}

pub(crate) struct World {
    started: Instant,
    pub(crate) store: Store,
    pub(crate) fanout: Fanout,
    shard: LocalShard,
    sockets: HashMap<ConnectionId, mpsc::UnboundedSender<Message>>,
    /// Takes connections and messages, and says nothing.
    pub(crate) is_frozen: bool,
    pub(crate) accepted: usize,
    joined: u32,
    /// Close codes that clients sent.
    pub(crate) closes: Vec<u16>,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.set_send_buffer_size(SEND_BUFFER_BYTES).unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let world = Arc::new(Mutex::new(World::new(Epoch(7))));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&world))).abort_handle();
        Self { address, world, accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut World) -> R) -> R {
        let mut world = self.world.lock().unwrap();
        let result = act(&mut world);
        world.dispatch();
        result
    }

    pub(crate) fn commit(&self, updates: Vec<MarketUpdate>) {
        self.with(|world| {
            let committed = world.store.commit(&Commit { published_ms: 1, markets: updates }).unwrap();
            let now_ms = world.now_ms();
            let World { store, fanout, .. } = world;
            fanout.handle_commit(now_ms, store, &committed);
        });
    }

    /// Says something to everybody that no gateway would say.
    pub(crate) fn inject(&self, message: &Message) {
        self.with(|world| {
            for to in world.sockets.values() {
                let _ = to.send(message.clone());
            }
        });
    }

    /// Forgets everything and comes up with an empty log of another epoch.
    pub(crate) fn restart(&self, epoch: u64) {
        let mut world = self.world.lock().unwrap();
        let accepted = world.accepted;
        // Dropping the senders ends the connections.
        *world = World { accepted, ..World::new(Epoch(epoch)) };
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.accepting.abort();
        self.world.lock().unwrap().sockets.clear();
    }
}

impl World {
    fn new(epoch: Epoch) -> Self {
        Self {
            started: Instant::now(),
            store: Store::new(epoch),
            fanout: Fanout::new(FanoutConfig::default()),
            shard: LocalShard::default(),
            sockets: HashMap::new(),
            is_frozen: false,
            accepted: 0,
            joined: 0,
            closes: Vec::new(),
        }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn dispatch(&mut self) {
        let now_ms = self.now_ms();
        while let Some(delivery) = self.shard.poll(now_ms, &mut self.fanout, &self.store) {
            match delivery {
                Delivery::Frames { to, frames } => {
                    if let Some(socket) = self.sockets.get(&to) {
                        for frame in &frames {
                            let _ = socket.send(Message::binary(frame.clone()));
                        }
                    }
                }
                // Dropping the sender ends the connection once everything was sent.
                Delivery::Close { connection, .. } => drop(self.sockets.remove(&connection)),
            }
        }
    }

    fn tick(&mut self) {
        if self.is_frozen {
            return;
        }
        let now_ms = self.now_ms();
        self.fanout.set_freshness(Some(5), 1_700_000_000_000 + now_ms);
        self.fanout.handle_timeout(now_ms, &self.store);
        self.dispatch();
    }
}

async fn accept(listener: TcpListener, world: Arc<Mutex<World>>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                world.lock().unwrap().accepted += 1;
                tokio::spawn(serve(accepted.unwrap().0, Arc::clone(&world)));
            }
            _ = ticks.tick() => world.lock().unwrap().tick(),
        }
    }
}

async fn serve(stream: TcpStream, world: Arc<Mutex<World>>) {
    let builder = ServerBuilder::new()
        .limits(Limits::default().max_payload_len(Some(4_096)))
        .add_header("sec-websocket-protocol".parse().unwrap(), "oddswire.v1".parse().unwrap())
        .unwrap();
    let Ok((request, mut socket)) = builder.accept(stream).await else { return };
    assert_eq!(request.uri().path(), "/v1/stream");
    assert_eq!(request.headers()["sec-websocket-protocol"], "oddswire.v1");
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let (id, epoch) = {
        let world = &mut *world.lock().unwrap();
        let id = ConnectionId::new(0, world.joined, 0);
        world.joined += 1;
        world.shard.join(id);
        world.fanout.connect(world.now_ms(), id);
        world.sockets.insert(id, sender);
        (id, world.store.epoch())
    };
    loop {
        tokio::select! {
            message = socket.next() => {
                let Some(Ok(message)) = message else { break };
                let world = &mut *world.lock().unwrap();
                if world.store.epoch() != epoch {
                    break;
                }
                if let Some((code, _)) = message.as_close() {
                    world.closes.push(code.into());
                } else if !world.is_frozen {
                    let bytes: Bytes = message.into_payload().into();
                    let now_ms = world.now_ms();
                    world.fanout.handle_message(now_ms, &world.store, id, bytes);
                    world.dispatch();
                }
            }
            message = receiver.recv() => {
                let Some(message) = message else { break };
                if socket.send(message).await.is_err() {
                    break;
                }
                let world = &mut *world.lock().unwrap();
                if world.store.epoch() == epoch && !world.is_frozen && receiver.is_empty() {
                    world.shard.ready(id);
                    world.dispatch();
                }
            }
        }
    }
    let world = &mut *world.lock().unwrap();
    if world.store.epoch() == epoch {
        world.shard.leave(id);
        world.fanout.disconnect(id);
        world.sockets.remove(&id);
    }
}

pub(crate) fn id(market: &str) -> MarketId {
    MarketId::new(market).unwrap()
}

pub(crate) fn status(market: &str, status: MarketStatus) -> MarketUpdate {
    let mut update = MarketUpdate::new(id(market));
    update.fields.push((Field::Status, status as u64));
    update
}

/// Money to back a runner at some prices.
pub(crate) fn back(market: &str, runner: u64, rungs: impl IntoIterator<Item = (u32, u64)>) -> MarketUpdate {
    let mut update = MarketUpdate::new(id(market));
    let mut selection =
        SelectionUpdate::new(SelectionKey { id: SelectionId(runner), handicap: Handicap::NONE });
    let rungs = rungs.into_iter().map(|(price, cents)| (Price(price), cents)).collect();
    selection.ladders.push(LadderUpdate { field: Field::Back, replace: false, rungs });
    update.selections.push(selection);
    update
}
