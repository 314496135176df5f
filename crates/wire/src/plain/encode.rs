//! Writing the groups of a piece.

use oddswire_delta::MarketDelta;
use oddswire_model::{CellChange, Field, FieldKind, Price, PriceLadder, SelectionNumber};

use super::{CLEARED_BIT, Coding, MARKET_BITS, SELECTION_BITS, coding, first_index};
use crate::reference::{Reference, index};
use crate::varint::{write, write_signed, zigzag};

/// Appends the groups of a change whose cells are in canonical order.
///
/// `prices` is the market's price ladder after the change.
pub(crate) fn encode(change: &MarketDelta, reference: Reference<'_>, prices: PriceLadder, out: &mut Vec<u8>) {
    let mut cells = &change.cells[..];
    let mut cleared = &change.cleared[..];
    let of_market = cells.iter().take_while(|cell| cell.key.field.kind() == FieldKind::Market).count();
    let grows = cells[of_market..]
        .iter()
        .filter(|cell| cell.key.field == Field::TradedVolume)
        .map(|cell| difference(cell.value, reference.value(cell.key.selection, Field::TradedVolume)))
        .fold(0i64, i64::wrapping_add);
    encode_market(&cells[..of_market], reference, grows, out);
    cells = &cells[of_market..];
    let mut next = 0;
    loop {
        let number = match (cells.first(), cleared.first()) {
            (None, None) => return,
            (Some(cell), None) => cell.key.selection,
            (None, Some(&(number, _))) => number,
            (Some(cell), Some(&(number, _))) => cell.key.selection.min(number),
        };
        let count = cells.iter().take_while(|cell| cell.key.selection == number).count();
        let clears = cleared.iter().take_while(|(owner, _)| *owner == number).count();
        // Selection numbers grow, so the step is at least 1 and 0 is free for the market.
        write(out, u64::from(number.0) - next + 1);
        next = u64::from(number.0) + 1;
        let group = Group { number, reference, prices };
        group.encode(&cells[..count], &cleared[..clears], out);
        cells = &cells[count..];
        cleared = &cleared[clears..];
    }
}

fn encode_market(cells: &[CellChange], reference: Reference<'_>, grows: i64, out: &mut Vec<u8>) {
    let find = |field| cells.iter().find(|cell| cell.key.field == field).map(|cell| cell.value);
    let held = reference.market_value(Field::MarketTradedVolume);
    let volume = find(Field::MarketTradedVolume);
    let follows = super::following(held, grows);
    let mut mask = (1..MARKET_BITS.len())
        .filter(|&bit| find(MARKET_BITS[bit]).is_some())
        .fold(0, |mask, bit| mask | 1 << bit);
    mask |= u64::from(follows != volume);
    if mask == 0 {
        return;
    }
    write(out, 0);
    write(out, mask);
    for (bit, field) in MARKET_BITS.into_iter().enumerate() {
        if mask >> bit & 1 == 0 {
            continue;
        }
        match coding(field) {
            Coding::Amount => write_signed(out, difference(volume.unwrap_or(held), held)),
            _ => write(out, find(field).unwrap_or(0)),
        }
    }
}

struct Group<'a> {
    number: SelectionNumber,
    reference: Reference<'a>,
    prices: PriceLadder,
}

impl Group<'_> {
    fn encode(&self, cells: &[CellChange], cleared: &[(SelectionNumber, Field)], out: &mut Vec<u8>) {
        let mut mask = u64::from(!cleared.is_empty()) << CLEARED_BIT;
        let mut grows = 0i64;
        for cell in cells {
            mask |= 1 << bit(cell.key.field);
            if cell.key.field == Field::Traded {
                let held = self.reference.volume(self.number, Field::Traded, cell.key.price);
                grows = grows.wrapping_add(difference(cell.value, held));
            }
        }
        let held = self.reference.value(self.number, Field::TradedVolume);
        let volume = cells.iter().find(|cell| cell.key.field == Field::TradedVolume).map(|cell| cell.value);
        let volume_bit = 1 << bit(Field::TradedVolume);
        mask &= !volume_bit;
        if super::following(held, grows) != volume {
            mask |= volume_bit;
        }
        write(out, mask);
        if !cleared.is_empty() {
            write(out, cleared.iter().fold(0, |mask, (_, field)| mask | 1 << field.slot()));
        }
        for field in SELECTION_BITS {
            if mask & 1 << bit(field) == 0 {
                continue;
            }
            let first = cells.iter().position(|cell| cell.key.field == field).unwrap_or(cells.len());
            let count = cells[first..].iter().take_while(|cell| cell.key.field == field).count();
            let cells = &cells[first..first + count];
            if field == Field::TradedVolume {
                write_signed(out, difference(volume.unwrap_or(held), held));
            } else if field.kind() == FieldKind::Ladder {
                self.encode_ladder(field, cells, out);
            } else if let Some(cell) = cells.first() {
                self.encode_value(field, cell.value, out);
            }
        }
    }

    fn encode_value(&self, field: Field, value: u64, out: &mut Vec<u8>) {
        let held = self.reference.value(self.number, field);
        match coding(field) {
            Coding::Code => write(out, value),
            Coding::Amount => write_signed(out, difference(value, held)),
            Coding::Price => {
                let index_of =
                    |value: u64| index(self.prices, Price(u32::try_from(value).ok()?)).filter(|_| value != 0);
                match index_of(value) {
                    Some(to) => {
                        let from = index_of(held).unwrap_or(0);
                        write(out, zigzag(i64::from(to) - i64::from(from)) << 1);
                    }
                    None => write(out, value << 1 | 1),
                }
            }
        }
    }

    fn encode_ladder(&self, field: Field, cells: &[CellChange], out: &mut Vec<u8>) {
        let mut from = first_index(self.reference, self.number, field, self.prices);
        let mut is_first = true;
        for (at, cell) in cells.iter().enumerate() {
            let more = at + 1 < cells.len();
            let flags = u64::from(cell.value == 0) << 1 | u64::from(more);
            match index(self.prices, cell.key.price) {
                Some(to) => {
                    let step = if field.is_highest_first() {
                        i64::from(from) - i64::from(to)
                    } else {
                        i64::from(to) - i64::from(from)
                    };
                    // Rungs come best first, so every step but the first leads outwards; 0 says that the price
                    // follows in full.
                    let code = if is_first { zigzag(step) + 1 } else { step as u64 };
                    write(out, code << 2 | flags);
                    from = to;
                    is_first = false;
                }
                None => {
                    write(out, flags);
                    write(out, u64::from(cell.key.price.0));
                }
            }
            if cell.value != 0 {
                match self.reference.volume(self.number, field, cell.key.price) {
                    0 => write(out, cell.value),
                    held => write_signed(out, difference(cell.value, held)),
                }
            }
        }
    }
}

fn bit(field: Field) -> usize {
    SELECTION_BITS.iter().position(|&other| other == field).unwrap_or(0)
}

/// Amounts are at most 2^53, so the difference fits.
fn difference(value: u64, held: u64) -> i64 {
    value.wrapping_sub(held) as i64
}
