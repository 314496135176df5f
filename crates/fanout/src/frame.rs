//! A group's frame: the one place where the head of a frame and ready pieces become bytes.

use bytes::Bytes;
use oddswire_model::Revision;
use oddswire_wire::{
    FrameBuilder, LeadScratch,
    compact::{Lead, LeadHead, Model},
    proto::Conflation,
};

/// Appends what stands before a payload of so many bytes on the line, such as a WebSocket header.
pub type Envelope = fn(payload_len: usize, out: &mut Vec<u8>);

/// What a frame of a group's chain says before its pieces.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    /// How far the revision advances.
    pub(crate) step: u64,
    /// Place in the chain.
    pub(crate) sequence: u32,
    /// How far the producers' clock has gone.
    pub(crate) time_step: u64,
    /// From where to resume, where that is not the revision reached.
    pub(crate) cursor: Option<Revision>,
    /// Why several changes became one.
    pub(crate) cause: Conflation,
}

/// The first delta of a compact frame, coded together with the head.
pub(crate) struct First<'a> {
    pub(crate) lead: Lead,
    /// The delta's own piece.
    pub(crate) piece: &'a [u8],
    /// Whether the group follows no other market.
    pub(crate) is_sole: bool,
    pub(crate) model: &'a Model,
    pub(crate) scratch: &'a mut LeadScratch,
}

impl Head {
    /// Appends the head, and with it the first delta, if there is one that can be coded together with it.
    pub(crate) fn write(&self, first: Option<First<'_>>, out: &mut FrameBuilder) {
        if first.is_none() {
            out.advance(self.step, self.sequence, self.time_step);
        }
        if let Some(cursor) = self.cursor {
            out.cursor(cursor);
        }
        if self.cause != Conflation::None {
            out.conflated(self.cause);
        }
        if let Some(First { lead, piece, is_sole, model, scratch }) = first {
            let Self { step, sequence, time_step, .. } = *self;
            out.lead_or_advance(
                &LeadHead { step, sequence, time_step, is_sole },
                &lead,
                piece,
                model,
                scratch,
            );
        }
    }
}

/// Frames of one group, ready to be sent: enveloped, one behind the other.
#[derive(Debug)]
pub struct Batch {
    envelope: Envelope,
    bytes: Vec<u8>,
    frames: Vec<Frame>,
    /// How many connections they are offered to.
    pub(crate) receivers: usize,
    shared: Option<Bytes>,
}

#[derive(Debug)]
struct Frame {
    /// Where its payload begins and ends.
    start: usize,
    end: usize,
    /// From where who has taken it may resume.
    cursor: Revision,
}

impl Batch {
    pub(crate) fn new(envelope: Envelope) -> Self {
        Self { envelope, bytes: Vec::new(), frames: Vec::new(), receivers: 0, shared: None }
    }

    /// Frames without envelopes, for whoever tests lines of his own.
    pub fn of<'a>(payloads: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut batch = Self::new(|_, _| {});
        for payload in payloads {
            batch.push(Revision(0), payload.len(), std::iter::once(payload));
        }
        batch
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
        self.shared = None;
    }

    /// Appends a frame of these parts.
    pub(crate) fn push<'a>(
        &mut self,
        cursor: Revision,
        length: usize,
        parts: impl Iterator<Item = &'a [u8]>,
    ) {
        (self.envelope)(length, &mut self.bytes);
        let start = self.bytes.len();
        self.bytes.reserve(length);
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        debug_assert_eq!(self.bytes.len() - start, length);
        self.frames.push(Frame { start, end: self.bytes.len(), cursor });
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.frames.len()
    }

    /// What goes on the line.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where the first so many frames end.
    pub fn end(&self, frames: usize) -> usize {
        frames.checked_sub(1).and_then(|last| self.frames.get(last)).map_or(0, |last| last.end)
    }

    /// From where who has taken the first so many frames may resume, as far as they say.
    pub(crate) fn cursor(&self, frames: usize) -> Revision {
        frames.checked_sub(1).and_then(|last| self.frames.get(last)).map_or(Revision(0), |last| last.cursor)
    }

    /// How many frames have begun within so many bytes.
    pub fn begun(&self, bytes: usize) -> usize {
        (0..self.frames.len()).take_while(|&before| self.end(before) < bytes).count()
    }

    /// Bytes to be kept. Several connections that keep some share one copy of all; one alone keeps no more than these.
    pub fn keep(&mut self, range: std::ops::Range<usize>) -> Bytes {
        if self.receivers <= 1 {
            return Bytes::copy_from_slice(&self.bytes[range]);
        }
        self.shared.get_or_insert_with(|| Bytes::copy_from_slice(&self.bytes)).slice(range)
    }

    /// The frames without their envelopes.
    pub fn payloads(&self) -> impl Iterator<Item = &[u8]> {
        self.frames.iter().map(|frame| &self.bytes[frame.start..frame.end])
    }
}

/// A frame for one connection: what was built for it alone, and what it may share with others.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The first bytes of the payload; mostly empty.
    pub prefix: Bytes,
    /// The rest of the payload.
    pub body: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_falls_into_a_frame() {
        let mut batch = Batch::new(|length, out| out.push(length as u8));
        for (revision, payload) in [(3, &b"one"[..]), (5, b"three"), (9, b"")] {
            batch.push(Revision(revision), payload.len(), std::iter::once(payload));
        }
        assert_eq!(batch.bytes(), b"\x03one\x05three\x00");
        assert_eq!([0, 1, 2, 3].map(|frames| batch.end(frames)), [0, 4, 10, 11]);
        // Of the first byte, of all but the last, of all, and of one more.
        assert_eq!([0, 1, 3, 4, 5, 9, 10, 11].map(|bytes| batch.begun(bytes)), [0, 1, 1, 1, 2, 2, 2, 3]);
        assert_eq!([0, 1, 2].map(|frames| batch.cursor(frames).0), [0, 3, 5]);
        batch.receivers = 1;
        assert_eq!(batch.keep(2..4), "ne");
        assert!(batch.shared.is_none(), "who is alone keeps no more than he needs");
        batch.receivers = 2;
        let (one, other) = (batch.keep(2..4), batch.keep(2..10));
        assert_eq!(one.as_ptr(), other.as_ptr(), "two share a copy");
    }
}
