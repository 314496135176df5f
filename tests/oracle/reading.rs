//! How recordings are written down, and how much of that the reader takes.

use std::io::Write;

use crate::oracle::Recording;

const FIRST: &str = r#"{"op":"mcm","pt":1}"#;
const SECOND: &str = r#"{"op":"mcm","pt":2}"#;

/// The publish times of the messages, and how many lines could not be read.
fn read(bytes: impl Into<Vec<u8>>) -> (Vec<u64>, usize) {
    let recording = Recording::from_bytes(bytes.into()).expect("packing is whole");
    let mut messages = recording.messages();
    let times = messages.by_ref().map(|message| message["pt"].as_u64().unwrap()).collect();
    (times, messages.unreadable_lines())
}

fn bzip2(text: &str) -> Vec<u8> {
    let mut packer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

#[test]
fn messages_are_separated_by_any_line_end_or_none() {
    for separator in ["", " ", "\n", "\r\n", "\r", "\n\n  \n"] {
        assert_eq!(read(format!("{FIRST}{separator}{SECOND}{separator}")), (vec![1, 2], 0), "{separator:?}");
    }
}

#[test]
fn a_damaged_line_costs_only_itself() {
    let cut = &SECOND[..9];
    assert_eq!(read(format!("{FIRST}\n{cut}")), (vec![1], 1));
    assert_eq!(read(format!("{cut}\nno json\n{FIRST}{cut}\n{SECOND}")), (vec![1, 2], 3));
    assert_eq!(read([FIRST.as_bytes(), b"\n\"\xff\"\n", SECOND.as_bytes()].concat()), (vec![1, 2], 1));
}

#[test]
fn other_operations_are_passed_over() {
    let others = r#"{"op":"connection"} {"op":"status"} {} 5 null []"#;
    assert_eq!(read(format!("\u{feff}{others}\n{FIRST}")), (vec![1], 0));
    assert_eq!(read(""), (vec![], 0));
}

#[test]
fn packed_recordings_may_have_several_streams() {
    assert_eq!(read(bzip2(FIRST)), (vec![1], 0));
    assert_eq!(read([bzip2(FIRST), bzip2(SECOND)].concat()), (vec![1, 2], 0));
    assert_eq!(read([gzip(FIRST), gzip(SECOND)].concat()), (vec![1, 2], 0));
    let cut = &bzip2(FIRST)[..20];
    assert!(Recording::from_bytes(cut.to_vec()).is_err());
}
