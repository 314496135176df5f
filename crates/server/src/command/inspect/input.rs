//! What is given to `oddswire inspect`: hex on the command line, files of hex lines, captures.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use anyhow::{Context, bail};
use bytes::Bytes;

use crate::command::capture::{self, Direction, Record};

/// A message to look into, or a note about why there is none.
#[derive(Debug)]
pub(super) enum Item {
    /// A message, and where it came from.
    Message {
        /// File and line, or place in a capture.
        origin: String,
        /// The message.
        record: Record,
    },
    /// Something that could not be read.
    Unreadable(String),
}

/// How arguments are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// By looking at them.
    Any,
    /// They are hex, whatever files there are.
    Hex,
    /// They are captures, whatever their first bytes say.
    Capture,
}

/// Reads one argument. Hex without a direction is taken to have the direction given.
pub(super) fn read(argument: &str, form: Form, direction: Direction) -> anyhow::Result<Vec<Item>> {
    if argument == "-" {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).context("cannot read the standard input")?;
        return Ok(file("standard input", bytes, form, direction));
    }
    let path = Path::new(argument);
    let is_file = form != Form::Hex && path.is_file();
    if form == Form::Capture && !is_file {
        bail!("there is no capture {argument}; `oddswire watch URL --capture FILE` writes one");
    }
    if is_file {
        let bytes = fs::read(path).with_context(|| format!("cannot read {argument}"))?;
        return Ok(file(argument, bytes, form, direction));
    }
    match hex(argument) {
        Ok(message) => Ok(vec![Item::Message {
            origin: "command line".to_owned(),
            record: Record { direction, message },
        }]),
        Err(problem) => {
            bail!("{} is neither a file nor hex ({problem}); check the path", argument.escape_debug())
        }
    }
}

fn file(name: &str, bytes: Vec<u8>, form: Form, direction: Direction) -> Vec<Item> {
    let bytes = Bytes::from(bytes);
    if form == Form::Capture || bytes.starts_with(capture::MAGIC) {
        let (records, problem) = capture::read(&bytes);
        let messages = records
            .into_iter()
            .enumerate()
            .map(|(at, record)| Item::Message { origin: format!("{name}, record {}", at + 1), record });
        return messages.chain(problem.map(Item::Unreadable)).collect();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().enumerate().filter_map(|(at, line)| {
        let origin = format!("{name}, line {}", at + 1);
        let line = line.split('#').next().unwrap_or_default().trim();
        let (direction, line) = match (line.strip_prefix('<'), line.strip_prefix('>')) {
            (Some(rest), _) => (Direction::FromServer, rest),
            (_, Some(rest)) => (Direction::FromClient, rest),
            _ => (direction, line),
        };
        // Vectors may carry a name before a colon.
        let digits = line.rsplit(':').next().unwrap_or_default();
        if digits.trim().is_empty() {
            return None;
        }
        Some(match hex(digits) {
            Ok(message) => Item::Message { origin, record: Record { direction, message } },
            Err(problem) => Item::Unreadable(format!("{origin} is not hex: {problem}")),
        })
    });
    lines.collect()
}

/// Reads hex digits; spaces between them are for people.
pub(super) fn hex(text: &str) -> Result<Bytes, String> {
    let mut digits = Vec::with_capacity(text.len());
    let text = text.strip_prefix("0x").unwrap_or(text);
    for (at, char) in text.char_indices().filter(|(_, char)| !char.is_whitespace()) {
        match char.to_digit(16) {
            Some(digit) => digits.push(digit as u8),
            None => return Err(format!("{char:?} at character {} is not a hex digit", at + 1)),
        }
    }
    if digits.is_empty() {
        return Err("there are no digits".to_owned());
    }
    if !digits.len().is_multiple_of(2) {
        return Err(format!("{} digits are half a byte too many or too few", digits.len()));
    }
    Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_with_spaces_and_refused_with_a_place() {
        assert_eq!(hex("0x 3a 0B").unwrap(), &[0x3a, 0x0b][..]);
        assert!(hex("3ag1").unwrap_err().contains("'g' at character 3"));
        assert!(hex("abc").is_err());
        assert!(hex(" ").is_err());
    }

    #[test]
    fn files_of_hex_lines_may_have_comments_names_and_directions() {
        let text = b"# a heartbeat\n\nbeat: 1200\n> 0a00 # hello\nxyz\n".to_vec();
        let items = file("f", text, Form::Any, Direction::FromServer);
        let Item::Message { origin, record } = &items[0] else { panic!() };
        assert_eq!((origin.as_str(), record.direction), ("f, line 3", Direction::FromServer));
        let Item::Message { record, .. } = &items[1] else { panic!() };
        assert_eq!((record.direction, record.message.len()), (Direction::FromClient, 2));
        assert!(matches!(&items[2], Item::Unreadable(problem) if problem.contains("line 5")));
    }
}
