//! Arbitrary histories of a market.

use std::sync::Arc;

use oddswire_delta::{MarketDelta, snapshot, start};
use oddswire_model::{
    AttributeValue, CellKey, Depth, Field, Handicap, Market, MarketId, MarketNumber, Price, PriceLadder,
    Revision, SelectionId, SelectionKey, SelectionNumber, View,
};
use proptest::{prelude::*, sample::Index};

/// A market at every commit that touched it, oldest first.
#[derive(Debug, Clone)]
pub(crate) struct History {
    states: Vec<Market>,
}

/// One thing that a commit does.
#[derive(Debug, Clone)]
enum Deed {
    Value(Field, Index, u64),
    Rung(Field, Index, u32, u64),
    Clear(Field, Index),
    Ladder(PriceLadder),
    Attribute(Option<Index>, &'static str, Option<AttributeValue>),
    Selection,
}

impl History {
    fn new(commits: Vec<Vec<Deed>>) -> Self {
        let id = MarketId::new("1.23").unwrap();
        let mut market = Market::new(MarketNumber(3), id, Revision(5));
        market.touch(Revision(5), 1_000);
        let mut states = vec![market.clone()];
        for (at, deeds) in commits.into_iter().enumerate() {
            let revision = Revision(7 + 3 * at as u64);
            for deed in deeds {
                do_it(&mut market, deed, revision);
            }
            market.touch(revision, 1_000 + at as u64 * 250);
            states.push(market.clone());
        }
        Self { states }
    }

    pub(crate) fn with_selections(count: usize) -> Self {
        Self::new(vec![vec![Deed::Selection; count]])
    }

    pub(crate) fn last(&self) -> &Market {
        &self.states[self.states.len() - 1]
    }

    /// Some of its states, oldest first.
    pub(crate) fn pick<const N: usize>(&self, indexes: [Index; N]) -> [&Market; N] {
        let mut at = indexes.map(|index| index.index(self.states.len()));
        at.sort_unstable();
        at.map(|at| &self.states[at])
    }
}

fn do_it(market: &mut Market, deed: Deed, revision: Revision) {
    let owner = |market: &Market, index: Index| {
        let count = market.selections().len();
        (count > 0).then(|| SelectionNumber(index.index(count) as u16))
    };
    match deed {
        Deed::Value(field, index, value) => {
            let key = match (Field::MARKET.contains(&field), owner(market, index)) {
                (true, _) => CellKey::market(field),
                (false, Some(number)) => CellKey::selection(number, field),
                (false, None) => return,
            };
            market.set(key, value, revision);
        }
        Deed::Rung(field, index, price, value) => {
            if let Some(number) = owner(market, index) {
                market.set(CellKey::rung(number, field, Price(price)), value, revision);
            }
        }
        Deed::Clear(field, index) => {
            if let Some(number) = owner(market, index) {
                market.clear_ladder(number, field, revision);
            }
        }
        Deed::Ladder(ladder) => {
            market.set(CellKey::market(Field::PriceLadder), ladder.to_code(), revision);
        }
        Deed::Attribute(index, name, value) => {
            let number = match index {
                None => Some(SelectionNumber::MARKET),
                Some(index) => owner(market, index),
            };
            if let Some(number) = number {
                market.set_attribute(number, &Arc::from(name), value, revision);
            }
        }
        Deed::Selection => {
            let at = market.selections().len();
            let handicap = Handicap(if at % 3 == 2 { -750 } else { 0 });
            let key = SelectionKey { id: SelectionId(100 + at as u64 / 2), handicap };
            let key = if market.selection_number(key).is_some() {
                SelectionKey { handicap: Handicap(at as i32), ..key }
            } else {
                key
            };
            market.add_selection(key, revision).unwrap();
        }
    }
}

/// What a receiver holds who has been given a snapshot.
pub(crate) fn mirror(market: &Market, view: View) -> Market {
    let mut change = MarketDelta::default();
    snapshot(market, view, &mut change);
    start(&change).unwrap()
}

/// Whether a receiver holds what the view shows of a market, all of it and nothing else.
pub(crate) fn shows(held: &Market, market: &Market, view: View) -> bool {
    let names = |market: &Market| {
        let attributes = |attributes: &oddswire_model::Attributes| {
            attributes.iter().map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>()
        };
        let selections: Vec<_> =
            market.selections().iter().map(|s| (s.key(), attributes(s.attributes()))).collect();
        (market.id().clone(), market.number(), attributes(market.attributes()), selections)
    };
    names(held) == names(market) && held.cells(View::FULL) == market.cells(view)
}

/// Prices on Betfair's ladder, beside it, on decimal steps alone, and at the ends.
fn any_price() -> impl Strategy<Value = u32> {
    prop_oneof![
        6 => (0u32..40).prop_map(|at| 20_000 + at * 200),
        2 => 20_000u32..20_050,
        1 => prop_oneof![Just(10_100), Just(10_000_000), Just(u32::MAX - 1), Just(1), Just(5_000)],
    ]
}

fn any_amount() -> impl Strategy<Value = u64> {
    prop_oneof![2 => Just(0), 5 => 1u64..5_000, 1 => Just((1 << 53) - 1)]
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let ladders = proptest::sample::select(&Field::LADDERS[..]);
    let value = prop_oneof![
        (Just(Field::Status), 0u64..6),
        (Just(Field::InPlay), 0u64..2),
        (Just(Field::Held), 0u64..2),
        (Just(Field::MarketTradedVolume), any_amount()),
        (Just(Field::SelectionStatus), 0u64..8),
        (Just(Field::TradedVolume), any_amount()),
        (Just(Field::ReductionFactor), 0u64..9_999),
        (Just(Field::NearPrice), Just(u64::from(u32::MAX))),
        (
            proptest::sample::select(&[Field::Price, Field::LastTraded, Field::FarPrice][..]),
            any_price().prop_map(u64::from)
        ),
        (proptest::sample::select(&[Field::Price, Field::LastTraded, Field::NearPrice][..]), Just(0)),
    ];
    let attribute = prop_oneof![
        Just(None),
        (-9i64..9).prop_map(|number| Some(AttributeValue::Integer(number))),
        any::<bool>().prop_map(|yes| Some(AttributeValue::Boolean(yes))),
        "[a-zü]{0,6}".prop_map(|text| Some(AttributeValue::Text(text.into()))),
        Just(Some(AttributeValue::Json("{\"a\":[1]}".into()))),
    ];
    let ladder = prop_oneof![
        Just(PriceLadder::Betfair),
        Just(PriceLadder::DEFAULT),
        (1u32..600).prop_map(|step| PriceLadder::Decimal { step }),
        (1u32..600).prop_map(|step| PriceLadder::Line { step }),
    ];
    let name = proptest::sample::select(&["name", "fixture", "note", "eigen"][..]);
    prop_oneof![
        8 => (ladders.clone(), any::<Index>(), any_price(), any_amount())
            .prop_map(|(field, at, price, amount)| Deed::Rung(field, at, price, amount)),
        4 => (value, any::<Index>()).prop_map(|((field, value), at)| Deed::Value(field, at, value)),
        1 => (ladders, any::<Index>()).prop_map(|(field, at)| Deed::Clear(field, at)),
        1 => ladder.prop_map(Deed::Ladder),
        2 => (proptest::option::of(any::<Index>()), name, attribute)
            .prop_map(|(owner, name, value)| Deed::Attribute(owner, name, value)),
        1 => Just(Deed::Selection),
    ]
}

pub(crate) fn any_history() -> impl Strategy<Value = History> {
    let commits = proptest::collection::vec(proptest::collection::vec(any_deed(), 0..12), 1..9);
    commits.prop_map(|mut commits| {
        // Most deeds need somebody to be done to.
        commits[0].splice(0..0, [Deed::Selection, Deed::Selection]);
        History::new(commits)
    })
}

pub(crate) fn any_view() -> impl Strategy<Value = View> {
    prop_oneof![
        Just(View::PRICES),
        Just(View::FULL),
        Just(View::new(Depth::Full, false).unwrap()),
        (1u8..=10, any::<bool>()).prop_map(|(best, volumes)| View::new(Depth::Best(best), volumes).unwrap()),
    ]
}
