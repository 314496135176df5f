//! What a live receiver costs on the wire, message by message, on every recording: the table of the README.
//!
//! `cargo test --release --test wire_bytes -- --nocapture` prints it.

mod oracle;
mod support;

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};
use oddswire_fanout::{ConnectionId, Delivery, Fanout, FanoutConfig, LocalShard};
use oddswire_feeds::betfair::Recording;
use oddswire_model::{Epoch, View};
use oddswire_session::{ClientConfig, ClientSession, SubscriptionRequest};
use oddswire_store::Store;

/// Recordings shorter than this say more about the first image than about the stream.
const MESSAGES_MIN: usize = 1_000;
/// The plain encoding must stay under this share of the raw JSON, in the geometric mean.
const PLAIN_SHARE_MAX: f64 = 0.12;

/// permessage-deflate as servers run it at best: one stream per connection, flushed after every message, whose last
/// four bytes are not sent (RFC 7692, section 7.2.1).
struct PerMessageDeflate {
    stream: Compress,
    buffer: Vec<u8>,
}

impl PerMessageDeflate {
    fn new() -> Self {
        Self { stream: Compress::new(Compression::new(6), false), buffer: Vec::new() }
    }

    fn bytes(&mut self, message: &[u8]) -> usize {
        self.buffer.clear();
        self.buffer.reserve(message.len() * 2 + 64);
        self.stream
            .compress_vec(message, &mut self.buffer, FlushCompress::Sync)
            .expect("deflate does not fail");
        self.buffer.len() - 4
    }
}

/// One live receiver of everything, at every commit.
struct Receiver {
    now_ms: u64,
    fanout: Fanout,
    shard: LocalShard,
    client: ClientSession,
    frames: usize,
}

impl Receiver {
    fn new(store: &Store, view: View) -> Self {
        let heartbeat_interval_ms = 1 << 40;
        let config = FanoutConfig { flush_interval_ms: 0, heartbeat_interval_ms, ..FanoutConfig::default() };
        let mut fanout = Fanout::new(config);
        fanout.handle_timeout(0, store);
        let mut client = ClientSession::new(ClientConfig::default());
        client.subscribe(
            1,
            SubscriptionRequest { topics: vec!["all".parse().expect("a topic")], view, rate_ms: 0 },
        );
        let (id, mut shard) = (ConnectionId(0), LocalShard::default());
        shard.join(id);
        fanout.connect(0, id);
        client.connected(0);
        let mut receiver = Self { now_ms: 0, fanout, shard, client, frames: 0 };
        while let Some(message) = receiver.client.poll_transmit() {
            receiver.fanout.handle_message(0, store, id, message);
            receiver.receive(store);
        }
        receiver
    }

    /// Takes what is due; returns its bytes.
    fn receive(&mut self, store: &Store) -> usize {
        let mut bytes = 0;
        self.now_ms += 1;
        self.fanout.handle_timeout(self.now_ms, store);
        while let Some(delivery) = self.shard.poll(self.now_ms, &mut self.fanout, store) {
            let Delivery::Frames { to, frames } = delivery else { panic!("{delivery:?}") };
            for frame in frames {
                bytes += frame.len();
                self.frames += 1;
                self.client.handle_frame(0, frame).expect("a good frame");
            }
            self.shard.ready(to);
        }
        while self.client.poll_event().is_some() {}
        bytes
    }
}

#[test]
fn plain_frames_are_a_small_share_of_the_json_they_stand_for() {
    println!(
        "{:34} {:>8} {:>10} {:>9} {:>9} {:>9} {:>9}",
        "recording", "messages", "JSON B/msg", "deflate %", "plain B", "plain %", "prices %"
    );
    let (mut log_plain, mut log_prices, mut log_deflate, mut count) = (0.0, 0.0, 0.0, 0);
    for path in support::recordings() {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (mut raw, mut deflated, mut plain, mut prices, mut messages) = (0, 0, 0, 0, 0);
        let mut deflate = PerMessageDeflate::new();
        for message in oracle::Recording::open(&path).expect("a recording").messages() {
            let text = message.to_string();
            raw += text.len();
            deflated += deflate.bytes(text.as_bytes());
            messages += 1;
        }
        let mut store = Store::new(Epoch(1));
        let mut full = Receiver::new(&store, View::FULL);
        let mut narrow = Receiver::new(&store, View::PRICES);
        for commit in Recording::open(&path).expect("a recording").commits() {
            let committed = store.commit(&commit.expect("a readable message")).expect("a good commit");
            for (receiver, bytes) in [(&mut full, &mut plain), (&mut narrow, &mut prices)] {
                receiver.fanout.handle_commit(receiver.now_ms, &store, &committed);
                *bytes += receiver.receive(&store);
            }
        }
        for (receiver, view) in [(&full, View::FULL), (&narrow, View::PRICES)] {
            assert!(receiver.client.is_synced() && receiver.client.len() == store.len(), "{name}");
            for reading in receiver.client.markets(0) {
                let held = store.market(reading.market.number()).expect("the store has it");
                assert_eq!(reading.market.digest(View::FULL), held.digest(view), "{name}");
            }
        }
        let share = |bytes: usize| bytes as f64 / raw as f64;
        println!(
            "{name:34} {messages:8} {:10.1} {:9.1} {:9.1} {:9.1} {:9.1}",
            raw as f64 / messages as f64,
            share(deflated) * 100.0,
            plain as f64 / messages as f64,
            share(plain) * 100.0,
            share(prices) * 100.0,
        );
        if messages >= MESSAGES_MIN {
            log_plain += share(plain).ln();
            log_prices += share(prices).ln();
            log_deflate += share(deflated).ln();
            count += 1;
        }
    }
    if count == 0 {
        return;
    }
    let mean = |log: f64| (log / f64::from(count)).exp();
    println!(
        "geometric mean of {count} recordings of {MESSAGES_MIN} messages and more: plain {:.1} %, prices only {:.1} %, \
         permessage-deflate {:.1} % of the JSON",
        mean(log_plain) * 100.0,
        mean(log_prices) * 100.0,
        mean(log_deflate) * 100.0,
    );
    assert!(mean(log_plain) <= PLAIN_SHARE_MAX);
}

/// A frame is at least its WebSocket header; the table counts payloads, as the peers' figures do.
#[test]
fn a_websocket_header_takes_two_to_four_bytes_for_deltas() {
    for (payload, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
        let frame: Bytes = oddswire_gateway::websocket::binary_frame(&vec![0; payload]);
        assert_eq!(frame.len() - payload, header);
    }
}
