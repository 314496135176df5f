//! A shard's thread: sockets, and what the fan-out's [`Shard`] wants written to them.

use std::{
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use bytes::Bytes;
use mio::{Interest, Poll, Token, Waker, net::TcpStream};
use oddswire_fanout::{Batch, ConnectionId, FLUSHES_PER_SEND, Flush, Letter, Lines, Output, Shard};
use oddswire_wire::proto::ErrorCode;
use tokio::sync::mpsc;
use tracing::{debug, error};

use crate::{
    counters::ShardCounters,
    request::{DisconnectCause, ShardEvent},
    shards::{Arrival, Events, Inbox, MESSAGES_WAITING_MAX, Queue},
    socket::{Socket, Written},
    websocket::{self, CloseCode, Event, Reader, close_frame, pong_frame},
};

/// Bytes read from a socket at once; the buffer is the shard's.
const READ_BYTES: usize = 16 * 1024;
/// Reads from one socket before the others have their turn.
const READS_PER_TURN: usize = 4;
/// Events taken from the system at once.
const EVENTS_PER_TURN: usize = 1_024;
/// How often sockets that are full or ending are looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// A frame this short is copied behind its header, so that both are one part.
const COPY_BYTES_MAX: usize = 4 * 1024;
/// WebSocket status of an Oddswire error code: 4000 plus the code.
const CLOSE_STATUS_BASE: u16 = 4_000;
/// The token of the waker; sockets have their line.
const WAKE: Token = Token(usize::MAX);

/// A shard and its sockets.
pub(crate) struct Worker {
    poll: Poll,
    inbox: Arc<Inbox>,
    queue: Queue,
    shard: Shard,
    sockets: Sockets,
    buffer: Box<[u8]>,
    /// Sockets that may have more to be read.
    readable: Vec<ConnectionId>,
    flushes: Vec<Arc<Flush>>,
    counters: Arc<ShardCounters>,
    sender: mpsc::UnboundedSender<Events>,
    started: Instant,
    swept: Instant,
}

/// The sockets of a shard, by line.
struct Sockets {
    number: u8,
    table: Vec<Option<Socket>>,
    /// How many connections each line has had.
    lives: Vec<u32>,
    free: Vec<u32>,
    /// Those that have got rid of everything, and those that are broken.
    ready: Vec<ConnectionId>,
    broken: Vec<ConnectionId>,
    events: Vec<ShardEvent>,
    writes: u64,
    bytes_written: u64,
    messages: u64,
    open: u64,
    accepted: u64,
}

impl Worker {
    pub(crate) fn new(
        number: u8,
        inbox: Arc<Inbox>,
        counters: Arc<ShardCounters>,
        sender: mpsc::UnboundedSender<Events>,
    ) -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let sockets = Sockets {
            number,
            table: Vec::new(),
            lives: Vec::new(),
            free: Vec::new(),
            ready: Vec::new(),
            broken: Vec::new(),
            events: Vec::new(),
            writes: 0,
            bytes_written: 0,
            messages: 0,
            open: 0,
            accepted: 0,
        };
        let envelope = |length, out: &mut Vec<u8>| {
            let (header, count) = websocket::binary_header(length);
            out.extend_from_slice(&header[..count]);
        };
        let now = Instant::now();
        let worker = Self {
            poll,
            inbox,
            queue: Queue::default(),
            shard: Shard::new(envelope),
            sockets,
            buffer: vec![0; READ_BYTES].into(),
            readable: Vec::new(),
            flushes: Vec::new(),
            counters,
            sender,
            started: now,
            swept: now,
        };
        Ok((worker, waker))
    }

    /// Turns until the gateway is dropped.
    pub(crate) fn run(mut self) {
        let mut events = mio::Events::with_capacity(EVENTS_PER_TURN);
        loop {
            let is_paused = self.inbox.is_paused.load(Relaxed);
            let has_more = !self.readable.is_empty() && !is_paused;
            let wait = if has_more { Duration::ZERO } else { SWEEP_EVERY };
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    error!(%error, "a shard cannot wait for its sockets any more");
                    return;
                }
                _ => {}
            }
            for event in events.iter().filter(|event| event.token() != WAKE) {
                let Some(Some(socket)) = self.sockets.table.get_mut(event.token().0) else { continue };
                let id = socket.id;
                if event.is_writable() && socket.is_full() {
                    let written = socket.resume();
                    self.sockets.note(id, written);
                }
                if event.is_readable() || event.is_error() || event.is_read_closed() {
                    self.readable.push(id);
                }
            }
            if !is_paused {
                self.read();
            }
            self.inbox.swap(&mut self.queue);
            if self.queue.is_stopped {
                return;
            }
            self.welcome();
            self.obey();
            self.sweep();
            self.settle();
            if self.tell().is_err() {
                return;
            }
        }
    }

    /// Takes new connections in.
    fn welcome(&mut self) {
        for Arrival { stream, already_read, seat } in std::mem::take(&mut self.queue.arrivals) {
            let mut stream = TcpStream::from_std(stream);
            let line = self.sockets.free.pop().unwrap_or(self.sockets.table.len() as u32);
            if line as usize >= ConnectionId::LINES_MAX {
                continue;
            }
            let interests = Interest::READABLE | Interest::WRITABLE;
            if let Err(error) = self.poll.registry().register(&mut stream, Token(line as usize), interests) {
                debug!(%error, "a connection cannot be watched");
                if (line as usize) < self.sockets.table.len() {
                    self.sockets.free.push(line);
                }
                continue;
            }
            let id = self.sockets.insert(line, stream, seat);
            self.shard.join(id);
            self.sockets.events.push(ShardEvent::Connect { connection: id });
            if !already_read.is_empty() {
                self.hear(id, &already_read);
            }
        }
    }

    /// Does what the fan-out wants done. Flushes that have piled up are sent together.
    fn obey(&mut self) {
        let outputs = std::mem::take(&mut self.queue.outputs);
        for output in &outputs {
            if let Output::Flush(flush) = output {
                self.flushes.push(Arc::clone(flush));
                if self.flushes.len() == FLUSHES_PER_SEND {
                    self.flush();
                }
                continue;
            }
            self.flush();
            self.shard.handle(output, &mut self.sockets);
            if let Output::Close { connection, code, reason } = output {
                debug!(?connection, ?code, reason, "closing a connection");
                self.end(*connection, DisconnectCause::Server, close_status(*code), reason);
            }
        }
        self.flush();
        self.queue.outputs = outputs;
        self.queue.outputs.clear();
    }

    fn flush(&mut self) {
        if !self.flushes.is_empty() {
            self.shard.flush(&self.flushes, &mut self.sockets);
            self.inbox.flushed(self.flushes.len());
            self.flushes.clear();
        }
    }

    /// Reads what has come, from each socket for a while.
    fn read(&mut self) {
        let mut again = Vec::new();
        for id in std::mem::take(&mut self.readable) {
            // What waits is counted before it is sent, so a burst overshoots by one turn's reading at most.
            if self.inbox.messages_waiting.load(Relaxed) >= MESSAGES_WAITING_MAX {
                self.inbox.is_paused.store(true, Relaxed);
                again.push(id);
                continue;
            }
            let mut buffer = std::mem::take(&mut self.buffer);
            let mut has_more = true;
            for _ in 0..READS_PER_TURN {
                let Some(socket) = self.sockets.get(id) else {
                    has_more = false;
                    break;
                };
                match socket.read(&mut buffer) {
                    Ok(None) => has_more = false,
                    Ok(Some(0)) => {
                        self.gone(id, DisconnectCause::Closed);
                        has_more = false;
                    }
                    Ok(Some(count)) => self.hear(id, &buffer[..count]),
                    Err(error) => {
                        debug!(?id, %error, "the peer is gone");
                        self.gone(id, DisconnectCause::Gone);
                        has_more = false;
                    }
                }
                if !has_more {
                    break;
                }
            }
            self.buffer = buffer;
            if has_more {
                again.push(id);
            }
        }
        // The rest comes in the next turn.
        self.readable = again;
    }

    /// Feeds bytes from a peer to its reader and acts on what they say.
    fn hear(&mut self, id: ConnectionId, bytes: &[u8]) {
        let Some(socket) = self.sockets.get(id) else { return };
        // After its last word nothing counts that it says.
        if socket.is_ending() {
            return;
        }
        let mut reader = socket.reader.take().map_or_else(Reader::default, |reader| *reader);
        let mut rest = bytes;
        loop {
            match reader.read(&mut rest) {
                Ok(None) => break,
                Ok(Some(Event::Binary(message))) => {
                    self.sockets.messages += 1;
                    self.inbox.messages_waiting.fetch_add(1, Relaxed);
                    self.sockets.events.push(ShardEvent::Message { connection: id, message });
                }
                Ok(Some(Event::Ping(payload))) => {
                    if !self.count_control(id) {
                        return;
                    }
                    if let Some(socket) = self.sockets.get(id) {
                        let written = socket.pong(pong_frame(&payload));
                        self.sockets.note(id, written);
                    }
                }
                Ok(Some(Event::Pong(_))) => {
                    if !self.count_control(id) {
                        return;
                    }
                }
                Ok(Some(Event::Close { code, .. })) => {
                    return self.end(id, DisconnectCause::Closed, code, "");
                }
                // The reader refuses text for this endpoint.
                Ok(Some(Event::Text(_))) => {}
                Err(error) => {
                    debug!(?id, %error, "the peer broke the protocol");
                    let code = Some(error.close_code());
                    return self.end(id, DisconnectCause::Protocol, code, &error.to_string());
                }
            }
        }
        if !reader.is_between_messages()
            && let Some(socket) = self.sockets.get(id)
        {
            socket.reader = Some(Box::new(reader));
        }
    }

    /// Counts a ping or pong; says whether the conversation goes on.
    fn count_control(&mut self, id: ConnectionId) -> bool {
        let now_ms = self.started.elapsed().as_millis() as u64;
        let is_allowed = self.sockets.get(id).is_some_and(|socket| socket.count_control(now_ms));
        if !is_allowed {
            let reason = "pings and pongs come too often";
            self.end(id, DisconnectCause::ControlFlood, Some(CloseCode::POLICY), reason);
        }
        is_allowed
    }

    /// Ends a conversation: says why, and lets the peer answer for a while.
    fn end(&mut self, id: ConnectionId, cause: DisconnectCause, code: Option<CloseCode>, reason: &str) {
        let Some(socket) = self.sockets.get(id).filter(|socket| !socket.is_ending()) else { return };
        let written = socket.end(close_frame(code, reason), Instant::now());
        self.sockets.note(id, written);
        self.leave(id, cause);
    }

    /// The peer is not there any more.
    fn gone(&mut self, id: ConnectionId, cause: DisconnectCause) {
        if let Some(socket) = self.sockets.remove(id)
            && !socket.is_ending()
        {
            self.leave(id, cause);
        }
    }

    fn leave(&mut self, id: ConnectionId, cause: DisconnectCause) {
        self.shard.leave(id);
        self.sockets.events.push(ShardEvent::Disconnect { connection: id, cause });
    }

    /// Looks at sockets that are full or ending, every now and then.
    fn sweep(&mut self) {
        let now = Instant::now();
        if now - self.swept < SWEEP_EVERY {
            return;
        }
        self.swept = now;
        let mut unsent = 0;
        for line in 0..self.sockets.table.len() {
            let Some(socket) = &mut self.sockets.table[line] else { continue };
            let id = socket.id;
            unsent += u64::from(socket.is_full());
            if socket.is_overdue(now) {
                self.sockets.broken.push(id);
            } else if socket.take_progress() {
                self.shard.progress(id);
            }
        }
        self.counters.unsent.store(unsent, Relaxed);
    }

    /// Acts on what writing has shown.
    fn settle(&mut self) {
        for id in std::mem::take(&mut self.sockets.broken) {
            self.gone(id, DisconnectCause::Gone);
        }
        let mut ready = std::mem::take(&mut self.sockets.ready);
        for id in ready.drain(..) {
            if self.sockets.get(id).is_some_and(|socket| !socket.is_full()) {
                self.shard.ready(id);
            }
        }
        self.sockets.ready = ready;
    }

    /// Tells the fan-out's owner what has happened.
    fn tell(&mut self) -> Result<(), mpsc::error::SendError<Events>> {
        self.sockets.events.extend(self.shard.reports().map(ShardEvent::Report));
        self.counters.note(self.shard.stats());
        self.counters.connections.store(self.sockets.open, Relaxed);
        self.counters.accepted.store(self.sockets.accepted, Relaxed);
        self.counters.writes.store(self.sockets.writes, Relaxed);
        self.counters.bytes_written.store(self.sockets.bytes_written, Relaxed);
        self.counters.messages.store(self.sockets.messages, Relaxed);
        self.counters.cpu_ns.store(thread_cpu_ns(), Relaxed);
        if self.sockets.events.is_empty() {
            return Ok(());
        }
        let events = std::mem::take(&mut self.sockets.events);
        self.sender.send(Events { events, shard: usize::from(self.sockets.number) })
    }
}

impl Sockets {
    fn insert(&mut self, line: u32, stream: TcpStream, seat: crate::seats::Seat) -> ConnectionId {
        let at = line as usize;
        if at >= self.table.len() {
            self.table.resize_with(at + 1, || None);
            self.lives.resize(at + 1, 0);
        }
        self.lives[at] = self.lives[at].wrapping_add(1);
        let id = ConnectionId::new(self.number, line, self.lives[at]);
        self.table[at] = Some(Socket::new(id, stream, seat));
        self.open += 1;
        self.accepted += 1;
        id
    }

    fn get(&mut self, id: ConnectionId) -> Option<&mut Socket> {
        self.table.get_mut(id.line())?.as_mut().filter(|socket| socket.id == id)
    }

    /// Closes a socket.
    fn remove(&mut self, id: ConnectionId) -> Option<Socket> {
        self.get(id)?;
        self.free.push(id.line() as u32);
        self.open -= 1;
        self.table[id.line()].take()
    }

    /// Remembers what a write has shown.
    fn note(&mut self, id: ConnectionId, written: Written) {
        match written {
            Written::All => self.ready.push(id),
            Written::Broken => self.broken.push(id),
            Written::Some | Written::Nothing => {}
        }
    }
}

impl Lines for Sockets {
    fn offer(&mut self, connection: ConnectionId, frames: &mut Batch) -> usize {
        let Some(Some(socket)) = self.table.get_mut(connection.line()) else { return frames.frames() };
        if socket.is_full() {
            return 0;
        }
        self.writes += 1;
        let taken = socket.write(frames).unwrap_or_else(|_| {
            self.broken.push(connection);
            frames.frames()
        });
        self.bytes_written += frames.end(taken) as u64;
        taken
    }

    fn give(&mut self, connection: ConnectionId, frames: &mut dyn Iterator<Item = Letter>) {
        let Some(socket) = self.get(connection) else { return };
        let mut parts = Vec::new();
        let mut bytes = 0;
        for Letter { prefix, body } in frames {
            let (header, count) = websocket::binary_header(prefix.len() + body.len());
            bytes += (count + prefix.len() + body.len()) as u64;
            if body.len() <= COPY_BYTES_MAX {
                parts.push(Bytes::from([&header[..count], &prefix, &body].concat()));
            } else {
                parts.push(Bytes::from([&header[..count], &prefix[..]].concat()));
                parts.push(body);
            }
        }
        let written = socket.push(parts);
        self.writes += 1;
        self.bytes_written += bytes;
        self.note(connection, written);
    }
}

fn close_status(code: ErrorCode) -> Option<CloseCode> {
    Some(CloseCode(CLOSE_STATUS_BASE + code as u16))
}

/// Processor time of the calling thread.
fn thread_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
