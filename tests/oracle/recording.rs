//! Reads recordings: JSON messages as somebody's stream client wrote them down, packed or not.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::slice;

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use serde_json::de::{Deserializer, SliceRead, StreamDeserializer};

/// The unpacked text of one recording.
#[derive(Debug, Clone)]
pub struct Recording {
    text: Vec<u8>,
}

impl Recording {
    /// Reads and unpacks a file.
    ///
    /// # Errors
    /// When the file cannot be read or its packing is damaged.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::from_bytes(fs::read(path)?)
    }

    /// Unpacks bzip2 and gzip, of one stream or several; anything else is the text itself. The first bytes
    /// decide and not a file's name, because many published recordings carry no extension.
    ///
    /// # Errors
    /// When the packing is damaged.
    pub fn from_bytes(bytes: Vec<u8>) -> io::Result<Self> {
        let mut text = Vec::new();
        if bytes.starts_with(b"BZh") {
            MultiBzDecoder::new(bytes.as_slice()).read_to_end(&mut text)?;
        } else if bytes.starts_with(&[0x1f, 0x8b]) {
            MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut text)?;
        } else {
            text = bytes;
        }
        Ok(Self { text })
    }

    /// Length of the unpacked text in bytes.
    pub fn text_len(&self) -> usize {
        self.text.len()
    }

    /// The market change messages in order. They are parsed one by one, so a recording of any length fits.
    pub fn messages(&self) -> Messages<'_> {
        // Windows tools put a byte order mark in front; it would cost the first message, which is the image.
        let text = self.text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.text);
        Messages { lines: text.split(is_line_end), values: None, unreadable_lines: 0 }
    }
}

/// The market change messages of a recording; see [`Recording::messages`].
pub struct Messages<'a> {
    lines: slice::Split<'a, u8, fn(&u8) -> bool>,
    values: Option<StreamDeserializer<'a, SliceRead<'a>, Value>>,
    unreadable_lines: usize,
}

impl Messages<'_> {
    /// How many of the lines read so far had something that is not JSON: usually a last line cut off. What stood
    /// before it on the line has been handed out.
    pub fn unreadable_lines(&self) -> usize {
        self.unreadable_lines
    }
}

impl Iterator for Messages<'_> {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        loop {
            match self.values.as_mut().and_then(Iterator::next) {
                Some(Ok(value)) if value["op"] == "mcm" => return Some(value),
                Some(Ok(_)) => {}
                Some(Err(_)) => {
                    self.unreadable_lines += 1;
                    self.values = None;
                }
                // Several objects may stand on one line, so each line is a stream of values of its own. A line
                // that is damaged then costs only itself.
                None => self.values = Some(Deserializer::from_slice(self.lines.next()?).into_iter()),
            }
        }
    }
}

/// A carriage return alone ends a line too; no message holds one, because JSON escapes it in strings.
fn is_line_end(byte: &u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}
