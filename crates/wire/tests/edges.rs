//! Values at the edges of both encodings.

use oddswire_delta::{MarketDelta, diff, snapshot};
use oddswire_model::{
    CellKey, Field, Handicap, Market, MarketId, MarketNumber, Price, PriceLadder, Revision, SelectionId,
    SelectionKey, SelectionNumber, View, Volume,
};
use oddswire_wire::{
    FrameBuilder,
    compact::Model,
    decode_frame,
    piece::{self, Encoding, FrameContext, PieceEncoder, PieceError},
    proto,
};

const RUNNER: SelectionNumber = SelectionNumber(0);

fn market(ladder: PriceLadder) -> Market {
    let mut market = Market::new(MarketNumber(0), MarketId::new("1.1").unwrap(), Revision(1));
    let key = SelectionKey { id: SelectionId(7), handicap: Handicap::NONE };
    market.add_selection(key, Revision(1)).unwrap();
    market.set(CellKey::market(Field::PriceLadder), ladder.to_code(), Revision(1));
    market
}

fn frame(pieces: &[u8]) -> proto::ServerFrame {
    let mut frame = FrameBuilder::new();
    frame.pieces(pieces);
    decode_frame(frame.finish()).unwrap()
}

const ENCODINGS: [Encoding; 2] = [Encoding::Plain, Encoding::Compact];

/// A change that was encoded and decoded again.
fn round_trip(
    change: &MarketDelta,
    held: Option<&Market>,
    target: &Market,
    encoding: Encoding,
) -> Result<MarketDelta, PieceError> {
    let mut bytes = Vec::new();
    PieceEncoder::default().encode(change, held.map(|held| (held, View::FULL)), target, encoding, &mut bytes);
    let frame = frame(&bytes);
    let (kind, encoding, piece) = piece::pieces(&frame).next().unwrap();
    let model = Model::shipped();
    let context = FrameContext { revision: target.revision(), time: 0, since: Revision(0), model: &model };
    piece::decode(kind, encoding, piece, frame.definitions.first(), held, context)
}

#[test]
fn an_infinite_price_travels_on_every_ladder() {
    // 2^32 - 1 is 3 x 5 x 17 x 257 x 65537, so it is a multiple of these steps.
    let steps = [1, 3, 5, 15, 100, 65_537];
    let ladders = steps
        .into_iter()
        .flat_map(|step| [PriceLadder::Decimal { step }, PriceLadder::Line { step }])
        .chain([PriceLadder::Betfair]);
    for ladder in ladders {
        let mut held = market(ladder);
        for (at, value) in
            [u64::from(Price::INFINITE.0), 25_500, u64::from(Price::INFINITE.0), 0].into_iter().enumerate()
        {
            let mut target = held.clone();
            target.set(CellKey::selection(RUNNER, Field::NearPrice), value, held.revision().next());
            let mut change = MarketDelta::default();
            diff(&held, &target, View::FULL, &mut change);
            for encoding in ENCODINGS {
                let read = round_trip(&change, Some(&held), &target, encoding);
                assert_eq!(read.unwrap().cells, change.cells, "{at}: {value} on {ladder:?}, {encoding:?}");
            }
            held = target;
        }
    }
}

#[test]
fn amounts_are_checked_at_the_limit_and_one_past_it() {
    for (amount, expected) in [(Volume::MAX.0, Ok(())), (Volume::MAX.0 + 1, Err(PieceError::Amount))] {
        let mut market = market(PriceLadder::Betfair);
        market.set(CellKey::rung(RUNNER, Field::Back, Price(20_000)), amount, Revision(2));
        let mut change = MarketDelta::default();
        snapshot(&market, View::FULL, &mut change);
        for encoding in ENCODINGS {
            let read = round_trip(&change, None, &market, encoding);
            assert_eq!(read.map(|_| ()), expected, "{encoding:?}");
        }
    }
}
