//! One connection's socket: what the kernel has not taken, and what the client is in the middle of saying.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, Read, Write},
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes};
use mio::net::TcpStream;
use oddswire_fanout::{Batch, ConnectionId};
use oddswire_session::RateLimit;
use rustix::net::SendFlags;

use crate::{seats::Seat, websocket::Reader};

/// Parts handed to the kernel in one call.
const PARTS_PER_WRITE: usize = 64;
/// Sends of this many bytes and more are handed to the kernel as records. It puts the beginning of a send into what is
/// left of the last packet that waits, even where it has no room for the rest, and the rest would have to be kept here. A record
/// begins a packet of its own, for which there is room or not. Shorter sends share packets, which
/// keeps a slow line from sending one for each.
const RECORD_BYTES: usize = 512;
/// How long the peer has to take the last bytes and answer a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Pings and pongs a client may send per second in the long run.
pub const CONTROL_FRAMES_PER_SECOND: u32 = 10;
/// Pings and pongs a client may send at once.
pub const CONTROL_FRAMES_BURST: u32 = 20;

/// A connection's socket. Everything that only a busy, talking or ending connection needs is boxed.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) id: ConnectionId,
    stream: TcpStream,
    /// The kernel has not taken everything; what it is to take next may be kept, or may be for the fan-out to say.
    is_full: bool,
    /// What is kept.
    unsent: Option<Box<Unsent>>,
    /// The client is in the middle of a message.
    pub(crate) reader: Option<Box<Reader>>,
    control: Option<Box<RateLimit>>,
    /// The conversation is over: what is unsent goes, and then the client must end it until then.
    ends_at: Option<Box<Instant>>,
    _seat: Seat,
}

#[derive(Debug, Default)]
struct Unsent {
    parts: VecDeque<Bytes>,
    /// A pong waits among them; a second ping is not answered until it has gone.
    has_pong: bool,
    has_progressed: bool,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// The kernel took everything.
    All,
    /// Part of it.
    Some,
    /// Nothing: the socket was full, and is full.
    Nothing,
    /// The connection is broken.
    Broken,
}

impl Socket {
    pub(crate) fn new(id: ConnectionId, stream: TcpStream, seat: Seat) -> Self {
        Self {
            id,
            stream,
            is_full: false,
            unsent: None,
            reader: None,
            control: None,
            ends_at: None,
            _seat: seat,
        }
    }

    /// Whether the kernel has not taken everything.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ends_at.is_some()
    }

    /// Whether it has had its time to end.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        self.ends_at.as_ref().is_some_and(|ends_at| now >= **ends_at)
    }

    /// Whether the kernel has taken something of what it did not take at once, since this was last asked.
    pub(crate) fn take_progress(&mut self) -> bool {
        self.unsent.as_mut().is_some_and(|unsent| std::mem::take(&mut unsent.has_progressed))
    }

    /// Writes frames to a socket that is not full; returns how many it has taken, the last of them maybe in part. The
    /// rest of that one is kept, and no more.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(crate) fn write(&mut self, frames: &mut Batch) -> io::Result<usize> {
        loop {
            match self.send(frames.bytes()) {
                Ok(count) if count == frames.bytes().len() => return Ok(frames.frames()),
                Ok(count) => {
                    let begun = frames.begun(count);
                    self.is_full = true;
                    if frames.end(begun) > count {
                        // No room for more: whoever is stuck is so with one part.
                        let parts = [frames.keep(count..frames.end(begun))].into();
                        self.unsent = Some(Box::new(Unsent { parts, ..Unsent::default() }));
                    }
                    return Ok(begun);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_full = true;
                    return Ok(0);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let is_record = cfg!(target_os = "linux") && bytes.len() >= RECORD_BYTES;
        let flags = if is_record { SendFlags::NOSIGNAL | SendFlags::EOR } else { SendFlags::NOSIGNAL };
        self.stream.try_io(|| Ok(rustix::net::send(&self.stream, bytes, flags)?))
    }

    /// Puts parts behind everything else, and writes what can be written.
    pub(crate) fn push(&mut self, parts: impl IntoIterator<Item = Bytes>) -> Written {
        let was_full = std::mem::replace(&mut self.is_full, true);
        self.unsent.get_or_insert_default().parts.extend(parts);
        if was_full { Written::Nothing } else { self.resume() }
    }

    /// Answers a ping, unless an answer waits already.
    pub(crate) fn pong(&mut self, pong: Bytes) -> Written {
        if self.unsent.as_ref().is_some_and(|unsent| unsent.has_pong) {
            return Written::Nothing;
        }
        let written = self.push([pong]);
        if let Some(unsent) = &mut self.unsent {
            unsent.has_pong = true;
        }
        written
    }

    /// Writes what was kept.
    pub(crate) fn resume(&mut self) -> Written {
        if !self.is_full {
            return Written::All;
        }
        let mut has_written = false;
        while let Some(unsent) = self.unsent.as_mut().filter(|unsent| !unsent.parts.is_empty()) {
            let mut slices = [IoSlice::new(&[]); PARTS_PER_WRITE];
            let mut count = 0;
            for (slice, part) in slices.iter_mut().zip(&unsent.parts) {
                *slice = IoSlice::new(part);
                count += 1;
            }
            match self.stream.write_vectored(&slices[..count]) {
                Ok(written) => {
                    has_written = true;
                    unsent.has_progressed = true;
                    unsent.advance(written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return if has_written { Written::Some } else { Written::Nothing };
                }
                Err(_) => return Written::Broken,
            }
        }
        (self.is_full, self.unsent) = (false, None);
        if self.is_ending() && self.stream.shutdown(std::net::Shutdown::Write).is_err() {
            return Written::Broken;
        }
        Written::All
    }

    /// Says the last word and gives the peer a time to take it and to answer.
    pub(crate) fn end(&mut self, last_word: Bytes, now: Instant) -> Written {
        self.ends_at = Some(Box::new(now + CLOSE_TIMEOUT));
        self.reader = None;
        self.push([last_word])
    }

    /// Reads once. `None` when there is nothing to be read now; `Some(0)` when the peer has ended.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match self.stream.read(buffer) {
                Ok(count) => return Ok(Some(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Counts a ping or pong; says whether it may come.
    pub(crate) fn count_control(&mut self, now_ms: u64) -> bool {
        let full = || Box::new(RateLimit::new(CONTROL_FRAMES_PER_SECOND, CONTROL_FRAMES_BURST));
        self.control.get_or_insert_with(full).take(now_ms)
    }
}

impl Unsent {
    fn advance(&mut self, mut written: usize) {
        while let Some(part) = self.parts.front_mut() {
            if written < part.len() {
                part.advance(written);
                return;
            }
            written -= part.len();
            self.parts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr},
        sync::Arc,
    };

    use super::*;
    use crate::seats::Seats;

    /// A socket that takes little, and its peer.
    fn pair() -> (Socket, std::net::TcpStream) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        socket2::SockRef::from(&stream).set_send_buffer_size(4 * 1024).unwrap();
        let seat = Arc::new(Seats::new(1, 1, None)).take(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
        (Socket::new(ConnectionId(0), TcpStream::from_std(stream), seat), peer)
    }

    /// Fills the kernel's buffers until something is kept; returns what was pushed.
    fn fill(socket: &mut Socket) -> usize {
        let mut pushed = 0;
        while !socket.is_full() {
            socket.push([Bytes::from(vec![7; 64 * 1024])]);
            pushed += 64 * 1024;
        }
        pushed
    }

    #[test]
    fn a_second_ping_is_not_answered_while_an_answer_waits() {
        let (mut socket, mut peer) = pair();
        let pushed = fill(&mut socket);
        for _ in 0..10 {
            assert_eq!(socket.pong(Bytes::from_static(b"pong")), Written::Nothing);
        }
        socket.end(Bytes::from_static(b"end"), Instant::now());
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).map(|_| all)
        });
        while socket.resume() != Written::All {
            std::thread::sleep(Duration::from_millis(1));
        }
        let all = reading.join().unwrap().unwrap();
        assert_eq!(&all[pushed..], b"pongend", "one pong, and the last word behind it");
        assert!(!socket.is_full());
        assert_eq!(socket.pong(Bytes::from_static(b"pong")), Written::Broken, "the writing end is shut");
    }

    #[test]
    fn a_full_socket_keeps_one_frame_at_most() {
        let (mut socket, _peer) = pair();
        let mut batch = Batch::of([[7; 3_000]; 4].iter().map(<[u8; 3_000]>::as_slice));
        let mut taken = batch.frames();
        while taken == batch.frames() && !socket.is_full() {
            taken = socket.write(&mut batch).unwrap();
        }
        let kept: usize = socket.unsent.iter().flat_map(|unsent| &unsent.parts).map(Bytes::len).sum();
        assert!(kept < 3_000, "{kept} bytes are kept");
        assert!(taken <= batch.frames());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_long_frame_is_taken_whole_or_not_at_all() {
        for length in (0..20).map(|at| RECORD_BYTES + at * 777) {
            let (mut socket, _peer) = pair();
            socket2::SockRef::from(&socket.stream).set_send_buffer_size(64 * 1024).unwrap();
            let frame = vec![7; length];
            while socket.write(&mut Batch::of([frame.as_slice()])).unwrap() == 1 && !socket.is_full() {}
            assert!(socket.is_full());
            assert!(socket.unsent.is_none(), "a part of a frame of {length} bytes is kept");
        }
    }

    #[test]
    fn pings_are_counted_to_the_burst_and_one_past_it() {
        let (mut socket, _peer) = pair();
        assert!((0..CONTROL_FRAMES_BURST).all(|_| socket.count_control(0)));
        assert!(!socket.count_control(0), "one past the burst");
        assert!(socket.count_control(1_000 / u64::from(CONTROL_FRAMES_PER_SECOND)), "one more every 100 ms");
    }
}
