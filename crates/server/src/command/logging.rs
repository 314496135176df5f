//! Where log lines go: to the standard error, so that the output of a command stays clean.

use std::io;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

/// Starts logging. `RUST_LOG` wins over the filter given, as everywhere else in Rust.
pub(super) fn start(filter: &str) -> anyhow::Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(spoken) if !spoken.is_empty() => {
            EnvFilter::try_new(&spoken).with_context(|| format!("RUST_LOG={spoken} is not a log filter"))?
        }
        _ => EnvFilter::try_new(filter)
            .with_context(|| format!("log.filter = {filter} is not a log filter"))?,
    };
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A process that embeds the command may log already; then its way of logging stands.
    let _ = subscriber.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init();
    Ok(())
}
