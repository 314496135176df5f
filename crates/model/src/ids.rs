//! Identities and positions.

use std::{fmt, sync::Arc};

/// Why a text is not an identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("a market id is empty; every market needs an id")]
    Empty,
    /// The text is longer than [`MarketId::MAX_BYTES`].
    #[error("a market id of {0} bytes is too long; the limit is {max}", max = MarketId::MAX_BYTES)]
    TooLong(usize),
    /// The text holds control characters, which would break logs and terminals.
    #[error("a market id holds a control character")]
    ControlCharacter,
}

/// The feed's own name of a market, for example `1.242971311`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MarketId(Arc<str>);

impl MarketId {
    /// Longest id in bytes: room for a UUID with a prefix, small enough to repeat in errors.
    pub const MAX_BYTES: usize = 64;

    /// Checks and wraps an id.
    ///
    /// # Errors
    /// Refuses empty, overlong and control-character ids.
    pub fn new(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(IdError::TooLong(text.len()));
        }
        if text.chars().any(char::is_control) {
            return Err(IdError::ControlCharacter);
        }
        Ok(Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MarketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Dense number of a market within an epoch; the same on every gateway that reads the same log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct MarketNumber(pub u32);

impl fmt::Display for MarketNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// The feed's own number of a selection (a runner, an outcome).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SelectionId(pub u64);

/// A handicap or line in thousandths: `-0.75` is `Handicap(-750)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Handicap(pub i32);

impl Handicap {
    /// No handicap; feeds send it as `0` or leave it out.
    pub const NONE: Self = Self(0);

    /// From a decimal number, rounded to thousandths; `None` when it is not finite or out of range.
    pub fn from_decimal(value: f64) -> Option<Self> {
        let scaled = (value * 1000.0).round();
        (scaled.abs() <= f64::from(i32::MAX)).then_some(Self(scaled as i32))
    }

    /// As a decimal number.
    pub fn to_decimal(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

/// Identity of a selection: its id alone is not enough, one runner stands at many handicaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SelectionKey {
    /// The feed's selection id.
    pub id: SelectionId,
    /// Its handicap, [`Handicap::NONE`] in most markets.
    pub handicap: Handicap,
}

impl fmt::Display for SelectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id.0)?;
        if self.handicap != Handicap::NONE {
            write!(f, "@{:+}", self.handicap.to_decimal())?;
        }
        Ok(())
    }
}

/// Dense number of a selection within its market, in order of first appearance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SelectionNumber(pub u16);

impl SelectionNumber {
    /// Stands for the market itself in cell keys, so that market fields are cells like all others.
    pub const MARKET: Self = Self(u16::MAX);
}

/// Position of a commit in its feed's log. Revision 0 is "before the first commit".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Revision(pub u64);

impl Revision {
    /// The next revision.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

/// The life of a feed's log. Nothing is ever compared across epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A receiver's position: "I hold exactly what my view of these markets was at that revision".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The log the revision belongs to.
    pub epoch: Epoch,
    /// The position in it.
    pub revision: Revision,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.epoch, self.revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn market_ids_are_checked_at_the_limit_and_one_past_it() {
        assert!(MarketId::new(&"x".repeat(MarketId::MAX_BYTES)).is_ok());
        assert_eq!(MarketId::new(&"x".repeat(65)), Err(IdError::TooLong(65)));
        assert_eq!(MarketId::new(""), Err(IdError::Empty));
        assert_eq!(MarketId::new("a\nb"), Err(IdError::ControlCharacter));
    }

    #[test]
    fn handicaps_keep_quarter_lines() {
        assert_eq!(Handicap::from_decimal(-0.25), Some(Handicap(-250)));
        assert_eq!(Handicap::from_decimal(f64::NAN), None);
        assert_eq!(Handicap(1_750).to_decimal(), 1.75);
    }
}
