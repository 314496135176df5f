//! The background task: one connection after the other.

use std::{sync::Arc, time::Duration};

use oddswire_session::Backoff;
use tokio::sync::broadcast;

use crate::{
    connection::{Connection, Loss},
    endpoint::Endpoint,
    event::{ClientEvent, Publisher},
    handshake,
    options::OnEvent,
    reason::DisconnectReason,
    shared::{Interruption, Shared},
};

pub(crate) struct Driver {
    shared: Arc<Shared>,
    endpoint: Endpoint,
    backoff: Backoff,
    connect_timeout_ms: u64,
    report_interval_ms: u64,
    publisher: Publisher,
}

impl Driver {
    pub(crate) fn new(
        shared: Arc<Shared>,
        endpoint: Endpoint,
        backoff: Backoff,
        (connect_timeout_ms, report_interval_ms): (u64, u64),
        events: broadcast::Sender<Arc<ClientEvent>>,
        on_event: Option<OnEvent>,
    ) -> Self {
        let publisher = Publisher::new(events, on_event);
        Self { shared, endpoint, backoff, connect_timeout_ms, report_interval_ms, publisher }
    }

    /// Connects again and again until the client is closed.
    pub(crate) async fn run(mut self) {
        let _ending = Ending(Arc::clone(&self.shared));
        while let Some(loss) = self.attempt().await {
            if loss.was_good {
                self.backoff.reset();
            }
            let retry_in_ms = loss.move_in_ms.unwrap_or_else(|| self.backoff.next_delay_ms());
            tracing::info!(gateway = %self.endpoint, retry_in_ms, "not connected: {}", loss.reason);
            {
                let state = &mut *self.shared.lock();
                state.last_problem = Some(loss.reason.clone());
                // An order from before the client knew that it must wait is not about this wait.
                state.orders.retry_now = false;
            }
            self.publisher.tell(ClientEvent::Disconnected { reason: loss.reason, retry_in_ms });
            tokio::select! {
                biased;
                interruption = self.shared.interrupted() => match interruption {
                    Interruption::Close => return,
                    Interruption::RetryNow => {}
                },
                () = tokio::time::sleep(Duration::from_millis(retry_in_ms)) => {}
            }
        }
    }

    /// One attempt and the connection that comes of it; `None` when the client was closed.
    async fn attempt(&mut self) -> Option<Loss> {
        self.shared.lock().stats.attempts += 1;
        let timeout = Duration::from_millis(self.connect_timeout_ms);
        let connected = tokio::select! {
            biased;
            () = self.shared.closed() => return None,
            connected = tokio::time::timeout(timeout, handshake::connect(&self.endpoint)) => connected,
        };
        let connected = connected.unwrap_or_else(|_| {
            let url = self.endpoint.to_string();
            Err(DisconnectReason::ConnectTimeout { url, after_ms: self.connect_timeout_ms })
        });
        match connected {
            Ok(socket) => {
                tracing::info!(gateway = %self.endpoint, "connected");
                Connection::new(&self.shared, &mut self.publisher, socket, self.report_interval_ms)
                    .run()
                    .await
            }
            Err(reason) => {
                let state = &mut *self.shared.lock();
                state.stats.failed_attempts += 1;
                state.session.note_failed_attempt();
                Some(Loss { reason, was_good: false, move_in_ms: None })
            }
        }
    }
}

/// Leaves the mirror in order however the task ends, a runtime that shuts down included: nothing reads as live any
/// more, and nobody waits for what will not come.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        {
            let mut state = self.0.lock();
            state.session.disconnected();
            state.events = None;
        }
        self.0.progress.notify_waiters();
    }
}
