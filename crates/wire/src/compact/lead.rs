//! The head of a compact frame, coded together with its first delta.
//!
//! A frame of one small delta is the most frequent one there is. Head and delta rounded up to whole bytes apart would
//! cost a byte more, so the head's symbols are put on top of the state in which the delta's coding ended: the delta is
//! still encoded once for everybody, and each group adds its own head.

use oddswire_delta::MarketDelta;
use oddswire_model::{Market, MarketNumber, Revision};

use super::{
    coder::{Sink, SymbolReader, Symbols, Writer, write_state},
    layout::{AGED, LOOSE, ONE_STEP, SOLE, TIME},
    model::Model,
    number::{self, Shape},
};
use crate::{
    limits::{SEQUENCE_BITS, SEQUENCE_MASK},
    piece::{PieceError, delta_from_symbols},
};

/// A compact delta that can be the first of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lead {
    /// The market.
    pub market: MarketNumber,
    /// In which state its coding ended.
    pub(crate) state: u32,
    /// How many bytes at the piece's end did not fit into the state.
    pub(crate) tail_len: usize,
}

/// What a frame says before its first delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeadHead {
    /// How far the revision advances.
    pub step: u64,
    /// The frame's sequence, of which the low two bits travel.
    pub sequence: u32,
    /// How far the producers' clock has gone since the last frame, in steps of 10 ms.
    pub time_step: u64,
    /// Whether the receivers hold no other market.
    pub is_sole: bool,
}

impl LeadHead {
    /// Appends the bytes that come before the delta's own tail.
    pub(crate) fn write(&self, lead: &Lead, model: &Model, symbols: &mut Symbols, out: &mut Vec<u8>) {
        symbols.clear();
        let sink = &mut Writer::new(model, symbols);
        sink.bit(ONE_STEP, 0, self.step == 1);
        if self.step != 1 {
            number::write(sink, LOOSE, 0, Shape::Usual, self.step);
        }
        sink.raw(SEQUENCE_BITS, u64::from(self.sequence & SEQUENCE_MASK));
        number::write(sink, TIME, 0, Shape::Time, self.time_step);
        sink.bit(SOLE, 0, self.is_sole);
        if !self.is_sole {
            number::write(sink, LOOSE, 0, Shape::Usual, u64::from(lead.market.0));
        }
        let at = out.len();
        let state = symbols.code(lead.state, out);
        out[at..].reverse();
        let spilled = out.len();
        write_state(state, out);
        let state_bytes = out.len() - spilled;
        out[at..].rotate_right(state_bytes);
    }
}

/// A frame's head that was read, and its delta that was not yet.
pub struct LeadReader<'a> {
    head: LeadHead,
    market: Option<MarketNumber>,
    symbols: SymbolReader<'a>,
}

impl<'a> LeadReader<'a> {
    /// Reads the head.
    ///
    /// # Errors
    /// When a number is out of range.
    pub fn new(bytes: &'a [u8], model: &'a Model) -> Result<Self, PieceError> {
        let mut symbols = SymbolReader::new(model, bytes);
        let step = match symbols.bit(ONE_STEP, 0) {
            true => 1,
            false => number::read(&mut symbols, LOOSE, 0, Shape::Usual)?,
        };
        let sequence = symbols.raw(SEQUENCE_BITS) as u32;
        let time_step = number::read(&mut symbols, TIME, 0, Shape::Time)?;
        let is_sole = symbols.bit(SOLE, 0);
        let market = match is_sole {
            true => None,
            false => {
                let number = number::read(&mut symbols, LOOSE, 0, Shape::Usual)?;
                Some(MarketNumber(u32::try_from(number).map_err(|_| PieceError::Head)?))
            }
        };
        Ok(Self { head: LeadHead { step, sequence, time_step, is_sole }, market, symbols })
    }

    /// The head; of its sequence, only the low two bits are known.
    pub fn head(&self) -> LeadHead {
        self.head
    }

    /// The market that the delta is about; `None` for the only one held.
    pub fn market(&self) -> Option<MarketNumber> {
        self.market
    }

    /// Reads the delta of a market that is held. `revision` is what the frame leads to, `frame_time` the producers'
    /// clock in it in steps of 10 ms.
    ///
    /// # Errors
    /// When the bytes are at fault or do not fit what is held. Work and memory are bounded by their length.
    pub fn delta(
        self,
        held: &Market,
        revision: Revision,
        frame_time: u64,
    ) -> Result<MarketDelta, PieceError> {
        delta_from_symbols(self.symbols, held.number(), None, held, revision, frame_time)
    }
}

/// Writes how much earlier a market was published than the frame's clock says.
pub(crate) fn write_age<S: Sink>(sink: &mut S, age: u64) {
    sink.bit(AGED, 0, age > 0);
    if age > 0 {
        number::write(sink, LOOSE, 0, Shape::Usual, age);
    }
}

/// Reads it.
pub(crate) fn read_age(symbols: &mut SymbolReader<'_>) -> Result<u64, PieceError> {
    if symbols.bit(AGED, 0) { number::read(symbols, LOOSE, 0, Shape::Usual) } else { Ok(0) }
}
