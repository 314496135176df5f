//! Where a market and a selection stand in their life.

use std::fmt;

/// Life of a market. Anything but `Open` must never look bettable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum MarketStatus {
    /// Nothing is known yet; reads as suspended.
    Unknown = 0,
    /// Bets are taken.
    Open = 1,
    /// Bets are not taken for now.
    Suspended = 2,
    /// Bets are not taken any more; the result is not final.
    Closed = 3,
    /// The result is final.
    Settled = 4,
    /// All bets are void.
    Void = 5,
}

impl MarketStatus {
    /// Back from a cell's value; `None` for values of a later version, which a receiver treats as suspended.
    pub fn from_code(code: u64) -> Option<Self> {
        Some(match code {
            0 => Self::Unknown,
            1 => Self::Open,
            2 => Self::Suspended,
            3 => Self::Closed,
            4 => Self::Settled,
            5 => Self::Void,
            _ => return None,
        })
    }

    /// Name as in JSON and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown | Self::Suspended => "SUSPENDED",
            Self::Open => "OPEN",
            Self::Closed => "CLOSED",
            Self::Settled => "SETTLED",
            Self::Void => "VOID",
        }
    }
}

impl fmt::Display for MarketStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Life of a selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum SelectionStatus {
    /// Can be bet on while its market is open.
    Active = 0,
    /// Won.
    Winner = 1,
    /// Lost.
    Loser = 2,
    /// Placed (in each-way and place markets).
    Placed = 3,
    /// Withdrawn; bets on the others may be reduced by its reduction factor.
    Removed = 4,
    /// Withdrawn from a vacant trap or stall.
    RemovedVacant = 5,
    /// Not shown.
    Hidden = 6,
    /// Not bettable for now, while its market is open.
    Suspended = 7,
}

impl SelectionStatus {
    /// Back from a cell's value; `None` for values of a later version.
    pub fn from_code(code: u64) -> Option<Self> {
        Some(match code {
            0 => Self::Active,
            1 => Self::Winner,
            2 => Self::Loser,
            3 => Self::Placed,
            4 => Self::Removed,
            5 => Self::RemovedVacant,
            6 => Self::Hidden,
            7 => Self::Suspended,
            _ => return None,
        })
    }

    /// Name as in JSON and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Winner => "WINNER",
            Self::Loser => "LOSER",
            Self::Placed => "PLACED",
            Self::Removed => "REMOVED",
            Self::RemovedVacant => "REMOVED_VACANT",
            Self::Hidden => "HIDDEN",
            Self::Suspended => "SUSPENDED",
        }
    }
}

impl fmt::Display for SelectionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip_and_later_codes_are_none() {
        for code in 0..6 {
            assert_eq!(MarketStatus::from_code(code).unwrap() as u64, code);
        }
        for code in 0..8 {
            assert_eq!(SelectionStatus::from_code(code).unwrap() as u64, code);
        }
        assert_eq!(MarketStatus::from_code(6), None);
        assert_eq!(SelectionStatus::from_code(8), None);
    }
}
