//! What the handles and the background task share.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use oddswire_session::ClientSession;
use tokio::sync::{Notify, broadcast};

use crate::{event::ClientEvent, reason::DisconnectReason, stats::ClientStats};

/// The mirror, under a lock that is never held across an await.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Wakes the background task; it is the only one that waits here.
    pub(crate) wake: Notify,
    /// Wakes those who wait until everything is live.
    pub(crate) progress: Notify,
    started: Instant,
}

pub(crate) struct State {
    pub(crate) session: ClientSession,
    pub(crate) orders: Orders,
    pub(crate) stats: ClientStats,
    pub(crate) subscriptions: usize,
    pub(crate) last_subscription: u32,
    pub(crate) last_problem: Option<DisconnectReason>,
    /// `None` once the client is closed, so that readers come to an end.
    pub(crate) events: Option<broadcast::Sender<Arc<ClientEvent>>>,
}

/// What the handles want of the background task. Giving the same order twice is giving it once.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    pub(crate) close: bool,
    pub(crate) cut: bool,
    pub(crate) retry_now: bool,
    pub(crate) pause: Option<Duration>,
}

impl Shared {
    pub(crate) fn new(session: ClientSession, events: broadcast::Sender<Arc<ClientEvent>>) -> Self {
        let state = State {
            session,
            orders: Orders::default(),
            stats: ClientStats::default(),
            subscriptions: 0,
            last_subscription: 0,
            last_problem: None,
            events: Some(events),
        };
        Self {
            state: Mutex::new(state),
            wake: Notify::new(),
            progress: Notify::new(),
            started: Instant::now(),
        }
    }

    /// A reader that panics under the lock has changed nothing, so the state is good.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session's clock.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Tells the background task something.
    pub(crate) fn order(&self, order: impl FnOnce(&mut Orders)) {
        order(&mut self.lock().orders);
        self.wake.notify_one();
    }

    /// Waits for an order that is for a time without a connection: to close, or to try now.
    pub(crate) async fn interrupted(&self) -> Interruption {
        loop {
            {
                let orders = &mut self.lock().orders;
                if orders.close {
                    return Interruption::Close;
                }
                if std::mem::take(&mut orders.retry_now) {
                    return Interruption::RetryNow;
                }
            }
            self.wake.notified().await;
        }
    }

    /// Waits for the order to close.
    pub(crate) async fn closed(&self) {
        while !matches!(self.interrupted().await, Interruption::Close) {}
    }
}

pub(crate) enum Interruption {
    Close,
    RetryNow,
}
