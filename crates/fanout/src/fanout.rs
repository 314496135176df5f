//! The fan-out.

use std::collections::VecDeque;

use oddswire_delta::MarketDelta;
use oddswire_model::Revision;
use oddswire_store::Store;
use oddswire_wire::{FrameBuilder, piece::PieceEncoder, proto};
use rustc_hash::FxHashMap;

use crate::{
    baseline::{Class, RATES_MS},
    catch_up::CatchUpCache,
    connection::{Connection, ConnectionId},
    group::{Group, GroupId, Interest},
    output::Output,
};

/// Settings of the fan-out.
#[derive(Debug, Clone)]
pub struct FanoutConfig {
    /// How often "every flush" is; commits in between become one.
    pub flush_interval_ms: u64,
    /// How often a connection hears something.
    pub heartbeat_interval_ms: u64,
    /// How many markets' digests a heartbeat carries.
    pub digests_per_heartbeat: usize,
    /// How long a client may take to say hello.
    pub hello_timeout_ms: u64,
    /// How long a receiver may take nothing before it is told and cut.
    pub stuck_timeout_ms: u64,
}

impl Default for FanoutConfig {
    fn default() -> Self {
        Self {
            flush_interval_ms: 10,
            heartbeat_interval_ms: 1_000,
            digests_per_heartbeat: 4,
            hello_timeout_ms: 5_000,
            stuck_timeout_ms: 30_000,
        }
    }
}

/// Counters of the fan-out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FanoutStats {
    /// Flushes that sent something.
    pub flushes: u64,
    /// Pieces encoded.
    pub pieces: u64,
    /// Bytes of those pieces.
    pub piece_bytes: u64,
    /// Frames handed out, once per receiver.
    pub frames: u64,
    /// Bytes of those frames.
    pub frame_bytes: u64,
    /// Catch-ups made for receivers that were not live.
    pub catch_ups: u64,
    /// Those of them that another receiver's served.
    pub catch_ups_shared: u64,
    /// Bytes of catch-ups, snapshots in them included.
    pub catch_up_bytes: u64,
    /// Snapshots encoded.
    pub snapshots: u64,
    /// Frames flushed at once because a status changed.
    pub urgent: u64,
    /// Times a receiver fell behind because its socket was full.
    pub fell_behind: u64,
    /// Subscriptions resumed from a cursor.
    pub resumes: u64,
    /// Markets sent again because a client asked, by reason code.
    pub resyncs: u64,
    /// Connections closed for what the client did.
    pub closed_for_cause: u64,
}

/// Groups, rate classes and connections of one gateway.
pub struct Fanout {
    pub(crate) config: FanoutConfig,
    pub(crate) classes: Vec<Class>,
    pub(crate) groups: FxHashMap<GroupId, Group>,
    pub(crate) group_ids: FxHashMap<Vec<Interest>, GroupId>,
    pub(crate) next_group: GroupId,
    pub(crate) connections: FxHashMap<ConnectionId, Connection>,
    pub(crate) next_connection: u64,
    pub(crate) next_heartbeat_ms: u64,
    pub(crate) freshness_ms: Option<u32>,
    pub(crate) wall_ms: u64,
    pub(crate) encoder: PieceEncoder,
    pub(crate) change: MarketDelta,
    pub(crate) cache: CatchUpCache,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) stats: FanoutStats,
}

impl Fanout {
    /// A fan-out without connections.
    pub fn new(config: FanoutConfig) -> Self {
        let mut classes: Vec<_> = RATES_MS.iter().map(|&rate_ms| Class::new(u64::from(rate_ms))).collect();
        classes[0].interval_ms = config.flush_interval_ms;
        Self {
            config,
            classes,
            groups: FxHashMap::default(),
            group_ids: FxHashMap::default(),
            next_group: 0,
            connections: FxHashMap::default(),
            next_connection: 0,
            next_heartbeat_ms: 0,
            freshness_ms: None,
            wall_ms: 0,
            encoder: PieceEncoder::default(),
            change: MarketDelta::default(),
            cache: CatchUpCache::default(),
            outputs: VecDeque::new(),
            stats: FanoutStats::default(),
        }
    }

    /// Counters.
    pub fn stats(&self) -> FanoutStats {
        self.stats
    }

    /// Number of connections.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Connections that are not live.
    pub fn behind(&self) -> usize {
        self.connections.values().filter(|connection| connection.behind_since_ms.is_some()).count()
    }

    /// What heartbeats say from now on: how long ago the producers last vouched for their prices, and the wall clock.
    pub fn set_freshness(&mut self, freshness_ms: Option<u32>, wall_ms: u64) {
        self.freshness_ms = freshness_ms;
        self.wall_ms = wall_ms;
    }

    /// A new connection, whose socket is ready.
    pub fn connect(&mut self, now_ms: u64) -> ConnectionId {
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        self.connections.insert(id, Connection::new(now_ms, GroupId::MAX));
        id
    }

    /// A connection is gone.
    pub fn disconnect(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.remove(&id) {
            self.leave_group(id, connection.group);
        }
    }

    /// A connection's socket has taken what was sent and can take more.
    pub fn ready(&mut self, store: &Store, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.is_ready = true;
        }
        self.pump(store, id);
    }

    /// Asks every client to move, spread evenly over a time, and stops taking part.
    pub fn drain(&mut self, spread_ms: u32) {
        let mut ids: Vec<_> = self.connections.keys().copied().collect();
        ids.sort();
        let count = ids.len().max(1) as u64;
        for (at, id) in ids.into_iter().enumerate() {
            let mut frame = FrameBuilder::new();
            let reconnect_after_ms = (u64::from(spread_ms) * at as u64 / count) as u32;
            frame.drain(proto::Drain { reconnect_after_ms });
            // Said whether or not the socket is ready: it is the last frame.
            self.send(vec![id], vec![frame.finish()]);
        }
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Fanout::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> u64 {
        let flush = self.classes.iter().filter_map(Class::due_ms).min();
        flush.map_or(self.next_heartbeat_ms, |flush| flush.min(self.next_heartbeat_ms))
    }

    /// The time has come: flushes what is due, says heartbeats, cuts who is stuck.
    pub fn handle_timeout(&mut self, now_ms: u64, store: &Store) {
        self.flush(now_ms, store);
        if now_ms >= self.next_heartbeat_ms {
            self.next_heartbeat_ms = now_ms + self.config.heartbeat_interval_ms;
            self.heartbeat(store);
            self.cut_stuck(now_ms);
        }
    }

    /// Hands frames to connections, none of which is ready afterwards.
    pub(crate) fn send(&mut self, to: Vec<ConnectionId>, frames: Vec<bytes::Bytes>) {
        if to.is_empty() || frames.is_empty() {
            return;
        }
        let bytes: usize = frames.iter().map(bytes::Bytes::len).sum();
        self.stats.frames += (to.len() * frames.len()) as u64;
        self.stats.frame_bytes += (to.len() * bytes) as u64;
        for id in &to {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.is_ready = false;
            }
        }
        self.outputs.push_back(Output::Frames { to, frames });
    }

    fn heartbeat(&mut self, store: &Store) {
        let mut ids: Vec<_> = self.groups.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let Some(group) = self.groups.get_mut(&id) else { continue };
            let ready = |member: &&ConnectionId| {
                self.connections
                    .get(member)
                    .is_some_and(|connection| connection.is_live && connection.is_ready)
            };
            let to: Vec<_> = group.members.iter().filter(ready).copied().collect();
            if to.is_empty() {
                continue;
            }
            let mut frame = FrameBuilder::new();
            let revision: Revision = group.cursor(store, &self.classes);
            frame.heartbeat(&proto::Heartbeat {
                revision: revision.0,
                freshness_ms: self.freshness_ms,
                now_ms: self.wall_ms,
                sequence: group.sequence,
            });
            let after = group.digested.map_or(0, |market| market.0 + 1);
            let later = group.lanes.range(oddswire_model::MarketNumber(after)..);
            let some: Vec<_> = later
                .take(self.config.digests_per_heartbeat)
                .map(|(&market, &lane)| (market, lane))
                .collect();
            group.digested = some.last().map(|(market, _)| *market);
            for (market, lane) in some {
                if let Some(baseline) = self.classes[lane.class].baseline(market) {
                    let digest = baseline.market.digest(lane.view).to_u64();
                    frame.digest(proto::MarketDigest { market: market.0, digest });
                }
            }
            for id in &to {
                if let Some(connection) = self.connections.get_mut(id) {
                    connection.cursor = revision;
                }
            }
            self.send(to, vec![frame.finish()]);
        }
    }

    fn cut_stuck(&mut self, now_ms: u64) {
        let mut cut: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, connection)| !connection.is_closing)
            .filter_map(|(id, connection)| {
                let stuck = connection
                    .behind_since_ms
                    .is_some_and(|since| now_ms - since >= self.config.stuck_timeout_ms);
                let mute = !connection.session.is_greeted()
                    && now_ms - connection.connected_ms >= self.config.hello_timeout_ms;
                (stuck || mute).then_some((*id, stuck))
            })
            .collect();
        cut.sort();
        for (id, stuck) in cut {
            let (code, reason) = if stuck {
                (
                    proto::ErrorCode::SlowReceiver,
                    "the receiver took nothing for too long; come back on a better line",
                )
            } else {
                (proto::ErrorCode::HelloTimeout, "no hello came in time; say hello right after connecting")
            };
            self.close(id, code, reason.to_owned());
        }
    }
}
