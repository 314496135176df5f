//! Reading the cells of a change from symbols: [`super::encode`] backwards, step by step.

use oddswire_delta::MarketDelta;
use oddswire_model::{CellChange, CellKey, Field, MAX_SELECTIONS, Price, PriceLadder, SelectionNumber};

use super::{
    coder::SymbolReader,
    context::{self, BOOKS, Book, COMMON, HOLE_MAX, OF_MARKET, OTHERS, Seen, bits, index_of},
    encode::{
        Against, LADDER_BITS, Traded, hidden_context, loose, near_context, near_from, other, other_field,
        together, traded_together, volumes,
    },
    layout::*,
    number::{self, Shape},
};
use crate::{limits::AMOUNT_END, piece::PieceError, reference::Held};

/// Cells that a piece may hold for every byte of it: symbols can be nearly free, and work must not be.
const CELLS_PER_BYTE_MAX: usize = 32;
/// Cells that any piece may hold.
const CELLS_FREE: usize = 64;
/// Cells that no piece may exceed: 24 MiB of them in memory, a hundred times the largest recorded market.
const CELLS_MAX: usize = 1 << 20;

/// The bit of each field of a selection, by its code less 16: the common ones, then the others.
const BITS: [usize; 23] = {
    let (mut bits, mut at) = ([0; 23], 0);
    while at < COMMON.len() + OTHERS.len() {
        let field = if at < COMMON.len() { COMMON[at] } else { OTHERS[at - COMMON.len()] };
        bits[field as usize - 16] = 1 << at;
        at += 1;
    }
    bits
};

/// Most cells of a piece, by the bytes of its coding that do not fit into the coder's state.
pub(crate) fn cells_max(length: usize) -> usize {
    (CELLS_FREE + CELLS_PER_BYTE_MAX * length).min(CELLS_MAX)
}

/// Reads cells into `change`. Work and memory are bounded by the number of bytes.
pub(crate) fn decode(
    reader: SymbolReader<'_>,
    against: Against<'_>,
    change: &mut MarketDelta,
) -> Result<(), PieceError> {
    if against.selections > MAX_SELECTIONS {
        return Err(PieceError::Selection);
    }
    let cells_max = cells_max(reader.remaining());
    // Most cells take more than a byte.
    change.cells.reserve(reader.remaining() + 4);
    let mut decoder = Decoder {
        against,
        reader,
        seen: Seen::default(),
        hidden: None,
        before: (0, 0),
        waiting: None,
        change,
        cells_max,
    };
    decoder.market()?;
    decoder.settle()?;
    decoder.strays()?;
    decoder.reader.finish()
}

struct Decoder<'a, 'b> {
    against: Against<'a>,
    reader: SymbolReader<'a>,
    seen: Seen,
    hidden: Option<bool>,
    before: (usize, usize),
    waiting: Option<Waiting>,
    change: &'b mut MarketDelta,
    cells_max: usize,
}

/// An amount whose low bits have not been read.
struct Waiting {
    /// Which of the change's cells it belongs to.
    cell: usize,
    length: u32,
    held: u64,
    falls: bool,
}

impl Decoder<'_, '_> {
    fn push(&mut self, key: CellKey, value: u64) -> Result<(), PieceError> {
        if self.change.cells.len() >= self.cells_max {
            return Err(PieceError::Coder);
        }
        self.change.cells.push(CellChange { key, value });
        Ok(())
    }

    fn loose(&mut self, context: usize) -> Result<u64, PieceError> {
        number::read(&mut self.reader, LOOSE, context, Shape::Usual)
    }

    /// Reads the low bits of the last offer's amount.
    fn settle(&mut self) -> Result<(), PieceError> {
        let Some(Waiting { cell, length, held, falls }) = self.waiting.take() else { return Ok(()) };
        let by = number::read_rest(&mut self.reader, length);
        self.seen.note(by);
        if held == 0 {
            self.before.0 = bits(by);
        }
        let value = if falls { held.checked_sub(by) } else { held.checked_add(by) };
        let value = value.filter(|&value| value > 0 && value < AMOUNT_END).ok_or(PieceError::Amount)?;
        self.change.cells[cell].value = value;
        Ok(())
    }

    /// A count that has a symbol up to 14.
    fn count<const N: usize>(&mut self, table: Table<N>, context: usize) -> Result<usize, PieceError> {
        let count = self.reader.symbol(table, context);
        if count < 15 {
            return Ok(count);
        }
        usize::try_from(self.loose(0)?).map(|more| more.saturating_add(15)).map_err(|_| PieceError::Coder)
    }

    fn market(&mut self) -> Result<(), PieceError> {
        if self.reader.bit(MARKET_FIELDS, 0) {
            for (at, field) in OF_MARKET.into_iter().enumerate() {
                if self.reader.bit(MARKET_FIELD, at) {
                    let value = self.loose(1)?;
                    if field == Field::PriceLadder {
                        self.against.prices = PriceLadder::from_code(value).ok_or(PieceError::PriceLadder)?;
                    }
                    self.push(CellKey::market(field), value)?;
                }
            }
        }
        let traded = self.selections()?;
        let reference = self.against.reference;
        let held = reference.market_value(Field::MarketTradedVolume);
        let context = usize::from(traded != 0) + 2 * usize::from(held > 0);
        let value = match self.reader.symbol(MARKET_VOLUME, context) {
            0 => return Ok(()),
            1 => sum(held, traded)?,
            2 => sum(volumes(reference), traded)?,
            _ => self.difference(4, ODD, 0, held)?,
        };
        self.push(CellKey::market(Field::MarketTradedVolume), value)?;
        // The market's own cells come first.
        self.change.cells.rotate_right(1);
        if let Some(waiting) = &mut self.waiting {
            waiting.cell += 1;
        }
        Ok(())
    }

    /// Rungs that are told by their price.
    fn strays(&mut self) -> Result<(), PieceError> {
        while self.reader.bit(STRAY, 0) {
            let number = self.loose(0)?;
            let number = u16::try_from(number).ok().filter(|&at| usize::from(at) < self.against.selections);
            let number = SelectionNumber(number.ok_or(PieceError::Selection)?);
            let slot = self.reader.raw(LADDER_BITS) as usize;
            let field = *Field::LADDERS.get(slot).ok_or(PieceError::Mask)?;
            loop {
                let price = u32::try_from(self.loose(0)?).map(Price).ok();
                let price = price.filter(|&price| price.is_some() && price != Price::INFINITE);
                let price = price.ok_or(PieceError::Price)?;
                let value = amount(number::read(&mut self.reader, ODD, 0, Shape::Usual)?)?;
                self.push(CellKey::rung(number, field, price), value)?;
                if !self.reader.bit(STRAY, 1) {
                    break;
                }
            }
        }
        Ok(())
    }

    fn selections(&mut self) -> Result<i64, PieceError> {
        let Against { reference, selections, .. } = self.against;
        let size = if reference.is_nothing() { 7 } else { bits(selections as u64).min(6) };
        let mut left = self.count(SELECTIONS, size)?;
        if left > selections {
            return Err(PieceError::Selection);
        }
        let (mut class, mut traded) = (if left == 1 { 7 } else { 0 }, 0i64);
        for at in 0..selections {
            if left == 0 {
                break;
            }
            let number = SelectionNumber(at as u16);
            let remaining = selections - at;
            let is_touched = remaining == left || {
                let held = reference.selection(number);
                let context = context::touched(held, self.against.prices, left, remaining);
                self.reader.bit(TOUCHED, context)
            };
            if is_touched {
                left -= 1;
                let grows = self.selection(number, &mut class)?;
                traded = traded.wrapping_add(grows);
            }
        }
        Ok(traded)
    }

    fn selection(&mut self, number: SelectionNumber, class: &mut usize) -> Result<i64, PieceError> {
        let Against { reference, prices, is_catch_up, .. } = self.against;
        let (held, is_anew) = (reference.selection(number), reference.is_nothing());
        let kind = if is_anew { 4 } else { context::held_kind(held) };
        let fields = self.reader.symbol(FIELDS, kind * 8 + *class);
        *class = context::fields_class(fields);
        // The bits of all fields that change, the common ones first.
        let all = fields | self.others(held, is_anew, fields, kind) << COMMON.len();
        if is_catch_up && self.reader.bit(CLEARED, 0) {
            let mask = self.reader.raw(Field::LADDERS.len() as u32);
            let cleared = Field::LADDERS.into_iter().filter(|field| mask >> field.slot() & 1 == 1);
            self.change.cleared.extend(cleared.map(|field| (number, field)));
        }
        let has = |field: Field| all & BITS[field as usize - 16] != 0;

        let first = self.change.cells.len();
        let mut traded = Traded::default();
        if has(Field::Traded) {
            self.traded(number, held, fields, &mut traded)?;
        }
        let listed = first..self.change.cells.len();
        if has(Field::LastTraded) {
            let value = self.last_traded(held, listed.clone())?;
            self.push(CellKey::selection(number, Field::LastTraded), value)?;
        }
        let mut grows = 0;
        if has(Field::TradedVolume) {
            let volume = held.value(Field::TradedVolume);
            let value = match self.reader.symbol(VOLUME, usize::from(!listed.is_empty())) {
                0 => sum(volume, traded.grows)?,
                1 => amount(together(&self.change.cells[listed]))?,
                2 => sum(traded_together(held), traded.grows)?,
                _ => self.difference(3, ODD, 0, volume)?,
            };
            grows = value.wrapping_sub(volume) as i64;
            self.push(CellKey::selection(number, Field::TradedVolume), value)?;
        }
        for field in BOOKS {
            if has(field) {
                let book = Book::new(held, is_anew, field, prices, fields);
                self.book(number, held, book, &traded)?;
            }
        }
        if all >> COMMON.len() == 0 {
            return Ok(grows);
        }
        if has(Field::Price) {
            let value = self.price(held.value(Field::Price))?;
            self.push(CellKey::selection(number, Field::Price), value)?;
        }
        for field in [Field::NearPrice, Field::FarPrice] {
            if has(field) {
                let value = self.near(held.value(field))?;
                self.push(CellKey::selection(number, field), value)?;
            }
        }
        for field in [Field::SelectionStatus, Field::ReductionFactor, Field::StartingPrice] {
            if has(field) {
                let value = self.loose(loose(field))?;
                self.push(CellKey::selection(number, field), value)?;
            }
        }
        Ok(grows)
    }

    /// The fields without a bit of their own, as bits in the order of their flags.
    fn others(&mut self, held: Held<'_>, is_anew: bool, fields: usize, kind: usize) -> usize {
        let mut others = 0;
        if self.reader.bit(OTHER, other(held, is_anew, fields, kind)) {
            let mut before = false;
            for at in 0..OTHERS.len() {
                let context = other_field(is_anew, at, before, fields);
                before = self.reader.bit(OTHER_FIELD, context);
                others |= usize::from(before) << at;
            }
        }
        others
    }

    fn traded(
        &mut self,
        number: SelectionNumber,
        held: Held<'_>,
        fields: usize,
        traded: &mut Traded,
    ) -> Result<(), PieceError> {
        let Against { reference, prices, .. } = self.against;
        let is_anew = reference.is_nothing();
        let (context, from) = context::traded(held, is_anew, prices);
        let mut index = self.traded_at(context, from)?;
        let mut fell = 2;
        for at in 1.. {
            let price = price(prices, index)?;
            let stood = held.volume(Field::Traded, price);
            let is_less = self.reader.bit(TRADED_LESS, fell * 8 + (fields & 7));
            fell = usize::from(is_less);
            let value = if is_less {
                let fall = number::read(&mut self.reader, TRADED_FALL, 0, Shape::Usual)?;
                stood.checked_sub(fall).ok_or(PieceError::Amount)?
            } else {
                let (by, half) = self.traded_amount(held, price, fields)?;
                if let Some(half) = half {
                    traded.note(price, half);
                }
                amount(stood + by)?
            };
            traded.grows = traded.grows.wrapping_add(value.wrapping_sub(stood) as i64);
            self.push(CellKey::rung(number, Field::Traded, price), value)?;
            if !self.reader.bit(TRADED_MORE, if is_anew { 0 } else { at.min(7) }) {
                break;
            }
            let context = if is_anew { 0 } else { at.min(3) };
            let gap = number::read(&mut self.reader, TRADED_GAP, context, Shape::Usual)?;
            index += gap as i64 + 1;
        }
        Ok(())
    }

    fn traded_at(&mut self, context: usize, from: i64) -> Result<i64, PieceError> {
        let symbol = self.reader.symbol(TRADED_AT, context);
        if symbol < 15 {
            return Ok(from + symbol as i64 - 7);
        }
        let is_down = self.reader.bit(DOWN, 5);
        let far = number::read(&mut self.reader, TRADED_FAR, 0, Shape::Usual)? as i64 + 8;
        Ok(if is_down { from - far } else { from + far })
    }

    fn traded_amount(
        &mut self,
        held: Held<'_>,
        price: Price,
        fields: usize,
    ) -> Result<(u64, Option<u64>), PieceError> {
        self.settle()?;
        let is_anew = self.against.reference.is_nothing();
        let back = held.volume(Field::Back, price);
        let lay = held.volume(Field::Lay, price);
        let offer = if back > 0 { back } else { lay };
        if offer > 0 && self.reader.bit(TRADED_OFFER, fields & 7) {
            let is_lay = back > 0 && lay > 0 && self.reader.bit(TRADED_LAY, 0);
            let half = if is_lay { lay } else { offer };
            return Ok((half * 2, Some(half)));
        }
        let is_even = self.reader.bit(TRADED_EVEN, usize::from(is_anew));
        let is_again = !self.seen.is_empty() && self.reader.bit(TRADED_AGAIN, self.seen.len().min(4) - 1);
        let value = if is_again {
            self.again()?
        } else if is_even && self.reader.bit(TRADED_ROUND, usize::from(is_anew)) {
            units(number::read(&mut self.reader, TRADED_UNITS, 0, Shape::Usual)?)?
        } else {
            let context = context::traded_cents(is_anew, offer, &self.seen);
            let told = number::read(&mut self.reader, TRADED_CENTS, context, Shape::Flat)?;
            if is_even { told } else { amount(told * 2 + 1)? }
        };
        self.seen.note(value);
        Ok(if is_even { (value * 2, Some(value)) } else { (value, None) })
    }

    fn again(&mut self) -> Result<u64, PieceError> {
        let at = if self.seen.len() > 1 { self.reader.symbol(AGAIN, self.seen.context()) } else { 0 };
        self.seen.get(at).ok_or(PieceError::Amount)
    }

    fn last_traded(&mut self, held: Held<'_>, listed: std::ops::Range<usize>) -> Result<u64, PieceError> {
        match self.reader.symbol(LAST, usize::from(!listed.is_empty())) {
            0 => {
                let at =
                    if listed.len() > 1 { self.reader.symbol(LAST_AT, listed.len().min(8) - 1) } else { 0 };
                let cell = self.change.cells[listed].get(at).ok_or(PieceError::Price)?;
                Ok(u64::from(cell.key.price.0))
            }
            1 => {
                let last = index_of(self.against.prices, held.value(Field::LastTraded));
                self.stepped(0, last.unwrap_or(0))
            }
            _ => self.whole_price(),
        }
    }

    fn stepped(&mut self, what: usize, from: i64) -> Result<u64, PieceError> {
        let is_down = self.reader.bit(DOWN, what);
        let steps = number::read(&mut self.reader, STEPS, what, Shape::Usual)? as i64;
        let price = price(self.against.prices, if is_down { from - steps } else { from + steps })?;
        Ok(u64::from(price.0))
    }

    fn whole_price(&mut self) -> Result<u64, PieceError> {
        let value = self.loose(0)?;
        u32::try_from(value).map(u64::from).map_err(|_| PieceError::Price)
    }

    fn difference<const N: usize>(
        &mut self,
        what: usize,
        table: Table<N>,
        context: usize,
        held: u64,
    ) -> Result<u64, PieceError> {
        let is_down = self.reader.bit(DOWN, what);
        let by = number::read(&mut self.reader, table, context, Shape::Usual)?;
        if is_down { held.checked_sub(by).ok_or(PieceError::Amount) } else { amount(held + by) }
    }

    fn price(&mut self, held: u64) -> Result<u64, PieceError> {
        match self.reader.symbol(PRICE, usize::from(held != 0)) {
            0 => self.stepped(1, index_of(self.against.prices, held).unwrap_or(0)),
            1 => Ok(0),
            _ => self.whole_price(),
        }
    }

    fn near(&mut self, held: u64) -> Result<u64, PieceError> {
        let context = near_context(held);
        match self.reader.symbol(NEAR, context) {
            0 => Ok(0),
            1 => Ok(u64::from(Price::INFINITE.0)),
            2 => {
                let hundredths = self.difference(2, NEAR_BY, usize::from(context == 1), near_from(held))?;
                u32::try_from(hundredths * 100).map(u64::from).map_err(|_| PieceError::Price)
            }
            _ => self.whole_price(),
        }
    }

    fn book(
        &mut self,
        number: SelectionNumber,
        held: Held<'_>,
        book: Book<'_>,
        traded: &Traded,
    ) -> Result<(), PieceError> {
        let prices = self.against.prices;
        let count = self.count(COUNT, book.count())?;
        if count == 0 {
            return Err(PieceError::Mask);
        }
        let outward = |price: Price| {
            index_of(prices, u64::from(price.0)).map(|index| index * book.sign).ok_or(PieceError::Price)
        };
        let mut standing = held.rungs(book.field);
        let (mut rung, mut passed, mut last, mut step) = (0, None, None, 0);
        for at in 0..count {
            if standing.peek().is_some() {
                let mut gap = self.reader.symbol(GAP, book.gap(at == 0, rung, count));
                if gap == 15 {
                    let more = number::read(&mut self.reader, GAP_FAR, 0, Shape::Usual)?;
                    gap = usize::try_from(more).map_or(usize::MAX, |more| more.saturating_add(15));
                }
                if gap > 0 {
                    passed = Some(standing.take_many(gap).ok_or(PieceError::Coder)?);
                }
                rung += gap;
            }
            let behind = passed.map(outward).transpose()?.max(last);
            let (mut stood, mut stands) = (0, false);
            let place;
            if let Some((price, volume)) = standing.peek() {
                let next = outward(price)?;
                let hole = behind.map_or(i64::MAX, |behind| next - behind - 1);
                stands = hole <= 0 || !self.reader.bit(ENTERS, book.enters(at == 0, rung, hole));
                if stands {
                    stood = volume;
                    place = next;
                } else {
                    place = self.enters(book, behind, next)?;
                }
            } else if let Some(behind) = behind {
                step = number::read(&mut self.reader, BEHIND, book.behind(step), Shape::Usual)? as i64 + 1;
                place = behind + step;
            } else {
                let is_down = self.reader.bit(DOWN, 6);
                let far = number::read(&mut self.reader, FIRST, book.side, Shape::Usual)? as i64;
                let from = book.from();
                place = if is_down { from - far } else { from + far };
            }
            last = Some(place);
            let price = match standing.peek() {
                Some((price, _)) if stands => price,
                _ => price(prices, place * book.sign)?,
            };
            self.settle()?;
            let value = if stood == 0 {
                self.new_amount(held, book, rung, count)?
            } else {
                let half = if book.side == 0 { traded.half(price) } else { None };
                self.changed_amount(book, rung, count, stood, half)?
            };
            self.push(CellKey::rung(number, book.field, price), value)?;
            if stands {
                passed = Some(price);
                standing.next();
                rung += 1;
            }
        }
        Ok(())
    }

    fn enters(&mut self, book: Book<'_>, behind: Option<i64>, next: i64) -> Result<i64, PieceError> {
        let Some(behind) = behind else {
            let by = number::read(&mut self.reader, BEATS, book.beats(next), Shape::Usual)?;
            return Ok(next - by as i64 - 1);
        };
        let hole = next - behind - 1;
        let at = match hole {
            ..=1 => 0,
            2..=HOLE_MAX => self.reader.symbol(ENTERS_AT, context::hole(hole)) as i64,
            _ => number::read(&mut self.reader, ENTERS_FAR, book.side.min(1), Shape::Usual)? as i64,
        };
        if at < hole { Ok(behind + 1 + at) } else { Err(PieceError::Price) }
    }

    fn changed_amount(
        &mut self,
        book: Book<'_>,
        rung: usize,
        count: usize,
        held: u64,
        half: Option<u64>,
    ) -> Result<u64, PieceError> {
        let context = context::changes(book.side, rung, count, held, half, &self.seen);
        let value = match self.reader.symbol(CHANGES, context) {
            0 => {
                self.seen.note(held);
                return Ok(0);
            }
            1 => half.and_then(|half| held.checked_sub(half)),
            symbol @ 2..=4 => match self.by(symbol - 2, book.side, held, true)? {
                None => return Ok(held),
                Some(by) => held.checked_sub(by),
            },
            symbol => match self.by(symbol - 5, book.side, held, false)? {
                None => return Ok(held),
                Some(by) => held.checked_add(by),
            },
        };
        value.filter(|&value| value > 0 && value < AMOUNT_END).ok_or(PieceError::Amount)
    }

    fn new_amount(
        &mut self,
        held: Held<'_>,
        book: Book<'_>,
        rung: usize,
        count: usize,
    ) -> Result<u64, PieceError> {
        if self.against.is_catch_up && self.reader.bit(GONE, 0) {
            return Ok(0);
        }
        let hidden = match self.hidden {
            Some(hidden) => hidden,
            None => self.reader.bit(HIDDEN, hidden_context(held, book.field)),
        };
        self.hidden = Some(hidden);
        if hidden {
            return Ok(1);
        }
        let context = context::new(book.side, rung, count, &self.seen, self.before.1);
        let how = self.reader.symbol(NEW, context);
        let by = self.by(how, book.side, 0, false)?;
        // The length of an amount that waits is set when it is read.
        self.before = (by.map_or(0, bits), how);
        match by {
            None => Ok(0),
            Some(0) => Err(PieceError::Amount),
            Some(by) => amount(by),
        }
    }

    /// An amount told in one of three ways: 0 seen before, 1 whole units, 2 cents, whose low bits wait. The next cell
    /// to be pushed is the one that it belongs to.
    fn by(&mut self, how: usize, side: usize, held: u64, falls: bool) -> Result<Option<u64>, PieceError> {
        let by = match how {
            0 => self.again()?,
            1 => {
                let context = context::units(side, held, self.before.0);
                units(number::read(&mut self.reader, UNITS, context, Shape::Usual)?)?
            }
            _ => {
                let context = context::cents(side, held, falls, self.before.0);
                let length = number::read_length(&mut self.reader, CENTS, context)?;
                self.waiting = Some(Waiting { cell: self.change.cells.len(), length, held, falls });
                return Ok(None);
            }
        };
        self.seen.note(by);
        Ok(Some(by))
    }
}

fn sum(held: u64, grows: i64) -> Result<u64, PieceError> {
    held.checked_add_signed(grows).ok_or(PieceError::Amount).and_then(amount)
}

fn amount(value: u64) -> Result<u64, PieceError> {
    if value < AMOUNT_END { Ok(value) } else { Err(PieceError::Amount) }
}

fn units(units: u64) -> Result<u64, PieceError> {
    units.checked_mul(100).ok_or(PieceError::Amount).and_then(amount)
}

fn price(prices: PriceLadder, index: i64) -> Result<Price, PieceError> {
    u32::try_from(index).ok().and_then(|index| prices.price(index)).ok_or(PieceError::Price)
}
