//! Values at the edges of the plain encoding.

use bytes::Bytes;
use oddswire_delta::{MarketDelta, diff, snapshot};
use oddswire_model::{
    CellKey, Field, Handicap, Market, MarketId, MarketNumber, Price, PriceLadder, Revision, SelectionId,
    SelectionKey, SelectionNumber, View, Volume,
};
use oddswire_wire::{
    FrameBuilder, decode_frame,
    piece::{self, PieceEncoder, PieceError, PieceKind},
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
        for value in [u64::from(Price::INFINITE.0), 25_500, u64::from(Price::INFINITE.0), 0] {
            let mut target = held.clone();
            target.set(CellKey::selection(RUNNER, Field::NearPrice), value, held.revision().next());
            let mut change = MarketDelta::default();
            diff(&held, &target, View::FULL, &mut change);
            let mut bytes = Vec::new();
            PieceEncoder::default().encode(&change, Some((&held, View::FULL)), ladder, &mut bytes);
            let frame = frame(&bytes);
            let read = piece::decode(
                PieceKind::Delta,
                &frame.deltas[0],
                None,
                Some(&held),
                target.revision(),
                0,
                Revision(0),
            );
            assert_eq!(read.unwrap().cells, change.cells, "{value} on {ladder:?}");
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
        let mut bytes = Vec::new();
        PieceEncoder::default().encode(&change, None, PriceLadder::Betfair, &mut bytes);
        let frame = frame(&bytes);
        let bytes: &Bytes = &frame.snapshots[0];
        let definition = frame.definitions.first();
        let read = piece::decode(PieceKind::Snapshot, bytes, definition, None, Revision(2), 0, Revision(0));
        assert_eq!(read.map(|_| ()), expected);
    }
}
