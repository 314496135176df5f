//! One table of numbered levels: the venue says "level 2 is now 3.5 with 12.00", never that a price has left.

use oddswire_model::Price;

/// Highest level number taken. The stream sends ten levels at most; the bound keeps a table small whatever comes.
const MAX_LEVEL: f64 = 99.0;

/// What stands on each level of one ladder, lowest level first.
#[derive(Debug, Clone, Default)]
pub(super) struct LevelTable {
    levels: Vec<Level>,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    number: u8,
    price: Price,
    volume: u64,
}

impl LevelTable {
    /// Puts something on a level; `None` clears it.
    pub(super) fn set(&mut self, number: u8, content: Option<(Price, u64)>) {
        let at = self.levels.binary_search_by_key(&number, |level| level.number);
        match (at, content) {
            (Ok(at), Some((price, volume))) => self.levels[at] = Level { number, price, volume },
            (Err(at), Some((price, volume))) => self.levels.insert(at, Level { number, price, volume }),
            (Ok(at), None) => {
                self.levels.remove(at);
            }
            (Err(_), None) => {}
        }
    }

    /// The table as a ladder. While the venue moves a price from one level to another, it may stand on both;
    /// the lower level is the newer and counts.
    pub(super) fn rungs(&self) -> Vec<(Price, u64)> {
        let mut rungs: Vec<(Price, u64)> = Vec::with_capacity(self.levels.len());
        for level in &self.levels {
            if !rungs.iter().any(|&(price, _)| price == level.price) {
                rungs.push((level.price, level.volume));
            }
        }
        rungs
    }

    /// Whether no level holds anything.
    pub(super) fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Forgets all levels.
    pub(super) fn clear(&mut self) {
        self.levels.clear();
    }
}

/// The number of a level, when it is one.
pub(super) fn level_number(value: f64) -> Option<u8> {
    (value.fract() == 0.0 && (0.0..=MAX_LEVEL).contains(&value)).then_some(value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_equal_prices_counts() {
        let mut table = LevelTable::default();
        table.set(1, Some((Price(30_000), 5)));
        table.set(0, Some((Price(30_000), 7)));
        table.set(2, Some((Price(20_000), 9)));
        assert_eq!(table.rungs(), [(Price(30_000), 7), (Price(20_000), 9)]);
        table.set(0, None);
        table.set(7, None);
        assert_eq!(table.rungs(), [(Price(30_000), 5), (Price(20_000), 9)]);
        table.clear();
        assert!(table.is_empty() && table.rungs().is_empty());
    }

    #[test]
    fn level_numbers_are_small_whole_numbers() {
        assert_eq!(level_number(9.0), Some(9));
        for value in [-1.0, 0.5, 100.0, f64::NAN, f64::INFINITY] {
            assert_eq!(level_number(value), None);
        }
    }
}
