//! Amounts of money.

/// An amount in integer cents of the feed's currency. Zero means "nothing there".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Volume(pub u64);

impl Volume {
    /// Largest amount: 2^53 - 1 cents, the largest integer that every receiver's number type holds exactly.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// From a decimal amount, rounded to cents; `None` for NaN, negative or over [`Volume::MAX`].
    pub fn from_decimal(value: f64) -> Option<Self> {
        let scaled = (value * 100.0).round();
        (scaled >= 0.0 && scaled <= Self::MAX.0 as f64).then_some(Self(scaled as u64))
    }

    /// As a decimal amount.
    pub fn to_decimal(self) -> f64 {
        self.0 as f64 / 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_round_to_cents_and_stay_in_range() {
        assert_eq!(Volume::from_decimal(12.34), Some(Volume(1_234)));
        assert_eq!(Volume::from_decimal(f64::NAN), None);
        assert_eq!(Volume::from_decimal(-0.01), None);
        assert_eq!(Volume::from_decimal(1e300), None);
    }
}
