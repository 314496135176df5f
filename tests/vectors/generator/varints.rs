//! Integers.

use oddswire_wire::varint;
use serde_json::json;

use super::Case;

pub(crate) fn cases() -> Vec<Case> {
    let unsigned = [0, 1, 127, 128, 300, 16_383, 16_384, u64::from(u32::MAX), (1 << 53) - 1, u64::MAX];
    let signed = [0, -1, 1, -2, 63, -64, 64, 25_000, -25_000, (1 << 53) - 1, i64::MAX, i64::MIN];
    let mut bytes = Vec::new();
    unsigned.iter().for_each(|&value| varint::write(&mut bytes, value));
    let input = json!({
        "about": "Unsigned integers one behind the other, at every place where their length changes.",
        "clauses": ["PLAIN-1"],
        "kind": "varint",
        "signed": false,
    });
    let frames = vec![("ten integers".to_owned(), bytes.into())];
    let unsigned_case = Case::played("varint/unsigned", input, frames);
    assert_eq!(unsigned_case.expected["values"], json!(unsigned.map(|value| value.to_string())));

    let mut bytes = Vec::new();
    signed.iter().for_each(|&value| varint::write_signed(&mut bytes, value));
    let input = json!({
        "about": "Signed integers in zigzag order: 0, -1, 1, -2 are written as 0, 1, 2, 3.",
        "clauses": ["PLAIN-1"],
        "kind": "varint",
        "signed": true,
    });
    let signed_case =
        Case::played("varint/signed", input, vec![("twelve integers".to_owned(), bytes.into())]);
    assert_eq!(signed_case.expected["values"], json!(signed.map(|value| value.to_string())));

    let broken = [
        ("truncated", "The bytes end inside an integer.", &[0x05, 0x80][..]),
        (
            "overlong",
            "Zero in two bytes; a reader refuses what is longer than it needs to be.",
            &[0x80, 0x00],
        ),
        (
            "over-64-bits",
            "Two to the power of 64.",
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02],
        ),
    ];
    let broken = broken.into_iter().map(|(name, about, bytes)| {
        let input = json!({ "about": about, "clauses": ["PLAIN-1"], "kind": "varint", "signed": false });
        let frames = vec![("integers".to_owned(), bytes.to_vec().into())];
        let case = Case::played(&format!("invalid/varint-{name}"), input, frames);
        assert!(case.expected["error"].is_string());
        case
    });
    [unsigned_case, signed_case].into_iter().chain(broken).collect()
}
