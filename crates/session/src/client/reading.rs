//! Reading a market: its state comes out with it, so that a stale price cannot be taken by accident.

use oddswire_model::{Market, MarketStatus, SelectionNumber, SelectionStatus};

/// What a receiver knows of a market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MarketState {
    /// Not complete: a snapshot or a resync is on its way.
    Syncing,
    /// What the server holds, as of a moment ago.
    Live,
    /// It was live, but nobody has vouched for it lately.
    Stale,
}

/// A market as it may be shown.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The market in the subscribed view.
    pub market: &'a Market,
    /// What is known of it.
    pub state: MarketState,
    /// How long ago the producer last vouched for it, in milliseconds, if anybody said.
    pub age_ms: Option<u64>,
}

impl Reading<'_> {
    /// The status to show: anything but a live market reads as suspended, unless it is over.
    pub fn status(&self) -> MarketStatus {
        match self.market.status() {
            MarketStatus::Open if self.state != MarketState::Live => MarketStatus::Suspended,
            status => status,
        }
    }

    /// Whether a bet on a selection may be offered.
    pub fn is_bettable(&self, selection: SelectionNumber) -> bool {
        self.status() == MarketStatus::Open
            && self
                .market
                .selection(selection)
                .is_some_and(|selection| selection.status() == SelectionStatus::Active)
    }
}
