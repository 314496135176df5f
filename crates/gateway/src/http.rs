//! The HTTP side: markets as JSON, health, and the upgrade to a stream.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};
use oddswire_model::{MarketId, View};
use oddswire_wire::json;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::{
    page,
    request::{GatewayRequest, MarketList},
};

/// What the root path says to those who do not ask for HTML.
const INDEX: &str = "Oddswire gateway\n\n\
    GET /                   the live board, in a browser\n\
    GET /v1/stream          WebSocket, subprotocol oddswire.v1\n\
    GET /v1/markets         all markets, JSON\n\
    GET /v1/markets/{id}    one market, JSON; ?view=prices|best1..best10|full\n\
    GET /healthz            the process answers\n\
    GET /readyz             the engine answers\n";

pub(crate) type Answer = Response<Full<Bytes>>;

/// Answers everything but the stream.
pub(crate) async fn answer(
    request: &Request<Incoming>,
    requests: &mpsc::Sender<GatewayRequest>,
) -> Result<Answer, Infallible> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refusal = error(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here");
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(refusal);
    }
    let path = request.uri().path();
    if let Some(file) = page::answer(path, request.headers()) {
        return Ok(file);
    }
    Ok(match path {
        "/" => text(StatusCode::OK, INDEX),
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" => match list(requests).await {
            Some(_) => text(StatusCode::OK, "ready\n"),
            None => unavailable(),
        },
        "/v1/markets" => match list(requests).await {
            Some(list) => markets(&list),
            None => unavailable(),
        },
        _ => match path.strip_prefix("/v1/markets/") {
            Some(id) => market(id, request.uri().query(), requests).await,
            None => error(StatusCode::NOT_FOUND, "nothing is here; see / for what there is"),
        },
    })
}

async fn list(requests: &mpsc::Sender<GatewayRequest>) -> Option<MarketList> {
    let (reply, list) = oneshot::channel();
    requests.send(GatewayRequest::Markets { reply }).await.ok()?;
    list.await.ok()
}

fn markets(list: &MarketList) -> Answer {
    let markets: Vec<Value> = list
        .markets
        .iter()
        .map(|line| {
            json!({
                "market": line.id.as_str(),
                "revision": line.revision.0,
                "status": line.status.as_str(),
                "in_play": line.in_play,
                "name": line.name,
                "fixture_name": line.fixture_name,
                "market_type": line.market_type,
                "selections": line.selections,
            })
        })
        .collect();
    let body = json!({ "epoch": list.epoch.to_string(), "revision": list.revision.0, "markets": markets });
    respond(StatusCode::OK, &body)
}

async fn market(id: &str, query: Option<&str>, requests: &mpsc::Sender<GatewayRequest>) -> Answer {
    let mut view = View::FULL;
    for pair in query.into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty()) {
        view = match pair.split_once('=') {
            Some(("view", name)) => match name.parse() {
                Ok(view) => view,
                Err(problem) => return error(StatusCode::BAD_REQUEST, &format!("{problem}")),
            },
            _ => {
                return error(StatusCode::BAD_REQUEST, "the only parameter is view, for example ?view=best3");
            }
        };
    }
    let Some(id) = percent_decoded(id).and_then(|id| MarketId::new(&id).ok()) else {
        return error(StatusCode::BAD_REQUEST, "this is not a market id; /v1/markets lists them");
    };
    let (reply, market) = oneshot::channel();
    if requests.send(GatewayRequest::Market { id: id.clone(), reply }).await.is_err() {
        return unavailable();
    }
    match market.await {
        Ok(Some((epoch, market))) => respond(StatusCode::OK, &json::market(epoch, &market, view)),
        Ok(None) => error(
            StatusCode::NOT_FOUND,
            &format!("there is no market {id}; /v1/markets lists those there are"),
        ),
        Err(_) => unavailable(),
    }
}

/// Decodes %XX; `None` when that leaves no text.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            bytes.push((digit(rest.next())? * 16 + digit(rest.next())?) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

pub(crate) fn error(status: StatusCode, message: &str) -> Answer {
    respond(status, &json!({ "error": message }))
}

fn unavailable() -> Answer {
    error(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping; try another one")
}

fn respond(status: StatusCode, body: &Value) -> Answer {
    let mut text = body.to_string();
    text.push('\n');
    build(status, "application/json", text)
}

fn text(status: StatusCode, body: &str) -> Answer {
    build(status, "text/plain; charset=utf-8", body.to_owned())
}

fn build(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Prices are old the moment they are sent.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_signs_are_decoded_or_refused() {
        assert_eq!(percent_decoded("sim.f1%2Fmo").as_deref(), Some("sim.f1/mo"));
        assert_eq!(percent_decoded("%zz"), None);
        assert_eq!(percent_decoded("%4"), None);
        assert_eq!(percent_decoded("%ff"), None);
    }
}
