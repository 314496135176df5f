//! The transport under a receiver: a socket, and as few bytes around it as possible.

use std::{
    io::{self, Read, Write},
    mem,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use mio::{Interest, Registry, Token, net::TcpStream};
use oddswire_session::Backoff;
use socket2::{Domain, SockRef, Socket, Type};

use crate::{
    receiver::{End, Receiver, Role, Surroundings},
    target::Target,
    websocket::{self, Opcode},
};

/// Kernel receive buffer of those who read slowly or not at all: what lies there counts as read for the server. The system
/// doubles it.
const SLOW_BUFFER_BYTES: usize = 4 * 1024;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It waits for its time.
    Waiting,
    /// The kernel connects.
    Connecting,
    /// The upgrade was asked for.
    Upgrading,
    /// Frames come.
    Open,
}

/// One connection after the other, of one receiver.
pub(crate) struct Connection {
    pub(crate) receiver: Receiver,
    pub(crate) phase: Phase,
    stream: Option<TcpStream>,
    /// Counts the timers that were set; only the last one counts.
    pub(crate) timer: u32,
    /// When anything last came.
    pub(crate) heard_ms: u64,
    /// When the first attempt began of those that have not led to everything being there.
    began_us: Option<u64>,
    /// It had everything at least once: slow ones are slow from then on.
    had_everything: bool,
    pub(crate) backoff: Backoff,
    /// Bytes of a frame that is not all there.
    partial: Vec<u8>,
    /// Payload of a message whose last WebSocket frame is not there.
    fragments: Vec<u8>,
    /// What the kernel has not taken.
    unsent: Vec<u8>,
    mask: u32,
}

impl Connection {
    pub(crate) fn new(receiver: Receiver, backoff: Backoff, mask: u32) -> Self {
        Self {
            receiver,
            phase: Phase::Waiting,
            stream: None,
            timer: 0,
            heard_ms: 0,
            began_us: None,
            had_everything: false,
            backoff,
            partial: Vec::new(),
            fragments: Vec::new(),
            unsent: Vec::new(),
            mask,
        }
    }

    /// Whether it reads as fast as it can now.
    pub(crate) fn reads_freely(&self) -> bool {
        match self.receiver.role {
            Role::Scout | Role::Normal => true,
            Role::Slow | Role::Stuck => !self.had_everything,
        }
    }

    /// Whether it reads at all now.
    pub(crate) fn reads(&self) -> bool {
        self.receiver.role != Role::Stuck || self.reads_freely()
    }

    /// Begins to connect.
    pub(crate) fn open(
        &mut self,
        around: &Surroundings,
        target: &Target,
        source: Option<IpAddr>,
        registry: &Registry,
        token: Token,
    ) -> Result<(), End> {
        self.began_us.get_or_insert(around.clock.now_us());
        self.heard_ms = around.clock.now_ms();
        let small_buffer = matches!(self.receiver.role, Role::Slow | Role::Stuck);
        let mut stream = connect(target.address, source, small_buffer)
            .map_err(|error| End::NotConnected(format!("cannot connect to {}: {error}", target.address)))?;
        registry
            .register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)
            .map_err(|error| End::NotConnected(format!("the system watches no more sockets: {error}")))?;
        self.stream = Some(stream);
        self.phase = Phase::Connecting;
        Ok(())
    }

    /// The socket takes bytes, or connecting has come to an end.
    pub(crate) fn writable(&mut self, target: &Target) -> Result<(), End> {
        let Some(stream) = &self.stream else { return Ok(()) };
        if self.phase == Phase::Connecting {
            let failed = |error: io::Error| {
                End::NotConnected(format!("nothing answers at {}: {error}", target.address))
            };
            match stream.take_error() {
                Ok(None) => {}
                Ok(Some(error)) | Err(error) => return Err(failed(error)),
            }
            match stream.peer_addr() {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(()),
                Err(error) => return Err(failed(error)),
            }
            self.phase = Phase::Upgrading;
            self.unsent = websocket::request(target);
        }
        self.write()
    }

    /// Reads what is there, at most about `limit` bytes of it. `is_closed`: the other end has said its last word.
    ///
    /// Returns whether everything has just come to be there.
    pub(crate) fn read(
        &mut self,
        around: &mut Surroundings,
        buffer: &mut [u8],
        limit: usize,
        is_closed: bool,
    ) -> Result<bool, End> {
        let (mut left, mut became_fresh) = (limit, false);
        while left > 0 && self.stream.is_some() {
            let room = left.min(buffer.len());
            let Some(stream) = &mut self.stream else { break };
            let count = match stream.read(&mut buffer[..room]) {
                Ok(0) if self.phase == Phase::Open => return Err(End::Lost(None)),
                Ok(0) => {
                    return Err(End::NotConnected("the other end hung up before the upgrade".to_owned()));
                }
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if self.phase == Phase::Open => return Err(End::Lost(Some(error.to_string()))),
                Err(error) => return Err(End::NotConnected(error.to_string())),
            };
            left -= count;
            self.heard_ms = around.clock.now_ms();
            became_fresh |= self.take(around, &buffer[..count])?;
            // A short read has emptied the socket; asking again would cost as much as reading.
            if count < room && !is_closed {
                break;
            }
            if !self.reads() {
                break;
            }
        }
        if became_fresh {
            self.had_everything = true;
            self.backoff.reset();
            around.tally.counts.synced += 1;
            if let Some(began_us) = self.began_us.take() {
                around.tally.synced.record(around.clock.now_us().saturating_sub(began_us));
            }
        }
        self.write()?;
        Ok(became_fresh)
    }

    /// Ends the connection. A cut is abrupt, as when a process dies: what is on its way is thrown away.
    pub(crate) fn close(&mut self, is_cut: bool) {
        if let Some(stream) = self.stream.take()
            && is_cut
        {
            // That the system refuses is no harm: the end is only less abrupt.
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        self.phase = Phase::Waiting;
        self.timer += 1;
        self.partial = Vec::new();
        self.fragments = Vec::new();
        self.unsent = Vec::new();
        self.receiver.disconnected();
    }

    /// From now on it reads as fast as it can.
    pub(crate) fn release(&mut self) {
        if self.receiver.role == Role::Slow {
            self.had_everything = false;
        }
    }

    fn take(&mut self, around: &mut Surroundings, bytes: &[u8]) -> Result<bool, End> {
        if self.partial.is_empty() {
            let (used, became_fresh) = self.consume(around, bytes)?;
            self.partial.extend_from_slice(&bytes[used..]);
            return Ok(became_fresh);
        }
        let mut partial = mem::take(&mut self.partial);
        partial.extend_from_slice(bytes);
        let (used, became_fresh) = self.consume(around, &partial)?;
        if used < partial.len() {
            partial.drain(..used);
            self.partial = partial;
        }
        Ok(became_fresh)
    }

    /// Takes every whole frame off the front; returns how many bytes that were.
    fn consume(&mut self, around: &mut Surroundings, bytes: &[u8]) -> Result<(usize, bool), End> {
        let (mut used, mut became_fresh) = (0, false);
        if self.phase == Phase::Upgrading {
            match websocket::answer(bytes).map_err(End::NotConnected)? {
                None => return Ok((0, false)),
                Some(length) => used = length,
            }
            self.phase = Phase::Open;
            self.receiver.greet(around);
        }
        while let Some(frame) =
            websocket::frame(&bytes[used..]).map_err(|what| End::Malformed(what.to_owned()))?
        {
            used += frame.length;
            around.tally.counts.bytes += frame.length as u64;
            match frame.opcode {
                Opcode::Binary if frame.is_last && self.fragments.is_empty() => {
                    became_fresh |= self.receiver.take(around, frame.payload)?;
                }
                Opcode::Binary | Opcode::Continuation => {
                    self.fragments.extend_from_slice(frame.payload);
                    if self.fragments.len() > oddswire_wire::limits::FRAME_BYTES_MAX {
                        return Err(End::Malformed("a message is longer than any may be".to_owned()));
                    }
                    if frame.is_last {
                        let message = mem::take(&mut self.fragments);
                        became_fresh |= self.receiver.take(around, &message)?;
                    }
                }
                Opcode::Ping => websocket::write_pong(&mut self.unsent, frame.payload, self.mask),
                Opcode::Pong => {}
                Opcode::Close => {
                    let code = frame.payload.first_chunk().map_or(1_005, |&code| u16::from_be_bytes(code));
                    let reason = String::from_utf8_lossy(frame.payload.get(2..).unwrap_or_default());
                    let reason: String = reason.chars().filter(|char| !char.is_control()).collect();
                    return Err(End::Lost(Some(format!("closed with {code}: {reason}"))));
                }
            }
        }
        Ok((used, became_fresh))
    }

    fn write(&mut self) -> Result<(), End> {
        for message in self.receiver.outbox.drain(..) {
            // What a mask hides is known to whoever reads it, so a different one each time is all that it takes.
            self.mask = self.mask.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            websocket::write_binary(&mut self.unsent, &message, self.mask);
        }
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while !self.unsent.is_empty() {
            match stream.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(End::Lost(Some(error.to_string()))),
            }
        }
        self.unsent = Vec::new();
        self.receiver.outbox = Vec::new();
        Ok(())
    }
}

fn connect(address: SocketAddr, source: Option<IpAddr>, small_buffer: bool) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // Subscribes are small and waited for; that the system cannot do without the delay is no reason to give up.
    let _ = socket.set_tcp_nodelay(true);
    if small_buffer {
        socket.set_recv_buffer_size(SLOW_BUFFER_BYTES)?;
    }
    if let Some(source) = source {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&address.into()) {
        Err(error) if !is_under_way(&error) => return Err(error),
        _ => {}
    }
    Ok(TcpStream::from_std(socket.into()))
}

#[cfg(unix)]
fn is_under_way(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}

#[cfg(not(unix))]
fn is_under_way(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}
