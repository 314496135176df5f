//! Counting what a model is trained from.

use oddswire_delta::{Base, MarketDelta};
use oddswire_model::{Market, View};

use super::{
    Against,
    coder::Sink,
    encode,
    layout::{LOOSE, ONE_STEP, SOLE, TIME, Table},
    lead::write_age,
    model::Counts,
    number::{self, Shape},
};
use crate::reference::Reference;

/// Notes symbols; they are counted when the whole change has turned out to fit.
#[derive(Default)]
struct Notes {
    /// Where the share of a symbol stands, and the raw bits that followed it.
    symbols: Vec<(usize, u32)>,
}

impl Sink for Notes {
    fn symbol<const N: usize>(&mut self, table: Table<N>, context: usize, symbol: usize) {
        assert!(context < table.contexts && symbol < N, "symbol {symbol} of {N}, context {context}");
        self.symbols.push((table.at + context * N + symbol, 0));
    }

    fn raw(&mut self, bits: u32, _: u64) {
        if let Some(last) = self.symbols.last_mut() {
            last.1 += bits;
        }
    }

    fn mark(&self) -> usize {
        self.symbols.len()
    }

    fn rewind(&mut self, mark: usize) {
        // Raw bits that followed the last symbol kept are counted with it once more; statistics can bear that.
        self.symbols.truncate(mark);
    }
}

/// Counts the symbols that a change is coded in, and for a delta those of the head of a frame that holds nothing else.
///
/// `baseline` is the market at the change's base and the view it was made for, or nothing; `time_step` how far the
/// producers' clock has gone since the change before. Says whether the compact encoding can say the change, as it can all
/// that are about the target's own selections.
pub fn count(
    change: &MarketDelta,
    baseline: Option<(&Market, View)>,
    target: &Market,
    time_step: u64,
    is_sole: bool,
    counts: &mut Counts,
) -> bool {
    let sink = &mut Notes::default();
    let is_delta = matches!(change.base, Base::At(_));
    if is_delta {
        sink.bit(ONE_STEP, 0, true);
        number::write(sink, TIME, 0, Shape::Time, time_step);
        sink.bit(SOLE, 0, is_sole);
        if !is_sole {
            number::write(sink, LOOSE, 0, Shape::Usual, u64::from(change.market.0));
        }
        write_age(sink, 0);
    }
    let against = Against {
        reference: baseline.map_or(Reference::NOTHING, |(market, view)| Reference::of(market, view)),
        prices: target.price_ladder(),
        selections: target.selections().len(),
        is_catch_up: matches!(change.base, Base::Since(_)),
    };
    let fits = encode(change, against, sink).is_ok();
    if fits {
        for &(at, raw_bits) in &sink.symbols {
            counts.note(at, raw_bits);
        }
    }
    fits
}
