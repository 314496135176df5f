//! What a client tells.

use std::sync::Arc;

use oddswire_session::Event;
use tokio::sync::broadcast::{
    self,
    error::{RecvError, TryRecvError},
};

use crate::{options::OnEvent, reason::DisconnectReason};

/// Something that happened, in order.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The socket is open; the gateway has not said welcome yet.
    Connected,
    /// The connection ended, or did not come about. What is held stays readable, as stale.
    Disconnected {
        /// Why.
        reason: DisconnectReason,
        /// How long the client waits before the next attempt.
        retry_in_ms: u64,
    },
    /// Something in the conversation with the gateway.
    Session(Event),
    /// The reader of events was too slow and missed this many. The state is complete all the same.
    Lagged(u64),
}

/// A reader of events. It holds a bounded number of them; the oldest are dropped first, and counted.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Arc<ClientEvent>>,
}

impl Events {
    pub(crate) fn new(receiver: broadcast::Receiver<Arc<ClientEvent>>) -> Self {
        Self { receiver }
    }

    /// Of a client that is closed: there is nothing to come.
    pub(crate) fn ended() -> Self {
        Self::new(broadcast::channel(1).1)
    }

    /// The next event; `None` when the client is closed and everything was read. It may be dropped while it waits, and
    /// nothing is lost.
    pub async fn next(&mut self) -> Option<ClientEvent> {
        match self.receiver.recv().await {
            // The last reader gets the event itself and not a copy.
            Ok(event) => Some(Arc::unwrap_or_clone(event)),
            Err(RecvError::Lagged(missed)) => Some(ClientEvent::Lagged(missed)),
            Err(RecvError::Closed) => None,
        }
    }

    /// An event that is there already, without waiting.
    pub fn try_next(&mut self) -> Option<ClientEvent> {
        match self.receiver.try_recv() {
            Ok(event) => Some(Arc::unwrap_or_clone(event)),
            Err(TryRecvError::Lagged(missed)) => Some(ClientEvent::Lagged(missed)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}

/// Tells events to whoever listens. Nobody listening costs nothing.
pub(crate) struct Publisher {
    events: broadcast::Sender<Arc<ClientEvent>>,
    on_event: Option<OnEvent>,
}

impl Publisher {
    pub(crate) fn new(events: broadcast::Sender<Arc<ClientEvent>>, on_event: Option<OnEvent>) -> Self {
        Self { events, on_event }
    }

    /// Must not be called under the lock of the mirror: listeners read markets.
    pub(crate) fn tell(&mut self, event: ClientEvent) {
        if let Some(on_event) = &mut self.on_event {
            on_event(&event);
        }
        if self.events.receiver_count() > 0 {
            // The last receiver may leave in this moment; then there is nobody to tell.
            let _ = self.events.send(Arc::new(event));
        }
    }
}
