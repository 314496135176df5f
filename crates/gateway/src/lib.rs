//! The front end: WebSocket streams, JSON snapshots, and a page that shows both.
//!
//! [`serve`] accepts connections and answers HTTP. A connection that becomes a stream leaves the runtime: its socket goes
//! to a shard ([`Shards`]), a thread that owns the sockets of a part of the connections. Whoever owns the store and the
//! fan-out posts what the fan-out wants done, one message per shard and turn, and hears what happened. A shard gathers
//! each group's frame once and writes it to every socket of the group without a task, an allocation or a copy for each.
//! There are no queues: a socket that takes nothing has fallen behind, and is caught up when it takes something.
//!
//! What this crate deliberately does not know: protobuf, deltas, prices, who follows what, when to flush.
//!
//! ```no_run
//! use oddswire_gateway::{GatewayConfig, ShardEvent, Shards, serve};
//! use tokio::{net::TcpListener, sync::mpsc};
//!
//! # async fn run() -> std::io::Result<()> {
//! let (requests, _http) = mpsc::channel(1_024);
//! let (mut shards, door) = Shards::start(2)?;
//! let listener = TcpListener::bind("127.0.0.1:8080").await?;
//! tokio::spawn(serve(listener, requests, door, GatewayConfig::default(), std::future::pending()));
//! while let Some(events) = shards.next().await {
//!     for event in events {
//!         if let ShardEvent::Connect { .. } = event { /* tell the fan-out */ }
//!     }
//!     // Post what the fan-out wants done, and then:
//!     shards.turn();
//! }
//! # Ok(())
//! # }
//! ```

mod counters;
mod http;
mod page;
mod request;
mod seats;
mod serve;
mod shards;
mod socket;
pub mod websocket;
mod worker;

pub use counters::{GatewayCounters, GatewayStats};
pub use request::{DisconnectCause, GatewayRequest, MarketLine, MarketList, ShardEvent};
pub use seats::DESCRIPTORS_IN_RESERVE;
pub use serve::{GatewayConfig, REQUEST_HEAD_BYTES_MAX, REQUEST_HEAD_TIMEOUT, REQUEST_HEADERS_MAX, serve};
pub use shards::{Door, SHARDS_MAX, Shards};
pub use socket::{CONTROL_FRAMES_BURST, CONTROL_FRAMES_PER_SECOND};
