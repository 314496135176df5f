//! How a football match may end: goals still to come, as two independent counts.

/// Goals still to come that are told apart; the last entry stands for "this many or more".
const COUNTS: usize = 10;
/// The time left is cut into this many slices, each with at most one goal a side. The binomial distribution that follows
/// is within a per mille of Poisson's and needs no exponential function, which differs between machines.
const SLICES: u32 = 128;

/// Goals of the home and the away side.
pub(super) type Score = [u32; 2];

/// Chances of everything that can be bet on, given how many goals each side may still be expected to score.
#[derive(Debug, Clone)]
pub(super) struct Outlook {
    more: [[f64; COUNTS]; 2],
}

impl Outlook {
    /// The match is over: no more goals.
    pub(super) fn over() -> Self {
        Self::new([0.0, 0.0])
    }

    /// From the expected number of further goals of each side.
    pub(super) fn new(means: [f64; 2]) -> Self {
        Self { more: means.map(counts) }
    }

    /// Home wins, draw, away wins.
    pub(super) fn result(&self, score: Score) -> [f64; 3] {
        let mut chances = [0.0; 3];
        self.visit(score, |[home, away], chance| {
            let outcome = if home > away { 0 } else { 1 + usize::from(home < away) };
            chances[outcome] += chance;
        });
        chances
    }

    /// Chance that more than `line` and a half goals fall; exactly 1 once they have.
    pub(super) fn over_line(&self, score: Score, line: u32) -> f64 {
        if score[0] + score[1] > line {
            return 1.0;
        }
        let mut chance = 0.0;
        self.visit(score, |[home, away], share| {
            if home + away > line {
                chance += share;
            }
        });
        chance
    }

    /// Chance that both sides score; exactly 1 once they have.
    pub(super) fn both_score(&self, score: Score) -> f64 {
        let scores = |side: usize| if score[side] > 0 { 1.0 } else { 1.0 - self.more[side][0] };
        scores(0) * scores(1)
    }

    /// Chance of a final score; exactly 0 once it has passed.
    pub(super) fn final_score(&self, score: Score, wanted: Score) -> f64 {
        let exactly = |side: usize| match wanted[side].checked_sub(score[side]) {
            Some(more) => self.more[side].get(more as usize).copied().unwrap_or(0.0),
            None => 0.0,
        };
        exactly(0) * exactly(1)
    }

    fn visit(&self, score: Score, mut visit: impl FnMut(Score, f64)) {
        for (home, &home_chance) in (score[0]..).zip(&self.more[0]) {
            for (away, &away_chance) in (score[1]..).zip(&self.more[1]) {
                visit([home, away], home_chance * away_chance);
            }
        }
    }
}

/// Chances of 0, 1, 2 ... goals at this mean.
fn counts(mean: f64) -> [f64; COUNTS] {
    let mut chances = [0.0; COUNTS];
    let goal = (mean / f64::from(SLICES)).clamp(0.0, 0.5);
    let none = 1.0 - goal;
    // `none` to the power of 128, by seven squarings.
    chances[0] = (0..SLICES.ilog2()).fold(none, |power, _| power * power);
    let mut rest = 1.0 - chances[0];
    for count in 1..COUNTS {
        let ratio = (f64::from(SLICES) - (count - 1) as f64) / count as f64 * (goal / none);
        chances[count] = if count + 1 == COUNTS { rest } else { (chances[count - 1] * ratio).min(rest) };
        rest = (rest - chances[count]).max(0.0);
    }
    chances
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_add_up_and_favour_the_stronger_side() {
        let outlook = Outlook::new([1.6, 1.0]);
        let result = outlook.result([0, 0]);
        assert!((result.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(result[0] > result[2] && result[1] > 0.2);
        // Poisson: 1 - e^-2.6 (1 + 2.6 + 3.38) = 0.4816.
        assert!((outlook.over_line([0, 0], 2) - 0.4816).abs() < 0.01);
        assert!((outlook.both_score([0, 0]) - 0.798 * 0.632).abs() < 0.01);
        assert!(outlook.over_line([0, 0], 2) < outlook.over_line([1, 0], 2));
    }

    #[test]
    fn what_is_decided_is_exactly_so() {
        let outlook = Outlook::new([0.3, 0.2]);
        assert_eq!(outlook.over_line([2, 1], 2), 1.0);
        assert_eq!(outlook.both_score([1, 1]), 1.0);
        assert_eq!(outlook.final_score([1, 0], [0, 0]), 0.0);
        let over = Outlook::over();
        assert_eq!(over.result([2, 1]), [1.0, 0.0, 0.0]);
        assert_eq!(over.final_score([2, 1], [2, 1]), 1.0);
        assert_eq!(over.both_score([2, 0]), 0.0);
        assert_eq!(over.over_line([2, 0], 2), 0.0);
    }
}
