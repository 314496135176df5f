//! Writes the golden vectors from described inputs, and plays them.

mod client_messages;
mod coder;
mod compact;
mod compressed;
mod conversation;
mod describe;
mod digests;
mod frames;
mod invalid;
mod pieces;
mod play;
mod sessions;
mod strays;
mod text;
mod varints;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;

pub(crate) use play::{digest_is_the_sum, play};

/// One vector: a folder with a description, bytes, and what comes of them.
pub(crate) struct Case {
    /// `area/name`.
    pub(crate) path: String,
    pub(crate) input: Value,
    /// Each with a sentence about it.
    pub(crate) frames: Vec<(String, Bytes)>,
    pub(crate) expected: Value,
}

impl Case {
    /// A case whose expectation is what playing it gives. The areas check that against what they built it from.
    fn played(path: &str, input: Value, frames: Vec<(String, Bytes)>) -> Self {
        let bytes: Vec<Bytes> = frames.iter().map(|(_, bytes)| bytes.clone()).collect();
        let expected = play(&input, &bytes);
        Self { path: path.to_owned(), input, frames, expected }
    }

    /// The files of the case, by name.
    pub(crate) fn files(&self) -> [(&'static str, String); 3] {
        let mut hex = String::new();
        for (about, bytes) in &self.frames {
            hex.push_str(&format!("# {about}\n{}\n", text::to_hex(bytes)));
        }
        [
            ("input.json", text::pretty(&self.input)),
            ("frame.hex", hex),
            ("expected.json", text::pretty(&self.expected)),
        ]
    }
}

/// All cases, area by area.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(varints::cases());
    cases.extend(digests::cases());
    cases.extend(client_messages::cases());
    cases.extend(pieces::cases());
    cases.extend(frames::cases());
    cases.extend(sessions::cases());
    cases.extend(invalid::cases());
    cases.extend(coder::cases());
    cases.extend(compact::cases());
    cases.extend(strays::cases());
    cases.extend(compressed::cases());
    cases
}

/// The folders of the committed cases, in order.
pub(crate) fn committed(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = folders(root).iter().flat_map(|area| folders(area)).collect();
    found.retain(|folder| folder.join("input.json").is_file());
    found.sort();
    found
}

/// Reads a committed case as somebody would who has nothing but the files.
pub(crate) fn read(folder: &Path) -> (Value, Vec<Bytes>, Value) {
    let file = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let json = |name: &str| serde_json::from_str(&file(name)).expect("a committed file is JSON");
    let hex = file("frame.hex");
    let frames = hex.lines().filter(|line| !line.starts_with('#')).map(text::from_hex).collect();
    (json("input.json"), frames, json("expected.json"))
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}
