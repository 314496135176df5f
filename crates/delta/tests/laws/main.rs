//! The laws of deltas, over arbitrary histories of a market and arbitrary views.

mod history;
mod wire;

use history::{History, any_history, any_view, mirror, shows};
use oddswire_delta::{ApplyError, Base, MarketDelta, apply, catch_up, conflate, diff, snapshot, start};
use oddswire_model::{Field, Market, Revision, View};
use proptest::{prelude::*, sample::Index};

fn difference(from: &Market, to: &Market, view: View) -> MarketDelta {
    let mut change = MarketDelta::default();
    diff(from, to, view, &mut change);
    change
}

fn since(to: &Market, cursor: Revision, view: View) -> MarketDelta {
    let mut change = MarketDelta::default();
    catch_up(to, cursor, view, &mut change);
    change
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_snapshot_starts_the_state(history in any_history(), at: Index, view in any_view()) {
        let market = history.pick([at])[0];
        let held = mirror(market, view);
        prop_assert!(shows(&held, market, view));
        prop_assert_eq!(held.revision(), market.revision());
        prop_assert_eq!(held.digest(View::FULL), market.digest(view));
        prop_assert_eq!(held.digest(View::FULL), held.clone().digest(view), "a projection is its own");
    }

    #[test]
    fn a_delta_leads_from_its_base_to_its_target(
        history in any_history(), a: Index, b: Index, view in any_view()
    ) {
        let [from, to] = history.pick([a, b]);
        let mut held = mirror(from, view);
        prop_assert_eq!(apply(&mut held, &difference(from, to, view)), Ok(()));
        prop_assert!(shows(&held, to, view));
        prop_assert_eq!(held.digest(View::FULL), to.digest(view));
        prop_assert_eq!(held.revision(), to.revision());
        let ladders = held.selections().iter().flat_map(|selection| Field::LADDERS.map(|f| selection.ladder(f)));
        prop_assert!(ladders.into_iter().all(|ladder| ladder.tombstones().is_empty()), "nobody asks a receiver");
    }

    #[test]
    fn what_is_remembered_and_what_is_searched_for_are_the_same(
        history in any_history(), a: Index, b: Index, view in any_view()
    ) {
        let [from, to] = history.pick([a, b]);
        let mut copy = from.clone();
        copy.advance_to(to);
        prop_assert!(shows(&copy, to, View::FULL) && copy.digest(View::FULL) == to.digest(View::FULL));
        prop_assert!(from.revision() == to.revision() || copy.changed_since(from.revision()).is_none());
        prop_assert_eq!(difference(from, &copy, view), difference(from, to, view));
        prop_assert_eq!(since(&copy, from.revision(), view), since(to, from.revision(), view));
    }

    #[test]
    fn a_delta_is_exact_though_the_horizon_has_passed_its_base(
        history in any_history(), a: Index, b: Index, view in any_view()
    ) {
        // A slow rate's baseline may be older than the horizon: what has gone since then has left no tombstone.
        let [from, to] = history.pick([a, b]);
        let mut held = mirror(from, view);
        let mut purged = to.clone();
        purged.purge(to.revision());
        prop_assert_eq!(apply(&mut held, &difference(from, &purged, view)), Ok(()));
        prop_assert!(shows(&held, to, view));
    }

    #[test]
    fn a_catch_up_serves_everybody_who_holds_at_least_its_cursor(
        history in any_history(), c: Index, m: Index, b: Index, view in any_view()
    ) {
        let [cursor, held, to] = history.pick([c, m, b]);
        let change = since(to, cursor.revision(), view);
        let mut held = mirror(held, view);
        prop_assert_eq!(apply(&mut held, &change), Ok(()));
        prop_assert!(shows(&held, to, view));
        prop_assert_eq!(held.digest(View::FULL), to.digest(view));

        // Once more changes nothing.
        let (cells, digest) = (held.cells(View::FULL), held.digest(View::FULL));
        prop_assert_eq!(apply(&mut held, &change), Ok(()));
        prop_assert_eq!((held.cells(View::FULL), held.digest(View::FULL)), (cells, digest));
    }

    #[test]
    fn a_catch_up_from_the_horizon_is_exact(
        history in any_history(), c: Index, b: Index, view in any_view()
    ) {
        let [cursor, to] = history.pick([c, b]);
        let mut purged = to.clone();
        purged.purge(cursor.revision());
        let mut held = mirror(cursor, view);
        prop_assert_eq!(apply(&mut held, &since(&purged, cursor.revision(), view)), Ok(()));
        prop_assert!(shows(&held, to, view));
    }

    #[test]
    fn a_catch_up_is_bounded_by_the_state(history in any_history(), c: Index, b: Index) {
        let [cursor, to] = history.pick([c, b]);
        let change = since(to, cursor.revision(), View::FULL);
        let mut all = MarketDelta::default();
        snapshot(to, View::FULL, &mut all);
        // Single values that went are named by one cell each; of ladders no more is said than stands there.
        let values = to.selections().len() * 8 + 5;
        prop_assert!(change.cells.len() <= all.cells.len() + values);
    }

    #[test]
    fn conflating_and_applying_is_applying_in_a_row(
        history in any_history(), a: Index, b: Index, c: Index, view in any_view()
    ) {
        let [first, second, third] = history.pick([a, b, c]);
        let one = difference(first, second, view);
        let two = difference(second, third, view);
        let mut held = mirror(first, view);
        let mut at_once = held.clone();
        prop_assert_eq!(apply(&mut held, &one), Ok(()));
        prop_assert_eq!(apply(&mut held, &two), Ok(()));
        prop_assert_eq!(apply(&mut at_once, &conflate(&one, &two).unwrap()), Ok(()));
        prop_assert!(held.shows_same(&at_once, View::FULL));
        prop_assert_eq!(held.revision(), at_once.revision());

        // The second may be a catch-up, and the first a snapshot.
        let late = since(third, second.revision(), view);
        let mut caught_up = mirror(first, view);
        prop_assert_eq!(apply(&mut caught_up, &conflate(&one, &late).unwrap()), Ok(()));
        prop_assert!(shows(&caught_up, third, view));
        let mut all = MarketDelta::default();
        snapshot(first, view, &mut all);
        let whole = conflate(&all, &difference(first, second, view)).unwrap();
        prop_assert!(shows(&start(&whole).unwrap(), second, view));
    }

    #[test]
    fn a_delta_on_another_base_is_refused_and_touches_nothing(
        history in any_history(), a: Index, b: Index, c: Index, view in any_view()
    ) {
        let [held, from, to] = history.pick([a, b, c]);
        prop_assume!(held.revision() != from.revision());
        let mut held = mirror(held, view);
        let before = held.clone();
        let refused = apply(&mut held, &difference(from, to, view));
        let is_wrong_base = matches!(refused, Err(ApplyError::WrongBase { .. }));
        prop_assert!(is_wrong_base, "{:?}", refused);
        prop_assert!(held.shows_same(&before, View::FULL));
        prop_assert_eq!(held.revision(), before.revision());

        // So is a catch-up that begins later than what is held, and one that leads back.
        let late = since(to, from.revision(), view);
        prop_assert!(apply(&mut held, &late).is_err());
        let mut newer = mirror(to, view);
        if from.revision() < to.revision() {
            let back = since(from, Revision(0), view);
            let is_backwards = matches!(apply(&mut newer, &back), Err(ApplyError::Backwards { .. }));
            prop_assert!(is_backwards);
        }
        prop_assert!(shows(&newer, to, view));
    }
}

#[test]
fn a_change_that_names_an_unknown_selection_touches_nothing() {
    let history = History::with_selections(3);
    let market = history.last();
    let mut change = difference(market, market, View::FULL);
    change.base = Base::At(market.revision());
    change.cleared.push((oddswire_model::SelectionNumber(3), Field::Back));
    let mut held = mirror(market, View::FULL);
    assert_eq!(apply(&mut held, &change), Err(ApplyError::UnknownSelection(3)));
    assert!(shows(&held, market, View::FULL));
}

#[test]
fn an_attribute_whose_tombstone_is_purged_still_goes() {
    let name = std::sync::Arc::from("note");
    let mut market = History::with_selections(1).last().clone();
    let value = Some(oddswire_model::AttributeValue::Boolean(true));
    market.set_attribute(oddswire_model::SelectionNumber::MARKET, &name, value, Revision(50));
    let baseline = market.clone();
    market.set_attribute(oddswire_model::SelectionNumber::MARKET, &name, None, Revision(51));
    market.purge(Revision(51));
    let mut held = mirror(&baseline, View::FULL);
    apply(&mut held, &difference(&baseline, &market, View::FULL)).unwrap();
    assert_eq!(held.attributes().get("note"), None);
}
