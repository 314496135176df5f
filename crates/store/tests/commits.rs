//! Commits: whole or not at all, images, definitions, tombstones and limits.

use std::sync::Arc;

use oddswire_model::{
    AttributeValue, Commit, Epoch, Field, Handicap, LadderUpdate, MAX_SELECTIONS, MarketId, MarketStatus,
    MarketUpdate, Price, Revision, SelectionId, SelectionKey, SelectionUpdate, Topic, View, Volume, name,
};
use oddswire_store::{
    HorizonError, MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES, MAX_CHANGES_PER_COMMIT, MAX_MARKETS_PER_COMMIT,
    MAX_RUNGS, Reason, Store,
};

fn key(id: u64) -> SelectionKey {
    SelectionKey { id: SelectionId(id), handicap: Handicap::NONE }
}

fn market(id: &str) -> MarketUpdate {
    MarketUpdate::new(MarketId::new(id).unwrap())
}

fn backs(id: u64, rungs: Vec<(Price, u64)>) -> SelectionUpdate {
    let mut selection = SelectionUpdate::new(key(id));
    selection.ladders.push(LadderUpdate { field: Field::Back, replace: false, rungs });
    selection
}

fn commit(markets: Vec<MarketUpdate>) -> Commit {
    Commit { published_ms: 10, markets }
}

fn text(text: &str) -> Option<AttributeValue> {
    Some(AttributeValue::Text(text.into()))
}

/// One open market with a definition, prices and a fixture.
fn store() -> Store {
    let mut store = Store::new(Epoch(1));
    let mut update = market("1.1");
    update.fields =
        vec![(Field::Status, MarketStatus::Open as u64), (Field::InPlay, 1), (Field::MarketTradedVolume, 9)];
    update.attributes = vec![(name::FIXTURE.into(), text("f1")), (name::NAME.into(), text("Match Odds"))];
    let mut selection = backs(7, vec![(Price(20_000), 500), (Price(21_000), 700)]);
    selection.fields = vec![(Field::SelectionStatus, 7), (Field::LastTraded, 20_000)];
    selection.attributes = vec![(name::NAME.into(), text("Home")), ("note".into(), text("x"))];
    update.selections.push(selection);
    store.commit(&commit(vec![update])).unwrap();
    store
}

fn only(store: &Store) -> &oddswire_model::Market {
    store.markets().next().unwrap()
}

#[test]
fn a_refused_commit_changes_nothing() {
    let mut store = store();
    let (before, revision) = (only(&store).clone(), store.revision());
    let mut good = market("1.1");
    good.fields.push((Field::Status, MarketStatus::Closed as u64));
    good.attributes.push((name::FIXTURE.into(), text("f2")));
    let mut bad = market("1.2");
    bad.selections.push(backs(1, vec![(Price(10_000), 1)]));
    let refusal = store.commit(&commit(vec![good, bad])).unwrap_err();
    assert_eq!((refusal.market.as_str(), refusal.field.as_str()), ("1.2", "Back"));
    assert_eq!(refusal.reason, Reason::PriceNotAboveOne(10_000));
    assert!(only(&store).shows_same(&before, View::FULL));
    assert_eq!((store.revision(), store.len()), (revision, 1));
    assert_eq!(store.members(&Topic::Fixture("f2".into())).count(), 0);
}

#[test]
fn a_commit_that_changes_nothing_moves_no_market() {
    let mut store = store();
    let mut update = market("1.1");
    update.fields.push((Field::Status, MarketStatus::Open as u64));
    let committed = store.commit(&commit(vec![update])).unwrap();
    assert_eq!((committed.revision, committed.changed.len()), (Revision(2), 0));
    assert_eq!(only(&store).revision(), Revision(1));
}

#[test]
fn an_image_takes_away_prices_it_does_not_name_and_nothing_else() {
    let mut store = store();
    let mut image = market("1.1");
    image.image = true;
    image.selections.push(backs(7, vec![(Price(20_000), 900)]));
    store.commit(&commit(vec![image])).unwrap();
    let market = only(&store);
    let selection = &market.selections()[0];
    let rungs: Vec<_> = selection.ladder(Field::Back).rungs().iter().map(|r| (r.price, r.volume)).collect();
    assert_eq!(rungs, [(Price(20_000), 900)]);
    assert_eq!((selection.value(Field::LastTraded), market.value(Field::MarketTradedVolume)), (0, 0));
    assert_eq!((market.status(), market.in_play()), (MarketStatus::Open, true));
    assert_eq!(selection.value(Field::SelectionStatus), 7);
    assert_eq!(selection.attributes().iter().count(), 2);
}

#[test]
fn a_complete_definition_takes_away_facts_it_does_not_name_and_no_prices() {
    let mut store = store();
    let mut definition = market("1.1");
    definition.complete_definition = true;
    definition.attributes.push((name::NAME.into(), text("Result")));
    let mut selection = SelectionUpdate::new(key(7));
    selection.attributes.push((name::NAME.into(), text("Home")));
    definition.selections.push(selection);
    let committed = store.commit(&commit(vec![definition])).unwrap();
    let market = only(&store);
    let selection = &market.selections()[0];
    assert_eq!(market.attributes().iter().count(), 1);
    assert_eq!(selection.attributes().iter().count(), 1);
    assert_eq!(selection.value(Field::SelectionStatus), 0, "what is not named is as it was at first");
    assert_eq!(selection.ladder(Field::Back).rungs().len(), 2);
    assert_eq!(committed.retopiced.len(), 1, "it has left its fixture");
    assert_eq!(store.removals_since(Revision(1)).count(), 1);
}

#[test]
fn replacing_a_ladder_leaves_the_rungs_it_names() {
    let mut store = store();
    let mut update = market("1.1");
    let mut selection = backs(7, vec![(Price(21_000), 700), (Price(22_000), 1)]);
    selection.ladders[0].replace = true;
    update.selections.push(selection);
    store.commit(&commit(vec![update])).unwrap();
    let ladder = only(&store).selections()[0].ladder(Field::Back);
    assert_eq!(ladder.rungs().iter().map(|r| r.price.0).collect::<Vec<_>>(), [22_000, 21_000]);
    let kept = ladder.rungs().iter().find(|rung| rung.price == Price(21_000)).unwrap();
    assert_eq!(kept.revision, Revision(1), "a rung that stays as it was has not changed");
}

#[test]
fn tombstones_stay_until_the_horizon_and_cursors_before_it_are_refused() {
    let mut store = store();
    for cents in [0, 5, 0] {
        let mut update = market("1.1");
        update.selections.push(backs(7, vec![(Price(20_000), cents)]));
        store.commit(&commit(vec![update])).unwrap();
    }
    let entries = |store: &Store| only(store).selections()[0].ladder(Field::Back).prices_kept();
    store.advance_horizon(Revision(3));
    assert_eq!(entries(&store), 2, "it went at 4");
    store.advance_horizon(Revision(5));
    assert_eq!(store.horizon(), Revision(3), "the horizon does not pass the log");
    store.advance_horizon(Revision(4));
    assert_eq!(entries(&store), 1);
    let check = |epoch, revision| store.check_cursor(Epoch(epoch), Revision(revision));
    assert_eq!(check(1, 4), Ok(()));
    assert_eq!(check(1, 3), Err(HorizonError::TooOld));
    assert_eq!(check(1, 5), Err(HorizonError::Ahead));
    assert_eq!(check(2, 4), Err(HorizonError::OtherEpoch));
}

#[test]
fn a_forgotten_market_is_remembered_as_removed_until_the_horizon() {
    let mut store = store();
    let number = only(&store).number();
    let committed = store.forget(&[number]);
    assert_eq!((committed.revision, &committed.changed[..]), (Revision(2), &[number][..]));
    assert!(store.is_empty() && store.members(&Topic::All).next().is_none());
    assert_eq!(store.removals_since(Revision(1)).count(), 1);
    let again = store.commit(&commit(vec![market("1.1")])).unwrap();
    assert_ne!(again.changed, [number], "numbers are not used again");
    store.advance_horizon(Revision(2));
    assert_eq!(store.removals_since(Revision(1)).count(), 0);
}

#[test]
fn limits_hold_at_the_limit_and_not_one_past_it() {
    let refused = |markets| Store::new(Epoch(1)).commit(&commit(markets)).err().map(|refusal| refusal.reason);

    let markets = |count: usize| (0..count).map(|at| market(&format!("1.{at}"))).collect::<Vec<_>>();
    assert_eq!(refused(markets(MAX_MARKETS_PER_COMMIT)), None);
    let past = MAX_MARKETS_PER_COMMIT + 1;
    assert_eq!(refused(markets(past)), Some(Reason::TooManyMarkets(past)));

    let rungs = |count: usize| {
        let mut update = market("1.1");
        update.selections.push(backs(7, (0..count).map(|at| (Price(10_001 + at as u32), 1)).collect()));
        vec![update]
    };
    assert_eq!(refused(rungs(MAX_RUNGS)), None);
    assert_eq!(refused(rungs(MAX_RUNGS + 1)), Some(Reason::TooManyRungs(MAX_RUNGS + 1)));

    let attributes = |count: usize| {
        let mut update = market("1.1");
        update.attributes = (0..count).map(|at| (Arc::from(format!("a{at}")), text("x"))).collect();
        vec![update]
    };
    assert_eq!(refused(attributes(MAX_ATTRIBUTES)), None);
    let past = MAX_ATTRIBUTES + 1;
    assert_eq!(refused(attributes(past)), Some(Reason::TooManyAttributes(past)));

    let long = |bytes: usize| {
        let mut update = market("1.1");
        update.attributes = vec![("a".into(), text(&"x".repeat(bytes)))];
        vec![update]
    };
    assert_eq!(refused(long(MAX_ATTRIBUTE_BYTES)), None);
    assert_eq!(refused(long(MAX_ATTRIBUTE_BYTES + 1)), Some(Reason::TextTooLong(MAX_ATTRIBUTE_BYTES + 1)));

    let selections = |count: usize| {
        let mut update = market("1.1");
        update.selections = (0..count as u64).map(|id| SelectionUpdate::new(key(id))).collect();
        vec![update]
    };
    assert_eq!(refused(selections(MAX_SELECTIONS)), None);
    let past = MAX_SELECTIONS + 1;
    assert_eq!(refused(selections(past)), Some(Reason::TooManySelections(past)));

    let amount = |cents: u64| {
        let mut update = market("1.1");
        update.selections.push(backs(7, vec![(Price(20_000), cents)]));
        vec![update]
    };
    assert_eq!(refused(amount(Volume::MAX.0)), None);
    let past = Volume::MAX.0 + 1;
    assert_eq!(refused(amount(past)), Some(Reason::VolumeOutOfRange(past)));
}

#[test]
fn changes_of_one_commit_are_counted_at_the_limit_and_one_past_it() {
    // A market counts one, a selection one, a ladder one, and so does every rung.
    let updates = |rungs: usize| {
        let per_market = MAX_RUNGS;
        let mut left = rungs;
        let mut markets = Vec::new();
        while left > 0 {
            let some = left.min(per_market + 3).max(4) - 3;
            let mut update = market(&format!("1.{}", markets.len()));
            update.selections.push(backs(7, (0..some).map(|at| (Price(10_001 + at as u32), 1)).collect()));
            markets.push(update);
            left = left.saturating_sub(some + 3);
        }
        markets
    };
    let exact = updates(MAX_CHANGES_PER_COMMIT);
    assert!(Store::new(Epoch(1)).commit(&commit(exact.clone())).is_ok());
    let mut past = exact;
    past.push(market("2.1"));
    let refusal = Store::new(Epoch(1)).commit(&commit(past)).unwrap_err();
    assert_eq!(refusal.reason, Reason::TooManyChanges(MAX_CHANGES_PER_COMMIT));
}

#[test]
fn selections_of_several_updates_in_one_commit_are_counted_together() {
    let half = |first: u64| {
        let mut update = market("1.1");
        update.selections =
            (first..first + MAX_SELECTIONS as u64 / 2 + 1).map(|id| SelectionUpdate::new(key(id))).collect();
        update
    };
    let mut store = Store::new(Epoch(1));
    let refusal = store.commit(&commit(vec![half(0), half(10_000)])).unwrap_err();
    assert!(matches!(refusal.reason, Reason::TooManySelections(_)));
    assert_eq!((store.revision(), store.len()), (Revision(0), 0));
}
