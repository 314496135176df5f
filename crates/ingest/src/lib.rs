//! The way in: producers publish commits over gRPC.
//!
//! [`serve`] runs the service of `oddswire.ingest.v1`. It owns no store. Whoever owns one receives [`IngestRequest`]s
//! from a bounded channel, applies them in order, and answers each; the service turns the answers into
//! acknowledgements. [`Producer`] is the other end, for tools and tests: it pipelines, reconnects and sends again
//! what was not acknowledged.
//!
//! What this crate deliberately does not know: how commits are applied and numbered, who receives them, where the
//! log is kept, when a silent producer's markets are held.
//!
//! ```no_run
//! use oddswire_ingest::{Accepted, IngestRequest, serve};
//! use oddswire_store::{Published, Store};
//! use tokio::{net::TcpListener, sync::mpsc};
//!
//! # async fn run(mut store: Store) -> Result<(), Box<dyn std::error::Error>> {
//! let (requests, mut inbox) = mpsc::channel(1_024);
//! tokio::spawn(serve(TcpListener::bind("127.0.0.1:7410").await?, requests, std::future::pending()));
//! while let Some(request) = inbox.recv().await {
//!     if let IngestRequest::Publish { producer, producer_epoch, sequence, commit, reply } = request {
//!         let published = store.publish(&producer, producer_epoch, sequence, &commit);
//!         reply.answer(published.map(|published| Accepted::in_memory(match published {
//!             Published::Applied(committed) => committed.revision,
//!             Published::Repeated(revision) => revision,
//!         })));
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod conversation;
mod convert;
pub mod limits;
mod producer;
mod reply;
mod request;
mod responses;
mod serve;
mod service;

pub use convert::{ConvertError, ConvertReason};
pub use producer::{ImagesNeeded, Producer, ProducerClientError, ProducerConfig, RefusedCommit};
pub use reply::{Accepted, AckLevel, PublishReply, StreamHandle};
pub use request::{Announced, IngestRequest, StreamId};
pub use serve::{ServeError, serve};

/// The generated messages, client and server of `proto/oddswire/ingest/v1/ingest.proto`.
pub mod proto {
    #![allow(missing_docs, reason = "the .proto file and docs/protocol.md document them")]
    #![allow(clippy::all, unreachable_pub, unused_qualifications, reason = "generated code")]
    tonic::include_proto!("oddswire.ingest.v1");

    /// The encoded descriptor set, for reflection.
    pub const DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("oddswire.ingest.v1");
}
