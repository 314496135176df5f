//! Flushing: what changed since the baselines is encoded once per view and handed to every live receiver.

use std::ops::Range;

use bytes::Bytes;
use oddswire_delta::diff;
use oddswire_model::{MarketNumber, View};
use oddswire_store::Store;
use oddswire_wire::{FrameBuilder, limits::FRAME_BYTES_MAX, piece::TIME_STEP_MS, proto::Conflation};
use rustc_hash::FxHashMap;

use crate::{
    baseline::ClassIndex,
    connection::ConnectionId,
    fanout::Fanout,
    group::{GroupId, Lane},
    urgent::Moves,
};

/// A flush this much later than it was due is the server's fault, not the rate class's.
const LATE_MS: u64 = 50;

/// The pieces of one flush, all in one buffer.
#[derive(Default)]
pub(crate) struct Pieces {
    bytes: Vec<u8>,
    ranges: FxHashMap<(ClassIndex, MarketNumber, View), Range<usize>>,
    /// What changed, in order of number, with the class it changed in and whether it stands for several commits.
    changed: Vec<(MarketNumber, ClassIndex, bool)>,
}

impl Fanout {
    /// Flushes every class that is due.
    pub(crate) fn flush(&mut self, now_ms: u64, store: &Store) {
        let mut pieces = Pieces::default();
        let mut due = 0u32;
        let mut is_late = false;
        for class in 0..self.classes.len() {
            let Some(due_ms) = self.classes[class].due_ms().filter(|&due_ms| due_ms <= now_ms) else {
                continue;
            };
            // After a quiet time the clock of the class has stood still; that is not lateness.
            is_late |= self.classes[class].interval_ms > 0
                && now_ms - due_ms > LATE_MS
                && now_ms - due_ms < 10 * LATE_MS;
            due |= 1 << class;
            let dirty = std::mem::take(&mut self.classes[class].dirty);
            for &market in &dirty {
                self.encode_change(store, class, market, &mut pieces);
            }
            self.classes[class].note_flush(now_ms);
        }
        if due != 0 {
            let cause = if is_late { Conflation::ServerSlow } else { Conflation::Asked };
            self.hand_out(now_ms, store, due, pieces, &Moves::new(), cause);
        }
    }

    /// Flushes some markets of a class at once; the rest of it waits for its time.
    pub(crate) fn flush_at_once(
        &mut self,
        now_ms: u64,
        store: &Store,
        markets: &[MarketNumber],
        class: ClassIndex,
    ) {
        let mut pieces = Pieces::default();
        if self.encode_at_once(store, markets, class, &mut pieces) {
            self.hand_out(now_ms, store, 1 << class, pieces, &Moves::new(), Conflation::Asked);
        }
    }

    /// Encodes what changed in some markets of a class, whose time has not come; says whether there was anything.
    pub(crate) fn encode_at_once(
        &mut self,
        store: &Store,
        markets: &[MarketNumber],
        class: ClassIndex,
        pieces: &mut Pieces,
    ) -> bool {
        let mut is_touched = false;
        for &market in markets {
            if self.classes[class].baseline(market).is_some_and(|baseline| baseline.is_dirty) {
                self.classes[class].dirty.retain(|&dirty| dirty != market);
                self.encode_change(store, class, market, pieces);
                is_touched = true;
            }
        }
        is_touched
    }

    /// Encodes a market's change in every view in use, and moves its baseline on.
    fn encode_change(&mut self, store: &Store, class: ClassIndex, number: MarketNumber, pieces: &mut Pieces) {
        let Some(baseline) = self.classes[class].baseline_mut(number) else { return };
        baseline.is_dirty = false;
        let Some(target) = store.market(number) else { return };
        let merged = target.commits() - baseline.market.commits() > 1;
        let mut is_visible = false;
        for &(view, _) in &baseline.views {
            diff(&baseline.market, target, view, &mut self.change);
            if self.change.is_empty() {
                continue;
            }
            let start = pieces.bytes.len();
            self.encoder.set_frame_time(store.published_ms());
            self.encoder.encode(
                &self.change,
                Some((&baseline.market, view)),
                target.price_ladder(),
                &mut pieces.bytes,
            );
            let range = start..pieces.bytes.len();
            self.stats.pieces += 1;
            self.stats.piece_bytes += range.len() as u64;
            pieces.ranges.insert((class, number, view), range);
            is_visible = true;
        }
        baseline.market.advance_to(target);
        if is_visible {
            pieces.changed.push((number, class, merged));
        }
    }

    /// Joins pieces, and the markets that have entered or left, to one frame per group and hands it to the members.
    pub(crate) fn hand_out(
        &mut self,
        now_ms: u64,
        store: &Store,
        classes: u32,
        mut pieces: Pieces,
        moves: &Moves,
        cause: Conflation,
    ) {
        self.cache.clear();
        if pieces.changed.is_empty() && moves.is_empty() {
            return;
        }
        self.stats.flushes += 1;
        pieces.changed.sort_unstable();
        let mut ids: Vec<GroupId> = self.groups.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let moved = moves.get(&id);
            let Some(group) = self.groups.get(&id) else { continue };
            if group.classes_used() & classes == 0 && moved.is_none() {
                continue;
            }
            let mut body = FrameBuilder::new();
            let mut is_merged = false;
            let entered = moved.map_or(&[][..], |moved| &moved.entered);
            for &(market, class, merged) in &pieces.changed {
                let Some(&Lane { view, class: followed }) = group.lanes.get(&market) else { continue };
                if followed != class || entered.iter().any(|(entered, _)| *entered == market) {
                    continue;
                }
                if let Some(range) = pieces.ranges.get(&(class, market, view)) {
                    body.pieces(&pieces.bytes[range.clone()]);
                    is_merged |= merged;
                }
            }
            if let Some(moved) = moved {
                if !moved.left.is_empty() {
                    body.removed(moved.left.clone());
                }
                for &(market, lane) in &moved.entered {
                    let piece = self.snapshot_piece(market, lane);
                    body.pieces(&piece);
                }
            }
            if !body.is_empty() {
                let cause = if is_merged { cause } else { Conflation::None };
                self.hand_to_group(now_ms, store, id, body, cause);
            }
        }
    }

    /// Sends a frame of a group's chain to the members that are live and ready; the others have fallen behind.
    fn hand_to_group(
        &mut self,
        now_ms: u64,
        store: &Store,
        id: GroupId,
        body: FrameBuilder,
        cause: Conflation,
    ) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        let revision = store.revision();
        let step = revision.0 - group.revision.0;
        group.revision = revision;
        group.sequence = group.sequence.wrapping_add(1);
        let sequence = group.sequence;
        let time = store.published_ms() / TIME_STEP_MS;
        let time_step = time - group.time;
        group.time = time;
        let members: Vec<ConnectionId> = group.members.iter().copied().collect();
        let cursor = self.groups[&id].cursor(store, &self.classes);

        let mut frame = FrameBuilder::new();
        frame.advance(step, sequence);
        frame.time_step(time_step);
        if cursor != revision {
            frame.cursor(cursor);
        }
        if cause != Conflation::None {
            frame.conflated(cause);
        }
        frame.append_frame(&body);
        let fits = frame.len() <= FRAME_BYTES_MAX;
        let mut to = Vec::with_capacity(members.len());
        let mut too_long_for = Vec::new();
        for member in members {
            let Some(connection) = self.connections.get_mut(&member) else { continue };
            if !connection.is_live {
                continue;
            }
            if connection.is_ready && fits {
                connection.cursor = cursor;
                to.push(member);
                continue;
            }
            // What it misses now, a catch-up will tell it; a frame too long to send is taken apart there too.
            connection.is_live = false;
            if connection.is_ready {
                too_long_for.push(member);
            } else if connection.behind_since_ms.is_none() {
                connection.behind_since_ms = Some(now_ms);
                self.stats.fell_behind += 1;
            }
        }
        let frame: Bytes = frame.finish();
        self.send(to, vec![frame]);
        for member in too_long_for {
            self.pump(store, member);
        }
    }
}
