//! `oddswire serve`: a server.

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use tokio::time::{Instant, sleep, timeout};
use tracing::info;

use super::{arguments, config, logging, shutdown::Shutdown};
use crate::Server;

/// Clients are asked to move at this pace, so that not all of them knock elsewhere at once.
const DRAIN_PER_SECOND: usize = 1_000;
/// Even a few clients are spread over this time.
const DRAIN_SPREAD_MIN: Duration = Duration::from_secs(1);
/// However many there are, the last one moves within this time.
const DRAIN_SPREAD_MAX: Duration = Duration::from_secs(20);
/// After this long the remaining connections are cut.
const DRAIN_WITHIN: Duration = Duration::from_secs(30);
/// How often the connections are counted meanwhile.
const COUNT_EVERY: Duration = Duration::from_millis(100);
/// Tasks that are told to stop and do not within this time are left to the end of the process.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// Run a server: producers publish over gRPC, clients subscribe over WebSocket.
#[derive(Debug, Args)]
#[command(
    long_about = "Runs a server until SIGTERM or Ctrl-C. Then it takes no new connections, asks its clients to move \
                  (1,000 of them a second, within 20 s), and ends when they are gone or 30 s have passed. A second signal \
                  ends it at once.",
    after_help = "Examples:\n  \
                  oddswire serve                                  on 127.0.0.1, ports 8080 and 7410\n  \
                  oddswire serve --config oddswire.toml           see `oddswire config init`\n  \
                  oddswire serve --http 0.0.0.0:80 --grpc 10.0.0.5:7410\n  \
                  RUST_LOG=debug oddswire serve                   log more, to the standard error\n\n\
                  Then open http://127.0.0.1:8080/ in a browser, or use `oddswire watch ws://127.0.0.1:8080`."
)]
pub(super) struct Arguments {
    /// The settings file; `oddswire config init` writes one.
    #[arg(long, env = "ODDSWIRE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where clients connect, over the setting http.listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", value_parser = arguments::address)]
    http: Option<SocketAddr>,
    /// Where producers connect, over the setting grpc.listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", value_parser = arguments::address)]
    grpc: Option<SocketAddr>,
}

/// Runs the subcommand.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut settings = config::load(arguments.config.as_deref())?;
    settings.http.listen = arguments.http.unwrap_or(settings.http.listen);
    settings.grpc.listen = arguments.grpc.unwrap_or(settings.grpc.listen);
    logging::start(&settings.log.filter)?;
    let mut shutdown = Shutdown::listen()?;
    let server = Server::start(&settings).await?;
    announce(&server)?;
    shutdown.next().await;
    tokio::select! {
        () = shutdown.next() => info!("a second signal: stopping at once"),
        drained = drain(&server) => drained?,
    }
    if timeout(STOP_WITHIN, server.stop()).await.is_err() {
        info!("some tasks have not stopped in time");
    }
    Ok(())
}

/// Says where it serves, on the standard output, so that a script can read it.
fn announce(server: &Server) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "clients    ws://{}/v1/stream", server.http)?;
    writeln!(out, "markets    http://{}/v1/markets", server.http)?;
    writeln!(out, "producers  http://{}", server.grpc)?;
    if let Some(metrics) = server.metrics {
        writeln!(out, "metrics    http://{metrics}/metrics")?;
    }
    writeln!(out, "board      http://{}/", server.http)?;
    Ok(out.flush()?)
}

async fn drain(server: &Server) -> anyhow::Result<()> {
    let connections = server.report().await?.connections;
    server.drain(drain_spread(connections).as_millis() as u32).await?;
    let end = Instant::now() + DRAIN_WITHIN;
    loop {
        let connections = server.report().await?.connections;
        if connections == 0 || Instant::now() >= end {
            info!(connections, "drained");
            return Ok(());
        }
        sleep(COUNT_EVERY).await;
    }
}

/// Over how long so many clients are asked to move.
fn drain_spread(connections: usize) -> Duration {
    let paced = Duration::from_millis((connections * 1_000 / DRAIN_PER_SECOND) as u64);
    paced.clamp(DRAIN_SPREAD_MIN, DRAIN_SPREAD_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_move_at_a_pace_and_in_time() {
        let spread = [0, 1_000, 10_000, 20_000, 100_000].map(|clients| drain_spread(clients).as_secs());
        assert_eq!(spread, [1, 1, 10, 20, 20]);
        assert!(DRAIN_SPREAD_MAX < DRAIN_WITHIN);
    }
}
