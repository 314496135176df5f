//! The demo's client, and what it counts.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use oddswire_client::{Client, ClientEvent, Event, MarketNumber, View};
use oddswire_delta::{MarketDelta, snapshot};
use oddswire_wire::{
    piece::{Encoding, PieceEncoder},
    proto::Conflation,
};

use super::figures::{Resume, Shared};

/// Starts the client. Everything it hears goes into the figures.
pub(super) fn start(http: &str, figures: &Shared) -> anyhow::Result<Client> {
    let itself = Arc::new(OnceLock::<Client>::new());
    let mut listener =
        Listener { itself: Arc::clone(&itself), figures: figures.clone(), lost: None, bytes_at_connect: 0 };
    let client = Client::builder(format!("ws://{http}"))
        .agent(concat!("oddswire-demo/", env!("CARGO_PKG_VERSION")))
        .on_event(move |event| listener.hear(event))
        .build()?;
    // The listener asks the client for what is not in the events.
    let _ = itself.set(client.clone());
    Ok(client)
}

struct Listener {
    itself: Arc<OnceLock<Client>>,
    figures: Shared,
    /// When the connection was lost, until everything is live again.
    lost: Option<Instant>,
    bytes_at_connect: u64,
}

impl Listener {
    fn hear(&mut self, event: &ClientEvent) {
        let now = Instant::now();
        match event {
            ClientEvent::Connected => self.bytes_at_connect = self.bytes(),
            ClientEvent::Disconnected { .. } => {
                self.lost.get_or_insert(now);
            }
            ClientEvent::Session(Event::Snapshot { market }) => {
                let Some(client) = self.itself.get() else { return };
                let held = client
                    .read_number(*market, |reading| (reading.market.id().clone(), reading.market.revision()));
                if let Some((id, revision)) = held {
                    self.figures.lock().appeared(*market, id, revision, now);
                }
            }
            ClientEvent::Session(Event::Changed { change, conflated }) => {
                let is_conflated = *conflated != Conflation::None;
                self.figures.lock().applied(change.market, change.revision, is_conflated, now);
            }
            ClientEvent::Session(Event::Removed { market, .. }) => self.left(*market),
            ClientEvent::Session(Event::Synced { .. }) => self.synced(now),
            _ => {}
        }
    }

    fn left(&self, market: MarketNumber) {
        self.figures.lock().left(market);
    }

    fn synced(&mut self, now: Instant) {
        let (Some(lost), Some(client)) = (self.lost.take(), self.itself.get()) else { return };
        let bytes = self.bytes().saturating_sub(self.bytes_at_connect);
        let resume = Resume {
            bytes,
            snapshot_bytes: snapshot_bytes(client),
            away: now.saturating_duration_since(lost),
        };
        self.figures.lock().resume = Some(resume);
    }

    fn bytes(&self) -> u64 {
        self.itself.get().map_or(0, |client| client.stats().session.bytes)
    }
}

/// Bytes that snapshots of everything held would be on the wire.
fn snapshot_bytes(client: &Client) -> u64 {
    let (mut change, mut encoder, mut out) = (MarketDelta::default(), PieceEncoder::default(), Vec::new());
    client.with_markets(|markets| {
        for reading in markets {
            snapshot(reading.market, View::FULL, &mut change);
            encoder.encode(&change, None, reading.market, Encoding::Plain, &mut out);
        }
    });
    out.len() as u64
}
