//! The outermost fields of a protobuf message, with the bytes at which they stand.
//!
//! Generated decoders say that something is wrong, but not where. Whoever writes a client needs to know where.

use std::ops::Range;

use oddswire_wire::varint::{Reader, VarintError};

/// One field of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    /// Its number.
    pub(super) number: u32,
    /// All its bytes, tag included.
    pub(super) span: Range<usize>,
    /// What it holds.
    pub(super) content: Content,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// A number.
    Integer(u64),
    /// Bytes with a length: where they stand.
    Bytes(Range<usize>),
    /// Four or eight bytes; nothing in this version is one.
    Fixed,
}

/// What is wrong with a message, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// The byte.
    pub(super) at: usize,
    /// Why, in words.
    pub(super) why: String,
}

/// Splits a message; what stands before a problem is given as well.
pub(super) fn split(message: &[u8]) -> (Vec<Field>, Option<Problem>) {
    let mut fields = Vec::new();
    let mut at = 0;
    while at < message.len() {
        match field(message, at) {
            Ok(field) => {
                at = field.span.end;
                fields.push(field);
            }
            Err(problem) => return (fields, Some(problem)),
        }
    }
    (fields, None)
}

fn field(message: &[u8], start: usize) -> Result<Field, Problem> {
    let (tag, at) = integer(message, start, "a tag")?;
    let number = u32::try_from(tag >> 3).ok().filter(|&number| number > 0 && number < 1 << 29);
    let Some(number) = number else {
        return Err(Problem { at: start, why: format!("{} is not a field number", tag >> 3) });
    };
    let fixed = |bytes: usize| {
        let end = at + bytes;
        let why = || format!("field {number} has {bytes} bytes, but only {} are left", message.len() - at);
        if end > message.len() { Err(Problem { at, why: why() }) } else { Ok((Content::Fixed, end)) }
    };
    let (content, end) = match tag & 7 {
        0 => integer(message, at, "a number").map(|(value, end)| (Content::Integer(value), end))?,
        1 => fixed(8)?,
        2 => {
            let (length, from) = integer(message, at, "a length")?;
            let left = message.len() - from;
            let Some(length) = usize::try_from(length).ok().filter(|&length| length <= left) else {
                let why = format!("field {number} says that it has {length} bytes, but only {left} are left");
                return Err(Problem { at, why });
            };
            (Content::Bytes(from..from + length), from + length)
        }
        5 => fixed(4)?,
        other => {
            let why = format!("field {number} has wire type {other}, which is none of this protocol");
            return Err(Problem { at: start, why });
        }
    };
    Ok(Field { number, span: start..end, content })
}

fn integer(message: &[u8], at: usize, what: &str) -> Result<(u64, usize), Problem> {
    let rest = &message[at..];
    let mut reader = Reader::new(rest);
    match reader.read() {
        Ok(value) => Ok((value, at + rest.iter().take_while(|&&byte| byte >= 0x80).count() + 1)),
        Err(VarintError::Truncated) => Err(Problem { at, why: format!("the bytes end inside {what}") }),
        Err(error) => Err(Problem { at, why: format!("{what}: {error}") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_know_where_they_stand() {
        let (fields, problem) = split(&[6 << 3, 0x81, 0x01, 10 << 3 | 2, 2, 7, 8]);
        assert_eq!(problem, None);
        assert_eq!(fields[0], Field { number: 6, span: 0..3, content: Content::Integer(129) });
        assert_eq!(fields[1], Field { number: 10, span: 3..7, content: Content::Bytes(5..7) });
    }

    #[test]
    fn problems_say_at_which_byte_and_why() {
        for (bytes, at, why) in [
            (&[0x80][..], 0, "end inside a tag"),
            (&[0x30, 1, 0x30], 3, "end inside a number"),
            (&[0x52, 9, 1], 1, "says that it has 9 bytes, but only 1 are left"),
            (&[0x30, 1, 0x37], 2, "wire type 7"),
            (&[0x00], 0, "0 is not a field number"),
            (&[0x31, 1, 2], 1, "has 8 bytes, but only 2"),
            (&[0x35, 1, 2], 1, "has 4 bytes, but only 2"),
            (&[0x30, 0x80, 0x00], 1, "longer than it needs to be"),
        ] {
            let (_, problem) = split(bytes);
            let problem = problem.unwrap();
            assert_eq!(problem.at, at, "{bytes:x?}: {}", problem.why);
            assert!(problem.why.contains(why), "{bytes:x?}: {}", problem.why);
        }
    }
}
