//! Frames: building them from ready parts, and taking them apart.

use bytes::Bytes;
use oddswire_model::Revision;
use prost::Message;

use crate::{
    compact::{Lead, LeadHead, Model, Symbols},
    compressed, lead_bytes,
    limits::{FRAME_BYTES_MAX, FRAMES_JOINED_MAX, SEQUENCE_BITS, SEQUENCE_MASK},
    proto, varint,
};

/// Why a frame cannot be read. The bytes are at fault; the session is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`FRAME_BYTES_MAX`].
    #[error("a frame of {0} bytes is longer than {FRAME_BYTES_MAX}")]
    TooLong(usize),
    /// Not a protobuf message of this version.
    #[error("the frame is not a valid message: {0}")]
    Malformed(String),
}

/// Joins ready pieces and small header fields to a frame.
#[derive(Debug, Default, Clone)]
pub struct FrameBuilder {
    bytes: Vec<u8>,
}

/// Memory that [`FrameBuilder::lead`] works in.
#[derive(Debug, Default)]
pub struct LeadScratch {
    symbols: Symbols,
    bytes: Vec<u8>,
}

impl FrameBuilder {
    /// An empty frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Forgets what was added and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// What was added so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Names the base: the frame before this one in its group. Says how far the revision advances, and how far the
    /// producers' clock has gone, in steps of [`crate::piece::TIME_STEP_MS`].
    pub fn advance(&mut self, revision_step: u64, sequence: u32, time_step: u64) {
        self.bytes.push(6 << 3);
        varint::write(&mut self.bytes, time_step << SEQUENCE_BITS | u64::from(sequence & SEQUENCE_MASK));
        if revision_step != 1 {
            self.bytes.push(13 << 3);
            varint::write(&mut self.bytes, revision_step);
        }
    }

    /// Adds the head of a frame coded together with its first delta, which [`crate::piece::PieceEncoder`] encoded with
    /// `model` as `piece`. There is then no [`FrameBuilder::advance`].
    pub fn lead(
        &mut self,
        head: &LeadHead,
        lead: &Lead,
        piece: &[u8],
        model: &Model,
        scratch: &mut LeadScratch,
    ) {
        let LeadScratch { symbols, bytes } = scratch;
        bytes.clear();
        head.write(lead, model, symbols, bytes);
        bytes.extend_from_slice(&piece[piece.len() - lead.tail_len..]);
        lead_bytes::write(bytes, &mut self.bytes);
    }

    /// Adds [`FrameBuilder::lead`], or [`FrameBuilder::advance`] and the piece, whichever is shorter: a step that the model
    /// takes for all but impossible can be longer than the integer that says it.
    pub fn lead_or_advance(
        &mut self,
        head: &LeadHead,
        lead: &Lead,
        piece: &[u8],
        model: &Model,
        scratch: &mut LeadScratch,
    ) {
        /// Tag and number.
        const ADVANCE_LENGTH_MIN: usize = 2;
        let start = self.bytes.len();
        self.lead(head, lead, piece, model, scratch);
        let end = self.bytes.len();
        let length = end - start;
        if length <= ADVANCE_LENGTH_MIN + piece.len() {
            return;
        }
        self.advance(head.step, head.sequence, head.time_step);
        self.pieces(piece);
        if self.bytes.len() - end < length {
            self.bytes.drain(start..end);
        } else {
            self.bytes.truncate(end);
        }
    }

    /// From where the receiver may resume after this frame.
    pub fn cursor(&mut self, revision: Revision) {
        self.bytes.push(7 << 3);
        varint::write(&mut self.bytes, revision.0);
    }

    /// Where the receiver stands after this frame.
    pub fn position(&mut self, position: proto::Position) {
        self.append(&proto::ServerFrame { position: Some(position), ..Default::default() });
    }

    /// Adds everything that another frame says.
    pub fn append_frame(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// Adds pieces made by [`crate::piece::PieceEncoder`].
    pub fn pieces(&mut self, pieces: &[u8]) {
        self.bytes.extend_from_slice(pieces);
    }

    /// Why several changes became one.
    pub fn conflated(&mut self, cause: proto::Conflation) {
        self.append(&proto::ServerFrame { conflated: cause.into(), ..Default::default() });
    }

    /// The next frame belongs to this one.
    pub fn more(&mut self) {
        self.append(&proto::ServerFrame { more: true, ..Default::default() });
    }

    /// Adds the answer to a hello.
    pub fn welcome(&mut self, welcome: proto::Welcome) {
        self.append(&proto::ServerFrame { welcome: Some(welcome), ..Default::default() });
    }

    /// Adds a heartbeat.
    pub fn heartbeat(&mut self, heartbeat: &proto::Heartbeat) {
        self.append(&proto::ServerFrame { heartbeat: Some(*heartbeat), ..Default::default() });
    }

    /// Adds the answer to a subscribe or unsubscribe.
    pub fn subscribed(&mut self, subscribed: proto::Subscribed) {
        self.append(&proto::ServerFrame { subscribed: Some(subscribed), ..Default::default() });
    }

    /// Adds an error.
    pub fn error(&mut self, error: proto::Error) {
        self.append(&proto::ServerFrame { error: Some(error), ..Default::default() });
    }

    /// Adds the request to move.
    pub fn drain(&mut self, drain: proto::Drain) {
        self.append(&proto::ServerFrame { drain: Some(drain), ..Default::default() });
    }

    /// Adds a status edge that the frame leaps over.
    pub fn status_edge(&mut self, edge: proto::StatusEdge) {
        self.append(&proto::ServerFrame { status_edges: vec![edge], ..Default::default() });
    }

    /// Adds what a market's digest must be after the frame.
    pub fn digest(&mut self, digest: proto::MarketDigest) {
        self.append(&proto::ServerFrame { digests: vec![digest], ..Default::default() });
    }

    /// Names markets that have left.
    pub fn removed(&mut self, markets: Vec<u32>) {
        self.append(&proto::ServerFrame { removed: markets, ..Default::default() });
    }

    /// The frame.
    pub fn finish(self) -> Bytes {
        self.bytes.into()
    }

    fn append(&mut self, part: &proto::ServerFrame) {
        part.encode_raw(&mut self.bytes);
    }
}

/// Takes a frame apart. The pieces in it are still encoded and share the frame's memory.
///
/// # Errors
/// When it is too long or not a message. Work and memory are bounded by the frame's length times a small factor:
/// the smallest repeated element takes two bytes.
pub fn decode_frame(bytes: Bytes) -> Result<proto::ServerFrame, FrameError> {
    if bytes.len() > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong(bytes.len()));
    }
    decode(bytes)
}

/// Takes apart frames that belong together by `more`. Frames are concatenations of fields, so they read as one.
///
/// # Errors
/// When one is too long or the whole is not a message.
pub fn decode_joined(parts: &[Bytes]) -> Result<proto::ServerFrame, FrameError> {
    if let Some(long) = parts.iter().find(|part| part.len() > FRAME_BYTES_MAX) {
        return Err(FrameError::TooLong(long.len()));
    }
    decode(parts.concat().into())
}

fn decode(bytes: Bytes) -> Result<proto::ServerFrame, FrameError> {
    let malformed = |error: prost::DecodeError| FrameError::Malformed(error.to_string());
    let mut frame = proto::ServerFrame::decode(bytes).map_err(malformed)?;
    if frame.compressed.len() > FRAMES_JOINED_MAX {
        return Err(FrameError::Malformed("too many compressed fields".to_owned()));
    }
    for compressed in std::mem::take(&mut frame.compressed) {
        frame.merge(Bytes::from(compressed::decompress(&compressed)?)).map_err(malformed)?;
        if !frame.compressed.is_empty() {
            return Err(FrameError::Malformed("compressed fields hold compressed fields".to_owned()));
        }
    }
    Ok(frame)
}
