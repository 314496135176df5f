//! A tap between a client and its gateway: bytes pass unchanged, messages go to a capture.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::super::capture::{self, Direction};

/// Bytes taken from a socket at once.
const READ_BYTES: usize = 64 * 1024;
/// Port of a URL that names none.
const DEFAULT_PORT: u16 = 80;

/// A relay on the loopback that writes down what passes.
#[derive(Debug)]
pub(super) struct Tap {
    url: String,
    file: Arc<Mutex<Written>>,
    task: JoinHandle<()>,
}

/// The capture, and the first thing that went wrong with it.
#[derive(Debug)]
struct Written {
    out: BufWriter<File>,
    failure: Option<io::Error>,
}

impl Written {
    fn record(&mut self, direction: Direction, message: &[u8]) {
        if self.failure.is_none()
            && let Err(error) = capture::write_record(&mut self.out, direction, message)
        {
            self.failure = Some(error);
        }
    }
}

impl Tap {
    /// Listens for the client that is to be given [`Tap::url`] instead of the gateway's.
    pub(super) async fn start(gateway: &str, file: &Path) -> anyhow::Result<Self> {
        let Some(rest) = gateway.strip_prefix("ws://") else {
            bail!("only ws:// addresses can be captured, not {gateway}");
        };
        let path_at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(path_at);
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let upstream = if has_port { authority.to_owned() } else { format!("{authority}:{DEFAULT_PORT}") };
        let mut out = BufWriter::new(
            File::create(file).with_context(|| format!("cannot write the capture {}", file.display()))?,
        );
        capture::write_magic(&mut out)?;
        let file = Arc::new(Mutex::new(Written { out, failure: None }));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("cannot listen on the loopback")?;
        let url = format!("ws://{}{target}", listener.local_addr()?);
        let task = tokio::spawn(accept(listener, upstream, Arc::clone(&file)));
        Ok(Self { url, file, task })
    }

    /// Where the client is to connect.
    pub(super) fn url(&self) -> &String {
        &self.url
    }

    /// Ends the capture.
    pub(super) async fn finish(self) -> anyhow::Result<()> {
        self.task.abort();
        let _ = self.task.await;
        let mut written = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let failure = written.failure.take().map_or_else(|| written.out.flush(), Err);
        failure.context("the capture could not be written whole")
    }
}

/// One connection at a time: a client has no more.
async fn accept(listener: TcpListener, upstream: String, file: Arc<Mutex<Written>>) {
    while let Ok((client, _)) = listener.accept().await {
        match TcpStream::connect(&upstream).await {
            Ok(gateway) => relay(client, gateway, &file).await,
            Err(error) => eprintln!("nothing answers at {upstream} ({error}); check the address"),
        }
    }
}

async fn relay(client: TcpStream, gateway: TcpStream, file: &Mutex<Written>) {
    // Without these the tap would change the timing that it is there to show.
    let _ = (client.set_nodelay(true), gateway.set_nodelay(true));
    record(file, Direction::Connected, &[]);
    let (client_in, client_out) = client.into_split();
    let (gateway_in, gateway_out) = gateway.into_split();
    tokio::select! {
        () = copy(client_in, gateway_out, Direction::FromClient, file) => {}
        () = copy(gateway_in, client_out, Direction::FromServer, file) => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    direction: Direction,
    file: &Mutex<Written>,
) {
    let (mut buffer, mut splitter) = (vec![0; READ_BYTES], Splitter::default());
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        splitter.take(&buffer[..read], |message| record(file, direction, message));
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

fn record(file: &Mutex<Written>, direction: Direction, message: &[u8]) {
    file.lock().unwrap_or_else(PoisonError::into_inner).record(direction, message);
}

/// Finds the binary messages in what one side of a WebSocket connection says (RFC 6455, section 5).
#[derive(Debug, Default)]
struct Splitter {
    bytes: Vec<u8>,
    is_upgraded: bool,
    /// Payloads of a message whose last frame has not come yet.
    message: Vec<u8>,
}

impl Splitter {
    fn take(&mut self, bytes: &[u8], mut found: impl FnMut(&[u8])) {
        self.bytes.extend_from_slice(bytes);
        if !self.is_upgraded {
            let Some(end) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return };
            self.bytes.drain(..end + 4);
            self.is_upgraded = true;
        }
        while let Some((head, length)) = self.frame() {
            let (is_last, opcode) = (self.bytes[0] & 0x80 != 0, self.bytes[0] & 0x0f);
            let mut payload = self.bytes[head..head + length].to_vec();
            if self.bytes[1] & 0x80 != 0 {
                let mask: Vec<u8> = self.bytes[head - 4..head].to_vec();
                for (at, byte) in payload.iter_mut().enumerate() {
                    *byte ^= mask[at % 4];
                }
            }
            self.bytes.drain(..head + length);
            // Control frames may stand between the frames of a message.
            if opcode < 8 {
                self.message.extend_from_slice(&payload);
                if is_last {
                    found(&self.message);
                    self.message.clear();
                }
            }
        }
    }

    /// Lengths of the head and the payload of the first frame, if all of it is there.
    fn frame(&self) -> Option<(usize, usize)> {
        let second = *self.bytes.get(1)?;
        let (at, length): (usize, u64) = match second & 0x7f {
            126 => (4, u64::from(u16::from_be_bytes(self.bytes.get(2..4)?.try_into().ok()?))),
            127 => (10, u64::from_be_bytes(self.bytes.get(2..10)?.try_into().ok()?)),
            short => (2, u64::from(short)),
        };
        let head = at + if second & 0x80 != 0 { 4 } else { 0 };
        let length = usize::try_from(length).ok()?;
        (self.bytes.len() >= head.checked_add(length)?).then_some((head, length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_wherever_the_bytes_are_cut() {
        let mut stream = b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec();
        stream.extend_from_slice(&[0x82, 3, 1, 2, 3]);
        stream.extend_from_slice(&[0x89, 0x81, 9, 9, 9, 9, 7]);
        stream.extend_from_slice(&[0x82, 0x82, 0xff, 0x0f, 0, 0, 0xf0, 0x00]);
        stream.extend_from_slice(&[0x82, 126, 0, 200]);
        stream.extend_from_slice(&[5; 200]);
        for step in [1, 2, 7, 1_000] {
            let (mut splitter, mut found) = (Splitter::default(), Vec::new());
            for piece in stream.chunks(step) {
                splitter.take(piece, |message| found.push(message.to_vec()));
            }
            assert_eq!(found, [vec![1, 2, 3], vec![0x0f, 0x0f], vec![5; 200]], "{step}");
        }
    }
}
