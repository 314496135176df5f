//! Shards: threads that own the sockets of a part of the connections.

use std::{
    io,
    net::TcpStream,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread::JoinHandle,
};

use bytes::Bytes;
use mio::Waker;
use oddswire_fanout::Output;
use tokio::sync::mpsc;

use crate::{
    counters::{GatewayCounters, ShardCounters},
    request::ShardEvent,
    seats::Seat,
    worker::Worker,
};

/// Most shards: their number is part of a connection's name.
pub const SHARDS_MAX: usize = 64;
/// A flush waits until the one before it has been sent; changes of status do not. With so many flushes before a shard
/// nothing more is taken from producers until it has caught up: what it holds stays bounded.
const FLUSHES_WAITING_STOP: usize = 64;
/// Messages of clients of one shard that have not been looked at. With more nothing is read from its sockets, so that
/// what clients send faster than it is taken stays in their own kernels: 4,096 x 4 KiB are 16 MiB.
pub(crate) const MESSAGES_WAITING_MAX: usize = 4_096;

/// Whoever owns the fan-out turns the shards with this: what is to be done goes in, what happened comes out.
///
/// Dropping it ends the threads and all connections.
#[derive(Debug)]
pub struct Shards {
    inboxes: Vec<Arc<Inbox>>,
    /// What will be handed over at the end of the turn.
    outgoing: Vec<Vec<Output>>,
    events: mpsc::UnboundedReceiver<Events>,
    counters: GatewayCounters,
    threads: Vec<JoinHandle<()>>,
}

/// The way in for new connections.
#[derive(Debug, Clone)]
pub struct Door {
    inboxes: Arc<[Arc<Inbox>]>,
    counters: GatewayCounters,
    next: Arc<AtomicUsize>,
}

/// What happened in one turn of a shard, in order.
#[derive(Debug)]
pub(crate) struct Events {
    pub(crate) events: Vec<ShardEvent>,
    pub(crate) shard: usize,
}

/// What a shard is to do.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    waker: std::sync::OnceLock<Waker>,
    flushes_waiting: AtomicUsize,
    pub(crate) messages_waiting: AtomicUsize,
    /// The shard reads from no socket until fewer messages wait.
    pub(crate) is_paused: AtomicBool,
}

/// Both lists are swapped with empty ones that have their memory already.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) outputs: Vec<Output>,
    pub(crate) arrivals: Vec<Arrival>,
    pub(crate) is_stopped: bool,
}

/// An accepted connection whose handshake is done.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) stream: TcpStream,
    /// What the client said right behind its handshake.
    pub(crate) already_read: Bytes,
    pub(crate) seat: Seat,
}

impl Shards {
    /// Starts threads for so many shards.
    ///
    /// # Errors
    /// When the system has no more threads or file descriptors.
    pub fn start(count: usize) -> io::Result<(Self, Door)> {
        let count = count.clamp(1, SHARDS_MAX);
        let (sender, events) = mpsc::unbounded_channel();
        let inboxes: Vec<_> = (0..count).map(|_| Arc::new(Inbox::default())).collect();
        let counters: Vec<_> = (0..count).map(|_| Arc::new(ShardCounters::default())).collect();
        let mut threads = Vec::new();
        for (shard, (inbox, counters)) in inboxes.iter().zip(&counters).enumerate() {
            let (worker, waker) =
                Worker::new(shard as u8, Arc::clone(inbox), Arc::clone(counters), sender.clone())?;
            let _ = inbox.waker.set(waker);
            let thread = std::thread::Builder::new().name(format!("shard-{shard}"));
            threads.push(thread.spawn(move || worker.run())?);
        }
        let counters = GatewayCounters { shards: counters.into() };
        let door = Door { inboxes: inboxes.clone().into(), counters: counters.clone(), next: Arc::default() };
        let outgoing = (0..count).map(|_| Vec::new()).collect();
        Ok((Self { inboxes, outgoing, events, counters, threads }, door))
    }

    /// Takes what the fan-out wants done. It is handed over by [`Shards::turn`].
    pub fn post(&mut self, output: Output) {
        match output.connection() {
            Some(connection) => {
                if let Some(outgoing) = self.outgoing.get_mut(connection.shard()) {
                    outgoing.push(output);
                }
            }
            None => {
                for outgoing in &mut self.outgoing {
                    outgoing.push(output.clone());
                }
            }
        }
    }

    /// Hands over what was posted: one message to each shard.
    pub fn turn(&mut self) {
        for (inbox, outgoing) in self.inboxes.iter().zip(&mut self.outgoing) {
            if outgoing.is_empty() {
                continue;
            }
            let flushes = outgoing.iter().filter(|output| matches!(output, Output::Flush(_))).count();
            inbox.flushes_waiting.fetch_add(flushes, Relaxed);
            inbox.with(|queue| queue.outputs.append(outgoing));
        }
    }

    /// Whether a shard is so far behind that producers should wait.
    pub fn are_overwhelmed(&self) -> bool {
        self.inboxes.iter().any(|inbox| inbox.flushes_waiting.load(Relaxed) >= FLUSHES_WAITING_STOP)
    }

    /// Waits for something to happen; `None` when all threads are gone.
    pub async fn next(&mut self) -> Option<Vec<ShardEvent>> {
        let events = self.events.recv().await?;
        Some(self.open(events))
    }

    /// What has happened already.
    pub fn try_next(&mut self) -> Option<Vec<ShardEvent>> {
        let events = self.events.try_recv().ok()?;
        Some(self.open(events))
    }

    fn open(&self, Events { events, shard }: Events) -> Vec<ShardEvent> {
        let messages = events.iter().filter(|event| matches!(event, ShardEvent::Message { .. })).count();
        let inbox = &self.inboxes[shard];
        let before = inbox.messages_waiting.fetch_sub(messages, Relaxed);
        if before - messages <= MESSAGES_WAITING_MAX / 2 && inbox.is_paused.swap(false, Relaxed) {
            inbox.wake();
        }
        events
    }

    /// The counters of all shards.
    pub fn counters(&self) -> GatewayCounters {
        self.counters.clone()
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        for inbox in &self.inboxes {
            inbox.with(|queue| queue.is_stopped = true);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Door {
    /// Brings a connection to the shard that has the fewest.
    pub(crate) fn enter(&self, arrival: Arrival) {
        // Those that have entered and were not counted yet are evened out by beginning elsewhere each time.
        let first = self.next.fetch_add(1, Relaxed);
        let count = self.inboxes.len();
        let load = |shard: &usize| self.counters.shards[*shard].connections.load(Relaxed) / 16;
        if let Some(shard) = (0..count).map(|at| (first + at) % count).min_by_key(load) {
            self.inboxes[shard].with(|queue| queue.arrivals.push(arrival));
        }
    }

    /// The counters of all shards.
    pub fn counters(&self) -> GatewayCounters {
        self.counters.clone()
    }
}

impl Inbox {
    fn with(&self, change: impl FnOnce(&mut Queue)) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = queue.is_empty();
        change(&mut queue);
        drop(queue);
        if was_empty {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.get()
            && let Err(error) = waker.wake()
        {
            tracing::error!(%error, "a shard cannot be woken");
        }
    }

    /// Exchanges the queue for an empty one.
    pub(crate) fn swap(&self, empty: &mut Queue) {
        std::mem::swap(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner), empty);
    }

    /// So many flushes have been sent.
    pub(crate) fn flushed(&self, flushes: usize) {
        self.flushes_waiting.fetch_sub(flushes, Relaxed);
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.outputs.is_empty() && self.arrivals.is_empty() && !self.is_stopped
    }
}
