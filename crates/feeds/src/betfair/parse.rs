//! Finding where one message ends and the next begins: only the parser knows, since separators are optional.

use serde::de::IgnoredAny;
use serde_json::{Deserializer, error::Category};

use super::Message;

/// What stands at the beginning of a text, and how many bytes it takes.
pub(super) enum Parsed {
    Message(Message, usize),
    Incomplete,
    /// An object, but none of the stream.
    Unfit(String, usize),
    NotJson(String),
}

/// Parses the first message of a text, and only that.
pub(super) fn parse(text: &[u8]) -> Parsed {
    if text.first() != Some(&b'{') {
        return Parsed::NotJson("no JSON object begins here".to_owned());
    }
    let mut messages = Deserializer::from_slice(text).into_iter::<Message>();
    let error = match messages.next() {
        Some(Ok(message)) => return Parsed::Message(message, messages.byte_offset()),
        Some(Err(error)) => error,
        None => return Parsed::Incomplete,
    };
    match error.classify() {
        Category::Eof => Parsed::Incomplete,
        Category::Syntax | Category::Io => Parsed::NotJson(reason(&error)),
        Category::Data => {
            let mut values = Deserializer::from_slice(text).into_iter::<IgnoredAny>();
            match values.next() {
                Some(Ok(_)) => Parsed::Unfit(reason(&error), values.byte_offset()),
                Some(Err(end)) if !end.is_eof() => Parsed::NotJson(reason(&end)),
                _ => Parsed::Incomplete,
            }
        }
    }
}

/// What the parser says, without its own position: it counts from the beginning of the message, not of the file.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(reason, _)| reason.to_owned())
}
