//! Invented names. Any likeness to a real club, player, horse or course is chance.

use super::{
    name_lists::{
        COURSES, Competition, FAMILY_NAMES, FIRST_NAMES, GROUNDS, HORSE_FIRST, HORSE_SECOND, LEAGUES,
        RACE_CONDITIONS, SUFFIXES, TOURNAMENTS, TOWNS,
    },
    random::Random,
};

/// A name with its number, which serves as an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) number: u64,
    pub(super) name: String,
}

/// A football team: the towns first, and once they are used up the same towns with another suffix, so that fixtures
/// played at the same time never share a team.
fn team(number: u64) -> Named {
    let town = pick(&TOWNS, number);
    let round = number / TOWNS.len() as u64;
    let suffix = pick(&SUFFIXES, number * 7 + round);
    let number = number % (TOWNS.len() * SUFFIXES.len()) as u64;
    Named { number, name: format!("{town} {suffix}") }
}

/// Home and away team of a football fixture. Neighbours meet others each time, and never a team of their own town.
pub(super) fn football_pair(fixture: u64) -> [Named; 2] {
    const HALF: u64 = (TOWNS.len() * SUFFIXES.len()) as u64 / 2;
    [team(fixture % HALF), team(HALF + (7 * (fixture % HALF) + 1) % HALF)]
}

/// The players of a tennis fixture.
pub(super) fn tennis_pair(fixture: u64) -> [Named; 2] {
    const HALF: u64 = 250;
    [player(fixture % HALF), player(HALF + (7 * (fixture % HALF) + 1) % HALF)]
}

/// Where a team plays at home.
pub(super) fn ground(team: u64) -> String {
    format!("{} {}", pick(&TOWNS, team), pick(&GROUNDS, team / 3))
}

/// A tennis player.
fn player(number: u64) -> Named {
    let first = pick(&FIRST_NAMES, number * 5 + number / FAMILY_NAMES.len() as u64);
    let family = pick(&FAMILY_NAMES, number);
    let number = number % (FIRST_NAMES.len() * FAMILY_NAMES.len()) as u64;
    Named { number, name: format!("{first} {family}") }
}

/// Horses of one race, no two alike.
pub(super) fn horses(count: usize, random: &mut Random) -> Vec<Named> {
    let all = (HORSE_FIRST.len() * HORSE_SECOND.len()) as u64;
    let start = random.below(all);
    // A step without a common factor with the number of names meets each of them once before it repeats.
    let step = 2 * random.below(20) + 101;
    let step = if step.is_multiple_of(5) { step + 2 } else { step };
    (0..count as u64)
        .map(|at| {
            let number = (start + at * step) % all;
            let first = pick(&HORSE_FIRST, number);
            let second = pick(&HORSE_SECOND, number / HORSE_FIRST.len() as u64);
            Named { number, name: format!("{first} {second}") }
        })
        .collect()
}

/// A racecourse.
pub(super) fn course(number: u64) -> &'static str {
    pick(&COURSES, number)
}

/// Where a tournament's matches are played.
pub(super) fn court(number: u64) -> String {
    format!("Court {}", number % 9 + 1)
}

/// A football competition.
pub(super) fn league(number: u64) -> Competition {
    pick(&LEAGUES, number)
}

/// A tennis competition.
pub(super) fn tournament(number: u64) -> Competition {
    pick(&TOURNAMENTS, number)
}

/// A race's conditions, as its market is called.
pub(super) fn race_conditions(number: u64) -> &'static str {
    pick(&RACE_CONDITIONS, number)
}

fn pick<T: Copy, const N: usize>(list: &[T; N], number: u64) -> T {
    list[(number % N as u64) as usize]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_race_never_names_a_horse_twice() {
        let mut random = Random::from_seed(3);
        for _ in 0..200 {
            let horses = horses(16, &mut random);
            let names: BTreeSet<_> = horses.iter().map(|horse| horse.name.clone()).collect();
            let numbers: BTreeSet<_> = horses.iter().map(|horse| horse.number).collect();
            assert_eq!((names.len(), numbers.len()), (16, 16));
        }
    }

    #[test]
    fn fixtures_in_a_row_share_no_team_and_no_player() {
        let names = |pair: fn(u64) -> [Named; 2], fixtures| -> BTreeSet<String> {
            (0..fixtures).flat_map(pair).map(|named| named.name).collect()
        };
        assert_eq!(names(football_pair, 330).len(), 660);
        assert_eq!(names(tennis_pair, 250).len(), 500);
    }
}
