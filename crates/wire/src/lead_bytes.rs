//! The string that leads a compact frame, in the field that makes it shortest.
//!
//! Most frames are one small change, and most of those are three to eight bytes. A field of bytes spends one more on its
//! length; a number needs none. docs/protocol.md, clause [COMPACT-8].

use crate::{limits::LEAD_VARINT_BITS_MAX, piece::PieceError, proto, varint};

/// Appends a lead as the shortest field: tag, length if it has one, and the string.
pub(crate) fn write(string: &[u8], out: &mut Vec<u8>) {
    let Some(number) = number(string) else {
        return write_bytes(string, out);
    };
    let bits = number.checked_ilog2().map_or(0, |log| log + 1);
    // A field of no bytes would be none.
    let as_bytes = 1 + string.len().max(1);
    let as_varint = bits.div_ceil(7).max(1) as usize;
    if bits <= 32 && as_varint > 4 {
        out.push(4 << 3 | 5);
        out.extend_from_slice(&(number as u32).to_be_bytes());
    } else if as_varint < as_bytes && bits <= LEAD_VARINT_BITS_MAX {
        out.push(3 << 3);
        varint::write(out, number);
    } else if as_bytes > 8 {
        out.push(5 << 3 | 1);
        out.extend_from_slice(&number.to_be_bytes());
    } else {
        write_bytes(string, out);
    }
}

/// Writes the field of bytes.
fn write_bytes(string: &[u8], out: &mut Vec<u8>) {
    out.push(14 << 3 | 2);
    varint::write(out, string.len() as u64);
    out.extend_from_slice(string);
}

/// The string as a number, highest byte first, if it has no more than eight bytes.
fn number(string: &[u8]) -> Option<u64> {
    let mut whole = [0; 8];
    whole[8usize.checked_sub(string.len())?..].copy_from_slice(string);
    Some(u64::from_be_bytes(whole))
}

/// What leads a frame, whichever field it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeadBytes<'a> {
    /// The field of bytes.
    Bytes(&'a [u8]),
    /// A number; zeros in front say nothing.
    Number([u8; 8]),
}

impl<'a> LeadBytes<'a> {
    /// Finds the lead of a frame, if it has one. Of several, the first in the order of their field numbers counts.
    ///
    /// # Errors
    /// When a variable-length number takes more than 49 bits.
    pub fn of(frame: &'a proto::ServerFrame) -> Result<Option<Self>, PieceError> {
        if let Some(number) = frame.lead_varint {
            return Self::from_varint(number).map(Some);
        }
        // The bytes stand on the wire in their order, which protobuf reads as the lowest first.
        if let Some(number) = frame.lead_fixed32 {
            return Ok(Some(Self::Number(u64::from(number.swap_bytes()).to_be_bytes())));
        }
        if let Some(number) = frame.lead_fixed64 {
            return Ok(Some(Self::Number(number.to_le_bytes())));
        }
        Ok((!frame.lead.is_empty()).then_some(Self::Bytes(&frame.lead)))
    }

    /// The lead that a variable-length number says.
    ///
    /// # Errors
    /// When it takes more than 49 bits.
    pub fn from_varint(number: u64) -> Result<Self, PieceError> {
        let is_short = number >> LEAD_VARINT_BITS_MAX == 0;
        if is_short { Ok(Self::Number(number.to_be_bytes())) } else { Err(PieceError::Head) }
    }

    /// The string, for [`crate::compact::LeadReader::new`].
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode_frame;

    fn frame(string: &[u8]) -> (Vec<u8>, proto::ServerFrame) {
        let mut bytes = Vec::new();
        write(string, &mut bytes);
        (bytes.clone(), decode_frame(bytes.into()).unwrap())
    }

    proptest! {
        #[test]
        fn a_lead_is_read_as_it_was_written(mut string in proptest::collection::vec(any::<u8>(), 0..12)) {
            let zeros = string.iter().take_while(|&&byte| byte == 0).count();
            string.drain(..zeros);
            let (bytes, frame) = frame(&string);
            prop_assert!(bytes.len() <= string.len() + 2);
            let lead = LeadBytes::of(&frame).unwrap().unwrap();
            let zeros = lead.as_slice().iter().take_while(|&&byte| byte == 0).count();
            prop_assert_eq!(&lead.as_slice()[zeros..], &string[..]);
        }
    }

    #[test]
    fn the_shortest_field_is_taken() {
        for (string, expected) in [
            (&[][..], 2),
            (&[0x7f], 2),
            (&[0x80], 3),
            (&[0x1f, 1, 1], 4),
            (&[0x0f, 1, 1, 1], 5),
            (&[0xff, 1, 1, 1], 5),
            (&[7, 1, 1, 1, 1], 6),
            (&[8, 1, 1, 1, 1], 7),
            (&[3, 1, 1, 1, 1, 1], 7),
            (&[4, 1, 1, 1, 1, 1], 8),
            (&[1, 1, 1, 1, 1, 1, 1], 8),
            (&[2, 1, 1, 1, 1, 1, 1], 9),
            (&[1, 1, 1, 1, 1, 1, 1, 1], 9),
            (&[1, 1, 1, 1, 1, 1, 1, 1, 1], 11),
        ] {
            assert_eq!(frame(string).0.len(), expected, "{string:x?}");
        }
    }

    #[test]
    fn a_number_that_is_too_long_is_no_head() {
        let mut bytes = vec![3 << 3];
        varint::write(&mut bytes, 1 << LEAD_VARINT_BITS_MAX);
        let frame = decode_frame(bytes.into()).unwrap();
        assert_eq!(LeadBytes::of(&frame).unwrap_err(), PieceError::Head);
    }
}
