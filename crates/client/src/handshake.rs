//! From an address to an open WebSocket.
//!
//! The upgrade is done here and not by the WebSocket library: version 0.13.3 of it panics when a server's
//! `Sec-WebSocket-Accept` is too long, and reads an answer that never ends into memory.

use base64::{Engine, engine::general_purpose::STANDARD};
use oddswire_wire::{SUBPROTOCOL, limits::FRAME_BYTES_MAX};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use tokio_websockets::{ClientBuilder, Config, Limits, WebSocketStream};

use crate::{endpoint::Endpoint, options::random, reason::DisconnectReason};

/// Longest head of an answer: ten times what gateways and proxies send.
const HEAD_BYTES_MAX: u64 = 8 * 1024;
/// RFC 6455, section 1.3.
const ACCEPT_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

pub(crate) type Socket = WebSocketStream<BufReader<TcpStream>>;

/// Connects and upgrades. It may be dropped at any time.
pub(crate) async fn connect(endpoint: &Endpoint) -> Result<Socket, DisconnectReason> {
    let stream = open(endpoint).await?;
    // Subscribes are small and waited for; that the system cannot do without the delay is no reason to give up.
    let _ = stream.set_nodelay(true);
    // Its buffer keeps what comes right behind the answer.
    let mut stream = BufReader::new(stream);
    let key = STANDARD.encode([random().to_ne_bytes(), random().to_ne_bytes()].concat());
    let request = request(endpoint, &key);
    let broken = |error: std::io::Error| DisconnectReason::Broken(error.to_string());
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    let head = read_head(&mut stream).await.map_err(broken)?;
    check(&head, &key)
        .map_err(|answer| DisconnectReason::NotAGateway { url: endpoint.to_string(), answer })?;
    // Writing never waits: whoever reads the socket also flushes it, and what a client says is paced.
    let config = Config::default().flush_threshold(usize::MAX);
    let limits = Limits::default().max_payload_len(Some(FRAME_BYTES_MAX));
    Ok(ClientBuilder::new().config(config).limits(limits).take_over(stream))
}

async fn open(endpoint: &Endpoint) -> Result<TcpStream, DisconnectReason> {
    let host = endpoint.host();
    let unknown = |cause| DisconnectReason::UnknownHost { host: host.to_owned(), cause };
    let addresses: Vec<_> = tokio::net::lookup_host((host, endpoint.port()))
        .await
        .map_err(|error| unknown(error.to_string()))?
        .collect();
    if addresses.is_empty() {
        return Err(unknown("no address came back".to_owned()));
    }
    // One after the other, because `localhost` is two addresses and a gateway may listen on either.
    TcpStream::connect(&addresses[..]).await.map_err(|error| DisconnectReason::NothingAnswers {
        url: endpoint.to_string(),
        cause: error.to_string(),
    })
}

fn request(endpoint: &Endpoint, key: &str) -> String {
    format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n",
        endpoint.target(),
        endpoint.authority(),
    )
}

/// The status line and the headers, up to the empty line or to where the answer is too long or ends.
async fn read_head(stream: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut limited = stream.take(HEAD_BYTES_MAX);
    loop {
        let before = head.len();
        limited.read_until(b'\n', &mut head).await?;
        let line = &head[before..];
        if line == b"\r\n" || line == b"\n" || !line.ends_with(b"\n") {
            return Ok(head);
        }
    }
}

/// Whether an answer opens the stream; if not, what it is instead.
fn check(head: &[u8], key: &str) -> Result<(), String> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split('\n').map(|line| line.trim_end_matches('\r'));
    let status_line = lines.next().unwrap_or_default();
    let mut words = status_line.split_ascii_whitespace();
    if !words.next().is_some_and(|version| version.starts_with("HTTP/1.")) {
        return Err("it does not speak HTTP/1.1".to_owned());
    }
    let status = words.next().unwrap_or_default();
    if status != "101" {
        let shown: String = status_line.chars().filter(|char| !char.is_control()).take(80).collect();
        return Err(format!("it answers `{shown}`"));
    }
    let headers: Vec<(&str, &str)> = lines
        .by_ref()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect();
    if lines.next().is_none() {
        return Err("the head of its answer has no end".to_owned());
    }
    let header = |wanted: &str| {
        headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map_or("", |&(_, value)| value)
    };
    let has_word =
        |value: &str, wanted: &str| value.split(',').any(|word| word.trim().eq_ignore_ascii_case(wanted));
    if !has_word(header("upgrade"), "websocket") || !has_word(header("connection"), "upgrade") {
        return Err("it upgrades to something that is not a WebSocket".to_owned());
    }
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key.as_bytes());
    hash.update(ACCEPT_SUFFIX);
    if header("sec-websocket-accept") != STANDARD.encode(hash.digest().bytes()) {
        return Err("its upgrade does not answer this client's key; a cache may stand in between".to_owned());
    }
    if header("sec-websocket-protocol") != SUBPROTOCOL {
        return Err(format!("it is a WebSocket that does not speak {SUBPROTOCOL}"));
    }
    // Without an extension having been offered, taking one would make every frame unreadable.
    if !header("sec-websocket-extensions").is_empty() {
        return Err("it uses a WebSocket extension that was not offered".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of RFC 6455, section 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn good() -> String {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Protocol: oddswire.v1\r\n\r\n"
        )
    }

    #[test]
    fn a_gateway_is_known_by_its_answer() {
        assert_eq!(check(good().as_bytes(), KEY), Ok(()));
        assert!(check(good().as_bytes(), "another key").is_err());
        for (from, to, hint) in [
            ("HTTP/1.1 101", "SSH-2.0", "HTTP"),
            ("101 Switching Protocols", "404 Not Found", "404 Not Found"),
            ("WebSocket", "h2c", "not a WebSocket"),
            ("keep-alive, Upgrade", "close", "not a WebSocket"),
            (ACCEPT, &ACCEPT.repeat(3), "key"),
            ("oddswire.v1", "mqtt", "oddswire.v1"),
            ("Sec-WebSocket-Protocol: oddswire.v1\r\n", "", "oddswire.v1"),
            ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "extension"),
            ("oddswire.v1\r\n\r\n", "oddswire.v1\r\nX: y", "no end"),
        ] {
            let answer = good().replacen(from, to, 1);
            let error = check(answer.as_bytes(), KEY).expect_err(&answer);
            assert!(error.contains(hint), "{answer} gives {error}");
        }
    }

    #[test]
    fn garbage_is_told_in_few_printable_words() {
        for garbage in
            [&b""[..], b"\n", b"\xff\xfe\r\n\r\n", b"HTTP/1.1", b"HTTP/1.1 500 \x1b[31m\n\n", &[b'a'; 9_000]]
        {
            let error = check(garbage, KEY).unwrap_err();
            assert!(error.len() < 200 && !error.contains(char::is_control), "{error}");
        }
        let mut whole = good().into_bytes();
        for at in 0..whole.len() {
            whole[at] ^= 0x15;
            let _ = check(&whole, KEY);
            whole[at] ^= 0x15;
            assert!(check(&whole[..at], KEY).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_request_asks_for_the_stream() {
        let endpoint = Endpoint::parse("ws://a.example:8080?k=1").unwrap();
        let request = request(&endpoint, KEY);
        assert!(request.starts_with("GET /v1/stream?k=1 HTTP/1.1\r\nHost: a.example:8080\r\n"));
        assert!(request.ends_with("Sec-WebSocket-Protocol: oddswire.v1\r\n\r\n"));
    }
}
