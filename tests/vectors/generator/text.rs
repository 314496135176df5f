//! Files that people read and diff.

use bytes::Bytes;
use serde_json::Value;

/// Longest line that an array or object may take before it is broken up.
const LINE_MAX: usize = 110;

/// JSON with short lines: what fits into one line stands in one.
pub(crate) fn pretty(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out.push('\n');
    out
}

fn write(value: &Value, indent: usize, out: &mut String) {
    let short = compact(value);
    // The outermost object is always broken up, so that every file begins alike.
    if (indent > 0 && indent + short.len() <= LINE_MAX) || !(value.is_array() || value.is_object()) {
        out.push_str(&short);
        return;
    }
    let inner = indent + 2;
    let pad = " ".repeat(inner);
    let (open, close) = if value.is_array() { ('[', ']') } else { ('{', '}') };
    out.push(open);
    let mut separator = "\n";
    let mut item = |key: Option<&String>, value: &Value, out: &mut String| {
        out.push_str(separator);
        separator = ",\n";
        out.push_str(&pad);
        if let Some(key) = key {
            out.push_str(&format!("{}: ", Value::from(key.as_str())));
        }
        write(value, inner, out);
    };
    match value {
        Value::Array(items) => items.iter().for_each(|value| item(None, value, out)),
        Value::Object(entries) => entries.iter().for_each(|(key, value)| item(Some(key), value, out)),
        _ => {}
    }
    out.push('\n');
    out.push_str(&" ".repeat(indent));
    out.push(close);
}

fn compact(value: &Value) -> String {
    let join = |items: Vec<String>| items.join(", ");
    match value {
        Value::Array(items) => format!("[{}]", join(items.iter().map(compact).collect())),
        Value::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| {
                format!("{}: {}", Value::from(key.as_str()), compact(value))
            };
            format!("{{ {} }}", join(entries.iter().map(entry).collect()))
        }
        scalar => scalar.to_string(),
    }
}

/// Two digits a byte.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Back from hex; blanks between bytes are for the eye.
pub(crate) fn from_hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).expect("a hex digit") as u8)
        .collect();
    assert!(digits.len().is_multiple_of(2), "{text} ends inside a byte");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
