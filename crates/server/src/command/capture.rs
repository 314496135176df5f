//! Captures: the messages of a connection in a file, for `oddswire inspect`.
//!
//! A capture begins with [`MAGIC`]. Then records follow: one byte for the direction (`<` from the server, `>` from the
//! client, `+` a new connection), the length of the message as four bytes, lowest first, and the message.

use std::io::{self, Write};

use bytes::Bytes;
use oddswire_wire::limits::FRAME_BYTES_MAX;

/// The first bytes of a capture; a text, so that whoever opens one sees what it is.
pub(super) const MAGIC: &[u8] = b"oddswire capture 1\n";
/// Bytes before a record's message.
const HEAD_BYTES: usize = 5;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// A frame of the server.
    FromServer,
    /// A message of the client.
    FromClient,
    /// A new connection begins; the message is empty.
    Connected,
}

impl Direction {
    fn code(self) -> u8 {
        match self {
            Self::FromServer => b'<',
            Self::FromClient => b'>',
            Self::Connected => b'+',
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::FromServer, Self::FromClient, Self::Connected]
            .into_iter()
            .find(|direction| direction.code() == code)
    }
}

/// One message of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Who said it.
    pub(super) direction: Direction,
    /// What was said.
    pub(super) message: Bytes,
}

/// Writes the beginning of a capture.
pub(super) fn write_magic(out: &mut impl Write) -> io::Result<()> {
    out.write_all(MAGIC)
}

/// Writes a record.
pub(super) fn write_record(out: &mut impl Write, direction: Direction, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    out.write_all(&[direction.code()])?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(message)
}

/// Reads the records of a capture, up to the first that cannot be read; the sentence then says where and why.
pub(super) fn read(bytes: &Bytes) -> (Vec<Record>, Option<String>) {
    let mut records = Vec::new();
    let mut at = if bytes.starts_with(MAGIC) { MAGIC.len() } else { 0 };
    while at < bytes.len() {
        let problem = |what: &str| Some(format!("the capture breaks off at byte {at}: {what}"));
        let Some(head) = bytes.get(at..at + HEAD_BYTES) else {
            return (records, problem("the file ends inside the head of a record"));
        };
        let Some(direction) = Direction::from_code(head[0]) else {
            return (records, problem(&format!("{:#04x} is not a direction (<, > or +)", head[0])));
        };
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if length > FRAME_BYTES_MAX {
            return (records, problem(&format!("a message of {length} bytes is longer than any may be")));
        }
        let start = at + HEAD_BYTES;
        if bytes.len() - start < length {
            return (records, problem(&format!("the file ends inside a message of {length} bytes")));
        }
        records.push(Record { direction, message: bytes.slice(start..start + length) });
        at = start + length;
    }
    (records, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture() -> Vec<u8> {
        let mut out = Vec::new();
        write_magic(&mut out).unwrap();
        write_record(&mut out, Direction::Connected, b"").unwrap();
        write_record(&mut out, Direction::FromClient, b"hello").unwrap();
        write_record(&mut out, Direction::FromServer, b"welcome").unwrap();
        out
    }

    #[test]
    fn records_round_trip() {
        let (records, problem) = read(&capture().into());
        assert_eq!(problem, None);
        assert_eq!(records.len(), 3);
        assert_eq!(records[1].message, "hello");
        assert_eq!(records[2].direction, Direction::FromServer);
    }

    #[test]
    fn a_capture_that_was_cut_gives_what_is_whole_and_says_where_it_ends() {
        let whole = capture();
        for end in MAGIC.len()..whole.len() {
            let (records, problem) = read(&Bytes::copy_from_slice(&whole[..end]));
            assert!(records.len() < 3);
            let boundary = [MAGIC.len(), MAGIC.len() + 5, MAGIC.len() + 15].contains(&end);
            assert_eq!(problem.is_none(), boundary, "{end}");
        }
    }

    #[test]
    fn a_direction_that_is_none_is_named() {
        let (records, problem) = read(&Bytes::from_static(b"x\0\0\0\0"));
        assert!(records.is_empty());
        assert!(problem.unwrap().contains("0x78 is not a direction"));
    }
}
