//! Cells: the smallest things that change.

use crate::{Price, SelectionNumber};

/// What a cell says. The number is its code on the wire and in digests; codes are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Field {
    /// Market: [`crate::MarketStatus`].
    Status = 0,
    /// Market: 1 while in play.
    InPlay = 1,
    /// Market: 1 while its producer is silent; the market then reads as suspended whatever its status says.
    Held = 2,
    /// Market: amount traded, cents.
    MarketTradedVolume = 3,
    /// Market: code of its [`crate::PriceLadder`].
    PriceLadder = 4,

    /// Selection: [`crate::SelectionStatus`].
    SelectionStatus = 16,
    /// Selection: a sportsbook's one price.
    Price = 17,
    /// Selection: last price traded on an exchange.
    LastTraded = 18,
    /// Selection: amount traded, cents.
    TradedVolume = 19,
    /// Selection: projected starting price from bets so far ("near").
    NearPrice = 20,
    /// Selection: projected starting price from starting-price bets alone ("far").
    FarPrice = 21,
    /// Selection: the reconciled starting price.
    StartingPrice = 22,
    /// Selection: reduction (adjustment) factor in ten-thousandths.
    ReductionFactor = 23,

    /// Ladder: amounts available to back, best (highest) price first.
    Back = 32,
    /// Ladder: amounts available to lay, best (lowest) price first.
    Lay = 33,
    /// Ladder: amounts traded per price, lowest price first.
    Traded = 34,
    /// Ladder: starting-price back bets per limit, lowest price first.
    SpBack = 35,
    /// Ladder: starting-price lay liabilities per limit, lowest price first.
    SpLay = 36,
    /// Ladder: what the venue displays to back, virtual bets included; best price first.
    DisplayBack = 37,
    /// Ladder: what the venue displays to lay, virtual bets included; best price first.
    DisplayLay = 38,
}

/// The three shapes of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// One value per market.
    Market,
    /// One value per selection.
    Selection,
    /// One amount per selection and price.
    Ladder,
}

impl Field {
    /// Fields of a market, in code order.
    pub const MARKET: [Self; 5] =
        [Self::Status, Self::InPlay, Self::Held, Self::MarketTradedVolume, Self::PriceLadder];
    /// One-value fields of a selection, in code order.
    pub const SELECTION: [Self; 8] = [
        Self::SelectionStatus,
        Self::Price,
        Self::LastTraded,
        Self::TradedVolume,
        Self::NearPrice,
        Self::FarPrice,
        Self::StartingPrice,
        Self::ReductionFactor,
    ];
    /// Ladder fields of a selection, in code order.
    pub const LADDERS: [Self; 7] =
        [Self::Back, Self::Lay, Self::Traded, Self::SpBack, Self::SpLay, Self::DisplayBack, Self::DisplayLay];

    /// Which shape the field has.
    #[inline]
    pub fn kind(self) -> FieldKind {
        match self as u8 {
            0..16 => FieldKind::Market,
            16..32 => FieldKind::Selection,
            _ => FieldKind::Ladder,
        }
    }

    /// Position among the fields of the same shape.
    #[inline]
    pub fn slot(self) -> usize {
        usize::from(self as u8 & 15)
    }

    /// The field of a code, `None` for codes of a later version.
    pub fn from_code(code: u8) -> Option<Self> {
        let slot = usize::from(code & 15);
        match code >> 4 {
            0 => Self::MARKET.get(slot).copied(),
            1 => Self::SELECTION.get(slot).copied(),
            2 => Self::LADDERS.get(slot).copied(),
            _ => None,
        }
    }

    /// Whether the best price of this ladder is its highest.
    #[inline]
    pub fn is_highest_first(self) -> bool {
        matches!(self, Self::Back | Self::DisplayBack)
    }

    /// Whether a change of this field is flushed at once, at every rate class.
    ///
    /// Everything that can turn a price not bettable is urgent.
    pub fn is_urgent(self) -> bool {
        matches!(self, Self::Status | Self::Held | Self::InPlay | Self::SelectionStatus)
    }
}

/// Names one cell of a market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CellKey {
    /// The selection, or [`SelectionNumber::MARKET`].
    pub selection: SelectionNumber,
    /// What it says.
    pub field: Field,
    /// The price of a ladder's rung; [`Price::NONE`] for other fields.
    pub price: Price,
}

impl CellKey {
    /// A field of the market itself.
    #[inline]
    pub fn market(field: Field) -> Self {
        Self { selection: SelectionNumber::MARKET, field, price: Price::NONE }
    }

    /// A one-value field of a selection.
    #[inline]
    pub fn selection(selection: SelectionNumber, field: Field) -> Self {
        Self { selection, field, price: Price::NONE }
    }

    /// A rung of a ladder.
    #[inline]
    pub fn rung(selection: SelectionNumber, field: Field, price: Price) -> Self {
        Self { selection, field, price }
    }
}

/// A cell and its new value; value 0 means the cell is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellChange {
    /// Which cell.
    pub key: CellKey,
    /// Its value: a status code, a price in ten-thousandths, an amount in cents.
    pub value: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_name_their_field_and_slot() {
        for fields in [&Field::MARKET[..], &Field::SELECTION[..], &Field::LADDERS[..]] {
            for (slot, &field) in fields.iter().enumerate() {
                assert_eq!(Field::from_code(field as u8), Some(field));
                assert_eq!(field.slot(), slot);
            }
        }
        assert_eq!(Field::from_code(5), None);
        assert_eq!(Field::from_code(39), None);
        assert_eq!(Field::from_code(255), None);
    }
}
