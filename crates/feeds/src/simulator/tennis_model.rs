//! Who wins a tennis game, set or match, from the chance of either player to win a point on his serve.

use super::tennis_score::TennisScore;

/// Most games of a player before the set is over or goes into a tie-break.
const GAMES: usize = 7;
/// Points of a tie-break that are told apart; from 6-6 on it is won by two points in a row.
const TIE_BREAK_POINTS: usize = 7;

/// Chances of the first player, everything a score can be asked for.
#[derive(Debug, Clone)]
pub(super) struct TennisModel {
    /// Chance of each player to win a point on his own serve.
    serve: [f64; 2],
    /// Chance of the first player to win the set: by his games, the other's games, and who serves.
    set: [[[f64; 2]; GAMES]; GAMES],
    fresh_set: f64,
}

impl TennisModel {
    /// From the chances of both players to win a point on serve.
    pub(super) fn new(serve: [f64; 2]) -> Self {
        let serve = serve.map(|chance| chance.clamp(0.3, 0.9));
        let mut model = Self { serve, set: [[[0.0; 2]; GAMES]; GAMES], fresh_set: 0.5 };
        for server in 0..2 {
            model.set[6][6][server] = model.tie_break([0, 0], server);
        }
        let holds = [0, 1].map(|server| model.plain_game([0, 0], server));
        // From the longest sets back to the start; every state depends on longer ones only.
        for played in (0..12).rev() {
            for first in 0..GAMES.min(played + 1) {
                let second = played - first;
                if second >= GAMES {
                    continue;
                }
                for (server, chance) in holds.into_iter().enumerate() {
                    let next = |first, second| model.set_after([first, second], 1 - server);
                    model.set[first][second][server] =
                        chance * next(first + 1, second) + (1.0 - chance) * next(first, second + 1);
                }
            }
        }
        model.fresh_set = (model.set[0][0][0] + model.set[0][0][1]) / 2.0;
        model
    }

    /// Chance that the first player wins the next point.
    pub(super) fn point(&self, score: &TennisScore) -> f64 {
        let server = score.point_server();
        if server == 0 { self.serve[0] } else { 1.0 - self.serve[1] }
    }

    /// Chance that the first player wins the current game.
    pub(super) fn game(&self, score: &TennisScore) -> f64 {
        if score.is_tie_break() {
            self.tie_break(score.points, score.server)
        } else {
            self.plain_game(score.points, score.server)
        }
    }

    /// Chances of 2-0, 2-1, 1-2 and 0-2 in sets, exactly 0 for what cannot come any more.
    pub(super) fn sets(&self, score: &TennisScore) -> [f64; 4] {
        if let Some(winner) = score.winner() {
            let lost = score.sets[1 - winner];
            let at = if winner == 0 { usize::from(lost) } else { 3 - usize::from(lost) };
            return [0, 1, 2, 3].map(|other| if other == at { 1.0 } else { 0.0 });
        }
        let (this, fresh) = (self.current_set(score), self.fresh_set);
        match score.sets {
            [0, 0] => {
                let split = this * (1.0 - fresh) + (1.0 - this) * fresh;
                [this * fresh, split * fresh, split * (1.0 - fresh), (1.0 - this) * (1.0 - fresh)]
            }
            [1, 0] => [this, (1.0 - this) * fresh, (1.0 - this) * (1.0 - fresh), 0.0],
            [0, 1] => [0.0, this * fresh, this * (1.0 - fresh), 1.0 - this],
            _ => [0.0, this, 1.0 - this, 0.0],
        }
    }

    /// Chance that the first player wins the match.
    pub(super) fn win(&self, score: &TennisScore) -> f64 {
        let [straight, split, ..] = self.sets(score);
        straight + split
    }

    fn current_set(&self, score: &TennisScore) -> f64 {
        let game = self.game(score);
        let [first, second] = score.games.map(usize::from);
        let server = 1 - score.server;
        game * self.set_after([first + 1, second], server)
            + (1.0 - game) * self.set_after([first, second + 1], server)
    }

    /// Chance to win the set at these games, over or not.
    fn set_after(&self, [first, second]: [usize; 2], server: usize) -> f64 {
        match (first, second) {
            (7, _) | (6, 0..=4) => 1.0,
            (_, 7) | (0..=4, 6) => 0.0,
            _ => self.set[first][second][server],
        }
    }

    /// Chance of the first player to win an ordinary game at these points.
    fn plain_game(&self, points: [u8; 2], server: usize) -> f64 {
        let point = if server == 0 { self.serve[0] } else { 1.0 - self.serve[1] };
        let other = 1.0 - point;
        let deuce = point * point / (point * point + other * other);
        match points.map(usize::from) {
            [first, second] if first >= 3 && second >= 3 => match first.cmp(&second) {
                std::cmp::Ordering::Greater => point + other * deuce,
                std::cmp::Ordering::Less => point * deuce,
                std::cmp::Ordering::Equal => deuce,
            },
            [first, second] => {
                // Rows count the first player's points; 3-3 is deuce, and a player with 4 has won.
                let mut chances = [[0.0; 5]; 5];
                chances[3][3] = deuce;
                chances[4] = [1.0; 5];
                for mine in (0..4).rev() {
                    for theirs in (0..4).rev() {
                        if (mine, theirs) != (3, 3) {
                            chances[mine][theirs] =
                                point * chances[mine + 1][theirs] + other * chances[mine][theirs + 1];
                        }
                    }
                }
                chances[first.min(4)][second.min(4)]
            }
        }
    }

    /// Chance of the first player to win a tie-break at these points.
    fn tie_break(&self, points: [u8; 2], first_server: usize) -> f64 {
        let point = |played: usize| {
            let server = first_server ^ (played.div_ceil(2) & 1);
            if server == 0 { self.serve[0] } else { 1.0 - self.serve[1] }
        };
        // From 6-6 on, each pair of points has one serve of either player, and only two in a row decide.
        let (both, none) = (self.serve[0] * (1.0 - self.serve[1]), (1.0 - self.serve[0]) * self.serve[1]);
        let level = both / (both + none);
        let mut chances = [[0.0; TIE_BREAK_POINTS + 1]; TIE_BREAK_POINTS + 1];
        chances[TIE_BREAK_POINTS] = [1.0; TIE_BREAK_POINTS + 1];
        chances[6][6] = level;
        for first in (0..TIE_BREAK_POINTS).rev() {
            for second in (0..TIE_BREAK_POINTS).rev() {
                if (first, second) != (6, 6) {
                    let chance = point(first + second);
                    chances[first][second] =
                        chance * chances[first + 1][second] + (1.0 - chance) * chances[first][second + 1];
                }
            }
        }
        // Longer tie-breaks repeat what follows 6-6: level, or one point ahead.
        let [first, second] = points.map(usize::from);
        let excess = first.min(second).saturating_sub(6);
        match [first - excess, second - excess] {
            [first, second] if first <= 6 && second <= 6 => chances[first][second],
            [first, _] => {
                let next = point(points.iter().copied().map(usize::from).sum());
                if first > 6 { next + (1.0 - next) * level } else { next * level }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_players_are_equal_and_a_server_usually_holds() {
        let model = TennisModel::new([0.63, 0.63]);
        let score = TennisScore::default();
        assert!((model.win(&score) - 0.5).abs() < 0.01);
        assert!((model.game(&score) - 0.795).abs() < 0.01, "{}", model.game(&score));
        assert!((model.sets(&score).iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn chances_follow_the_score_wherever_it_goes() {
        // The chance before a point is the mean of the chances after it: no state of the tables is wrong unnoticed.
        let model = TennisModel::new([0.66, 0.58]);
        for seed in 0..40 {
            let mut random = crate::simulator::random::Random::from_seed(seed);
            let mut score = TennisScore::default();
            while score.winner().is_none() {
                let after = [0, 1].map(|winner| {
                    let mut next = score;
                    next.point(winner);
                    next
                });
                let point = model.point(&score);
                let mean = point * model.game_or_result(&score, &after[0])
                    + (1.0 - point) * model.game_or_result(&score, &after[1]);
                assert!((mean - model.game(&score)).abs() < 1e-9, "game at {score:?}");
                if score.set_number() == after[0].set_number() && score.set_number() == after[1].set_number()
                {
                    let mean = point * model.win(&after[0]) + (1.0 - point) * model.win(&after[1]);
                    assert!((mean - model.win(&score)).abs() < 1e-9, "match at {score:?}");
                }
                score = if random.chance(0.5) { after[0] } else { after[1] };
            }
            assert_eq!(model.win(&score), if score.winner() == Some(0) { 1.0 } else { 0.0 });
        }
    }

    impl TennisModel {
        /// Chance to win the game that was on at `before`, seen one point later.
        fn game_or_result(&self, before: &TennisScore, after: &TennisScore) -> f64 {
            if (before.sets, before.games) == (after.sets, after.games) {
                return self.game(after);
            }
            let sets_won = after.sets[0] > before.sets[0];
            let games_won = after.sets == before.sets && after.games[0] > before.games[0];
            if sets_won || games_won { 1.0 } else { 0.0 }
        }
    }
}
