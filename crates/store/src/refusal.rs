//! Why a commit was not taken.

use oddswire_model::{Field, MarketId};

/// A commit that was refused whole, with the market and the field at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("market {market}, {field}: {reason}")]
pub struct Refusal {
    /// The market.
    pub market: MarketId,
    /// The field or attribute, in words.
    pub field: String,
    /// What is wrong with it.
    pub reason: Reason,
}

impl Refusal {
    pub(crate) fn field(market: &MarketId, field: Field, reason: Reason) -> Self {
        Self { market: market.clone(), field: format!("{field:?}"), reason }
    }

    pub(crate) fn named(market: &MarketId, field: &str, reason: Reason) -> Self {
        let shown: String = field.chars().take(64).flat_map(char::escape_debug).collect();
        Self { market: market.clone(), field: shown, reason }
    }
}

/// What is wrong with a commit. The producer is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A market's field on a selection, a ladder as a one-value field, and so on.
    #[error("this field does not belong here")]
    Misplaced,
    /// A status code that this version does not know.
    #[error("{0} is not a known status")]
    UnknownStatus(u64),
    /// A price-ladder code that this version does not know.
    #[error("{0} is not a known price ladder")]
    UnknownPriceLadder(u64),
    /// Odds of 1.0 or less pay nothing back.
    #[error("odds of {0} ten-thousandths are not above 1.0")]
    PriceNotAboveOne(u64),
    /// A price that does not fit.
    #[error("a price of {0} ten-thousandths is out of range")]
    PriceOutOfRange(u64),
    /// An amount over 2^53 - 1 cents.
    #[error("an amount of {0} cents is out of range")]
    VolumeOutOfRange(u64),
    /// Anything else out of range.
    #[error("{0} is out of range")]
    OutOfRange(u64),
    /// A text is too long.
    #[error("a text of {0} bytes is too long")]
    TextTooLong(usize),
    /// An attribute without a name.
    #[error("an attribute needs a name")]
    NameMissing,
    /// More attributes than the limit.
    #[error("{0} attributes are too many")]
    TooManyAttributes(usize),
    /// More rungs than the limit.
    #[error("{0} rungs are too many for one ladder")]
    TooManyRungs(usize),
    /// More selections than the limit.
    #[error("{0} selections are too many for one market")]
    TooManySelections(usize),
    /// More markets than the limit, in the commit or in the store.
    #[error("{0} markets are too many")]
    TooManyMarkets(usize),
    /// More changes than the limit in one commit.
    #[error("more than {0} changes in one commit; split it")]
    TooManyChanges(usize),
    /// The market belongs to somebody else.
    #[error("this market is published by another producer")]
    OtherProducer,
}
