//! A football match as it is played: clock, score and who presses. It knows nothing of markets.

use super::{
    football_model::{Outlook, Score},
    random::Random,
};

/// A half without stoppage time.
const HALF_S: u64 = 45 * 60;
/// How far ahead the pressure of the moment makes itself felt.
const PRESSURE_S: f64 = 110.0;
/// Chance per second of an attack that makes bookmakers stop for a moment, and of a player sent off.
const DANGER_PER_S: f64 = 0.2 / 60.0;
const RED_CARD_PER_S: f64 = 0.12 / (90.0 * 60.0);

/// What interrupts the play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Incident {
    /// The side (0 home, 1 away) scores; the score does not count it yet.
    Goal(usize),
    /// An attack that may become a goal, and does not.
    Danger,
    /// The side loses a player.
    RedCard(usize),
    /// The end of the first half.
    HalfTime,
    /// The end of the match.
    FullTime,
}

/// One match.
#[derive(Debug)]
pub(super) struct FootballMatch {
    pub(super) score: Score,
    half: u64,
    clock_s: u64,
    half_length_s: u64,
    goals_per_s: [f64; 2],
    /// Who presses at the moment: a factor minus one on the goals per second.
    pressure: [f64; 2],
}

impl FootballMatch {
    /// A match between sides of random strength, not kicked off.
    pub(super) fn new(random: &mut Random) -> Self {
        let home = 0.7 + 1.5 * random.unit();
        let away = 0.5 + 1.3 * random.unit();
        let mut game = Self {
            score: [0, 0],
            half: 1,
            clock_s: 0,
            half_length_s: HALF_S,
            goals_per_s: [home, away].map(|goals| goals / (2 * HALF_S) as f64),
            pressure: [0.0; 2],
        };
        game.start_half(1, random);
        game
    }

    /// Plays on to a random moment of the match.
    pub(super) fn fast_forward(&mut self, random: &mut Random) {
        for _ in 0..random.below(2 * HALF_S / 10) {
            match self.play(10, random) {
                Some(Incident::Goal(side)) => self.score[side] += 1,
                Some(Incident::HalfTime) => self.start_half(2, random),
                Some(Incident::FullTime) => self.clock_s = self.half_length_s.saturating_sub(60),
                Some(Incident::RedCard(_) | Incident::Danger) | None => {}
            }
        }
    }

    /// Starts a half.
    pub(super) fn start_half(&mut self, half: u64, random: &mut Random) {
        let stoppage_s = if half == 1 { random.between(60, 240) } else { random.between(120, 420) };
        (self.half, self.clock_s, self.half_length_s) = (half, 0, HALF_S + stoppage_s);
    }

    /// Lets the clock run on while play is stopped.
    pub(super) fn skip(&mut self, seconds: u64) {
        self.clock_s += seconds;
    }

    /// Plays a few seconds.
    pub(super) fn play(&mut self, seconds: u64, random: &mut Random) -> Option<Incident> {
        self.clock_s += seconds;
        if self.clock_s >= self.half_length_s {
            self.pressure = [0.0; 2];
            return Some(if self.half == 1 { Incident::HalfTime } else { Incident::FullTime });
        }
        for pressure in &mut self.pressure {
            *pressure = (*pressure * 0.93 + random.bell() * 0.13).clamp(-0.9, 2.0);
        }
        let seconds = seconds as f64;
        for side in 0..2 {
            if random.chance(self.goals_per_s[side] * (1.0 + self.pressure[side]) * seconds) {
                return Some(Incident::Goal(side));
            }
        }
        if random.chance(RED_CARD_PER_S * seconds) {
            let side = random.position(2);
            self.goals_per_s[side] *= 0.7;
            self.goals_per_s[1 - side] *= 1.3;
            return Some(Incident::RedCard(side));
        }
        random.chance(DANGER_PER_S * seconds).then_some(Incident::Danger)
    }

    /// What may still happen, as somebody sees it who watches the play.
    pub(super) fn outlook(&self) -> Outlook {
        let rest_of_half_s = self.half_length_s.saturating_sub(self.clock_s).max(15);
        let rest_s = if self.half == 1 { rest_of_half_s + HALF_S + 240 } else { rest_of_half_s } as f64;
        let felt_s = PRESSURE_S.min(rest_s);
        Outlook::new([0, 1].map(|side| self.goals_per_s[side] * (rest_s + self.pressure[side] * felt_s)))
    }

    /// Minute of play since kick-off, stoppage time included.
    pub(super) fn minute(&self) -> u64 {
        (self.half - 1) * HALF_S / 60 + self.clock_s / 60 + 1
    }

    /// The score and the minute, as in `1-0 34'` or `2-2 90+3'`.
    pub(super) fn caption(&self) -> String {
        let end = self.half * HALF_S / 60;
        match self.minute() {
            minute if minute > end => format!("{} {end}+{}'", self.score_text(), minute - end),
            minute => format!("{} {minute}'", self.score_text()),
        }
    }

    /// The score alone.
    pub(super) fn score_text(&self) -> String {
        format!("{}-{}", self.score[0], self.score[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_has_two_halves_and_its_clock_says_so() {
        let mut random = Random::from_seed(11);
        let mut game = FootballMatch::new(&mut random);
        assert_eq!(game.caption(), "0-0 1'");
        let mut ends = Vec::new();
        while ends.len() < 2 {
            match game.play(1, &mut random) {
                Some(Incident::HalfTime) => {
                    assert!(game.caption().contains("45+"));
                    ends.push(Incident::HalfTime);
                    game.start_half(2, &mut random);
                    assert!(game.caption().ends_with("46'"));
                }
                Some(Incident::FullTime) => ends.push(Incident::FullTime),
                _ => {}
            }
        }
        assert_eq!(ends, [Incident::HalfTime, Incident::FullTime]);
        assert!(game.caption().contains("90+"));
    }

    #[test]
    fn goals_fall_as_often_as_in_real_matches() {
        let mut goals = 0;
        for seed in 0..300 {
            let mut random = Random::from_seed(seed);
            let mut game = FootballMatch::new(&mut random);
            loop {
                match game.play(5, &mut random) {
                    Some(Incident::Goal(_)) => goals += 1,
                    Some(Incident::HalfTime) => game.start_half(2, &mut random),
                    Some(Incident::FullTime) => break,
                    _ => {}
                }
            }
        }
        assert!((600..1_100).contains(&goals), "{goals} goals in 300 matches");
    }
}
