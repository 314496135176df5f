//! What the server sends.

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    CloseCode,
    header::{FINAL, LENGTH_IN_2, LENGTH_IN_8, Opcode},
};

/// Longest header of a frame that is not masked: two bytes, and a length of eight.
pub const HEADER_BYTES_MAX: usize = 10;
/// Longest payload of a ping, pong or close (RFC 6455, section 5.5).
pub const CONTROL_PAYLOAD_MAX: usize = 125;
/// Longest reason of a close: its code takes two bytes of the payload.
pub(super) const CLOSE_REASON_MAX: usize = CONTROL_PAYLOAD_MAX - 2;

/// The header of a binary message in one frame: its bytes, and how many of them count.
///
/// For a payload that is sent from where it lies, by a vectored write.
pub fn binary_header(payload_len: usize) -> ([u8; HEADER_BYTES_MAX], usize) {
    header(Opcode::Binary, payload_len)
}

/// A binary message in one frame. It is encoded once and shared by all connections that get it.
pub fn binary_frame(payload: &[u8]) -> Bytes {
    frame(Opcode::Binary, payload)
}

/// A text message in one frame. Oddswire sends none; it is here for tests of the framing.
pub fn text_frame(payload: &str) -> Bytes {
    frame(Opcode::Text, payload.as_bytes())
}

/// A ping.
///
/// # Panics
///
/// If the payload is longer than [`CONTROL_PAYLOAD_MAX`].
pub fn ping_frame(payload: &[u8]) -> Bytes {
    control_frame(Opcode::Ping, payload)
}

/// The answer to a ping, with the payload of the ping. What [`Event::Ping`](super::Event::Ping) carries always fits.
///
/// # Panics
///
/// If the payload is longer than [`CONTROL_PAYLOAD_MAX`].
pub fn pong_frame(payload: &[u8]) -> Bytes {
    control_frame(Opcode::Pong, payload)
}

/// The last frame: why the connection ends, and a sentence about it. A long sentence is cut.
///
/// Without a code there is no sentence either; that answers a close that had none.
pub fn close_frame(code: Option<CloseCode>, reason: &str) -> Bytes {
    let mut payload = BytesMut::new();
    if let Some(CloseCode(code)) = code {
        payload.put_u16(code);
        payload.put_slice(cut(reason, CLOSE_REASON_MAX).as_bytes());
    }
    control_frame(Opcode::Close, &payload)
}

/// The longest beginning of a text that fits into so many bytes.
fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn control_frame(opcode: Opcode, payload: &[u8]) -> Bytes {
    assert!(payload.len() <= CONTROL_PAYLOAD_MAX, "a control frame of {} bytes", payload.len());
    frame(opcode, payload)
}

fn frame(opcode: Opcode, payload: &[u8]) -> Bytes {
    let (header, header_len) = header(opcode, payload.len());
    let mut frame = BytesMut::with_capacity(header_len + payload.len());
    frame.put_slice(&header[..header_len]);
    frame.put_slice(payload);
    frame.freeze()
}

fn header(opcode: Opcode, payload_len: usize) -> ([u8; HEADER_BYTES_MAX], usize) {
    let mut header = [0; HEADER_BYTES_MAX];
    header[0] = FINAL | opcode as u8;
    let header_len = if payload_len < usize::from(LENGTH_IN_2) {
        header[1] = payload_len as u8;
        2
    } else if let Ok(length) = u16::try_from(payload_len) {
        header[1] = LENGTH_IN_2;
        header[2..4].copy_from_slice(&length.to_be_bytes());
        4
    } else {
        header[1] = LENGTH_IN_8;
        header[2..].copy_from_slice(&(payload_len as u64).to_be_bytes());
        HEADER_BYTES_MAX
    };
    (header, header_len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written_header(payload_len: usize) -> Vec<u8> {
        let (header, header_len) = binary_header(payload_len);
        header[..header_len].to_vec()
    }

    /// RFC 6455, section 5.7.
    #[test]
    fn the_examples_of_the_standard() {
        assert_eq!(text_frame("Hello"), [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f].as_slice());
        assert_eq!(ping_frame(b"Hello"), [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f].as_slice());
        assert_eq!(pong_frame(b"Hello"), [0x8a, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f].as_slice());
        assert_eq!(written_header(256), [0x82, 0x7e, 0x01, 0x00]);
        assert_eq!(written_header(65_536), [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_length_takes_as_few_bytes_as_it_needs() {
        assert_eq!(written_header(0), [0x82, 0]);
        assert_eq!(written_header(125), [0x82, 125]);
        assert_eq!(written_header(126), [0x82, 126, 0, 126]);
        assert_eq!(written_header(65_535), [0x82, 126, 0xff, 0xff]);
        assert_eq!(written_header(65_536), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_frame_is_its_header_and_its_payload() {
        for payload_len in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![7; payload_len];
            assert_eq!(binary_frame(&payload), [written_header(payload_len), payload].concat());
        }
    }

    #[test]
    fn a_close_says_why() {
        assert_eq!(close_frame(None, "unheard"), [0x88, 0].as_slice());
        assert_eq!(close_frame(Some(CloseCode::NORMAL), ""), [0x88, 2, 0x03, 0xe8].as_slice());
        assert_eq!(close_frame(Some(CloseCode::TOO_BIG), "no"), b"\x88\x04\x03\xf1no".as_slice());
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let reason_of = |reason: &str| close_frame(Some(CloseCode::NORMAL), reason).slice(4..);
        let fits = "r".repeat(CLOSE_REASON_MAX);
        assert_eq!(reason_of(&fits), fits);
        assert_eq!(reason_of(&format!("{fits}r")), fits);
        let horses = "🏇".repeat(31);
        assert_eq!(reason_of(&horses), "🏇".repeat(30), "124 bytes, but the last character does not fit");
    }

    #[test]
    #[should_panic(expected = "a control frame of 126 bytes")]
    fn a_ping_of_more_than_a_control_frame_holds_is_a_mistake_of_ours() {
        assert_eq!(ping_frame(&[0; CONTROL_PAYLOAD_MAX]).len(), 2 + CONTROL_PAYLOAD_MAX);
        ping_frame(&[0; CONTROL_PAYLOAD_MAX + 1]);
    }
}
