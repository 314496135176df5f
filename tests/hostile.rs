//! Peers that break the rules get a typed error and a counted close; the others do not notice.

mod oracle;
mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use oddswire_client::{Client, Subscription};
use oddswire_feeds::simulator::{Simulator, SimulatorConfig};
use oddswire_gateway::{CONTROL_FRAMES_BURST, DisconnectCause, REQUEST_HEAD_BYTES_MAX};
use oddswire_model::View;
use oddswire_server::{Server, ServerConfig};
use oddswire_session::{ClientConfig, ClientSession, SubscriptionRequest};
use oddswire_wire::{
    decode_frame, encode_client_message,
    proto::{self, Conflation, ErrorCode, client_message::Message},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
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
        Self::upgrade(TcpStream::connect(server.http).await.expect("the server is there")).await
    }

    /// A peer whose kernel takes little.
    async fn connect_with_buffer(server: &Server, bytes: u32) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(bytes).expect("a small buffer");
        Self::upgrade(socket.connect(server.http).await.expect("the server is there")).await
    }

    async fn upgrade(mut stream: TcpStream) -> Self {
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

async fn server_with(change: impl FnOnce(&mut ServerConfig)) -> Server {
    let mut config = ServerConfig::default();
    config.http.listen = "127.0.0.1:0".parse().expect("an address");
    config.grpc.listen = "127.0.0.1:0".parse().expect("an address");
    change(&mut config);
    Server::start(&config).await.expect("a free port")
}

/// What the server says to bytes, to the end, and how long that takes.
async fn answer_to(server: &Server, bytes: &[u8]) -> (String, Duration) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(server.http).await.expect("the server is there");
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE * 3, stream.read_to_end(&mut answer)).await.expect("the server lets go in time");
    (String::from_utf8_lossy(&answer).into_owned(), began.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_head_has_its_time_and_its_size() {
    let server = server_with(|_| {}).await;
    let (half, took) = answer_to(&server, b"GET /v1/stream HTTP/1.1\r\nHost: test\r\n").await;
    assert!(!half.starts_with("HTTP/1.1 2"), "{half}");
    assert!((Duration::from_secs(4)..Duration::from_secs(8)).contains(&took), "half a request: {took:?}");
    let head = |length: usize| {
        let frame = "GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\nX: \r\n\r\n";
        frame.replace("X: ", &format!("X: {}", "x".repeat(length - frame.len()))).into_bytes()
    };
    let (fits, _) = answer_to(&server, &head(REQUEST_HEAD_BYTES_MAX)).await;
    assert!(fits.starts_with("HTTP/1.1 200"), "{fits}");
    let (too_long, _) = answer_to(&server, &head(REQUEST_HEAD_BYTES_MAX + 1)).await;
    assert!(too_long.starts_with("HTTP/1.1 431") || too_long.is_empty(), "{too_long}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_fragments_and_pings_at_their_limits_and_one_past() {
    let server = server_with(|_| {}).await;
    let is_alive = async |peer: &mut Peer| {
        peer.send(8, &1_000u16.to_be_bytes()).await;
        peer.verdict().await.1 == Some(1_000)
    };
    // Field 13 is of a later version and is passed over, however long.
    let message = |length: usize| {
        let payload = length - 3;
        [&[0x6a, (payload & 0x7f) as u8 | 0x80, (payload >> 7) as u8][..], &vec![0; payload]].concat()
    };
    let mut peer = Peer::connect(&server).await;
    peer.say(hello()).await;
    peer.send(2, &message(4_096)).await;
    assert!(is_alive(&mut peer).await, "4,096 bytes are taken");
    let mut peer = Peer::connect(&server).await;
    peer.send(2, &message(4_097)).await;
    assert_eq!(peer.verdict().await, (None, Some(1_009)));

    let hello = encode_client_message(hello());
    for (fragments, expected) in [(8, true), (9, false)] {
        let mut peer = Peer::connect(&server).await;
        for at in 0..fragments {
            let last = at + 1 == fragments;
            let part = if last { &hello[at..] } else { &hello[at..at + 1] };
            let opcode = if at == 0 { 2 } else { 0 };
            let frame = [&[opcode | u8::from(last) << 7, 0x80 | part.len() as u8, 0, 0, 0, 0], part].concat();
            peer.raw(&frame).await;
        }
        if expected {
            assert!(
                matches!(peer.hear().await, Heard::Frame(_)),
                "a hello in {fragments} fragments is answered"
            );
        } else {
            assert_eq!(peer.verdict().await, (None, Some(1_009)));
        }
    }

    let mut peer = Peer::connect(&server).await;
    for _ in 0..CONTROL_FRAMES_BURST {
        peer.send(10, b"").await;
    }
    assert!(is_alive(&mut peer).await, "a burst of {CONTROL_FRAMES_BURST} pongs is taken");
    let mut peer = Peer::connect(&server).await;
    // In one go, so that no token comes in between.
    peer.raw(&[0x8a, 0x80, 0, 0, 0, 0].repeat(CONTROL_FRAMES_BURST as usize + 1)).await;
    assert_eq!(peer.verdict().await, (None, Some(1_008)));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_no_room_is_told_when_to_come_back() {
    let server = server_with(|config| config.http.connections_max = 2).await;
    let (one, _two) = (Peer::connect(&server).await, Peer::connect(&server).await);
    let request = b"GET /v1/stream HTTP/1.1\r\nHost: test\r\n\r\n";
    let (answer, _) = answer_to(&server, request).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("\r\nRetry-After: "), "{answer}");
    drop(one);
    let began = Instant::now();
    loop {
        let (answer, _) =
            answer_to(&server, b"GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await;
        if answer.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "a seat that was left is free again");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_stops_reading_is_skipped_and_then_caught_up_exactly() {
    let server = server_with(|config| config.http.send_buffer_bytes = 8 * 1024).await;
    let mut feed = Simulator::new(SimulatorConfig::small(8));
    for commit in feed.by_ref().take(300) {
        server.commit(commit).await.expect("the store takes it");
    }
    let mut session = ClientSession::new(ClientConfig::default());
    let topics = vec!["all".parse().expect("a topic")];
    session.subscribe(1, SubscriptionRequest { topics, view: View::FULL, rate_ms: 0 });
    session.connected(0);
    let mut peer = Peer::connect_with_buffer(&server, 4 * 1024).await;
    while let Some(message) = session.poll_transmit() {
        peer.send(2, &message).await;
    }
    let take = async |peer: &mut Peer, session: &mut ClientSession| {
        let Heard::Frame(frame) = peer.hear().await else { panic!("the server goes on") };
        let frame = Bytes::from(frame);
        let conflated = decode_frame(frame.clone()).expect("a frame").conflated();
        session.handle_frame(0, frame).expect("a good frame");
        while session.poll_event().is_some() {}
        conflated
    };
    while !session.is_synced() {
        take(&mut peer, &mut session).await;
    }
    let mut last = None;
    for commit in feed.take(6_000) {
        last = Some(server.commit(commit).await.expect("the store takes it"));
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    let report = server.report().await.expect("the server runs");
    assert_eq!(report.behind, 1, "the peer has read nothing for a while");
    let mut was_told = false;
    while session.cursor().map(|cursor| cursor.revision) < last || !session.is_synced() {
        was_told |= take(&mut peer, &mut session).await == Conflation::ReceiverSlow;
    }
    assert!(was_told, "what was conflated says why");
    assert_eq!((session.stats().gaps, session.stats().digest_mismatches), (0, 0));
    let report = server.report().await.expect("the server runs");
    assert_eq!(session.len(), report.markets);
    // A heartbeat later the digests of some markets have been compared.
    let before = session.stats().digests_checked;
    while session.stats().digests_checked == before {
        take(&mut peer, &mut session).await;
    }
    assert_eq!(session.stats().digest_mismatches, 0);
    println!("behind {} times, {} catch-ups", report.fanout.fell_behind, report.fanout.catch_ups);
    server.stop().await;
}
