//! A relay between receivers and a gateway that does one thing wrong.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use oddswire_wire::{LeadBytes, decode_frame, varint::Reader};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
};

/// Deltas that pass before one is spoilt, so that everybody has everything and the measurement has begun.
const DELTAS_BEFORE: usize = 2_000;

/// What is done wrong, once, to one frame of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Corruption {
    /// Nothing.
    None,
    /// The last number of a delta, an amount or a price, is another one; the frame can be read as well as before.
    Amount,
    /// The last byte of a compact delta is another one.
    Compact,
    /// A frame with deltas is left out.
    Lost,
}

/// A relay.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    spoiling: Arc<Spoiling>,
}

struct Spoiling {
    corruption: Corruption,
    deltas: AtomicUsize,
    spoilt: AtomicUsize,
}

impl Proxy {
    /// Begins to relay.
    pub(crate) async fn start(gateway: SocketAddr, corruption: Corruption) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let spoiling =
            Arc::new(Spoiling { corruption, deltas: AtomicUsize::new(0), spoilt: AtomicUsize::new(0) });
        let shared = Arc::clone(&spoiling);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(gateway).await else { return };
                let (client_in, client_out) = client.into_split();
                let (server_in, server_out) = server.into_split();
                tokio::spawn(copy(client_in, server_out));
                tokio::spawn(relay(server_in, client_out, Arc::clone(&shared)));
            }
        });
        Self { address, spoiling }
    }

    /// Whether a frame was spoilt.
    pub(crate) fn corrupted(&self) -> bool {
        self.spoiling.spoilt.load(Ordering::Relaxed) > 0
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

/// Passes what the gateway says, WebSocket frame by WebSocket frame.
async fn relay(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, spoiling: Arc<Spoiling>) {
    let (mut bytes, mut is_upgraded) = (Vec::new(), false);
    while let Ok(1..) = from.read_buf(&mut bytes).await {
        if !is_upgraded {
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            is_upgraded = true;
            let rest = bytes.split_off(end + 4);
            if to.write_all(&std::mem::replace(&mut bytes, rest)).await.is_err() {
                return;
            }
        }
        while let Some((head, length)) = frame(&bytes) {
            let rest = bytes.split_off(head + length);
            let mut message = std::mem::replace(&mut bytes, rest);
            if !spoiling.spoil(&mut message, head) && to.write_all(&message).await.is_err() {
                return;
            }
        }
    }
}

/// Lengths of the head and the payload of the frame at the front, if all of it is there.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (head, length) = match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        short => (2, usize::from(short)),
    };
    (bytes.len() >= head + length).then_some((head, length))
}

impl Spoiling {
    /// Spoils a frame, if its time has come and it can be done; says whether it is to be left out.
    fn spoil(&self, message: &mut [u8], head: usize) -> bool {
        let payload = Bytes::copy_from_slice(&message[head..]);
        let Ok(frame) = decode_frame(payload) else { return false };
        let compact = [&frame.lead].into_iter().chain(&frame.compact_deltas).find(|bytes| !bytes.is_empty());
        // A short lead is a number; it is lost like others, but too short to be spoilt.
        let is_number = matches!(LeadBytes::of(&frame), Ok(Some(LeadBytes::Number(_))));
        let delta = compact.or(frame.deltas.first());
        if delta.is_none() && !is_number {
            return false;
        }
        let passed = self.deltas.fetch_add(1, Ordering::Relaxed);
        let is_due = passed >= DELTAS_BEFORE && self.spoilt.load(Ordering::Relaxed) == 0;
        if self.corruption == Corruption::None || !is_due {
            return false;
        }
        if self.corruption == Corruption::Lost {
            self.spoilt.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        let Some(delta) = delta else { return false };
        if self.corruption == Corruption::Compact {
            // In long pieces the last byte is one of a symbol's, and not of what the head says.
            let at = message.windows(delta.len()).position(|window| window == &delta[..]);
            if let Some(at) = at.filter(|_| compact.is_some() && delta.len() > 8) {
                message[at + delta.len() - 1] ^= 0x10;
                self.spoilt.fetch_add(1, Ordering::Relaxed);
            }
            return false;
        }
        // The last number of a piece is a value. It is kept as long as it was, and above 1, so that what it is the value
        // of and everything around it can still be read.
        let last = delta.len() - 1;
        let is_whole = delta[..last].last().is_none_or(|before| before & 0x80 == 0);
        let reads = Reader::new(&delta[last..]).read().is_ok();
        if is_whole && reads && delta[last] > 8 {
            let at = message.windows(delta.len()).position(|window| window == &delta[..]);
            if let Some(at) = at {
                message[at + last] ^= 0x04;
                self.spoilt.fetch_add(1, Ordering::Relaxed);
            }
        }
        false
    }
}
