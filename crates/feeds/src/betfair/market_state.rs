//! One market of the stream: what its changes say, and what has to be remembered to read them.

use oddswire_model::{Field, MarketId, MarketUpdate, SelectionKey};

use super::{
    MarketChange, Number, PriceSize, Row, RunnerChange,
    definition::take_definition,
    draft::Draft,
    levels::Levels,
    names::Names,
    number::{PriceScale, selection_key},
    price_ladder::price_ladder,
};

/// What a later message about a market cannot be read without.
#[derive(Debug)]
pub(super) struct MarketState {
    id: MarketId,
    scale: PriceScale,
    levels: Levels,
}

impl MarketState {
    pub(super) fn new(id: MarketId) -> Self {
        Self { id, scale: PriceScale::default(), levels: Levels::default() }
    }

    /// What a change says about the market, `None` when that is nothing, and how many values could not be taken.
    pub(super) fn update(&mut self, change: &MarketChange, names: &mut Names) -> (Option<MarketUpdate>, u64) {
        let mut draft = Draft::new(self.id.clone());
        if change.image {
            draft.market().image = true;
            self.levels.reset();
        }
        if let Some(definition) = &change.definition {
            take_definition(definition, names, &mut draft);
            self.scale = price_ladder(definition).into();
        }
        if let Some(volume) = change.traded_volume
            && let Some(cents) = draft.taken(volume.volume())
        {
            draft.market().fields.push((Field::MarketTradedVolume, cents));
        }
        self.take_runners(&change.runners, &mut draft);
        draft.finish()
    }

    fn take_runners(&mut self, runners: &[RunnerChange], draft: &mut Draft) {
        for runner in runners {
            if let Some(key) = draft.taken(selection_key(runner.id, runner.handicap)) {
                self.take_values(key, runner, draft);
                self.take_ladders(key, runner, draft);
            }
        }
        self.levels.take(runners, self.scale, draft);
    }

    fn take_values(&self, key: SelectionKey, runner: &RunnerChange, draft: &mut Draft) {
        let values = [
            (Field::LastTraded, runner.last_traded.map(|number| number.price(self.scale))),
            (Field::TradedVolume, runner.traded_volume.map(Number::volume)),
            (Field::NearPrice, runner.near_price.map(Number::starting_price)),
            (Field::FarPrice, runner.far_price.map(Number::starting_price)),
        ];
        // The entry is made even when it stays empty: the runner is there, whatever it is worth.
        draft.selection(key);
        for (field, value) in values {
            if let Some(value) = value
                && let Some(value) = draft.taken(value)
            {
                draft.selection(key).fields.push((field, value));
            }
        }
    }

    fn take_ladders(&self, key: SelectionKey, runner: &RunnerChange, draft: &mut Draft) {
        let ladders: [(Field, &[PriceSize]); 5] = [
            (Field::Back, &runner.back),
            (Field::Lay, &runner.lay),
            (Field::Traded, &runner.traded),
            (Field::SpBack, &runner.sp_back),
            (Field::SpLay, &runner.sp_lay),
        ];
        for (field, rows) in ladders {
            if rows.is_empty() {
                continue;
            }
            let mut skipped = 0;
            let rungs = &mut draft.ladder(key, field).rungs;
            rungs.reserve(rows.len());
            for &Row([price, size]) in rows {
                match self.scale.rung(price, size) {
                    Some(rung) => rungs.push(rung),
                    None => skipped += 1,
                }
            }
            draft.skip(skipped);
        }
    }
}

#[cfg(test)]
mod tests {
    use oddswire_model::{Handicap, Price, SelectionId};

    use super::*;

    fn market() -> MarketState {
        MarketState::new(MarketId::new("1.1").unwrap())
    }

    /// What a change comes to, and how many values it skips.
    fn take(market: &mut MarketState, change: &str) -> (MarketUpdate, u64) {
        let (update, skipped) = market.update(&serde_json::from_str(change).unwrap(), &mut Names::default());
        (update.unwrap(), skipped)
    }

    #[test]
    fn runner_values_become_fields_and_null_is_no_change() {
        let change = r#"{"rc":[{"id":7,"hc":0,"ltp":2.5,"tv":12.34,"spn":"Infinity","spf":"NaN"},
            {"id":7,"hc":null,"ltp":null,"tv":null,"spn":null},{"id":7,"hc":-0.25,"ltp":3}]}"#;
        let (update, skipped) = take(&mut market(), change);
        let [plain, handicap] = &update.selections[..] else { panic!("two selections") };
        let key = SelectionKey { id: SelectionId(7), handicap: Handicap::NONE };
        assert_eq!((plain.key, skipped), (key, 0));
        assert_eq!(
            plain.fields,
            [
                (Field::LastTraded, 25_000),
                (Field::TradedVolume, 1_234),
                (Field::NearPrice, u64::from(Price::INFINITE.0)),
                (Field::FarPrice, 0),
            ]
        );
        assert_eq!(handicap.key, SelectionKey { handicap: Handicap(-250), ..key });
    }

    #[test]
    fn price_ladders_are_taken_as_they_come() {
        let change = r#"{"rc":[{"id":7,"atb":[[2.5,10],[2.4,0]],"atl":[[2.6,0.004]],"trd":[[2.5,3]],
            "spb":[[1000,1]],"spl":[[1.01,2]]},{"id":7,"atb":[[2.3,4]]}]}"#;
        let (update, _) = take(&mut market(), change);
        let ladders = &update.selections[0].ladders;
        assert!(ladders.iter().all(|ladder| !ladder.replace));
        let rungs: Vec<_> = ladders.iter().map(|ladder| (ladder.field, &ladder.rungs[..])).collect();
        assert_eq!(
            rungs,
            [
                (Field::Back, &[(Price(25_000), 1_000), (Price(24_000), 0), (Price(23_000), 400)][..]),
                (Field::Lay, &[(Price(26_000), 0)]),
                (Field::Traded, &[(Price(25_000), 300)]),
                (Field::SpBack, &[(Price(10_000_000), 100)]),
                (Field::SpLay, &[(Price(10_100), 200)]),
            ]
        );
    }

    #[test]
    fn what_makes_no_sense_is_skipped_and_counted_and_the_rest_is_kept() {
        let change = r#"{"tv":"lots","rc":[{"id":-7,"ltp":2},{"ltp":2},{"id":8,"hc":"x","ltp":2},
            {"id":18446744073709551616,"batb":[[0,2,2]]},
            {"id":7,"ltp":1.0,"tv":-1,"spn":-2,"spf":{"a":1},"atb":[[1,5],[2.5],[2.4,6]]}]}"#;
        let (update, skipped) = take(&mut market(), change);
        let [selection] = &update.selections[..] else { panic!("one selection") };
        assert!(update.fields.is_empty() && selection.fields.is_empty());
        assert_eq!(selection.ladders[0].rungs, [(Price(24_000), 600)]);
        assert_eq!(skipped, 1 + 4 + 4 + 2);
    }

    #[test]
    fn a_line_market_has_prices_below_one() {
        let definition = r#"{"status":"OPEN","priceLadderDefinition":{"type":"LINE_RANGE"}}"#;
        let rc = r#"[{"id":7,"ltp":0.5,"atb":[[0.5,2]]}]"#;
        let mut market = market();
        let (update, skipped) =
            take(&mut market, &format!(r#"{{"marketDefinition":{definition},"rc":{rc}}}"#));
        assert_eq!((update.selections[0].ladders[0].rungs[0], skipped), ((Price(5_000), 200), 0));
        let (update, skipped) = take(&mut market, r#"{"rc":[{"id":7,"ltp":1}]}"#);
        assert_eq!((update.selections[0].fields[0], skipped), ((Field::LastTraded, 10_000), 0));
    }

    #[test]
    fn an_image_is_one_even_when_it_holds_nothing() {
        let (update, _) = take(&mut market(), r#"{"img":true}"#);
        assert!(update.image && !update.complete_definition && update.selections.is_empty());
    }

    #[test]
    fn a_runner_of_definition_and_prices_stands_in_the_update_once() {
        let definition = r#"{"runners":[{"id":7,"status":"WINNER","name":"Ann"}]}"#;
        let change = format!(r#"{{"marketDefinition":{definition},"rc":[{{"id":7,"ltp":2}}]}}"#);
        let (update, _) = take(&mut market(), &change);
        assert!(update.complete_definition);
        let [selection] = &update.selections[..] else { panic!("one selection") };
        assert_eq!(selection.fields, [(Field::SelectionStatus, 1), (Field::LastTraded, 20_000)]);
        assert_eq!(selection.attributes.len(), 1);
    }
}
