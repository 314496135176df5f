//! Commits to publish.

use oddswire_model::{
    Commit, Field, Handicap, LadderUpdate, MarketId, MarketStatus, MarketUpdate, Price, SelectionId,
    SelectionKey, SelectionUpdate,
};
use oddswire_store::Store;

/// Markets that the commits of [`change`] go round.
pub(crate) const MARKETS: u64 = 20;

pub(crate) fn id(number: u64) -> MarketId {
    MarketId::new(&format!("1.{number}")).unwrap()
}

/// An image of one market, open, with one rung.
pub(crate) fn image(number: u64) -> Commit {
    let mut commit = change(number, 100);
    let update = &mut commit.markets[0];
    update.image = true;
    update.fields.push((Field::Status, MarketStatus::Open as u64));
    commit
}

/// A change of two rungs in one market; no two steps say the same.
pub(crate) fn change(number: u64, step: u64) -> Commit {
    let rung = |at: u64| Price(10_100 + ((step + at) % 80) as u32 * 100);
    let mut selection = SelectionUpdate::new(SelectionKey { id: SelectionId(7), handicap: Handicap::NONE });
    selection.ladders.push(LadderUpdate {
        field: Field::Back,
        replace: false,
        rungs: vec![(rung(0), step), (rung(41), step + 1)],
    });
    let mut update = MarketUpdate::new(id(number));
    update.selections.push(selection);
    Commit { published_ms: step, markets: vec![update] }
}

/// Odds of 1.0, which every store refuses.
pub(crate) fn refusable(number: u64) -> Commit {
    let mut commit = change(number, 1);
    commit.markets[0].selections[0].ladders[0].rungs[0].0 = Price::ONE;
    commit
}

/// The store as it must be after [`change`]s 1 to `steps` went round the markets.
pub(crate) fn expected(steps: u64) -> Store {
    let mut store = Store::new(oddswire_model::Epoch(7));
    for step in 1..=steps {
        store.commit(&change(step % MARKETS, step)).unwrap();
    }
    store
}
