//! Accepting connections.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use oddswire_wire::SUBPROTOCOL;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
};
use tracing::{debug, info, warn};

use crate::{
    connection,
    http::{self, Answer},
    request::GatewayRequest,
    websocket,
};

/// A client has this long for its request head, and for each further one.
pub const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest request head in bytes. hyper's buffer takes no less than 8 KiB.
pub const REQUEST_HEAD_BYTES_MAX: usize = 8 * 1024;
/// Most headers of a request.
pub const REQUEST_HEADERS_MAX: usize = 64;
/// After a failed accept (too many open files, mostly), wait this long before the next.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// What a client that finds no room is told, in seconds.
const RETRY_AFTER_S: u64 = 2;

/// Settings of the gateway.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Most connections at once. Each takes a file descriptor; leave some for everything else.
    pub connections_max: usize,
    /// Kernel send buffer of each connection in bytes; little of it keeps little that is old. `None`: the system's own.
    pub send_buffer_bytes: Option<usize>,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self { connections_max: 16_000, send_buffer_bytes: Some(64 * 1024) }
    }
}

/// Serves HTTP and WebSocket connections of a listener until `shutdown`, then waits for those that are open.
pub async fn serve(
    listener: TcpListener,
    requests: mpsc::Sender<GatewayRequest>,
    config: GatewayConfig,
    shutdown: impl Future<Output = ()>,
) {
    let room = Arc::new(Semaphore::new(config.connections_max));
    let mut tasks = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        match Arc::clone(&room).try_acquire_owned() {
            Ok(permit) => {
                set_options(&stream, &config);
                tasks.spawn(serve_connection(stream, peer, requests.clone(), permit));
            }
            Err(_) => {
                debug!(%peer, "no room for another connection");
                tasks.spawn(turn_away(stream));
            }
        }
    }
    info!(open = tasks.len(), "no new connections are taken");
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

fn set_options(stream: &TcpStream, config: &GatewayConfig) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "cannot set TCP_NODELAY");
    }
    if let Some(bytes) = config.send_buffer_bytes
        && let Err(error) = socket2::SockRef::from(stream).set_send_buffer_size(bytes)
    {
        debug!(%error, "cannot set the send buffer's size");
    }
}

/// Says that there is no room, without reading anything.
async fn turn_away(mut stream: TcpStream) {
    let refusal = format!(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: {RETRY_AFTER_S}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    let _ = tokio::time::timeout(REQUEST_HEAD_TIMEOUT, stream.write_all(refusal.as_bytes())).await;
}

async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    requests: mpsc::Sender<GatewayRequest>,
    permit: OwnedSemaphorePermit,
) {
    // The upgraded stream outlives hyper's part of the connection and takes the permit with it.
    let (upgrades, mut upgraded) = mpsc::channel::<hyper::upgrade::OnUpgrade>(1);
    let service = service_fn(|request: Request<Incoming>| route(request, requests.clone(), upgrades.clone()));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_HEAD_TIMEOUT)
        .max_buf_size(REQUEST_HEAD_BYTES_MAX)
        .max_headers(REQUEST_HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        debug!(%peer, %error, "a connection ended early");
    }
    if let Ok(upgrade) = upgraded.try_recv() {
        match tokio::time::timeout(REQUEST_HEAD_TIMEOUT, upgrade).await {
            Ok(Ok(upgraded)) => match upgraded.downcast::<TokioIo<TcpStream>>() {
                Ok(parts) => connection::run(parts.io.into_inner(), parts.read_buf, peer, requests).await,
                Err(_) => warn!(%peer, "the upgraded connection is not what was accepted"),
            },
            Ok(Err(error)) => debug!(%peer, %error, "the upgrade failed"),
            Err(_) => debug!(%peer, "the upgrade took too long"),
        }
    }
    drop(permit);
}

async fn route(
    request: Request<Incoming>,
    requests: mpsc::Sender<GatewayRequest>,
    upgrades: mpsc::Sender<hyper::upgrade::OnUpgrade>,
) -> Result<Answer, std::convert::Infallible> {
    if request.uri().path() != "/v1/stream" {
        return http::answer(&request, &requests).await;
    }
    match websocket::accept(&request, Some(SUBPROTOCOL)) {
        Ok(response) => {
            // The request must go before the upgrade is awaited: it holds buffers.
            let _ = upgrades.try_send(hyper::upgrade::on(request));
            Ok(response.map(|()| Full::default()))
        }
        Err(refusal) => Ok(refusal.response().map(|sentence| Full::new(sentence.into()))),
    }
}
