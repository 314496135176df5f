//! Where the gateway is, and where connections to it come from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

use anyhow::{Context, bail};

/// Where a gateway serves the stream, when the URL has no path.
const DEFAULT_PATH: &str = "/v1/stream";
const DEFAULT_PORT: u16 = 80;
/// Connections from one source address. A system gives out about 28,000 ports by default and some of them rest for a
/// minute after their connection has ended, so this leaves room for several reconnects of everybody within a minute.
const CONNECTIONS_PER_SOURCE: usize = 4_000;
/// Loopback addresses used at most: the last octet.
const SOURCES_MAX: usize = 250;

/// A gateway.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// What the `Host` header says.
    pub(crate) authority: String,
    /// Path and query.
    pub(crate) path: String,
}

impl Target {
    /// Takes a `ws://` URL apart and looks its host up.
    pub(crate) fn resolve(url: &str) -> anyhow::Result<Self> {
        let rest = match url.split_once("://") {
            Some(("ws" | "http", rest)) => rest,
            Some(("wss" | "https", _)) => {
                bail!(
                    "TLS is not spoken here: let a TLS proxy on this side connect to the gateway, and give its ws:// address"
                )
            }
            _ => bail!("`{url}` is not the URL of a gateway; it looks like ws://127.0.0.1:8080"),
        };
        let path_at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(path_at);
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if authority.is_empty() || authority.contains('@') || !is_plain(authority) || !is_plain(path) {
            bail!("`{}` is not the URL of a gateway; it looks like ws://127.0.0.1:8080", url.escape_debug());
        }
        let has_port =
            authority.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
        let with_port = if has_port { authority.to_owned() } else { format!("{authority}:{DEFAULT_PORT}") };
        let mut addresses: Vec<SocketAddr> = with_port
            .to_socket_addrs()
            .with_context(|| format!("cannot find the host of {url}; check the name and the port"))?
            .collect();
        // A gateway on `localhost` mostly listens on 127.0.0.1, and only there are there many source addresses.
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let address = *addresses.first().with_context(|| format!("the host of {url} has no address"))?;
        let path = match path {
            "" | "/" => DEFAULT_PATH.to_owned(),
            query if query.starts_with('?') => format!("{DEFAULT_PATH}{query}"),
            path => path.to_owned(),
        };
        Ok(Self { address, authority: authority.to_owned(), path })
    }

    /// The addresses to connect from: several on the loopback, so that ports do not run out; elsewhere the system's own
    /// choice, which is an empty list.
    pub(crate) fn sources(&self, connections: usize) -> Vec<IpAddr> {
        let is_loopback =
            cfg!(target_os = "linux") && self.address.is_ipv4() && self.address.ip().is_loopback();
        if !is_loopback {
            return Vec::new();
        }
        let count = connections.div_ceil(CONNECTIONS_PER_SOURCE).clamp(1, SOURCES_MAX);
        (1..=count).map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last as u8))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let target = Target::resolve("ws://127.0.0.1:8080").unwrap();
        assert_eq!(target.address.to_string(), "127.0.0.1:8080");
        assert_eq!((target.authority.as_str(), target.path.as_str()), ("127.0.0.1:8080", "/v1/stream"));
        let target = Target::resolve("ws://[::1]:9/odds?k=1").unwrap();
        assert_eq!((target.address.to_string().as_str(), target.path.as_str()), ("[::1]:9", "/odds?k=1"));
        assert_eq!(Target::resolve("ws://127.0.0.1?k=1").unwrap().path, "/v1/stream?k=1");
        for wrong in ["", "127.0.0.1", "wss://a", "ftp://a", "ws://", "ws://u@a", "ws://127.0.0.1/a b"] {
            let error = Target::resolve(wrong).unwrap_err().to_string();
            assert!(error.contains("ws://"), "{wrong}: {error}");
        }
    }

    #[test]
    fn there_are_several_sources_on_the_loopback_only() {
        let sources = |url: &str, connections| Target::resolve(url).unwrap().sources(connections).len();
        assert_eq!(sources("ws://192.0.2.1:1", 10_000), 0);
        if cfg!(target_os = "linux") {
            assert_eq!(
                [1, 4_000, 4_001, 10_000].map(|count| sources("ws://127.0.0.1:1", count)),
                [1, 1, 2, 3]
            );
        }
    }
}
