//! Writing the cells of a change as symbols. [`super::decode`] reads what this writes, step by step.

use oddswire_delta::MarketDelta;
use oddswire_model::{CellChange, CellKey, Field, FieldKind, Price, PriceLadder, SelectionNumber};

use super::{
    coder::Sink,
    context::{self, BOOKS, Book, COMMON, HOLE_MAX, OF_MARKET, OTHERS, Seen, bits, index_of},
    layout::*,
    number::{self, Rest, Shape},
};
use crate::{
    reference::{Held, Reference},
    varint,
};

/// Bits that name a ladder of a stray rung.
pub(crate) const LADDER_BITS: u32 = 3;

/// The change says something that the compact encoding has no symbols for; it travels in the plain one. Inside this module
/// it is also a price without a place on the price ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unfit;

/// What a change is measured against.
#[derive(Clone, Copy)]
pub(crate) struct Against<'a> {
    pub(crate) reference: Reference<'a>,
    /// The market's price ladder after the change.
    pub(crate) prices: PriceLadder,
    /// How many selections the market has after the change.
    pub(crate) selections: usize,
    /// Whether ladders may be emptied first and rungs named that are gone: catch-ups.
    pub(crate) is_catch_up: bool,
}

/// Writes the cells of a change, which must be in canonical order. Returns a length that the plain groups of the same
/// change do not fall below.
pub(crate) fn encode<S: Sink>(
    change: &MarketDelta,
    against: Against<'_>,
    sink: &mut S,
) -> Result<usize, Unfit> {
    let mark = sink.mark();
    if let Ok(plain) = encode_cells(change, &change.cells, &[], against, sink) {
        return Ok(plain);
    }
    // Something has no place on the price ladder. That is so rare that looking for it beforehand would cost more than
    // beginning again.
    sink.rewind(mark);
    let (strays, cells): (Vec<_>, Vec<_>) = change.cells.iter().partition(|cell| is_stray(cell, against));
    encode_cells(change, &cells, &strays, against, sink)
}

/// Whether a cell is told by its price: a rung that stands on no tick, and every rung of a ladder in which such a one is held.
fn is_stray(cell: &CellChange, Against { reference, prices, .. }: Against<'_>) -> bool {
    let CellKey { selection, field, price } = cell.key;
    let is_off = |price: Price| index_of(prices, u64::from(price.0)).is_none();
    field.kind() == FieldKind::Ladder
        && (is_off(price) || reference.selection(selection).rungs(field).any(|(held, _)| is_off(held)))
}

fn encode_cells<S: Sink>(
    change: &MarketDelta,
    cells: &[CellChange],
    strays: &[CellChange],
    against: Against<'_>,
    sink: &mut S,
) -> Result<usize, Unfit> {
    let mut encoder = Encoder {
        against,
        sink,
        cells,
        seen: Seen::default(),
        hidden: None,
        before: (0, 0),
        waiting: None,
        plain: 0,
    };
    encoder.market(cells, &change.cleared)?;
    encoder.strays(strays)?;
    Ok(encoder.plain)
}

struct Encoder<'a, S> {
    against: Against<'a>,
    sink: &'a mut S,
    /// All cells of the change.
    cells: &'a [CellChange],
    seen: Seen,
    /// Whether amounts are hidden, once it was said.
    hidden: Option<bool>,
    /// Length of the last new rung's amount, and how it was told.
    before: (usize, usize),
    /// The low bits of the last offer's amount. They are written as late as possible: the first thing that goes into
    /// an empty coder is nearly free if it is raw bits, and costs up to a byte and a half if it is a symbol.
    waiting: Option<Rest>,
    /// Bytes that the plain encoding takes at least for what was written: a step and a mask for each group, one for each
    /// value and the place of each rung, and the amounts of rungs. Volumes may follow and take none.
    plain: usize,
}

impl<S: Sink> Encoder<'_, S> {
    fn market(&mut self, cells: &[CellChange], cleared: &[(SelectionNumber, Field)]) -> Result<(), Unfit> {
        let of_market = cells.iter().take_while(|cell| cell.key.field.kind() == FieldKind::Market).count();
        let (of_market, mut cells) = cells.split_at(of_market);
        let find = |field| of_market.iter().find(|cell| cell.key.field == field).map(|cell| cell.value);
        let any = OF_MARKET.into_iter().any(|field| find(field).is_some());
        self.sink.bit(MARKET_FIELDS, 0, any);
        if any {
            self.plain += 2;
            for (at, field) in OF_MARKET.into_iter().enumerate() {
                let value = find(field);
                self.sink.bit(MARKET_FIELD, at, value.is_some());
                if let Some(value) = value {
                    self.plain += 1;
                    number::write(self.sink, LOOSE, 1, Shape::Usual, value);
                }
            }
        }
        let traded = self.selections(&mut cells, cleared)?;
        self.market_volume(find(Field::MarketTradedVolume), traded);
        self.settle();
        Ok(())
    }

    /// Rungs that are told by their price. Mostly there are none, and as the last symbol of a piece that costs nothing.
    fn strays(&mut self, mut cells: &[CellChange]) -> Result<(), Unfit> {
        while let Some(&CellChange { key, .. }) = cells.first() {
            if usize::from(key.selection.0) >= self.against.selections {
                return Err(Unfit);
            }
            self.sink.bit(STRAY, 0, true);
            number::write(self.sink, LOOSE, 0, Shape::Usual, u64::from(key.selection.0));
            self.sink.raw(LADDER_BITS, key.field.slot() as u64);
            let is_same =
                |cell: &&CellChange| cell.key.selection == key.selection && cell.key.field == key.field;
            let (ladder, rest) = cells.split_at(cells.iter().take_while(is_same).count());
            for (at, cell) in ladder.iter().enumerate() {
                if at > 0 {
                    self.sink.bit(STRAY, 1, true);
                }
                self.plain += 1;
                number::write(self.sink, LOOSE, 0, Shape::Usual, u64::from(cell.key.price.0));
                number::write(self.sink, ODD, 0, Shape::Usual, cell.value);
            }
            self.sink.bit(STRAY, 1, false);
            cells = rest;
        }
        self.sink.bit(STRAY, 0, false);
        Ok(())
    }

    fn settle(&mut self) {
        if let Some(rest) = self.waiting.take() {
            rest.write(self.sink);
        }
    }

    /// How much the selections' traded volumes grow together.
    fn selections(
        &mut self,
        cells: &mut &[CellChange],
        mut cleared: &[(SelectionNumber, Field)],
    ) -> Result<i64, Unfit> {
        let Against { reference, prices, selections, .. } = self.against;
        let mut left = touched(cells, cleared);
        let size = if reference.is_nothing() { 7 } else { bits(selections as u64).min(6) };
        self.sink.symbol(SELECTIONS, size, left.min(15));
        if left >= 15 {
            number::write(self.sink, LOOSE, 0, Shape::Usual, left as u64 - 15);
        }
        let (mut class, mut traded) = (if left == 1 { 7 } else { 0 }, 0i64);
        for at in 0..selections {
            if left == 0 {
                break;
            }
            let number = SelectionNumber(at as u16);
            let own = cells.iter().take_while(|cell| cell.key.selection == number).count();
            let clears = cleared.iter().take_while(|(owner, _)| *owner == number).count();
            let is_touched = own + clears > 0;
            if selections - at > left {
                let context = context::touched(reference.selection(number), prices, left, selections - at);
                self.sink.bit(TOUCHED, context, is_touched);
            }
            if is_touched {
                left -= 1;
                let runs = Runs::of(&cells[..own]);
                let grows =
                    self.selection(reference.selection(number), &runs, &cleared[..clears], &mut class)?;
                traded = traded.wrapping_add(grows);
                *cells = &cells[own..];
                cleared = &cleared[clears..];
            }
        }
        if left > 0 { Err(Unfit) } else { Ok(traded) }
    }

    fn market_volume(&mut self, value: Option<u64>, traded: i64) {
        let reference = self.against.reference;
        let held = reference.market_value(Field::MarketTradedVolume);
        let context = usize::from(traded != 0) + 2 * usize::from(held > 0);
        let Some(value) = value else {
            return self.sink.symbol(MARKET_VOLUME, context, 0);
        };
        let follows = held.checked_add_signed(traded);
        if follows == Some(value) {
            self.sink.symbol(MARKET_VOLUME, context, 1);
        } else if volumes(reference).checked_add_signed(traded) == Some(value) {
            self.sink.symbol(MARKET_VOLUME, context, 2);
        } else {
            self.sink.symbol(MARKET_VOLUME, context, 3);
            self.difference(4, ODD, 0, value, held);
        }
    }

    /// One selection; says how much its traded volume grows.
    fn selection(
        &mut self,
        held: Held<'_>,
        runs: &Runs<'_>,
        cleared: &[(SelectionNumber, Field)],
        class: &mut usize,
    ) -> Result<i64, Unfit> {
        let Against { reference, prices, is_catch_up, .. } = self.against;
        let is_anew = reference.is_nothing();
        let fields = COMMON
            .into_iter()
            .enumerate()
            .fold(0, |fields, (bit, field)| fields | usize::from(runs.has(field)) << bit);
        let kind = if is_anew { 4 } else { context::held_kind(held) };
        self.sink.symbol(FIELDS, kind * 8 + *class, fields);
        *class = context::fields_class(fields);
        self.plain += 2;
        self.others(held, runs, fields, kind);
        if is_catch_up {
            self.sink.bit(CLEARED, 0, !cleared.is_empty());
            if !cleared.is_empty() {
                let mask = cleared.iter().fold(0, |mask, (_, field)| mask | 1 << field.slot());
                self.sink.raw(Field::LADDERS.len() as u32, mask);
            }
        }

        let mut traded = Traded::default();
        if runs.has(Field::Traded) {
            self.traded(held, runs.cells(Field::Traded), fields, &mut traded)?;
        }
        if let Some(value) = runs.value(Field::LastTraded) {
            self.plain += 1;
            self.last_traded(held, value, runs.cells(Field::Traded));
        }
        let mut grows = 0;
        if let Some(value) = runs.value(Field::TradedVolume) {
            grows = value.wrapping_sub(held.value(Field::TradedVolume)) as i64;
            self.volume(held, value, runs.cells(Field::Traded), &traded);
        }
        for field in BOOKS {
            if runs.has(field) {
                let book = Book::new(held, is_anew, field, prices, fields);
                self.book(held, book, runs.cells(field), &traded)?;
            }
        }
        if !runs.has_any(&OTHERS) {
            return Ok(grows);
        }
        if let Some(value) = runs.value(Field::Price) {
            self.plain += 1;
            self.price(value, held.value(Field::Price));
        }
        for field in [Field::NearPrice, Field::FarPrice] {
            if let Some(value) = runs.value(field) {
                self.plain += 1;
                self.near(value, held.value(field));
            }
        }
        for field in [Field::SelectionStatus, Field::ReductionFactor, Field::StartingPrice] {
            if let Some(value) = runs.value(field) {
                self.plain += 1;
                number::write(self.sink, LOOSE, loose(field), Shape::Usual, value);
            }
        }
        Ok(grows)
    }

    fn others(&mut self, held: Held<'_>, runs: &Runs<'_>, fields: usize, kind: usize) {
        let is_anew = self.against.reference.is_nothing();
        let any = runs.has_any(&OTHERS);
        let context = other(held, is_anew, fields, kind);
        self.sink.bit(OTHER, context, any);
        if any {
            let mut before = false;
            for (at, field) in OTHERS.into_iter().enumerate() {
                let context = other_field(is_anew, at, before, fields);
                before = runs.has(field);
                self.sink.bit(OTHER_FIELD, context, before);
            }
        }
    }

    fn traded(
        &mut self,
        held: Held<'_>,
        cells: &[CellChange],
        fields: usize,
        traded: &mut Traded,
    ) -> Result<(), Unfit> {
        let Against { reference, prices, .. } = self.against;
        let is_anew = reference.is_nothing();
        let (context, from) = context::traded(held, is_anew, prices);
        let (mut before, mut fell) = (None, 2);
        for (at, cell) in cells.iter().enumerate() {
            let index = index_of(prices, u64::from(cell.key.price.0)).ok_or(Unfit)?;
            match before {
                None => self.traded_at(context, index - from),
                Some(before) => {
                    self.sink.bit(TRADED_MORE, if is_anew { 0 } else { at.min(7) }, true);
                    let context = if is_anew { 0 } else { at.min(3) };
                    number::write(self.sink, TRADED_GAP, context, Shape::Usual, (index - before - 1) as u64);
                }
            }
            before = Some(index);
            let stood = held.volume(Field::Traded, cell.key.price);
            self.plain += 1 + amount_length(cell.value, stood);
            traded.grows = traded.grows.wrapping_add(cell.value.wrapping_sub(stood) as i64);
            let context = fell * 8 + (fields & 7);
            fell = usize::from(cell.value < stood);
            self.sink.bit(TRADED_LESS, context, cell.value < stood);
            if cell.value < stood {
                number::write(self.sink, TRADED_FALL, 0, Shape::Usual, stood - cell.value);
                continue;
            }
            if let Some(half) = self.traded_amount(held, cell.key.price, cell.value - stood, fields) {
                traded.note(cell.key.price, half);
            }
        }
        self.sink.bit(TRADED_MORE, if is_anew { 0 } else { cells.len().min(7) }, false);
        Ok(())
    }

    fn traded_at(&mut self, context: usize, step: i64) {
        if (-7..=7).contains(&step) {
            return self.sink.symbol(TRADED_AT, context, (step + 7) as usize);
        }
        self.sink.symbol(TRADED_AT, context, 15);
        self.sink.bit(DOWN, 5, step < 0);
        number::write(self.sink, TRADED_FAR, 0, Shape::Usual, step.unsigned_abs() - 8);
    }

    /// An amount traded at a price; half of it, if it is even.
    fn traded_amount(&mut self, held: Held<'_>, price: Price, amount: u64, fields: usize) -> Option<u64> {
        self.settle();
        let is_anew = self.against.reference.is_nothing();
        let half = amount.is_multiple_of(2).then_some(amount / 2);
        let back = held.volume(Field::Back, price);
        let lay = held.volume(Field::Lay, price);
        let offer = if back > 0 { back } else { lay };
        if offer > 0 {
            let is_lay = half != Some(offer) && back > 0 && lay > 0 && half == Some(lay);
            let is_offer = half == Some(offer) || is_lay;
            self.sink.bit(TRADED_OFFER, fields & 7, is_offer);
            if is_offer {
                if back > 0 && lay > 0 {
                    self.sink.bit(TRADED_LAY, 0, is_lay);
                }
                return half;
            }
        }
        self.sink.bit(TRADED_EVEN, usize::from(is_anew), half.is_some());
        let value = half.unwrap_or(amount);
        let again = self.seen.position(value);
        if !self.seen.is_empty() {
            self.sink.bit(TRADED_AGAIN, self.seen.len().min(4) - 1, again.is_some());
        }
        match again {
            Some(at) => self.again(at),
            None => {
                let is_round = value.is_multiple_of(100);
                if half.is_some() {
                    self.sink.bit(TRADED_ROUND, usize::from(is_anew), is_round);
                }
                if is_round {
                    number::write(self.sink, TRADED_UNITS, 0, Shape::Usual, value / 100);
                } else {
                    let context = context::traded_cents(is_anew, offer, &self.seen);
                    // The last bit of an odd one is known.
                    let told = if half.is_some() { value } else { value / 2 };
                    number::write(self.sink, TRADED_CENTS, context, Shape::Flat, told);
                }
            }
        }
        self.seen.note(value);
        half
    }

    fn again(&mut self, at: usize) {
        if self.seen.len() > 1 {
            self.sink.symbol(AGAIN, self.seen.context(), at);
        }
    }

    fn last_traded(&mut self, held: Held<'_>, value: u64, traded: &[CellChange]) {
        let prices = self.against.prices;
        let context = usize::from(!traded.is_empty());
        let listed = traded.iter().position(|cell| u64::from(cell.key.price.0) == value);
        match (listed.filter(|&at| at < 16), index_of(prices, value)) {
            (Some(at), _) => {
                self.sink.symbol(LAST, context, 0);
                if traded.len() > 1 {
                    self.sink.symbol(LAST_AT, traded.len().min(8) - 1, at);
                }
            }
            (None, Some(index)) => {
                self.sink.symbol(LAST, context, 1);
                let from = index_of(prices, held.value(Field::LastTraded)).unwrap_or(0);
                self.steps(0, index - from);
            }
            (None, None) => {
                self.sink.symbol(LAST, context, 2);
                number::write(self.sink, LOOSE, 0, Shape::Usual, value);
            }
        }
    }

    fn steps(&mut self, what: usize, steps: i64) {
        self.sink.bit(DOWN, what, steps < 0);
        number::write(self.sink, STEPS, what, Shape::Usual, steps.unsigned_abs());
    }

    fn difference<const N: usize>(
        &mut self,
        what: usize,
        table: Table<N>,
        context: usize,
        value: u64,
        held: u64,
    ) {
        self.sink.bit(DOWN, what, value < held);
        number::write(self.sink, table, context, Shape::Usual, value.abs_diff(held));
    }

    fn volume(&mut self, held: Held<'_>, value: u64, cells: &[CellChange], traded: &Traded) {
        let volume = held.value(Field::TradedVolume);
        let context = usize::from(!cells.is_empty());
        if volume.checked_add_signed(traded.grows) == Some(value) {
            self.sink.symbol(VOLUME, context, 0);
        } else if together(cells) == value {
            self.sink.symbol(VOLUME, context, 1);
        } else if traded_together(held).checked_add_signed(traded.grows) == Some(value) {
            self.sink.symbol(VOLUME, context, 2);
        } else {
            self.sink.symbol(VOLUME, context, 3);
            self.difference(3, ODD, 0, value, volume);
        }
    }

    fn price(&mut self, value: u64, held: u64) {
        let prices = self.against.prices;
        let context = usize::from(held != 0);
        match index_of(prices, value) {
            Some(index) => {
                self.sink.symbol(PRICE, context, 0);
                self.steps(1, index - index_of(prices, held).unwrap_or(0));
            }
            None if value == 0 => self.sink.symbol(PRICE, context, 1),
            None => {
                self.sink.symbol(PRICE, context, 2);
                number::write(self.sink, LOOSE, 0, Shape::Usual, value);
            }
        }
    }

    fn near(&mut self, value: u64, held: u64) {
        let context = near_context(held);
        if value == 0 {
            self.sink.symbol(NEAR, context, 0);
        } else if value == u64::from(Price::INFINITE.0) {
            self.sink.symbol(NEAR, context, 1);
        } else if value.is_multiple_of(100) {
            self.sink.symbol(NEAR, context, 2);
            self.difference(2, NEAR_BY, usize::from(context == 1), value / 100, near_from(held));
        } else {
            self.sink.symbol(NEAR, context, 3);
            number::write(self.sink, LOOSE, 0, Shape::Usual, value);
        }
    }

    fn book(
        &mut self,
        held: Held<'_>,
        book: Book<'_>,
        cells: &[CellChange],
        traded: &Traded,
    ) -> Result<(), Unfit> {
        let prices = self.against.prices;
        let count = cells.len();
        self.sink.symbol(COUNT, book.count(), count.min(15));
        if count >= 15 {
            number::write(self.sink, LOOSE, 0, Shape::Usual, count as u64 - 15);
        }
        let outward =
            |price: Price| index_of(prices, u64::from(price.0)).map(|index| index * book.sign).ok_or(Unfit);
        let mut standing = held.rungs(book.field);
        // The next standing rung's place in the ladder, the one passed last, and the place coded last.
        let (mut rung, mut passed, mut last, mut step) = (0, None, None, 0);
        for (at, cell) in cells.iter().enumerate() {
            let place = outward(cell.key.price)?;
            if standing.peek().is_some() {
                let context = book.gap(at == 0, rung, count);
                let (gap, last) = standing.pass(cell.key.price, book.sign < 0);
                passed = last.or(passed);
                rung += gap;
                self.sink.symbol(GAP, context, gap.min(15));
                if gap >= 15 {
                    number::write(self.sink, GAP_FAR, 0, Shape::Usual, gap as u64 - 15);
                }
            }
            let behind = passed.map(outward).transpose()?.max(last);
            let (mut stood, mut stands) = (0, false);
            if let Some((price, volume)) = standing.peek() {
                let next = outward(price)?;
                stands = price == cell.key.price;
                let hole = behind.map_or(i64::MAX, |behind| next - behind - 1);
                if hole > 0 {
                    self.sink.bit(ENTERS, book.enters(at == 0, rung, hole), !stands);
                }
                if stands {
                    stood = volume;
                } else {
                    self.enters(book, behind, next, place);
                }
            } else if let Some(behind) = behind {
                let context = book.behind(step);
                step = place - behind;
                number::write(self.sink, BEHIND, context, Shape::Usual, step as u64 - 1);
            } else {
                let from = book.from();
                self.sink.bit(DOWN, 6, place < from);
                number::write(self.sink, FIRST, book.side, Shape::Usual, place.abs_diff(from));
            }
            last = Some(place);
            self.amount(held, book, rung, count, stood, cell, traded)?;
            if stands {
                passed = Some(cell.key.price);
                standing.next();
                rung += 1;
            }
        }
        Ok(())
    }

    /// Where a new rung stands before the next one.
    fn enters(&mut self, book: Book<'_>, behind: Option<i64>, next: i64, place: i64) {
        let Some(behind) = behind else {
            return number::write(
                self.sink,
                BEATS,
                book.beats(next),
                Shape::Usual,
                (next - place - 1) as u64,
            );
        };
        let hole = next - behind - 1;
        let at = (place - behind - 1) as u64;
        if (2..=HOLE_MAX).contains(&hole) {
            self.sink.symbol(ENTERS_AT, context::hole(hole), at as usize);
        } else if hole > HOLE_MAX {
            number::write(self.sink, ENTERS_FAR, book.side.min(1), Shape::Usual, at);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "all of it is the place of one amount")]
    fn amount(
        &mut self,
        held: Held<'_>,
        book: Book<'_>,
        rung: usize,
        count: usize,
        stood: u64,
        cell: &CellChange,
        traded: &Traded,
    ) -> Result<(), Unfit> {
        self.settle();
        let value = cell.value;
        self.plain += 1 + amount_length(value, stood);
        if stood == 0 {
            return self.new_amount(held, book, rung, count, value);
        }
        let half = if book.side == 0 { traded.half(cell.key.price) } else { None };
        let context = context::changes(book.side, rung, count, stood, half, &self.seen);
        if value == 0 {
            self.sink.symbol(CHANGES, context, 0);
            self.seen.note(stood);
            return Ok(());
        }
        let (by, falls) = (value.abs_diff(stood), value < stood);
        if falls && half == Some(by) {
            self.sink.symbol(CHANGES, context, 1);
            return Ok(());
        }
        let again = self.seen.position(by);
        self.sink.symbol(CHANGES, context, if falls { 2 } else { 5 } + how(again, by));
        self.by(again, by, book.side, stood, falls);
        Ok(())
    }

    fn new_amount(
        &mut self,
        held: Held<'_>,
        book: Book<'_>,
        rung: usize,
        count: usize,
        value: u64,
    ) -> Result<(), Unfit> {
        let is_catch_up = self.against.is_catch_up;
        if is_catch_up {
            self.sink.bit(GONE, 0, value == 0);
        }
        if value == 0 {
            return if is_catch_up { Ok(()) } else { Err(Unfit) };
        }
        // One cent, where others are more, is an amount.
        let is_one = |cell: &CellChange| cell.key.field.kind() != FieldKind::Ladder || cell.value <= 1;
        let hidden = self.hidden.unwrap_or_else(|| value == 1 && self.cells.iter().all(is_one));
        if self.hidden.is_none() {
            self.sink.bit(HIDDEN, hidden_context(held, book.field), hidden);
            self.hidden = Some(hidden);
        }
        if hidden {
            return if value == 1 { Ok(()) } else { Err(Unfit) };
        }
        let again = self.seen.position(value);
        let how = how(again, value);
        self.sink.symbol(NEW, context::new(book.side, rung, count, &self.seen, self.before.1), how);
        self.by(again, value, book.side, 0, false);
        self.before = (bits(value), how);
        Ok(())
    }

    fn by(&mut self, again: Option<usize>, by: u64, side: usize, held: u64, falls: bool) {
        match again {
            Some(at) => self.again(at),
            None if by.is_multiple_of(100) => {
                let context = context::units(side, held, self.before.0);
                number::write(self.sink, UNITS, context, Shape::Usual, by / 100);
            }
            None => {
                let context = context::cents(side, held, falls, self.before.0);
                self.waiting = Some(number::write_length(self.sink, CENTS, context, by));
            }
        }
        self.seen.note(by);
    }
}

/// Length of a rung's amount in the plain encoding, which has none for a rung that goes.
fn amount_length(value: u64, held: u64) -> usize {
    match (value, held) {
        (0, _) => 0,
        (value, 0) => varint::length(value),
        (value, held) => varint::length(varint::zigzag(value.wrapping_sub(held) as i64)),
    }
}

/// How an amount is told: 0 seen before, 1 whole units, 2 cents.
fn how(again: Option<usize>, amount: u64) -> usize {
    match again {
        Some(_) => 0,
        None if amount.is_multiple_of(100) => 1,
        None => 2,
    }
}

/// Context of [`HIDDEN`].
pub(crate) fn hidden_context(held: Held<'_>, field: Field) -> usize {
    match held.rungs(field).peek() {
        None => 2,
        Some((_, volume)) => usize::from(volume == 1),
    }
}

/// Context of [`OTHER`].
#[inline]
pub(crate) fn other(held: Held<'_>, is_anew: bool, fields: usize, kind: usize) -> usize {
    if is_anew {
        return 32;
    }
    kind * 2
        + usize::from(fields == 0)
        + 8 * usize::from(!held.is_without(Field::DisplayBack))
        + 16 * usize::from(held.value(Field::NearPrice) > 0)
}

/// Context of [`OTHER_FIELD`].
pub(crate) fn other_field(is_anew: bool, at: usize, before: bool, fields: usize) -> usize {
    ((usize::from(is_anew) * OTHERS.len() + at) * 2 + usize::from(fields != 0)) * 2 + usize::from(before)
}

/// Context of [`LOOSE`] for a selection's field.
pub(crate) fn loose(field: Field) -> usize {
    if field == Field::SelectionStatus { 2 } else { 3 }
}

/// Context of [`NEAR`].
pub(crate) fn near_context(held: u64) -> usize {
    match held {
        0 => 0,
        held if held != u64::from(Price::INFINITE.0) => 1,
        _ => 2,
    }
}

/// What a projected starting price is counted from, in hundredths.
pub(crate) fn near_from(held: u64) -> u64 {
    if near_context(held) == 1 { held / 100 } else { 100 }
}

/// The selections' traded volumes together.
pub(crate) fn volumes(reference: Reference<'_>) -> u64 {
    (0..reference.selections())
        .map(|at| reference.value(SelectionNumber(at as u16), Field::TradedVolume))
        .fold(0, u64::saturating_add)
}

/// A selection's traded amounts together.
pub(crate) fn traded_together(held: Held<'_>) -> u64 {
    held.rungs(Field::Traded).map(|(_, volume)| volume).fold(0, u64::saturating_add)
}

/// The changed traded amounts together.
pub(crate) fn together(cells: &[CellChange]) -> u64 {
    cells.iter().fold(0, |sum, cell| sum.wrapping_add(cell.value))
}

/// What was traded in a selection.
#[derive(Default)]
pub(crate) struct Traded {
    /// How much all of it grows.
    pub(crate) grows: i64,
    /// Half of what was traded per price: the stake that left the book there.
    halves: [(Price, u64); HALVES_MAX],
    count: usize,
}

/// So many halves are kept, the first ones.
const HALVES_MAX: usize = 8;

impl Traded {
    pub(crate) fn note(&mut self, price: Price, half: u64) {
        if let Some(free) = self.halves.get_mut(self.count) {
            *free = (price, half);
            self.count += 1;
        }
    }

    pub(crate) fn half(&self, price: Price) -> Option<u64> {
        self.halves[..self.count].iter().find(|(at, _)| *at == price).map(|&(_, half)| half)
    }
}

/// How many selections change.
fn touched(cells: &[CellChange], cleared: &[(SelectionNumber, Field)]) -> usize {
    let (mut cells, mut cleared, mut count) = (cells.iter().peekable(), cleared.iter().peekable(), 0);
    loop {
        let number = match (cells.peek(), cleared.peek()) {
            (None, None) => return count,
            (Some(cell), None) => cell.key.selection,
            (None, Some((number, _))) => *number,
            (Some(cell), Some((number, _))) => cell.key.selection.min(*number),
        };
        while cells.next_if(|cell| cell.key.selection == number).is_some() {}
        while cleared.next_if(|(owner, _)| *owner == number).is_some() {}
        count += 1;
    }
}

/// The bit of a selection's field.
fn bit(field: Field) -> u32 {
    1 << (field as u32 - 16)
}

/// The cells of one selection by field.
struct Runs<'a> {
    cells: &'a [CellChange],
    /// The fields that there are, as bits.
    present: u32,
    /// Where each field's cells begin and end, by its code less 16.
    ranges: [(u32, u32); 23],
}

impl<'a> Runs<'a> {
    fn of(cells: &'a [CellChange]) -> Self {
        let (mut ranges, mut present) = ([(0, 0); 23], 0);
        for (at, cell) in cells.iter().enumerate() {
            let range = &mut ranges[cell.key.field as usize - 16];
            let bit = bit(cell.key.field);
            if present & bit == 0 {
                range.0 = at as u32;
            }
            range.1 = at as u32 + 1;
            present |= bit;
        }
        Self { cells, present, ranges }
    }

    #[inline]
    fn has(&self, field: Field) -> bool {
        self.present & bit(field) != 0
    }

    #[inline]
    fn has_any(&self, fields: &[Field]) -> bool {
        self.present & fields.iter().fold(0, |bits, &field| bits | bit(field)) != 0
    }

    fn cells(&self, field: Field) -> &'a [CellChange] {
        let (start, end) = self.ranges[field as usize - 16];
        &self.cells[start as usize..end as usize]
    }

    fn value(&self, field: Field) -> Option<u64> {
        if self.has(field) { self.cells(field).first().map(|cell| cell.value) } else { None }
    }
}
