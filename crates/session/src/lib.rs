//! Both roles of the Oddswire conversation, as machines that are turned by hand.
//!
//! Bytes and the time go in, bytes and events come out. [`ServerSession`] reads what a client says and holds it to the
//! protocol's limits; [`ClientSession`] mirrors the markets it subscribed to, checks every base and digest, asks again
//! for what does not fit, and knows when what it holds is stale.
//!
//! What this crate deliberately does not know: sockets, clocks, threads, random sources, other sessions, the store.
//! Times are milliseconds on any clock that only grows; seeds are the caller's.
//!
//! ```
//! use oddswire_model::View;
//! use oddswire_session::{ClientConfig, ClientSession, ServerSession, SubscriptionRequest, Request};
//!
//! let mut client = ClientSession::new(ClientConfig::default());
//! client.subscribe(1, SubscriptionRequest { topics: vec!["all".parse().unwrap()], view: View::FULL, rate_ms: 0 });
//! client.connected(0);
//! let mut server = ServerSession::default();
//! let hello = server.handle(0, client.poll_transmit().unwrap()).unwrap();
//! assert!(matches!(hello, Some(Request::Hello { .. })));
//! let subscribe = server.handle(0, client.poll_transmit().unwrap()).unwrap();
//! assert!(matches!(subscribe, Some(Request::Subscribe(_))));
//! ```

mod backoff;
mod client;
mod rate_limit;
mod server;
mod telemetry;

pub use backoff::Backoff;
pub use client::{
    ClientConfig, ClientError, ClientSession, Connection, Event, MarketState, Reading, ResumeOutcome,
    SessionStats, SubscriptionRequest,
};
pub use rate_limit::RateLimit;
pub use server::{Request, ServerSession, SessionError, Subscribe};
pub use telemetry::{
    DELAY_BUCKETS, Delays, REPORT_INTERVAL_MS, ReconnectCause, Telemetry, TelemetryError, next_report_ms,
};
