//! Catch-ups: everybody who is not live is brought to the baselines by one question to the state.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use oddswire_delta::{catch_up, snapshot};
use oddswire_model::{MarketNumber, Revision, View};
use oddswire_store::Store;
use oddswire_wire::{
    FrameBuilder,
    limits::{FRAME_BYTES_MAX, FRAME_BYTES_TARGET},
    piece::{Encoding, TIME_STEP_MS},
    proto::{self, Conflation, ErrorCode},
};
use rustc_hash::FxHashMap;

use crate::{
    connection::{ConnectionId, Position},
    fanout::Fanout,
    flush::Encoder,
    group::GroupId,
    lane::LaneNumber,
    number_set::NumberSet,
    output::Attach,
};

/// Room for the head of a frame beside its pieces.
const HEAD_BYTES: usize = 16 * 1024;

/// Most bytes that are kept for others. A change of the baselines or a heartbeat forgets them anyway; this is for a crowd
/// that asks for everything since many different revisions in between.
const CACHE_BYTES_MAX: usize = 32 << 20;

/// What several receivers need between two changes of the baselines.
///
/// The keys of pieces name the market's revision, so a piece can never be taken for another state than the one it was
/// made of, and classes that stand at the same revision share it.
#[derive(Default)]
pub(crate) struct CatchUpCache {
    snapshots: FxHashMap<(MarketNumber, Revision, View, Encoding), Bytes>,
    catch_ups: FxHashMap<(MarketNumber, Revision, View, Encoding, Revision), Bytes>,
    /// Whole catch-ups of receivers who need nothing else, and snapshots of receivers who need all of a group's.
    frames: FxHashMap<SharedKey, Vec<Bytes>>,
    bytes: usize,
}

/// What makes catch-ups the same: group, cursor, whether the receivers hold nothing yet, and whether they were slow.
type SharedKey = (GroupId, Revision, bool, bool);

impl CatchUpCache {
    /// The baselines have moved.
    pub(crate) fn clear(&mut self) {
        self.snapshots.clear();
        self.catch_ups.clear();
        self.frames.clear();
        self.bytes = 0;
    }

    /// Something is about to be kept.
    fn make_room(&mut self, bytes: usize) {
        if self.bytes + bytes > CACHE_BYTES_MAX {
            self.clear();
        }
        self.bytes += bytes;
    }
}

impl Fanout {
    /// Gives a connection what it is due, if its socket is ready: answers first, then snapshots and the catch-up.
    pub(crate) fn pump(&mut self, store: &Store, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        // Where it stands will soon be known; then it gets everything at once.
        if !connection.is_ready || connection.is_closing || connection.position == Position::Leaving {
            return;
        }
        let is_here = connection.position == Position::Here;
        if is_here && connection.holds_cursor && connection.cursor < store.horizon() {
            // What has gone since then is not known any more. A new connection begins with snapshots and drops the rest.
            let reason = "what you hold is older than the resume horizon; connect again".to_owned();
            return self.close(id, ErrorCode::SlowReceiver, reason);
        }
        let mut frames = std::mem::take(&mut connection.control);
        let mut attach = None;
        if is_here && connection.session.is_greeted() {
            attach = if connection.subscriptions.is_empty() && !connection.holds_cursor {
                // There is nothing to hold yet.
                self.attach(store, id, None)
            } else {
                self.synchronise(store, id, &mut frames)
            };
        }
        self.send(id, frames, attach);
    }

    /// A connection joins its group's frames.
    fn attach(&mut self, store: &Store, id: ConnectionId, since: Option<Revision>) -> Option<Box<Attach>> {
        let connection = self.connections.get_mut(&id)?;
        let group = self.groups.get(&connection.group)?;
        let classes = group.classes();
        connection.position = Position::Attached;
        connection.holds_cursor |= since.is_some();
        connection.is_behind = false;
        // The shard knows better from now on.
        connection.cursor = Revision(u64::MAX);
        Some(Box::new(Attach {
            group: connection.group,
            lanes: Arc::clone(&group.lanes),
            classes,
            cursor: self.lanes.position(store, classes),
            since,
            revision: store.revision(),
            time: store.published_ms() / TIME_STEP_MS,
        }))
    }

    /// Appends the next frames that bring a connection to the baselines.
    ///
    /// Snapshots of many markets are cut into frames, one per turn of the socket, so that memory stays bounded; the
    /// last one also brings everything else up to date. With it the connection joins its group's frames, and its shard
    /// adds where the receiver stands.
    fn synchronise(
        &mut self,
        store: &Store,
        id: ConnectionId,
        frames: &mut Vec<Bytes>,
    ) -> Option<Box<Attach>> {
        let connection = self.connections.get_mut(&id)?;
        let group_id = connection.group;
        let cursor = connection.cursor;
        let since = if connection.holds_cursor { cursor } else { Revision(0) };
        let is_slow = connection.is_behind;
        let mut wanted = std::mem::take(&mut connection.snapshots);
        let removed = std::mem::take(&mut connection.removed);
        let holds_cursor = connection.holds_cursor;
        let lanes = self.groups.get(&group_id)?.lanes.len();
        let is_first = !holds_cursor && wanted.len() == lanes;
        let is_shared = (wanted.is_empty() || is_first) && removed.is_empty();
        let shared_key = (group_id, cursor, is_first, is_slow);
        if is_shared && let Some(shared) = self.cache.frames.get(&shared_key) {
            self.stats.catch_ups_shared += 1;
            self.stats.catch_ups += 1;
            self.stats.catch_up_bytes += shared.iter().map(Bytes::len).sum::<usize>() as u64;
            frames.extend(shared.iter().cloned());
            return self.attach(store, id, Some(since));
        }
        let begin = frames.len();
        let mut fresh = BTreeSet::new();
        let mut frame = FrameBuilder::new();
        let group = self.groups.get(&group_id)?;
        let (group_lanes, key) = (Arc::clone(&group.lanes), group.key.clone());
        while let Some(market) = wanted.pop_first() {
            let Some(lane) = self.lanes.of_market(&group_lanes, market) else { continue };
            let piece = self.snapshot_piece(lane);
            frame.pieces(&piece);
            fresh.insert(market);
            if frame.len() >= FRAME_BYTES_TARGET && !wanted.is_empty() {
                self.stats.catch_up_bytes += frame.len() as u64;
                frames.push(key.finish(frame));
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.snapshots = wanted;
                    connection.removed = removed;
                }
                return None;
            }
        }
        let (parts, edges) = self.catch_up_pieces(store, &group_lanes, cursor, &fresh);
        let mut gone: BTreeSet<MarketNumber> = removed;
        gone.extend(store.removals_since(cursor).map(|removal| removal.market));
        gone.retain(|&market| self.lanes.of_market(&group_lanes, market).is_none());

        let reached = self.lanes.position(store, self.groups.get(&group_id)?.classes());
        let mut head = FrameBuilder::new();
        head.cursor(reached);
        if is_slow && !parts.is_empty() {
            head.conflated(Conflation::ReceiverSlow);
            self.stats.conflated_receiver_slow += 1;
        }
        if !gone.is_empty() {
            head.removed(gone.iter().map(|market| market.0).collect());
        }
        for edge in edges {
            head.status_edge(edge);
        }
        // What does not fit into one frame goes ahead of it, to be applied together with it.
        if head.len() + frame.len() > FRAME_BYTES_MAX - HEAD_BYTES {
            frame.more();
            frames.push(key.finish(std::mem::take(&mut frame)));
        }
        frame.append_frame(&head);
        for part in parts {
            if frame.len() + part.len() > FRAME_BYTES_MAX - HEAD_BYTES {
                frame.more();
                frames.push(key.finish(std::mem::take(&mut frame)));
            }
            frame.pieces(&part);
        }
        frames.push(key.finish(frame));
        self.stats.catch_ups += 1;
        let bytes: usize = frames[begin..].iter().map(Bytes::len).sum();
        self.stats.catch_up_bytes += bytes as u64;
        // Where there is nobody to share it with, it is not kept. Of snapshots, one frame is as much as a socket that does
        // not take it keeps anyway.
        let has_others = self.groups.get(&group_id).is_some_and(|group| group.members > 1);
        if is_shared && has_others && (!is_first || frames.len() == begin + 1) {
            self.cache.make_room(bytes);
            self.cache.frames.insert(shared_key, frames[begin..].to_vec());
        }
        self.attach(store, id, Some(since))
    }

    /// What changed after a cursor, market by market, and the status edges that it leaps over.
    fn catch_up_pieces(
        &mut self,
        store: &Store,
        lanes: &NumberSet,
        cursor: Revision,
        fresh: &BTreeSet<MarketNumber>,
    ) -> (Vec<Bytes>, Vec<proto::StatusEdge>) {
        let mut parts = Vec::new();
        let mut edges = Vec::new();
        let mut changed = Vec::new();
        for lane in lanes.iter() {
            let Some((baseline, _)) = self.lanes.baseline(lane) else { continue };
            let market = baseline.market.number();
            let is_new = store.topics_changed(market) > cursor;
            if (is_new || baseline.market.revision() > cursor) && !fresh.contains(&market) {
                changed.push((market, lane, is_new));
            }
        }
        changed.sort_unstable();
        for (market, lane, is_new) in changed {
            // A market that came into the topic meanwhile is not held at all.
            if is_new {
                parts.push(self.snapshot_piece(lane));
                continue;
            }
            if let Some((baseline, _)) = self.lanes.baseline(lane) {
                let leapt = baseline.market.status_edges().filter(|edge| edge.revision > cursor);
                edges.extend(leapt.map(|edge| proto::StatusEdge {
                    market: market.0,
                    revision: edge.revision.0,
                    status: edge.status as u32,
                }));
            }
            let piece = self.catch_up_piece(lane, cursor);
            if !piece.is_empty() {
                parts.push(piece);
            }
        }
        (parts, edges)
    }

    pub(crate) fn snapshot_piece(&mut self, lane: LaneNumber) -> Bytes {
        let Some((baseline, lane)) = self.lanes.baseline(lane) else { return Bytes::new() };
        let market = &baseline.market;
        let key = (market.number(), market.revision(), lane.view, lane.encoding);
        if let Some(piece) = self.cache.snapshots.get(&key) {
            self.stats.catch_ups_shared += 1;
            return piece.clone();
        }
        snapshot(market, lane.view, &mut self.encoder.change);
        let mut bytes = Vec::new();
        let Encoder { pieces, change } = &mut self.encoder;
        pieces.encode(change, None, market, lane.encoding, &mut bytes);
        self.stats.snapshots += 1;
        let piece = Bytes::from(bytes);
        self.cache.make_room(piece.len());
        self.cache.snapshots.insert(key, piece.clone());
        piece
    }

    fn catch_up_piece(&mut self, lane: LaneNumber, since: Revision) -> Bytes {
        let Some((baseline, lane)) = self.lanes.baseline(lane) else { return Bytes::new() };
        let market = &baseline.market;
        let key = (market.number(), market.revision(), lane.view, lane.encoding, since);
        if let Some(piece) = self.cache.catch_ups.get(&key) {
            self.stats.catch_ups_shared += 1;
            return piece.clone();
        }
        catch_up(market, since, lane.view, &mut self.encoder.change);
        let mut bytes = Vec::new();
        if !self.encoder.change.is_empty() {
            let Encoder { pieces, change } = &mut self.encoder;
            pieces.encode(change, None, market, lane.encoding, &mut bytes);
        }
        let piece = Bytes::from(bytes);
        self.cache.make_room(piece.len());
        self.cache.catch_ups.insert(key, piece.clone());
        piece
    }
}
