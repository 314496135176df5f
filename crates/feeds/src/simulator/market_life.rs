//! A market's identity and the one direction in which its life runs.

use oddswire_model::{
    Field, MarketId, MarketStatus, MarketUpdate, PriceLadder, SelectionKey, SelectionStatus, SelectionUpdate,
};

use super::fixture::FixtureCard;

/// What a market is, apart from its prices.
#[derive(Debug)]
pub(super) struct MarketLife {
    id: MarketId,
    market_type: &'static str,
    name: String,
    status: MarketStatus,
    in_play: bool,
    score: String,
}

impl MarketLife {
    /// A market that nobody has heard of yet. Ids are `sim.` with a fixture and a suffix, far below the limit.
    pub(super) fn new(fixture: &str, suffix: &str, market_type: &'static str, name: &str) -> Self {
        let id = MarketId::new(&format!("{fixture}.{suffix}")).expect("simulated ids are short and plain");
        Self {
            id,
            market_type,
            name: name.to_owned(),
            status: MarketStatus::Unknown,
            in_play: false,
            score: String::new(),
        }
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
        self.score = score.to_owned();
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

    pub(super) fn id(&self) -> &MarketId {
        &self.id
    }

    /// An update that says nothing yet.
    pub(super) fn update(&self) -> MarketUpdate {
        MarketUpdate::new(self.id.clone())
    }

    /// Moves to a status; `None` when life does not go that way: a market that was never announced stays unknown, a
    /// closed one never takes bets again, and what is settled or void is final.
    pub(super) fn turn(&mut self, status: MarketStatus) -> Option<MarketUpdate> {
        use MarketStatus::{Closed, Open, Settled, Suspended, Void};
        let goes_on = match status {
            Suspended => self.is_open(),
            Open => self.is_suspended(),
            Closed => self.is_live(),
            Settled => self.is_closed(),
            Void => self.is_live() || self.is_closed(),
            MarketStatus::Unknown => false,
        };
        if !goes_on {
            return None;
        }
        self.status = status;
        let mut update = self.update();
        update.fields.push((Field::Status, status as u64));
        Some(update)
    }

    /// Opens again, now in play when the game is.
    pub(super) fn reopen(&mut self, in_play: bool) -> Option<MarketUpdate> {
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

    /// Whether the score is news for this market: another one than it says, while its life goes on.
    pub(super) fn note_score(&mut self, score: &str) -> bool {
        let is_news = (self.is_live() || self.is_closed()) && self.score != score;
        if is_news {
            self.score.clear();
            self.score.push_str(score);
        }
        is_news
    }

    pub(super) fn is_open(&self) -> bool {
        self.status == MarketStatus::Open
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.status == MarketStatus::Suspended
    }

    pub(super) fn is_closed(&self) -> bool {
        self.status == MarketStatus::Closed
    }

    /// Whether bets are taken, or will be again.
    pub(super) fn is_live(&self) -> bool {
        self.is_open() || self.is_suspended()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::names;

    #[test]
    fn life_runs_in_one_direction() {
        let card = FixtureCard {
            id: "sim.f1".to_owned(),
            sport: "football",
            competition: names::league(0),
            name: "A v B".to_owned(),
            venue: "A Park".to_owned(),
            start_ms: 0,
        };
        let mut life = MarketLife::new(&card.id, "x", "TEST", "Test");
        assert_eq!(life.turn(MarketStatus::Suspended), None, "nobody has heard of it");
        life.announce(&card, "", false, PriceLadder::Betfair);
        assert_eq!(life.reopen(true), None, "it is open");
        life.turn(MarketStatus::Suspended).unwrap();
        let reopened = life.reopen(true).unwrap();
        assert_eq!(reopened.fields, [(Field::Status, MarketStatus::Open as u64), (Field::InPlay, 1)]);
        assert_eq!(life.settle([].into_iter()), None, "a market is closed before it is settled");
        life.turn(MarketStatus::Closed).unwrap();
        assert_eq!(life.turn(MarketStatus::Suspended), None);
        life.settle([].into_iter()).unwrap();
        assert!(life.turn(MarketStatus::Void).is_none(), "settled is final");
    }
}
