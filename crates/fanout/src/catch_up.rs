//! Catch-ups: everybody who is not live is brought to the baselines by one question to the state.

use std::collections::BTreeSet;

use bytes::Bytes;
use oddswire_delta::{catch_up, snapshot};
use oddswire_model::{MarketNumber, Revision, View};
use oddswire_store::Store;
use oddswire_wire::{
    FrameBuilder,
    limits::{FRAME_BYTES_MAX, FRAME_BYTES_TARGET},
    proto::{self, Conflation, ErrorCode},
};
use rustc_hash::FxHashMap;

use crate::{
    connection::ConnectionId,
    fanout::Fanout,
    group::{GroupId, Lane},
};

/// Room for the head of a frame beside its pieces.
const HEAD_BYTES: usize = 16 * 1024;

/// Pieces that several receivers need between two changes of the baselines.
///
/// The keys name the market's revision, so a piece can never be taken for another state than the one it was made of,
/// and classes that stand at the same revision share it.
#[derive(Default)]
pub(crate) struct CatchUpCache {
    snapshots: FxHashMap<(MarketNumber, Revision, View), Bytes>,
    catch_ups: FxHashMap<(MarketNumber, Revision, View, Revision), Bytes>,
}

impl CatchUpCache {
    /// The baselines have moved.
    pub(crate) fn clear(&mut self) {
        self.snapshots.clear();
        self.catch_ups.clear();
    }
}

impl Fanout {
    /// Gives a connection what it is due, if its socket is ready: answers first, then snapshots and the catch-up.
    pub(crate) fn pump(&mut self, store: &Store, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if !connection.is_ready || connection.is_closing {
            return;
        }
        if !connection.is_live && connection.holds_cursor && connection.cursor < store.horizon() {
            // What has gone since then is not known any more. A new connection begins with snapshots and drops the rest.
            let reason = "what you hold is older than the resume horizon; connect again".to_owned();
            return self.close(id, ErrorCode::SlowReceiver, reason);
        }
        let mut frames: Vec<Bytes> = connection.control.drain(..).collect();
        if connection.is_live {
            connection.behind_since_ms = None;
        } else if connection.session.is_greeted() {
            self.synchronise(store, id, &mut frames);
        }
        self.send(vec![id], frames);
    }

    /// Appends the next frames that bring a connection to the baselines.
    ///
    /// Snapshots of many markets are cut into frames, one per turn of the socket, so that memory stays bounded; the
    /// last one also brings everything else up to date and says where the receiver stands.
    fn synchronise(&mut self, store: &Store, id: ConnectionId, frames: &mut Vec<Bytes>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let group_id = connection.group;
        let mut wanted = std::mem::take(&mut connection.snapshots);
        let removed = std::mem::take(&mut connection.removed);
        let cursor = connection.cursor;
        let mut fresh = BTreeSet::new();
        let mut frame = FrameBuilder::new();
        while let Some(market) = wanted.pop_first() {
            let Some(lane) = self.groups.get(&group_id).and_then(|group| group.lanes.get(&market)).copied()
            else {
                continue;
            };
            let piece = self.snapshot_piece(market, lane);
            frame.pieces(&piece);
            fresh.insert(market);
            if frame.len() >= FRAME_BYTES_TARGET && !wanted.is_empty() {
                self.stats.catch_up_bytes += frame.len() as u64;
                frames.push(frame.finish());
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.snapshots = wanted;
                    connection.removed = removed;
                }
                return;
            }
        }
        let (mut parts, edges) = self.catch_up_pieces(store, group_id, cursor, &fresh);
        let Some(group) = self.groups.get(&group_id) else { return };
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let mut gone: BTreeSet<MarketNumber> = removed;
        gone.extend(store.removals_since(cursor).map(|removal| removal.market));
        gone.retain(|market| !group.lanes.contains_key(market));

        let reached = group.cursor(store, &self.classes);
        let since = if connection.holds_cursor { cursor.0 } else { 0 };
        let mut head = FrameBuilder::new();
        head.position(proto::Position {
            revision: group.revision.0,
            sequence: group.sequence,
            since,
            time: group.time,
        });
        head.cursor(reached);
        if connection.behind_since_ms.is_some() && !parts.is_empty() {
            head.conflated(Conflation::ReceiverSlow);
        }
        if !gone.is_empty() {
            head.removed(gone.iter().map(|market| market.0).collect());
        }
        for edge in edges {
            head.status_edge(edge);
        }
        connection.is_live = true;
        connection.holds_cursor = true;
        connection.behind_since_ms = None;
        connection.cursor = reached;

        // What does not fit into one frame goes ahead of it, to be applied together with it.
        if head.len() + frame.len() > FRAME_BYTES_MAX - HEAD_BYTES {
            frame.more();
            frames.push(std::mem::take(&mut frame).finish());
        }
        frame.append_frame(&head);
        let mut bytes = 0;
        for part in parts.drain(..) {
            if frame.len() + part.len() > FRAME_BYTES_MAX - HEAD_BYTES {
                frame.more();
                bytes += frame.len();
                frames.push(std::mem::take(&mut frame).finish());
            }
            frame.pieces(&part);
        }
        bytes += frame.len();
        self.stats.catch_ups += 1;
        self.stats.catch_up_bytes += bytes as u64;
        frames.push(frame.finish());
    }

    /// What changed after a cursor, market by market, and the status edges that it leaps over.
    fn catch_up_pieces(
        &mut self,
        store: &Store,
        group: GroupId,
        cursor: Revision,
        fresh: &BTreeSet<MarketNumber>,
    ) -> (Vec<Bytes>, Vec<proto::StatusEdge>) {
        let mut parts = Vec::new();
        let mut edges = Vec::new();
        let Some(group) = self.groups.get(&group) else { return (parts, edges) };
        let lanes: Vec<(MarketNumber, Lane)> = group
            .lanes
            .iter()
            .map(|(&market, &lane)| (market, lane))
            .filter(|(market, _)| !fresh.contains(market))
            .filter(|(market, lane)| {
                let baseline = self.classes[lane.class].baseline(*market);
                baseline.is_some_and(|baseline| baseline.market.revision() > cursor)
                    || store.topics_changed(*market) > cursor
            })
            .collect();
        for (market, lane) in lanes {
            // A market that came into the topic meanwhile is not held at all.
            if store.topics_changed(market) > cursor {
                parts.push(self.snapshot_piece(market, lane));
                continue;
            }
            if let Some(baseline) = self.classes[lane.class].baseline(market) {
                let held = &baseline.market;
                let leapt = held.status_edges().filter(|edge| edge.revision > cursor);
                edges.extend(leapt.map(|edge| proto::StatusEdge {
                    market: market.0,
                    revision: edge.revision.0,
                    status: edge.status as u32,
                }));
            }
            let piece = self.catch_up_piece(market, lane, cursor);
            if !piece.is_empty() {
                parts.push(piece);
            }
        }
        (parts, edges)
    }

    pub(crate) fn snapshot_piece(&mut self, market: MarketNumber, lane: Lane) -> Bytes {
        let Some(baseline) = self.classes[lane.class].baseline(market) else { return Bytes::new() };
        let key = (market, baseline.market.revision(), lane.view);
        if let Some(piece) = self.cache.snapshots.get(&key) {
            self.stats.catch_ups_shared += 1;
            return piece.clone();
        }
        snapshot(&baseline.market, lane.view, &mut self.change);
        let mut bytes = Vec::new();
        self.encoder.encode(&self.change, None, baseline.market.price_ladder(), &mut bytes);
        self.stats.snapshots += 1;
        let piece = Bytes::from(bytes);
        self.cache.snapshots.insert(key, piece.clone());
        piece
    }

    fn catch_up_piece(&mut self, market: MarketNumber, lane: Lane, since: Revision) -> Bytes {
        let Some(baseline) = self.classes[lane.class].baseline(market) else { return Bytes::new() };
        let key = (market, baseline.market.revision(), lane.view, since);
        if let Some(piece) = self.cache.catch_ups.get(&key) {
            self.stats.catch_ups_shared += 1;
            return piece.clone();
        }
        catch_up(&baseline.market, since, lane.view, &mut self.change);
        let mut bytes = Vec::new();
        if !self.change.is_empty() {
            self.encoder.encode(&self.change, None, baseline.market.price_ladder(), &mut bytes);
        }
        let piece = Bytes::from(bytes);
        self.cache.catch_ups.insert(key, piece.clone());
        piece
    }
}
