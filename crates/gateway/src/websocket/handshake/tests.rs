use hyper::header::SEC_WEBSOCKET_EXTENSIONS;

use super::*;

const ODDSWIRE: Option<&str> = Some(oddswire_wire::SUBPROTOCOL);

/// The example of RFC 6455, section 1.3, with the subprotocol added.
fn example() -> Request<()> {
    Request::get("/chat")
        .header("Host", "server.example.com")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Origin", "http://example.com")
        .header("Sec-WebSocket-Protocol", "chat, oddswire.v1")
        .header("Sec-WebSocket-Version", "13")
        .body(())
        .unwrap()
}

fn example_with(name: HeaderName, values: &[&'static str]) -> Request<()> {
    let mut request = example();
    request.headers_mut().remove(&name);
    for value in values {
        request.headers_mut().append(&name, HeaderValue::from_static(value));
    }
    request
}

fn refused(request: &Request<()>) -> HandshakeError {
    accept(request, ODDSWIRE).unwrap_err()
}

#[test]
fn the_example_of_the_standard() {
    let response = accept(&example(), ODDSWIRE).unwrap();
    assert_eq!(response.status(), 101);
    assert_eq!(response.headers()["upgrade"], "websocket");
    assert_eq!(response.headers()["connection"], "Upgrade");
    assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(response.headers()["sec-websocket-protocol"], "oddswire.v1");
    assert_eq!(response.headers().len(), 4);
}

#[test]
fn compression_is_offered_in_vain() {
    let request = example_with(SEC_WEBSOCKET_EXTENSIONS, &["permessage-deflate; client_max_window_bits"]);
    let response = accept(&request, ODDSWIRE).unwrap();
    assert!(!response.headers().contains_key(SEC_WEBSOCKET_EXTENSIONS));
}

#[test]
fn lists_may_be_long_in_several_lines_and_in_capitals() {
    let request = example_with(CONNECTION, &["keep-alive", "close,  UPGRADE"]);
    assert!(accept(&request, ODDSWIRE).is_ok(), "Firefox sends `keep-alive, Upgrade`");
    assert!(accept(&example_with(UPGRADE, &["h2c, WebSocket"]), ODDSWIRE).is_ok());
    let request = example_with(SEC_WEBSOCKET_PROTOCOL, &["oddswire.v2", "oddswire.v1"]);
    assert_eq!(accept(&request, ODDSWIRE).unwrap().headers()["sec-websocket-protocol"], "oddswire.v1");
}

#[test]
fn another_method_is_told_which_one() {
    let mut request = example();
    *request.method_mut() = Method::POST;
    let error = refused(&request);
    assert_eq!(error, HandshakeError::Method);
    assert_eq!(error.response().status(), 405);
    assert_eq!(error.response().headers()["allow"], "GET");
}

#[test]
fn other_versions_of_http_are_refused() {
    for version in [Version::HTTP_10, Version::HTTP_2] {
        let mut request = example();
        *request.version_mut() = version;
        assert_eq!(refused(&request), HandshakeError::HttpVersion);
    }
    assert_eq!(HandshakeError::HttpVersion.status(), 400);
}

#[test]
fn what_is_no_upgrade_is_told_how_to_be_one() {
    for (name, values) in [
        (UPGRADE, [].as_slice()),
        (UPGRADE, &["h2c"]),
        (UPGRADE, &["websocket2"]),
        (CONNECTION, &[]),
        (CONNECTION, &["keep-alive"]),
    ] {
        assert_eq!(refused(&example_with(name, values)), HandshakeError::NotAnUpgrade, "{values:?}");
    }
    let response = HandshakeError::NotAnUpgrade.response();
    assert_eq!(response.status(), 426);
    assert_eq!(response.headers()["upgrade"], "websocket");
    assert_eq!(response.headers()["connection"], "Upgrade");
}

#[test]
fn another_version_of_websocket_is_told_which_one() {
    for values in [[].as_slice(), &["12"], &["14"], &["13, 8"], &["13", "13"]] {
        let error = refused(&example_with(SEC_WEBSOCKET_VERSION, values));
        assert_eq!(error, HandshakeError::WebSocketVersion, "{values:?}");
        assert_eq!(error.response().status(), 426);
        assert_eq!(error.response().headers()["sec-websocket-version"], "13");
    }
}

#[test]
fn one_host() {
    for values in [[].as_slice(), &["a.example", "b.example"]] {
        assert_eq!(refused(&example_with(HOST, values)), HandshakeError::Host, "{values:?}");
    }
    assert_eq!(HandshakeError::Host.status(), 400);
}

#[test]
fn a_key_is_sixteen_bytes_in_base64() {
    for values in [
        [].as_slice(),
        &[""],
        &["not base64 at all, is it"],
        &["dGhlIHNhbXBsZSBub25jZQ"],
        &["dGhlIHNhbXBsZSBub25j"],
        &["dGhlIHNhbXBsZSBub25jZSE="],
        &["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="],
    ] {
        assert_eq!(refused(&example_with(SEC_WEBSOCKET_KEY, values)), HandshakeError::Key, "{values:?}");
    }
    assert_eq!(HandshakeError::Key.status(), 400);
}

#[test]
fn the_subprotocol_must_be_offered() {
    let wanted = oddswire_wire::SUBPROTOCOL;
    let error = refused(&example_with(SEC_WEBSOCKET_PROTOCOL, &[]));
    assert_eq!(error, HandshakeError::NoSubprotocol { wanted });
    assert_eq!(error.response().status(), 400);
    assert!(error.response().body().contains("new WebSocket(url, \"oddswire.v1\")"));
    for value in ["chat", "oddswire.v2", "Oddswire.v1", "oddswire.v1 x", ""] {
        let error = refused(&example_with(SEC_WEBSOCKET_PROTOCOL, &[value]));
        assert_eq!(error, HandshakeError::OtherSubprotocol { wanted }, "{value}");
        assert_eq!(error.response().status(), 400);
    }
}

#[test]
fn without_a_subprotocol_none_is_agreed_on() {
    for request in [example(), example_with(SEC_WEBSOCKET_PROTOCOL, &[])] {
        let response = accept(&request, None).unwrap();
        assert!(!response.headers().contains_key(SEC_WEBSOCKET_PROTOCOL));
    }
}
