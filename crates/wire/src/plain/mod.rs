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

use oddswire_model::{Field, Ladder, Market, Price, PriceLadder, SelectionNumber, View};

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

/// Amounts are below this, so that every receiver's number type holds them exactly.
const AMOUNT_END: u64 = 1 << 53;

/// Index of a price on the ladder. "Infinite" stands on none, although its number is a multiple of some steps.
fn index(prices: PriceLadder, price: Price) -> Option<u32> {
    prices.index(price).filter(|_| price != Price::INFINITE)
}

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

/// What both ends hold already: a market in a view, or nothing.
#[derive(Clone, Copy)]
pub(crate) struct Reference<'a> {
    market: Option<(&'a Market, View)>,
}

impl<'a> Reference<'a> {
    /// Nothing is held.
    pub(crate) const NOTHING: Self = Self { market: None };

    /// The market as the view shows it.
    pub(crate) fn of(market: &'a Market, view: View) -> Self {
        Self { market: Some((market, view)) }
    }

    fn market_value(self, field: Field) -> u64 {
        self.market.filter(|(_, view)| view.shows(field)).map_or(0, |(market, _)| market.value(field))
    }

    fn value(self, selection: SelectionNumber, field: Field) -> u64 {
        let held = self.market.filter(|(_, view)| view.shows(field));
        held.and_then(|(market, _)| market.selection(selection)).map_or(0, |selection| selection.value(field))
    }

    fn ladder(self, selection: SelectionNumber, field: Field) -> Option<(&'a Ladder, View)> {
        let (market, view) = self.market?;
        let ladder = market.selection(selection)?.ladder(field);
        (view.rungs(field) > 0).then_some((ladder, view))
    }

    /// Amount at a price as the view shows it, 0 when the view shows none.
    fn volume(self, selection: SelectionNumber, field: Field, price: Price) -> u64 {
        let Some((ladder, view)) = self.ladder(selection, field) else { return 0 };
        let volume = match view.rungs(field) {
            usize::MAX => ladder.volume(price),
            rungs => {
                ladder.rungs().take(rungs).find(|rung| rung.price == price).map_or(0, |rung| rung.volume)
            }
        };
        view.shown_volume(volume)
    }

    /// Index from which the first rung of a ladder is counted: the best rung, else the last traded price, else 0.
    /// Traded amounts cluster around the last traded price, so for them that comes first.
    fn first_index(self, selection: SelectionNumber, field: Field, prices: PriceLadder) -> u32 {
        let best = || {
            let (ladder, _) = self.ladder(selection, field)?;
            index(prices, ladder.best()?.price)
        };
        let last_traded = || {
            let price = Price(u32::try_from(self.value(selection, Field::LastTraded)).ok()?);
            price.is_some().then(|| index(prices, price)).flatten()
        };
        let index =
            if field == Field::Traded { last_traded().or_else(best) } else { best().or_else(last_traded) };
        index.unwrap_or(0)
    }
}
