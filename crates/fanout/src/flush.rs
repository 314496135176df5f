//! Flushing: what changed since the baselines is encoded once per lane and handed to every shard.

use std::sync::Arc;

use bytes::Bytes;
use oddswire_delta::{MarketDelta, diff};
use oddswire_model::{MarketNumber, Revision, View};
use oddswire_store::Store;
use oddswire_wire::{
    compact::{Lead, Model},
    piece::{PieceEncoder, TIME_STEP_MS},
    proto::Conflation,
};

use crate::{
    class::{Class, ClassIndex, ClassSet, Positions},
    fanout::{Fanout, FanoutStats},
    group::GroupId,
    lane::{LaneNumber, Lanes},
    number_set::NumberSet,
    output::Output,
};

/// A flush this much later than it was due is the server's fault, not the rate class's.
const LATE_MS: u64 = 50;
/// Flushes that are kept to be filled again, so that their memory is not asked for each time.
const SPARE_FLUSHES: usize = 4;

/// One turn of the fan-out: the pieces that were encoded, once for everybody. Each group's frame is gathered from it
/// by [`crate::Shard`].
#[derive(Debug, Default)]
pub struct Flush {
    /// The revision reached.
    pub(crate) revision: Revision,
    /// The producers' clock there, in steps of 10 ms.
    pub(crate) time: u64,
    pub(crate) positions: Positions,
    /// The classes that were flushed.
    pub(crate) classes: ClassSet,
    /// In the order in which they were encoded.
    pub(crate) pieces: Vec<Piece>,
    pub(crate) bytes: Vec<u8>,
    /// Markets that entered and left groups, in order of group.
    pub(crate) moves: Vec<(GroupId, Moved)>,
    /// Why pieces stand for several commits, where they do.
    pub(crate) cause: Conflation,
    /// One more than the highest lane number.
    pub(crate) lanes_end: usize,
    /// The model of compact pieces; there is one as soon as there is such a piece.
    pub(crate) model: Option<Model>,
}

/// What changed in a lane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    pub(crate) lane: LaneNumber,
    /// Place among the flush's bytes.
    pub(crate) start: u32,
    pub(crate) length: u32,
    /// It stands for several commits.
    pub(crate) is_merged: bool,
    /// It can be the first of a compact frame.
    pub(crate) lead: Option<Lead>,
}

/// Markets that one commit moved in and out of a group.
#[derive(Debug, Clone)]
pub(crate) struct Moved {
    /// What the group follows from now on.
    pub(crate) lanes: Arc<NumberSet>,
    /// Lanes that are followed from now on, in order: what changed in them is part of their snapshots.
    pub(crate) entered: Vec<LaneNumber>,
    /// Ready fields of the group's frame: what has left, and snapshots of what has entered.
    pub(crate) fields: Bytes,
}

impl Flush {
    /// The position of some classes.
    pub(crate) fn cursor(&self, classes: ClassSet) -> Revision {
        self.positions.lowest(classes, self.revision)
    }

    pub(crate) fn moved(&self, group: GroupId) -> Option<&Moved> {
        let at = self.moves.binary_search_by_key(&group, |(group, _)| *group).ok()?;
        Some(&self.moves[at].1)
    }

    fn clear(&mut self) {
        self.classes = ClassSet::default();
        self.pieces.clear();
        self.bytes.clear();
        self.moves.clear();
        self.cause = Conflation::None;
    }
}

/// Encodes what changed in a market, in every lane of it that somebody uses.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    pub(crate) pieces: PieceEncoder,
    pub(crate) change: MarketDelta,
}

impl Encoder {
    /// Encodes a dirty market's change in every lane in use, and moves its baseline on.
    fn encode(
        &mut self,
        store: &Store,
        lanes: &mut Lanes,
        class: ClassIndex,
        number: MarketNumber,
        flush: &mut Flush,
        stats: &mut FanoutStats,
    ) -> bool {
        let Some(baseline) = lanes.classes[class].take_dirty(number) else { return false };
        let Some(target) = store.market(number) else { return true };
        let is_merged = target.commits() - baseline.market.commits() > 1;
        let numbers = std::mem::take(&mut baseline.lanes);
        let mut diffed: Option<View> = None;
        for &lane in &numbers {
            let Some(used) = lanes.get(lane) else { continue };
            let Some(baseline) = lanes.classes[class].baseline(number) else { continue };
            let view = used.lane.view;
            if diffed != Some(view) {
                diff(&baseline.market, target, view, &mut self.change);
                diffed = Some(view);
            }
            if self.change.is_empty() {
                continue;
            }
            let start = flush.bytes.len();
            self.pieces.set_frame_time(store.published_ms());
            let base = Some((&baseline.market, view));
            let lead = self.pieces.encode(&self.change, base, target, used.lane.encoding, &mut flush.bytes);
            if lead.is_some() && flush.model.is_none() {
                flush.model = Some(self.pieces.model().clone());
            }
            let length = flush.bytes.len() - start;
            stats.pieces += 1;
            stats.piece_bytes += length as u64;
            flush.pieces.push(Piece { lane, start: start as u32, length: length as u32, is_merged, lead });
        }
        if let Some(baseline) = lanes.classes[class].baseline_mut(number) {
            baseline.lanes = numbers;
            baseline.market.advance_to(target);
        }
        true
    }
}

impl Fanout {
    /// Flushes every class that is due.
    pub(crate) fn flush(&mut self, now_ms: u64, store: &Store) {
        let at_least_ms = self.rush.interval_ms(now_ms);
        let mut is_late = false;
        let mut flush = None;
        for class in self.lanes.opened().iter() {
            let due_ms = Class::due_ms(&self.lanes.classes, class, at_least_ms);
            let Some(due_ms) = due_ms.filter(|&due_ms| due_ms <= now_ms) else { continue };
            if !self.lanes.classes[class].is_sent() {
                continue;
            }
            // After a quiet time the clock of the class has stood still; that is not lateness.
            is_late |= self.lanes.classes[class].interval_ms() < at_least_ms;
            is_late |= self.lanes.classes[class].interval_ms() > 0
                && now_ms - due_ms > LATE_MS
                && now_ms - due_ms < 10 * LATE_MS;
            let mut filled = flush.take().unwrap_or_else(|| self.begin_flush());
            filled.classes.insert(class);
            let marked = self.lanes.classes[class].take_marked();
            for &market in &marked {
                self.encoder.encode(store, &mut self.lanes, class, market, &mut filled, &mut self.stats);
            }
            self.lanes.classes[class].note_flush(now_ms, due_ms, marked);
            flush = Some(filled);
        }
        if let Some(mut flush) = flush {
            flush.cause = if is_late { Conflation::ServerSlow } else { Conflation::Asked };
            let classes = flush.classes;
            if let Some(flush) = self.hand_out(store, flush) {
                classes.iter().for_each(|class| self.lanes.classes[class].note_handed_out(&flush));
            }
        }
    }

    /// Flushes some markets of a class at once; the rest of it waits for its time.
    pub(crate) fn flush_at_once(&mut self, store: &Store, markets: &[MarketNumber], class: ClassIndex) {
        let mut flush = self.begin_flush();
        if self.encode_at_once(store, markets, class, &mut flush) {
            flush.cause = Conflation::Asked;
            self.hand_out(store, flush);
        } else {
            self.spare(Arc::new(flush));
        }
    }

    /// Encodes what changed in some markets of a class, whose time has not come; says whether there was anything.
    pub(crate) fn encode_at_once(
        &mut self,
        store: &Store,
        markets: &[MarketNumber],
        class: ClassIndex,
        flush: &mut Flush,
    ) -> bool {
        let mut is_touched = false;
        for &market in markets {
            is_touched |= self.encoder.encode(store, &mut self.lanes, class, market, flush, &mut self.stats);
        }
        if is_touched {
            flush.classes.insert(class);
        }
        is_touched
    }

    /// An empty flush, with the memory of one that everybody has finished with, if there is one.
    pub(crate) fn begin_flush(&mut self) -> Flush {
        let free = self.flushes.iter().position(|flush| Arc::strong_count(flush) == 1);
        let flush = free.and_then(|free| Arc::into_inner(self.flushes.swap_remove(free)));
        let mut flush = flush.unwrap_or_default();
        flush.clear();
        flush
    }

    /// Keeps a flush, so that its memory can be used again and it is known when it has been sent.
    fn spare(&mut self, flush: Arc<Flush>) {
        let mut sent = 0;
        self.flushes.retain(|flush| {
            sent += usize::from(Arc::strong_count(flush) == 1);
            Arc::strong_count(flush) > 1 || sent < SPARE_FLUSHES
        });
        self.flushes.push(flush);
    }

    /// Hands what was flushed to the shards, if there is anything. The baselines have moved, so what was made of them is
    /// out of date.
    pub(crate) fn hand_out(&mut self, store: &Store, mut flush: Flush) -> Option<Arc<Flush>> {
        self.cache.clear();
        if flush.pieces.is_empty() && flush.moves.is_empty() {
            self.spare(Arc::new(flush));
            return None;
        }
        self.stats.flushes += 1;
        flush.revision = store.revision();
        flush.time = store.published_ms() / TIME_STEP_MS;
        flush.positions = self.lanes.positions(store);
        flush.lanes_end = self.lanes.end();
        let flush = Arc::new(flush);
        self.spare(Arc::clone(&flush));
        self.outputs.push_back(Output::Flush(Arc::clone(&flush)));
        Some(flush)
    }
}
