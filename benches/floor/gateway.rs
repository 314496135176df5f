//! Our gateway, with the engine turned by hand: a store, a fan-out, one shard.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use bytes::Bytes;
use oddswire_fanout::{Fanout, FanoutConfig};
use oddswire_gateway::{GatewayConfig, ShardEvent, Shards, serve};
use oddswire_model::{Epoch, View};
use oddswire_session::{ClientConfig, ClientSession, SubscriptionRequest};
use oddswire_store::Store;
use tokio::{net::TcpListener, runtime::Runtime, sync::mpsc};

use crate::{
    machine::thread_time,
    markets::{change, image},
    reader::Readers,
};

/// Long after the end: what is measured is flushes.
const NEVER_MS: u64 = 1 << 40;
/// Nothing has happened for this long: everybody has everything.
const QUIET: Duration = Duration::from_millis(300);

pub(crate) struct Gateway {
    store: Store,
    fanout: Fanout,
    shards: Shards,
    address: SocketAddr,
    now_ms: u64,
    turn: u64,
    /// Bytes of a piece in the last round.
    piece_bytes: usize,
    probe: Probe,
    _runtime: Runtime,
}

/// What a round cost.
pub(crate) struct Spent {
    pub(crate) engine: Duration,
    pub(crate) shards: Duration,
    pub(crate) bytes: u64,
}

/// A connection whose frames are applied, so that the result can be looked at.
struct Probe {
    stream: TcpStream,
    client: ClientSession,
    unread: Vec<u8>,
}

impl Gateway {
    pub(crate) fn start(markets: usize) -> Self {
        let mut store = Store::new(Epoch(1));
        for market in 0..markets {
            store.commit(&image(market)).expect("a good commit");
        }
        let config = FanoutConfig {
            flush_interval_ms: 0,
            heartbeat_interval_ms: NEVER_MS,
            stuck_timeout_ms: NEVER_MS,
            ..FanoutConfig::default()
        };
        let mut fanout = Fanout::new(config);
        fanout.handle_timeout(0, &store);
        let (shards, door) = Shards::start(1).expect("a thread");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (requests, _) = mpsc::channel(1);
        let config = GatewayConfig::default();
        runtime.spawn(serve(listener, requests, door, config, std::future::pending()));
        let probe = Probe::connect(address);
        let (now_ms, turn, piece_bytes) = (0, 0, 0);
        let mut gateway =
            Self { store, fanout, shards, address, now_ms, turn, piece_bytes, probe, _runtime: runtime };
        gateway.settle(QUIET);
        gateway
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn behind(&self) -> usize {
        self.fanout.behind()
    }

    /// Takes in what the shards report and posts what follows; says whether there was anything.
    fn pump(&mut self) -> bool {
        let mut has_moved = false;
        while let Some(events) = self.shards.try_next() {
            has_moved = true;
            for event in events {
                match event {
                    ShardEvent::Connect { connection } => self.fanout.connect(self.now_ms, connection),
                    ShardEvent::Message { connection, message } => {
                        self.fanout.handle_message(self.now_ms, &self.store, connection, message);
                    }
                    ShardEvent::Report(report) => {
                        self.fanout.handle_report(self.now_ms, &self.store, report);
                    }
                    ShardEvent::Disconnect { connection, .. } => self.fanout.disconnect(connection),
                }
            }
        }
        while let Some(output) = self.fanout.poll_output() {
            has_moved = true;
            self.shards.post(output);
        }
        self.shards.turn();
        has_moved
    }

    /// Turns until nothing has happened for a time.
    pub(crate) fn settle(&mut self, quiet: Duration) {
        let mut last = Instant::now();
        while last.elapsed() < quiet {
            let has_moved = self.pump() | self.probe.read();
            if let Some(message) = self.probe.client.poll_transmit() {
                self.probe.say(&message);
            }
            if has_moved {
                last = Instant::now();
            } else {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }

    /// Waits until so many readers are live.
    pub(crate) fn wait_for(&mut self, connections: usize, readers: &mut Readers) {
        while self.fanout.connections() < connections + 1 {
            self.settle(Duration::from_millis(10));
        }
        loop {
            let before = readers.received();
            self.settle(QUIET);
            if readers.received() == before {
                break;
            }
        }
        readers.forget();
    }

    pub(crate) fn commit(&mut self, changing: usize) {
        self.turn += 1;
        // Longer than the rush of connecting lasts.
        self.now_ms += 1_000;
        let committed = self.store.commit(&change(changing, self.turn)).expect("a good commit");
        self.fanout.handle_commit(self.now_ms, &self.store, &committed);
        self.fanout.handle_timeout(self.now_ms, &self.store);
        self.pump();
    }

    /// One commit to everybody.
    pub(crate) fn round(&mut self, changing: usize, readers: &mut Readers) -> Spent {
        let counters = self.shards.counters();
        let before = counters.read();
        self.turn += 1;
        // Longer than the rush of connecting lasts.
        self.now_ms += 1_000;
        let commit = change(changing, self.turn);
        let committed = self.store.commit(&commit).expect("a good commit");
        let pieces_before = self.fanout.stats();
        let began = thread_time();
        self.fanout.handle_commit(self.now_ms, &self.store, &committed);
        self.fanout.handle_timeout(self.now_ms, &self.store);
        self.pump();
        let engine = thread_time() - began;
        let pieces = self.fanout.stats();
        self.piece_bytes = ((pieces.piece_bytes - pieces_before.piece_bytes)
            / (pieces.pieces - pieces_before.pieces).max(1)) as usize;
        let due = self.fanout.connections() as u64;
        while counters.read().shards.frames < before.shards.frames + due {
            std::thread::sleep(Duration::from_micros(500));
        }
        let after = counters.read();
        assert_eq!(after.shards.fell_behind, before.shards.fell_behind, "the readers keep up");
        let all = after.shards.frame_bytes - before.shards.frame_bytes;
        let mut of_probe = 0;
        while self.probe.client.cursor().is_none_or(|cursor| cursor.revision < self.store.revision()) {
            of_probe += self.probe.read_bytes();
        }
        readers.wait_for(all - of_probe as u64);
        Spent { engine, shards: after.cpu - before.cpu, bytes: all - of_probe as u64 }
    }

    /// The pieces of the last round: market and length.
    pub(crate) fn pieces(&self, changing: usize) -> Vec<(usize, usize)> {
        (0..changing).map(|market| (market, self.piece_bytes)).collect()
    }

    /// A receiver holds what the store holds.
    pub(crate) fn check(&self) {
        assert!(self.probe.client.is_synced());
        assert_eq!(self.probe.client.stats().gaps, 0);
        assert_eq!(self.probe.client.len(), self.store.len());
        for reading in self.probe.client.markets(0) {
            let held = self.store.market(reading.market.number()).expect("the store has it");
            assert_eq!(reading.market.digest(View::FULL), held.digest(View::FULL));
        }
    }
}

impl Probe {
    fn connect(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).expect("the server is there");
        let request = "GET /v1/stream HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: oddswire.v1\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("a request");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer");
            head.push(byte[0]);
        }
        stream.set_nonblocking(true).expect("a socket that does not block");
        let mut client = ClientSession::new(ClientConfig::default());
        let topics = vec!["all".parse().expect("a topic")];
        client.subscribe(1, SubscriptionRequest { topics, view: View::FULL, rate_ms: 0 });
        client.connected(0);
        Self { stream, client, unread: Vec::new() }
    }

    fn say(&mut self, payload: &Bytes) {
        let mut frame = vec![0x82, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        assert!(payload.len() < 126, "the probe says little");
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame).expect("the server listens");
    }

    fn read(&mut self) -> bool {
        self.read_bytes() > 0
    }

    /// Applies what has come; returns its bytes.
    fn read_bytes(&mut self) -> usize {
        let mut buffer = [0; 64 * 1024];
        let count = match self.stream.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => panic!("{error}"),
        };
        self.unread.extend_from_slice(&buffer[..count]);
        while let Some((start, end)) = first_frame(&self.unread) {
            let frame = Bytes::copy_from_slice(&self.unread[start..end]);
            self.client.handle_frame(0, frame).expect("a good frame");
            self.unread.drain(..end);
        }
        while self.client.poll_event().is_some() {}
        count
    }
}

/// Where the payload of the first whole frame begins and ends.
fn first_frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (start, length) = match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        length => (2, usize::from(length)),
    };
    (bytes.len() >= start + length).then_some((start, start + length))
}
