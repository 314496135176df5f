//! Reading the groups of a piece.

use oddswire_delta::MarketDelta;
use oddswire_model::{
    CellChange, CellKey, Field, FieldKind, MAX_SELECTIONS, Price, PriceLadder, SelectionNumber,
};

use super::{CLEARED_BIT, Coding, MARKET_BITS, SELECTION_BITS, coding, first_index};
use crate::{
    limits::AMOUNT_END,
    piece::PieceError,
    reference::{Reference, index},
    varint::{Reader, unzigzag},
};

/// Reads groups to the end of the bytes into `change`. Work and memory are bounded by the number of bytes.
///
/// `prices` is the market's price ladder before the change.
pub(crate) fn decode(
    reader: &mut Reader<'_>,
    reference: Reference<'_>,
    mut prices: PriceLadder,
    change: &mut MarketDelta,
) -> Result<(), PieceError> {
    let mut next = 0u64;
    let mut is_first = true;
    let (mut grows, mut volume_stays) = (0i64, false);
    while !reader.is_empty() {
        let step = reader.read()?;
        if step == 0 {
            if !is_first {
                return Err(PieceError::Order);
            }
            prices = decode_market(reader, reference, prices, change, &mut volume_stays)?;
        } else {
            let number = next
                .checked_add(step - 1)
                .filter(|&n| n < MAX_SELECTIONS as u64)
                .ok_or(PieceError::Selection)?;
            next = number + 1;
            let group = Group { number: SelectionNumber(number as u16), reference, prices };
            grows = grows.wrapping_add(group.decode(reader, change)?);
        }
        is_first = false;
    }
    let key = CellKey::market(Field::MarketTradedVolume);
    let is_told = volume_stays || change.cells.first().is_some_and(|cell| cell.key == key);
    let before = change.cells.len();
    follow(key, reference.market_value(Field::MarketTradedVolume), if is_told { 0 } else { grows }, change)?;
    if change.cells.len() > before {
        // The market's own cells come first.
        change.cells.rotate_right(1);
    }
    Ok(())
}

fn decode_market(
    reader: &mut Reader<'_>,
    reference: Reference<'_>,
    mut prices: PriceLadder,
    change: &mut MarketDelta,
    volume_stays: &mut bool,
) -> Result<PriceLadder, PieceError> {
    let mask = reader.read()?;
    if mask == 0 || mask >> MARKET_BITS.len() != 0 {
        return Err(PieceError::Mask);
    }
    for (bit, field) in MARKET_BITS.into_iter().enumerate() {
        if mask >> bit & 1 == 0 {
            continue;
        }
        let value = match coding(field) {
            Coding::Amount => sum(reference.market_value(field), reader.read_signed()?)?,
            _ => reader.read()?,
        };
        if field == Field::PriceLadder {
            prices = PriceLadder::from_code(value).ok_or(PieceError::PriceLadder)?;
        }
        if field == Field::MarketTradedVolume && stays(reference.market_value(field), value) {
            *volume_stays = true;
            continue;
        }
        change.cells.push(CellChange { key: CellKey::market(field), value });
    }
    Ok(prices)
}

struct Group<'a> {
    number: SelectionNumber,
    reference: Reference<'a>,
    prices: PriceLadder,
}

impl Group<'_> {
    /// Reads the group; says how much the selection's traded volume grows.
    fn decode(&self, reader: &mut Reader<'_>, change: &mut MarketDelta) -> Result<i64, PieceError> {
        let mask = reader.read()?;
        if mask == 0 || mask >> (CLEARED_BIT + 1) != 0 {
            return Err(PieceError::Mask);
        }
        if mask >> CLEARED_BIT & 1 == 1 {
            let ladders = reader.read()?;
            if ladders == 0 || ladders >> Field::LADDERS.len() != 0 {
                return Err(PieceError::Mask);
            }
            let cleared = Field::LADDERS.into_iter().filter(|field| ladders >> field.slot() & 1 == 1);
            change.cleared.extend(cleared.map(|field| (self.number, field)));
        }
        let held = self.reference.value(self.number, Field::TradedVolume);
        let first = change.cells.len();
        let mut grows = 0i64;
        for (bit, field) in SELECTION_BITS.into_iter().enumerate() {
            if mask >> bit & 1 == 0 {
                if field == Field::TradedVolume {
                    // Traded amounts come before it in the group.
                    let traded = change.cells[first..].iter().filter(|cell| cell.key.field == Field::Traded);
                    let traded = traded.map(|cell| {
                        let held = self.reference.volume(self.number, Field::Traded, cell.key.price);
                        cell.value.wrapping_sub(held) as i64
                    });
                    grows = traded.fold(0, i64::wrapping_add);
                    follow(CellKey::selection(self.number, field), held, grows, change)?;
                    grows = if held == 0 { 0 } else { grows };
                }
                continue;
            }
            if field.kind() == FieldKind::Ladder {
                self.decode_ladder(field, reader, change)?;
            } else {
                let value = self.decode_value(field, reader)?;
                if field == Field::TradedVolume {
                    grows = value.wrapping_sub(held) as i64;
                    if stays(held, value) {
                        continue;
                    }
                }
                change.cells.push(CellChange { key: CellKey::selection(self.number, field), value });
            }
        }
        Ok(grows)
    }

    fn decode_value(&self, field: Field, reader: &mut Reader<'_>) -> Result<u64, PieceError> {
        let held = self.reference.value(self.number, field);
        match coding(field) {
            Coding::Code => Ok(reader.read()?),
            Coding::Amount => sum(held, reader.read_signed()?),
            Coding::Price => {
                let code = reader.read()?;
                if code & 1 == 1 {
                    return u32::try_from(code >> 1).map(u64::from).map_err(|_| PieceError::Price);
                }
                let from = u32::try_from(held)
                    .ok()
                    .filter(|&held| held != 0)
                    .and_then(|held| index(self.prices, Price(held)));
                let price = self.price(i64::from(from.unwrap_or(0)), unzigzag(code >> 1))?;
                Ok(u64::from(price.0))
            }
        }
    }

    fn decode_ladder(
        &self,
        field: Field,
        reader: &mut Reader<'_>,
        change: &mut MarketDelta,
    ) -> Result<(), PieceError> {
        let mut from = i64::from(first_index(self.reference, self.number, field, self.prices));
        let mut is_first = true;
        loop {
            let head = reader.read()?;
            let (more, removed, code) = (head & 1 == 1, head >> 1 & 1 == 1, head >> 2);
            let price = if code == 0 {
                Price(u32::try_from(reader.read()?).map_err(|_| PieceError::Price)?)
            } else {
                let step = if is_first { unzigzag(code - 1) } else { code as i64 };
                let step = if field.is_highest_first() { -step } else { step };
                let price = self.price(from, step)?;
                from += step;
                is_first = false;
                price
            };
            let value = if removed {
                0
            } else {
                let value = match self.reference.volume(self.number, field, price) {
                    0 => reader.read()?,
                    held => sum(held, reader.read_signed()?)?,
                };
                if value == 0 || value >= AMOUNT_END {
                    return Err(PieceError::Amount);
                }
                value
            };
            change.cells.push(CellChange { key: CellKey::rung(self.number, field, price), value });
            if !more {
                return Ok(());
            }
        }
    }

    fn price(&self, from: i64, step: i64) -> Result<Price, PieceError> {
        let index =
            from.checked_add(step).and_then(|index| u32::try_from(index).ok()).ok_or(PieceError::Price)?;
        self.prices.price(index).ok_or(PieceError::Price)
    }
}

/// Whether a traded volume was told only because it does not follow.
fn stays(held: u64, value: u64) -> bool {
    held != 0 && held == value
}

/// A traded volume that is not told follows from what was traded.
fn follow(key: CellKey, held: u64, grows: i64, change: &mut MarketDelta) -> Result<(), PieceError> {
    if super::following(held, grows).is_some() {
        change.cells.push(CellChange { key, value: sum(held, grows)? });
    }
    Ok(())
}

fn sum(held: u64, difference: i64) -> Result<u64, PieceError> {
    held.checked_add_signed(difference).filter(|&value| value < AMOUNT_END).ok_or(PieceError::Amount)
}
