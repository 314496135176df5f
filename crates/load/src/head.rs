//! What a frame says beside its cells: enough to follow the chain and to know which markets a frame is about.
//!
//! Thousands of receivers in one process cannot each hold every market. Most of them read this much of each frame;
//! a share of them reads everything and compares digests, see [`crate::connection`].

use bytes::Buf;
use oddswire_wire::{
    LeadBytes,
    compact::{LeadHead, LeadReader, Model},
    piece::{Encoding, PieceError, PieceKind},
    proto,
    varint::{Reader, VarintError, unzigzag},
};
use prost::{
    DecodeError, Message,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field, uint32},
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
    /// Place in the chain, where it is coded together with the first delta.
    pub(crate) lead: Option<LeadHead>,
    pub(crate) conflated: i32,
    pub(crate) more: bool,
    /// Markets that have left.
    pub(crate) removed: Vec<u32>,
}

/// The head of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PieceHead {
    pub(crate) kind: PieceKind,
    /// `None` in a lead about the only market that is held.
    pub(crate) market: Option<u32>,
    /// The market's revision afterwards; 0 in deltas, where the frame says it.
    pub(crate) revision: u64,
    /// In steps of 10 ms: since 1970, in deltas before the frame's clock. Compact deltas tell it among their cells, which
    /// are not read here.
    pub(crate) time: Option<u64>,
}

impl PieceHead {
    /// The revision that the piece brings its market to, in a frame that leads to `reached`.
    pub(crate) fn through(&self, reached: u64) -> u64 {
        if self.kind == PieceKind::Delta { reached } else { self.revision }
    }
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
    #[error("the lead cannot be read: {0}")]
    Lead(#[from] PieceError),
}

/// Reads a frame. The pieces are appended to a list that the caller keeps, so that no frame costs memory.
///
/// # Errors
/// When it is not a message, or the head of a piece is no list of integers.
pub(crate) fn read(mut bytes: &[u8], model: &Model, pieces: &mut Vec<PieceHead>) -> Result<Head, HeadError> {
    use Encoding::{Compact, Plain};
    use PieceKind::{CatchUp, Delta, Snapshot};
    let mut head = Head::default();
    let bytes = &mut bytes;
    while bytes.has_remaining() {
        let (field, wire_type) = decode_key(bytes)?;
        match (field, wire_type) {
            (1, WireType::LengthDelimited) => merge(&mut head.welcome, bytes)?,
            (2, WireType::LengthDelimited) => merge(&mut head.heartbeat, bytes)?,
            (3, WireType::Varint) => {
                let string = LeadBytes::from_varint(decode_varint(bytes)?)?;
                head.lead = lead(string.as_slice(), model, pieces)?;
            }
            (4, WireType::ThirtyTwoBit) => head.lead = lead(taken(bytes, 4)?, model, pieces)?,
            (5, WireType::SixtyFourBit) => head.lead = lead(taken(bytes, 8)?, model, pieces)?,
            (6, WireType::Varint) => head.advance = Some(decode_varint(bytes)?),
            (7, WireType::Varint) => head.cursor = Some(decode_varint(bytes)?),
            (8, WireType::LengthDelimited) => merge(&mut head.position, bytes)?,
            (10, WireType::LengthDelimited) => pieces.push(piece(Snapshot, Plain, delimited(bytes)?)?),
            (11, WireType::LengthDelimited) => pieces.push(piece(Delta, Plain, delimited(bytes)?)?),
            (12, WireType::LengthDelimited) => pieces.push(piece(CatchUp, Plain, delimited(bytes)?)?),
            (14, WireType::LengthDelimited) => head.lead = lead(delimited(bytes)?, model, pieces)?,
            (15, WireType::LengthDelimited) => pieces.push(piece(Delta, Compact, delimited(bytes)?)?),
            (13, WireType::Varint) => head.revision_step = Some(decode_varint(bytes)?),
            (16, WireType::Varint) => head.conflated = decode_varint(bytes)? as i32,
            (17, WireType::Varint) => head.more = decode_varint(bytes)? != 0,
            (20, _) => uint32::merge_repeated(wire_type, &mut head.removed, bytes, DecodeContext::default())?,
            (21, WireType::LengthDelimited) => pieces.push(piece(Snapshot, Compact, delimited(bytes)?)?),
            (22, WireType::LengthDelimited) => pieces.push(piece(CatchUp, Compact, delimited(bytes)?)?),
            (24, WireType::LengthDelimited) => merge(&mut head.subscribed, bytes)?,
            (25, WireType::LengthDelimited) => merge(&mut head.error, bytes)?,
            (26, WireType::LengthDelimited) => merge(&mut head.drain, bytes)?,
            // Among them what is compressed: definitions and nothing else.
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
    taken(bytes, usize::try_from(length).map_err(|_| HeadError::Truncated)?)
}

fn taken<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], HeadError> {
    let (value, rest) = bytes.split_at_checked(length).ok_or(HeadError::Truncated)?;
    *bytes = rest;
    Ok(value)
}

/// Reads a lead: the frame's place in the chain, and which market the delta behind it is about.
fn lead(bytes: &[u8], model: &Model, pieces: &mut Vec<PieceHead>) -> Result<Option<LeadHead>, HeadError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let lead = LeadReader::new(bytes, model)?;
    let market = lead.market().map(|market| market.0);
    pieces.push(PieceHead { kind: PieceKind::Delta, market, revision: 0, time: None });
    Ok(Some(lead.head()))
}

fn piece(kind: PieceKind, encoding: Encoding, bytes: &[u8]) -> Result<PieceHead, HeadError> {
    let mut reader = Reader::new(bytes);
    let first = reader.read()?;
    let has_flag = (kind, encoding) == (PieceKind::Delta, Encoding::Plain);
    let market = if has_flag { first >> 1 } else { first } as u32;
    let (revision, time) = match (kind, encoding) {
        (PieceKind::Delta, Encoding::Plain) => (0, Some(if first & 1 == 1 { reader.read()? } else { 0 })),
        (PieceKind::Delta, Encoding::Compact) => (0, None),
        (PieceKind::Snapshot | PieceKind::CatchUp, _) => {
            (reader.read()?, Some(unzigzag(reader.read()?) as u64))
        }
    };
    Ok(PieceHead { kind, market: Some(market), revision, time })
}

#[cfg(test)]
mod tests {
    use oddswire_delta::{MarketDelta, diff, snapshot};
    use oddswire_model::{CellKey, Field, Market, MarketId, MarketNumber, Revision, View};
    use oddswire_wire::{FrameBuilder, LeadScratch, compact::Lead, decode_frame, piece::PieceEncoder};

    use super::*;

    const HELD: u32 = 300;

    /// A market, what it was before a change, and its snapshot and the change as pieces.
    fn changed(encoding: Encoding) -> (Vec<u8>, Vec<u8>, Option<Lead>) {
        let mut market = Market::new(MarketNumber(HELD), MarketId::new("1.2").unwrap(), Revision(3));
        let (mut change, mut encoder) = (MarketDelta::default(), PieceEncoder::default());
        let (mut whole, mut delta) = (Vec::new(), Vec::new());
        market.touch(Revision(3), 12_340);
        snapshot(&market, View::FULL, &mut change);
        encoder.encode(&change, None, &market, encoding, &mut whole);
        let baseline = market.clone();
        market.set(CellKey::market(Field::InPlay), 1, Revision(5));
        market.touch(Revision(5), 23_450);
        diff(&baseline, &market, View::FULL, &mut change);
        encoder.set_frame_time(24_000);
        let baseline = Some((&baseline, View::FULL));
        // A gateway would send a change as small as this in the plain encoding.
        let lead = match encoding {
            Encoding::Plain => encoder.encode(&change, baseline, &market, encoding, &mut delta),
            Encoding::Compact => {
                encoder.encode_compact(&change, baseline, &market, &mut delta).expect("it fits")
            }
        };
        (whole, delta, lead)
    }

    #[test]
    fn a_head_says_what_the_whole_frame_says() {
        for encoding in [Encoding::Plain, Encoding::Compact] {
            let (whole, delta, _) = changed(encoding);
            let mut frame = FrameBuilder::new();
            frame.advance(9, 5, 7);
            frame.cursor(Revision(40));
            frame.position(proto::Position {
                revision: 50,
                sequence: 6,
                since: 1,
                time: 2_400,
                ..Default::default()
            });
            frame.heartbeat(&proto::Heartbeat {
                revision: 41,
                freshness_ms: Some(3),
                now_ms: 4,
                sequence: 5,
            });
            frame.conflated(proto::Conflation::ReceiverSlow);
            frame.removed(vec![7, 900]);
            frame.pieces(&whole);
            frame.pieces(&delta);
            frame.digest(proto::MarketDigest { market: 1, digest: 2 });
            let bytes = frame.finish();
            let whole = decode_frame(bytes.clone()).unwrap();
            let mut found = Vec::new();
            let model = Model::shipped();
            let head = read(&bytes, &model, &mut found).unwrap();
            assert_eq!((head.advance, head.cursor), (whole.advance, whole.cursor));
            assert_eq!((head.revision_step, whole.revision_step), (Some(9), Some(9)));
            assert_eq!((head.position, head.heartbeat), (whole.position, whole.heartbeat));
            assert_eq!((head.conflated, head.more), (whole.conflated, false));
            assert_eq!((&head.removed, &head.lead), (&whole.removed, &None));
            let age = (encoding == Encoding::Plain).then_some(2_400 - 2_345);
            let market = Some(HELD);
            let expected = [
                PieceHead { kind: PieceKind::Snapshot, market, revision: 3, time: Some(1_234) },
                PieceHead { kind: PieceKind::Delta, market, revision: 0, time: age },
            ];
            assert_eq!(found, expected, "{encoding:?}");
            for cut in 1..bytes.len() {
                // Never a panic, whatever is missing.
                let _ = read(&bytes[..cut], &model, &mut Vec::new());
            }
        }
    }

    #[test]
    fn a_lead_says_where_its_frame_stands_and_which_market_it_is_about() {
        let (_, delta, lead) = changed(Encoding::Compact);
        let lead = lead.expect("a compact delta");
        let model = Model::shipped();
        for is_sole in [false, true] {
            let said = LeadHead { step: 9, sequence: 6, time_step: 7, is_sole };
            let mut frame = FrameBuilder::new();
            frame.cursor(Revision(40));
            frame.lead(&said, &lead, &delta, &model, &mut LeadScratch::default());
            let mut found = Vec::new();
            let head = read(frame.as_bytes(), &model, &mut found).unwrap();
            assert_eq!(head.lead, Some(LeadHead { sequence: 6 & 3, ..said }));
            let market = (!is_sole).then_some(HELD);
            assert_eq!(found, [PieceHead { kind: PieceKind::Delta, market, revision: 0, time: None }]);
        }
    }
}
