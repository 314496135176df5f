//! What a frame says beside its cells: enough to follow the chain and to know which markets a frame is about.
//!
//! Thousands of receivers in one process cannot each hold every market. Most of them read this much of each frame;
//! a share of them reads everything and compares digests, see [`crate::connection`].

use bytes::Buf;
use oddswire_wire::{
    piece::PieceKind,
    proto,
    varint::{Reader, VarintError, unzigzag},
};
use prost::{
    DecodeError, Message,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};

/// Everything of a frame but cells, definitions, edges and digests.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Head {
    pub(crate) welcome: Option<proto::Welcome>,
    pub(crate) heartbeat: Option<proto::Heartbeat>,
    pub(crate) subscribed: Option<proto::Subscribed>,
    pub(crate) error: Option<proto::Error>,
    pub(crate) drain: Option<proto::Drain>,
    pub(crate) advance: Option<u64>,
    pub(crate) cursor: Option<u64>,
    pub(crate) position: Option<proto::Position>,
    pub(crate) revision_step: Option<u64>,
    pub(crate) conflated: i32,
    pub(crate) more: bool,
}

/// The head of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PieceHead {
    pub(crate) kind: PieceKind,
    pub(crate) market: u32,
    /// The market's revision afterwards; 0 in deltas, where the frame says it.
    pub(crate) revision: u64,
    /// In steps of 10 ms: since 1970, in deltas before the frame's clock.
    pub(crate) time: u64,
}

/// Why a frame cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeadError {
    #[error("a frame is not a valid message: {0}")]
    Message(#[from] DecodeError),
    #[error("a frame ends inside a field")]
    Truncated,
    #[error("the head of a piece cannot be read: {0}")]
    Piece(#[from] VarintError),
}

/// Reads a frame. The pieces are appended to a list that the caller keeps, so that no frame costs memory.
///
/// # Errors
/// When it is not a message, or the head of a piece is no list of integers.
pub(crate) fn read(mut bytes: &[u8], pieces: &mut Vec<PieceHead>) -> Result<Head, HeadError> {
    let mut head = Head::default();
    let bytes = &mut bytes;
    while bytes.has_remaining() {
        let (field, wire_type) = decode_key(bytes)?;
        match (field, wire_type) {
            (1, WireType::LengthDelimited) => merge(&mut head.welcome, bytes)?,
            (2, WireType::LengthDelimited) => merge(&mut head.heartbeat, bytes)?,
            (3, WireType::LengthDelimited) => merge(&mut head.subscribed, bytes)?,
            (4, WireType::LengthDelimited) => merge(&mut head.error, bytes)?,
            (5, WireType::LengthDelimited) => merge(&mut head.drain, bytes)?,
            (6, WireType::Varint) => head.advance = Some(decode_varint(bytes)?),
            (7, WireType::Varint) => head.cursor = Some(decode_varint(bytes)?),
            (8, WireType::LengthDelimited) => merge(&mut head.position, bytes)?,
            (10, WireType::LengthDelimited) => pieces.push(piece(PieceKind::Snapshot, delimited(bytes)?)?),
            (11, WireType::LengthDelimited) => pieces.push(piece(PieceKind::Delta, delimited(bytes)?)?),
            (12, WireType::LengthDelimited) => pieces.push(piece(PieceKind::CatchUp, delimited(bytes)?)?),
            (13, WireType::Varint) => head.revision_step = Some(decode_varint(bytes)?),
            (16, WireType::Varint) => head.conflated = decode_varint(bytes)? as i32,
            (17, WireType::Varint) => head.more = decode_varint(bytes)? != 0,
            _ => skip_field(wire_type, field, bytes, DecodeContext::default())?,
        }
    }
    Ok(head)
}

fn merge<M: Message + Default>(into: &mut Option<M>, bytes: &mut &[u8]) -> Result<(), HeadError> {
    Ok(into.get_or_insert_default().merge(delimited(bytes)?)?)
}

fn delimited<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], HeadError> {
    let length = decode_varint(bytes)?;
    let whole: &'a [u8] = bytes;
    let fits = usize::try_from(length).ok().filter(|&length| length <= whole.len());
    let Some(length) = fits else { return Err(HeadError::Truncated) };
    let (value, rest) = whole.split_at(length);
    *bytes = rest;
    Ok(value)
}

fn piece(kind: PieceKind, bytes: &[u8]) -> Result<PieceHead, HeadError> {
    let mut reader = Reader::new(bytes);
    let first = reader.read()?;
    let market = if kind == PieceKind::Delta { first >> 1 } else { first } as u32;
    let (revision, time) = match kind {
        PieceKind::Delta => (0, if first & 1 == 1 { reader.read()? } else { 0 }),
        PieceKind::Snapshot | PieceKind::CatchUp => (reader.read()?, unzigzag(reader.read()?) as u64),
    };
    Ok(PieceHead { kind, market, revision, time })
}

#[cfg(test)]
mod tests {
    use oddswire_delta::{MarketDelta, diff, snapshot};
    use oddswire_model::{CellKey, Field, Market, MarketId, MarketNumber, Revision, View};
    use oddswire_wire::{
        FrameBuilder, decode_frame,
        piece::{Encoding, PieceEncoder},
    };

    use super::*;

    #[test]
    fn a_head_says_what_the_whole_frame_says() {
        let mut market = Market::new(MarketNumber(300), MarketId::new("1.2").unwrap(), Revision(3));
        let (mut change, mut encoder, mut pieces) =
            (MarketDelta::default(), PieceEncoder::default(), Vec::new());
        market.touch(Revision(3), 12_340);
        snapshot(&market, View::FULL, &mut change);
        encoder.encode(&change, None, &market, Encoding::Plain, &mut pieces);
        let baseline = market.clone();
        market.set(CellKey::market(Field::InPlay), 1, Revision(5));
        market.touch(Revision(5), 23_450);
        diff(&baseline, &market, View::FULL, &mut change);
        encoder.set_frame_time(24_000);
        encoder.encode(&change, Some((&baseline, View::FULL)), &market, Encoding::Plain, &mut pieces);
        let mut frame = FrameBuilder::new();
        frame.advance(9, 5, 7);
        frame.cursor(Revision(40));
        frame.position(proto::Position { revision: 50, sequence: 6, since: 1, time: 2_400 });
        frame.heartbeat(&proto::Heartbeat { revision: 41, freshness_ms: Some(3), now_ms: 4, sequence: 5 });
        frame.conflated(proto::Conflation::ReceiverSlow);
        frame.pieces(&pieces);
        frame.digest(proto::MarketDigest { market: 1, digest: 2 });
        let bytes = frame.finish();
        let whole = decode_frame(bytes.clone()).unwrap();
        let mut found = Vec::new();
        let head = read(&bytes, &mut found).unwrap();
        assert_eq!((head.advance, head.cursor), (whole.advance, whole.cursor));
        assert_eq!((head.revision_step, whole.revision_step), (Some(9), Some(9)));
        assert_eq!((head.position, head.heartbeat), (whole.position, whole.heartbeat));
        assert_eq!((head.conflated, head.more), (whole.conflated, false));
        let expected = [
            PieceHead { kind: PieceKind::Snapshot, market: 300, revision: 3, time: 1_234 },
            PieceHead { kind: PieceKind::Delta, market: 300, revision: 0, time: 2_400 - 2_345 },
        ];
        assert_eq!(found, expected);
        for cut in 1..bytes.len() {
            // Never a panic, whatever is missing.
            let _ = read(&bytes[..cut], &mut Vec::new());
        }
    }
}
