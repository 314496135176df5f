//! `oddswire watch`: what a client sees, as lines.

mod tap;
mod teller;

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use oddswire_client::{Client, ClientEvent, DisconnectReason, Subscription, View};
use oddswire_model::{Epoch, Topic};
use oddswire_wire::json;
use serde_json::Value;
use tokio::{sync::mpsc, time::sleep};

use self::{tap::Tap, teller::Teller};
use super::{arguments, logging, shutdown::Shutdown};

/// How long `--once` waits for everything to be there.
const SYNCED_WITHIN: Duration = Duration::from_secs(15);
/// Lines that wait for a slow reader of the output. Beyond them lines are dropped and counted, so that a terminal
/// that was stopped with Ctrl-S does not fill the memory.
const LINES_WAITING_MAX: usize = 65_536;

/// Subscribe to markets and print every change.
#[derive(Debug, Args)]
#[command(
    long_about = "Subscribes to a gateway and prints what changes, one value a line: time, market, selection, field, what \
                  was and what is. Suspensions, conflation, resumes and staleness are told as well. The connection is \
                  made again whenever it breaks.\n\n\
                  A topic is all, market/ID, fixture/ID, competition/ID, sport/ID or type/NAME. A view is prices, best1 \
                  to best10 or full, with -prices behind it to leave amounts out (best3-prices).",
    after_help = "Examples:\n  \
                  oddswire watch ws://127.0.0.1:8080\n  \
                  oddswire watch ws://127.0.0.1:8080 --topic type/MATCH_ODDS --view prices --rate-ms 1000\n  \
                  oddswire watch ws://127.0.0.1:8080 --json | jq 'select(.type == \"status\")'\n  \
                  oddswire watch ws://127.0.0.1:8080 --topic market/1.23 --view full --once\n  \
                  oddswire watch ws://127.0.0.1:8080 --for 10 --capture odds.capture"
)]
pub(super) struct Arguments {
    /// The gateway, for example ws://127.0.0.1:8080.
    #[arg(value_name = "URL", value_parser = arguments::gateway_url)]
    url: String,
    /// Which markets; may be given several times.
    #[arg(long = "topic", value_name = "TOPIC", default_value = "all")]
    topics: Vec<Topic>,
    /// What part of each market.
    #[arg(long, default_value = "best3")]
    view: View,
    /// No more than one change per market in this time; 0 for every flush.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    rate_ms: u32,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// End after this many seconds.
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    duration: Option<Duration>,
    /// Print the markets as JSON as soon as they are all there, one a line, and end.
    #[arg(long, conflicts_with = "json")]
    once: bool,
    /// Write every message of the connection to a file, for `oddswire inspect`.
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
}

/// Reads a number of seconds.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|&seconds: &f64| seconds > 0.0 && seconds <= 1e9);
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "it is not a number of seconds above 0".to_owned())
}

/// Runs the subcommand.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    logging::start("error")?;
    let mut shutdown = Shutdown::listen()?;
    let tap = match &arguments.capture {
        Some(file) => Some(Tap::start(&arguments.url, file).await?),
        None => None,
    };
    let url = tap.as_ref().map_or(&arguments.url, Tap::url);
    let subscription = Subscription::new(arguments.topics.iter().map(ToString::to_string))
        .view(arguments.view)
        .max_rate_ms(arguments.rate_ms);
    let (lines, received) = mpsc::channel(LINES_WAITING_MAX);
    let mut teller = Teller::new(arguments.json, arguments.view);
    let once = arguments.once;
    let builder = Client::builder(url.as_str()).agent(concat!("oddswire-watch/", env!("CARGO_PKG_VERSION")));
    let mut dropped = 0u64;
    // The teller reads markets of the client that it is made for.
    let itself = Arc::new(OnceLock::<Client>::new());
    let told_by = Arc::clone(&itself);
    let client = builder
        .on_event(move |event| {
            if once {
                // Whoever asks once wants to know at once that there is nobody to ask.
                if let ClientEvent::Disconnected { reason, .. } = event
                    && !matches!(reason, DisconnectReason::Broken(_) | DisconnectReason::Drained)
                {
                    let _ = lines.try_send(reason.to_string());
                }
                return;
            }
            for line in teller.tell(event, told_by.get()) {
                if dropped > 0 && lines.try_send(teller.dropped(dropped)).is_ok() {
                    dropped = 0;
                }
                dropped += u64::from(lines.try_send(line).is_err());
            }
        })
        .build()?;
    let _ = itself.set(client.clone());
    let watched = client.subscribe(subscription)?;
    let time_is_up = async {
        match arguments.duration {
            Some(duration) => sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        shown = show(&client, once, arguments.view, received) => shown?,
        () = time_is_up => if once { anyhow::bail!("not everything was there in time; give it more with --for") },
        () = shutdown.next() => {}
    }
    drop(watched);
    client.close().await;
    match tap {
        Some(tap) => tap.finish().await,
        None => Ok(()),
    }
}

async fn show(
    client: &Client,
    once: bool,
    view: View,
    mut lines: mpsc::Receiver<String>,
) -> anyhow::Result<()> {
    if once {
        tokio::select! {
            synced = client.synced_within(SYNCED_WITHIN) => synced?,
            Some(problem) = lines.recv() => anyhow::bail!(problem),
        }
        return print_markets(client, view);
    }
    let mut waiting = Vec::new();
    while lines.recv_many(&mut waiting, 1_024).await > 0 {
        // One flush for all that are there, and none kept back when there are no more.
        let mut out = BufWriter::new(io::stdout().lock());
        for line in waiting.drain(..) {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
    }
    Ok(())
}

fn print_markets(client: &Client, view: View) -> anyhow::Result<()> {
    let epoch = client.cursor().map(|cursor| cursor.epoch).context("the gateway has named no epoch")?;
    let markets = client.with_markets(|markets| snapshot(epoch, view, markets));
    let mut out = BufWriter::new(io::stdout().lock());
    for market in markets {
        writeln!(out, "{market}")?;
    }
    Ok(out.flush()?)
}

fn snapshot<'a>(
    epoch: Epoch,
    view: View,
    markets: &mut (dyn Iterator<Item = oddswire_client::Reading<'a>> + 'a),
) -> Vec<Value> {
    markets.map(|reading| json::market(epoch, reading.market, view)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_positive_numbers() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "NaN", "soon", "1e300"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
