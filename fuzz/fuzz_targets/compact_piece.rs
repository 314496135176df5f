//! Arbitrary bytes are read as the cells of compact pieces, against a market that is held. Reading must end, stay within
//! the cells that the bytes allow, and what it gives must leave a market that can be read.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use oddswire_delta::{Base, apply};
use oddswire_model::{
    CellKey, Field, Handicap, Market, MarketId, MarketNumber, Price, PriceLadder, Revision, SelectionId, SelectionKey,
    SelectionNumber, View,
};
use oddswire_wire::{
    compact::Model,
    piece::{self, Encoding, FrameContext, PieceKind, TIME_STEP_MS},
};

const PUBLISHED_MS: u64 = 1_700_000_000_000;

/// Three runners with a few rungs to back, to lay and traded.
fn market() -> Market {
    let mut market = Market::new(MarketNumber(0), MarketId::new("1.1").unwrap(), Revision(1));
    market.set(CellKey::market(Field::Status), 1, Revision(1));
    market.set(CellKey::market(Field::PriceLadder), PriceLadder::Betfair.to_code(), Revision(1));
    for runner in 0..3u16 {
        let key = SelectionKey { id: SelectionId(1 + u64::from(runner)), handicap: Handicap::NONE };
        market.add_selection(key, Revision(1)).unwrap();
        for (field, first) in [(Field::Back, 20_000), (Field::Lay, 20_600), (Field::Traded, 20_000)] {
            for rung in 0..5 {
                let key = CellKey::rung(SelectionNumber(runner), field, Price(first + rung * 200));
                market.set(key, 1_234 + 100 * u64::from(rung), Revision(1));
            }
        }
        market.set(CellKey::selection(SelectionNumber(runner), Field::LastTraded), 20_200, Revision(1));
    }
    market.touch(Revision(1), PUBLISHED_MS);
    market
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, coded)) = data.split_first() else { return };
    let kind = [PieceKind::Delta, PieceKind::CatchUp, PieceKind::Snapshot][usize::from(choice % 3)];
    let held = market();
    let model = Model::shipped();
    let context =
        FrameContext { revision: Revision(9), time: PUBLISHED_MS / TIME_STEP_MS, since: Revision(1), model: &model };
    let bytes = Bytes::copy_from_slice(coded);
    let held_by_receiver = (kind != PieceKind::Snapshot).then_some(&held);
    let Ok(change) = piece::decode(kind, Encoding::Compact, &bytes, None, held_by_receiver, context) else { return };
    assert!(change.cells.len() <= 64 + 32 * coded.len(), "{} cells of {} bytes", change.cells.len(), coded.len());
    if let Base::At(_) | Base::Since(_) = change.base {
        let mut becomes = held.clone();
        if apply(&mut becomes, &change).is_ok() {
            // Reading everything must be possible whatever came.
            let _ = (becomes.digest(View::FULL), becomes.cells(View::FULL).len());
        }
    }
});
