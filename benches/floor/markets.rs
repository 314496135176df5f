//! Markets that change a little each round.

use oddswire_model::{
    Commit, Field, Handicap, LadderUpdate, MarketId, MarketUpdate, Price, PriceLadder, SelectionId,
    SelectionKey, SelectionUpdate, split_mix,
};

/// As in the published comparisons: 200 topics.
pub(crate) const MARKETS: usize = 200;
const PUBLISHED_MS: u64 = 1_700_000_000_000;

pub(crate) fn id(market: usize) -> MarketId {
    MarketId::new(&format!("1.{market}")).expect("an id")
}

/// A small exchange market: three runners, five rungs a side.
pub(crate) fn image(market: usize) -> Commit {
    let mut update = MarketUpdate::new(id(market));
    update.image = true;
    update.fields.push((Field::Status, 1));
    update.fields.push((Field::PriceLadder, PriceLadder::Betfair.to_code()));
    for runner in 0..3 {
        let mut selection = selection(runner);
        for (field, first) in [(Field::Back, 20_000), (Field::Lay, 24_000)] {
            let rungs = (0..5).map(|rung| (Price(first + rung * 200), 1_000 + u64::from(rung))).collect();
            selection.ladders.push(LadderUpdate { field, replace: true, rungs });
        }
        update.selections.push(selection);
    }
    Commit { published_ms: PUBLISHED_MS, markets: vec![update] }
}

/// The first so many markets each change five cells.
pub(crate) fn change(changing: usize, turn: u64) -> Commit {
    let markets = (0..changing).map(|market| {
        let mut update = MarketUpdate::new(id(market));
        let mut selection = selection(turn % 3);
        let cents = 1_000 + (turn * 37 + market as u64) % 5_000;
        let rung = |first: u32, at: u64| Price(first + (at % 4) as u32 * 200);
        let back = vec![(rung(20_000, turn), cents), (rung(20_200, turn), cents + 1)];
        let lay = vec![(rung(24_000, turn), cents), (rung(24_200, turn), cents + 2)];
        selection.ladders.push(LadderUpdate { field: Field::Back, replace: false, rungs: back });
        selection.ladders.push(LadderUpdate { field: Field::Lay, replace: false, rungs: lay });
        selection.fields.push((Field::LastTraded, u64::from(rung(20_000, turn).0)));
        update.selections.push(selection);
        update
    });
    Commit { published_ms: PUBLISHED_MS + turn * 100, markets: markets.collect() }
}

fn selection(runner: u64) -> SelectionUpdate {
    SelectionUpdate::new(SelectionKey { id: SelectionId(runner), handicap: Handicap::NONE })
}

/// The markets that a connection of its own set follows: one at random of each stretch, so that no two sets are equal.
pub(crate) fn own_set(connection: usize, own: usize, markets: usize) -> impl Iterator<Item = usize> {
    let step = markets / own;
    let mut state = connection as u64;
    (0..own).map(move |at| at * step + split_mix(&mut state) as usize % step)
}
