//! The client's end of WebSocket (RFC 6455), as little of it as a receiver needs, without I/O.

use oddswire_wire::{SUBPROTOCOL, limits::FRAME_BYTES_MAX};

use crate::target::Target;

/// The key of the standard's own example, and the answer to it. A key that differs every time keeps caches from
/// answering in a server's place; whoever measures through such a cache measures the cache, and sees it in the digests.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// Longest head of an answer: ten times what gateways and proxies send.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// The opening request.
pub(crate) fn request(target: &Target) -> Vec<u8> {
    format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n",
        target.path, target.authority,
    )
    .into_bytes()
}

/// Reads the answer to the request. `None` while its head goes on; then how many bytes the head takes.
///
/// # Errors
/// What the answer is instead of a WebSocket, in a few printable words.
pub(crate) fn answer(bytes: &[u8]) -> Result<Option<usize>, String> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if bytes.len() > HEAD_BYTES_MAX {
            Err("the head of its answer has no end".to_owned())
        } else {
            Ok(None)
        };
    };
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    if status_line.split(' ').nth(1) != Some("101") {
        let shown: String = status_line.chars().filter(|char| !char.is_control()).take(80).collect();
        return Err(format!("it answers `{shown}`"));
    }
    let headers: Vec<(&str, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect();
    let header = |wanted: &str| {
        headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map_or("", |&(_, value)| value)
    };
    if header("sec-websocket-accept") != ACCEPT {
        return Err("its upgrade does not answer this client's key".to_owned());
    }
    if header("sec-websocket-protocol") != SUBPROTOCOL {
        return Err(format!("it is a WebSocket that does not speak {SUBPROTOCOL}"));
    }
    Ok(Some(end + 4))
}

/// What a frame of the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation,
    Binary,
    Close,
    Ping,
    Pong,
}

/// A whole frame at the front of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) opcode: Opcode,
    pub(crate) is_last: bool,
    pub(crate) payload: &'a [u8],
    /// Bytes of the frame, its header included.
    pub(crate) length: usize,
}

/// The frame at the front; `None` while not all of it is there.
///
/// # Errors
/// What the server did wrong.
pub(crate) fn frame(bytes: &[u8]) -> Result<Option<Frame<'_>>, &'static str> {
    let &[first, second, ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err("a frame uses an extension that was not agreed");
    }
    if second & 0x80 != 0 {
        return Err("a frame of the server is masked");
    }
    let opcode = match first & 0x0f {
        0x0 => Opcode::Continuation,
        0x2 => Opcode::Binary,
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        0xa => Opcode::Pong,
        0x1 => return Err("a text message, and frames are binary"),
        _ => return Err("a frame has a reserved opcode"),
    };
    let (head, length) = match second {
        126 => match bytes.get(2..4) {
            Some(&[a, b]) => (4, u64::from(u16::from_be_bytes([a, b]))),
            _ => return Ok(None),
        },
        127 => match bytes.get(2..10).and_then(|eight| <[u8; 8]>::try_from(eight).ok()) {
            Some(eight) => (10, u64::from_be_bytes(eight)),
            None => return Ok(None),
        },
        short => (2, u64::from(short)),
    };
    if length > FRAME_BYTES_MAX as u64 {
        return Err("a frame is longer than any may be");
    }
    let length = head + length as usize;
    let is_last = first & 0x80 != 0;
    Ok(bytes.get(head..length).map(|payload| Frame { opcode, is_last, payload, length }))
}

/// Appends a binary message, masked as a client's must be.
pub(crate) fn write_binary(out: &mut Vec<u8>, payload: &[u8], mask: u32) {
    write(out, 0x82, payload, mask);
}

/// Appends the answer to a ping.
pub(crate) fn write_pong(out: &mut Vec<u8>, payload: &[u8], mask: u32) {
    write(out, 0x8a, payload, mask);
}

fn write(out: &mut Vec<u8>, first: u8, payload: &[u8], mask: u32) {
    out.push(first);
    // What a client says has at most 4 KiB, so a length of eight bytes does not occur.
    match payload.len() {
        length @ 0..126 => out.push(0x80 | length as u8),
        length => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    let mask = mask.to_be_bytes();
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_known_by_its_answer() {
        let good = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nsec-websocket-accept: {ACCEPT}\r\n\
             Sec-WebSocket-Protocol: oddswire.v1\r\n\r\nrest"
        );
        assert_eq!(answer(good.as_bytes()), Ok(Some(good.len() - 4)));
        for cut in 0..good.len() - 4 {
            assert_eq!(answer(&good.as_bytes()[..cut]), Ok(None), "cut at {cut}");
        }
        for (from, to, hint) in [
            ("101 Switching Protocols", "503 Service Unavailable", "503"),
            (ACCEPT, "x", "key"),
            ("oddswire.v1", "mqtt", "oddswire.v1"),
        ] {
            assert!(answer(good.replacen(from, to, 1).as_bytes()).unwrap_err().contains(hint));
        }
        assert!(answer(&[b'a'; HEAD_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn frames_are_found_when_all_of_them_is_there() {
        let long = [&[0x82, 126, 0x01, 0x00][..], &[7; 256]].concat();
        for whole in [vec![0x82, 3, 1, 2, 3], vec![0x88, 0], long] {
            let found = frame(&whole).unwrap().unwrap();
            assert_eq!(found.length, whole.len());
            for cut in 0..whole.len() {
                assert_eq!(frame(&whole[..cut]), Ok(None));
            }
        }
        for wrong in [[0x81, 0], [0x82, 0x80], [0xc2, 0], [0x83, 0]] {
            assert!(frame(&wrong).is_err(), "{wrong:?}");
        }
        assert!(
            frame(&[0x82, 127, 0, 0, 0, 0, 1, 0, 0, 0]).is_err(),
            "too long is refused by the head alone"
        );
    }

    #[test]
    fn what_is_written_unmasks_to_what_was_said() {
        for length in [0, 125, 126, 4_096] {
            let payload: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let mut out = Vec::new();
            write_binary(&mut out, &payload, 0x37fa_213d);
            let head = if length < 126 { 2 } else { 4 };
            let mask = &out[head..head + 4];
            let read: Vec<u8> =
                out[head + 4..].iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
            assert_eq!(read, payload);
        }
    }
}
