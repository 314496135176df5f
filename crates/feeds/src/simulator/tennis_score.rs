//! The score of a tennis match, best of three sets with tie-breaks.

/// Sets to win.
pub(super) const SETS_TO_WIN: u8 = 2;

/// What a point has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ended {
    Point,
    Game,
    Set,
    Match,
}

/// The score; players are 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TennisScore {
    pub(super) sets: [u8; 2],
    pub(super) games: [u8; 2],
    pub(super) points: [u8; 2],
    /// Who serves this game; in a tie-break, who served its first point.
    pub(super) server: usize,
    finished: [[u8; 2]; 2],
}

impl TennisScore {
    /// A match that this player serves first in.
    pub(super) fn served_by(server: usize) -> Self {
        Self { server, ..Self::default() }
    }

    /// Whether the current game is a tie-break.
    pub(super) fn is_tie_break(&self) -> bool {
        self.games == [6, 6]
    }

    /// Who serves the next point: in a tie-break the serve changes after the first point and then after every second.
    pub(super) fn point_server(&self) -> usize {
        let played = usize::from(self.points[0]) + usize::from(self.points[1]);
        if self.is_tie_break() { self.server ^ (played.div_ceil(2) & 1) } else { self.server }
    }

    /// Whether the receiver takes the game with the next point.
    pub(super) fn is_break_point(&self) -> bool {
        let [serving, receiving] = [self.points[self.server], self.points[1 - self.server]];
        !self.is_tie_break() && receiving >= 3 && receiving > serving
    }

    /// Which game of the set it is, from 1.
    pub(super) fn game_number(&self) -> u8 {
        self.games[0] + self.games[1] + 1
    }

    /// Which set it is, from 1.
    pub(super) fn set_number(&self) -> u8 {
        self.sets[0] + self.sets[1] + 1
    }

    /// Who has won the match.
    pub(super) fn winner(&self) -> Option<usize> {
        self.sets.iter().position(|&sets| sets == SETS_TO_WIN)
    }

    /// A player wins a point. Nothing happens once the match is won.
    pub(super) fn point(&mut self, winner: usize) -> Ended {
        if self.winner().is_some() {
            return Ended::Match;
        }
        let enough = if self.is_tie_break() { 7 } else { 4 };
        self.points[winner] += 1;
        if self.points[winner] < enough || self.points[winner] < self.points[1 - winner] + 2 {
            // Advantages do not add up: deuce is deuce.
            if !self.is_tie_break() && self.points == [4, 4] {
                self.points = [3, 3];
            }
            return Ended::Point;
        }
        self.points = [0, 0];
        self.server = 1 - self.server;
        self.games[winner] += 1;
        let (games, against) = (self.games[winner], self.games[1 - winner]);
        if games < 6 || (games < 7 && games < against + 2) {
            return Ended::Game;
        }
        let set = usize::from(self.set_number() - 1);
        if let Some(finished) = self.finished.get_mut(set) {
            *finished = self.games;
        }
        self.sets[winner] += 1;
        if self.sets[winner] == SETS_TO_WIN {
            return Ended::Match;
        }
        self.games = [0, 0];
        Ended::Set
    }

    /// As on a scoreboard: `6-4 3-2 40-15`.
    pub(super) fn caption(&self) -> String {
        let over = self.winner().is_some();
        let sets = usize::from(self.set_number() - 1) - usize::from(over);
        let mut text = String::new();
        for [first, second] in self.finished.iter().take(sets).chain([&self.games]) {
            text.push_str(&format!("{first}-{second} "));
        }
        if over {
            return text.trim_end().to_owned();
        }
        let [first, second] = self.points;
        if self.is_tie_break() {
            return format!("{text}({first}-{second})");
        }
        let [first, second] = [called(first, second), called(second, first)];
        format!("{text}{first}-{second}")
    }
}

fn called(points: u8, against: u8) -> &'static str {
    match points {
        0 => "0",
        1 => "15",
        2 => "30",
        _ if points > 3 && points > against => "A",
        _ => "40",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn win_games(score: &mut TennisScore, winner: usize, games: usize) -> Ended {
        let mut ended = Ended::Point;
        for _ in 0..games {
            ended = (0..4).map(|_| score.point(winner)).max().unwrap();
        }
        ended
    }

    #[test]
    fn a_match_is_called_as_on_a_scoreboard() {
        let mut score = TennisScore::default();
        assert_eq!(win_games(&mut score, 0, 6), Ended::Set);
        win_games(&mut score, 1, 2);
        score.point(0);
        assert_eq!(score.caption(), "6-0 0-2 15-0");
        for winner in [0, 0, 1, 1, 1, 1] {
            score.point(winner);
        }
        assert_eq!(score.caption(), "6-0 0-2 40-A");
        assert_eq!(score.is_break_point(), score.server == 0);
        score.point(0);
        assert_eq!(score.points, [3, 3]);
        score.point(0);
        score.point(0);
        assert_eq!(win_games(&mut score, 0, 5), Ended::Match);
        assert_eq!((score.caption().as_str(), score.winner()), ("6-0 6-2", Some(0)));
    }

    #[test]
    fn six_all_is_a_tie_break() {
        let mut score = TennisScore::default();
        for winner in [0, 1].repeat(6) {
            win_games(&mut score, winner, 1);
        }
        assert!(score.is_tie_break());
        let mut servers = Vec::new();
        for winner in [0, 1, 0, 1, 0, 1] {
            servers.push(score.point_server() == score.server);
            score.point(winner);
        }
        assert_eq!(servers, [true, false, false, true, true, false]);
        assert_eq!(score.caption(), "6-6 (3-3)");
        assert_eq!((0..4).map(|_| score.point(1)).max(), Some(Ended::Set));
        assert_eq!((score.sets, score.caption().as_str()), ([0, 1], "6-7 0-0 0-0"));
    }
}
