//! The exchange's price ladder as a table, because books are kept by tick and looked up all the time.

use std::sync::LazyLock;

use oddswire_model::{Price, PriceLadder};

/// The last tick, 1000.
pub(super) const LAST: u16 = PriceLadder::BETFAIR_TICKS as u16 - 1;

static PRICES: LazyLock<Vec<Price>> = LazyLock::new(|| {
    (0..PriceLadder::BETFAIR_TICKS).filter_map(|tick| PriceLadder::Betfair.price(tick)).collect()
});

/// The price at a tick; past the end, the last one.
pub(super) fn price(tick: u16) -> Price {
    PRICES[usize::from(tick.min(LAST))]
}

/// The highest tick that is not above these decimal odds; the first when there is none.
pub(super) fn at_or_below(odds: f64) -> u16 {
    let units = (odds * f64::from(Price::SCALE)) as u32;
    PRICES.partition_point(|price| price.0 <= units).saturating_sub(1) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odds_find_their_tick() {
        assert_eq!(price(at_or_below(2.51)), Price(25_000));
        assert_eq!(price(at_or_below(1.0)), Price(10_100));
        assert_eq!(price(at_or_below(f64::INFINITY)), Price(10_000_000));
        assert_eq!(price(LAST), Price(10_000_000));
    }
}
