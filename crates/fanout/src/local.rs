//! Connections in the same thread as the fan-out: simulations, tests, and whoever has lines of his own.

use std::collections::VecDeque;

use bytes::Bytes;
use oddswire_store::Store;
use oddswire_wire::proto::ErrorCode;

use crate::{
    connection::ConnectionId,
    fanout::Fanout,
    frame::{Batch, Letter},
    output::Output,
    shard::{Lines, Shard, ShardStats},
};

/// Something for one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Send these frames, in this order. Nothing but answers and a close follows until [`LocalShard::ready`] says that
    /// they have been sent.
    Frames {
        /// To whom.
        to: ConnectionId,
        /// What.
        frames: Vec<Bytes>,
    },
    /// End a connection, after what was sent to it.
    Close {
        /// Which one.
        connection: ConnectionId,
        /// Why.
        code: ErrorCode,
        /// Why, as a sentence.
        reason: String,
    },
}

/// One [`Shard`] with lines that wait to be told that they are free.
///
/// ```
/// use oddswire_fanout::{ConnectionId, Fanout, FanoutConfig, LocalShard};
/// use oddswire_model::Epoch;
/// use oddswire_store::Store;
///
/// let (store, mut fanout, mut local) =
///     (Store::new(Epoch(7)), Fanout::new(FanoutConfig::default()), LocalShard::default());
/// let id = ConnectionId(0);
/// fanout.connect(0, id);
/// local.join(id);
/// assert!(local.poll(0, &mut fanout, &store).is_none(), "the client speaks first");
/// ```
#[derive(Debug)]
pub struct LocalShard {
    shard: Shard,
    lines: LocalLines,
}

#[derive(Debug, Default)]
struct LocalLines {
    busy: Vec<bool>,
    deliveries: VecDeque<Delivery>,
}

impl Default for LocalShard {
    fn default() -> Self {
        Self { shard: Shard::new(|_, _| {}), lines: LocalLines::default() }
    }
}

impl LocalShard {
    /// Counters.
    pub fn stats(&self) -> ShardStats {
        self.shard.stats()
    }

    /// A connection has come; its line is free.
    pub fn join(&mut self, connection: ConnectionId) {
        let line = connection.line();
        if self.lines.busy.len() <= line {
            self.lines.busy.resize(line + 1, false);
        }
        self.lines.busy[line] = false;
        self.shard.join(connection);
    }

    /// A connection is gone; the fan-out is told by [`Fanout::disconnect`].
    pub fn leave(&mut self, connection: ConnectionId) {
        self.shard.leave(connection);
    }

    /// A connection's line has taken everything that was delivered.
    pub fn ready(&mut self, connection: ConnectionId) {
        if let Some(busy) = self.lines.busy.get_mut(connection.line()) {
            *busy = false;
            self.shard.ready(connection);
        }
    }

    /// A connection's line has taken some of what was delivered.
    pub fn progress(&mut self, connection: ConnectionId) {
        self.shard.progress(connection);
    }

    /// What to deliver next. Does what the fan-out wants done, and tells it what became of that.
    pub fn poll(&mut self, now_ms: u64, fanout: &mut Fanout, store: &Store) -> Option<Delivery> {
        loop {
            if let Some(delivery) = self.lines.deliveries.pop_front() {
                return Some(delivery);
            }
            let reports: Vec<_> = self.shard.reports().collect();
            let is_quiet = reports.is_empty();
            for report in reports {
                fanout.handle_report(now_ms, store, report);
            }
            match fanout.poll_output() {
                Some(output) => self.take(output),
                None if is_quiet => return None,
                None => {}
            }
        }
    }

    fn take(&mut self, output: Output) {
        self.shard.handle(&output, &mut self.lines);
        if let Output::Close { connection, code, reason } = output {
            self.lines.deliveries.push_back(Delivery::Close { connection, code, reason });
        }
    }
}

impl Lines for LocalLines {
    fn offer(&mut self, connection: ConnectionId, frames: &mut Batch) -> usize {
        let Some(busy) = self.busy.get_mut(connection.line()) else { return 0 };
        if std::mem::replace(busy, true) {
            return 0;
        }
        let count = frames.frames();
        let frames = frames.payloads().map(Bytes::copy_from_slice).collect();
        self.deliveries.push_back(Delivery::Frames { to: connection, frames });
        count
    }

    fn give(&mut self, connection: ConnectionId, frames: &mut dyn Iterator<Item = Letter>) {
        if let Some(busy) = self.busy.get_mut(connection.line()) {
            *busy = true;
        }
        let whole = |letter: Letter| match letter.prefix.is_empty() {
            true => letter.body,
            false => [letter.prefix, letter.body].concat().into(),
        };
        let frames = frames.map(whole).collect();
        self.deliveries.push_back(Delivery::Frames { to: connection, frames });
    }
}
