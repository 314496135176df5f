//! Contexts: what both ends know that tells how likely a symbol is. docs/protocol.md, clause [COMPACT-6], has them all.

use oddswire_model::{Field, Price, PriceLadder};

use crate::reference::{Held, index};

/// Fields of a selection that have a bit of their own, from the lowest.
pub(crate) const COMMON: [Field; 5] =
    [Field::Traded, Field::Back, Field::Lay, Field::LastTraded, Field::TradedVolume];
/// The others, in the order of their flags.
pub(crate) const OTHERS: [Field; 10] = [
    Field::Price,
    Field::DisplayBack,
    Field::DisplayLay,
    Field::NearPrice,
    Field::FarPrice,
    Field::SpBack,
    Field::SpLay,
    Field::SelectionStatus,
    Field::ReductionFactor,
    Field::StartingPrice,
];
/// Fields of a market that have a flag.
pub(crate) const OF_MARKET: [Field; 4] = [Field::Status, Field::InPlay, Field::Held, Field::PriceLadder];
/// Ladders of offers in the order in which they are coded; traded amounts come before them.
pub(crate) const BOOKS: [Field; 6] =
    [Field::Back, Field::Lay, Field::DisplayBack, Field::DisplayLay, Field::SpBack, Field::SpLay];
/// Amounts of a piece that are kept for [`Seen`].
const SEEN_MAX: usize = 8;

/// Number of bits of a number.
#[inline]
pub(crate) fn bits(value: u64) -> usize {
    (64 - value.leading_zeros()) as usize
}

/// Amounts by which rungs of this piece changed, the last one first, no one twice.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    amounts: [u64; SEEN_MAX],
    count: usize,
}

impl Seen {
    #[inline]
    pub(crate) fn position(&self, amount: u64) -> Option<usize> {
        self.amounts[..self.count].iter().position(|&seen| seen == amount)
    }

    pub(crate) fn get(&self, at: usize) -> Option<u64> {
        self.amounts[..self.count].get(at).copied()
    }

    pub(crate) fn note(&mut self, amount: u64) {
        let at = self.position(amount).unwrap_or_else(|| {
            self.count = (self.count + 1).min(SEEN_MAX);
            self.count - 1
        });
        self.amounts.copy_within(..at, 1);
        self.amounts[0] = amount;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Context of a position among several.
    pub(crate) fn context(&self) -> usize {
        self.count.min(4) - 2
    }
}

/// Context of [`super::layout::TOUCHED`]: `left` of the selections from this one on change.
#[inline]
pub(crate) fn touched(held: Held<'_>, prices: PriceLadder, left: usize, remaining: usize) -> usize {
    // Selections number no more than 16 bits say.
    let share = (left as u32 * 8 / remaining as u32).min(7) as usize;
    let kind = if held.is_without_offers() {
        0
    } else {
        match held.value(Field::LastTraded) {
            0 => 1,
            price => 2 + (index_of(prices, price).unwrap_or(0) / 64).min(4) as usize,
        }
    };
    (share * 2 + usize::from(left > 1)) * 7 + kind
}

/// What is held of a selection: 1 for traded amounts, 2 for offers.
#[inline]
pub(crate) fn held_kind(held: Held<'_>) -> usize {
    usize::from(!held.is_without(Field::Traded)) + 2 * usize::from(!held.is_without_offers())
}

/// Class of a selection's common fields, for the selection that follows; 0 is for the first.
pub(crate) fn fields_class(fields: usize) -> usize {
    match fields & 7 {
        0 => 1,
        1 => 2,
        2 | 4 => 3,
        6 => 4,
        7 => 5,
        _ => 6,
    }
}

/// Index of a price that is there and stands on the ladder.
#[inline]
pub(crate) fn index_of(prices: PriceLadder, value: u64) -> Option<i64> {
    let price = Price(u32::try_from(value).ok()?);
    if price.is_some() { index(prices, price).map(i64::from) } else { None }
}

/// Context of [`super::layout::TRADED_AT`], and the index that the first traded amount is counted from.
#[inline]
pub(crate) fn traded(held: Held<'_>, is_anew: bool, prices: PriceLadder) -> (usize, i64) {
    let best = |field| held.best(field).and_then(|price| index_of(prices, u64::from(price.0)));
    let (back, lay) = (best(Field::Back), best(Field::Lay));
    let last = index_of(prices, held.value(Field::LastTraded));
    let from = last.or(back).or(lay).unwrap_or(0);
    let side = |best: Option<i64>| best.map_or(3, |best| ((best - from).clamp(-1, 1) + 1) as usize);
    (if is_anew { 16 } else { side(back) * 4 + side(lay) }, from)
}

/// Context of [`super::layout::TRADED_CENTS`]: of everything anew there are no offers, and the amount before tells most.
pub(crate) fn traded_cents(is_anew: bool, offer: u64, seen: &Seen) -> usize {
    if is_anew { 5 + (bits(seen.get(0).unwrap_or(0)) / 3).min(6) } else { (bits(offer) / 4).min(4) }
}

/// How a ladder of offers is coded.
#[derive(Clone, Copy)]
pub(crate) struct Book<'a> {
    pub(crate) field: Field,
    held: Held<'a>,
    prices: PriceLadder,
    /// 0 offers, 1 other ladders, 2 everything anew.
    pub(crate) side: usize,
    /// 1 or -1: how an index grows outwards.
    pub(crate) sign: i64,
    /// The common fields that change in the selection.
    pub(crate) fields: usize,
}

impl<'a> Book<'a> {
    #[inline]
    pub(crate) fn new(
        held: Held<'a>,
        is_anew: bool,
        field: Field,
        prices: PriceLadder,
        fields: usize,
    ) -> Self {
        let side = match field {
            _ if is_anew => 2,
            Field::Back | Field::Lay => 0,
            _ => 1,
        };
        let sign = if field.is_highest_first() { -1 } else { 1 };
        Self { field, held, prices, side, sign, fields: fields & 7 }
    }

    /// Outward place of the best offer of the other side.
    fn opposite(self) -> Option<i64> {
        let other = match self.field {
            Field::Back => Field::Lay,
            Field::Lay => Field::Back,
            Field::DisplayBack => Field::DisplayLay,
            Field::DisplayLay => Field::DisplayBack,
            _ => return None,
        };
        let best = self.held.best(other)?;
        index_of(self.prices, u64::from(best.0)).map(|index| index * self.sign)
    }

    /// Outward place that the first rung of an empty ladder is counted from.
    pub(crate) fn from(self) -> i64 {
        let last =
            || index_of(self.prices, self.held.value(Field::LastTraded)).map(|index| index * self.sign);
        self.opposite().or_else(last).unwrap_or(0)
    }

    /// Context of [`super::layout::COUNT`].
    pub(crate) fn count(self) -> usize {
        if self.side == 0 { self.fields } else { 7 + self.side }
    }

    /// Context of [`super::layout::GAP`]: `rung` is the place of the next rung that stands.
    pub(crate) fn gap(self, is_first: bool, rung: usize, count: usize) -> usize {
        const PLACES: [usize; 8] = [0, 1, 2, 2, 3, 3, 3, 4];
        let place = if is_first { self.fields & 1 } else { 2 + PLACES[rung.min(7)] };
        let crowd = match count {
            0 | 1 => 0,
            2 | 3 => 1,
            _ => 2,
        };
        (self.side.min(1) * 3 + crowd) * 9 + place
    }

    /// Context of [`super::layout::ENTERS`].
    pub(crate) fn enters(self, is_first: bool, rung: usize, hole: i64) -> usize {
        let width = hole.clamp(1, 5) as usize - 1;
        ((self.side.min(1) * 2 + usize::from(is_first)) * 3 + rung.min(2)) * 5 + width
    }

    /// Context of [`super::layout::BEHIND`]: how far the one before was.
    pub(crate) fn behind(self, step: i64) -> usize {
        self.side * 3 + step.min(2) as usize
    }

    /// Context of [`super::layout::BEATS`]: room to the best offer of the other side.
    pub(crate) fn beats(self, best: i64) -> usize {
        const ROOMS: [usize; 9] = [0, 0, 1, 2, 3, 4, 4, 5, 5];
        let room = self.opposite().map_or(8, |opposite| (best - opposite).clamp(0, 8));
        ROOMS[room as usize]
    }
}

/// Context of [`super::layout::ENTERS_AT`]: holes of 2 to 16.
pub(crate) fn hole(width: i64) -> usize {
    match width {
        ..=2 => 0,
        3 => 1,
        4..=5 => 2,
        6..=8 => 3,
        9..=11 => 4,
        _ => 5,
    }
}

/// Widest hole that [`super::layout::ENTERS_AT`] tells places in.
pub(crate) const HOLE_MAX: i64 = 16;

/// Context of [`super::layout::CHANGES`] for a rung of this amount. `traded` is half of what was traded at its price.
pub(crate) fn changes(
    side: usize,
    rung: usize,
    count: usize,
    held: u64,
    traded: Option<u64>,
    seen: &Seen,
) -> usize {
    let place = rung.min(1);
    if held <= 1 {
        return 84;
    }
    match traded {
        Some(amount) if amount == held => 80 + place,
        Some(amount) if amount < held => 82 + place,
        _ => {
            let size = (bits(held).saturating_sub(5) / 3).min(4);
            (((side.min(1) * 2 + usize::from(count > 1)) * 2 + place) * 5 + size) * 2
                + usize::from(!seen.is_empty())
        }
    }
}

/// Context of [`super::layout::NEW`].
pub(crate) fn new(side: usize, rung: usize, count: usize, seen: &Seen, before: usize) -> usize {
    if side == 2 {
        return 16 + before * 2 + usize::from(!seen.is_empty());
    }
    ((side * 2 + rung.min(1)) * 2 + usize::from(!seen.is_empty())) * 2 + usize::from(count > 1)
}

/// Context of [`super::layout::UNITS`].
pub(crate) fn units(side: usize, held: u64, before: usize) -> usize {
    if side == 2 { 2 + (before / 3).min(6) } else { usize::from(held == 0) }
}

/// Context of [`super::layout::CENTS`].
pub(crate) fn cents(side: usize, held: u64, falls: bool, before: usize) -> usize {
    if side == 2 {
        21 + (before / 3).min(6)
    } else if held == 0 {
        side
    } else {
        3 + (bits(held).saturating_sub(2) / 2).min(8) * 2 + usize::from(falls)
    }
}
