//! Views: what part of a market a receiver wants.

use std::{fmt, str::FromStr};

use crate::Field;

/// How deep a view looks into the ladders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Depth {
    /// The best price of each side, and the one-value prices.
    Prices,
    /// The best N rungs of each side, 1 to [`View::MAX_BEST`].
    Best(u8),
    /// Every ladder in full.
    Full,
}

/// A projection of a market: a depth, with or without amounts of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct View {
    depth: Depth,
    volumes: bool,
}

/// Why a view cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// Best 0 or over the limit.
    #[error("best {0} is not a view; ask for best 1 to {max}", max = View::MAX_BEST)]
    Best(u32),
    /// Not a view's name.
    #[error(
        "`{0}` is not a view; use prices, best1 to best10, full, and -prices to leave amounts out (best3-prices)"
    )]
    Name(String),
}

impl View {
    /// Deepest best-N view: what betting screens show at most.
    pub const MAX_BEST: u8 = 10;
    /// What a rung's amount reads as in a view without amounts: it is there, and that is all it says.
    pub const HIDDEN_VOLUME: u64 = 1;

    /// Prices only.
    pub const PRICES: Self = Self { depth: Depth::Prices, volumes: false };
    /// Everything.
    pub const FULL: Self = Self { depth: Depth::Full, volumes: true };

    /// A view of a depth, with or without amounts. Prices never carry amounts.
    ///
    /// # Errors
    /// Refuses best 0 and over [`View::MAX_BEST`].
    pub fn new(depth: Depth, volumes: bool) -> Result<Self, ViewError> {
        match depth {
            Depth::Best(n) if n == 0 || n > Self::MAX_BEST => Err(ViewError::Best(u32::from(n))),
            Depth::Prices => Ok(Self::PRICES),
            depth => Ok(Self { depth, volumes }),
        }
    }

    /// The best N rungs with amounts; N is brought into 1..=[`View::MAX_BEST`].
    pub fn best(n: u8) -> Self {
        Self { depth: Depth::Best(n.clamp(1, Self::MAX_BEST)), volumes: true }
    }

    /// The depth.
    #[inline]
    pub fn depth(self) -> Depth {
        self.depth
    }

    /// Whether amounts are shown.
    #[inline]
    pub fn volumes(self) -> bool {
        self.volumes
    }

    /// Whether the view shows a field at all.
    #[inline]
    pub fn shows(self, field: Field) -> bool {
        match field {
            Field::MarketTradedVolume | Field::TradedVolume => self.volumes,
            Field::NearPrice | Field::FarPrice => self.depth > Depth::Prices,
            Field::Traded | Field::SpBack | Field::SpLay => self.depth == Depth::Full,
            _ => true,
        }
    }

    /// How many rungs of a ladder the view shows.
    #[inline]
    pub fn rungs(self, field: Field) -> usize {
        match self.depth {
            _ if !self.shows(field) => 0,
            Depth::Prices => 1,
            Depth::Best(n) => usize::from(n),
            Depth::Full => usize::MAX,
        }
    }

    /// What a rung's amount looks like in this view.
    #[inline]
    pub fn shown_volume(self, volume: u64) -> u64 {
        if self.volumes || volume == 0 { volume } else { Self::HIDDEN_VOLUME }
    }

    /// The smallest view that shows everything that either shows.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self { depth: self.depth.max(other.depth), volumes: self.volumes || other.volumes }
    }

    /// A number that names the view: 0 prices, 1 full, 2n and 2n+1 best n without and with amounts.
    pub fn code(self) -> u32 {
        match (self.depth, self.volumes) {
            (Depth::Prices, _) => 0,
            (Depth::Full, true) => 1,
            (Depth::Best(n), volumes) => u32::from(n) * 2 + u32::from(volumes),
            (Depth::Full, false) => 255,
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.depth {
            Depth::Prices => return f.write_str("prices"),
            Depth::Best(n) => write!(f, "best{n}")?,
            Depth::Full => f.write_str("full")?,
        }
        if self.volumes { Ok(()) } else { f.write_str("-prices") }
    }
}

impl FromStr for View {
    type Err = ViewError;

    fn from_str(text: &str) -> Result<Self, ViewError> {
        if text == "prices" {
            return Ok(Self::PRICES);
        }
        let (depth, volumes) = match text.strip_suffix("-prices") {
            Some(depth) => (depth, false),
            None => (text, true),
        };
        let depth = match depth.strip_prefix("best") {
            Some(n) => Depth::Best(n.parse().map_err(|_| ViewError::Name(text.to_owned()))?),
            None if depth == "full" => Depth::Full,
            None => return Err(ViewError::Name(text.to_owned())),
        };
        Self::new(depth, volumes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in ["prices", "best1", "best10", "best3-prices", "full", "full-prices"] {
            assert_eq!(name.parse::<View>().unwrap().to_string(), name);
        }
        for name in ["best0", "best11", "", "best", "deep", "best-1"] {
            assert!(name.parse::<View>().is_err(), "{name}");
        }
    }

    #[test]
    fn a_union_shows_what_either_shows() {
        let union = View::best(3).union(View::new(Depth::Full, false).unwrap());
        assert_eq!(union, View::FULL);
        assert_eq!(View::PRICES.union(View::PRICES), View::PRICES);
    }
}
