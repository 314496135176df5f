//! Figures for Prometheus, on a listener of their own.
//!
//! `GET /metrics` answers in the text exposition format. Every figure stands in the [`catalogue`] with its name, unit
//! and meaning; a new one is one line there. None has a label per market, connection or producer, so their number does
//! not grow with the load. The engine is asked once per scrape and does nothing for it in between.
//!
//! The listener is not the clients': what stands here is for operators only.

mod catalogue;
mod exposition;
mod process;

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc, oneshot},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, info, warn};

use crate::engine::{LocalRequest, Report};

/// Scrapers at once; one is usual, and a person with curl.
const CONNECTIONS_MAX: usize = 16;
/// A request's head must be there within this time.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// The engine must answer within this time; a scraper waits for 10 s by default.
const ENGINE_WITHIN: Duration = Duration::from_secs(5);
/// How long to wait before the address is asked for again.
const BIND_RETRY: Duration = Duration::from_secs(5);
/// After a failed accept (too many open files, mostly), wait this long before the next.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// What the format's definition says that it is called.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Binds the address. One that is taken is no reason not to serve clients: during a restart it is the process before this
/// one that has it, so it is asked for again and again by [`serve`].
pub(crate) async fn bind(address: SocketAddr) -> Option<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Some(listener),
        Err(error) => {
            warn!(
                %address, %error,
                "metrics are not served yet, and it will be tried again; choose another address with metrics.listen"
            );
            None
        }
    }
}

/// Serves until the task is aborted.
pub(crate) async fn serve(
    listener: Option<TcpListener>,
    address: SocketAddr,
    engine: mpsc::Sender<LocalRequest>,
) {
    let listener = match listener {
        Some(listener) => listener,
        None => loop {
            sleep(BIND_RETRY).await;
            if let Ok(listener) = TcpListener::bind(address).await {
                info!(%address, "metrics are served now");
                break listener;
            }
        },
    };
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // With this task its connections end, too.
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            Some(_) = tasks.join_next(), if !tasks.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                debug!(%error, "cannot accept a scraper");
                sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        let engine = engine.clone();
        tasks.spawn(async move {
            let service = service_fn(|request| answer(request, engine.clone()));
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(REQUEST_WITHIN)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                debug!(%error, "a scraper's connection ended early");
            }
            drop(permit);
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    engine: mpsc::Sender<LocalRequest>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = |status: StatusCode, text: String| {
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = status;
        response
    };
    if request.uri().path() != "/metrics" {
        return Ok(text(StatusCode::NOT_FOUND, "metrics are at /metrics\n".to_owned()));
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "use GET\n".to_owned());
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return Ok(response);
    }
    let Some(report) = report(&engine).await else {
        return Ok(text(StatusCode::SERVICE_UNAVAILABLE, "the engine does not answer\n".to_owned()));
    };
    let mut response = text(StatusCode::OK, catalogue::write(&report, process::figures().as_ref()));
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(FORMAT));
    Ok(response)
}

async fn report(engine: &mpsc::Sender<LocalRequest>) -> Option<Report> {
    let (reply, answer) = oneshot::channel();
    let asked = async {
        engine.send(LocalRequest::Report { reply }).await.ok()?;
        answer.await.ok()
    };
    timeout(ENGINE_WITHIN, asked).await.ok().flatten()
}
