//! Pieces: every field, every way to code it.

use oddswire_model::{
    AttributeValue, CellKey, Field, Handicap, Market, MarketStatus, Price, PriceLadder, Revision,
    SelectionId, SelectionKey, SelectionNumber, SelectionStatus, View,
};
use oddswire_wire::{
    FrameBuilder,
    proto::{Resume, StatusEdge},
};

use super::{
    Case,
    conversation::{
        Conversation, HELD, SEQUENCE, book, catch_up_of, delta_of, empty_book, later, next, position, rung,
        value,
    },
    describe,
};

/// Revision after the change.
const AFTER: u64 = 12;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = snapshots();
    cases.extend(deltas());
    cases.extend(catch_ups());
    cases
}

fn snapshots() -> Vec<Case> {
    let mut full = book(PriceLadder::Betfair);
    for (key, amount) in every_field(&full) {
        full.set(key, amount, Revision(HELD));
    }
    for (owner, name, attribute) in attributes() {
        full.set_attribute(owner, &name.into(), Some(attribute), Revision(HELD));
    }
    let book = book(PriceLadder::Betfair);
    let decimal = later(
        &empty_book(0, PriceLadder::Decimal { step: 50 }),
        HELD,
        0,
        &[(value(0, Field::Price), 19_050), (value(1, Field::Price), 21_550)],
    );
    let unnamed = later(&empty_book(0, PriceLadder::DEFAULT), HELD, 0, &[(value(0, Field::Price), 19_000)]);
    let line = later(
        &empty_book(0, PriceLadder::Line { step: 5_000 }),
        HELD,
        0,
        &[(rung(0, Field::Back, 5_000), 200), (rung(0, Field::Lay, 2_005_000), 300)],
    );
    let mut runnerless = empty_book(3, PriceLadder::DEFAULT);
    runnerless = Market::new(runnerless.number(), runnerless.id().clone(), Revision(HELD));
    vec![
        snapshot(
            "every-field",
            "Every field, and attributes of every type.",
            &["PLAIN-4", "PLAIN-5", "PLAIN-6", "ATTR-1"],
            View::FULL,
            &full,
        ),
        snapshot(
            "prices-view",
            "Prices only: the best rung of each side, its amount hidden.",
            &["VIEW-1", "VIEW-2"],
            View::PRICES,
            &book,
        ),
        snapshot(
            "decimal-ladder",
            "A sportsbook's prices in steps of 0.005.",
            &["LADDER-1", "LADDER-3"],
            View::FULL,
            &decimal,
        ),
        snapshot(
            "default-ladder",
            "A market that declares no ladder stands on steps of 0.01; there is no ladder cell.",
            &["LADDER-1"],
            View::FULL,
            &unnamed,
        ),
        snapshot(
            "line-ladder",
            "Values of a line in steps of 0.5; they may be below 1.",
            &["LADDER-1"],
            View::FULL,
            &line,
        ),
        snapshot(
            "empty-market",
            "A market without cells or selections; it reads as suspended.",
            &["CELL-3", "PLAIN-2"],
            View::FULL,
            &runnerless,
        ),
    ]
}

fn deltas() -> Vec<Case> {
    let held = book(PriceLadder::Betfair);
    let full = View::FULL;
    let best_2_prices: View = "best2-prices".parse().unwrap();
    let change = |cells: &[(CellKey, u64)]| later(&held, AFTER, 40, cells);
    let beside = change(&[
        (rung(0, Field::Back, 24_700), 300),
        (rung(0, Field::Back, 24_600), 0),
        (rung(0, Field::Lay, 25_001), 100),
        (value(0, Field::LastTraded), 24_701),
    ]);
    let mut grown = held.clone();
    for (id, handicap) in [(47_974, -750), (47_974, 1_250)] {
        let key = SelectionKey { id: SelectionId(id), handicap: Handicap(handicap) };
        grown.add_selection(key, Revision(AFTER)).unwrap();
    }
    grown.set(rung(3, Field::Back, 30_000), 100, Revision(AFTER));
    grown.touch(Revision(AFTER), held.published_ms());
    let mut named = held.clone();
    for (owner, name, attribute) in attributes() {
        named.set_attribute(owner, &name.into(), Some(attribute), Revision(HELD));
    }
    let mut renamed = named.clone();
    renamed.set_attribute(
        SelectionNumber::MARKET,
        &"score".into(),
        Some(AttributeValue::Text("1 - 0".into())),
        Revision(AFTER),
    );
    renamed.set_attribute(SelectionNumber::MARKET, &"myOwn".into(), None, Revision(AFTER));
    renamed.touch(Revision(AFTER), held.published_ms());
    let infinite = change(&[(value(0, Field::NearPrice), u64::from(Price::INFINITE.0))]);
    let quiet = later(
        &empty_book(0, PriceLadder::Betfair),
        HELD,
        0,
        &[
            (value(0, Field::LastTraded), 24_800),
            (rung(0, Field::Traded, 20_000), 700),
            (rung(1, Field::Traded, 16_500), 4_000),
        ],
    );
    let traded = later(
        &quiet,
        AFTER,
        40,
        &[
            (rung(0, Field::Back, 24_600), 100),
            (rung(0, Field::Traded, 24_800), 100),
            (rung(1, Field::Traded, 16_000), 100),
        ],
    );
    let gone = change(&[
        (value(0, Field::LastTraded), 0),
        (value(0, Field::TradedVolume), 0),
        (rung(1, Field::Back, 16_500), 0),
        (value(1, Field::SelectionStatus), SelectionStatus::Removed as u64),
    ]);
    let re_laddered = change(&[
        (CellKey::market(Field::PriceLadder), PriceLadder::Decimal { step: 10 }.to_code()),
        (rung(0, Field::Back, 24_850), 100),
        (value(0, Field::LastTraded), 24_850),
    ]);
    let moved = change(&[(rung(0, Field::Back, 25_000), 600)]);
    let volumed = later(
        &held,
        HELD,
        0,
        &[(rung(0, Field::Traded, 24_800), 30_000), (CellKey::market(Field::MarketTradedVolume), 80_000)],
    );
    vec![
        delta(
            "back-and-lay",
            "The worked example of the protocol: a best price is taken, an amount shrinks, a new lay price.",
            &["PLAIN-2", "PLAIN-3", "PLAIN-7"],
            full,
            &held,
            &change(&[
                (rung(0, Field::Back, 24_800), 0),
                (rung(0, Field::Back, 24_600), 4_500),
                (rung(0, Field::Lay, 24_800), 300),
                (value(0, Field::LastTraded), 25_000),
            ]),
        ),
        delta(
            "every-field",
            "Every field of a market and of a selection.",
            &["PLAIN-4", "PLAIN-5", "PLAIN-6"],
            full,
            &held,
            &change(&every_field(&held)),
        ),
        delta(
            "second-runner",
            "Only the second selection changes: a step of 2 in front of its group.",
            &["PLAIN-3"],
            full,
            &held,
            &change(&[(rung(1, Field::Back, 16_500), 8_100)]),
        ),
        delta(
            "beside-the-ladder",
            "Prices that stand beside the ladder travel in full and do not move the index.",
            &["PLAIN-6", "PLAIN-7"],
            full,
            &held,
            &beside,
        ),
        delta(
            "first-index",
            "Without a best price the last traded one is where counting begins; for traded amounts it comes first.",
            &["PLAIN-7"],
            full,
            &quiet,
            &traded,
        ),
        delta(
            "infinite-price",
            "An infinite projected price, and nothing before it.",
            &["PLAIN-6", "CELL-4"],
            full,
            &held,
            &infinite,
        ),
        delta(
            "infinite-price-gone",
            "From infinite to a price: infinite has no index, so the difference is to 0.",
            &["PLAIN-6", "CELL-4"],
            full,
            &infinite,
            &later(&infinite, AFTER + 1, 50, &[(value(0, Field::NearPrice), 30_000)]),
        ),
        delta(
            "values-gone",
            "Values that are removed: a price, an amount, a rung; a runner is withdrawn.",
            &["PLAIN-6", "CELL-1"],
            full,
            &held,
            &gone,
        ),
        delta(
            "ladder-changes",
            "The price ladder changes on the way; everything after it in the piece counts on the new one.",
            &["PLAIN-4", "LADDER-3"],
            full,
            &held,
            &re_laddered,
        ),
        delta(
            "selections-added",
            "Two selections come into being, one of them with a price.",
            &["DEF-2"],
            full,
            &held,
            &grown,
        ),
        delta(
            "attributes",
            "An attribute is set, another removed; there is a piece without groups.",
            &["ATTR-1", "ATTR-2"],
            full,
            &named,
            &renamed,
        ),
        delta(
            "window-moves",
            "Best two: a better price pushes the second one out of the window.",
            &["VIEW-1", "PLAIN-8"],
            View::best(2),
            &held,
            &moved,
        ),
        delta(
            "hidden-amounts",
            "Best two without amounts: a new price has amount 1.",
            &["VIEW-2"],
            best_2_prices,
            &held,
            &moved,
        ),
        delta(
            "volume-follows",
            "Traded amounts of both selections grow, and the volumes of the first and of the market with them, untold.",
            &["PLAIN-10"],
            full,
            &volumed,
            &later(
                &volumed,
                AFTER,
                40,
                &[
                    (rung(0, Field::Traded, 24_800), 30_500),
                    (rung(0, Field::Traded, 25_000), 700),
                    (rung(1, Field::Traded, 16_500), 4_000),
                    (value(0, Field::TradedVolume), 51_200),
                    (CellKey::market(Field::MarketTradedVolume), 81_200),
                ],
            ),
        ),
        delta(
            "volume-stays",
            "Traded amounts grow, and the volumes stay: that is told by a difference of 0. One that is not held is not told.",
            &["PLAIN-10"],
            full,
            &volumed,
            &later(
                &volumed,
                AFTER,
                40,
                &[
                    (rung(0, Field::Traded, 24_800), 30_500),
                    (rung(1, Field::Traded, 16_500), 4_000),
                    (value(1, Field::TradedVolume), 4_000),
                ],
            ),
        ),
        delta(
            "suspended",
            "The market is suspended.",
            &["STAT-1", "CELL-3"],
            full,
            &held,
            &change(&[(CellKey::market(Field::Status), MarketStatus::Suspended as u64)]),
        ),
    ]
}

fn catch_ups() -> Vec<Case> {
    let held = book(PriceLadder::Betfair);
    let target = later(
        &held,
        AFTER,
        900,
        &[
            (rung(0, Field::Back, 24_800), 0),
            (rung(0, Field::Back, 25_000), 600),
            (value(0, Field::LastTraded), 25_000),
            (CellKey::market(Field::Status), MarketStatus::Suspended as u64),
        ],
    );
    let reopened =
        later(&target, AFTER + 1, 950, &[(CellKey::market(Field::Status), MarketStatus::Open as u64)]);
    let emptied = later(
        &held,
        AFTER,
        900,
        &[
            (rung(0, Field::Back, 24_800), 0),
            (rung(0, Field::Back, 24_600), 0),
            (rung(0, Field::Back, 24_400), 600),
        ],
    );
    vec![
        caught_up(
            "emptied",
            "More rungs have gone or changed than stand now: the whole ladder is emptied and sent again.",
            &["PLAIN-5"],
            View::FULL,
            &held,
            &emptied,
        ),
        caught_up(
            "full",
            "Away from revision 10 to 13: cells that changed since, values absolute, and the status in between.",
            &["CUR-3", "PLAIN-8", "STAT-3", "RES-1"],
            View::FULL,
            &held,
            &reopened,
        ),
        caught_up(
            "best-2",
            "A window of best two is emptied and sent whole.",
            &["PLAIN-5", "PLAIN-8"],
            View::best(2),
            &held,
            &reopened,
        ),
    ]
}

fn snapshot(name: &str, about: &str, clauses: &[&str], view: View, market: &Market) -> Case {
    let path = format!("piece/snapshot-{name}");
    let mut conversation = Conversation::new(&path, about, clauses, view);
    conversation.describe("becomes", describe::market(market)).hold(&[market]);
    conversation.case_ending_with(&[market])
}

fn delta(name: &str, about: &str, clauses: &[&str], view: View, held: &Market, target: &Market) -> Case {
    let (piece, change) = delta_of(held, target, view);
    let mut conversation = Conversation::new(&format!("piece/delta-{name}"), about, clauses, view);
    conversation.describe("held", describe::market(held)).describe("change", change);
    let from = held.revision().0;
    conversation.hold_at(&[held], from, SEQUENCE);
    conversation.receive("the delta", next(target.revision().0 - from, SEQUENCE + 1, &piece));
    conversation.case_ending_with(&[target])
}

fn caught_up(name: &str, about: &str, clauses: &[&str], view: View, held: &Market, target: &Market) -> Case {
    let (piece, change) = catch_up_of(target, HELD, view);
    let mut conversation = Conversation::new(&format!("piece/catch-up-{name}"), about, clauses, view);
    conversation.describe("held", describe::market(held)).describe("change", change);
    conversation.hold(&[held]).wait(500).step("disconnect").wait(500);
    conversation.begin(target.revision().0, 1, Resume::CaughtUp);
    let mut frame = FrameBuilder::new();
    position(&mut frame, target.revision().0, 0, HELD);
    for edge in target.status_edges().filter(|edge| edge.revision.0 > HELD) {
        frame.status_edge(StatusEdge {
            market: target.number().0,
            revision: edge.revision.0,
            status: edge.status as u32,
        });
    }
    frame.pieces(&piece);
    conversation.receive("the catch-up", frame);
    conversation.case_ending_with(&[target])
}

/// A new value for every field, different from the one it has.
fn every_field(market: &Market) -> Vec<(CellKey, u64)> {
    let market_cells = [
        (Field::Status, MarketStatus::Open as u64),
        (Field::InPlay, 1),
        (Field::Held, 1),
        (Field::MarketTradedVolume, 9_876_543),
    ];
    let mut cells: Vec<(CellKey, u64)> =
        market_cells.map(|(field, value)| (CellKey::market(field), value)).to_vec();
    let runner = [
        (Field::SelectionStatus, SelectionStatus::Suspended as u64),
        (Field::Price, 25_000),
        (Field::LastTraded, 25_500),
        (Field::TradedVolume, 60_000),
        (Field::NearPrice, 26_000),
        (Field::FarPrice, 27_000),
        (Field::StartingPrice, 25_432),
        (Field::ReductionFactor, 1_750),
    ];
    cells.extend(runner.map(|(field, amount)| (value(0, field), amount)));
    let best = market.selections().first().and_then(|runner| runner.ladder(Field::Back).best());
    assert!(best.is_some(), "there is something to count from");
    let ladders = Field::LADDERS.into_iter().enumerate();
    cells.extend(ladders.map(|(at, field)| (rung(0, field, 24_600), 1_000 + at as u64)));
    cells
}

/// One attribute of every type, under known names and one that is not known.
fn attributes() -> Vec<(SelectionNumber, &'static str, AttributeValue)> {
    vec![
        (SelectionNumber::MARKET, "name", AttributeValue::Text("Märkt".into())),
        (SelectionNumber::MARKET, "version", AttributeValue::Integer(-42)),
        (SelectionNumber::MARKET, "complete", AttributeValue::Boolean(true)),
        (SelectionNumber::MARKET, "regulators", AttributeValue::Json("[\"MR_INT\"]".into())),
        (SelectionNumber::MARKET, "myOwn", AttributeValue::Text("anything".into())),
        (SelectionNumber(0), "name", AttributeValue::Text("Red".into())),
        (SelectionNumber(1), "sort_priority", AttributeValue::Integer(2)),
    ]
}
