//! The composition root: settings, the engine, the listeners, and the `oddswire` command.
//!
//! [`Server::start`] puts the parts together; everything that changes belongs to one task, the [`engine`].
//!
//! What this crate deliberately does not know: how deltas are made, how frames are built.
//!
//! ```
//! use oddswire_server::{Server, ServerConfig};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let mut config = ServerConfig::default();
//! config.http.listen = "127.0.0.1:0".parse().unwrap();
//! config.grpc.listen = "127.0.0.1:0".parse().unwrap();
//! let server = Server::start(&config).await.unwrap();
//! assert_eq!(server.report().await.unwrap().markets, 0);
//! server.stop().await;
//! # });
//! ```

pub mod command;
pub mod config;
pub mod engine;
pub mod engine_metrics;
mod horizon;
mod metrics;
mod producers;
mod server;

pub use config::ServerConfig;
pub use server::Server;
