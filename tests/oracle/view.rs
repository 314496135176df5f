//! Views: what part of a market a receiver asked for.

use serde_json::{Value, json};

use super::number::{cents_to_json, price_to_json};
use super::selection::Rung;

/// A view in the oracle's own terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The best price of each side without amounts, and the one-value prices.
    Prices,
    /// The best so many rungs of each side, with amounts of money or without.
    Best(usize, bool),
    /// Everything.
    Full,
}

impl View {
    pub(super) fn shows_traded_volume(self) -> bool {
        matches!(self, Self::Best(_, true) | Self::Full)
    }

    /// Near and far price are projections for those who watch the depth of the book.
    pub(super) fn shows_projected_prices(self) -> bool {
        self != Self::Prices
    }

    /// A ladder of offers, best first: cut to the view's depth, amounts null where the view hides them.
    pub(super) fn offers(self, rungs: Vec<Rung>) -> Value {
        let (depth, amounts) = match self {
            Self::Prices => (1, false),
            Self::Best(depth, amounts) => (depth, amounts),
            Self::Full => (usize::MAX, true),
        };
        let rung = |(price, size): Rung| {
            json!([price_to_json(price), if amounts { cents_to_json(size) } else { Value::Null }])
        };
        rungs.into_iter().take(depth).map(rung).collect()
    }

    /// A ladder that only the full view shows; it has no best rung to cut it to.
    pub(super) fn depth_only(self, rungs: Vec<Rung>) -> Value {
        self.offers(if self == Self::Full { rungs } else { Vec::new() })
    }
}
