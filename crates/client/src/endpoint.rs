//! Where the gateway is: a `ws://` URL taken apart.

use std::fmt;

use crate::options::OptionsError;

/// Where a gateway serves the stream, when the URL has no path.
const DEFAULT_PATH: &str = "/v1/stream";
const DEFAULT_PORT: u16 = 80;

/// A checked URL. Everything in it is printable ASCII without spaces, so it can stand in a request as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    authority: String,
    host: String,
    port: u16,
    target: String,
}

impl Endpoint {
    /// Takes a URL apart. The standard library has no URLs and this needs three parts of one, so it is done here.
    pub(crate) fn parse(url: &str) -> Result<Self, OptionsError> {
        let wrong =
            |because: &'static str| OptionsError::Url { url: url.escape_debug().to_string(), because };
        let (scheme, rest) =
            url.split_once("://").ok_or_else(|| wrong("it has no scheme; it begins with ws://"))?;
        match scheme.to_ascii_lowercase().as_str() {
            "ws" => {}
            "wss" => return Err(OptionsError::Tls),
            _ => return Err(wrong("its scheme is not ws; the stream is a WebSocket")),
        }
        if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong("it holds a space, a control or a non-ASCII character; percent-encode it"));
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let path_at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(path_at);
        if authority.contains('@') {
            return Err(wrong("it holds a user name; give a token to the client instead"));
        }
        let (host, port) = split_authority(authority).ok_or_else(|| wrong("its host or port is not one"))?;
        let target = match target {
            "" | "/" => DEFAULT_PATH.to_owned(),
            query if query.starts_with('?') => format!("{DEFAULT_PATH}{query}"),
            target => target.to_owned(),
        };
        Ok(Self { authority: authority.to_owned(), host: host.to_owned(), port, target })
    }

    /// What the `Host` header says.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The name or address to connect to, without brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Path and query.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }
}

impl fmt::Display for Endpoint {
    /// Without the query, which may hold what must not stand in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split('?').next().unwrap_or_default();
        write!(f, "ws://{}{path}", self.authority)
    }
}

fn split_authority(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = match port {
        "" => DEFAULT_PORT,
        port => port.strip_prefix(':')?.parse().ok().filter(|&port| port != 0)?,
    };
    (!host.is_empty()).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, u16, String) {
        let endpoint = Endpoint::parse(url).unwrap();
        (endpoint.host().to_owned(), endpoint.port(), endpoint.target().to_owned())
    }

    #[test]
    fn a_url_without_a_path_means_the_stream() {
        for url in ["ws://a.example:8080", "WS://a.example:8080/", "ws://a.example:8080#top"] {
            assert_eq!(parts(url), ("a.example".into(), 8080, "/v1/stream".into()), "{url}");
        }
        assert_eq!(parts("ws://a?k=1"), ("a".into(), 80, "/v1/stream?k=1".into()));
        assert_eq!(parts("ws://[::1]:9/odds?k=1"), ("::1".into(), 9, "/odds?k=1".into()));
        assert_eq!(Endpoint::parse("ws://[::1]:9/odds?k=1").unwrap().to_string(), "ws://[::1]:9/odds");
    }

    #[test]
    fn what_is_not_a_url_of_a_gateway_is_refused_with_a_hint() {
        for url in [
            "",
            "localhost:80",
            "http://a",
            "ws://",
            "ws://:80",
            "ws://a:0",
            "ws://a:65536",
            "ws://a:x",
            "ws://a:",
            "ws://[::1",
            "ws://[::1]8",
            "ws://u:p@a",
            "ws://a/x y",
            "ws://a/\r\nEvil: 1",
            "ws://ä",
        ] {
            let error = Endpoint::parse(url).unwrap_err().to_string();
            assert!(error.contains("; ") && !error.contains('\n'), "{url}: {error}");
        }
        assert_eq!(Endpoint::parse("wss://a").unwrap_err(), OptionsError::Tls);
    }
}
