//! Reading a recording message by message.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::{
    Commits, Message, RecordingError,
    parse::{Parsed, parse},
    source::Source,
    text::Text,
};

/// Longest message taken, a hundred times the largest recorded image. Without a bound, one missing bracket
/// could pull the rest of a file into memory.
const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// A recording that is being read: an iterator over its market changes.
///
/// JSON objects may stand one per line or follow each other without any space. Lines that hold something else are
/// counted and skipped; they are no errors. The iterator ends after the first error.
pub struct Recording {
    path: PathBuf,
    text: Text,
    stats: RecordingStats,
    first_malformed: Option<RecordingError>,
}

/// What was read and what was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordingStats {
    /// Market changes (`mcm`) read, heartbeats among them.
    pub messages: u64,
    /// Messages of other operations, such as `connection` and `status`.
    pub skipped_ops: u64,
    /// Lines, or objects within a line, that were given up because they are no messages of the stream.
    pub malformed_lines: u64,
    /// 1 when the file ends in the middle of a message or of a packed block.
    pub truncated: u64,
    /// Prices, amounts, ids and texts that make no sense or do not fit; counted where commits are made.
    pub skipped_values: u64,
}

impl Recording {
    /// Opens a recording: plain text, bzip2 or gzip, whatever its name says.
    ///
    /// # Errors
    /// When the file cannot be opened or is packed otherwise.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RecordingError> {
        let path = path.as_ref();
        Ok(Self::new(path, Source::open(path)?))
    }

    fn new(path: &Path, source: Source) -> Self {
        Self {
            path: path.to_owned(),
            text: Text::new(source),
            stats: RecordingStats::default(),
            first_malformed: None,
        }
    }

    /// The recording as commits.
    pub fn commits(self) -> Commits {
        Commits::new(self)
    }

    /// What was read and what was skipped so far.
    pub fn stats(&self) -> RecordingStats {
        self.stats
    }

    /// Bytes taken from the file so far, as packed.
    pub fn bytes_read(&self) -> u64 {
        self.text.source().bytes_read()
    }

    /// Size of the file, as packed.
    pub fn total_bytes(&self) -> u64 {
        self.text.source().total_bytes()
    }

    /// What is wrong with the first malformed line, to show beside the count.
    pub fn first_malformed(&self) -> Option<&RecordingError> {
        self.first_malformed.as_ref()
    }

    fn note_malformed(&mut self, reason: String) {
        self.stats.malformed_lines += 1;
        if self.first_malformed.is_none() {
            let path = self.path.clone();
            self.first_malformed = Some(RecordingError::Malformed { path, line: self.text.line(), reason });
        }
    }

    /// A message whose end is not at hand: more text is needed, or there is none.
    fn complete(&mut self) {
        let rest = self.text.rest().trim_ascii_end();
        if !self.text.has_ended() && rest.len() < MAX_MESSAGE_BYTES {
            self.text.fill();
        } else if self.text.has_ended() && !rest.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
            if !self.text.has_failed() {
                self.stats.truncated = 1;
            }
            self.text.advance(self.text.rest().len());
        } else {
            // Whole lines follow, so it was not the file that was cut but this message.
            self.note_malformed("the message does not end".to_owned());
            self.text.skip_line();
        }
    }
}

impl Iterator for Recording {
    type Item = Result<Message, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.text.skip_space() {
            match parse(self.text.rest()) {
                Parsed::Message(message, bytes) => {
                    self.text.advance(bytes);
                    if message.is_market_change {
                        self.stats.messages += 1;
                        return Some(Ok(message));
                    }
                    self.stats.skipped_ops += 1;
                }
                Parsed::Incomplete => self.complete(),
                Parsed::Unfit(reason, bytes) => {
                    self.note_malformed(reason);
                    self.text.advance(bytes);
                }
                Parsed::NotJson(reason) => {
                    self.note_malformed(reason);
                    self.text.skip_line();
                }
            }
        }
        if self.text.was_cut() {
            self.stats.truncated = 1;
        }
        let cause = self.text.take_failure()?;
        Some(Err(RecordingError::Read { path: self.path.clone(), line: self.text.line(), cause }))
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("path", &self.path)
            .field("line", &self.text.line())
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor, Read, Write};

    use super::*;

    fn recording(bytes: impl Read + Send + 'static) -> Recording {
        let path = Path::new("races.json");
        Recording::new(path, Source::new(path, bytes, 0).unwrap())
    }

    /// Publish times of the messages, and the counts.
    fn read(text: impl AsRef<[u8]>) -> (Vec<u64>, RecordingStats) {
        let mut recording = recording(Cursor::new(text.as_ref().to_vec()));
        let times = recording.by_ref().map(|message| message.unwrap().published_ms.unwrap()).collect();
        (times, recording.stats())
    }

    fn mcm(published_ms: u64) -> String {
        format!(r#"{{"op":"mcm","pt":{published_ms},"mc":[]}}"#)
    }

    #[test]
    fn objects_may_follow_each_other_in_any_way() {
        for separator in ["\n", "\r\n", "\r", "", " ", "\n\n\t"] {
            let text = [mcm(1), mcm(2), mcm(3)].join(separator);
            let stats = RecordingStats { messages: 3, ..RecordingStats::default() };
            assert_eq!(read(&text), (vec![1, 2, 3], stats), "{separator:?}");
            assert_eq!(read(text + separator).1, stats, "{separator:?} at the end");
        }
        let spread = mcm(1).replace(',', ",\n  ");
        assert_eq!(read(spread + &mcm(2)).0, [1, 2]);
        assert_eq!(read("").1, RecordingStats::default());
    }

    #[test]
    fn other_operations_are_counted_and_skipped() {
        let text =
            format!(r#"{{"op":"connection","connectionId":"x"}}{}{{"op":"status","id":1}}{{}}"#, mcm(1));
        let stats = RecordingStats { messages: 1, skipped_ops: 3, ..RecordingStats::default() };
        assert_eq!(read(text), (vec![1], stats));
    }

    #[test]
    fn reading_goes_on_after_a_line_that_is_not_json() {
        let broken = [
            "{\"op\":\"mcm\",\"mc\":[",
            "{\"op\":\"mcm\" oops}",
            "plain",
            "[1]",
            "{\"a\":\"\\x\"}",
            "{\"b\":\"",
            "\u{0}",
        ];
        for line in broken {
            let text = format!("{}\n{line}\n{}\n{}", mcm(1), mcm(2), mcm(3));
            let stats = RecordingStats { messages: 3, malformed_lines: 1, ..RecordingStats::default() };
            assert_eq!(read(text), (vec![1, 2, 3], stats), "{line}");
        }
        let before_last = format!("{}\n{}\n{}", mcm(1), "{\"op\":\"mcm\",\"mc\":[", mcm(2));
        assert_eq!(read(before_last).0, [1, 2], "an open message before the last line is not a cut file");
    }

    #[test]
    fn an_object_of_another_shape_is_skipped_alone() {
        let text = format!(r#"{}{{"op":"mcm","mc":5}}{}"#, mcm(1), mcm(2));
        let stats = RecordingStats { messages: 2, malformed_lines: 1, ..RecordingStats::default() };
        assert_eq!(read(text), (vec![1, 2], stats));
    }

    #[test]
    fn the_first_malformed_line_is_named() {
        let text = format!("{}\r\n\r\n{{\"op\":tru}}\r\nmore", mcm(1));
        let mut recording = recording(Cursor::new(text.into_bytes()));
        assert_eq!(recording.by_ref().count(), 1);
        let error = recording.first_malformed().unwrap().to_string();
        assert!(error.contains("races.json, line 3: expected ident"), "{error}");
        assert!(!error.contains("column"), "{error}");
        assert_eq!(recording.stats().malformed_lines, 2);
    }

    #[test]
    fn a_cut_file_is_read_to_the_cut_wherever_it_is() {
        let whole = mcm(1) + "\n";
        let last = mcm(2);
        for cut in 1..last.len() {
            let stats = RecordingStats { messages: 1, truncated: 1, ..RecordingStats::default() };
            assert_eq!(read(whole.clone() + &last[..cut]), (vec![1], stats), "cut at {cut}");
        }
        let mut packer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        packer.write_all(whole.as_bytes()).unwrap();
        let mut packed = packer.finish().unwrap();
        let mut twice = packed.clone();
        packed.truncate(packed.len() / 2);
        twice.extend(packed);
        let stats = RecordingStats { messages: 1, truncated: 1, ..RecordingStats::default() };
        assert_eq!(read(twice), (vec![1], stats));
    }

    #[test]
    fn messages_longer_than_a_chunk_are_put_together() {
        let padding = format!(r#"{{"op":"mcm","pt":1,"x":"{}"}}"#, "é".repeat(700_000));
        assert_eq!(read(padding.repeat(2) + &mcm(2)).0, [1, 1, 2]);
    }

    #[test]
    fn a_failing_disk_ends_the_recording_with_an_error_after_the_last_message() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("bad sector"))
            }
        }
        // The head is read at the opening; the failure must lie behind it.
        let text = (mcm(1) + "\n").repeat(20) + "{\"op\":";
        let mut recording = recording(Cursor::new(text.into_bytes()).chain(Failing));
        assert_eq!(recording.by_ref().take(20).filter(Result::is_ok).count(), 20);
        let error = recording.next().unwrap().unwrap_err().to_string();
        assert!(error.contains("races.json") && error.contains("line 21: bad sector"), "{error}");
        assert!(recording.next().is_none());
        assert_eq!(recording.stats().truncated, 0);
    }
}
