//! The fan-out.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use oddswire_session::Telemetry;
use oddswire_store::Store;
use oddswire_wire::{
    FrameBuilder,
    compact::Model,
    piece::PieceEncoder,
    proto::{self, ErrorCode},
};
use rustc_hash::FxHashMap;

use crate::{
    catch_up::CatchUpCache,
    connection::{Connection, ConnectionId, Position},
    flush::{Encoder, Flush},
    group::{Group, GroupId, GroupKey},
    lane::Lanes,
    output::{Attach, Output, Report},
    rush::Rush,
    topics::TopicNames,
};

/// Settings of the fan-out.
#[derive(Debug, Clone)]
pub struct FanoutConfig {
    /// How often "every flush" is; commits in between become one.
    pub flush_interval_ms: u64,
    /// A rate that more members ask for is flushed in several phases, so that nobody waits for all the others.
    pub phase_members: usize,
    /// How often a connection hears something.
    pub heartbeat_interval_ms: u64,
    /// How many markets' digests a heartbeat carries.
    pub digests_per_heartbeat: usize,
    /// How long a client may take to say hello.
    pub hello_timeout_ms: u64,
    /// How long a receiver may take nothing before it is told and cut.
    pub stuck_timeout_ms: u64,
    /// The model of the compact encoding.
    pub model: Model,
}

impl Default for FanoutConfig {
    fn default() -> Self {
        Self {
            flush_interval_ms: 10,
            // About 10 ms of sends.
            phase_members: 1_024,
            heartbeat_interval_ms: 1_000,
            digests_per_heartbeat: 4,
            hello_timeout_ms: 5_000,
            stuck_timeout_ms: 30_000,
            model: Model::shipped(),
        }
    }
}

/// Counters of the fan-out. What reaches how many receivers is counted by [`crate::ShardStats`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FanoutStats {
    /// Flushes that sent something.
    pub flushes: u64,
    /// Pieces encoded.
    pub pieces: u64,
    /// Bytes of those pieces.
    pub piece_bytes: u64,
    /// Catch-ups made for receivers that were not live.
    pub catch_ups: u64,
    /// Pieces and frames of catch-ups that another receiver's served.
    pub catch_ups_shared: u64,
    /// Bytes of catch-ups, snapshots in them included.
    pub catch_up_bytes: u64,
    /// Snapshots encoded.
    pub snapshots: u64,
    /// Flushes made at once because a status changed.
    pub urgent: u64,
    /// Times a receiver fell behind because its socket was full.
    pub fell_behind: u64,
    /// Catch-ups that say that the receiver was slow.
    pub conflated_receiver_slow: u64,
    /// Subscriptions resumed from a cursor.
    pub resumes: u64,
    /// Markets sent again because a client asked.
    pub resyncs: u64,
    /// Connections closed for what the client did.
    pub closed_for_cause: u64,
    /// Telemetry reports of clients that were counted.
    pub reports: u64,
    /// Telemetry reports that came too often or could not be read.
    pub reports_refused: u64,
}

/// Groups, rate classes and connections of one gateway.
pub struct Fanout {
    pub(crate) config: FanoutConfig,
    pub(crate) lanes: Lanes,
    pub(crate) topics: TopicNames,
    pub(crate) groups: FxHashMap<GroupId, Group>,
    pub(crate) group_ids: FxHashMap<GroupKey, GroupId>,
    pub(crate) next_group: u32,
    /// Boxed, because a third of a table's places is free on average.
    pub(crate) connections: FxHashMap<ConnectionId, Box<Connection>>,
    /// The time as of the last call that said it.
    pub(crate) now_ms: u64,
    pub(crate) rush: Rush,
    next_heartbeat_ms: u64,
    pub(crate) heartbeats: usize,
    /// The lane whose digest comes next.
    pub(crate) digested: usize,
    pub(crate) freshness_ms: Option<u32>,
    pub(crate) wall_ms: u64,
    pub(crate) encoder: Encoder,
    pub(crate) cache: CatchUpCache,
    /// Flushes that were handed out; their memory is used again once every shard has finished with them.
    pub(crate) flushes: Vec<Arc<Flush>>,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) stats: FanoutStats,
    /// What clients have reported, all together.
    pub(crate) telemetry: Box<Telemetry>,
}

impl Fanout {
    /// A fan-out without connections.
    pub fn new(config: FanoutConfig) -> Self {
        let encoder = Encoder { pieces: PieceEncoder::new(config.model.clone()), ..Encoder::default() };
        Self {
            lanes: Lanes::new(config.flush_interval_ms),
            config,
            topics: TopicNames::default(),
            groups: FxHashMap::default(),
            group_ids: FxHashMap::default(),
            next_group: 0,
            connections: FxHashMap::default(),
            now_ms: 0,
            rush: Rush::default(),
            next_heartbeat_ms: 0,
            heartbeats: 0,
            digested: 0,
            freshness_ms: None,
            wall_ms: 0,
            encoder,
            cache: CatchUpCache::default(),
            flushes: Vec::new(),
            outputs: VecDeque::new(),
            stats: FanoutStats::default(),
            telemetry: Box::default(),
        }
    }

    /// Counters.
    pub fn stats(&self) -> FanoutStats {
        self.stats
    }

    /// What clients have reported, all together.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Number of connections.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Connections that have fallen behind and have not been caught up.
    pub fn behind(&self) -> usize {
        self.connections.values().filter(|connection| connection.is_behind).count()
    }

    /// What heartbeats say from now on: how long ago the producers last vouched for their prices, and the wall clock.
    pub fn set_freshness(&mut self, freshness_ms: Option<u32>, wall_ms: u64) {
        self.freshness_ms = freshness_ms;
        self.wall_ms = wall_ms;
    }

    /// A new connection, under a name that was not used before. Its socket is ready.
    pub fn connect(&mut self, now_ms: u64, id: ConnectionId) {
        self.now_ms = now_ms;
        self.connections.insert(id, Box::new(Connection::new(now_ms)));
    }

    /// A connection is gone.
    pub fn disconnect(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.remove(&id) {
            self.leave_group(connection.group);
        }
    }

    /// Takes what a shard reports about a connection.
    pub fn handle_report(&mut self, now_ms: u64, store: &Store, report: Report) {
        self.now_ms = now_ms;
        match report {
            Report::Missed { connection: id, cursor } => {
                let Some(connection) = self.connections.get_mut(&id) else { return };
                connection.come_back(cursor);
                connection.is_ready = false;
                connection.is_behind = true;
                connection.waiting_since_ms.get_or_insert(now_ms);
                self.stats.fell_behind += 1;
            }
            Report::Detached { connection: id, cursor, is_too_long: _ } => {
                let Some(connection) = self.connections.get_mut(&id) else { return };
                connection.come_back(cursor);
                self.pump(store, id);
            }
            Report::Ready { connection: id, given } => {
                let Some(connection) = self.connections.get_mut(&id) else { return };
                // Otherwise it has taken what was sent earlier, and not yet what was sent since.
                if connection.given == given {
                    connection.is_ready = true;
                    connection.waiting_since_ms = None;
                    self.pump(store, id);
                }
            }
            Report::Progress { connection: id } => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.waiting_since_ms = connection.waiting_since_ms.map(|_| now_ms);
                }
            }
        }
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
            self.send(id, vec![frame.finish()], None);
        }
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Fanout::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> u64 {
        let flush = self.lanes.wake_ms(self.rush.interval_ms(self.now_ms), self.now_ms);
        let rush_ends = flush.and(self.rush.ends_ms(self.now_ms));
        [flush, rush_ends].into_iter().flatten().fold(self.next_heartbeat_ms, u64::min)
    }

    /// The time has come: flushes what is due, says heartbeats, cuts who is stuck.
    pub fn handle_timeout(&mut self, now_ms: u64, store: &Store) {
        self.now_ms = now_ms;
        self.flush(now_ms, store);
        if now_ms >= self.next_heartbeat_ms {
            self.next_heartbeat_ms = now_ms + self.config.heartbeat_interval_ms;
            self.heartbeat(store);
            // In a quiet feed no flush does it.
            self.cache.clear();
            self.cut_stuck(now_ms);
            self.sweep_topics();
        }
    }

    /// Gives frames to one connection, which is not ready afterwards.
    pub(crate) fn send(&mut self, id: ConnectionId, frames: Vec<Bytes>, attach: Option<Box<Attach>>) {
        let Some(connection) = self.connections.get_mut(&id).filter(|_| !frames.is_empty()) else { return };
        connection.is_ready = false;
        connection.given = connection.given.wrapping_add(1);
        connection.waiting_since_ms.get_or_insert(self.now_ms);
        self.outputs.push_back(Output::Frames { connection: id, frames, attach });
    }

    /// A connection is to be given something by name, so it must be known where it stands: asks its shard.
    pub(crate) fn recall(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id)
            && connection.position == Position::Attached
        {
            connection.position = Position::Leaving;
            self.outputs.push_back(Output::Detach { connection: id });
        }
    }

    fn cut_stuck(&mut self, now_ms: u64) {
        let mut cut: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, connection)| !connection.is_closing)
            .filter_map(|(id, connection)| {
                let stuck = connection
                    .waiting_since_ms
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
                    ErrorCode::SlowReceiver,
                    "the receiver took nothing for too long; come back on a better line",
                )
            } else {
                (ErrorCode::HelloTimeout, "no hello came in time; say hello right after connecting")
            };
            self.close(id, code, reason.to_owned());
        }
    }

    fn sweep_topics(&mut self) {
        if self.topics.is_sweep_due() {
            let of_connections = self.connections.values().flat_map(|connection| &connection.subscriptions);
            let of_groups = self.groups.values().flat_map(|group| &*group.key.interests);
            let interests = of_connections.map(|(_, interest)| interest).chain(of_groups);
            self.topics.sweep(interests.flat_map(|interest| interest.topics.iter()));
        }
    }
}
