//! The header of a frame from a client (RFC 6455, section 5.2).

use super::{ReaderError, writer::CONTROL_PAYLOAD_MAX};

/// Two bytes, a length of eight bytes, a mask of four bytes.
const MASKED_HEADER_BYTES_MAX: usize = 14;
pub(super) const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
/// In place of a length: the length is in the next two bytes.
pub(super) const LENGTH_IN_2: u8 = 126;
/// In place of a length: the length is in the next eight bytes.
pub(super) const LENGTH_IN_8: u8 = 127;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xa,
}

impl Opcode {
    /// Control frames may come between the fragments of a message.
    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    fn from_bits(bits: u8) -> Result<Self, ReaderError> {
        Ok(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            reserved => return Err(ReaderError::ReservedOpcode(reserved)),
        })
    }
}

/// A header that is right by itself. Whether it fits what came before is not known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) opcode: Opcode,
    pub(super) last: bool,
    pub(super) length: u64,
    pub(super) mask: [u8; 4],
}

/// The part of a header that has arrived.
#[derive(Debug, Clone, Default)]
pub(super) struct HeaderBuffer {
    bytes: [u8; MASKED_HEADER_BYTES_MAX],
    filled: usize,
}

impl HeaderBuffer {
    /// Whether nothing of a header has arrived.
    pub(super) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Takes from the input what belongs to the header. `None` if it goes on.
    pub(super) fn take(&mut self, input: &mut &[u8]) -> Result<Option<FrameHeader>, ReaderError> {
        if !self.fill(2, input) {
            return Ok(None);
        }
        let [first, second, ..] = self.bytes;
        let opcode = check_start(first, second)?;
        let short_length = second & !MASKED;
        let length_bytes = match short_length {
            LENGTH_IN_2 => 2,
            LENGTH_IN_8 => 8,
            _ => 0,
        };
        if !self.fill(2 + length_bytes + 4, input) {
            return Ok(None);
        }
        self.filled = 0;
        let [_, _, rest @ ..] = &self.bytes;
        let (length, mask) = rest.split_at(length_bytes);
        let length = match length_bytes {
            0 => u64::from(short_length),
            _ => length.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        let shortest = match length_bytes {
            0 => 0,
            2 => u64::from(LENGTH_IN_2),
            _ => u64::from(u16::MAX) + 1,
        };
        if length < shortest || length > i64::MAX as u64 {
            return Err(ReaderError::MalformedLength);
        }
        let mask = [mask[0], mask[1], mask[2], mask[3]];
        Ok(Some(FrameHeader { opcode, last: first & FINAL != 0, length, mask }))
    }

    /// Fills up to `count` bytes; whether there were enough.
    fn fill(&mut self, count: usize, input: &mut &[u8]) -> bool {
        let missing = count.saturating_sub(self.filled);
        let (taken, rest) = input.split_at(missing.min(input.len()));
        self.bytes[self.filled..self.filled + taken.len()].copy_from_slice(taken);
        self.filled += taken.len();
        *input = rest;
        self.filled >= count
    }
}

/// Everything that the first two bytes can be refused for.
fn check_start(first: u8, second: u8) -> Result<Opcode, ReaderError> {
    if first & RESERVED != 0 {
        return Err(ReaderError::ReservedBits);
    }
    let opcode = Opcode::from_bits(first & OPCODE)?;
    if second & MASKED == 0 {
        return Err(ReaderError::Unmasked);
    }
    if opcode.is_control() && first & FINAL == 0 {
        return Err(ReaderError::FragmentedControl);
    }
    if opcode.is_control() && usize::from(second & !MASKED) > CONTROL_PAYLOAD_MAX {
        return Err(ReaderError::LongControl);
    }
    Ok(opcode)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a final masked binary frame with these bytes of length and an ascending mask.
    fn take(length: &[u8]) -> Result<u64, ReaderError> {
        let bytes = [&[0x82, length[0] | MASKED], &length[1..], &[1, 2, 3, 4, 99]].concat();
        let mut input = bytes.as_slice();
        let header = HeaderBuffer::default().take(&mut input)?.unwrap();
        assert_eq!(input, [99], "the payload is left alone");
        let FrameHeader { length, .. } = header;
        assert_eq!(header, FrameHeader { opcode: Opcode::Binary, last: true, length, mask: [1, 2, 3, 4] });
        Ok(length)
    }

    #[test]
    fn a_length_has_one_encoding() {
        assert_eq!(take(&[0]), Ok(0));
        assert_eq!(take(&[125]), Ok(125));
        assert_eq!(take(&[126, 0, 125]), Err(ReaderError::MalformedLength));
        assert_eq!(take(&[126, 0, 126]), Ok(126));
        assert_eq!(take(&[126, 0xff, 0xff]), Ok(0xffff));
        assert_eq!(take(&[127, 0, 0, 0, 0, 0, 0, 0xff, 0xff]), Err(ReaderError::MalformedLength));
        assert_eq!(take(&[127, 0, 0, 0, 0, 0, 1, 0, 0]), Ok(0x1_0000));
    }

    #[test]
    fn the_top_bit_of_a_long_length_is_zero() {
        assert_eq!(take(&[127, 0x7f, 255, 255, 255, 255, 255, 255, 255]), Ok((1 << 63) - 1));
        assert_eq!(take(&[127, 0x80, 0, 0, 0, 0, 0, 0, 0]), Err(ReaderError::MalformedLength));
    }

    #[test]
    fn two_bytes_are_enough_to_refuse() {
        let refused = |first, second| HeaderBuffer::default().take(&mut [first, second].as_slice());
        for bit in [0x40, 0x20, 0x10] {
            assert_eq!(refused(0x82 | bit, 0x80), Err(ReaderError::ReservedBits));
        }
        for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
            assert_eq!(refused(FINAL | opcode, 0x80), Err(ReaderError::ReservedOpcode(opcode)));
        }
        assert_eq!(refused(0x82, 0x05), Err(ReaderError::Unmasked));
        for opcode in [0x8, 0x9, 0xa] {
            assert_eq!(refused(opcode, 0x80), Err(ReaderError::FragmentedControl));
            assert_eq!(refused(FINAL | opcode, 0x80 | 125), Ok(None));
            assert_eq!(refused(FINAL | opcode, 0x80 | 126), Err(ReaderError::LongControl));
            assert_eq!(refused(FINAL | opcode, 0x80 | 127), Err(ReaderError::LongControl));
        }
    }
}
