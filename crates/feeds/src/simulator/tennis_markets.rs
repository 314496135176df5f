//! The markets of a tennis fixture: the match on the exchange, its sets and each of its games with the sportsbook.

use oddswire_model::{MarketUpdate, SelectionKey, SelectionStatus};

use super::{
    exchange_market::ExchangeMarket,
    fixture::{plain_key, stamp},
    market_life::MarketLife,
    names::Named,
    sportsbook::SportsbookMarket,
    tennis_score::TennisScore,
};

/// Ids of selections; players have theirs from 5,000 on.
const PLAYERS: u64 = 5_000;
const SET_SCORES: [(u64, usize, &str); 4] = [(31, 0, "2-0"), (32, 0, "2-1"), (33, 1, "2-1"), (34, 1, "2-0")];

/// All markets of one match.
#[derive(Debug)]
pub(super) struct TennisMarkets {
    fixture: String,
    players: [Named; 2],
    pub(super) exchange: ExchangeMarket,
    pub(super) sets: SportsbookMarket,
    /// The game that is on, or about to be.
    pub(super) game: SportsbookMarket,
    /// The game before, closed, and who won it.
    last_game: Option<(SportsbookMarket, usize)>,
}

impl TennisMarkets {
    /// Markets that nobody has heard of yet.
    pub(super) fn new(fixture: &str, players: [Named; 2], liquidity: u64, score: &TennisScore) -> Self {
        let life = MarketLife::new(fixture, "mo", "MATCH_ODDS", "Match Odds");
        let sets_life = MarketLife::new(fixture, "sb", "SET_BETTING", "Set Betting");
        let set_scores = SET_SCORES
            .map(|(id, player, result)| (plain_key(id), format!("{} {result}", players[player].name)));
        Self {
            exchange: ExchangeMarket::new(life, liquidity, outcomes(&players)),
            sets: SportsbookMarket::new(sets_life, 0.09, set_scores),
            game: game_market(fixture, score, &players),
            last_game: None,
            fixture: fixture.to_owned(),
            players,
        }
    }

    /// The game is over; the one that follows at this score has yet to be announced.
    pub(super) fn next_game(&mut self, winner: usize, score: &TennisScore, updates: &mut Vec<MarketUpdate>) {
        updates.extend(self.game.close());
        let next = game_market(&self.fixture, score, &self.players);
        self.last_game = Some((std::mem::replace(&mut self.game, next), winner));
    }

    /// Settles the game before, if that is still to be done.
    pub(super) fn settle_last_game(&mut self, updates: &mut Vec<MarketUpdate>) {
        if let Some((mut game, winner)) = self.last_game.take() {
            updates.extend(game.settle(&[0, 1].map(|player| if player == winner { 1.0 } else { 0.0 })));
        }
    }

    /// Settles the match, and the sets unless they were annulled.
    pub(super) fn settle(&mut self, winner: usize, set_chances: &[f64], updates: &mut Vec<MarketUpdate>) {
        let verdict =
            |player| if player == winner { SelectionStatus::Winner } else { SelectionStatus::Loser };
        updates.extend(self.exchange.settle([0, 1].into_iter().map(verdict)));
        updates.extend(self.sets.settle(set_chances));
    }

    /// Everything is suspended, and no offer stands.
    pub(super) fn suspend(&mut self, updates: &mut Vec<MarketUpdate>) {
        updates.extend(self.exchange.suspend(true));
        updates.extend(self.sets.suspend());
        updates.extend(self.game.suspend());
    }

    /// Bets on what was not played to its end are void.
    pub(super) fn annul_sportsbook(&mut self, updates: &mut Vec<MarketUpdate>) {
        updates.extend(self.sets.annul());
        updates.extend(self.game.annul());
    }

    /// Puts the score on every market.
    pub(super) fn say_score(&mut self, score: &str, updates: &mut Vec<MarketUpdate>) {
        let last_game = self.last_game.as_mut().map(|(game, _)| &mut game.life);
        let lives = [&mut self.exchange.life, &mut self.sets.life, &mut self.game.life];
        stamp(lives.into_iter().chain(last_game), score, updates);
    }
}

/// The market on who wins the game that is on at this score.
fn game_market(fixture: &str, score: &TennisScore, players: &[Named; 2]) -> SportsbookMarket {
    let (set, game) = (score.set_number(), score.game_number());
    let suffix = format!("s{set}g{game}");
    let life = MarketLife::new(fixture, &suffix, "NEXT_GAME", &format!("Set {set} Game {game} Winner"));
    SportsbookMarket::new(life, 0.07, outcomes(players))
}

fn outcomes(players: &[Named; 2]) -> [(SelectionKey, String); 2] {
    [0, 1].map(|at: usize| (plain_key(PLAYERS + players[at].number), players[at].name.clone()))
}
