//! How a client is set up.

use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hasher},
};

use oddswire_session::{ClientConfig, REPORT_INTERVAL_MS};
use oddswire_wire::{
    limits::{AGENT_BYTES_MAX, TOKEN_BYTES_MAX},
    piece::Encoding,
};

use crate::{client::Client, endpoint::Endpoint, event::ClientEvent};

/// Events kept for a reader who is busy: about a second of a busy screen.
const EVENTS_KEPT: usize = 1_024;
/// How long connecting and the upgrade may take together. Mobile networks need several seconds now and then.
const CONNECT_TIMEOUT_MS: u64 = 10_000;

/// Settings of a client.
#[derive(Clone)]
pub struct ClientOptions {
    /// The gateway, `ws://host:port`; without a path `/v1/stream` is meant.
    pub url: String,
    /// Name and version of the software, for the gateway's logs; at most 64 bytes.
    pub agent: String,
    /// Access token; empty where the gateway asks for none.
    pub token: String,
    /// How cells may be coded: compact, or plain for those who want to read the bytes.
    pub encoding: Encoding,
    /// What the delays between attempts follow from. Leave it out, except to repeat a test: two clients that share a
    /// seed come back at the same time.
    pub seed: Option<u64>,
    /// How many events are kept for a reader who is busy; at least 1.
    pub events_kept: usize,
    /// How long an attempt to connect may take.
    pub connect_timeout_ms: u64,
    /// How often the gateway is told what this client has seen (connections, gaps, delays; see [`crate::Telemetry`]),
    /// in the middle; 0 for never. A gateway counts six reports a minute and passes over the others.
    pub report_interval_ms: u64,
}

impl Default for ClientOptions {
    fn default() -> Self {
        let ClientConfig { agent, token, encoding, .. } = ClientConfig::default();
        Self {
            url: String::new(),
            agent,
            token,
            encoding,
            seed: None,
            events_kept: EVENTS_KEPT,
            connect_timeout_ms: CONNECT_TIMEOUT_MS,
            report_interval_ms: REPORT_INTERVAL_MS,
        }
    }
}

impl fmt::Debug for ClientOptions {
    /// Without the token, which must not stand in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("url", &self.url)
            .field("agent", &self.agent)
            .finish_non_exhaustive()
    }
}

/// Why a client cannot be made of its options.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// The URL is none, or not of a gateway.
    #[error("`{url}` is not the URL of a gateway: {because}; it looks like ws://127.0.0.1:8080")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        because: &'static str,
    },
    /// TLS was asked for.
    #[error(
        "this client does not speak wss:// yet, TLS comes in a later version; until then let a TLS proxy on your side \
         of the line connect to the gateway, and give the proxy's ws:// address"
    )]
    Tls,
    /// The agent is too long.
    #[error("an agent of {0} bytes is too long; name and version fit into {AGENT_BYTES_MAX}")]
    AgentTooLong(usize),
    /// The token is too long.
    #[error("a token of {0} bytes is too long; the limit is {TOKEN_BYTES_MAX}")]
    TokenTooLong(usize),
    /// There is no tokio runtime to run the background task on.
    #[error("a client needs a tokio runtime; make it inside one, for example under #[tokio::main]")]
    NoRuntime,
}

impl ClientOptions {
    pub(crate) fn check(&self) -> Result<Endpoint, OptionsError> {
        if self.agent.len() > AGENT_BYTES_MAX {
            return Err(OptionsError::AgentTooLong(self.agent.len()));
        }
        if self.token.len() > TOKEN_BYTES_MAX {
            return Err(OptionsError::TokenTooLong(self.token.len()));
        }
        Endpoint::parse(&self.url)
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(random)
    }
}

/// A number that differs from process to process and from call to call. The standard library seeds its hash maps so.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

pub(crate) type OnEvent = Box<dyn FnMut(&ClientEvent) + Send>;

/// Makes a [`Client`], setting by setting.
#[must_use = "a builder does nothing until `build`"]
pub struct ClientBuilder {
    options: ClientOptions,
    on_event: Option<OnEvent>,
}

impl ClientBuilder {
    pub(crate) fn new(url: String) -> Self {
        Self { options: ClientOptions { url, ..ClientOptions::default() }, on_event: None }
    }

    /// Name and version of the software, for the gateway's logs; at most 64 bytes.
    pub fn agent(mut self, agent: impl Into<String>) -> Self {
        self.options.agent = agent.into();
        self
    }

    /// Access token.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.options.token = token.into();
        self
    }

    /// Makes the delays between attempts repeatable, for tests. Two clients must not share a seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = Some(seed);
        self
    }

    /// How many events are kept for a reader who is busy.
    pub fn events_kept(mut self, events: usize) -> Self {
        self.options.events_kept = events;
        self
    }

    /// How long an attempt to connect may take.
    pub fn connect_timeout_ms(mut self, timeout_ms: u64) -> Self {
        self.options.connect_timeout_ms = timeout_ms;
        self
    }

    /// How often the gateway is told what this client has seen, in the middle; 0 for never.
    pub fn report_interval_ms(mut self, interval_ms: u64) -> Self {
        self.options.report_interval_ms = interval_ms;
        self
    }

    /// Calls a function for every event, the first one included. It runs between two frames, so it must not block;
    /// it may read markets.
    pub fn on_event(mut self, on_event: impl FnMut(&ClientEvent) + Send + 'static) -> Self {
        self.on_event = Some(Box::new(on_event));
        self
    }

    /// Starts the client. It returns at once and connects in the background.
    ///
    /// # Errors
    /// When a setting cannot be used, or there is no tokio runtime.
    pub fn build(self) -> Result<Client, OptionsError> {
        Client::start(self.options, self.on_event)
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("options", &self.options).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_at_the_limit_and_one_past_it() {
        let fits = ClientOptions {
            url: "ws://a".into(),
            agent: "a".repeat(AGENT_BYTES_MAX),
            token: "t".repeat(TOKEN_BYTES_MAX),
            ..ClientOptions::default()
        };
        assert!(fits.check().is_ok());
        let agent = ClientOptions { agent: "a".repeat(AGENT_BYTES_MAX + 1), ..fits.clone() };
        assert_eq!(agent.check(), Err(OptionsError::AgentTooLong(AGENT_BYTES_MAX + 1)));
        let token = ClientOptions { token: "t".repeat(TOKEN_BYTES_MAX + 1), ..fits };
        assert_eq!(token.check(), Err(OptionsError::TokenTooLong(TOKEN_BYTES_MAX + 1)));
        assert!(!format!("{token:?}").contains("tt"), "tokens stay out of logs");
    }

    #[test]
    fn without_a_runtime_a_client_says_what_it_needs() {
        let error = Client::builder("ws://a").build().unwrap_err();
        assert_eq!(error, OptionsError::NoRuntime);
    }

    #[test]
    fn seeds_of_one_process_differ() {
        assert_ne!(ClientOptions::default().seed(), ClientOptions::default().seed());
    }
}
