//! Values as recordings hold them: a number may come as an integer, a fraction, a text such as `"NaN"`, or not
//! at all.

use std::fmt;

use oddswire_model::{Handicap, Price, PriceLadder, SelectionId, SelectionKey, Volume};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// A number of the stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A number; may be infinite, or NaN where the stream said so.
    Value(f64),
    /// Something stands there that is no number.
    Unreadable,
}

impl Number {
    /// From a value of a definition; `None` for null.
    pub(super) fn from_json(value: &Value) -> Option<Self> {
        Option::deserialize(value).ok().flatten()
    }

    /// As a float, NaN when it is no number.
    pub fn to_f64(self) -> f64 {
        match self {
            Self::Value(value) => value,
            Self::Unreadable => f64::NAN,
        }
    }

    /// As an amount of money in cents.
    pub(super) fn volume(self) -> Option<u64> {
        Volume::from_decimal(self.to_f64()).map(|volume| volume.0)
    }

    /// As a price that bets are struck at; 0 is "no price".
    pub(super) fn price(self, scale: PriceScale) -> Option<u64> {
        let price = Price::from_decimal(self.to_f64())?;
        (!price.is_some() || scale.holds(price)).then_some(u64::from(price.0))
    }

    /// As a starting price, reconciled or projected: NaN is "no price", infinity "no money on the other side".
    pub(super) fn starting_price(self) -> Option<u64> {
        match self {
            Self::Value(value) if value.is_nan() => Some(u64::from(Price::NONE.0)),
            Self::Value(f64::INFINITY) => Some(u64::from(Price::INFINITE.0)),
            other => Price::from_decimal(other.to_f64()).map(|price| u64::from(price.0)),
        }
    }

    /// In ten-thousandths.
    pub(super) fn ten_thousandths(self) -> Option<u64> {
        let scaled = (self.to_f64() * 10_000.0).round();
        (scaled >= 0.0 && scaled <= f64::from(u32::MAX)).then_some(scaled as u64)
    }
}

/// What a market's prices are; decides which of them make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum PriceScale {
    /// Odds, always above 1.0.
    #[default]
    Odds,
    /// Values of a line, such as 0.5 runs.
    Line,
}

impl From<PriceLadder> for PriceScale {
    fn from(ladder: PriceLadder) -> Self {
        match ladder {
            PriceLadder::Line { .. } => Self::Line,
            PriceLadder::Betfair | PriceLadder::Decimal { .. } => Self::Odds,
        }
    }
}

impl PriceScale {
    /// A price and the amount at it. One price that makes no sense would have the whole commit refused, so it
    /// stops here; taking an amount away is harmless at any price.
    pub(super) fn rung(self, price: f64, size: f64) -> Option<(Price, u64)> {
        let price = Price::from_decimal(price)?;
        let volume = Volume::from_decimal(size)?.0;
        (volume == 0 || self.holds(price)).then_some((price, volume))
    }

    fn holds(self, price: Price) -> bool {
        match self {
            Self::Odds => price > Price::ONE,
            Self::Line => price.is_some(),
        }
    }
}

/// Identity of a runner. A handicap that is missing, null or 0 is the same.
pub(super) fn selection_key(id: Option<u64>, handicap: Option<Number>) -> Option<SelectionKey> {
    let handicap = match handicap {
        Some(number) => Handicap::from_decimal(number.to_f64())?,
        None => Handicap::NONE,
    };
    Some(SelectionKey { id: SelectionId(id?), handicap })
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match deserializer.deserialize_any(ScalarVisitor)? {
            Scalar::Unsigned(value) => Self::Value(value as f64),
            Scalar::Negative(value) => Self::Value(value as f64),
            Scalar::Fraction(value) => Self::Value(value),
            Scalar::Text(text) => text.trim().parse().map_or(Self::Unreadable, Self::Value),
            Scalar::Boolean(_) | Scalar::Other => Self::Unreadable,
        })
    }
}

/// Reads a whole number from 0; anything else is `None`.
pub(super) fn unsigned<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    /// From here on a float does not hold every integer, so one that comes as a float is not to be trusted.
    const FLOAT_LIMIT: f64 = (1u64 << 53) as f64;
    Ok(match deserializer.deserialize_any(ScalarVisitor)? {
        Scalar::Unsigned(value) => Some(value),
        Scalar::Fraction(value) if value.fract() == 0.0 && (0.0..FLOAT_LIMIT).contains(&value) => {
            Some(value as u64)
        }
        Scalar::Text(text) => text.trim().parse().ok(),
        _ => None,
    })
}

/// Reads `true`; anything else is false.
pub(super) fn boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(matches!(deserializer.deserialize_any(ScalarVisitor)?, Scalar::Boolean(true)))
}

/// Reads a text; anything else is `None`.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match deserializer.deserialize_any(ScalarVisitor)? {
        Scalar::Text(text) => Some(text),
        _ => None,
    })
}

/// Any JSON value, as far as numbers, texts and flags are concerned.
enum Scalar {
    Boolean(bool),
    Unsigned(u64),
    Negative(i64),
    Fraction(f64),
    Text(String),
    Other,
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Boolean(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(u64::try_from(value).map_or(Scalar::Negative(value), Scalar::Unsigned))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Fraction(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Scalar, A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Scalar, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(json: &str) -> Number {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn numbers_come_as_integers_fractions_and_texts() {
        for (json, value) in
            [("3", 3.0), ("-3", -3.0), ("3.5", 3.5), ("\"3.5\"", 3.5), ("\"Infinity\"", f64::INFINITY)]
        {
            assert_eq!(number(json), Number::Value(value), "{json}");
        }
        assert!(matches!(number("\"NaN\""), Number::Value(value) if value.is_nan()));
        for json in ["true", "\"many\"", "[1,[2]]", "{\"a\":{}}", "null"] {
            assert_eq!(number(json), Number::Unreadable, "{json}");
        }
    }

    #[test]
    fn starting_prices_may_be_missing_or_infinite_but_not_negative() {
        assert_eq!(number("\"NaN\"").starting_price(), Some(0));
        assert_eq!(number("\"Infinity\"").starting_price(), Some(u64::from(u32::MAX)));
        assert_eq!(number("1.0").starting_price(), Some(10_000));
        for json in ["-1", "\"-Infinity\"", "\"many\"", "1e9"] {
            assert_eq!(number(json).starting_price(), None, "{json}");
        }
    }

    #[test]
    fn odds_are_above_one_and_lines_above_zero() {
        assert_eq!(PriceScale::Odds.rung(1.0, 2.0), None);
        assert_eq!(PriceScale::Odds.rung(1.0, 0.0), Some((Price(10_000), 0)));
        assert_eq!(PriceScale::Line.rung(0.5, 2.0), Some((Price(5_000), 200)));
        assert_eq!(PriceScale::Line.rung(0.0, 2.0), None);
        assert_eq!(PriceScale::Odds.rung(2.0, f64::NAN), None);
        assert_eq!(PriceScale::Odds.rung(2.0, 0.004), Some((Price(20_000), 0)), "no cent is nothing");
        assert_eq!(Number::Value(1.0).price(PriceScale::Odds), None);
        assert_eq!(Number::Value(0.0).price(PriceScale::Odds), Some(0));
    }

    #[test]
    fn ids_are_whole_numbers_that_fit() {
        let id = |json: &str| unsigned(&mut serde_json::Deserializer::from_str(json)).unwrap();
        assert_eq!(id("18446744073709551615"), Some(u64::MAX));
        assert_eq!(id("47972.0"), Some(47_972));
        assert_eq!(id("\"47972\""), Some(47_972));
        for json in ["-1", "18446744073709551616", "1.5", "null", "\"x\"", "[]"] {
            assert_eq!(id(json), None, "{json}");
        }
    }
}
