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
    /// Bytes of the delta that follow the head.
    pub(crate) tail_len: usize,
    /// Whether the group follows no other market.
    pub(crate) is_sole: bool,
    pub(crate) model: &'a Model,
    pub(crate) scratch: &'a mut LeadScratch,
}

impl Head {
    /// Appends the head. The bytes of the first delta, if there is one that can be coded together with it, must follow.
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
        if let Some(First { lead, tail_len, is_sole, model, scratch }) = first {
            let Self { step, sequence, time_step, .. } = *self;
            out.lead(&LeadHead { step, sequence, time_step, is_sole }, &lead, tail_len, model, scratch);
        }
    }
}

/// Frames of one group, ready to be sent: enveloped, one behind the other.
#[derive(Debug)]
pub struct Batch {
    envelope: Envelope,
    bytes: Vec<u8>,
    /// Where each payload begins and ends.
    payloads: Vec<(usize, usize)>,
    shared: Option<Bytes>,
}

impl Batch {
    pub(crate) fn new(envelope: Envelope) -> Self {
        Self { envelope, bytes: Vec::new(), payloads: Vec::new(), shared: None }
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.payloads.clear();
        self.shared = None;
    }

    /// Appends a frame of these parts.
    pub(crate) fn push<'a>(&mut self, length: usize, parts: impl Iterator<Item = &'a [u8]>) {
        (self.envelope)(length, &mut self.bytes);
        let start = self.bytes.len();
        self.bytes.reserve(length);
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        debug_assert_eq!(self.bytes.len() - start, length);
        self.payloads.push((start, self.bytes.len()));
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.payloads.is_empty()
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.payloads.len()
    }

    /// What goes on the line.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, to be kept: copied once, whoever asks for it.
    pub fn shared(&mut self) -> Bytes {
        self.shared.get_or_insert_with(|| Bytes::copy_from_slice(&self.bytes)).clone()
    }

    /// The frames without their envelopes.
    pub fn payloads(&self) -> impl Iterator<Item = &[u8]> {
        self.payloads.iter().map(|&(start, end)| &self.bytes[start..end])
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
