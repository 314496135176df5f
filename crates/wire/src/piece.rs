//! Pieces: one change of one market in one view, as protobuf fields of a frame.

use bytes::Bytes;
use oddswire_delta::{Base, MarketDelta};
use oddswire_model::{Market, MarketNumber, PriceLadder, Revision, View};

use crate::{
    definition,
    plain::{self, Reference},
    proto,
    varint::{self, Reader, VarintError},
};

/// Times travel in steps of this many milliseconds.
pub const TIME_STEP_MS: u64 = 10;

/// Field numbers of `ServerFrame` with wire type 2 (bytes with a length), as tags.
const DEFINITION_TAG: u8 = 9 << 3 | 2;
const SNAPSHOT_TAG: u8 = 10 << 3 | 2;
const DELTA_TAG: u8 = 11 << 3 | 2;
const CATCH_UP_TAG: u8 = 12 << 3 | 2;

/// Which list of the frame a piece stood in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceKind {
    /// Everything.
    Snapshot,
    /// Change from an exact base.
    Delta,
    /// Change since any older revision.
    CatchUp,
}

/// Why a piece cannot be read. The bytes are at fault, or do not fit what is held; the market must be asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PieceError {
    /// Not a list of integers.
    #[error(transparent)]
    Varint(#[from] VarintError),
    /// A delta or catch-up for a market that is not held.
    #[error("the market is not held")]
    UnknownMarket,
    /// A field mask that is empty or names fields of a later version.
    #[error("a field mask is empty or names fields this version does not know")]
    Mask,
    /// The market's group does not come first.
    #[error("the market's own group does not come first")]
    Order,
    /// A selection number beyond what a market can have.
    #[error("a selection number is out of range")]
    Selection,
    /// A price off the ladder's end or beyond 32 bits.
    #[error("a price is out of range")]
    Price,
    /// A price-ladder code this version does not know.
    #[error("the price ladder is not known")]
    PriceLadder,
    /// An amount that is negative, zero or over 2^53.
    #[error("an amount is out of range")]
    Amount,
    /// A time or a market number beyond its range.
    #[error("a number in the piece's head is out of range")]
    Head,
    /// A definition that contradicts itself.
    #[error("the market's definition is malformed")]
    Definition,
}

/// Encodes pieces; keeps its scratch memory.
#[derive(Debug, Default)]
pub struct PieceEncoder {
    scratch: Vec<u8>,
    /// In steps of [`TIME_STEP_MS`].
    frame_time: u64,
}

impl PieceEncoder {
    /// Says what the producers' clock shows in the frame that the next deltas will stand in. No market of it may have
    /// been published later.
    pub fn set_frame_time(&mut self, frame_time_ms: u64) {
        self.frame_time = frame_time_ms / TIME_STEP_MS;
    }

    /// Appends a change as protobuf fields of a frame.
    ///
    /// `baseline` is needed for deltas: the market at the delta's base and the view it was made for.
    /// `target` is the market after the change. The cells of the change must be in canonical order,
    /// as `diff`, `catch_up` and `snapshot` leave them.
    pub fn encode(
        &mut self,
        change: &MarketDelta,
        baseline: Option<(&Market, View)>,
        prices: PriceLadder,
        out: &mut Vec<u8>,
    ) {
        if change.has_definition() || change.id.is_some() {
            definition::encode(change, DEFINITION_TAG, out);
        }
        let body = &mut self.scratch;
        body.clear();
        varint::write(body, u64::from(change.market.0));
        let time = change.published_ms / TIME_STEP_MS;
        let (tag, reference) = match change.base {
            Base::Nothing => {
                varint::write(body, change.revision.0);
                varint::write_signed(body, time as i64);
                (SNAPSHOT_TAG, Reference::NOTHING)
            }
            Base::Since(_) => {
                varint::write(body, change.revision.0);
                varint::write_signed(body, time as i64);
                (CATCH_UP_TAG, Reference::NOTHING)
            }
            Base::At(_) => {
                // The frame names base, revision and time for all its deltas. How much earlier this market was
                // published is mostly nothing. It is not counted from the time that the receiver holds for the
                // market: a change that the view does not show moves the market's time and is not sent.
                varint::write(body, self.frame_time.saturating_sub(time));
                (DELTA_TAG, baseline.map_or(Reference::NOTHING, |(market, view)| Reference::of(market, view)))
            }
        };
        plain::encode(change, reference, prices, body);
        out.push(tag);
        varint::write(out, body.len() as u64);
        out.extend_from_slice(body);
    }
}

/// The market a piece is about.
///
/// # Errors
/// When its head cannot be read.
pub fn market(piece: &[u8]) -> Result<MarketNumber, PieceError> {
    let number = Reader::new(piece).read()?;
    u32::try_from(number).map(MarketNumber).map_err(|_| PieceError::Head)
}

/// Reads a piece. `held` is the receiver's market of that number, if it has one.
///
/// `frame_revision` is the revision that the frame's deltas lead to, `frame_time` the producers' clock in it, in steps of
/// [`TIME_STEP_MS`]; `since` is what its catch-ups count from.
///
/// # Errors
/// When the bytes are at fault or do not fit what is held. Work and memory are bounded by the piece's length.
pub fn decode(
    kind: PieceKind,
    piece: &Bytes,
    definition: Option<&proto::Definition>,
    held: Option<&Market>,
    frame_revision: Revision,
    frame_time: u64,
    since: Revision,
) -> Result<MarketDelta, PieceError> {
    let number = market(piece)?;
    let mut reader = Reader::new(piece);
    reader.read()?;
    let mut change = MarketDelta::default();
    let mut prices = PriceLadder::DEFAULT;
    let mut reference = Reference::NOTHING;
    let (base, revision) = match kind {
        PieceKind::Snapshot => (Base::Nothing, Revision(reader.read()?)),
        PieceKind::CatchUp => {
            let market = held.ok_or(PieceError::UnknownMarket)?;
            prices = market.price_ladder();
            // The session's cursor vouches for `since`, so a market that has not changed for longer fits too.
            (Base::Since(since.min(market.revision())), Revision(reader.read()?))
        }
        PieceKind::Delta => {
            let market = held.ok_or(PieceError::UnknownMarket)?;
            prices = market.price_ladder();
            // A mirror holds what its view shows and nothing else, so all of it is the reference.
            reference = Reference::of(market, View::FULL);
            (Base::At(market.revision()), frame_revision)
        }
    };
    let time = match kind {
        PieceKind::Delta => frame_time.checked_sub(reader.read()?),
        PieceKind::Snapshot | PieceKind::CatchUp => u64::try_from(reader.read_signed()?).ok(),
    };
    let published_ms = time.and_then(|time| time.checked_mul(TIME_STEP_MS)).ok_or(PieceError::Head)?;
    change.reset(number, base, revision, published_ms);
    if let Some(definition) = definition {
        definition::decode(definition, kind == PieceKind::Snapshot, &mut change)?;
    } else if kind == PieceKind::Snapshot {
        return Err(PieceError::Definition);
    }
    plain::decode(&mut reader, reference, prices, &mut change)?;
    Ok(change)
}
