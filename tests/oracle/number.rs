//! Numbers as integers, so that two states compare equal exactly when they print alike.
//!
//! Prices, factors and handicaps are ten-thousandths, amounts are cents.

use serde_json::{Value, json};

const PRICE_SCALE: f64 = 10_000.0;
const CENTS_SCALE: f64 = 100.0;
/// Prices up to here fit 32 bits of ten-thousandths; none that is real comes near.
const HIGHEST_PRICE: f64 = 429_496.0;

/// A price outside the ladders: last traded, near, far and starting price, and the reduction factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Quote {
    /// None given, "not a number", or zero, which no price is.
    #[default]
    Absent,
    /// In ten-thousandths.
    Finite(u32),
    /// A projected starting price with no money on the other side.
    Infinite,
}

impl Quote {
    /// What a value says; `None` if it says nothing (null, missing, out of range), so that nothing changes.
    pub(super) fn read(value: &Value) -> Option<Self> {
        match value.as_str() {
            Some("NaN") => Some(Self::Absent),
            Some("Infinity") => Some(Self::Infinite),
            Some(_) => None,
            None => price(value).map(|price| if price == 0 { Self::Absent } else { Self::Finite(price) }),
        }
    }

    pub(super) fn to_json(self) -> Value {
        match self {
            Self::Absent => Value::Null,
            Self::Finite(price) => price_to_json(price),
            Self::Infinite => json!("Infinity"),
        }
    }
}

/// A price in ten-thousandths; `None` for what cannot be one.
pub(super) fn price(value: &Value) -> Option<u32> {
    let price = value.as_f64()?;
    (0.0..=HIGHEST_PRICE).contains(&price).then(|| (price * PRICE_SCALE).round() as u32)
}

/// An amount of money in cents; `None` for what cannot be one.
pub(super) fn cents(value: &Value) -> Option<u64> {
    let amount = value.as_f64()?;
    (amount >= 0.0).then(|| (amount * CENTS_SCALE).round() as u64)
}

/// A handicap in ten-thousandths; it may be negative.
pub(super) fn ten_thousandths_signed(value: &Value) -> Option<i64> {
    value.as_f64().map(|handicap| (handicap * PRICE_SCALE).round() as i64)
}

pub(super) fn price_to_json(price: u32) -> Value {
    json!(f64::from(price) / PRICE_SCALE)
}

pub(super) fn cents_to_json(cents: u64) -> Value {
    json!(cents as f64 / CENTS_SCALE)
}

/// Whole handicaps print without a fraction: nearly all are 0, and `0` is how a reader expects to see that.
pub(super) fn handicap_to_json(handicap: i64) -> Value {
    let scale = PRICE_SCALE as i64;
    if handicap % scale == 0 { json!(handicap / scale) } else { json!(handicap as f64 / PRICE_SCALE) }
}
