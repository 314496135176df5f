//! Encoding takes no memory from the allocator once its buffers have grown.

use oddswire_delta::{MarketDelta, catch_up, diff, snapshot};
use oddswire_model::{
    CellKey, Field, Handicap, Market, MarketId, MarketNumber, Price, PriceLadder, Revision, SelectionId,
    SelectionKey, SelectionNumber, View,
};
use oddswire_wire::{
    FrameBuilder, LeadScratch,
    compact::LeadHead,
    piece::{Encoding, PieceEncoder},
};

/// A race of ten runners at a revision; what each runner offers moves with it.
fn race(revision: u64) -> Market {
    let mut market = Market::new(MarketNumber(7), MarketId::new("1.7").unwrap(), Revision(1));
    market.set(CellKey::market(Field::PriceLadder), PriceLadder::Betfair.to_code(), Revision(1));
    for runner in 0..10u16 {
        let key = SelectionKey { id: SelectionId(u64::from(runner)), handicap: Handicap::NONE };
        market.add_selection(key, Revision(1)).unwrap();
        for (field, first) in [(Field::Back, 20_000), (Field::Lay, 21_000), (Field::Traded, 20_400)] {
            for rung in 0..5 {
                let key = CellKey::rung(SelectionNumber(runner), field, Price(first + rung * 200));
                let cents = 1_000 + u64::from(rung) * 777 + u64::from(runner) * 13;
                let moved = if rung == 2 { revision * 10 } else { 0 };
                market.set(key, cents + moved, Revision(if moved > 0 { revision } else { 1 }));
            }
        }
    }
    market.touch(Revision(revision), 1_700_000_000_000 + revision * 10);
    market
}

#[test]
fn encoding_takes_no_memory_once_its_buffers_have_grown() {
    let (before, after) = (race(2), race(3));
    for encoding in [Encoding::Plain, Encoding::Compact] {
        let mut encoder = PieceEncoder::default();
        encoder.set_frame_time(after.published_ms());
        let model = encoder.model().clone();
        let (mut change, mut pieces) = (MarketDelta::default(), Vec::new());
        let (mut frame, mut scratch) = (FrameBuilder::new(), LeadScratch::default());
        let mut round = || {
            pieces.clear();
            frame.clear();
            diff(&before, &after, View::FULL, &mut change);
            assert_eq!(change.cells.len(), 30);
            let lead = encoder.encode(&change, Some((&before, View::FULL)), &after, encoding, &mut pieces);
            assert_eq!(lead.is_some(), encoding == Encoding::Compact);
            let head = LeadHead { step: 1, sequence: 4, time_step: 1, is_sole: true };
            match lead {
                Some(lead) => frame.lead_or_advance(&head, &lead, &pieces, &model, &mut scratch),
                None => {
                    frame.advance(1, 4, 1);
                    frame.pieces(&pieces);
                }
            }
            catch_up(&after, Revision(2), View::FULL, &mut change);
            encoder.encode(&change, None, &after, encoding, &mut pieces);
            snapshot(&after, View::best(3), &mut change);
            // A definition is made of texts; it is not part of what repeats.
            change.id = None;
            change.attributes.clear();
            change.selections.clear();
            encoder.encode(&change, None, &after, encoding, &mut pieces);
        };
        round();
        round();
        let taken = allocation_counter::measure(|| (0..100).for_each(|_| round()));
        assert_eq!(taken.count_total, 0, "{encoding:?}");
    }
}
