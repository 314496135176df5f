//! A market simulator: football, tennis and horse racing that never end, for demos and for tests.
//!
//! It has no clock and no chance of its own. Time is what the commits say, and everything follows from the seed:
//! the same configuration gives the same commits on every machine. Prices follow from an inner model of each game,
//! with a margin on the sportsbook's side and a moving order book on the exchange's. Whoever wants them live hands each
//! commit on when its `published_ms` has come.
//!
//! It does not try to be fair to bettors, nor to repeat any recorded market; it moves like them.
//!
//! ```
//! use oddswire_feeds::simulator::{Simulator, SimulatorConfig};
//!
//! let mut simulator = Simulator::new(SimulatorConfig::small(7));
//! let first = simulator.next_commit();
//! assert!(first.markets.iter().all(|market| market.image && market.complete_definition));
//! assert!(simulator.take(100).all(|commit| commit.published_ms >= first.published_ms));
//! ```

mod book_side;
mod calendar;
mod exchange_book;
mod exchange_market;
mod fixture;
mod football;
mod football_books;
mod football_match;
mod football_model;
mod market_life;
mod name_lists;
mod names;
mod race_market;
mod racing;
mod racing_model;
mod random;
mod schedule;
mod sportsbook;
mod stakes;
mod starting_price;
mod tennis;
mod tennis_markets;
mod tennis_model;
mod tennis_score;
#[cfg(test)]
mod tests;
mod ticks;

use std::fmt;

use oddswire_model::Commit;

use fixture::{Entry, Fixture, Setting};
use random::Random;
use schedule::{NEVER, Schedule};

/// What is simulated. Values out of range are brought into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatorConfig {
    /// Everything that happens follows from it.
    pub seed: u64,
    /// When the simulation starts, milliseconds since 1970 in UTC.
    pub start_ms: u64,
    /// Football matches at a time, five markets each; at most [`SimulatorConfig::MAX_FIXTURES`].
    pub football: usize,
    /// Tennis matches at a time, three open markets each; at most [`SimulatorConfig::MAX_FIXTURES`].
    pub tennis: usize,
    /// Races at a time, two markets each; at most [`SimulatorConfig::MAX_FIXTURES`].
    /// When there is nothing of any sport, one race is run.
    pub racing: usize,
    /// How many times faster than real the games are played, 1 to 60. Messages do not come faster.
    pub pace: u32,
    /// Message rate in percent of the usual, 1 to 10,000.
    pub activity_percent: u32,
}

impl SimulatorConfig {
    /// Most fixtures of one sport at a time: a hundred times a busy Saturday's.
    pub const MAX_FIXTURES: usize = 4_096;
    /// Latest start: the year 9999, past which ISO 8601 has no dates.
    pub const MAX_START_MS: u64 = 253_370_764_800_000;

    /// A handful of markets whose fixtures are over in minutes, for tests.
    pub fn small(seed: u64) -> Self {
        Self { seed, football: 1, tennis: 1, racing: 1, pace: 20, ..Self::default() }
    }
}

impl Default for SimulatorConfig {
    /// More than 200 markets in play at once, at the pace of real games, from noon of 2026-01-10 on.
    fn default() -> Self {
        let start_ms = 1_768_046_400_000;
        Self { seed: 1, start_ms, football: 42, tennis: 22, racing: 8, pace: 1, activity_percent: 100 }
    }
}

/// Makes commits without end.
///
/// The first commits bring the markets of the first fixtures into being, as images with complete definitions, within
/// seconds of simulated time; fixtures that end are replaced by new ones with new ids.
pub struct Simulator {
    seed: u64,
    pace: u64,
    activity_percent: u32,
    fixtures: Vec<(Sport, Box<dyn Fixture + Send>)>,
    /// Number of the next fixture of each sport.
    numbers: [u64; 3],
    schedule: Schedule,
    random: Random,
}

#[derive(Debug, Clone, Copy)]
enum Sport {
    Football,
    Tennis,
    Racing,
}

impl Simulator {
    /// Time between the first commits of two fixtures when the simulation starts.
    const OPENING_STEP_MS: u64 = 25;

    /// A simulation before its first commit.
    pub fn new(config: SimulatorConfig) -> Self {
        let count = |fixtures: usize| fixtures.min(SimulatorConfig::MAX_FIXTURES);
        let (football, tennis, racing) = (count(config.football), count(config.tennis), count(config.racing));
        let racing = if football + tennis == 0 { racing.max(1) } else { racing };
        let mut simulator = Self {
            seed: config.seed,
            pace: u64::from(config.pace.clamp(1, 60)),
            activity_percent: config.activity_percent.clamp(1, 10_000),
            fixtures: Vec::new(),
            numbers: [1; 3],
            schedule: Schedule::default(),
            random: Random::from_seed(config.seed),
        };
        let sports = [(Sport::Football, football), (Sport::Tennis, tennis), (Sport::Racing, racing)];
        let mut created_ms = config.start_ms.min(SimulatorConfig::MAX_START_MS);
        for (sport, count) in sports {
            for _ in 0..count {
                let fixture = simulator.make(sport, created_ms, Entry::UnderWay);
                simulator.schedule.add(fixture.next_ms(), simulator.fixtures.len());
                simulator.fixtures.push((sport, fixture));
                created_ms += Self::OPENING_STEP_MS;
            }
        }
        simulator
    }

    /// The next commit. Times never go back; most commits touch one market, some a whole fixture.
    pub fn next_commit(&mut self) -> Commit {
        let mut commit = Commit::default();
        while commit.markets.is_empty() {
            let Some((now_ms, position)) = self.schedule.next() else { break };
            commit.published_ms = now_ms;
            let (sport, fixture) = &mut self.fixtures[position];
            let sport = *sport;
            fixture.advance(now_ms, &mut commit.markets);
            if fixture.next_ms() == NEVER {
                let created_ms = now_ms + self.random.between(5_000, 60_000) / self.pace;
                self.fixtures[position].1 = self.make(sport, created_ms, Entry::Announced);
            }
            self.schedule.add(self.fixtures[position].1.next_ms(), position);
        }
        commit
    }

    fn make(&mut self, sport: Sport, created_ms: u64, entry: Entry) -> Box<dyn Fixture + Send> {
        let setting = Setting { created_ms, entry, pace: self.pace, activity_percent: self.activity_percent };
        let number = self.numbers[sport as usize];
        self.numbers[sport as usize] += 1;
        // Fixtures of different sports draw from different streams although their numbers are the same.
        let random = Random::for_number(self.seed, number * 3 + sport as u64);
        match sport {
            Sport::Football => Box::new(football::Football::new(number, setting, random)),
            Sport::Tennis => Box::new(tennis::Tennis::new(number, setting, random)),
            Sport::Racing => Box::new(racing::Racing::new(number, setting, random)),
        }
    }
}

impl Iterator for Simulator {
    type Item = Commit;

    /// Never `None`.
    fn next(&mut self) -> Option<Commit> {
        Some(self.next_commit())
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("seed", &self.seed)
            .field("fixtures", &self.fixtures.len())
            .finish_non_exhaustive()
    }
}
