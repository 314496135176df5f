//! Settings: defaults, then a TOML file, then the environment.

use std::{collections::BTreeMap, fmt::Write as _, net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context, bail};
use oddswire_fanout::FanoutConfig;
use oddswire_gateway::{GatewayConfig, SHARDS_MAX};
use serde::{Deserialize, Serialize};

use crate::engine::EngineConfig;

/// Every environment variable that is read begins with this.
const ENV_PREFIX: &str = "ODDSWIRE_";

/// All settings of a server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// The front end: WebSocket and JSON.
    pub http: Http,
    /// The way in for producers.
    pub grpc: Grpc,
    /// Flushing and connections.
    pub fanout: Fanout,
    /// What is kept.
    pub store: Store,
    /// What is logged.
    pub log: Log,
    /// Figures for Prometheus.
    pub metrics: Metrics,
}

/// Settings of the front end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Most connections at once.
    pub connections_max: usize,
    /// Most connections of one address, loopback excepted.
    pub connections_per_address_max: usize,
    /// Kernel send buffer per connection in bytes, 0 for the system's own.
    pub send_buffer_bytes: usize,
    /// Most bytes that wait unsent in the kernel per connection, 0 for as many as fit the send buffer.
    pub unsent_bytes_max: u32,
    /// Threads that write to connections, 0 for one per processor.
    pub shards: usize,
}

/// Settings of the way in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grpc {
    /// Address to listen on.
    pub listen: SocketAddr,
}

/// Settings of flushing and connections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fanout {
    /// How often "every flush" is, in milliseconds.
    pub flush_interval_ms: u64,
    /// How often every connection hears something.
    pub heartbeat_interval_ms: u64,
    /// How long a client may take to say hello.
    pub hello_timeout_ms: u64,
    /// How long a receiver may take nothing before it is cut.
    pub stuck_timeout_ms: u64,
}

/// Settings of what is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// How long a receiver may be away and still get only what changed, in seconds.
    pub resume_horizon_s: u64,
    /// How long a settled market stays, in seconds.
    pub settled_retention_s: u64,
}

/// Settings of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// What to log: error, warn, info, debug, or a filter such as `info,oddswire_gateway=debug`.
    pub filter: String,
}

/// Settings of the figures for Prometheus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Address to listen on; `None`, in a file an empty text, for none.
    #[serde(with = "optional_address")]
    pub listen: Option<SocketAddr>,
}

impl Default for Http {
    fn default() -> Self {
        let gateway = GatewayConfig::default();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            connections_max: gateway.connections_max,
            connections_per_address_max: gateway.connections_per_address_max,
            send_buffer_bytes: gateway.send_buffer_bytes.unwrap_or(0),
            unsent_bytes_max: gateway.unsent_bytes_max.unwrap_or(0),
            shards: 0,
        }
    }
}

impl Default for Grpc {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 7410)) }
    }
}

/// Screens show stale 2.5 intervals after the last message. With what painting takes on top, that is within 2.5 s.
const HEARTBEAT_INTERVAL_MS: u64 = 900;

impl Default for Fanout {
    fn default() -> Self {
        let fanout = FanoutConfig::default();
        Self {
            flush_interval_ms: fanout.flush_interval_ms,
            heartbeat_interval_ms: HEARTBEAT_INTERVAL_MS,
            hello_timeout_ms: fanout.hello_timeout_ms,
            stuck_timeout_ms: fanout.stuck_timeout_ms,
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        let engine = EngineConfig::default();
        Self {
            resume_horizon_s: engine.resume_horizon.as_secs(),
            settled_retention_s: engine.settled_retention.as_secs(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned() }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { listen: Some(SocketAddr::from(([127, 0, 0, 1], 7411))) }
    }
}

/// An address, or an empty text for none.
mod optional_address {
    use std::net::SocketAddr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(address: &Option<SocketAddr>, out: S) -> Result<S::Ok, S::Error> {
        match address {
            Some(address) => out.collect_str(address),
            None => out.serialize_str(""),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
        let text = String::deserialize(from)?;
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = |_| D::Error::custom(format!("{text} is not an address; use for example 127.0.0.1:7411"));
        text.parse().map(Some).map_err(wrong)
    }
}

impl ServerConfig {
    /// Reads the settings: defaults, then the file if one is named, then `environment`.
    ///
    /// # Errors
    /// Names the file or the variable, and what to do.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        let mut table = toml::Table::try_from(Self::default()).context("the default settings are broken")?;
        if let Some(path) = file {
            let text = std::fs::read_to_string(path).with_context(|| {
                format!(
                    "cannot read {}; `oddswire config init {}` writes a commented one",
                    path.display(),
                    path.display()
                )
            })?;
            let read: Self = toml::from_str(&text)
                .with_context(|| format!("{} is not a settings file", path.display()))?;
            table = toml::Table::try_from(read).context("the settings cannot be written")?;
        }
        overlay(&mut table, environment)?;
        let config: Self = table.try_into().context("a setting in the environment does not fit")?;
        config.check()?;
        Ok(config)
    }

    /// Checks what no type can say.
    ///
    /// # Errors
    /// Names the setting and what to do.
    pub fn check(&self) -> anyhow::Result<()> {
        let in_range = |name: &str, value: u64, from: u64, to: u64| {
            if (from..=to).contains(&value) {
                return Ok(());
            }
            bail!("{name} = {value} is out of range; use {from} to {to}")
        };
        in_range("fanout.flush_interval_ms", self.fanout.flush_interval_ms, 0, 1_000)?;
        in_range("fanout.heartbeat_interval_ms", self.fanout.heartbeat_interval_ms, 100, 60_000)?;
        in_range("fanout.hello_timeout_ms", self.fanout.hello_timeout_ms, 100, 60_000)?;
        in_range("fanout.stuck_timeout_ms", self.fanout.stuck_timeout_ms, 1_000, 600_000)?;
        in_range("http.connections_max", self.http.connections_max as u64, 1, 1_000_000)?;
        let per_address_max = self.http.connections_per_address_max as u64;
        in_range("http.connections_per_address_max", per_address_max, 1, 1_000_000)?;
        in_range("http.shards", self.http.shards as u64, 0, SHARDS_MAX as u64)?;
        in_range("store.resume_horizon_s", self.store.resume_horizon_s, 1, 7 * 24 * 3_600)?;
        in_range("store.settled_retention_s", self.store.settled_retention_s, 1, 7 * 24 * 3_600)?;
        if self.http.listen == self.grpc.listen && self.http.listen.port() != 0 {
            bail!("http.listen and grpc.listen are both {}; give one of them another port", self.http.listen);
        }
        if let Some(metrics) = self.metrics.listen
            && metrics.port() != 0
            && (metrics == self.http.listen || metrics == self.grpc.listen)
        {
            bail!("metrics.listen and another listener are both {metrics}; give one of them another port");
        }
        Ok(())
    }

    /// The settings as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_default()
    }

    /// A file with every setting, its meaning and its default.
    pub fn template() -> String {
        let meanings: BTreeMap<&str, &str> = [
            ("http.listen", "Address of WebSocket streams and JSON."),
            ("http.connections_max", "Most connections at once; each takes a file descriptor."),
            ("http.connections_per_address_max", "Most connections of one address (loopback excepted); whole towns share one."),
            ("http.send_buffer_bytes", "Kernel send buffer per connection, in bytes. 0: the system's own."),
            ("http.unsent_bytes_max", "Most bytes that wait unsent in the kernel per connection; little of it keeps little that is old. 0: no limit."),
            ("http.shards", "Threads that write to connections. 0: one per processor."),
            ("grpc.listen", "Address where producers publish."),
            ("fanout.flush_interval_ms", "How often \"every flush\" is; commits in between become one delta."),
            ("fanout.heartbeat_interval_ms", "How often every connection hears something; clients call prices stale after 2.5 times this."),
            ("fanout.hello_timeout_ms", "How long a client may take to say hello."),
            ("fanout.stuck_timeout_ms", "How long a receiver may take nothing before it is told and cut."),
            ("store.resume_horizon_s", "How long a receiver may be away and still get only what changed."),
            ("store.settled_retention_s", "How long a settled market stays."),
            ("metrics.listen", "Address of /metrics for Prometheus; empty for none. Whoever reaches it may read it."),
            ("log.filter", "error, warn, info, debug, or a filter such as info,oddswire_gateway=debug."),
        ]
        .into();
        let mut text = String::from(
            "# Settings of an Oddswire server. Every one may also be given as an environment variable:\n\
             # ODDSWIRE_HTTP_LISTEN=0.0.0.0:8080 overrides http.listen.\n",
        );
        let table = toml::Table::try_from(Self::default()).unwrap_or_default();
        for (section, settings) in &table {
            let _ = write!(text, "\n[{section}]\n");
            for (name, value) in settings.as_table().into_iter().flatten() {
                let key = format!("{section}.{name}");
                if let Some(meaning) = meanings.get(key.as_str()) {
                    let _ = writeln!(text, "# {meaning}");
                }
                let _ = writeln!(text, "{name} = {value}");
            }
        }
        text
    }

    /// The gateway's part.
    pub fn gateway(&self) -> GatewayConfig {
        GatewayConfig {
            connections_max: self.http.connections_max,
            connections_per_address_max: self.http.connections_per_address_max,
            send_buffer_bytes: Some(self.http.send_buffer_bytes).filter(|&bytes| bytes > 0),
            unsent_bytes_max: Some(self.http.unsent_bytes_max).filter(|&bytes| bytes > 0),
        }
    }

    /// Number of threads that write to connections.
    pub fn shards(&self) -> usize {
        match self.http.shards {
            0 => std::thread::available_parallelism().map_or(1, usize::from).min(SHARDS_MAX),
            shards => shards,
        }
    }

    /// The engine's part.
    pub fn engine(&self) -> EngineConfig {
        EngineConfig {
            fanout: FanoutConfig {
                flush_interval_ms: self.fanout.flush_interval_ms,
                heartbeat_interval_ms: self.fanout.heartbeat_interval_ms,
                hello_timeout_ms: self.fanout.hello_timeout_ms,
                stuck_timeout_ms: self.fanout.stuck_timeout_ms,
                ..FanoutConfig::default()
            },
            resume_horizon: Duration::from_secs(self.store.resume_horizon_s),
            settled_retention: Duration::from_secs(self.store.settled_retention_s),
        }
    }
}

/// Puts `ODDSWIRE_SECTION_NAME` variables over the settings they name.
fn overlay(
    table: &mut toml::Table,
    environment: impl Iterator<Item = (String, String)>,
) -> anyhow::Result<()> {
    for (variable, text) in environment {
        let Some(key) = variable.strip_prefix(ENV_PREFIX) else { continue };
        let key = key.to_lowercase();
        let setting = table.iter_mut().find_map(|(section, settings)| {
            let name = key.strip_prefix(section.as_str())?.strip_prefix('_')?;
            settings.as_table_mut()?.get_mut(name)
        });
        // Other variables with the prefix belong to tests and to the command itself.
        let Some(setting) = setting else { continue };
        *setting = match setting {
            toml::Value::Integer(_) => {
                let number =
                    text.parse().with_context(|| format!("{variable}={text} is not a whole number"))?;
                toml::Value::Integer(number)
            }
            _ => toml::Value::String(text.clone()),
        };
        let may_be_empty = key == "metrics_listen";
        let is_address = |text: &&str| key.ends_with("_listen") && !(may_be_empty && text.is_empty());
        if let Some(address) = setting.as_str().filter(is_address) {
            address.parse::<SocketAddr>().with_context(|| {
                format!("{variable}={address} is not an address; use for example 127.0.0.1:8080")
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(environment: &[(&str, &str)]) -> anyhow::Result<ServerConfig> {
        ServerConfig::load(None, environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())))
    }

    #[test]
    fn the_template_holds_the_defaults() {
        let read: ServerConfig = toml::from_str(&ServerConfig::template()).unwrap();
        assert_eq!(read, ServerConfig::default());
        assert_eq!(ServerConfig::template().matches("\n# ").count(), 16, "every setting is explained");
    }

    #[test]
    fn the_environment_wins() {
        let config =
            load(&[("ODDSWIRE_HTTP_LISTEN", "0.0.0.0:9000"), ("ODDSWIRE_FANOUT_FLUSH_INTERVAL_MS", "25")])
                .unwrap();
        assert_eq!(config.http.listen.port(), 9_000);
        assert_eq!(config.fanout.flush_interval_ms, 25);
    }

    #[test]
    fn metrics_are_off_by_an_explicit_empty_address_only() {
        assert!(load(&[]).unwrap().metrics.listen.is_some_and(|address| address.ip().is_loopback()));
        assert_eq!(load(&[("ODDSWIRE_METRICS_LISTEN", "")]).unwrap().metrics.listen, None);
        let read: ServerConfig = toml::from_str("[metrics]\nlisten = \"\"").unwrap();
        assert_eq!(read.metrics.listen, None);
        assert_eq!(toml::from_str::<ServerConfig>(&read.to_toml()).unwrap(), read);
        assert!(
            format!("{:#}", load(&[("ODDSWIRE_HTTP_LISTEN", "")]).unwrap_err()).contains("127.0.0.1:8080")
        );
        let twice = load(&[("ODDSWIRE_METRICS_LISTEN", "127.0.0.1:8080")]).unwrap_err();
        assert!(twice.to_string().contains("metrics.listen"), "{twice}");
    }

    #[test]
    fn problems_name_the_setting() {
        let message = |environment| format!("{:#}", load(environment).unwrap_err());
        assert!(
            message(&[("ODDSWIRE_FANOUT_FLUSH_INTERVAL_MS", "soon")])
                .contains("ODDSWIRE_FANOUT_FLUSH_INTERVAL_MS=soon")
        );
        assert!(message(&[("ODDSWIRE_HTTP_LISTEN", "8080")]).contains("127.0.0.1:8080"));
        assert!(message(&[("ODDSWIRE_FANOUT_HEARTBEAT_INTERVAL_MS", "99")]).contains("100 to 60000"));
        assert!(
            toml::from_str::<ServerConfig>("[http]\nlistn = 1").unwrap_err().to_string().contains("listn")
        );
    }
}
