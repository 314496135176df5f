//! Whole numbers: a length, leading bits that have habits, and the rest as it is.

use super::{
    coder::{Sink, SymbolReader},
    layout::{TIME_TOP, TOP, Table},
};
use crate::piece::PieceError;

/// Bits of a length that a table has no symbol for.
const LENGTH_BITS: u32 = 6;
/// Leading bits that are looked at.
const TOP_BITS: u32 = 3;
/// Longest number: amounts are below 2^53.
const LENGTH_MAX: u32 = 53;

/// Whether the leading bits of a number have habits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// They have: most numbers.
    Usual,
    /// They have others: times.
    Time,
    /// They have none: amounts in cents.
    Flat,
}

/// Writes a number below 2^53.
pub(crate) fn write<const N: usize, S: Sink>(
    sink: &mut S,
    table: Table<N>,
    context: usize,
    shape: Shape,
    value: u64,
) {
    let Rest { length, bits: rest } = write_length(sink, table, context, value);
    let top = if shape == Shape::Flat { 0 } else { length.min(TOP_BITS) };
    if top > 0 {
        let habit = if shape == Shape::Time { TIME_TOP } else { TOP };
        sink.symbol(habit, length.min(8) as usize, (rest >> (length - top)) as usize);
    }
    sink.raw(length - top, rest & ((1 << (length - top)) - 1));
}

/// Reads a number.
///
/// # Errors
/// When it is longer than 53 bits.
pub(crate) fn read<const N: usize>(
    reader: &mut SymbolReader<'_>,
    table: Table<N>,
    context: usize,
    shape: Shape,
) -> Result<u64, PieceError> {
    let length = read_length(reader, table, context)?;
    let top = if shape == Shape::Flat { 0 } else { length.min(TOP_BITS) };
    let mut rest = 0;
    if top > 0 {
        let habit = if shape == Shape::Time { TIME_TOP } else { TOP };
        rest = (reader.symbol(habit, length.min(8) as usize) as u64) & ((1 << top) - 1);
    }
    rest = rest << (length - top) | reader.raw(length - top);
    Ok((1 << length) + rest - 1)
}

/// Writes the length of a number of flat shape; [`Rest::write`] writes what follows.
pub(crate) fn write_length<const N: usize, S: Sink>(
    sink: &mut S,
    table: Table<N>,
    context: usize,
    value: u64,
) -> Rest {
    let length = (value + 1).ilog2();
    if length as usize >= N - 1 {
        sink.symbol(table, context, N - 1);
        sink.raw(LENGTH_BITS, u64::from(length));
    } else {
        sink.symbol(table, context, length as usize);
    }
    Rest { length, bits: value + 1 - (1 << length) }
}

/// The bits of a number that follow its length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest {
    length: u32,
    bits: u64,
}

impl Rest {
    pub(crate) fn write<S: Sink>(self, sink: &mut S) {
        sink.raw(self.length, self.bits);
    }
}

/// Reads the length of a number of flat shape; [`read_rest`] reads what follows.
pub(crate) fn read_length<const N: usize>(
    reader: &mut SymbolReader<'_>,
    table: Table<N>,
    context: usize,
) -> Result<u32, PieceError> {
    let mut length = reader.symbol(table, context) as u32;
    if length as usize == N - 1 {
        length = reader.raw(LENGTH_BITS) as u32;
    }
    if length > LENGTH_MAX { Err(PieceError::Amount) } else { Ok(length) }
}

/// Reads the bits that follow a length; the whole number.
pub(crate) fn read_rest(reader: &mut SymbolReader<'_>, length: u32) -> u64 {
    (1 << length) - 1 + reader.raw(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compact::{
        coder::{Symbols, Writer, write_state},
        layout::{CENTS, LOOSE},
        model::Model,
    };

    #[test]
    fn numbers_survive() {
        let model = Model::shipped();
        let numbers: Vec<u64> =
            (0..53).flat_map(|bits| [(1 << bits) - 1, 1 << bits]).chain([(1 << 53) - 1]).collect();
        let mut symbols = Symbols::default();
        let mut writer = Writer::new(&model, &mut symbols);
        for &number in &numbers {
            write(&mut writer, LOOSE, 0, Shape::Usual, number);
            write(&mut writer, CENTS, 3, Shape::Flat, number);
        }
        let (mut bytes, mut reversed) = (Vec::new(), Vec::new());
        write_state(symbols.code(0, &mut reversed), &mut bytes);
        bytes.extend(reversed.iter().rev());
        let mut reader = SymbolReader::new(&model, &bytes);
        for &number in &numbers {
            assert_eq!(read(&mut reader, LOOSE, 0, Shape::Usual), Ok(number));
            assert_eq!(read(&mut reader, CENTS, 3, Shape::Flat), Ok(number));
        }
        assert!(reader.finish().is_ok());
    }
}
