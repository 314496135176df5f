//! Connections, as far as the fan-out knows them: a group, a position, and whether answers can be sent.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use oddswire_model::{MarketNumber, Revision};
use oddswire_session::{RateLimit, ServerSession};

use oddswire_wire::piece::Encoding;

use crate::group::{GroupId, GroupKey, Interest};

/// Most answers that wait for a connection's socket; a client that asks and does not read is cut.
/// A burst of 50 messages has 50 answers.
pub const MAX_CONTROL_FRAMES: usize = 64;

/// Resyncs a client may ask for per second in the long run: each may cost a snapshot of everything.
const RESYNCS_PER_SECOND: u32 = 2;
/// Resyncs a client may ask for at once.
const RESYNCS_BURST: u32 = 20;

/// Bits of an id that name the line within its shard: 16 million.
const LINE_BITS: u32 = 24;
/// Bits of an id that name the shard.
const SHARD_BITS: u32 = 8;

/// Names a connection for as long as it lives. Whoever accepts connections makes the names, each once: the place in the
/// shard's table and the shard are part of it, so that nobody has to look them up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// Most lines of a shard.
    pub const LINES_MAX: usize = 1 << LINE_BITS;

    /// The name of the `life`-th connection at a line of a shard.
    pub fn new(shard: u8, line: u32, life: u32) -> Self {
        let line = u64::from(line) & ((1 << LINE_BITS) - 1);
        Self(u64::from(life) << (LINE_BITS + SHARD_BITS) | u64::from(shard) << LINE_BITS | line)
    }

    /// The shard that holds its socket.
    pub fn shard(self) -> usize {
        (self.0 >> LINE_BITS) as usize & ((1 << SHARD_BITS) - 1)
    }

    /// Its place in the shard's table.
    pub fn line(self) -> usize {
        self.0 as usize & ((1 << LINE_BITS) - 1)
    }
}

/// Who knows what a connection has been given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// The fan-out: the connection gets nothing but what it is given by name.
    Here,
    /// The shard: the connection takes the frames of its group.
    Attached,
    /// The shard, which has been asked to hand it back.
    Leaving,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) session: ServerSession,
    pub(crate) connected_ms: u64,
    pub(crate) encoding: Encoding,
    pub(crate) has_dictionary: bool,
    pub(crate) subscriptions: Vec<(u32, Arc<Interest>)>,
    pub(crate) group: GroupId,
    pub(crate) position: Position,
    /// The shard has said that the socket took everything that was sent by name.
    pub(crate) is_ready: bool,
    /// How many times frames were sent by name, modulo 256.
    pub(crate) given: u8,
    /// It is not ready, and has taken nothing, since then.
    pub(crate) waiting_since_ms: Option<u64>,
    /// It missed a frame because its socket was full, and has not been caught up.
    pub(crate) is_behind: bool,
    /// It holds everything up to here, apart from `snapshots`. While the shard knows better, an upper bound.
    pub(crate) cursor: Revision,
    /// It holds something as of `cursor`; a new session holds nothing.
    pub(crate) holds_cursor: bool,
    /// How often it may ask for markets again, once it has asked.
    resync_limit: Option<Box<RateLimit>>,
    /// Answers that wait for the socket.
    pub(crate) control: Vec<Bytes>,
    /// Markets it needs snapshots of.
    pub(crate) snapshots: BTreeSet<MarketNumber>,
    /// Markets to tell it have left.
    pub(crate) removed: BTreeSet<MarketNumber>,
    /// The close that follows once the socket has taken what was said.
    pub(crate) is_closing: bool,
}

impl Connection {
    pub(crate) fn new(now_ms: u64) -> Self {
        Self {
            session: ServerSession::default(),
            connected_ms: now_ms,
            encoding: Encoding::default(),
            has_dictionary: false,
            subscriptions: Vec::new(),
            group: GroupId::NONE,
            position: Position::Here,
            is_ready: true,
            given: 0,
            waiting_since_ms: None,
            is_behind: false,
            cursor: Revision(0),
            holds_cursor: false,
            resync_limit: None,
            control: Vec::new(),
            snapshots: BTreeSet::new(),
            removed: BTreeSet::new(),
            is_closing: false,
        }
    }

    /// Counts a resync; says whether it may come.
    pub(crate) fn count_resync(&mut self, now_ms: u64) -> bool {
        let full = || Box::new(RateLimit::new(RESYNCS_PER_SECOND, RESYNCS_BURST));
        self.resync_limit.get_or_insert_with(full).take(now_ms)
    }

    /// Its shard has handed its position back: it was given everything up to here.
    pub(crate) fn come_back(&mut self, cursor: Revision) {
        self.position = Position::Here;
        if self.holds_cursor {
            self.cursor = self.cursor.min(cursor);
        }
    }

    /// Its subscriptions as a group's key.
    pub(crate) fn key(&self) -> GroupKey {
        let mut interests: Vec<_> = self.subscriptions.iter().map(|(_, interest)| interest.clone()).collect();
        interests.sort();
        interests.dedup();
        GroupKey { encoding: self.encoding, has_dictionary: self.has_dictionary, interests: interests.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_where_the_socket_is() {
        let id = ConnectionId::new(255, ConnectionId::LINES_MAX as u32 - 1, u32::MAX);
        assert_eq!((id.shard(), id.line()), (255, ConnectionId::LINES_MAX - 1));
        let id = ConnectionId::new(3, 17, 5);
        assert_eq!((id.shard(), id.line()), (3, 17));
        assert_ne!(id, ConnectionId::new(3, 17, 6), "the next connection at the same place");
    }
}
