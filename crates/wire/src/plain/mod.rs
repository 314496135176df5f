//! The plain encoding of cells: variable-length integers that twenty lines of code can read.
//!
//! A piece is a header and then groups, to the end of its bytes. docs/protocol.md, clauses [PLAIN-1] to [PLAIN-9], is
//! normative; this module follows it clause by clause.
//!
//! Values are coded as differences to a **reference**: for a delta it is the baseline in the view, which the receiver
//! holds; for snapshots and catch-ups it is nothing, so that every value is absolute.

mod decode;
mod encode;

pub(crate) use decode::decode;
pub(crate) use encode::encode;

use oddswire_model::{Field, Price, PriceLadder, SelectionNumber};

use crate::reference::{Reference, index};

/// Bits of a selection's field mask, from the lowest; what changes most comes first so that one byte is mostly enough.
const SELECTION_BITS: [Field; 15] = [
    Field::Back,
    Field::Lay,
    Field::Traded,
    Field::LastTraded,
    Field::TradedVolume,
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
/// The bit after them: ladders to empty first.
const CLEARED_BIT: u32 = SELECTION_BITS.len() as u32;
/// Bits of the market's field mask.
const MARKET_BITS: [Field; 5] =
    [Field::MarketTradedVolume, Field::Status, Field::InPlay, Field::Held, Field::PriceLadder];

/// How the value of a one-value field is coded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    /// As it is.
    Code,
    /// Difference of amounts.
    Amount,
    /// Difference of indexes on the price ladder.
    Price,
}

fn coding(field: Field) -> Coding {
    match field {
        Field::MarketTradedVolume | Field::TradedVolume => Coding::Amount,
        Field::Price | Field::LastTraded | Field::NearPrice | Field::FarPrice | Field::StartingPrice => {
            Coding::Price
        }
        _ => Coding::Code,
    }
}

/// What a traded volume becomes when nothing is said of it: what is held and what it grows by. `None` when it stays as it
/// is, because nothing was held or nothing was traded.
fn following(held: u64, grows: i64) -> Option<u64> {
    if held == 0 || grows == 0 { None } else { Some(held.wrapping_add_signed(grows)) }
}

/// Index from which the first rung of a ladder is counted: the best rung, else the last traded price, else 0.
/// Traded amounts cluster around the last traded price, so for them that comes first.
fn first_index(
    reference: Reference<'_>,
    selection: SelectionNumber,
    field: Field,
    prices: PriceLadder,
) -> u32 {
    let best = || index(prices, reference.best(selection, field)?);
    let last_traded = || {
        let price = Price(u32::try_from(reference.value(selection, Field::LastTraded)).ok()?);
        price.is_some().then(|| index(prices, price)).flatten()
    };
    let index =
        if field == Field::Traded { last_traded().or_else(best) } else { best().or_else(last_traded) };
    index.unwrap_or(0)
}
