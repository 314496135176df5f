//! A mirror of live markets that connects, reconnects and resumes by itself.
//!
//! [`Client`] is a handle. Behind it a background task owns a WebSocket to an Oddswire gateway and keeps the
//! subscribed markets up to date: it resumes from its cursor after every interruption, waits with full jitter between
//! attempts, moves when the gateway asks it to, and gives up a connection that has fallen silent. Markets are read
//! under a short lock and come out as a [`Reading`], which holds price, state and age together: what is not
//! [`MarketState::Live`] is not bettable. What happens is told by [`Events`]; a reader who is too slow for them is told
//! how many he missed, and misses none of the state.
//!
//! ```no_run
//! use std::time::Duration;
//! use oddswire_client::{Client, ClientEvent, Event, Subscription, View};
//!
//! # async fn watch() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("ws://127.0.0.1:8080").agent("bet-screen/2.1").build()?;
//! let mut events = client.events();
//! let football = client.subscribe(Subscription::new(["sport/1"]).view(View::best(3)).max_rate_ms(100))?;
//! client.synced_within(Duration::from_secs(10)).await?;
//! client.with_markets(|markets| {
//!     for reading in markets {
//!         println!("{}: {:?}, {:?}", reading.market.id(), reading.status(), reading.state);
//!     }
//! });
//! while let Some(event) = events.next().await {
//!     match event {
//!         ClientEvent::Session(Event::Status { market, edge }) => println!("{market} is {:?}", edge.status),
//!         ClientEvent::Disconnected { reason, retry_in_ms } => println!("{reason}; next try in {retry_in_ms} ms"),
//!         _ => {}
//!     }
//! }
//! drop(football);
//! client.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! What this crate deliberately does not know: how frames are applied and when a market is live (that is
//! `oddswire-session`), TLS (a proxy in front ends it), where tokens come from, how prices are shown.

mod client;
mod connection;
mod driver;
mod endpoint;
mod event;
mod handshake;
mod options;
mod reason;
mod shared;
mod stats;
mod subscription;

pub use client::{Client, Markets, WaitError};
pub use event::{ClientEvent, Events};
pub use options::{ClientBuilder, ClientOptions, OptionsError};
pub use reason::DisconnectReason;
pub use stats::ClientStats;
pub use subscription::{SubscribeError, Subscription, SubscriptionHandle};

pub use oddswire_model::{Cursor, Market, MarketId, MarketNumber, MarketStatus, View};
pub use oddswire_session::{
    Delays, Event, MarketState, Reading, ReconnectCause, ResumeOutcome, SessionStats, Telemetry,
};
