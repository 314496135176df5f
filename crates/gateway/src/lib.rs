//! The front end: WebSocket streams, JSON snapshots, and a page that shows both.
//!
//! [`serve`] accepts connections, reads what clients say and writes the frames it is given, which are shared by every
//! connection that gets them. Whoever owns the store and the fan-out receives [`GatewayRequest`]s from a bounded
//! channel and answers with [`Command`]s. A connection keeps at most what one turn of the fan-out gave it: there are
//! no queues, and a socket that takes nothing makes nobody wait.
//!
//! What this crate deliberately does not know: protobuf, deltas, prices, who follows what, when to flush.
//!
//! ```no_run
//! use oddswire_gateway::{GatewayConfig, GatewayRequest, serve};
//! use tokio::{net::TcpListener, sync::mpsc};
//!
//! # async fn run() -> std::io::Result<()> {
//! let (requests, mut inbox) = mpsc::channel(1_024);
//! let listener = TcpListener::bind("127.0.0.1:8080").await?;
//! tokio::spawn(serve(listener, requests, GatewayConfig::default(), std::future::pending()));
//! while let Some(request) = inbox.recv().await {
//!     if let GatewayRequest::Connect { .. } = request { /* tell the fan-out */ }
//! }
//! # Ok(())
//! # }
//! ```

mod connection;
mod http;
mod page;
mod request;
mod serve;
pub mod websocket;

pub use request::{Command, DisconnectCause, GatewayRequest, MarketLine, MarketList};
pub use serve::{GatewayConfig, REQUEST_HEAD_BYTES_MAX, REQUEST_HEAD_TIMEOUT, REQUEST_HEADERS_MAX, serve};
