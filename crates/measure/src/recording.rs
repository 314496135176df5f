//! A recording in memory: what every message said, as text and as a commit.

use std::{
    fs::File,
    io::{self, Read},
    ops::Range,
    path::{Path, PathBuf},
};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use oddswire_feeds::betfair::{Adapter, Message, Recording as FeedRecording};
use oddswire_model::Commit;
use serde_json::Deserializer;

use crate::{MeasureError, compress};

/// All messages of a recorded Betfair stream.
///
/// `oddswire_feeds` reads the same files, but does not keep the text; a measurement needs the bytes of every message.
#[derive(Debug, Clone)]
pub struct Recording {
    path: PathBuf,
    text: Vec<u8>,
    messages: Vec<RecordedMessage>,
    notes: Vec<String>,
}

/// One market change message.
#[derive(Debug, Clone)]
pub struct RecordedMessage {
    /// The line it begins on, from 1.
    pub line: u64,
    /// Where it stands in the text.
    text: Range<usize>,
    /// What it changes; `None` for heartbeats and the like.
    pub commit: Option<Commit>,
}

impl Recording {
    /// Reads a recording: JSON messages, plain or packed with bzip2 or gzip. It is held in memory whole.
    ///
    /// # Errors
    /// When the file cannot be read, is packed otherwise, or holds no market change.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, MeasureError> {
        let path = path.as_ref();
        // Says what is wrong with a file that is missing, a folder, or packed in another way.
        FeedRecording::open(path)?;
        let text = unpack(path).map_err(|cause| MeasureError::Read { path: path.to_owned(), cause })?;
        Self::parse(path, text)
    }

    /// Reads a recording from its text; `path` names it in errors and tables.
    ///
    /// # Errors
    /// When there is no market change in it.
    pub fn parse(path: impl Into<PathBuf>, text: Vec<u8>) -> Result<Self, MeasureError> {
        let path = path.into();
        let mut recording = Self { path, text, messages: Vec::new(), notes: Vec::new() };
        let mut adapter = Adapter::new();
        let mut first_malformed = None;
        let mut malformed = 0u64;
        let (mut at, mut line) = (0, 1);
        loop {
            let rest = &recording.text[at..];
            let space = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            line += lines(&rest[..space]);
            at += space;
            let rest = &recording.text[at..];
            if rest.is_empty() {
                break;
            }
            let mut values = Deserializer::from_slice(rest).into_iter::<Message>();
            let length = match values.next() {
                Some(Ok(message)) => {
                    let length = values.byte_offset();
                    if message.is_market_change {
                        let commit = adapter.commit(&message);
                        recording.messages.push(RecordedMessage { line, text: at..at + length, commit });
                    }
                    length
                }
                problem => {
                    malformed += 1;
                    let reason =
                        problem.and_then(Result::err).map_or(String::new(), |error| error.to_string());
                    let reason = reason.split(" at line ").next().unwrap_or_default().to_owned();
                    first_malformed.get_or_insert((line, reason));
                    rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
                }
            };
            line += lines(&recording.text[at..at + length]);
            at += length;
        }
        if let Some((line, reason)) = first_malformed {
            let path = recording.path.clone();
            if recording.messages.is_empty() {
                return Err(MeasureError::NoMessages { path, line, reason });
            }
            recording.notes.push(format!(
                "{}, line {line}: {reason}; {malformed} such lines were left out",
                path.display()
            ));
        }
        if recording.messages.is_empty() {
            let reason = "the file holds no message of operation mcm".to_owned();
            return Err(MeasureError::NoMessages { path: recording.path, line: 1, reason });
        }
        if adapter.skipped_values() > 0 {
            let (path, skipped) = (recording.path.display(), adapter.skipped_values());
            recording.notes.push(format!("{path}: {skipped} values make no sense and were left out"));
        }
        Ok(recording)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name without the folder.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    /// The messages, in order; never empty.
    pub fn messages(&self) -> &[RecordedMessage] {
        &self.messages
    }

    /// The bytes of a message as recorded, without the end of its line.
    pub fn text(&self, message: &RecordedMessage) -> &[u8] {
        &self.text[message.text.clone()]
    }

    /// What `bzip2 -9` makes of the messages, a line each.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn bzip2_bytes(&self) -> io::Result<u64> {
        let lines = self.messages.iter().flat_map(|message| [self.text(message), b"\n"]);
        let text: Vec<u8> = lines.flatten().copied().collect();
        compress::bzip2(&text, &|_| {})
    }

    /// The messages that change something: number of the message, and the commit.
    pub fn commits(&self) -> impl Iterator<Item = (usize, &Commit)> {
        let commits = self.messages.iter().enumerate();
        commits.filter_map(|(at, message)| Some((at, message.commit.as_ref()?)))
    }

    /// What whoever reads the figures should know: lines and values that were left out.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

fn unpack(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let mut text = Vec::new();
    if bytes.starts_with(b"BZh") {
        MultiBzDecoder::new(&bytes[..]).read_to_end(&mut text)?;
    } else if bytes.starts_with(&[0x1f, 0x8b]) {
        MultiGzDecoder::new(&bytes[..]).read_to_end(&mut text)?;
    } else {
        text = bytes;
    }
    Ok(text)
}

fn lines(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = r#"{"op":"mcm","pt":5,"mc":[{"id":"1.1","rc":[{"id":7,"ltp":2.5}]}]}"#;

    #[test]
    fn text_and_commit_of_every_message_are_kept_together() {
        let text =
            format!("{{\"op\":\"connection\"}}\r\n{MESSAGE}{MESSAGE}\n  {{\"op\":\"mcm\",\"pt\":6}}\n");
        let recording = Recording::parse("a/b.json", text.into_bytes()).unwrap();
        assert_eq!(recording.name(), "b.json");
        let found: Vec<_> = recording
            .messages()
            .iter()
            .map(|m| (m.line, recording.text(m).len(), m.commit.is_some()))
            .collect();
        assert_eq!(found, [(2, MESSAGE.len(), true), (2, MESSAGE.len(), true), (3, 19, false)]);
        assert_eq!(recording.commits().map(|(at, _)| at).collect::<Vec<_>>(), [0, 1]);
        assert!(recording.notes().is_empty());
    }

    #[test]
    fn lines_that_are_no_messages_are_named() {
        let text = format!("{MESSAGE}\noops\n{MESSAGE}\n{{\"op\":");
        let recording = Recording::parse("b.json", text.into_bytes()).unwrap();
        assert_eq!(recording.messages().len(), 2);
        assert_eq!(recording.notes(), ["b.json, line 2: expected value; 2 such lines were left out"]);
        let error = Recording::parse("b.json", b"\n\nhello\n".to_vec()).unwrap_err().to_string();
        assert!(error.contains("b.json") && error.contains("line 3"), "{error}");
        assert!(Recording::parse("b.json", Vec::new()).unwrap_err().to_string().contains("b.json"));
    }

    #[test]
    fn packed_files_read_the_same_as_plain_ones() {
        use std::io::Write;
        let folder = std::env::temp_dir().join(format!("oddswire-measure-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        bz.write_all(MESSAGE.as_bytes()).unwrap();
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(MESSAGE.as_bytes()).unwrap();
        for bytes in [MESSAGE.as_bytes().to_vec(), bz.finish().unwrap(), gz.finish().unwrap()] {
            let path = folder.join("m");
            std::fs::write(&path, bytes).unwrap();
            let recording = Recording::open(&path).unwrap();
            assert_eq!(recording.text(&recording.messages()[0]), MESSAGE.as_bytes());
        }
        let missing = Recording::open(folder.join("none")).unwrap_err().to_string();
        assert!(missing.contains("none") && missing.contains("check"), "{missing}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
