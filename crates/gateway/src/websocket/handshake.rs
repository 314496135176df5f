//! The opening handshake (RFC 6455, section 4.2).

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Version,
    header::{
        ALLOW, CONNECTION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT,
        SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use sha1_smol::Sha1;

/// The only version of the protocol that was ever standardised.
const VERSION: &str = "13";
/// Bytes of a key before base64.
const KEY_BYTES: usize = 16;
/// What a key is hashed with (RFC 6455, section 1.3). It proves that a server understood, and nothing else.
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Answers a request to open a WebSocket: with the response that opens it, to which the caller adds an empty body.
///
/// The client must have offered the subprotocol. With `None` no subprotocol is agreed on, whatever was offered;
/// that is for tests of the framing. Extensions are never agreed on, which RFC 6455 leaves to the server.
pub fn accept<B>(
    request: &Request<B>,
    subprotocol: Option<&'static str>,
) -> Result<Response<()>, HandshakeError> {
    let headers = request.headers();
    if request.version() != Version::HTTP_11 {
        return Err(HandshakeError::HttpVersion);
    }
    if request.method() != Method::GET {
        return Err(HandshakeError::Method);
    }
    let has_token = |name, token: &str| tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token));
    if !has_token(UPGRADE, "websocket") || !has_token(CONNECTION, "upgrade") {
        return Err(HandshakeError::NotAnUpgrade);
    }
    single(headers, HOST).ok_or(HandshakeError::Host)?;
    if single(headers, SEC_WEBSOCKET_VERSION) != Some(VERSION) {
        return Err(HandshakeError::WebSocketVersion);
    }
    let key = single(headers, SEC_WEBSOCKET_KEY).ok_or(HandshakeError::Key)?;
    if !BASE64.decode(key).is_ok_and(|key| key.len() == KEY_BYTES) {
        return Err(HandshakeError::Key);
    }
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answers = response.headers_mut();
    answers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    answers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    answers.insert(SEC_WEBSOCKET_ACCEPT, accept_value(key));
    if let Some(wanted) = subprotocol {
        choose_subprotocol(headers, wanted)?;
        answers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(wanted));
    }
    Ok(response)
}

/// Why a request does not open a WebSocket. The client is at fault, or something between it and us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Another version of HTTP.
    #[error("open the WebSocket with HTTP/1.1")]
    HttpVersion,
    /// Another method than GET.
    #[error("open the WebSocket with GET")]
    Method,
    /// No WebSocket was asked for.
    #[error(
        "this is a WebSocket endpoint: send `Upgrade: websocket` and `Connection: Upgrade`, \
         and let every proxy in between pass them on"
    )]
    NotAnUpgrade,
    /// No host, or several.
    #[error("send exactly one `Host` header")]
    Host,
    /// Another version of the WebSocket protocol, none, or several.
    #[error("send exactly one `Sec-WebSocket-Version` header, with the value {VERSION}")]
    WebSocketVersion,
    /// No proper key, or several.
    #[error("send exactly one `Sec-WebSocket-Key` header, with {KEY_BYTES} random bytes in base64")]
    Key,
    /// No subprotocol was offered.
    #[error("offer the subprotocol `{wanted}`; a browser does it by `new WebSocket(url, \"{wanted}\")`")]
    NoSubprotocol {
        /// The one to offer.
        wanted: &'static str,
    },
    /// Only subprotocols that are not spoken here were offered.
    #[error("offer the subprotocol `{wanted}`; none of those offered is spoken here")]
    OtherSubprotocol {
        /// The one to offer.
        wanted: &'static str,
    },
}

impl HandshakeError {
    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAnUpgrade | Self::WebSocketVersion => StatusCode::UPGRADE_REQUIRED,
            Self::HttpVersion
            | Self::Host
            | Self::Key
            | Self::NoSubprotocol { .. }
            | Self::OtherSubprotocol { .. } => StatusCode::BAD_REQUEST,
        }
    }

    /// The whole response: the headers that its status asks for, and the sentence that says what to do.
    pub fn response(&self) -> Response<String> {
        let mut response = Response::new(format!("{self}\n"));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        match self.status() {
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(ALLOW, HeaderValue::from_static("GET"));
            }
            StatusCode::UPGRADE_REQUIRED => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
            }
            _ => {}
        }
        response
    }
}

/// Proves to the client that its key was read by somebody who speaks WebSocket.
fn accept_value(key: &str) -> HeaderValue {
    let mut hash = Sha1::from(key);
    hash.update(KEY_SUFFIX.as_bytes());
    HeaderValue::try_from(BASE64.encode(hash.digest().bytes())).expect("base64 is visible ASCII")
}

/// A client that does not know the subprotocol would not understand the first frame; better it hears so now.
fn choose_subprotocol(headers: &HeaderMap, wanted: &'static str) -> Result<(), HandshakeError> {
    if tokens(headers, SEC_WEBSOCKET_PROTOCOL).any(|offered| offered == wanted) {
        Ok(())
    } else if headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        Err(HandshakeError::OtherSubprotocol { wanted })
    } else {
        Err(HandshakeError::NoSubprotocol { wanted })
    }
}

/// The elements of a comma-separated header, which may come in several lines.
fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// The value of a header that must come once.
fn single(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests;
