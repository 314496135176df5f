//! Payloads: removing the mask, and joining fragments to a message.

use bytes::BytesMut;

use super::{Event, ReaderError, ReaderLimits, header::FrameHeader};

/// Copies a piece of a payload behind the others and removes its mask there.
///
/// The mask is turned, so that it fits the next piece.
pub(super) fn append_unmasked(payload: &mut BytesMut, piece: &[u8], mask: &mut [u8; 4]) {
    let start = payload.len();
    payload.extend_from_slice(piece);
    let (words, rest) = payload[start..].as_chunks_mut::<4>();
    let word_mask = u32::from_ne_bytes(*mask);
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ word_mask).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(*mask) {
        *byte ^= mask;
    }
    mask.rotate_left(piece.len() % 4);
}

/// The message whose frames are arriving, if one is.
#[derive(Debug, Clone, Default)]
pub(super) struct Message {
    /// Grows with what arrived, never with what was announced.
    pub(super) payload: BytesMut,
    fragments: u32,
    is_begun: bool,
    is_text: bool,
    /// Length of the text that is known to be UTF-8.
    checked: usize,
}

impl Message {
    /// The first frame of a message.
    pub(super) fn begin(&mut self, is_text: bool) -> Result<(), ReaderError> {
        if self.is_begun {
            return Err(ReaderError::UnfinishedMessage);
        }
        self.is_begun = true;
        self.is_text = is_text;
        Ok(())
    }

    /// Whether a frame of a message has come, and not the last one.
    pub(super) fn is_begun(&self) -> bool {
        self.is_begun
    }

    /// Another frame of the same message.
    pub(super) fn proceed(&self) -> Result<(), ReaderError> {
        if self.is_begun { Ok(()) } else { Err(ReaderError::NothingToContinue) }
    }

    /// Takes a frame into account, of which only the header is known.
    pub(super) fn add_frame(
        &mut self,
        frame: &FrameHeader,
        limits: &ReaderLimits,
    ) -> Result<(), ReaderError> {
        let FrameHeader { length, last, .. } = *frame;
        if length == 0 && !last && !limits.empty_fragments {
            return Err(ReaderError::EmptyFragment);
        }
        if self.fragments >= limits.fragments {
            return Err(ReaderError::TooManyFragments { limit: limits.fragments });
        }
        self.fragments += 1;
        if length > limits.frame_bytes as u64 {
            return Err(ReaderError::LongFrame { length, limit: limits.frame_bytes });
        }
        // A length has at most 63 bits, and so have the bytes in memory.
        let length = self.payload.len() as u64 + length;
        if length > limits.message_bytes as u64 {
            return Err(ReaderError::LongMessage { length, limit: limits.message_bytes });
        }
        Ok(())
    }

    /// Refuses text at its first wrong byte, however it is cut. What may become a character is left for later.
    pub(super) fn check_text(&mut self) -> Result<(), ReaderError> {
        if !self.is_text {
            return Ok(());
        }
        match str::from_utf8(&self.payload[self.checked..]) {
            Ok(text) => self.checked += text.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(ReaderError::InvalidUtf8),
        }
        Ok(())
    }

    /// The last frame is complete.
    pub(super) fn finish(self) -> Result<Event, ReaderError> {
        if !self.is_text {
            return Ok(Event::Binary(self.payload.freeze()));
        }
        // A character may have been cut by the end.
        String::from_utf8(self.payload.into()).map(Event::Text).map_err(|_| ReaderError::InvalidUtf8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_fits_whatever_the_pieces() {
        let plain: Vec<u8> = (0..97).collect();
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let masked: Vec<u8> = plain.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        for size in 1..=masked.len() {
            let (mut payload, mut turned) = (BytesMut::new(), mask);
            for piece in masked.chunks(size) {
                append_unmasked(&mut payload, piece, &mut turned);
            }
            assert_eq!(payload, plain, "in pieces of {size}");
        }
    }

    /// How many bytes of the text are taken, one by one, before it is refused.
    fn taken(text: &[u8]) -> usize {
        let mut message = Message { is_text: true, ..Message::default() };
        for (index, byte) in text.iter().enumerate() {
            message.payload.extend_from_slice(&[*byte]);
            if message.check_text().is_err() {
                return index;
            }
        }
        text.len()
    }

    #[test]
    fn text_is_refused_at_its_first_wrong_byte() {
        assert_eq!(taken("κόσμε, 1½, 🏇".as_bytes()), 21);
        assert_eq!(taken(b"\xc0"), 0, "an overlong encoding");
        assert_eq!(taken(b"a\xed\xa0"), 2, "a surrogate");
        assert_eq!(taken(b"\xf4\x90\x80\x80"), 1, "beyond U+10FFFF");
        assert_eq!(taken(b"\xf4\x8f\xbf\xbf"), 4, "U+10FFFF");
        assert_eq!(taken(b"\xe2\x82a"), 2, "a character that breaks off");
        assert_eq!(taken(b"\x80"), 0, "a continuation byte alone");
    }
}
