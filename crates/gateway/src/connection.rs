//! One WebSocket connection: bytes between a socket and the engine.

use std::{collections::VecDeque, io, net::SocketAddr};

use bytes::{Buf, Bytes};
use oddswire_fanout::ConnectionId;
use oddswire_session::RateLimit;
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::{Duration, Instant, timeout},
};
use tracing::debug;

use crate::{
    request::{Command, DisconnectCause, GatewayRequest},
    websocket::{self, CloseCode, Event, Reader, ReaderError},
};

/// Bytes read from a socket at once: a client's largest message and its header.
const READ_BYTES: usize = 4 * 1024 + 14;
/// Frames handed to the kernel in one call.
const FRAMES_PER_WRITE: usize = 16;
/// Commands that wait for a connection's task: what the fan-out sends at once to a ready connection is one command;
/// a drain and a close may come on top.
const COMMANDS_WAITING_MAX: usize = 4;
/// Pings and pongs a client may send per second, and at once.
const CONTROL_FRAMES_PER_SECOND: u32 = 10;
const CONTROL_FRAMES_BURST: u32 = 20;
/// How long the peer has to take the last bytes and answer a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs a connection to its end, and reports it.
pub(crate) async fn run(
    stream: TcpStream,
    already_read: Bytes,
    peer: SocketAddr,
    requests: mpsc::Sender<GatewayRequest>,
) {
    let (sender, commands) = mpsc::channel(COMMANDS_WAITING_MAX);
    let (reply, id) = oneshot::channel();
    if requests.send(GatewayRequest::Connect { commands: sender, reply }).await.is_err() {
        return;
    }
    let Ok(id) = id.await else { return };
    let mut connection = Socket {
        stream,
        reader: Reader::default(),
        unsent: VecDeque::new(),
        is_busy: false,
        has_pong: false,
        is_closing: false,
        control: RateLimit::new(CONTROL_FRAMES_PER_SECOND, CONTROL_FRAMES_BURST),
        started: Instant::now(),
    };
    let ended = connection.talk(id, already_read, commands, &requests).await;
    if let Err(error) = &ended {
        debug!(%peer, ?id, %error, "connection ended");
    }
    let cause = match ended {
        Ok(()) | Err(End::Commanded | End::Stopped) => DisconnectCause::Server,
        Err(End::Closed) => DisconnectCause::Closed,
        Err(End::Io(_)) => DisconnectCause::Gone,
        Err(End::Protocol(_)) => DisconnectCause::Protocol,
        Err(End::ControlFlood) => DisconnectCause::ControlFlood,
    };
    let _ = requests.send(GatewayRequest::Disconnect { connection: id, cause }).await;
    connection.finish().await;
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the peer closed")]
    Closed,
    #[error("the peer is gone: {0}")]
    Io(#[from] io::Error),
    #[error("the peer broke the protocol: {0}")]
    Protocol(#[from] ReaderError),
    #[error("the peer sends pings and pongs too often")]
    ControlFlood,
    #[error("the server ended it")]
    Commanded,
    #[error("the engine is gone")]
    Stopped,
}

struct Socket {
    stream: TcpStream,
    reader: Reader,
    /// What the kernel has not taken yet.
    unsent: VecDeque<Bytes>,
    /// The engine waits to hear that the socket is ready.
    is_busy: bool,
    /// A pong waits among the unsent; a second ping is not answered until it has gone.
    has_pong: bool,
    is_closing: bool,
    control: RateLimit,
    started: Instant,
}

impl Socket {
    async fn talk(
        &mut self,
        id: ConnectionId,
        already_read: Bytes,
        mut commands: mpsc::Receiver<Command>,
        requests: &mpsc::Sender<GatewayRequest>,
    ) -> Result<(), End> {
        self.take(id, &already_read, requests).await?;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            tokio::select! {
                biased;
                writable = self.stream.writable(), if !self.unsent.is_empty() => {
                    writable?;
                    self.write()?;
                    if self.unsent.is_empty() && self.is_closing {
                        return Err(End::Commanded);
                    }
                    if self.unsent.is_empty() && self.is_busy {
                        self.is_busy = false;
                        requests.send(GatewayRequest::Ready { connection: id }).await.map_err(|_| End::Stopped)?;
                    }
                }
                command = commands.recv(), if !self.is_closing => self.obey(command.ok_or(End::Stopped)?),
                readable = self.stream.readable() => {
                    readable?;
                    match self.stream.try_read(&mut buffer) {
                        Ok(0) => return Err(End::Closed),
                        Ok(count) => self.take(id, &buffer[..count], requests).await?,
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Frames(frames) => {
                self.unsent.extend(frames);
                self.is_busy = true;
            }
            Command::Close { status, reason } => {
                self.unsent.push_back(websocket::close_frame(Some(CloseCode(status)), &reason));
                self.is_closing = true;
            }
        }
    }

    /// Feeds bytes from the peer to the reader and acts on what they say.
    async fn take(
        &mut self,
        id: ConnectionId,
        bytes: &[u8],
        requests: &mpsc::Sender<GatewayRequest>,
    ) -> Result<(), End> {
        let mut rest = bytes;
        loop {
            let event = match self.reader.read(&mut rest) {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.unsent
                        .push_back(websocket::close_frame(Some(error.close_code()), &error.to_string()));
                    return Err(error.into());
                }
            };
            match event {
                Event::Binary(message) => {
                    // Waiting here stops reading from this peer: what it sends faster than it is read stays in its own kernel.
                    let request = GatewayRequest::Message { connection: id, message };
                    requests.send(request).await.map_err(|_| End::Stopped)?;
                }
                Event::Ping(payload) => {
                    self.count_control()?;
                    if !self.has_pong {
                        self.has_pong = true;
                        self.unsent.push_back(websocket::pong_frame(&payload));
                    }
                }
                Event::Pong(_) => self.count_control()?,
                Event::Close { code, .. } => {
                    self.unsent.push_back(websocket::close_frame(code, ""));
                    return Err(End::Closed);
                }
                // The reader refuses text for this endpoint.
                Event::Text(_) => {}
            }
        }
    }

    fn count_control(&mut self) -> Result<(), End> {
        let now_ms = self.started.elapsed().as_millis() as u64;
        if self.control.take(now_ms) {
            return Ok(());
        }
        self.unsent
            .push_back(websocket::close_frame(Some(CloseCode::POLICY), "pings and pongs come too often"));
        Err(End::ControlFlood)
    }

    /// Hands the kernel what it takes, several frames in one call.
    fn write(&mut self) -> io::Result<()> {
        let slices: Vec<io::IoSlice<'_>> =
            self.unsent.iter().take(FRAMES_PER_WRITE).map(|frame| io::IoSlice::new(frame)).collect();
        let mut written = match self.stream.try_write_vectored(&slices) {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        while let Some(frame) = self.unsent.front_mut() {
            if written < frame.len() {
                frame.advance(written);
                break;
            }
            written -= frame.len();
            self.unsent.pop_front();
        }
        if self.unsent.is_empty() {
            self.has_pong = false;
        }
        Ok(())
    }

    /// Sends what is left, a close frame mostly, and lets the peer answer, within a time.
    async fn finish(&mut self) {
        let rest = async {
            while !self.unsent.is_empty() {
                self.stream.writable().await?;
                self.write()?;
            }
            socket2::SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write)?;
            let mut buffer = [0; 512];
            loop {
                self.stream.readable().await?;
                match self.stream.try_read(&mut buffer) {
                    Ok(0) => return io::Result::Ok(()),
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                    _ => {}
                }
            }
        };
        let _ = timeout(CLOSE_TIMEOUT, rest).await;
    }
}
