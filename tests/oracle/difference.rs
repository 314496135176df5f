//! Comparison of two printed states.

use serde_json::Value;

/// The first place where two JSON values differ, as a path with both values; `None` if they are the same.
///
/// Numbers compare by value, so that `0` and `0.0` are the same, and the order of an object's keys does not
/// matter. A market prints some ten thousand characters, so the path is what makes a failed test readable.
pub fn difference(expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Object(left), Value::Object(right)) => {
            let added = right.keys().filter(|key| !left.contains_key(*key));
            left.keys().chain(added).find_map(|key| {
                member_difference(left.get(key), right.get(key)).map(|rest| format!(".{key}{rest}"))
            })
        }
        (Value::Array(left), Value::Array(right)) => (0..left.len().max(right.len())).find_map(|index| {
            member_difference(left.get(index), right.get(index)).map(|rest| format!("[{index}]{rest}"))
        }),
        (Value::Number(left), Value::Number(right)) if left.as_f64() == right.as_f64() => None,
        (left, right) if left == right => None,
        (left, right) => Some(format!(": expected {left}, found {right}")),
    }
}

fn member_difference(expected: Option<&Value>, found: Option<&Value>) -> Option<String> {
    match (expected, found) {
        (Some(expected), Some(found)) => difference(expected, found),
        (Some(expected), None) => Some(format!(": expected {expected}, found nothing")),
        (None, Some(found)) => Some(format!(": expected nothing, found {found}")),
        (None, None) => None,
    }
}
