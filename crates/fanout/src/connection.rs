//! Connections, as far as the fan-out knows them: a group, a cursor, and whether the socket can take a frame.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use oddswire_model::{MarketNumber, Revision};
use oddswire_session::{RateLimit, ServerSession};

use crate::group::{GroupId, Interest};

/// Most answers that wait for a connection's socket; a client that asks and does not read is cut.
/// A burst of 50 messages has 50 answers.
pub const MAX_CONTROL_FRAMES: usize = 64;

/// Resyncs a client may ask for per second in the long run: each may cost a snapshot of everything.
const RESYNCS_PER_SECOND: u32 = 2;
/// Resyncs a client may ask for at once.
const RESYNCS_BURST: u32 = 20;

/// Names a connection for as long as it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) session: ServerSession,
    pub(crate) connected_ms: u64,
    pub(crate) subscriptions: BTreeMap<u32, Interest>,
    pub(crate) group: GroupId,
    /// The socket can take frames.
    pub(crate) is_ready: bool,
    /// It holds exactly the group's baselines, apart from what `is_ready` keeps from it.
    pub(crate) is_live: bool,
    /// It missed a flush because its socket was full, since then.
    pub(crate) behind_since_ms: Option<u64>,
    /// It holds everything up to here, apart from `snapshots`.
    pub(crate) cursor: Revision,
    /// It holds something as of `cursor`; a new session holds nothing.
    pub(crate) holds_cursor: bool,
    /// How often it may ask for markets again.
    pub(crate) resync_limit: RateLimit,
    /// Answers that wait for the socket.
    pub(crate) control: VecDeque<Bytes>,
    /// Markets it needs snapshots of.
    pub(crate) snapshots: BTreeSet<MarketNumber>,
    /// Markets to tell it have left.
    pub(crate) removed: BTreeSet<MarketNumber>,
    /// The close that follows once the socket has taken what was said.
    pub(crate) is_closing: bool,
}

impl Connection {
    pub(crate) fn new(now_ms: u64, group: GroupId) -> Self {
        Self {
            session: ServerSession::default(),
            connected_ms: now_ms,
            subscriptions: BTreeMap::new(),
            group,
            is_ready: true,
            is_live: false,
            behind_since_ms: None,
            cursor: Revision(0),
            holds_cursor: false,
            resync_limit: RateLimit::new(RESYNCS_PER_SECOND, RESYNCS_BURST),
            control: VecDeque::new(),
            snapshots: BTreeSet::new(),
            removed: BTreeSet::new(),
            is_closing: false,
        }
    }

    /// Its subscriptions as a group's key.
    pub(crate) fn interests(&self) -> Vec<Interest> {
        let mut interests: Vec<_> = self.subscriptions.values().cloned().collect();
        interests.sort();
        interests.dedup();
        interests
    }
}
