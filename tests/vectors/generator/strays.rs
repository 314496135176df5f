//! The compact encoding: rungs beside the price ladder's ticks.

use oddswire_delta::MarketDelta;
use oddswire_model::{
    CellChange, CellKey, Field, Handicap, Market, Price, Revision, SelectionId, SelectionKey,
};

use super::{
    Case,
    compact::{caught_up, change, compact_delta, delta, encoded_delta, exchange, image, refused},
    conversation::{HELD, empty_book, later, rung, value},
};

pub(crate) fn cases() -> Vec<Case> {
    let held = exchange();
    // 2.49 and 2.43 stand between ticks of 0.02.
    let beside = later(
        &held,
        HELD,
        0,
        &[
            (rung(0, Field::Back, 24_900), 500),
            (rung(0, Field::Traded, 24_900), 1_234),
            (rung(1, Field::SpLay, 24_333), 700),
        ],
    );
    let target = change(
        &beside,
        &[
            (rung(0, Field::Back, 24_900), 0),
            (rung(0, Field::Back, 24_800), 1_500),
            (rung(0, Field::Lay, 25_200), 900),
            (rung(0, Field::Traded, 24_900), 2_234),
            (rung(0, Field::Traded, 24_800), 31_000),
            (rung(1, Field::SpLay, 24_333), 0),
            (rung(1, Field::SpLay, 24_334), 712),
            (value(0, Field::LastTraded), 24_900),
            (value(0, Field::TradedVolume), 52_468),
            (CellKey::market(Field::MarketTradedVolume), 56_468),
        ],
    );
    vec![
        delta(
            "stray-alone",
            "The only change is an amount traded between two ticks.",
            &held,
            &change(&held, &[(rung(2, Field::Traded, 24_900), 600)]),
        ),
        delta(
            "stray-traded",
            "Amounts are traded on ticks and between them.",
            &held,
            &change(
                &held,
                &[
                    (rung(0, Field::Traded, 24_300), 1_000),
                    (rung(0, Field::Traded, 24_400), 21_500),
                    (rung(0, Field::Traded, 24_500), 77),
                    (value(0, Field::LastTraded), 24_400),
                    (value(0, Field::TradedVolume), 53_045),
                    (CellKey::market(Field::MarketTradedVolume), 57_045),
                ],
            ),
        ),
        delta(
            "stray-held",
            "The best offer stands between two ticks and goes; what else changes in that ladder is told by its price, too.",
            &beside,
            &target,
        ),
        image("stray-snapshot", "A market with rungs between ticks.", "full", &beside),
        caught_up(
            "stray-catch-up",
            "A catch-up with rungs between ticks, one of them gone.",
            "full",
            &beside,
            &target,
        ),
        of_nothing(&held),
        of_nobody(),
    ]
}

/// A rung at price 0.
fn of_nothing(held: &Market) -> Case {
    let mut change = MarketDelta::default();
    let target = later(held, 11, 0, &[(rung(0, Field::Back, 24_900), 100)]);
    oddswire_delta::diff(held, &target, oddswire_model::View::FULL, &mut change);
    change.cells = vec![CellChange { key: rung(0, Field::Back, Price::NONE.0), value: 100 }];
    let piece = encoded_delta(&change, held, &target);
    refused("compact-stray-price", "A rung at price 0.", "PRICE", held, &piece[2..])
}

/// A rung of a third selection of two.
fn of_nobody() -> Case {
    let held = empty_book(0, oddswire_model::PriceLadder::Betfair);
    let mut grown = held.clone();
    grown
        .add_selection(SelectionKey { id: SelectionId(1), handicap: Handicap::NONE }, Revision(HELD))
        .unwrap();
    let target = later(&grown, 11, 0, &[(rung(2, Field::Lay, 24_900), 100)]);
    let piece = compact_delta(&grown, &target);
    refused(
        "compact-stray-selection",
        "A rung of a selection that there is not.",
        "SELECTION",
        &held,
        &piece[2..],
    )
}
