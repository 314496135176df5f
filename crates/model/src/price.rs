//! Prices and the ladders they stand on.

use std::fmt;

/// Decimal odds (or the value of a line) in ten-thousandths: `2.5` is `Price(25_000)`. Zero means "no price".
///
/// Four decimals hold every price of a ladder and every fractional price a sportsbook shows (1/3 is `1.3333`);
/// a reconciled starting price such as 9.545559279685019 is rounded to 9.5456.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Price(pub u32);

impl Price {
    /// Units per 1.0.
    pub const SCALE: u32 = 10_000;
    /// No price.
    pub const NONE: Self = Self(0);
    /// "No money on the other side": projected starting prices may be infinite.
    pub const INFINITE: Self = Self(u32::MAX);
    /// Even money back, 1.0: odds must be above it.
    pub const ONE: Self = Self(Self::SCALE);

    /// From decimal odds, rounded to four decimals; `None` for NaN, negative or over 429,496.
    pub fn from_decimal(value: f64) -> Option<Self> {
        let scaled = (value * f64::from(Self::SCALE)).round();
        (scaled >= 0.0 && scaled < f64::from(u32::MAX)).then_some(Self(scaled as u32))
    }

    /// As decimal odds; infinite for [`Price::INFINITE`].
    pub fn to_decimal(self) -> f64 {
        if self == Self::INFINITE { f64::INFINITY } else { f64::from(self.0) / f64::from(Self::SCALE) }
    }

    /// Whether there is a price.
    pub fn is_some(self) -> bool {
        self != Self::NONE
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NONE => f.write_str("-"),
            Self::INFINITE => f.write_str("inf"),
            price => write!(f, "{}", price.to_decimal()),
        }
    }
}

/// The declared steps on which a market's prices stand; a price on it travels as a small index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PriceLadder {
    /// Betfair's 350 ticks from 1.01 to 1000, finer where odds are short.
    Betfair,
    /// Decimal odds in equal steps of this many ten-thousandths.
    Decimal {
        /// Step in ten-thousandths, at least 1.
        step: u32,
    },
    /// Not odds but values of a line (runs, points), in equal steps; they may be 1.0 or less.
    Line {
        /// Step in ten-thousandths, at least 1.
        step: u32,
    },
}

/// Betfair's increments: from, to (exclusive) and step in ten-thousandths, then a last tick at 1000.
/// Source: Betfair Exchange API, "Betfair Price Increments".
const BETFAIR_BANDS: [(u32, u32, u32); 10] = [
    (10_100, 20_000, 100),
    (20_000, 30_000, 200),
    (30_000, 40_000, 500),
    (40_000, 60_000, 1_000),
    (60_000, 100_000, 2_000),
    (100_000, 200_000, 5_000),
    (200_000, 300_000, 10_000),
    (300_000, 500_000, 20_000),
    (500_000, 1_000_000, 50_000),
    (1_000_000, 10_000_000, 100_000),
];
const BETFAIR_LAST: u32 = 10_000_000;

/// Betfair prices are multiples of this many ten-thousandths.
const BETFAIR_STEP: u32 = 100;
/// Prices below this one are looked up: most that are bet on.
const BETFAIR_TABLE_END: u32 = 100_000;
/// Index of every price below [`BETFAIR_TABLE_END`] in steps of [`BETFAIR_STEP`]; `u16::MAX` where no tick stands.
static BETFAIR_TABLE: [u16; (BETFAIR_TABLE_END / BETFAIR_STEP) as usize] = {
    let mut table = [u16::MAX; (BETFAIR_TABLE_END / BETFAIR_STEP) as usize];
    let (mut band, mut index) = (0, 0);
    while band < BETFAIR_BANDS.len() && BETFAIR_BANDS[band].0 < BETFAIR_TABLE_END {
        let (from, to, step) = BETFAIR_BANDS[band];
        let mut price = from;
        while price < to {
            table[(price / BETFAIR_STEP) as usize] = index;
            index += 1;
            price += step;
        }
        band += 1;
    }
    table
};

impl PriceLadder {
    /// Number of ticks on Betfair's ladder.
    pub const BETFAIR_TICKS: u32 = 350;
    /// Steps of 0.01, for markets that declare nothing.
    pub const DEFAULT: Self = Self::Decimal { step: 100 };

    /// Index of a price on the ladder, `None` when it stands beside it (it then travels in full).
    #[inline]
    pub fn index(self, price: Price) -> Option<u32> {
        match self {
            Self::Betfair if price.0 < BETFAIR_TABLE_END => {
                let index = BETFAIR_TABLE[(price.0 / BETFAIR_STEP) as usize];
                (index != u16::MAX && price.0.is_multiple_of(BETFAIR_STEP)).then_some(u32::from(index))
            }
            Self::Betfair => {
                let mut first = 0;
                for (from, to, step) in BETFAIR_BANDS {
                    if price.0 < from {
                        return None;
                    }
                    if price.0 < to {
                        let offset = price.0 - from;
                        return offset.is_multiple_of(step).then_some(first + offset / step);
                    }
                    first += (to - from) / step;
                }
                (price.0 == BETFAIR_LAST).then_some(first)
            }
            Self::Decimal { step } | Self::Line { step } => {
                price.0.is_multiple_of(step.max(1)).then(|| price.0 / step.max(1))
            }
        }
    }

    /// The price at an index, `None` beyond the ladder's end.
    pub fn price(self, index: u32) -> Option<Price> {
        match self {
            Self::Betfair => {
                let mut rest = index;
                for (from, to, step) in BETFAIR_BANDS {
                    let ticks = (to - from) / step;
                    if rest < ticks {
                        return Some(Price(from + rest * step));
                    }
                    rest -= ticks;
                }
                (rest == 0).then_some(Price(BETFAIR_LAST))
            }
            Self::Decimal { step } | Self::Line { step } => {
                index.checked_mul(step.max(1)).filter(|&units| units != u32::MAX).map(Price)
            }
        }
    }

    /// The ladder as the value of a cell; 0 is [`PriceLadder::DEFAULT`].
    pub fn to_code(self) -> u64 {
        match self {
            Self::DEFAULT => 0,
            Self::Betfair => 1,
            Self::Decimal { step } => u64::from(step) << 2 | 2,
            Self::Line { step } => u64::from(step) << 2 | 3,
        }
    }

    /// Back from a cell's value; `None` for codes of a later version.
    #[inline]
    pub fn from_code(code: u64) -> Option<Self> {
        let step = u32::try_from(code >> 2).ok()?;
        match code & 3 {
            0 if code == 0 => Some(Self::DEFAULT),
            1 if code == 1 => Some(Self::Betfair),
            2 if step > 0 => Some(Self::Decimal { step }),
            3 if step > 0 => Some(Self::Line { step }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn betfair_ladder_has_350_ticks_and_every_one_survives_the_round_trip() {
        let ticks: Vec<Price> =
            (0..PriceLadder::BETFAIR_TICKS).map(|i| PriceLadder::Betfair.price(i).unwrap()).collect();
        assert!(ticks.is_sorted());
        assert_eq!(ticks[0], Price(10_100));
        assert_eq!(*ticks.last().unwrap(), Price(10_000_000));
        assert_eq!(PriceLadder::Betfair.price(PriceLadder::BETFAIR_TICKS), None);
        for (index, price) in ticks.iter().enumerate() {
            assert_eq!(PriceLadder::Betfair.index(*price), Some(index as u32));
        }
    }

    #[test]
    fn prices_beside_the_ladder_have_no_index() {
        assert_eq!(PriceLadder::Betfair.index(Price(20_100)), None);
        assert_eq!(PriceLadder::Betfair.index(Price(10_000)), None);
        assert_eq!(PriceLadder::Betfair.index(Price(10_000_001)), None);
        assert_eq!(PriceLadder::DEFAULT.index(Price(19_501)), None);
        assert_eq!(PriceLadder::DEFAULT.index(Price(19_500)), Some(195));
    }

    #[test]
    fn ladder_codes_round_trip_and_unknown_codes_are_refused() {
        for ladder in [
            PriceLadder::Betfair,
            PriceLadder::DEFAULT,
            PriceLadder::Decimal { step: 50 },
            PriceLadder::Line { step: 5_000 },
        ] {
            assert_eq!(PriceLadder::from_code(ladder.to_code()), Some(ladder));
        }
        assert_eq!(PriceLadder::from_code(4), None);
        assert_eq!(PriceLadder::from_code(2), None);
        assert_eq!(PriceLadder::from_code(u64::MAX), None);
    }

    #[test]
    fn decimals_are_rounded_to_four_places() {
        assert_eq!(Price::from_decimal(9.545559279685019), Some(Price(95_456)));
        assert_eq!(Price::from_decimal(f64::NAN), None);
        assert_eq!(Price::from_decimal(-1.0), None);
        assert_eq!(Price::from_decimal(1e12), None);
    }
}
