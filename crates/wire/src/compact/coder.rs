//! The entropy coder: range asymmetric numeral systems (rANS) with 32-bit state, 12-bit probabilities and bytes.
//!
//! Source: J. Duda, "Asymmetric numeral systems", arXiv:1311.2540. A symbol whose share of 4,096 is `frequency`, starting
//! at `start`, takes the state from `x` to `x / frequency * 4096 + start + x % frequency`. The writer goes through the
//! symbols backwards, so that the reader meets them in order. It begins at state 0 and sends nothing but the state
//! it ends in and the bytes that did not fit into it: a short piece costs its bits, rounded up to bytes, and no more.

use super::{
    layout::{SCALE, SCALE_BITS, Table},
    model::{HINT_BITS, Hints, Model, Parts},
};
use crate::piece::PieceError;

/// A reader fills its state up to this from the bytes that are left.
const STATE_LOW: u32 = 1 << 23;
/// Bits of a raw value that are coded in one step.
const RAW_BITS: u32 = 12;
/// Marks raw bits in a list of symbols; a start is below it.
const RAW: u32 = 1 << 31;

/// Where symbols go: into a coder, or into the counts that a model is trained from.
pub(crate) trait Sink {
    /// Puts a symbol of a table.
    fn symbol<const N: usize>(&mut self, table: Table<N>, context: usize, symbol: usize);
    /// Puts the low bits of a value as they are; at most 56 bits.
    fn raw(&mut self, bits: u32, value: u64);
    /// How much was put so far.
    fn mark(&self) -> usize;
    /// Takes back what was put since a mark.
    fn rewind(&mut self, mark: usize);

    /// Puts a yes or no.
    fn bit(&mut self, table: Table<2>, context: usize, yes: bool) {
        self.symbol(table, context, usize::from(yes));
    }
}

/// Symbols of a piece in the order in which a reader meets them: `start << 16 | frequency`, or for raw bits
/// `RAW | value << 4 | bits`.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    list: Vec<u32>,
}

impl Symbols {
    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }

    /// Codes the symbols on top of a state. Bytes that do not fit into it are appended **in reverse**.
    pub(crate) fn code(&self, mut state: u32, reversed: &mut Vec<u8>) -> u32 {
        for &symbol in self.list.iter().rev() {
            if symbol & RAW != 0 {
                let bits = symbol & 15;
                while state >= 1 << (31 - bits) {
                    reversed.push(state as u8);
                    state >>= 8;
                }
                state = state << bits | (symbol & !RAW) >> 4;
                continue;
            }
            let (start, frequency) = (symbol >> 16, symbol & 0xffff);
            // 2^19 times the frequency: above it the next state would leave 31 bits.
            while state >= frequency << (31 - SCALE_BITS) {
                reversed.push(state as u8);
                state >>= 8;
            }
            let rounds = divide(state, frequency);
            state = (rounds << SCALE_BITS) + start + (state - rounds * frequency);
        }
        state
    }
}

/// For every frequency, 2^(31 + s) / frequency rounded up, where 2^s is the least power of two that is no less than it;
/// and 31 + s.
static RECIPROCALS: [(u32, u32); SCALE as usize + 1] = {
    let mut reciprocals = [(0, 0); SCALE as usize + 1];
    let mut frequency = 1;
    while frequency <= SCALE as u64 {
        let shift = 31 + frequency.next_power_of_two().trailing_zeros();
        reciprocals[frequency as usize] = ((1u64 << shift).div_ceil(frequency) as u32, shift);
        frequency += 1;
    }
    reciprocals
};

/// A state over a frequency. Every symbol waits for the one before it, and a division takes several times what a
/// multiplication does. Exact for states below 2^31: R. Alverson, "Integer division using reciprocals" (1991).
#[inline]
fn divide(state: u32, frequency: u32) -> u32 {
    let (reciprocal, shift) = RECIPROCALS[frequency as usize];
    ((u64::from(state) * u64::from(reciprocal)) >> shift) as u32
}

/// Writes symbols with a model's probabilities.
pub(crate) struct Writer<'a> {
    parts: &'a Parts,
    list: &'a mut Vec<u32>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(model: &'a Model, symbols: &'a mut Symbols) -> Self {
        Self { parts: model.parts(), list: &mut symbols.list }
    }
}

impl Sink for Writer<'_> {
    #[inline]
    fn symbol<const N: usize>(&mut self, table: Table<N>, context: usize, symbol: usize) {
        self.list.push(self.parts[table.share(context) + symbol]);
    }

    #[inline]
    fn raw(&mut self, mut bits: u32, value: u64) {
        while bits > 0 {
            let some = bits.min(RAW_BITS);
            bits -= some;
            let part = (value >> bits) as u32 & ((1 << some) - 1);
            self.list.push(RAW | part << 4 | some);
        }
    }

    fn mark(&self) -> usize {
        self.list.len()
    }

    fn rewind(&mut self, mark: usize) {
        self.list.truncate(mark);
    }
}

/// Appends a state as its bytes, the highest first; state 0 has none.
pub(crate) fn write_state(state: u32, out: &mut Vec<u8>) {
    let bytes = state.to_be_bytes();
    out.extend_from_slice(&bytes[state.leading_zeros() as usize / 8..]);
}

/// Reads symbols. Reads of any bytes succeed; whether they made sense is known at the end.
pub(crate) struct SymbolReader<'a> {
    parts: &'a Parts,
    hints: &'a Hints,
    state: u32,
    bytes: &'a [u8],
}

impl<'a> SymbolReader<'a> {
    pub(crate) fn new(model: &'a Model, bytes: &'a [u8]) -> Self {
        let mut reader = Self { parts: model.parts(), hints: model.hints(), state: 0, bytes };
        reader.fill(0);
        reader
    }

    /// Moves to a state, filled up from the bytes that are left.
    #[inline]
    fn fill(&mut self, mut state: u32) {
        if state < STATE_LOW {
            let mut bytes = self.bytes;
            while state < STATE_LOW
                && let Some((&byte, rest)) = bytes.split_first()
            {
                state = state << 8 | u32::from(byte);
                bytes = rest;
            }
            self.bytes = bytes;
        }
        self.state = state;
    }

    #[inline]
    fn take(&mut self, start: u32, frequency: u32) {
        let slot = self.state & ((1 << SCALE_BITS) - 1);
        self.fill(frequency * (self.state >> SCALE_BITS) + slot - start);
    }

    #[inline]
    pub(crate) fn symbol<const N: usize>(&mut self, table: Table<N>, context: usize) -> usize {
        let at = table.share(context);
        let parts: &[u32; N] = self.parts[at..].first_chunk().expect("contexts are within their table");
        let slot = self.state & ((1 << SCALE_BITS) - 1);
        // The hint is the symbol of the slot or one a little before it.
        let hint = self.hints[table.context(context)][(slot >> HINT_BITS) as usize];
        let mut symbol = usize::from(hint);
        loop {
            let part = *parts.get(symbol).expect("the last symbol's part ends behind every slot");
            let (start, frequency) = (part >> 16, part & 0xffff);
            if slot < start + frequency {
                self.take(start, frequency);
                return symbol;
            }
            symbol += 1;
        }
    }

    #[inline]
    pub(crate) fn bit(&mut self, table: Table<2>, context: usize) -> bool {
        let split = self.parts[table.share(context)];
        let is_yes = self.state & ((1 << SCALE_BITS) - 1) >= split;
        if is_yes {
            self.take(split, SCALE - split)
        } else {
            self.take(0, split)
        }
        is_yes
    }

    #[inline]
    pub(crate) fn raw(&mut self, mut bits: u32) -> u64 {
        let mut value = 0;
        while bits > 0 {
            let some = bits.min(RAW_BITS);
            bits -= some;
            value = value << some | u64::from(self.state & ((1 << some) - 1));
            self.fill(self.state >> some);
        }
        value
    }

    /// Bytes not read yet.
    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Checks that everything was read: the writer began at state 0, so a reader ends there.
    pub(crate) fn finish(self) -> Result<(), PieceError> {
        if self.state == 0 && self.bytes.is_empty() { Ok(()) } else { Err(PieceError::Coder) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::compact::layout::{GAP, TOUCHED};

    proptest! {
        #[test]
        fn what_was_written_is_read(
            symbols in proptest::collection::vec((0usize..3, 0usize..16, 1u32..=56, any::<u64>()), 0..200),
        ) {
            let model = Model::shipped();
            let mut list = Symbols::default();
            let mut writer = Writer::new(&model, &mut list);
            for &(kind, symbol, bits, value) in &symbols {
                match kind {
                    0 => writer.symbol(GAP, 3, symbol),
                    1 => writer.bit(TOUCHED, 5, symbol % 2 == 1),
                    _ => writer.raw(bits, value & ((1 << bits) - 1)),
                }
            }
            let mut reversed = Vec::new();
            let state = list.code(0, &mut reversed);
            let mut bytes = Vec::new();
            write_state(state, &mut bytes);
            bytes.extend(reversed.iter().rev());
            let mut reader = SymbolReader::new(&model, &bytes);
            for &(kind, symbol, bits, value) in &symbols {
                match kind {
                    0 => prop_assert_eq!(reader.symbol(GAP, 3), symbol),
                    1 => prop_assert_eq!(reader.bit(TOUCHED, 5), symbol % 2 == 1),
                    _ => prop_assert_eq!(reader.raw(bits), value & ((1 << bits) - 1)),
                }
            }
            prop_assert!(reader.finish().is_ok());
        }
    }

    #[test]
    fn reciprocals_divide_exactly() {
        for frequency in 1..=SCALE {
            let most = (1 << 31) / frequency;
            for quotient in
                [0, 1, 2, 77, most / 3, most - 1, most].into_iter().chain((0..31).map(|bit| most >> bit))
            {
                for state in
                    [(quotient * frequency).saturating_sub(1), quotient * frequency, quotient * frequency + 1]
                {
                    let state = state.min((1 << 31) - 1);
                    assert_eq!(divide(state, frequency), state / frequency, "{state} / {frequency}");
                }
            }
        }
    }

    #[test]
    fn a_state_takes_as_many_bytes_as_it_has() {
        for (state, expected) in
            [(0, &[][..]), (1, &[1]), (256, &[1, 0]), (u32::MAX >> 1, &[127, 255, 255, 255])]
        {
            let mut out = Vec::new();
            write_state(state, &mut out);
            assert_eq!(out, expected);
        }
    }
}
