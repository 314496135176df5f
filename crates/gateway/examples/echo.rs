//! An echo server on the gateway's WebSocket code, for the conformance tests of `tests/autobahn/`.
//!
//! What the gateway refuses and RFC 6455 allows (text, long messages, many or empty fragments) is allowed here, so that
//! the framing itself is tested. `cargo run -p oddswire-gateway --example echo -- 127.0.0.1:9001`

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use oddswire_gateway::websocket::{
    self, Accept, Event, Reader, ReaderLimits, binary_frame, close_frame, pong_frame, text_frame,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The longest message of the tests is 16 MiB, the most fragments of one 250,000.
const LIMITS: ReaderLimits = ReaderLimits {
    frame_bytes: 32 << 20,
    message_bytes: 32 << 20,
    fragments: 1 << 20,
    empty_fragments: true,
};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("echo on ws://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let service = service_fn(async |request: Request<Incoming>| {
                Ok::<_, std::convert::Infallible>(match websocket::accept(&request, None) {
                    Ok(response) => {
                        tokio::spawn(echo(hyper::upgrade::on(request)));
                        response.map(|()| Empty::<Bytes>::new())
                    }
                    Err(refusal) => refusal.response().map(|_| Empty::new()),
                })
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.with_upgrades().await {
                eprintln!("{error}");
            }
        });
    }
}

async fn echo(upgrade: hyper::upgrade::OnUpgrade) {
    let Ok(upgraded) = upgrade.await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else { return };
    let mut stream = parts.io.into_inner();
    let mut reader = Reader::new(Accept::TextAndBinary, LIMITS);
    let mut buffer = vec![0; 64 * 1024];
    let mut input = parts.read_buf.to_vec();
    loop {
        let mut rest = input.as_slice();
        loop {
            let (answer, is_last) = match reader.read(&mut rest) {
                Ok(None) => break,
                Ok(Some(Event::Binary(message))) => (binary_frame(&message), false),
                Ok(Some(Event::Text(text))) => (text_frame(&text), false),
                Ok(Some(Event::Ping(payload))) => (pong_frame(&payload), false),
                Ok(Some(Event::Pong(_))) => continue,
                Ok(Some(Event::Close { code, .. })) => (close_frame(code, ""), true),
                Err(error) => (close_frame(Some(error.close_code()), &error.to_string()), true),
            };
            if stream.write_all(&answer).await.is_err() {
                return;
            }
            if is_last {
                let _ = stream.shutdown().await;
                while let Ok(1..) = stream.read(&mut buffer).await {}
                return;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(count @ 1..) => input = buffer[..count].to_vec(),
            _ => return,
        }
    }
}
