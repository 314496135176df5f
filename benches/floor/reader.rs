//! The readers: a process of its own that opens connections, subscribes, and throws away what comes.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream as StdStream},
    ops::Range,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use mio::{Events, Interest as Readiness, Poll, Token, net::TcpStream};
use oddswire_wire::{
    encode_client_message,
    proto::{self, client_message::Message},
};

use crate::{
    Interest, machine,
    markets::{id, own_set},
};

/// Connections come no faster than this: what a server queues for a crowd is not what a connection takes.
const PACE: Duration = Duration::from_millis(2);
/// How long the readers may take for a round.
const PATIENCE: Duration = Duration::from_secs(60);

/// The readers, from the server's side.
pub(crate) struct Readers {
    child: Child,
    input: ChildStdin,
    received: Arc<AtomicU64>,
    expected: u64,
}

impl Readers {
    /// Starts a process with connections to a gateway and, unless that is the same address, as many to a bare loop. Which
    /// sets of their own they follow is in their numbers.
    pub(crate) fn start(
        gateway: SocketAddr,
        raw: SocketAddr,
        connections: Range<usize>,
        interest: Interest,
        markets: usize,
    ) -> Self {
        let own = match interest {
            Interest::Shared => 0,
            Interest::Own(own) => own,
        };
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .arg("read")
            .args([gateway.to_string(), raw.to_string()])
            .args([connections.start, connections.end, own, markets].map(|number| number.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("another process");
        let input = child.stdin.take().expect("its input");
        let output = child.stdout.take().expect("its output");
        let received = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&received);
        std::thread::spawn(move || count(output, &counted));
        Self { child, input, received, expected: 0 }
    }

    /// From now on only what comes after this counts.
    pub(crate) fn forget(&mut self) {
        self.expected = self.received.load(Relaxed);
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    /// Waits until so many more bytes have arrived.
    pub(crate) fn wait_for(&mut self, bytes: u64) {
        self.expected += bytes;
        let began = Instant::now();
        while self.received() < self.expected {
            assert!(began.elapsed() < PATIENCE, "{} of {} bytes arrived", self.received(), self.expected);
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// They read nothing any more.
    pub(crate) fn stall(&mut self) {
        self.input.write_all(b"stall\n").expect("they listen");
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn count(output: ChildStdout, received: &AtomicU64) {
    for line in BufReader::new(output).lines() {
        let Some(total) = line.ok().and_then(|line| line.parse().ok()) else { return };
        received.store(total, Relaxed);
    }
}

/// The process.
pub(crate) fn run(arguments: &[String]) {
    machine::pin(machine::last());
    let [gateway, raw, first, end, own, markets] = arguments else { panic!("called by the benchmark only") };
    let number = |text: &String| text.parse::<usize>().expect("a number");
    let (connections, own, markets) = (number(first)..number(end), number(own), number(markets));
    let mut poll = Poll::new().expect("a poll");
    let mut streams: Vec<TcpStream> = Vec::new();
    if raw != gateway {
        streams.extend(connections.clone().map(|_| plain(raw)));
    }
    for connection in connections {
        let topics = match own {
            0 => vec!["all".to_owned()],
            own => own_set(connection, own, markets).map(|market| format!("market/{}", id(market))).collect(),
        };
        streams.push(subscribed(gateway, &topics));
        std::thread::sleep(PACE);
    }
    for (at, stream) in streams.iter_mut().enumerate() {
        poll.registry().register(stream, Token(at), Readiness::READABLE).expect("a place");
    }
    let is_stalled = Arc::new(AtomicBool::new(false));
    let stalled = Arc::clone(&is_stalled);
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = std::io::stdin().read_line(&mut line);
        stalled.store(true, Relaxed);
    });
    let mut events = Events::with_capacity(4_096);
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0u64;
    loop {
        poll.poll(&mut events, Some(Duration::from_millis(100))).expect("readiness");
        if is_stalled.load(Relaxed) {
            std::thread::sleep(Duration::from_secs(3_600));
        }
        let before = total;
        for event in &events {
            loop {
                match streams[event.token().0].read(&mut buffer) {
                    Ok(0) => return,
                    Ok(count) => total += count as u64,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        if total != before {
            println!("{total}");
        }
    }
}

fn plain(address: &str) -> TcpStream {
    let stream = StdStream::connect(address).expect("the server is there");
    stream.set_nonblocking(true).expect("a socket that does not block");
    TcpStream::from_std(stream)
}

/// A connection that has said hello and subscribed. What the server has answered so far is not counted.
fn subscribed(address: &str, topics: &[String]) -> TcpStream {
    let mut stream = StdStream::connect(address).expect("the server is there");
    stream.set_nodelay(true).expect("no delay");
    stream
        .write_all(
            b"GET /v1/stream HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
              Sec-WebSocket-Protocol: oddswire.v1\r\n\r\n",
        )
        .expect("a request");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("an answer");
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    let mut said = frame(&Message::Hello(proto::Hello { agent: "bench".into(), ..Default::default() }));
    for (at, topics) in topics.chunks(32).enumerate() {
        said.extend(frame(&Message::Subscribe(proto::Subscribe {
            subscription: at as u32 + 1,
            topics: topics.to_vec(),
            view: Some(proto::View { depth: proto::Depth::Full.into(), volumes: true, ..Default::default() }),
            ..Default::default()
        })));
    }
    stream.write_all(&said).expect("a subscription");
    stream.set_nonblocking(true).expect("a socket that does not block");
    TcpStream::from_std(stream)
}

/// A message masked with zeros.
pub(crate) fn frame(message: &Message) -> Vec<u8> {
    let payload = encode_client_message(message.clone());
    let mut frame = vec![0x82];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(&payload);
    frame
}
