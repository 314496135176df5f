//! Ladders that come as numbered levels, and whether they count.
//!
//! The best levels (`batb`, `batl`) are a shorter form of the full ladders (`atb`, `atl`). A stream that sends both
//! says everything twice, so the levels count only in markets without full ladders. The displayed levels (`bdatb`,
//! `bdatl`) hold virtual bets and always count.

use std::collections::HashMap;

use oddswire_model::{Field, LadderUpdate, SelectionKey};

use super::{
    LevelPriceSize, Row, RunnerChange,
    draft::Draft,
    level_table::{LevelTable, level_number},
    number::{PriceScale, selection_key},
};

/// The four ladders that come as levels, in the order of their tables.
const LEVEL_LADDERS: [Field; 4] = [Field::Back, Field::Lay, Field::DisplayBack, Field::DisplayLay];

/// What stands on the numbered levels of a market's runners.
#[derive(Debug, Default)]
pub(super) struct Levels {
    /// Full ladders have come since the last image.
    full_depth: bool,
    tables: HashMap<SelectionKey, [LevelTable; LEVEL_LADDERS.len()]>,
}

impl Levels {
    /// Forgets everything, because an image begins.
    pub(super) fn reset(&mut self) {
        self.full_depth = false;
        self.tables.clear();
    }

    /// Takes what a change says about levels, and puts the ladders that come of it into the draft.
    pub(super) fn take(&mut self, runners: &[RunnerChange], scale: PriceScale, draft: &mut Draft) {
        // One full ladder anywhere makes the whole market full depth, so all runners are looked at first.
        let is_full = |runner: &RunnerChange| !(runner.back.is_empty() && runner.lay.is_empty());
        if !self.full_depth && runners.iter().any(is_full) {
            self.full_depth = true;
            self.drop_best_levels(draft);
        }
        let mut touched = Vec::new();
        for runner in runners {
            if let Some(key) = selection_key(runner.id, runner.handicap) {
                self.take_runner(key, runner, scale, draft, &mut touched);
            }
        }
        // Levels become ladders at the end, because a runner may stand in a change several times.
        for (key, table) in touched {
            let field = LEVEL_LADDERS[table];
            let rungs = self.tables.get(&key).map(|tables| tables[table].rungs()).unwrap_or_default();
            *draft.ladder(key, field) = LadderUpdate { field, replace: true, rungs };
        }
    }

    /// From here on the full ladders count. What the best levels had put there goes away, all at once: nothing
    /// would ever take it away later.
    fn drop_best_levels(&mut self, draft: &mut Draft) {
        for (&key, tables) in &mut self.tables {
            for (table, field) in tables.iter_mut().zip(LEVEL_LADDERS) {
                if matches!(field, Field::Back | Field::Lay) && !table.is_empty() {
                    table.clear();
                    draft.ladder(key, field).replace = true;
                }
            }
        }
    }

    fn take_runner(
        &mut self,
        key: SelectionKey,
        runner: &RunnerChange,
        scale: PriceScale,
        draft: &mut Draft,
        touched: &mut Vec<(SelectionKey, usize)>,
    ) {
        let changes: [&[LevelPriceSize]; LEVEL_LADDERS.len()] =
            [&runner.best_back, &runner.best_lay, &runner.display_back, &runner.display_lay];
        for (table, rows) in changes.into_iter().enumerate() {
            let is_derived = self.full_depth && matches!(LEVEL_LADDERS[table], Field::Back | Field::Lay);
            if rows.is_empty() || is_derived {
                continue;
            }
            let levels = &mut self.tables.entry(key).or_default()[table];
            for &Row([number, price, size]) in rows {
                let Some(number) = draft.taken(level_number(number)) else { continue };
                if price == 0.0 || size == 0.0 {
                    levels.set(number, None);
                    continue;
                }
                // What the level held is not true any more, even when what it holds now cannot be read.
                let rung = draft.taken(scale.rung(price, size));
                levels.set(number, rung.filter(|&(_, volume)| volume > 0));
            }
            if !touched.contains(&(key, table)) {
                touched.push((key, table));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use oddswire_model::{Handicap, MarketId, SelectionId, SelectionUpdate};

    use super::*;
    use crate::betfair::{market_state::MarketState, names::Names};

    fn market() -> MarketState {
        MarketState::new(MarketId::new("1.1").unwrap())
    }

    /// Takes changes one after the other; what the last one says about selections.
    fn take(market: &mut MarketState, changes: &[&str]) -> Vec<SelectionUpdate> {
        let updates = changes.iter().map(|change| {
            let change = serde_json::from_str(change).unwrap();
            market.update(&change, &mut Names::default()).0.unwrap()
        });
        updates.last().unwrap().selections
    }

    fn rc(runners: &str) -> String {
        format!(r#"{{"rc":[{runners}]}}"#)
    }

    fn image(runners: &str) -> String {
        format!(r#"{{"img":true,"rc":[{runners}]}}"#)
    }

    fn key(id: u64) -> SelectionKey {
        SelectionKey { id: SelectionId(id), handicap: Handicap::NONE }
    }

    /// A ladder update: field, replace, and rungs as odds and cents.
    type Plain = (Field, bool, Vec<(f64, u64)>);

    fn ladders(selection: &SelectionUpdate) -> Vec<Plain> {
        let plain = |ladder: &LadderUpdate| {
            let rungs = ladder.rungs.iter().map(|&(price, volume)| (price.to_decimal(), volume)).collect();
            (ladder.field, ladder.replace, rungs)
        };
        selection.ladders.iter().map(plain).collect()
    }

    #[test]
    fn levels_become_whole_ladders() {
        let mut market = market();
        let selections = take(
            &mut market,
            &[
                &rc(r#"{"id":7,"batb":[[1,2.4,5],[0,2.5,6]],"bdatl":[[0,2.6,7]]}"#),
                &rc(r#"{"id":7,"batb":[[0,2.4,5.5]]},{"id":7,"batb":[[2,2.3,1]]}"#),
            ],
        );
        let expected = (Field::Back, true, vec![(2.4, 550), (2.3, 100)]);
        assert_eq!(ladders(&selections[0]), [expected], "level 0 comes before level 1 at the same price");
        let selections =
            take(&mut market, &[&rc(r#"{"id":7,"batb":[[0,0,0],[1,2.4,0],[2,2.3,1]],"bdatl":[[0,0,0]]}"#)]);
        assert_eq!(
            ladders(&selections[0]),
            [(Field::Back, true, vec![(2.3, 100)]), (Field::DisplayLay, true, vec![])]
        );
    }

    #[test]
    fn an_empty_list_says_nothing() {
        let mut market = market();
        let selections = take(
            &mut market,
            &[
                &rc(r#"{"id":7,"batb":[[0,2.5,6]]}"#),
                &rc(r#"{"id":7,"batb":[],"atb":[],"atl":[],"bdatb":[],"ltp":2.5}"#),
            ],
        );
        assert!(selections[0].ladders.is_empty());
        let selections = take(&mut market, &[&rc(r#"{"id":7,"batb":[[1,2.4,6]]}"#)]);
        assert_eq!(
            ladders(&selections[0]),
            [(Field::Back, true, vec![(2.5, 600), (2.4, 600)])],
            "the market is not full depth because of an empty list"
        );
    }

    #[test]
    fn best_levels_are_ignored_where_the_full_ladder_is_sent() {
        let mut market = market();
        let selections = take(
            &mut market,
            &[&image(
                r#"{"id":6,"batl":[[0,3,1]]},{"id":7,"atb":[[2.5,6]],"batb":[[0,2.5,6]],"bdatb":[[0,2.5,8]]}"#,
            )],
        );
        assert!(selections[0].ladders.is_empty(), "the flag is the market's");
        assert_eq!(
            ladders(&selections[1]),
            [(Field::Back, false, vec![(2.5, 600)]), (Field::DisplayBack, true, vec![(2.5, 800)])]
        );
        let selections = take(&mut market, &[&rc(r#"{"id":7,"batb":[[0,2.6,6]]}"#)]);
        assert!(selections[0].ladders.is_empty());
        let selections = take(&mut market, &[&image(r#"{"id":7,"batb":[[0,2.7,6]]}"#)]);
        assert_eq!(ladders(&selections[0]), [(Field::Back, true, vec![(2.7, 600)])], "an image starts anew");
    }

    #[test]
    fn rungs_from_levels_go_away_when_the_full_ladder_begins() {
        let mut market = market();
        let selections = take(
            &mut market,
            &[
                &rc(r#"{"id":6,"batl":[[0,3,1]]},{"id":7,"batb":[[0,2.5,6]],"bdatb":[[0,2.5,8]]}"#),
                &rc(r#"{"id":7,"atb":[[2.4,9]],"batb":[[0,2.4,9]]}"#),
            ],
        );
        let of = |id| selections.iter().find(|selection| selection.key == key(id)).unwrap();
        assert_eq!(ladders(of(6)), [(Field::Lay, true, vec![])]);
        assert_eq!(ladders(of(7)), [(Field::Back, true, vec![(2.4, 900)])]);
        let selections = take(&mut market, &[&rc(r#"{"id":7,"atb":[[2.3,1]]}"#)]);
        assert_eq!(ladders(&selections[0]), [(Field::Back, false, vec![(2.3, 100)])], "only once");
    }

    #[test]
    fn an_image_forgets_the_levels() {
        let mut market = market();
        let selections = take(
            &mut market,
            &[&rc(r#"{"id":7,"batb":[[0,2.5,6],[1,2.4,1]]}"#), &image(r#"{"id":7,"batb":[[1,2.2,3]]}"#)],
        );
        assert_eq!(ladders(&selections[0]), [(Field::Back, true, vec![(2.2, 300)])]);
    }

    #[test]
    fn a_level_that_cannot_be_read_holds_nothing() {
        let selections = take(
            &mut market(),
            &[&rc(r#"{"id":7,"batb":[[0,2.5,6],[1,2.4,1]]}"#), &rc(r#"{"id":7,"batb":[[0,1,6]]}"#)],
        );
        assert_eq!(ladders(&selections[0]), [(Field::Back, true, vec![(2.4, 100)])]);
    }
}
