//! The compact encoding: every way to code a change, frames that a delta leads, and models.

use bytes::Bytes;
use oddswire_delta::{Base, MarketDelta, catch_up, diff, snapshot};
use oddswire_model::{
    CellKey, Field, Handicap, Market, MarketNumber, MarketStatus, Price, PriceLadder, Revision, SelectionId,
    SelectionKey, SelectionNumber, SelectionStatus, View,
};
use oddswire_wire::{
    FrameBuilder, LeadBytes, LeadScratch,
    compact::{Lead, LeadHead, LeadReader, Model, ModelId},
    decode_frame,
    piece::{self, Encoding, FrameContext, PieceEncoder, PieceError, PieceKind, TIME_STEP_MS},
    proto::{Resume, StatusEdge},
    varint,
};

use super::{
    Case,
    client_messages::EPOCH,
    coder,
    conversation::{
        Conversation, FRAME_TIME_MS, HELD, PUBLISHED_MS, SEQUENCE, empty_book, heartbeat, later, next,
        position, raw_piece, rung, snapshot_of, subscribed, value, welcome, welcome_with,
    },
    describe,
};

/// Revision after the change.
const AFTER: u64 = 12;
/// A change published when the frame's clock says; its age is nothing.
const NOW_MS: u64 = FRAME_TIME_MS - PUBLISHED_MS;
/// Field of compact deltas.
const COMPACT_DELTAS: u8 = 15;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = of_market();
    cases.extend(of_selections());
    cases.extend(of_traded());
    cases.extend(of_books());
    cases.extend(of_amounts());
    cases.extend(of_definitions());
    cases.extend(snapshots());
    cases.extend(catch_ups());
    cases.extend(leads());
    cases.extend(welcomes());
    cases.extend(damaged());
    cases
}

/// An exchange's market with three runners: deep books, traded amounts, and one without anything.
pub(super) fn exchange() -> Market {
    let mut market = empty_book(0, PriceLadder::Betfair);
    let third = SelectionKey { id: SelectionId(58_805), handicap: Handicap::NONE };
    market.add_selection(third, Revision(HELD)).unwrap();
    let rungs = [
        (0, Field::Back, 24_800, 1_234),
        (0, Field::Back, 24_600, 5_000),
        (0, Field::Back, 24_400, 900),
        (0, Field::Back, 24_000, 10_000),
        (0, Field::Back, 23_000, 777),
        (0, Field::Back, 20_000, 123_456),
        (0, Field::Lay, 25_200, 700),
        (0, Field::Lay, 25_600, 2_000),
        (0, Field::Lay, 26_000, 3_150),
        (0, Field::Lay, 30_000, 999),
        (0, Field::Traded, 24_400, 20_000),
        (0, Field::Traded, 24_800, 30_000),
        (0, Field::Traded, 25_200, 468),
        (1, Field::Back, 16_500, 8_000),
        (1, Field::Back, 16_400, 350),
        (1, Field::Lay, 17_000, 400),
        (1, Field::Lay, 17_100, 12_345),
        (1, Field::Traded, 16_700, 4_000),
    ];
    for (runner, field, price, cents) in rungs {
        market.set(rung(runner, field, price), cents, Revision(HELD));
    }
    for (runner, price, traded) in [(0, 24_800, 50_468), (1, 16_700, 4_000)] {
        market.set(value(runner, Field::LastTraded), price, Revision(HELD));
        market.set(value(runner, Field::TradedVolume), traded, Revision(HELD));
    }
    market.set(CellKey::market(Field::MarketTradedVolume), 54_468, Revision(HELD));
    market
}

/// A sportsbook's market: one price each.
fn sportsbook() -> Market {
    later(
        &empty_book(0, PriceLadder::Decimal { step: 50 }),
        HELD,
        0,
        &[(value(0, Field::Price), 19_050), (value(1, Field::Price), 21_501)],
    )
}

/// A ladder with holes of many widths, on a line's ladder.
fn holed() -> Market {
    let mut at = 100;
    let mut cells = Vec::new();
    for width in [0, 1, 2, 3, 5, 7, 10, 14, 16, 17, 60] {
        cells.push((rung(0, Field::Lay, at * 5_000), 1_000 + u64::from(at)));
        at += 1 + width;
    }
    cells.push((rung(0, Field::Lay, at * 5_000), 5_000));
    later(&empty_book(0, PriceLadder::Line { step: 5_000 }), HELD, 0, &cells)
}

/// A ladder of sixty rungs, one behind the other.
fn tall() -> Market {
    let cells: Vec<_> =
        (0..60).map(|at| (rung(0, Field::Lay, 20_000 + 100 * at), 5_000 + 37 * u64::from(at))).collect();
    later(&empty_book(0, PriceLadder::DEFAULT), HELD, 0, &cells)
}

/// Forty selections, each with a price.
fn field_of_forty() -> Market {
    let mut market = empty_book(0, PriceLadder::Betfair);
    for id in 2..40 {
        let key = SelectionKey { id: SelectionId(id), handicap: Handicap::NONE };
        market.add_selection(key, Revision(HELD)).unwrap();
    }
    for number in 0..40u16 {
        let price = tick(20 + 6 * u32::from(number));
        market.set(rung(number, Field::Back, price), 2_000 + 11 * u64::from(number), Revision(HELD));
        if number % 3 == 0 {
            market.set(value(number, Field::LastTraded), u64::from(price), Revision(HELD));
        }
    }
    market
}

/// A price on Betfair's ladder.
fn tick(index: u32) -> u32 {
    PriceLadder::Betfair.price(index).expect("a tick").0
}

pub(super) fn change(market: &Market, cells: &[(CellKey, u64)]) -> Market {
    later(market, AFTER, NOW_MS, cells)
}

fn of_market() -> Vec<Case> {
    let held = exchange();
    let field = CellKey::market;
    vec![
        delta(
            "market-suspended",
            "The market is suspended.",
            &held,
            &change(&held, &[(field(Field::Status), MarketStatus::Suspended as u64)]),
        ),
        delta(
            "market-fields",
            "All of the market's own fields, a new price ladder among them, which holds for what follows.",
            &held,
            &change(
                &held,
                &[
                    (field(Field::Status), 300),
                    (field(Field::InPlay), 1),
                    (field(Field::Held), 1),
                    (field(Field::PriceLadder), PriceLadder::Decimal { step: 100 }.to_code()),
                    (rung(0, Field::Back, 24_700), 5_000),
                    (rung(0, Field::Back, 24_600), 0),
                    (value(0, Field::LastTraded), 24_700),
                ],
            ),
        ),
        delta(
            "market-volume-odd",
            "A market's traded volume that does not follow from its selections'.",
            &held,
            &change(&held, &[(field(Field::MarketTradedVolume), 54_999)]),
        ),
        delta(
            "market-volume-falls",
            "It falls, and a selection's with it, by another amount.",
            &held,
            &change(
                &held,
                &[(field(Field::MarketTradedVolume), 50_000), (value(1, Field::TradedVolume), 3_999)],
            ),
        ),
        delta(
            "market-volume-together",
            "It becomes the sum of the selections', which it was not before.",
            &later(&held, HELD, 0, &[(field(Field::MarketTradedVolume), 17)]),
            &change(
                &held,
                &[(field(Field::MarketTradedVolume), 54_668), (value(1, Field::TradedVolume), 4_200)],
            ),
        ),
    ]
}

fn of_selections() -> Vec<Case> {
    let held = exchange();
    let forty = field_of_forty();
    let every_second: Vec<_> = (0..40u16)
        .step_by(2)
        .map(|number| {
            let price = tick(20 + 6 * u32::from(number));
            (rung(number, Field::Back, price), 3_000 + u64::from(number) % 7 * 100)
        })
        .collect();
    let every: Vec<_> =
        (0..40u16).map(|number| (value(number, Field::SelectionStatus), u64::from(number % 8))).collect();
    let shop = sportsbook();
    let near = later(
        &held,
        HELD,
        0,
        &[
            (value(0, Field::NearPrice), 26_000),
            (value(0, Field::FarPrice), u64::from(Price::INFINITE.0)),
            (value(1, Field::NearPrice), 12_345),
        ],
    );
    vec![
        delta(
            "selection-second",
            "Only the second selection changes.",
            &held,
            &change(&held, &[(rung(1, Field::Back, 16_500), 8_100)]),
        ),
        delta(
            "selections-twenty",
            "Twenty selections of forty: more than a symbol can say.",
            &forty,
            &change(&forty, &every_second),
        ),
        delta(
            "selections-all",
            "All selections: none is asked whether it changes.",
            &forty,
            &change(&forty, &every),
        ),
        delta(
            "selections-last",
            "The last of forty.",
            &forty,
            &change(&forty, &[(value(39, Field::LastTraded), 10_200)]),
        ),
        delta(
            "selection-every-field",
            "Every field of a selection.",
            &held,
            &change(
                &held,
                &[
                    (value(0, Field::SelectionStatus), SelectionStatus::Winner as u64),
                    (value(0, Field::Price), 25_000),
                    (value(0, Field::LastTraded), 25_600),
                    (value(0, Field::TradedVolume), 60_000),
                    (value(0, Field::NearPrice), 26_000),
                    (value(0, Field::FarPrice), 27_100),
                    (value(0, Field::StartingPrice), 25_432),
                    (value(0, Field::ReductionFactor), 1_750),
                    (rung(0, Field::Back, 24_600), 0),
                    (rung(0, Field::Lay, 25_400), 4_500),
                    (rung(0, Field::Traded, 25_600), 9_532),
                    (rung(0, Field::SpBack, 10_100), 7_000),
                    (rung(0, Field::SpBack, 30_000), 1_234),
                    (rung(0, Field::SpLay, 10_000_000), 5_050),
                    (rung(0, Field::DisplayBack, 24_800), 900),
                    (rung(0, Field::DisplayBack, 24_600), 1_100),
                    (rung(0, Field::DisplayLay, 25_200), 700),
                ],
            ),
        ),
        delta(
            "last-traded",
            "The last price traded moves by ticks, to beside the ladder, and to nothing.",
            &held,
            &change(
                &held,
                &[
                    (value(0, Field::LastTraded), 24_000),
                    (value(1, Field::LastTraded), 16_745),
                    (value(2, Field::LastTraded), 1_000_000),
                ],
            ),
        ),
        delta(
            "last-traded-gone",
            "The last price traded is gone, and the traded volume.",
            &held,
            &change(&held, &[(value(0, Field::LastTraded), 0), (value(0, Field::TradedVolume), 0)]),
        ),
        delta(
            "prices",
            "A sportsbook's prices: one moves by steps, one comes back to the ladder from beside it.",
            &shop,
            &change(&shop, &[(value(0, Field::Price), 18_950), (value(1, Field::Price), 22_000)]),
        ),
        delta(
            "prices-beside",
            "One price goes, one stands beside the ladder.",
            &shop,
            &change(&shop, &[(value(0, Field::Price), 0), (value(1, Field::Price), 21_333)]),
        ),
        delta(
            "near-and-far",
            "Projected starting prices: by hundredths, from infinite, between hundredths.",
            &near,
            &change(
                &near,
                &[
                    (value(0, Field::NearPrice), 25_100),
                    (value(0, Field::FarPrice), 40_000),
                    (value(1, Field::NearPrice), 12_346),
                    (value(1, Field::FarPrice), 10_000),
                ],
            ),
        ),
        delta(
            "near-infinite",
            "They become infinite, and nothing.",
            &near,
            &change(
                &near,
                &[
                    (value(0, Field::NearPrice), u64::from(Price::INFINITE.0)),
                    (value(0, Field::FarPrice), 0),
                    (value(1, Field::NearPrice), 12_300),
                ],
            ),
        ),
    ]
}

fn of_traded() -> Vec<Case> {
    let held = exchange();
    let volume = |cells: &[(CellKey, u64)], grows: u64| {
        let mut cells = cells.to_vec();
        cells.push((value(0, Field::TradedVolume), 50_468 + grows));
        cells.push((CellKey::market(Field::MarketTradedVolume), 54_468 + grows));
        change(&held, &cells)
    };
    let many: Vec<_> = (0..20)
        .map(|at| (rung(0, Field::Traded, tick(99 + at * (1 + at / 7))), 210 + u64::from(at) * 20))
        .collect();
    let far = later(&empty_book(0, PriceLadder::Betfair), HELD, 0, &[(value(0, Field::LastTraded), 24_800)]);
    vec![
        delta(
            "traded-takes-the-best",
            "Twice the best offer is traded: it leaves the book, and the volumes follow.",
            &held,
            &volume(&[(rung(0, Field::Traded, 24_800), 32_468), (rung(0, Field::Back, 24_800), 0)], 2_468),
        ),
        delta(
            "traded-takes-a-part",
            "Half of what is traded leaves the offer at that price; the last price stands at one of two traded amounts.",
            &held,
            &volume(
                &[
                    (rung(0, Field::Traded, 25_200), 868),
                    (rung(0, Field::Traded, 24_800), 30_600),
                    (rung(0, Field::Lay, 25_200), 500),
                    (rung(0, Field::Back, 24_800), 934),
                    (value(0, Field::LastTraded), 25_200),
                ],
                1_000,
            ),
        ),
        delta(
            "traded-odd",
            "An amount that is not even, and one in whole units where nothing stands.",
            &held,
            &volume(
                &[(rung(0, Field::Traded, 24_800), 30_333), (rung(0, Field::Traded, 25_000), 1_000)],
                1_333,
            ),
        ),
        delta(
            "traded-again",
            "The same amount at two prices, then half of it leaves a rung elsewhere.",
            &held,
            &volume(
                &[
                    (rung(0, Field::Traded, 24_400), 20_642),
                    (rung(0, Field::Traded, 24_600), 642),
                    (rung(0, Field::Lay, 25_600), 2_321),
                ],
                1_284,
            ),
        ),
        delta(
            "traded-falls",
            "A traded amount falls, another goes.",
            &held,
            &change(&held, &[(rung(0, Field::Traded, 24_400), 19_000), (rung(0, Field::Traded, 25_200), 0)]),
        ),
        delta(
            "traded-many",
            "Twenty traded amounts, some far from each other; the volume is their sum.",
            &far,
            &change(
                &far,
                &[&many[..], &[(value(0, Field::TradedVolume), many.iter().map(|cell| cell.1).sum())]]
                    .concat(),
            ),
        ),
        delta(
            "traded-far",
            "An amount traded far below the last price, and one far above.",
            &held,
            &change(&held, &[(rung(0, Field::Traded, 10_100), 2), (rung(0, Field::Traded, 10_000_000), 1)]),
        ),
        delta(
            "traded-lay",
            "A price at which both back and lay offers stand; the lay offer is taken.",
            &later(&held, HELD, 0, &[(rung(0, Field::Lay, 24_800), 555)]),
            &change(
                &later(&held, HELD, 0, &[(rung(0, Field::Lay, 24_800), 555)]),
                &[(rung(0, Field::Traded, 24_800), 31_110), (rung(0, Field::Lay, 24_800), 0)],
            ),
        ),
        delta(
            "volume-together",
            "A traded volume that becomes the sum of all traded amounts.",
            &later(&held, HELD, 0, &[(value(1, Field::TradedVolume), 5)]),
            &change(&held, &[(rung(1, Field::Traded, 16_500), 620), (value(1, Field::TradedVolume), 4_620)]),
        ),
    ]
}

fn of_books() -> Vec<Case> {
    let held = exchange();
    let holes = holed();
    let tall = tall();
    let bare = later(&empty_book(0, PriceLadder::Betfair), HELD, 0, &[(value(0, Field::LastTraded), 24_800)]);
    let mut filled = Vec::new();
    let mut at = 100;
    for width in [0u32, 1, 2, 3, 5, 7, 10, 14, 16, 17, 60] {
        if width > 0 {
            filled.push((
                rung(0, Field::Lay, (at + 1 + width * 2 / 3 - u32::from(width == 1) / 2) * 5_000),
                500 + u64::from(width),
            ));
        }
        at += 1 + width;
    }
    // A hole of one has one place.
    filled[0].0 = rung(0, Field::Lay, 102 * 5_000);
    let mixed: Vec<_> = (0..20)
        .map(|at| {
            (rung(0, Field::Lay, 20_000 + 300 * at), if at % 3 == 0 { 0 } else { 6_000 + 13 * u64::from(at) })
        })
        .collect();
    vec![
        delta(
            "book-best-improves",
            "A better price than the best one, inside the spread.",
            &held,
            &change(&held, &[(rung(0, Field::Back, 25_000), 4_000)]),
        ),
        delta(
            "book-best-crosses",
            "A lay price as good as the best back price, far below the best lay price.",
            &held,
            &change(&held, &[(rung(1, Field::Lay, 16_500), 333), (rung(0, Field::Lay, 20_000), 100)]),
        ),
        delta(
            "book-best-goes",
            "The best price goes, and the amount appears one rung down.",
            &held,
            &change(&held, &[(rung(0, Field::Back, 24_800), 0), (rung(0, Field::Back, 24_600), 6_234)]),
        ),
        delta("book-holes", "New rungs in holes of every width.", &holes, &change(&holes, &filled)),
        delta(
            "book-no-hole",
            "Rungs without a hole between them change: nobody asks whether another one enters.",
            &tall,
            &change(
                &tall,
                &[
                    (rung(0, Field::Lay, 20_100), 9_999),
                    (rung(0, Field::Lay, 20_200), 0),
                    (rung(0, Field::Lay, 20_300), 10_000),
                ],
            ),
        ),
        delta(
            "book-far",
            "Rungs far down a tall ladder, more than fifteen passed over.",
            &tall,
            &change(&tall, &[(rung(0, Field::Lay, 21_700), 1), (rung(0, Field::Lay, 25_500), 77_777)]),
        ),
        delta("book-many", "Twenty rungs of one ladder: changed and gone.", &tall, &change(&tall, &mixed)),
        delta(
            "book-behind",
            "New rungs behind the last one, near and far.",
            &held,
            &change(
                &held,
                &[
                    (rung(0, Field::Back, 19_900), 200),
                    (rung(0, Field::Back, 19_800), 300),
                    (rung(0, Field::Back, 19_500), 400),
                    (rung(0, Field::Back, 10_100), 50_000),
                    (rung(0, Field::Lay, 10_000_000), 200),
                ],
            ),
        ),
        delta(
            "book-between-and-behind",
            "Two new rungs in one hole, one changed, one behind the last.",
            &held,
            &change(
                &held,
                &[
                    (rung(0, Field::Back, 22_000), 20_000),
                    (rung(0, Field::Back, 21_000), 30_000),
                    (rung(0, Field::Back, 20_000), 123_400),
                    (rung(0, Field::Back, 19_000), 10_000),
                ],
            ),
        ),
        delta(
            "book-first-rungs",
            "Ladders that were empty: the first rung counts from the last price, the other side's, or nothing.",
            &bare,
            &change(
                &bare,
                &[
                    (rung(0, Field::Back, 24_600), 2_200),
                    (rung(0, Field::Back, 24_400), 2_200),
                    (rung(0, Field::Lay, 26_000), 4_100),
                    (rung(1, Field::Back, 30_000), 1_000),
                    (rung(1, Field::SpLay, 500_000), 1_500),
                ],
            ),
        ),
        delta(
            "book-both-sides-move",
            "Both sides move by a tick: what leaves one price appears at the next.",
            &held,
            &change(
                &held,
                &[
                    (rung(1, Field::Back, 16_500), 0),
                    (rung(1, Field::Back, 16_600), 8_000),
                    (rung(1, Field::Lay, 17_000), 0),
                    (rung(1, Field::Lay, 16_800), 400),
                ],
            ),
        ),
        delta(
            "book-all-gone",
            "A selection is withdrawn: every rung goes.",
            &held,
            &change(
                &held,
                &[
                    (rung(1, Field::Back, 16_500), 0),
                    (rung(1, Field::Back, 16_400), 0),
                    (rung(1, Field::Lay, 17_000), 0),
                    (rung(1, Field::Lay, 17_100), 0),
                    (rung(1, Field::Traded, 16_700), 0),
                    (value(1, Field::SelectionStatus), SelectionStatus::Removed as u64),
                ],
            ),
        ),
        in_view(
            "book-window",
            "Best two: a better price pushes the second one out of the window.",
            "best2",
            &held,
            &change(&held, &[(rung(0, Field::Back, 25_000), 600)]),
        ),
        in_view(
            "book-hidden",
            "Best two without amounts: nothing but where they stand.",
            "best2-prices",
            &held,
            &change(&held, &[(rung(0, Field::Back, 25_000), 600), (rung(2, Field::Lay, 20_000), 150)]),
        ),
        in_view(
            "book-prices",
            "Prices only: the best one gives way.",
            "prices",
            &held,
            &change(&held, &[(rung(0, Field::Back, 24_800), 0), (rung(0, Field::Lay, 25_000), 90)]),
        ),
    ]
}

fn of_amounts() -> Vec<Case> {
    let held = exchange();
    let greatest = (1 << 53) - 1;
    let rich = later(&held, HELD, 0, &[(rung(0, Field::Back, 24_600), greatest - 100)]);
    let steps: Vec<_> = (0..50)
        .map(|bits| (rung(0, Field::Back, 250_000 - 1_000 * bits), (1u64 << bits) + u64::from(bits) + 1))
        .collect();
    let bare = empty_book(0, PriceLadder::Decimal { step: 1_000 });
    vec![
        delta(
            "amount-cents",
            "One amount shrinks by cents, whose low bits are the last thing in the piece.",
            &held,
            &change(&held, &[(rung(0, Field::Back, 24_600), 4_567)]),
        ),
        delta(
            "amount-units",
            "Amounts grow and shrink by whole units.",
            &held,
            &change(&held, &[(rung(0, Field::Back, 24_600), 4_800), (rung(0, Field::Lay, 26_000), 23_150)]),
        ),
        delta(
            "amount-again",
            "Amounts by which others changed before: gone, grown, shrunk and new.",
            &held,
            &change(
                &held,
                &[
                    (rung(0, Field::Back, 24_800), 0),
                    (rung(0, Field::Back, 24_600), 6_234),
                    (rung(0, Field::Back, 24_000), 8_766),
                    (rung(0, Field::Lay, 25_600), 3_234),
                    (rung(0, Field::Lay, 27_000), 1_234),
                ],
            ),
        ),
        delta(
            "amount-many-again",
            "More than eight amounts: the ninth is forgotten.",
            &held,
            &change(
                &held,
                &[
                    (rung(0, Field::Back, 24_800), 1_235),
                    (rung(0, Field::Back, 24_600), 5_002),
                    (rung(0, Field::Back, 24_400), 904),
                    (rung(0, Field::Back, 24_000), 10_008),
                    (rung(0, Field::Back, 23_000), 793),
                    (rung(0, Field::Back, 20_000), 123_488),
                    (rung(0, Field::Lay, 25_200), 764),
                    (rung(0, Field::Lay, 25_600), 2_128),
                    (rung(0, Field::Lay, 26_000), 3_406),
                    (rung(0, Field::Lay, 30_000), 1_000),
                    (rung(1, Field::Back, 16_500), 8_256),
                ],
            ),
        ),
        delta(
            "amount-waits",
            "Low bits of one amount wait until the next amount is told, across ladders and selections.",
            &held,
            &change(
                &held,
                &[
                    (rung(0, Field::Back, 24_600), 4_567),
                    (rung(0, Field::Lay, 25_600), 2_321),
                    (rung(1, Field::Traded, 16_700), 4_321),
                    (value(1, Field::TradedVolume), 4_321),
                    (rung(2, Field::Back, 34_000), 211),
                ],
            ),
        ),
        delta(
            "amount-greatest",
            "2^53-1 cents: to it by 100, and new.",
            &rich,
            &change(
                &rich,
                &[
                    (rung(0, Field::Back, 24_600), greatest),
                    (rung(0, Field::Back, 22_000), greatest),
                    (rung(0, Field::Lay, 25_200), greatest - 55),
                ],
            ),
        ),
        delta(
            "amount-from-greatest",
            "Down from nearly 2^53 to a cent; a traded amount of 2^53-2.",
            &rich,
            &change(
                &rich,
                &[
                    (rung(0, Field::Back, 24_600), 1),
                    (rung(0, Field::Back, 24_400), 1),
                    (rung(2, Field::Traded, 24_400), greatest - 1),
                ],
            ),
        ),
        delta(
            "amount-every-length",
            "Amounts of every length up to 50 bits, in one ladder of fifty new rungs.",
            &bare,
            &change(&bare, &steps),
        ),
    ]
}

fn of_definitions() -> Vec<Case> {
    let held = exchange();
    let mut grown = held.clone();
    for (id, handicap) in [(47_974, -750), (47_974, 1_250)] {
        let key = SelectionKey { id: SelectionId(id), handicap: Handicap(handicap) };
        grown.add_selection(key, Revision(AFTER)).unwrap();
    }
    grown.set(rung(4, Field::Back, 30_000), 100, Revision(AFTER));
    grown.touch(Revision(AFTER), PUBLISHED_MS + NOW_MS);
    let mut named = held.clone();
    let name = oddswire_model::AttributeValue::Text("Red".into());
    named.set_attribute(SelectionNumber(0), &"name".into(), Some(name), Revision(AFTER));
    named.touch(Revision(AFTER), PUBLISHED_MS + NOW_MS);
    vec![
        delta("selections-added", "Two selections come into being, one of them with a price.", &held, &grown),
        delta("nothing-but-attributes", "An attribute is set: no cell changes.", &held, &named),
        delta(
            "age",
            "A market that was published 9.96 s before the frame's clock.",
            &held,
            &later(&held, AFTER, 40, &[(rung(0, Field::Back, 24_600), 4_800)]),
        ),
    ]
}

fn snapshots() -> Vec<Case> {
    let line = later(
        &empty_book(0, PriceLadder::Line { step: 5_000 }),
        HELD,
        0,
        &[(rung(0, Field::Back, 5_000), 200), (rung(0, Field::Lay, 2_005_000), 300)],
    );
    let mut bare = empty_book(3, PriceLadder::DEFAULT);
    bare = Market::new(bare.number(), bare.id().clone(), Revision(HELD));
    let mut rich = exchange();
    for (key, amount) in [
        (CellKey::market(Field::InPlay), 1),
        (value(0, Field::SelectionStatus), SelectionStatus::Suspended as u64),
        (value(0, Field::NearPrice), u64::from(Price::INFINITE.0)),
        (value(0, Field::FarPrice), 27_000),
        (value(1, Field::StartingPrice), 16_666),
        (value(1, Field::ReductionFactor), 4_200),
        (rung(1, Field::SpBack, 10_100), 12_300),
        (rung(1, Field::SpLay, 10_000_000), 5_000),
        (rung(0, Field::DisplayBack, 24_800), 1_300),
        (rung(0, Field::DisplayBack, 24_600), 5_100),
        (rung(0, Field::DisplayLay, 25_200), 800),
    ] {
        rich.set(key, amount, Revision(HELD));
    }
    vec![
        image("snapshot-exchange", "An exchange's market in full.", "full", &exchange()),
        image("snapshot-every-field", "Fields that are rare besides.", "full", &rich),
        image("snapshot-best-2", "The best two rungs of each side.", "best2", &exchange()),
        image("snapshot-prices", "Prices only, amounts hidden.", "prices", &exchange()),
        image("snapshot-sportsbook", "A sportsbook's prices, one beside the ladder.", "full", &sportsbook()),
        image("snapshot-line", "Values of a line.", "full", &line),
        image("snapshot-tall", "A ladder of sixty rungs.", "full", &tall()),
        image("snapshot-forty", "Forty selections.", "full", &field_of_forty()),
        image("snapshot-empty", "A market without cells or selections.", "full", &bare),
    ]
}

fn catch_ups() -> Vec<Case> {
    let held = exchange();
    let status = CellKey::market(Field::Status);
    let target = later(
        &held,
        AFTER,
        900,
        &[
            (rung(0, Field::Back, 24_800), 0),
            (rung(0, Field::Back, 25_000), 600),
            (rung(0, Field::Traded, 25_000), 1_200),
            (value(0, Field::LastTraded), 25_000),
            (value(0, Field::TradedVolume), 51_668),
            (CellKey::market(Field::MarketTradedVolume), 55_668),
            (status, MarketStatus::Suspended as u64),
        ],
    );
    let reopened = later(&target, AFTER + 1, 950, &[(status, MarketStatus::Open as u64)]);
    let emptied = later(
        &held,
        AFTER,
        900,
        &[
            (rung(1, Field::Back, 16_500), 0),
            (rung(1, Field::Back, 16_400), 0),
            (rung(1, Field::Lay, 17_000), 0),
            (rung(1, Field::Lay, 17_100), 80),
        ],
    );
    vec![
        caught_up(
            "catch-up-full",
            "Cells that changed since revision 10, values absolute; a rung that is gone.",
            "full",
            &held,
            &reopened,
        ),
        caught_up(
            "catch-up-cleared",
            "Ladders of which more has gone than stands are emptied, one of them for good.",
            "full",
            &held,
            &emptied,
        ),
        caught_up(
            "catch-up-best-2",
            "A window of best two is emptied and sent whole.",
            "best2",
            &held,
            &reopened,
        ),
        caught_up("catch-up-hidden", "The same without amounts.", "best2-prices", &held, &reopened),
    ]
}

fn leads() -> Vec<Case> {
    let held = exchange();
    let other = later(&empty_book(1, PriceLadder::DEFAULT), HELD, 0, &[(rung(0, Field::Lay, 30_000), 50)]);
    let to = |market: &Market, revision, after_ms| {
        later(market, revision, after_ms, &[(rung(0, Field::Back, 24_600), 4_800)])
    };
    let next_one = to(&held, 11, NOW_MS);
    let other_moved = later(&other, 11, NOW_MS, &[(rung(0, Field::Lay, 30_000), 75)]);
    let sole = |step, sequence| LeadHead { step, sequence, time_step: 0, is_sole: true };
    let named = |step, sequence| LeadHead { is_sole: false, ..sole(step, sequence) };
    let cents = later(&held, 11, NOW_MS, &[(rung(0, Field::Back, 24_600), 4_567)]);
    let clocked = LeadHead { time_step: 25, ..sole(1, SEQUENCE + 1) };
    let clocked_to = later(&held, 11, NOW_MS + 250, &[(rung(0, Field::Back, 24_600), 4_567)]);
    let idle = LeadHead { time_step: 400_000, ..sole(1_000_000, SEQUENCE + 1) };
    let later_on =
        later(&held, HELD + 1_000_000, NOW_MS + 4_000_000, &[(rung(0, Field::Back, 24_600), 4_567)]);
    let mut cases = vec![
        one(
            "lead-sole",
            "The most frequent frame there is: one small delta of the only market held.",
            &[&held],
            lead(&sole(1, SEQUENCE + 1), &held, &next_one),
            &[&next_one],
        ),
        one(
            "lead-low-bits",
            "The delta ends in the low bits of an amount, on which the head is put.",
            &[&held],
            lead(&sole(1, SEQUENCE + 1), &held, &cents),
            &[&cents],
        ),
        one(
            "lead-named",
            "One of two markets, which is named.",
            &[&held, &other],
            lead(&named(1, SEQUENCE + 1), &held, &next_one),
            &[&next_one, &other],
        ),
        one(
            "lead-step",
            "The revision advances by seven.",
            &[&held],
            lead(&sole(7, SEQUENCE + 1), &held, &to(&held, 17, NOW_MS)),
            &[&to(&held, 17, NOW_MS)],
        ),
        one(
            "lead-time-step",
            "The producers' clock goes on by 250 ms.",
            &[&held],
            lead_at(&clocked, &held, &clocked_to, FRAME_TIME_MS + 250),
            &[&clocked_to],
        ),
        one(
            "lead-long-step",
            "After more than an hour and a million revisions.",
            &[&held],
            lead_at(&idle, &held, &later_on, FRAME_TIME_MS + 4_000_000),
            &[&later_on],
        ),
        one(
            "lead-age",
            "The market was published before the frame's clock says.",
            &[&held],
            lead(&sole(1, SEQUENCE + 1), &held, &to(&held, 11, 40)),
            &[&to(&held, 11, 40)],
        ),
    ];
    let mut frame = lead(&named(1, SEQUENCE + 1), &held, &next_one);
    frame.pieces(&compact_delta(&other, &other_moved));
    cases.push(one(
        "lead-and-others",
        "The first delta leads, the other one stands beside.",
        &[&held, &other],
        frame,
        &[&next_one, &other_moved],
    ));
    let mut frame = next(1, SEQUENCE + 1, &compact_delta(&held, &next_one));
    frame.pieces(&compact_delta(&other, &other_moved));
    cases.push(one(
        "two-deltas",
        "Compact deltas in a frame with a plain head.",
        &[&held, &other],
        frame,
        &[&next_one, &other_moved],
    ));

    let mut wrapping = conversation(
        "compact/lead-wraps",
        "From sequence 2^32-1 to 0.",
        &["COMPACT-8", "FRAME-4"],
        View::FULL,
    );
    wrapping.hold_at(&[&held], HELD, u32::MAX);
    cases.push(
        wrapping
            .receive("the lead", lead(&sole(1, 0), &held, &next_one))
            .receive("a heartbeat", heartbeat(11, 0))
            .case_ending_with(&[&next_one]),
    );

    let second = to(&next_one, 12, NOW_MS);
    let second = later(&second, 12, NOW_MS, &[(rung(0, Field::Back, 24_400), 1_000)]);
    let caught = || {
        let mut change = MarketDelta::default();
        catch_up(&second, Revision(HELD), View::FULL, &mut change);
        let mut frame = FrameBuilder::new();
        position(&mut frame, 12, SEQUENCE + 2, HELD);
        frame.pieces(&encoded(&change, None, &second, FRAME_TIME_MS).0);
        frame
    };
    let gap = conversation(
        "compact/lead-gap",
        "A lead that does not follow; another one is passed over until the catch-up is there.",
        &["COMPACT-8", "SYNC-2"],
        View::FULL,
    )
    .hold(&[&held])
    .receive("the lead after the lost one", lead(&sole(1, SEQUENCE + 2), &next_one, &second))
    .receive("another one", lead(&sole(1, SEQUENCE + 3), &next_one, &second))
    .receive("the catch-up", caught())
    .case_ending_with(&[&second]);
    cases.push(gap);
    let mut again = FrameBuilder::new();
    again.pieces(&snapshot_of(&held, View::FULL));
    again.pieces(&snapshot_of(&other, View::FULL));
    position(&mut again, HELD, SEQUENCE + 1, 0);
    let several = conversation(
        "compact/lead-sole-of-several",
        "A lead about the only market held, where two are: frames were lost.",
        &["COMPACT-8", "SYNC-2"],
        View::FULL,
    )
    .hold(&[&held, &other])
    .receive("the lead", lead(&sole(1, SEQUENCE + 1), &held, &next_one))
    .receive("everything again", again)
    .case_ending_with(&[&held, &other]);
    cases.push(several);
    let unknown = conversation(
        "compact/lead-unknown-market",
        "A lead of a market that is not held: it is asked for.",
        &["COMPACT-8", "SYNC-1"],
        View::FULL,
    )
    .hold(&[&held])
    .receive("the lead", lead(&named(1, SEQUENCE + 1), &other, &other_moved))
    .case();
    assert_eq!(last(&unknown)["piece_errors"][0]["error"], "UNKNOWN_MARKET");
    cases.push(unknown);
    let removed = conversation("compact/lead-awaited", "After a damaged lead its market is awaited; leads that follow are passed over until the snapshot is here.", &["COMPACT-8", "SYNC-1"], View::FULL)
        .hold(&[&held])
        .receive_bytes("a lead with a byte too much", damaged_lead(lead(&sole(1, SEQUENCE + 1), &held, &next_one)))
        .receive("the next lead", lead(&sole(1, SEQUENCE + 2), &next_one, &second))
        .receive("its snapshot", {
            let mut frame = FrameBuilder::new();
            frame.pieces(&snapshot_of(&second, View::FULL));
            position(&mut frame, 12, SEQUENCE + 2, 12);
            frame
        })
        .case_ending_with(&[&second]);
    cases.push(removed);
    let mut frame = vec![3 << 3];
    varint::write(&mut frame, 1 << 49);
    let too_long = conversation(
        "compact/lead-varint-too-long",
        "A lead as a variable-length number of fifty bits ends the connection.",
        &["COMPACT-8", "SYNC-4"],
        View::FULL,
    )
    .hold(&[&held])
    .receive_bytes("the lead", frame.into())
    .case();
    cases.push(too_long);
    let frames = cases.iter().flat_map(|case| &case.frames);
    let fields: Vec<u8> = frames.filter_map(|(_, frame)| frame.first().copied()).collect();
    for (form, tag) in [("varint", 0x18), ("fixed32", 0x25), ("fixed64", 0x29), ("bytes", 0x72)] {
        assert!(fields.contains(&tag), "no vector has a lead as {form}");
    }
    cases
}

fn welcomes() -> Vec<Case> {
    let held = exchange();
    let target = later(
        &held,
        11,
        NOW_MS,
        &[(rung(0, Field::Back, 24_600), 4_567), (rung(1, Field::Lay, 16_900), 2_200)],
    );
    let shipped = Model::shipped();
    let other = Model::from_bytes(coder::another_model()).unwrap();
    let greeted = |name: &str, about: &str, clauses: &[&str], welcome: FrameBuilder| {
        let mut conversation = conversation(&format!("compact/{name}"), about, clauses, View::FULL);
        conversation.step("connect").receive("welcome", welcome);
        conversation
    };
    let held_frame = || {
        let mut frame = FrameBuilder::new();
        frame.pieces(&snapshot_of(&held, View::FULL));
        position(&mut frame, HELD, SEQUENCE, 0);
        frame
    };
    let head = LeadHead { step: 1, sequence: SEQUENCE + 1, time_step: 0, is_sole: true };
    let with_other = lead_with(other.clone(), &head, &held, &target, FRAME_TIME_MS);
    let mut cases = vec![
        greeted(
            "model-held",
            "The gateway uses the model that the client's hello names.",
            &["COMPACT-2"],
            welcome_with(EPOCH, HELD, shipped.id(), Bytes::new()),
        )
        .receive("subscribed", subscribed(1, 1, Resume::Unspecified))
        .receive("its market", held_frame())
        .receive("a lead", lead(&head, &held, &target))
        .case_ending_with(&[&target]),
        greeted(
            "model-sent",
            "The gateway uses another model and sends it. The client names it from then on.",
            &["COMPACT-2"],
            welcome_with(EPOCH, HELD, other.id(), other.bytes()),
        )
        .receive("subscribed", subscribed(1, 1, Resume::Unspecified))
        .receive("its market", held_frame())
        .receive("a lead coded with it", with_other)
        .step("disconnect")
        .step("connect")
        .case(),
        greeted(
            "model-sent-and-held",
            "The gateway sends the model that the client has; that changes nothing.",
            &["COMPACT-2"],
            welcome_with(EPOCH, HELD, shipped.id(), shipped.bytes()),
        )
        .receive("subscribed", subscribed(1, 1, Resume::Unspecified))
        .receive("its market", held_frame())
        .receive("a lead", lead(&head, &held, &target))
        .case_ending_with(&[&target]),
        greeted(
            "plain-chosen",
            "The gateway does not speak the compact encoding.",
            &["COMPACT-2", "HELLO-2"],
            welcome(EPOCH, HELD),
        )
        .receive("subscribed", subscribed(1, 1, Resume::Unspecified))
        .receive("its market", held_frame())
        .case_ending_with(&[&held]),
    ];
    let refused = [
        (
            "model-lacking",
            "The gateway names a model that the client lacks, and does not send it.",
            welcome_with(EPOCH, HELD, other.id(), Bytes::new()),
        ),
        (
            "model-damaged",
            "The model that is sent is a byte short.",
            welcome_with(EPOCH, HELD, other.id(), other.bytes().slice(1..)),
        ),
        (
            "model-misnamed",
            "The model that is sent is not the one that is named.",
            welcome_with(EPOCH, HELD, ModelId(other.id().0 ^ 1), other.bytes()),
        ),
    ];
    for (name, about, welcome) in refused {
        let case = greeted(name, about, &["COMPACT-2", "ERR-4"], welcome).case();
        assert_eq!(last(&case)["error"], "MODEL", "{name}");
        cases.push(case);
    }
    cases
}

/// Compact bytes that must be refused. What they are was found by trying.
fn damaged() -> Vec<Case> {
    let held = exchange();
    let target = later(&held, 11, NOW_MS, &[(rung(0, Field::Back, 24_600), 4_567)]);
    let whole = compact_delta(&held, &target);
    let good = &whole[2..];
    assert_eq!(good[0], 0, "market 0");
    let wanted = [
        ("compact-coder", "A piece that ends in the middle of nowhere.", PieceError::Coder, "CODER"),
        ("compact-price", "A price beyond the ladder.", PieceError::Price, "PRICE"),
        ("compact-amount", "An amount out of range.", PieceError::Amount, "AMOUNT"),
        ("compact-selections", "More selections change than there are.", PieceError::Selection, "SELECTION"),
        ("compact-no-rungs", "A ladder changes in no rung.", PieceError::Mask, "MASK"),
    ];
    let mut cases = Vec::new();
    for (name, about, error, error_name) in wanted {
        let body = (0u32..1 << 22)
            .map(|coded| {
                let mut body = vec![0];
                body.extend(coded.to_be_bytes().into_iter().skip_while(|&byte| byte == 0));
                body
            })
            .find(|body| read(body, &held) == Err(error))
            .unwrap_or_else(|| panic!("no bytes are refused as {error_name}"));
        cases.push(refused(name, about, error_name, &held, &body));
    }
    let longer = [good, &[0]].concat();
    cases.push(refused(
        "compact-byte-more",
        "A good piece with a byte more.",
        &name_of(&read(&longer, &held)),
        &held,
        &longer,
    ));
    cases.push(refused(
        "compact-byte-less",
        "A good piece without its last byte.",
        &name_of(&read(&good[..good.len() - 1], &held)),
        &held,
        &good[..good.len() - 1],
    ));
    let unknown = later(&held, 11, NOW_MS, &[(CellKey::market(Field::PriceLadder), 4)]);
    let unknown = compact_delta(&held, &unknown)[2..].to_vec();
    cases.push(refused(
        "compact-ladder",
        "A price ladder of a later version.",
        "PRICE_LADDER",
        &held,
        &unknown,
    ));
    let mut change = MarketDelta::default();
    diff(&held, &target, View::FULL, &mut change);
    let (old, _) = encoded(&change, Some((&held, View::FULL)), &target, FRAME_TIME_MS * 3);
    cases.push(refused("compact-age", "A market published before 1970.", "HEAD", &held, &old[2..]));

    let malformed = |name: &str, about: &str, bytes: Vec<u8>| {
        let case = conversation(&format!("invalid/{name}"), about, &["COMPACT-8", "SYNC-4"], View::FULL)
            .hold(&[&held])
            .receive_bytes("the frame", bytes.into())
            .case();
        assert_eq!(last(&case)["error"], "FRAME_MALFORMED", "{name}");
        case
    };
    cases.push(malformed(
        "compact-market-missing",
        "A compact piece without a market number.",
        next(1, SEQUENCE + 1, &raw_piece(COMPACT_DELTAS, &[])).finish().to_vec(),
    ));
    let bad_head = (0u32..1 << 24)
        .map(|coded| coded.to_be_bytes().to_vec())
        .find(|bytes| LeadReader::new(bytes, &Model::shipped()).is_err());
    if let Some(bytes) = bad_head {
        let mut frame = vec![14 << 3 | 2];
        varint::write(&mut frame, bytes.len() as u64);
        frame.extend(bytes);
        cases.push(malformed(
            "lead-head",
            "The head of a lead cannot be read: nobody can say what was meant.",
            frame,
        ));
    }
    cases
}

pub(super) fn refused(name: &str, about: &str, error: &str, held: &Market, body: &[u8]) -> Case {
    let mut conversation =
        conversation(&format!("invalid/{name}"), about, &["COMPACT-9", "SYNC-1"], View::FULL);
    let case = conversation
        .hold(&[held])
        .receive("the delta", next(1, SEQUENCE + 1, &raw_piece(COMPACT_DELTAS, body)))
        .case();
    assert_eq!(last(&case)["piece_errors"][0]["error"], error, "{name}");
    case
}

fn name_of(result: &Result<(), PieceError>) -> String {
    match result {
        Err(PieceError::Coder) => "CODER".into(),
        Err(PieceError::Price) => "PRICE".into(),
        Err(PieceError::Amount) => "AMOUNT".into(),
        Err(PieceError::Selection) => "SELECTION".into(),
        other => panic!("an error, not {other:?}"),
    }
}

fn read(body: &[u8], held: &Market) -> Result<(), PieceError> {
    let frame = FrameContext {
        revision: Revision(11),
        time: FRAME_TIME_MS / TIME_STEP_MS,
        since: Revision(0),
        model: &Model::shipped(),
    };
    piece::decode(PieceKind::Delta, Encoding::Compact, &body.to_vec().into(), None, Some(held), frame)
        .map(|_| ())
}

pub(super) fn delta(name: &str, about: &str, held: &Market, target: &Market) -> Case {
    in_view(name, about, "full", held, target)
}

fn in_view(name: &str, about: &str, view: &str, held: &Market, target: &Market) -> Case {
    let view: View = view.parse().unwrap();
    let mut change = MarketDelta::default();
    diff(held, target, view, &mut change);
    let (piece, lead) = encoded(&change, Some((held, view)), target, FRAME_TIME_MS);
    assert_eq!(lead.is_none(), change.has_definition(), "{name}");
    let mut conversation = conversation(&format!("compact/{name}"), about, &["COMPACT-6", "COMPACT-7"], view);
    conversation.describe("held", describe::market(held)).describe("change", describe::change(&change));
    conversation.hold(&[held]);
    conversation.receive("the delta", next(target.revision().0 - HELD, SEQUENCE + 1, &piece));
    conversation.case_ending_with(&[target])
}

pub(super) fn image(name: &str, about: &str, view: &str, market: &Market) -> Case {
    let view: View = view.parse().unwrap();
    let mut change = MarketDelta::default();
    snapshot(market, view, &mut change);
    let (piece, _) = encoded(&change, None, market, FRAME_TIME_MS);
    let mut conversation = conversation(&format!("compact/{name}"), about, &["COMPACT-6", "COMPACT-7"], view);
    conversation.describe("becomes", describe::market(market)).begin(HELD, 1, Resume::Unspecified);
    let mut frame = FrameBuilder::new();
    frame.pieces(&piece);
    position(&mut frame, HELD, SEQUENCE, 0);
    conversation.receive("the snapshot", frame);
    conversation.case_ending_with(&[market])
}

pub(super) fn caught_up(name: &str, about: &str, view: &str, held: &Market, target: &Market) -> Case {
    let view: View = view.parse().unwrap();
    let mut change = MarketDelta::default();
    catch_up(target, Revision(HELD), view, &mut change);
    assert_eq!(change.base, Base::Since(Revision(HELD)));
    let (piece, _) = encoded(&change, None, target, FRAME_TIME_MS);
    let mut conversation =
        conversation(&format!("compact/{name}"), about, &["COMPACT-6", "COMPACT-7", "CUR-3"], view);
    conversation.describe("held", describe::market(held)).describe("change", describe::change(&change));
    conversation.hold(&[held]).step("disconnect");
    conversation.begin(target.revision().0, 1, Resume::CaughtUp);
    let mut frame = FrameBuilder::new();
    position(&mut frame, target.revision().0, 0, HELD);
    for edge in target.status_edges().filter(|edge| edge.revision.0 > HELD) {
        let (revision, status) = (edge.revision.0, edge.status as u32);
        frame.status_edge(StatusEdge { market: target.number().0, revision, status });
    }
    frame.pieces(&piece);
    conversation.receive("the catch-up", frame);
    conversation.case_ending_with(&[target])
}

/// A frame that a client with these markets takes, and what it holds then.
fn one(name: &str, about: &str, held: &[&Market], frame: FrameBuilder, becomes: &[&Market]) -> Case {
    let mut conversation = conversation(&format!("compact/{name}"), about, &["COMPACT-8"], View::FULL);
    conversation.hold(held).receive("the frame", frame).case_ending_with(becomes)
}

fn conversation(path: &str, about: &str, clauses: &[&str], view: View) -> Conversation {
    let mut conversation = Conversation::new(path, about, clauses, view);
    conversation.compact();
    conversation
}

/// The piece of a compact delta.
pub(super) fn compact_delta(held: &Market, target: &Market) -> Vec<u8> {
    let mut change = MarketDelta::default();
    diff(held, target, View::FULL, &mut change);
    encoded_delta(&change, held, target)
}

pub(super) fn encoded_delta(change: &MarketDelta, held: &Market, target: &Market) -> Vec<u8> {
    encoded(change, Some((held, View::FULL)), target, FRAME_TIME_MS).0
}

/// A piece in the compact encoding, and the lead that it can be.
fn encoded(
    change: &MarketDelta,
    held: Option<(&Market, View)>,
    target: &Market,
    frame_time_ms: u64,
) -> (Vec<u8>, Option<Lead>) {
    encoded_with(Model::shipped(), change, held, target, frame_time_ms)
}

fn encoded_with(
    model: Model,
    change: &MarketDelta,
    held: Option<(&Market, View)>,
    target: &Market,
    frame_time_ms: u64,
) -> (Vec<u8>, Option<Lead>) {
    let mut bytes = Vec::new();
    let mut encoder = PieceEncoder::new(model);
    encoder.set_frame_time(frame_time_ms);
    let lead = encoder.encode(change, held, target, Encoding::Compact, &mut bytes);
    let frame = decode_frame(bytes.clone().into()).unwrap();
    if piece::pieces(&frame).all(|(_, encoding, _)| encoding == Encoding::Compact) {
        return (bytes, lead);
    }
    // A gateway would take the plain encoding, which is shorter. Here every symbol has its turn.
    bytes.clear();
    let lead = encoder.encode_compact(change, held, target, &mut bytes);
    (bytes, lead.expect("the compact encoding can say every change here"))
}

/// The head of a frame that leads with a delta, and the bytes that follow it.
fn lead(head: &LeadHead, held: &Market, target: &Market) -> FrameBuilder {
    lead_at(head, held, target, FRAME_TIME_MS)
}

fn lead_at(head: &LeadHead, held: &Market, target: &Market, frame_time_ms: u64) -> FrameBuilder {
    lead_with(Model::shipped(), head, held, target, frame_time_ms)
}

fn lead_with(
    model: Model,
    head: &LeadHead,
    held: &Market,
    target: &Market,
    frame_time_ms: u64,
) -> FrameBuilder {
    let mut change = MarketDelta::default();
    diff(held, target, View::FULL, &mut change);
    let (piece, lead) = encoded_with(model.clone(), &change, Some((held, View::FULL)), target, frame_time_ms);
    let lead = lead.expect("a delta without a definition can lead");
    let mut frame = FrameBuilder::new();
    frame.lead(head, &lead, &piece, &model, &mut LeadScratch::default());
    if model.id() == Model::shipped().id() {
        // The clauses alone read the same head.
        let whole = decode_frame(frame.clone().finish()).unwrap();
        let string = LeadBytes::of(&whole).unwrap().unwrap();
        let string = string.as_slice();
        let sequence = LeadReader::new(string, &model).unwrap().head().sequence;
        let is_one = head.step == 1;
        assert_eq!(coder::lead_starts(string), (is_one, if is_one { u64::from(sequence) } else { 0 }));
        assert_eq!(held.number(), MarketNumber(lead.market.0));
    }
    frame
}

/// A frame of one lead with a byte more in it.
fn damaged_lead(frame: FrameBuilder) -> Bytes {
    let frame = decode_frame(frame.finish()).unwrap();
    let string = LeadBytes::of(&frame).unwrap().unwrap();
    let string = string.as_slice();
    [&[14 << 3 | 2, string.len() as u8 + 1], string, &[0x55]].concat().into()
}

fn last(case: &Case) -> &serde_json::Value {
    case.expected["steps"].as_array().and_then(|steps| steps.last()).expect("a step")
}
