//! Peers that break the rules get a typed error and a counted close; the others do not notice.

mod oracle;
mod support;

use std::time::Duration;

use bytes::Bytes;
use oddswire_client::{Client, Subscription};
use oddswire_feeds::simulator::{Simulator, SimulatorConfig};
use oddswire_gateway::DisconnectCause;
use oddswire_server::{Server, ServerConfig};
use oddswire_wire::{
    decode_frame, encode_client_message,
    proto::{self, ErrorCode, client_message::Message},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A peer that speaks raw bytes, so that it can say what no library would.
struct Peer {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// What a peer hears.
#[derive(Debug, PartialEq)]
enum Heard {
    Frame(Vec<u8>),
    Pong,
    Close(u16),
    End,
}

impl Peer {
    async fn connect(server: &Server) -> Self {
        let mut stream = TcpStream::connect(server.http).await.expect("the server is there");
        let request = "GET /v1/stream HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: oddswire.v1\r\n\r\n";
        stream.write_all(request.as_bytes()).await.expect("a request");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("an answer"));
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        Self { stream, unread: Vec::new() }
    }

    /// Sends a frame masked with zeros, which leaves the payload as it is.
    async fn send(&mut self, opcode: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | length as u8),
            length => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(payload);
        self.raw(&frame).await;
    }

    async fn say(&mut self, message: Message) {
        self.send(2, &encode_client_message(message)).await;
    }

    /// The server may have closed already; that is what the test is about, so failing to send is no failure.
    async fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    async fn hear(&mut self) -> Heard {
        loop {
            if let Some((heard, length)) = split(&self.unread) {
                self.unread.drain(..length);
                return heard;
            }
            let mut buffer = [0; 4_096];
            match timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("the server answers in time")
            {
                Ok(0) | Err(_) => return Heard::End,
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// Listens to the end: the error that was reported, if one was, and the code of the close.
    async fn verdict(&mut self) -> (Option<ErrorCode>, Option<u16>) {
        let (mut error, mut close) = (None, None);
        loop {
            match self.hear().await {
                Heard::Frame(bytes) => {
                    let frame = decode_frame(Bytes::from(bytes)).expect("a frame");
                    error = frame.error.map(|error| error.code()).or(error);
                }
                Heard::Pong => {}
                Heard::Close(code) => close = Some(code),
                Heard::End => return (error, close),
            }
        }
    }
}

/// The first server frame of the bytes, and how long it is.
fn split(bytes: &[u8]) -> Option<(Heard, usize)> {
    let &[first, second, ..] = bytes else { return None };
    let (length, head) = match second {
        126 => (usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize, 10),
        length => (usize::from(length), 2),
    };
    let payload = bytes.get(head..head + length)?;
    let heard = match first & 0x0f {
        8 => Heard::Close(u16::from_be_bytes([*payload.first()?, *payload.get(1)?])),
        10 => Heard::Pong,
        _ => Heard::Frame(payload.to_vec()),
    };
    Some((heard, head + length))
}

fn hello() -> Message {
    Message::Hello(proto::Hello { agent: "peer".into(), ..Default::default() })
}

fn own_code(code: ErrorCode) -> (Option<ErrorCode>, Option<u16>) {
    (Some(code), Some(4_000 + code as u16))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_breakers_are_told_and_counted_and_the_others_do_not_notice() {
    let mut config = ServerConfig::default();
    config.http.listen = "127.0.0.1:0".parse().expect("an address");
    config.grpc.listen = "127.0.0.1:0".parse().expect("an address");
    config.fanout.hello_timeout_ms = 300;
    let server = Server::start(&config).await.expect("a free port");
    let mut feed = Simulator::new(SimulatorConfig::small(5));
    for commit in feed.by_ref().take(200) {
        server.commit(commit).await.expect("the store takes it");
    }
    let good: Vec<Client> = (0..8)
        .map(|seed| {
            Client::builder(format!("ws://{}", server.http)).seed(seed).build().expect("a good address")
        })
        .collect();
    let _subscriptions: Vec<_> = good
        .iter()
        .map(|client| client.subscribe(Subscription::new(["all"])).expect("a subscription"))
        .collect();
    for client in &good {
        client.synced_within(PATIENCE).await.expect("the markets arrive");
    }

    // WebSocket itself.
    let rules: [(&str, Vec<u8>, u16); 7] = [
        ("an unmasked frame", vec![0x82, 0x01, 0x00], 1_002),
        ("a reserved bit", vec![0xc2, 0x80, 0, 0, 0, 0], 1_002),
        ("a reserved opcode", vec![0x83, 0x80, 0, 0, 0, 0], 1_002),
        ("a text message", vec![0x81, 0x81, 0, 0, 0, 0, b'x'], 1_003),
        ("a claim of 2^62 bytes", vec![0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1_009),
        ("a frame one past the limit", vec![0x82, 0xfe, 0x10, 0x01, 0, 0, 0, 0], 1_009),
        ("an empty fragment", vec![0x02, 0x80, 0, 0, 0, 0, 0x00, 0x80, 0, 0, 0, 0], 1_002),
    ];
    let mut protocol = 0;
    for (what, bytes, code) in rules {
        let mut peer = Peer::connect(&server).await;
        peer.raw(&bytes).await;
        assert_eq!(peer.verdict().await, (None, Some(code)), "{what}");
        protocol += 1;
    }

    // The conversation.
    let mut own = 0;
    let mut expect = async |what: &str, messages: Vec<Vec<u8>>, code: ErrorCode| {
        let mut peer = Peer::connect(&server).await;
        for message in messages {
            peer.send(2, &message).await;
        }
        assert_eq!(peer.verdict().await, own_code(code), "{what}");
        own += 1;
    };
    let bytes = |message| encode_client_message(message).to_vec();
    let early = Message::Unsubscribe(proto::Unsubscribe { subscription: 1 });
    expect("garbage", vec![vec![0xff; 40]], ErrorCode::Malformed).await;
    expect("a subscribe before the hello", vec![bytes(early)], ErrorCode::HelloExpected).await;
    expect("two hellos", vec![bytes(hello()), bytes(hello())], ErrorCode::HelloRepeated).await;
    expect("no hello", vec![], ErrorCode::HelloTimeout).await;
    let flood = std::iter::once(bytes(hello()))
        .chain((0..60).map(|_| bytes(Message::Unsubscribe(proto::Unsubscribe { subscription: 9 }))))
        .collect();
    expect("more messages than the burst", flood, ErrorCode::RateLimited).await;
    let many = proto::Resync { markets: vec![1; 513], ..Default::default() };
    expect(
        "a resync of 513 markets",
        vec![bytes(hello()), bytes(Message::Resync(many))],
        ErrorCode::TooLarge,
    )
    .await;

    // Pings by the hundred.
    let mut peer = Peer::connect(&server).await;
    peer.say(hello()).await;
    for _ in 0..200 {
        peer.send(9, b"ping").await;
    }
    assert_eq!(peer.verdict().await.1, Some(1_008));

    // A mistake that is only about one subscription is answered, and the session goes on.
    let mut peer = Peer::connect(&server).await;
    peer.say(hello()).await;
    peer.say(Message::Subscribe(proto::Subscribe {
        subscription: 1,
        topics: vec!["nation/GB".into()],
        ..Default::default()
    }))
    .await;
    let mut answers = Vec::new();
    while answers.is_empty() {
        if let Heard::Frame(bytes) = peer.hear().await {
            answers.extend(
                decode_frame(bytes.into())
                    .expect("a frame")
                    .error
                    .map(|error| (error.code(), error.subscription)),
            );
        }
    }
    assert_eq!(answers, [(ErrorCode::BadTopic, 1)]);
    peer.send(8, &1_000u16.to_be_bytes()).await;
    assert_eq!(peer.verdict().await.1, Some(1_000), "the session was still there to be closed");

    // HTTP that is none.
    for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..], b"GET / HTTP/9.9\r\n\r\n", &[b'A'; 20_000]] {
        let mut stream = TcpStream::connect(server.http).await.expect("the server is there");
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ =
            timeout(PATIENCE * 2, stream.read_to_end(&mut answer)).await.expect("the server lets go in time");
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    }

    let report = server.report().await.expect("the server runs");
    let count = |cause: DisconnectCause| report.disconnects[cause as usize];
    assert_eq!(count(DisconnectCause::Protocol), protocol);
    assert_eq!(count(DisconnectCause::ControlFlood), 1);
    assert_eq!(report.fanout.closed_for_cause, own);

    // The good ones have been live all along, and are now.
    let mut last = report.revision;
    for commit in feed.take(200) {
        last = server.commit(commit).await.expect("the store takes it");
    }
    for client in &good {
        while client.cursor().is_none_or(|cursor| cursor.revision < last) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        client.synced_within(PATIENCE).await.expect("live");
        let stats = client.stats();
        assert_eq!((stats.disconnects, stats.session.gaps, stats.session.digest_mismatches), (0, 0, 0));
    }
    server.stop().await;
}
