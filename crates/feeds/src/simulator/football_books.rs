//! The sportsbook markets of a football fixture.

use oddswire_model::{Handicap, MarketUpdate, SelectionId, SelectionKey};

use super::{
    fixture::{FixtureCard, plain_key},
    football_model::{Outlook, Score},
    market_life::MarketLife,
    names::Named,
    random::Random,
    sportsbook::SportsbookMarket,
};

/// How many markets [`all`] makes.
pub(super) const COUNT: usize = 4;

/// Lines of the over/under market: 0.5 to 4.5 goals.
const LINES: u32 = 5;
/// Correct scores are told apart up to this many goals a side; everything else is "any other".
const MOST_GOALS: u32 = 3;

/// Ids of selections that are the same in every match; teams have theirs from 1,000 on.
const DRAW: u64 = 1;
const OVER: u64 = 11;
const UNDER: u64 = 12;
const YES: u64 = 21;
const NO: u64 = 22;
const SCORES: u64 = 100;
const ANY_OTHER_SCORE: u64 = 199;
const TEAMS: u64 = 1_000;

/// A sportsbook market with what it is about.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) market: SportsbookMarket,
    subject: Subject,
}

#[derive(Debug, Clone, Copy)]
enum Subject {
    Result,
    Lines,
    BothScore,
    CorrectScore,
}

/// Home, draw and away as selections.
pub(super) fn sides(home: &Named, away: &Named) -> [(SelectionKey, String); 3] {
    let team = |team: &Named| (plain_key(TEAMS + team.number), team.name.clone());
    [team(home), (plain_key(DRAW), "The Draw".to_owned()), team(away)]
}

/// All sportsbook markets of a fixture.
pub(super) fn all(fixture: &str, sides: &[(SelectionKey, String); 3]) -> Vec<Book> {
    let life = |suffix, market_type, name| MarketLife::new(fixture, suffix, market_type, name);
    let lines = (0..LINES).flat_map(|line| {
        let at = |id| SelectionKey { id: SelectionId(id), handicap: Handicap(line as i32 * 1_000 + 500) };
        [(at(OVER), format!("Over {line}.5 Goals")), (at(UNDER), format!("Under {line}.5 Goals"))]
    });
    let scores = final_scores()
        .map(|[home, away]| (plain_key(SCORES + u64::from(home * 10 + away)), format!("{home} - {away}")));
    let any_other = (plain_key(ANY_OTHER_SCORE), "Any Other Score".to_owned());
    let yes_no = [(plain_key(YES), "Yes".to_owned()), (plain_key(NO), "No".to_owned())];
    vec![
        Book {
            market: SportsbookMarket::new(
                life("1x2", "MATCH_ODDS_BOOK", "Match Result"),
                0.05,
                sides.clone(),
            ),
            subject: Subject::Result,
        },
        Book {
            market: SportsbookMarket::new(life("ou", "OVER_UNDER", "Total Goals"), 0.06, lines),
            subject: Subject::Lines,
        },
        Book {
            market: SportsbookMarket::new(
                life("btts", "BOTH_TEAMS_TO_SCORE", "Both Teams to Score"),
                0.06,
                yes_no,
            ),
            subject: Subject::BothScore,
        },
        Book {
            market: SportsbookMarket::new(
                life("cs", "CORRECT_SCORE", "Correct Score"),
                0.14,
                scores.chain([any_other]),
            ),
            subject: Subject::CorrectScore,
        },
    ]
}

impl Book {
    /// Time between two looks at the price in play.
    pub(super) fn mean_ms(&self) -> u64 {
        match self.subject {
            Subject::Result => 600,
            Subject::Lines => 600,
            Subject::BothScore => 700,
            Subject::CorrectScore => 650,
        }
    }

    pub(super) fn announce(
        &mut self,
        card: &FixtureCard,
        caption: &str,
        in_play: bool,
        outlook: &Outlook,
        score: Score,
    ) -> Option<MarketUpdate> {
        self.market.announce(card, caption, in_play, &self.subject.chances(outlook, score))
    }

    pub(super) fn quote(
        &mut self,
        outlook: &Outlook,
        score: Score,
        random: &mut Random,
    ) -> Option<MarketUpdate> {
        if !self.market.life.is_open() {
            return None;
        }
        self.market.quote(&self.subject.chances(outlook, score), random)
    }

    pub(super) fn reopen(&mut self, outlook: &Outlook, score: Score) -> Option<MarketUpdate> {
        self.market.reopen(&self.subject.chances(outlook, score), true)
    }

    pub(super) fn settle(&mut self, outlook: &Outlook, score: Score) -> Option<MarketUpdate> {
        self.market.settle(&self.subject.chances(outlook, score))
    }
}

impl Subject {
    /// Chances of the selections, in their order.
    fn chances(self, outlook: &Outlook, score: Score) -> Vec<f64> {
        match self {
            Self::Result => outlook.result(score).to_vec(),
            Self::Lines => (0..LINES)
                .flat_map(|line| {
                    let over = outlook.over_line(score, line);
                    [over, 1.0 - over]
                })
                .collect(),
            Self::BothScore => {
                let both = outlook.both_score(score);
                vec![both, 1.0 - both]
            }
            Self::CorrectScore => {
                let mut chances: Vec<f64> =
                    final_scores().map(|wanted| outlook.final_score(score, wanted)).collect();
                let passed = score.iter().any(|&goals| goals > MOST_GOALS);
                // The rest of the sum may come out a hair under zero, which would read as "lost".
                let other = if passed { 1.0 } else { (1.0 - chances.iter().sum::<f64>()).max(1e-6) };
                chances.push(other);
                chances
            }
        }
    }
}

fn final_scores() -> impl Iterator<Item = Score> {
    (0..=MOST_GOALS).flat_map(|home| (0..=MOST_GOALS).map(move |away| [home, away]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::names;

    #[test]
    fn a_line_market_has_the_same_selection_at_several_handicaps() {
        let [home, away] = names::football_pair(0);
        let books = all("sim.f0", &sides(&home, &away));
        assert_eq!(books.len(), COUNT);
        let outlook = Outlook::new([1.5, 1.2]);
        for (book, selections) in books.iter().zip([3, 2 * LINES as usize, 2, 17]) {
            let chances = book.subject.chances(&outlook, [0, 0]);
            assert_eq!(chances.len(), selections);
            assert!(
                chances.iter().all(|chance| (0.0..1.0).contains(chance)),
                "{:?} {chances:?}",
                book.subject
            );
        }
    }
}
