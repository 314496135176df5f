//! Accepting connections.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use oddswire_wire::SUBPROTOCOL;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};
use tracing::{debug, info, warn};

use crate::{
    http::{self, Answer},
    request::GatewayRequest,
    seats::{Seat, Seats},
    shards::{Arrival, Door},
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
/// A client that finds no room has this long to take the answer.
const TURN_AWAY_TIMEOUT: Duration = Duration::from_millis(500);
/// Clients that are being told so at once; more are closed without a word, because each holds a file descriptor.
const TURNED_AWAY_MAX: usize = 64;
/// A connection that has not become a stream ends after this long, however it spends it.
const HTTP_CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Settings of the gateway.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Most connections at once. Each takes a file descriptor; [`DESCRIPTORS_IN_RESERVE`](crate::DESCRIPTORS_IN_RESERVE)
    /// of what the system allows are kept for everything else.
    pub connections_max: usize,
    /// Most connections of one address, loopback excepted. Behind one address of a mobile network there may be
    /// thousands of people.
    pub connections_per_address_max: usize,
    /// Kernel send buffer of each connection in bytes. `None`: the system's own.
    pub send_buffer_bytes: Option<usize>,
    /// Most bytes that wait unsent in the kernel for each connection; little of it keeps little that is old. `None`: as
    /// many as fit the send buffer.
    pub unsent_bytes_max: Option<u32>,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            connections_max: 16_000,
            connections_per_address_max: 2_000,
            send_buffer_bytes: Some(64 * 1024),
            unsent_bytes_max: Some(16 * 1024),
        }
    }
}

/// Serves HTTP and WebSocket connections of a listener until `shutdown`. Streams are handed to the shards behind the
/// door and live on; requests that are being answered are waited for.
pub async fn serve(
    listener: TcpListener,
    requests: mpsc::Sender<GatewayRequest>,
    door: Door,
    config: GatewayConfig,
    shutdown: impl Future<Output = ()>,
) {
    let (connections_max, per_address_max) = (config.connections_max, config.connections_per_address_max);
    let seats = Arc::new(Seats::new(connections_max, per_address_max, descriptors()));
    if seats.connections_max() < connections_max {
        warn!(
            asked = connections_max,
            given = seats.connections_max(),
            "the limit of open files leaves room for fewer connections; raise it (ulimit -n)"
        );
    }
    let mut tasks = JoinSet::new();
    let mut turned_away = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => continue,
            Some(_) = turned_away.join_next(), if !turned_away.is_empty() => continue,
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
        match seats.take(peer.ip()) {
            Ok(seat) => {
                set_options(&stream, &config);
                tasks.spawn(serve_connection(stream, peer, requests.clone(), door.clone(), seat));
            }
            Err(full) => {
                debug!(%peer, "turned away: {full}");
                if turned_away.len() < TURNED_AWAY_MAX {
                    turned_away.spawn(timeout(TURN_AWAY_TIMEOUT, turn_away(stream)));
                }
            }
        }
    }
    info!(open = tasks.len(), "no new connections are taken");
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

/// How many files the process may have open, where the system says it.
fn descriptors() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

fn set_options(stream: &TcpStream, config: &GatewayConfig) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "cannot set TCP_NODELAY");
    }
    let socket = socket2::SockRef::from(stream);
    if let Some(bytes) = config.send_buffer_bytes
        && let Err(error) = socket.set_send_buffer_size(bytes)
    {
        debug!(%error, "cannot set the send buffer's size");
    }
    #[cfg(target_os = "linux")]
    if let Some(bytes) = config.unsent_bytes_max
        && let Err(error) = socket.set_tcp_notsent_lowat(bytes)
    {
        debug!(%error, "cannot set TCP_NOTSENT_LOWAT");
    }
}

/// Says that there is no room, without waiting for a request.
async fn turn_away(mut stream: TcpStream) {
    let refusal = format!(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: {RETRY_AFTER_S}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    let _ = stream.write_all(refusal.as_bytes()).await;
    let _ = stream.shutdown().await;
    // What the client has sent is read, because closing over it would take the answer away from it.
    let mut request = [0; 1_024];
    while let Ok(1..) = tokio::io::AsyncReadExt::read(&mut stream, &mut request).await {}
}

async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    requests: mpsc::Sender<GatewayRequest>,
    door: Door,
    seat: Seat,
) {
    // The upgraded stream outlives hyper's part of the connection.
    let (upgrades, mut upgraded) = mpsc::channel::<hyper::upgrade::OnUpgrade>(1);
    let service = service_fn(|request: Request<Incoming>| route(request, requests.clone(), upgrades.clone()));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_HEAD_TIMEOUT)
        .max_buf_size(REQUEST_HEAD_BYTES_MAX)
        .max_headers(REQUEST_HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    match timeout(HTTP_CONNECTION_TIMEOUT, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%peer, %error, "a connection ended early"),
        Err(_) => debug!(%peer, "a connection without a stream had its time"),
    }
    let Ok(upgrade) = upgraded.try_recv() else { return };
    let upgraded = match timeout(REQUEST_HEAD_TIMEOUT, upgrade).await {
        Ok(Ok(upgraded)) => upgraded,
        Ok(Err(error)) => return debug!(%peer, %error, "the upgrade failed"),
        Err(_) => return debug!(%peer, "the upgrade took too long"),
    };
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else {
        return warn!(%peer, "the upgraded connection is not what was accepted");
    };
    // Nothing of the runtime and of hyper stays with the socket: what it costs from here on is its shard's.
    match parts.io.into_inner().into_std() {
        Ok(stream) => door.enter(Arrival { stream, already_read: parts.read_buf, seat }),
        Err(error) => debug!(%peer, %error, "the socket cannot be taken out of the runtime"),
    }
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
