//! A market's identity and the one direction in which its life runs.

use oddswire_model::{Field, MarketId, MarketStatus, MarketUpdate, PriceLadder, SelectionKey, SelectionStatus, SelectionUpdate};

use super::fixture::FixtureCard;

/// What a market is, apart from its prices.
#[derive(Debug)]
pub(super) struct MarketLife {
    id: MarketId,
    market_type: &'static str,
    name: String,
    status: MarketStatus,
    in_play: bool,
}

impl MarketLife {
    /// A market that nobody has heard of yet. Ids are `sim.` with a fixture and a suffix, far below the limit.
    pub(super) fn new(fixture: &str, suffix: &str, market_type: &'static str, name: &str) -> Self {
        let id = MarketId::new(&format!("{fixture}.{suffix}")).expect("simulated ids are short and plain");
        Self { id, market_type, name: name.to_owned(), status: MarketStatus::Unknown, in_play: false }
    }

    /// The update that brings it into being, still without selections.
    pub(super) fn announce(
        &mut self,
        card: &FixtureCard,
        score: &str,
        in_play: bool,
        ladder: PriceLadder,
    ) -> MarketUpdate {
        self.status = MarketStatus::Open;
        self.in_play = in_play;
        let mut update = self.update();
        update.image = true;
        update.complete_definition = true;
        update.fields.push((Field::Status, MarketStatus::Open as u64));
        if in_play {
            update.fields.push((Field::InPlay, 1));
        }
        if ladder != PriceLadder::DEFAULT {
            update.fields.push((Field::PriceLadder, ladder.to_code()));
        }
        update.attributes = card.attributes(self.market_type, &self.name, score);
        update
    }

    /// An update that says nothing yet.
    pub(super) fn update(&self) -> MarketUpdate {
        MarketUpdate::new(self.id.clone())
    }

    /// Moves to a status; `None` when it is there already, was never announced, or its life is over.
    pub(super) fn turn(&mut self, status: MarketStatus) -> Option<MarketUpdate> {
        if self.status == status || self.status == MarketStatus::Unknown || self.is_over() {
            return None;
        }
        self.status = status;
        let mut update = self.update();
        update.fields.push((Field::Status, status as u64));
        Some(update)
    }

    /// Opens again, now in play when the game is.
    pub(super) fn reopen(&mut self, in_play: bool) -> Option<MarketUpdate> {
        if self.status != MarketStatus::Suspended {
            return None;
        }
        let mut update = self.turn(MarketStatus::Open)?;
        if in_play && !self.in_play {
            self.in_play = true;
            update.fields.push((Field::InPlay, 1));
        }
        Some(update)
    }

    /// The final result: one status per selection, in order.
    pub(super) fn settle(
        &mut self,
        results: impl Iterator<Item = (SelectionKey, SelectionStatus)>,
    ) -> Option<MarketUpdate> {
        let mut update = self.turn(MarketStatus::Settled)?;
        update.selections = results
            .map(|(key, status)| {
                let mut selection = SelectionUpdate::new(key);
                selection.fields.push((Field::SelectionStatus, status as u64));
                selection
            })
            .collect();
        Some(update)
    }

    pub(super) fn is_open(&self) -> bool {
        self.status == MarketStatus::Open
    }

    pub(super) fn is_closed(&self) -> bool {
        self.status == MarketStatus::Closed
    }

    /// Whether bets are taken, or will be again.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.status, MarketStatus::Open | MarketStatus::Suspended)
    }

    /// Whether nothing is ever said about it again.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.status, MarketStatus::Settled | MarketStatus::Void)
    }
}
