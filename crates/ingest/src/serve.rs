//! The server: the ingest service, and what people and machines need to find it and to watch it.

use std::{future::Future, io, pin::pin, time::Duration};

use futures_util::StreamExt;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    time::sleep,
};
use tonic::transport::{Server, server::TcpIncoming};

use crate::{
    limits::{
        CONNECTION_WINDOW_BYTES, KEEPALIVE_EVERY, KEEPALIVE_WITHIN, MAX_HEADER_LIST_BYTES, MAX_MESSAGE_BYTES,
        MAX_RESET_STREAMS, MAX_STREAMS_PER_CONNECTION, SHUTDOWN_WITHIN, STREAM_WINDOW_BYTES,
    },
    proto::{self, ingest_service_server::IngestServiceServer},
    request::IngestRequest,
    service::Service,
};

/// Pause after a connection could not be accepted. Out of file descriptors, every attempt fails at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why the server ended when it was not asked to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Nobody receives the requests any more.
    #[error("the store's owner has stopped receiving; nothing can be published")]
    OwnerGone,
    /// The transport failed.
    #[error("the ingest server failed")]
    Transport(#[from] tonic::transport::Error),
    /// Reflection's own tables are broken.
    #[error("the descriptors of the ingest service are broken")]
    Descriptors(#[from] tonic_reflection::server::Error),
}

/// Serves producers on a listener until `shutdown` completes. Commits that were handed on by then are still
/// acknowledged, for [`SHUTDOWN_WITHIN`] at most.
///
/// # Errors
/// When the requests' receiver is gone, or the transport fails.
pub async fn serve(
    listener: TcpListener,
    requests: mpsc::Sender<IngestRequest>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let (stop, stopping) = watch::channel(false);
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<IngestServiceServer<Service>>().await;
    let service = IngestServiceServer::new(Service::new(requests.clone(), stopping.clone()))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let incoming =
        TcpIncoming::from(listener).with_nodelay(Some(true)).then(async |accepted: io::Result<_>| {
            if accepted.is_err() {
                sleep(ACCEPT_PAUSE).await;
            }
            accepted
        });
    let mut orphaned = false;
    let signal = async {
        tokio::select! {
            () = shutdown => {}
            () = requests.closed() => orphaned = true,
        }
        health.set_not_serving::<IngestServiceServer<Service>>().await;
        stop.send_replace(true);
    };
    let server = Server::builder()
        .max_concurrent_streams(MAX_STREAMS_PER_CONNECTION)
        .http2_max_header_list_size(MAX_HEADER_LIST_BYTES)
        .http2_max_pending_accept_reset_streams(Some(MAX_RESET_STREAMS))
        .http2_max_local_error_reset_streams(Some(MAX_RESET_STREAMS))
        .http2_keepalive_interval(Some(KEEPALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEPALIVE_WITHIN))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .add_service(service)
        .add_service(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .serve_with_incoming_shutdown(incoming, signal);
    let ended = {
        let mut stopping = stopping;
        let mut server = pin!(server);
        tokio::select! {
            ended = &mut server => ended,
            // Somebody who watches the health of a server never hangs up by himself.
            () = async {
                let _ = stopping.wait_for(|&stopping| stopping).await;
                sleep(SHUTDOWN_WITHIN).await;
            } => {
                tracing::warn!("streams were still open when the time for a shutdown was over");
                Ok(())
            }
        }
    };
    ended?;
    if orphaned { Err(ServeError::OwnerGone) } else { Ok(()) }
}
