//! What the gateway counts, for a report or a metrics endpoint.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use oddswire_fanout::ShardStats;

/// Counters of one shard; its thread writes them once per turn, whoever likes reads them.
#[derive(Debug, Default)]
pub(crate) struct ShardCounters {
    pub(crate) connections: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) unsent: AtomicU64,
    pub(crate) frames_built: AtomicU64,
    pub(crate) frames: AtomicU64,
    pub(crate) frame_bytes: AtomicU64,
    pub(crate) fell_behind: AtomicU64,
    pub(crate) conflated_asked: AtomicU64,
    pub(crate) conflated_server_slow: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) bytes_written: AtomicU64,
    pub(crate) messages: AtomicU64,
    pub(crate) cpu_ns: AtomicU64,
}

/// Figures of all shards together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GatewayStats {
    /// Connections open.
    pub connections: u64,
    /// Connections taken so far.
    pub accepted: u64,
    /// Connections whose socket has not taken everything, when they were last counted (once a second).
    pub unsent: u64,
    /// What groups and connections were given.
    pub shards: ShardStats,
    /// Calls that hand bytes to the kernel.
    pub writes: u64,
    /// Bytes that the kernel took.
    pub bytes_written: u64,
    /// Messages of clients.
    pub messages: u64,
    /// Processor time of the shards' threads, where the system says it.
    pub cpu: Duration,
}

/// Reads the counters of a gateway's shards.
#[derive(Debug, Clone)]
pub struct GatewayCounters {
    pub(crate) shards: Arc<[Arc<ShardCounters>]>,
}

impl GatewayCounters {
    /// The sum over all shards, each as of its last turn.
    pub fn read(&self) -> GatewayStats {
        let sum = |of: fn(&ShardCounters) -> &AtomicU64| -> u64 {
            self.shards.iter().map(|shard| of(shard).load(Relaxed)).sum()
        };
        GatewayStats {
            connections: sum(|shard| &shard.connections),
            accepted: sum(|shard| &shard.accepted),
            unsent: sum(|shard| &shard.unsent),
            shards: ShardStats {
                frames_built: sum(|shard| &shard.frames_built),
                frames: sum(|shard| &shard.frames),
                frame_bytes: sum(|shard| &shard.frame_bytes),
                fell_behind: sum(|shard| &shard.fell_behind),
                conflated_asked: sum(|shard| &shard.conflated_asked),
                conflated_server_slow: sum(|shard| &shard.conflated_server_slow),
            },
            writes: sum(|shard| &shard.writes),
            bytes_written: sum(|shard| &shard.bytes_written),
            messages: sum(|shard| &shard.messages),
            cpu: Duration::from_nanos(sum(|shard| &shard.cpu_ns)),
        }
    }
}

impl ShardCounters {
    pub(crate) fn note(&self, stats: ShardStats) {
        self.frames_built.store(stats.frames_built, Relaxed);
        self.frames.store(stats.frames, Relaxed);
        self.frame_bytes.store(stats.frame_bytes, Relaxed);
        self.fell_behind.store(stats.fell_behind, Relaxed);
        self.conflated_asked.store(stats.conflated_asked, Relaxed);
        self.conflated_server_slow.store(stats.conflated_server_slow, Relaxed);
    }
}
