//! The unpacked text of a recording, a piece at a time.

use std::io::{self, Read};

use super::source::Source;

/// Bytes unpacked at a time: several hundred messages.
const CHUNK_BYTES: usize = 256 * 1024;
/// Mark that some editors put before the first line.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A window on the text that moves forward and knows its line.
pub(super) struct Text {
    source: Source,
    /// What stands before `start` is done with.
    bytes: Vec<u8>,
    start: usize,
    line: u64,
    after_carriage_return: bool,
    end: End,
}

/// Whether more text will come.
enum End {
    NotYet,
    /// The file ends where it should.
    Reached,
    /// The file was cut within a packed block.
    Cut,
    /// Reading failed.
    Failed(io::Error),
}

impl Text {
    pub(super) fn new(source: Source) -> Self {
        Self { source, bytes: Vec::new(), start: 0, line: 1, after_carriage_return: false, end: End::NotYet }
    }

    /// The source, for progress.
    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// The text at hand from the current position.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// The line of the current position, from 1. Lines end with LF, CR or both.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Whether [`Text::rest`] is all that will ever come.
    pub(super) fn has_ended(&self) -> bool {
        !matches!(self.end, End::NotYet)
    }

    /// Whether the file was cut within a packed block.
    pub(super) fn was_cut(&self) -> bool {
        matches!(self.end, End::Cut)
    }

    /// Why reading failed, if it did; told once.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        match std::mem::replace(&mut self.end, End::Reached) {
            End::Failed(error) => Some(error),
            other => {
                self.end = other;
                None
            }
        }
    }

    /// Whether reading failed.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.end, End::Failed(_))
    }

    /// Gets more text: at least as much as there is, so that a long message is not looked at again too often.
    pub(super) fn fill(&mut self) {
        self.bytes.drain(..self.start);
        self.start = 0;
        let wanted = self.bytes.len().max(CHUNK_BYTES);
        match (&mut self.source).take(wanted as u64).read_to_end(&mut self.bytes) {
            Ok(read) if read < wanted => self.end = End::Reached,
            Ok(_) => {}
            // Unpackers say this when there is nothing left to unpack and yet they are not done.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.end = End::Cut,
            Err(error) => self.end = End::Failed(error),
        }
    }

    /// Moves forward within the text at hand.
    pub(super) fn advance(&mut self, bytes: usize) {
        let end = self.start + bytes;
        for &byte in &self.bytes[self.start..end] {
            let ends_line = byte == b'\r' || (byte == b'\n' && !self.after_carriage_return);
            self.line += u64::from(ends_line);
            self.after_carriage_return = byte == b'\r';
        }
        self.start = end;
    }

    /// Moves to the next thing that is not space; false when nothing comes any more.
    pub(super) fn skip_space(&mut self) -> bool {
        loop {
            if self.line == 1 && self.rest().starts_with(BYTE_ORDER_MARK) {
                self.advance(BYTE_ORDER_MARK.len());
            }
            let space = self.rest().iter().position(|byte| !byte.is_ascii_whitespace());
            self.advance(space.unwrap_or(self.rest().len()));
            if space.is_some() {
                return true;
            }
            if self.has_ended() {
                return false;
            }
            self.fill();
        }
    }

    /// Moves to the end of the line.
    pub(super) fn skip_line(&mut self) {
        loop {
            let end = self.rest().iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            self.advance(end.unwrap_or(self.rest().len()));
            if end.is_some() || self.has_ended() {
                return;
            }
            self.fill();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Cursor, path::Path};

    use super::*;

    fn text(bytes: &[u8]) -> Text {
        let source = Source::new(Path::new("a"), Cursor::new(bytes.to_vec()), 0).unwrap();
        Text::new(source)
    }

    #[test]
    fn lines_end_with_either_mark_or_both() {
        let mut text = text(b"\xef\xbb\xbfa\nb\r\nc\rd\n\n e");
        let mut lines = Vec::new();
        while text.skip_space() {
            lines.push((char::from(text.rest()[0]), text.line()));
            text.skip_line();
        }
        assert_eq!(lines, [('a', 1), ('b', 2), ('c', 3), ('d', 4), ('e', 6)]);
    }

    #[test]
    fn lines_longer_than_a_chunk_are_skipped_without_keeping_them() {
        let mut bytes = vec![b'x'; 5 * CHUNK_BYTES];
        bytes.extend_from_slice(b"\nend");
        let mut text = text(&bytes);
        assert!(text.skip_space());
        text.skip_line();
        assert!(text.skip_space());
        assert_eq!((text.rest(), text.line()), (&b"end"[..], 2));
        assert!(text.bytes.capacity() <= 4 * CHUNK_BYTES);
    }
}
