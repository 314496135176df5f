//! What a producer needs to know.

use std::time::Duration;

use tonic::transport::Endpoint;

use super::error::ProducerClientError;
use crate::limits::{KEEPALIVE_EVERY, KEEPALIVE_WITHIN};

/// Most unacknowledged commits that a window may allow; they are kept in memory to be sent again.
const MAX_WINDOW: usize = 1 << 16;
/// A server in reach answers a SYN within milliseconds; two lost ones cost 1 + 2 s.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// What a [`super::Producer`] needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerConfig {
    /// Where the server is, for example `http://127.0.0.1:7410`; `http://` may be left out.
    pub url: String,
    /// Name of the producer, the same at every start.
    pub producer: String,
    /// Must grow with every start, for example the time of the start. A producer with a lower one is fenced off.
    pub producer_epoch: u64,
    /// The producer promises to be heard at least this often; 0 leaves it to the server.
    pub interval_ms: u32,
    /// The prices are a recording: they were never live, and the server does not hold their markets when it ends.
    pub recorded: bool,
    /// Most commits published and not yet acknowledged, 1 to 65,536.
    pub window: usize,
    /// Says "my prices still stand" in the background. Turn it off where the prices come from elsewhere, and call
    /// [`super::Producer::heartbeat`] as long as their source is alive: a heartbeat vouches for the prices, not for
    /// the connection.
    pub background_heartbeat: bool,
    /// How long to try to connect again without any progress.
    pub give_up_after: Duration,
    /// Seeds the delays between attempts, so that a test can repeat them. Producers that start together need
    /// different ones.
    pub seed: u64,
}

impl ProducerConfig {
    /// The server's interval, a window of 1,024 commits, heartbeats in the background, 30 s of patience.
    pub fn new(url: impl Into<String>, producer: impl Into<String>, producer_epoch: u64) -> Self {
        Self {
            url: url.into(),
            producer: producer.into(),
            producer_epoch,
            interval_ms: 0,
            recorded: false,
            window: 1_024,
            background_heartbeat: true,
            give_up_after: Duration::from_secs(30),
            seed: producer_epoch,
        }
    }

    /// Everything that can be checked without a server is checked here.
    pub(super) fn check(&self) -> Result<Endpoint, ProducerClientError> {
        if !(1..=MAX_WINDOW).contains(&self.window) {
            return Err(ProducerClientError::BadWindow { window: self.window, limit: MAX_WINDOW });
        }
        let url = match self.url.split_once("://") {
            None => format!("http://{}", self.url),
            Some(("http", _)) => self.url.clone(),
            Some(_) => return Err(self.bad_url("only http:// is spoken here")),
        };
        let endpoint =
            Endpoint::from_shared(url).map_err(|error| self.bad_url(&super::error::chain(&error)))?;
        Ok(endpoint
            .connect_timeout(CONNECT_WITHIN)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE_EVERY)
            .keep_alive_timeout(KEEPALIVE_WITHIN)
            .keep_alive_while_idle(true))
    }

    fn bad_url(&self, cause: &str) -> ProducerClientError {
        ProducerClientError::BadUrl { url: self.url.clone(), cause: cause.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_may_leave_out_the_scheme_and_bad_ones_are_named() {
        let check =
            |url: &str| ProducerConfig::new(url, "p", 1).check().map(|endpoint| endpoint.uri().to_string());
        assert_eq!(check("127.0.0.1:7410").unwrap(), "http://127.0.0.1:7410/");
        assert_eq!(check("http://localhost:1").unwrap(), "http://localhost:1/");
        for bad in ["https://localhost:1", "ftp://x", "http://", "a b", ""] {
            assert!(matches!(check(bad), Err(ProducerClientError::BadUrl { .. })), "{bad}");
        }
    }

    #[test]
    fn a_window_has_limits() {
        let check =
            |window| ProducerConfig { window, ..ProducerConfig::new("localhost:1", "p", 1) }.check().is_ok();
        assert_eq!([0, 1, 1 << 16, (1 << 16) + 1].map(check), [false, true, true, false]);
    }
}
