//! Pieces: one change of one market in one view, as protobuf fields of a frame.

use bytes::Bytes;
use oddswire_delta::{Base, MarketDelta};
use oddswire_model::{Market, MarketNumber, PriceLadder, Revision, View};

use crate::{
    compact::{
        self, Against, Lead, Model, SymbolReader, Symbols, Writer, cells_max,
        coder::write_state,
        lead::{read_age, write_age},
    },
    definition, plain, proto,
    reference::Reference,
    varint::{self, Reader, VarintError},
};

/// Times travel in steps of this many milliseconds.
pub const TIME_STEP_MS: u64 = 10;

/// Field numbers of `ServerFrame` with wire type 2 (bytes with a length), as tags.
const DEFINITION_TAG: u8 = 9 << 3 | 2;
const SNAPSHOT_TAG: u8 = 10 << 3 | 2;
const DELTA_TAG: u8 = 11 << 3 | 2;
const CATCH_UP_TAG: u8 = 12 << 3 | 2;
const COMPACT_DELTA_TAG: u8 = 15 << 3 | 2;
/// Tags of two bytes.
const COMPACT_SNAPSHOT_TAG: [u8; 2] = [(21 << 3 | 2) as u8 | 0x80, 1];
const COMPACT_CATCH_UP_TAG: [u8; 2] = [(22 << 3 | 2) as u8 | 0x80, 1];

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
    /// Entropy-coded bytes that do not end where they should, or that hold more cells than their length allows.
    #[error("the entropy-coded bytes are damaged or belong to another state")]
    Coder,
    /// A definition that contradicts itself.
    #[error("the market's definition is malformed")]
    Definition,
}

/// How the cells of pieces are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Encoding {
    /// Variable-length integers.
    #[default]
    Plain,
    /// Entropy-coded, with the model that the session agreed on.
    Compact,
}

/// Encodes pieces; keeps its scratch memory.
#[derive(Debug)]
pub struct PieceEncoder {
    model: Model,
    scratch: Vec<u8>,
    symbols: Symbols,
    reversed: Vec<u8>,
    /// In steps of [`TIME_STEP_MS`].
    frame_time: u64,
}

impl Default for PieceEncoder {
    fn default() -> Self {
        Self::new(Model::shipped())
    }
}

impl PieceEncoder {
    /// An encoder that uses a model for compact pieces.
    pub fn new(model: Model) -> Self {
        Self { model, scratch: Vec::new(), symbols: Symbols::default(), reversed: Vec::new(), frame_time: 0 }
    }

    /// The model of its compact pieces.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Says what the producers' clock shows in the frame that the next deltas will stand in. No market of it may have
    /// been published later.
    pub fn set_frame_time(&mut self, frame_time_ms: u64) {
        self.frame_time = frame_time_ms / TIME_STEP_MS;
    }

    /// Appends a change as protobuf fields of a frame. A compact delta can also be the first one of a frame, and then
    /// leaves out some of those bytes: see [`crate::FrameBuilder::lead`].
    ///
    /// `baseline` is needed for deltas: the market at the delta's base and the view it was made for.
    /// `target` is the market after the change. The cells of the change must be in canonical order,
    /// as `diff`, `catch_up` and `snapshot` leave them. A change that the compact encoding says at greater length is
    /// encoded in the plain one; every receiver reads both.
    pub fn encode(
        &mut self,
        change: &MarketDelta,
        baseline: Option<(&Market, View)>,
        target: &Market,
        encoding: Encoding,
        out: &mut Vec<u8>,
    ) -> Option<Lead> {
        let has_definition = encode_definition(change, out);
        let start = out.len();
        if encoding == Encoding::Compact
            && let Some((lead, plain_min)) = self.compact(change, baseline, target, out)
        {
            let compact_end = out.len();
            if compact_end - start <= plain_min {
                return lead.filter(|_| !has_definition);
            }
            self.encode_plain(change, reference(change, baseline), target.price_ladder(), out);
            if out.len() - compact_end >= compact_end - start {
                out.truncate(compact_end);
                return lead.filter(|_| !has_definition);
            }
            // What the model takes for all but impossible can be longer than integers are.
            out.drain(start..compact_end);
            return None;
        }
        self.encode_plain(change, reference(change, baseline), target.price_ladder(), out);
        None
    }

    /// Appends a change in the compact encoding, whether or not that is shorter, for whoever tests decoders.
    /// [`PieceEncoder::encode`] tells about the arguments and what is returned; `None` when the change
    /// names selections that the target does not have, or more cells than the bytes allow.
    pub fn encode_compact(
        &mut self,
        change: &MarketDelta,
        baseline: Option<(&Market, View)>,
        target: &Market,
        out: &mut Vec<u8>,
    ) -> Option<Option<Lead>> {
        let has_definition = encode_definition(change, out);
        let (lead, _) = self.compact(change, baseline, target, out)?;
        Some(lead.filter(|_| !has_definition))
    }

    /// Appends the cells. Returns the lead, if they are a delta, and a length that the plain piece does not fall below.
    fn compact(
        &mut self,
        change: &MarketDelta,
        baseline: Option<(&Market, View)>,
        target: &Market,
        out: &mut Vec<u8>,
    ) -> Option<(Option<Lead>, usize)> {
        let is_delta = matches!(change.base, Base::At(_));
        self.symbols.clear();
        let sink = &mut Writer::new(&self.model, &mut self.symbols);
        if is_delta {
            write_age(sink, self.frame_time.saturating_sub(change.published_ms / TIME_STEP_MS));
        }
        let against = Against {
            reference: reference(change, baseline),
            prices: target.price_ladder(),
            selections: target.selections().len(),
            is_catch_up: matches!(change.base, Base::Since(_)),
        };
        /// Tag, length and market.
        const HEAD_MIN: usize = 3;
        let plain_min = HEAD_MIN + compact::encode(change, against, sink).ok()?;
        self.reversed.clear();
        let state = self.symbols.code(0, &mut self.reversed);
        if change.cells.len() > cells_max(self.reversed.len()) {
            return None;
        }
        let body = &mut self.scratch;
        body.clear();
        varint::write(body, u64::from(change.market.0));
        if !is_delta {
            varint::write(body, change.revision.0);
            varint::write_signed(body, (change.published_ms / TIME_STEP_MS) as i64);
        }
        write_state(state, body);
        let length = body.len() + self.reversed.len();
        match change.base {
            Base::Nothing => out.extend_from_slice(&COMPACT_SNAPSHOT_TAG),
            Base::Since(_) => out.extend_from_slice(&COMPACT_CATCH_UP_TAG),
            Base::At(_) => out.push(COMPACT_DELTA_TAG),
        }
        varint::write(out, length as u64);
        out.extend_from_slice(body);
        out.extend(self.reversed.iter().rev());
        let tail_len = self.reversed.len();
        Some((is_delta.then_some(Lead { market: change.market, state, tail_len }), plain_min))
    }

    fn encode_plain(
        &mut self,
        change: &MarketDelta,
        reference: Reference<'_>,
        prices: PriceLadder,
        out: &mut Vec<u8>,
    ) {
        let body = &mut self.scratch;
        body.clear();
        let time = change.published_ms / TIME_STEP_MS;
        let tag = match change.base {
            Base::Nothing | Base::Since(_) => {
                varint::write(body, u64::from(change.market.0));
                varint::write(body, change.revision.0);
                varint::write_signed(body, time as i64);
                if change.base == Base::Nothing { SNAPSHOT_TAG } else { CATCH_UP_TAG }
            }
            Base::At(_) => {
                // The frame names base, revision and time for all its deltas. How much earlier this market was
                // published is mostly nothing. It is not counted from the time that the receiver holds for the
                // market: a change that the view does not show moves the market's time and is not sent.
                let age = self.frame_time.saturating_sub(time);
                varint::write(body, u64::from(change.market.0) << 1 | u64::from(age > 0));
                if age > 0 {
                    varint::write(body, age);
                }
                DELTA_TAG
            }
        };
        plain::encode(change, reference, prices, body);
        out.push(tag);
        varint::write(out, body.len() as u64);
        out.extend_from_slice(body);
    }
}

/// Appends the market's definition, if it changes; says whether it does.
fn encode_definition(change: &MarketDelta, out: &mut Vec<u8>) -> bool {
    let has_definition = change.has_definition() || change.id.is_some();
    if has_definition {
        definition::encode(change, DEFINITION_TAG, out);
    }
    has_definition
}

/// What a change is measured against.
fn reference<'a>(change: &MarketDelta, baseline: Option<(&'a Market, View)>) -> Reference<'a> {
    match change.base {
        Base::At(_) => baseline.map_or(Reference::NOTHING, |(market, view)| Reference::of(market, view)),
        Base::Nothing | Base::Since(_) => Reference::NOTHING,
    }
}

/// The pieces of a frame: snapshots first, then deltas, then catch-ups. A delta that leads the frame is not among them.
pub fn pieces(frame: &proto::ServerFrame) -> impl Iterator<Item = (PieceKind, Encoding, &Bytes)> {
    let lists = [
        (PieceKind::Snapshot, Encoding::Plain, &frame.snapshots),
        (PieceKind::Snapshot, Encoding::Compact, &frame.compact_snapshots),
        (PieceKind::Delta, Encoding::Plain, &frame.deltas),
        (PieceKind::Delta, Encoding::Compact, &frame.compact_deltas),
        (PieceKind::CatchUp, Encoding::Plain, &frame.catch_ups),
        (PieceKind::CatchUp, Encoding::Compact, &frame.compact_catch_ups),
    ];
    lists.into_iter().flat_map(|(kind, encoding, list)| list.iter().map(move |piece| (kind, encoding, piece)))
}

/// The market a piece is about.
///
/// # Errors
/// When its head cannot be read.
pub fn market(kind: PieceKind, encoding: Encoding, piece: &[u8]) -> Result<MarketNumber, PieceError> {
    let first = Reader::new(piece).read()?;
    let has_flag = (kind, encoding) == (PieceKind::Delta, Encoding::Plain);
    let number = if has_flag { first >> 1 } else { first };
    u32::try_from(number).map(MarketNumber).map_err(|_| PieceError::Head)
}

/// Where a frame leads, and what reading its pieces takes.
#[derive(Debug, Clone, Copy)]
pub struct FrameContext<'a> {
    /// The revision that the frame's deltas lead to.
    pub revision: Revision,
    /// The producers' clock in it, in steps of [`TIME_STEP_MS`].
    pub time: u64,
    /// What its catch-ups count from.
    pub since: Revision,
    /// The model of its compact pieces.
    pub model: &'a Model,
}

/// Reads a piece. `held` is the receiver's market of that number, if it has one.
///
/// # Errors
/// When the bytes are at fault or do not fit what is held. Work and memory are bounded by the piece's length.
pub fn decode(
    kind: PieceKind,
    encoding: Encoding,
    piece: &Bytes,
    definition: Option<&proto::Definition>,
    held: Option<&Market>,
    frame: FrameContext<'_>,
) -> Result<MarketDelta, PieceError> {
    let number = market(kind, encoding, piece)?;
    let mut reader = Reader::new(piece);
    let first = reader.read()?;
    if kind == PieceKind::Delta {
        let held = held.ok_or(PieceError::UnknownMarket)?;
        if encoding == Encoding::Compact {
            let symbols = SymbolReader::new(frame.model, reader.rest());
            return delta_from_symbols(symbols, number, definition, held, frame.revision, frame.time);
        }
        let age = if first & 1 == 1 { reader.read()? } else { 0 };
        let time = frame.time.checked_sub(age);
        let mut change = delta(number, held, frame.revision, time)?;
        if let Some(definition) = definition {
            definition::decode(definition, false, &mut change)?;
        }
        // A mirror holds what its view shows and nothing else, so all of it is the reference.
        plain::decode(&mut reader, Reference::of(held, View::FULL), held.price_ladder(), &mut change)?;
        return Ok(change);
    }
    let (base, prices) = match (kind, held) {
        (PieceKind::Snapshot, _) => (Base::Nothing, PriceLadder::DEFAULT),
        (_, None) => return Err(PieceError::UnknownMarket),
        // The session's cursor vouches for `since`, so a market that has not changed for longer fits too.
        (_, Some(held)) => (Base::Since(frame.since.min(held.revision())), held.price_ladder()),
    };
    let revision = Revision(reader.read()?);
    let time = u64::try_from(reader.read_signed()?).ok();
    let mut change = MarketDelta::default();
    change.reset(number, base, revision, published_ms(time)?);
    if let Some(definition) = definition {
        definition::decode(definition, kind == PieceKind::Snapshot, &mut change)?;
    } else if kind == PieceKind::Snapshot {
        return Err(PieceError::Definition);
    }
    match encoding {
        Encoding::Plain => plain::decode(&mut reader, Reference::NOTHING, prices, &mut change)?,
        Encoding::Compact => {
            let against = Against {
                reference: Reference::NOTHING,
                prices,
                selections: selections(&change, held),
                is_catch_up: kind == PieceKind::CatchUp,
            };
            compact::decode(SymbolReader::new(frame.model, reader.rest()), against, &mut change)?;
        }
    }
    Ok(change)
}

/// Reads the cells of a compact delta, its age first.
pub(crate) fn delta_from_symbols(
    mut symbols: SymbolReader<'_>,
    number: MarketNumber,
    definition: Option<&proto::Definition>,
    held: &Market,
    revision: Revision,
    frame_time: u64,
) -> Result<MarketDelta, PieceError> {
    let age = read_age(&mut symbols)?;
    let mut change = delta(number, held, revision, frame_time.checked_sub(age))?;
    if let Some(definition) = definition {
        definition::decode(definition, false, &mut change)?;
    }
    let against = Against {
        reference: Reference::of(held, View::FULL),
        prices: held.price_ladder(),
        selections: selections(&change, Some(held)),
        is_catch_up: false,
    };
    compact::decode(symbols, against, &mut change)?;
    Ok(change)
}

fn delta(
    number: MarketNumber,
    held: &Market,
    revision: Revision,
    time: Option<u64>,
) -> Result<MarketDelta, PieceError> {
    let mut change = MarketDelta::default();
    change.reset(number, Base::At(held.revision()), revision, published_ms(time)?);
    Ok(change)
}

fn published_ms(time: Option<u64>) -> Result<u64, PieceError> {
    time.and_then(|time| time.checked_mul(TIME_STEP_MS)).ok_or(PieceError::Head)
}

/// How many selections a market has after a change.
fn selections(change: &MarketDelta, held: Option<&Market>) -> usize {
    match change.selections.len() {
        0 if change.base != Base::Nothing => held.map_or(0, |held| held.selections().len()),
        new => usize::from(change.first_selection) + new,
    }
}
