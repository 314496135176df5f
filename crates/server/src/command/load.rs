//! `oddswire load`: thousands of receivers that measure a server and check what it says.

use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use oddswire_load::{LoadConfig, Mix, Progress, PublishConfig, Summary};
use oddswire_model::Topic;
use oddswire_wire::piece::Encoding;

use super::{arguments, logging, shutdown::Shutdown};

/// Put a server under load, measure it, and check everything that it says.
#[derive(Debug, Args)]
#[command(
    long_about = "Connects many receivers to a gateway, measures how late changes arrive and what they cost the server, \
                  and checks what arrives. The exit code is 0 only if everything was right.\n\n\
                  With --publish it also feeds the server with simulated markets. Then it knows when it handed each \
                  commit to the producer and which revision the commit got, and a time is exact: from the hand-over \
                  until a receiver in this process has applied it, on one monotonic clock. Where several commits became \
                  one delta, because a receiver asked for a rate or was slow, each of them counts with its own time; a \
                  frame that leads to revision R brings every change up to R that its view shows. So for a rate of \
                  250 ms a median of about 125 ms is what was asked for. Without --publish times follow from the \
                  producers' clock in the frames, in steps of 10 ms, if the clocks of both machines agree and the cells \
                  are plain (--encoding plain).\n\n\
                  Most receivers follow the chain of frames and count, which is cheap. A share of them (--verify-share) \
                  holds every market, compares the digests in heartbeats, and must end with exactly what an undisturbed \
                  receiver (the scout) holds; the scout must hold what was published. Gaps, digests that differ and \
                  other faults make the exit code 1.\n\n\
                  Slow readers take so many bytes a second, stuck ones none at all, once they have had everything. \
                  They are there to show that nobody else is any later for it; their own times are told apart. A cut is \
                  abrupt (a TCP reset). Whoever was cut waits between 0 and --reconnect-within and resumes from his \
                  cursor. After a storm (--storm-at) a receiver counts as fresh when it has everything that anybody held \
                  at the cut; its time is from the cut, the wait included.\n\n\
                  Every receiver takes a file descriptor here and in the server. The limit is raised as far as this \
                  process may. On the loopback several source addresses are used, so that ports do not run out.",
    after_help = "Examples:\n  \
                  oddswire load ws://127.0.0.1:8080 --publish http://127.0.0.1:7410\n      \
                  1,000 receivers of 200 simulated markets for 30 s\n  \
                  oddswire load ws://127.0.0.1:8080 --connections 5000 --mix full@0 --publish http://127.0.0.1:7410 \\\n      \
                  --server-pid $(pidof oddswire) --rounds 3\n      \
                  what a message costs the server, three times over\n  \
                  oddswire load ws://127.0.0.1:8080 --connections 5000 --markets-each 20 --publish http://127.0.0.1:7410\n      \
                  everybody follows markets of his own\n  \
                  oddswire load ws://127.0.0.1:8080 --connections 10000 --threads 2 --connect-rate 2000 \\\n      \
                  --publish http://127.0.0.1:7410 --storm-at 10s --duration 30s\n      \
                  everybody is cut at once\n  \
                  oddswire load ws://127.0.0.1:8080 --stuck-share 10% --suspend-every 500ms --publish http://127.0.0.1:7410\n      \
                  do stuck receivers make suspensions late for the others?\n  \
                  oddswire load ws://odds.example:80 --topic sport/1 --encoding plain --duration 1h --churn 20 --json\n      \
                  a soak of a live server, without publishing"
)]
pub(super) struct Arguments {
    /// The gateway, for example ws://127.0.0.1:8080.
    #[arg(value_name = "URL", value_parser = arguments::gateway_url)]
    url: String,
    /// How many receivers.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1_000)]
    connections: usize,
    /// New connections per second while all connect.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    connect_rate: u32,
    /// Threads that the receivers share, beside one for those that verify; more only help if the summary says that
    /// they are busy.
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Kinds of receivers and their shares: VIEW@RATE_MS:SHARE, separated by commas. Views are prices, best1 to best10
    /// and full.
    #[arg(long, default_value_t = Mix::default())]
    mix: Mix,
    /// How cells may be coded. Real clients ask for the compact encoding.
    #[arg(long, value_enum, default_value_t)]
    encoding: CellEncoding,
    /// What everybody subscribes to; may be given several times. Without it: what is published here, or all.
    #[arg(long = "topic", value_name = "TOPIC", conflicts_with = "markets_each")]
    topics: Vec<Topic>,
    /// Every receiver follows so many markets of its own choice, by chance.
    #[arg(long, value_name = "N")]
    markets_each: Option<usize>,
    /// Share of receivers that read slowly.
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = share)]
    slow_share: f64,
    /// How many bytes a slow receiver reads per second.
    #[arg(long, value_name = "BYTES", default_value_t = 4_096)]
    slow_bytes_per_s: u32,
    /// Share of receivers that stop reading.
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = share)]
    stuck_share: f64,
    /// Share of receivers that hold every market and compare digests; at least one of each kind [default: 5%, at most
    /// 50 receivers]
    #[arg(long, value_name = "PERCENT", value_parser = share)]
    verify_share: Option<f64>,
    /// Receivers that are cut and come back, per second.
    #[arg(long, value_name = "N", default_value_t = 0.0)]
    churn: f64,
    /// Cut everybody at once, so long after the measurement began; may be given several times.
    #[arg(long, value_name = "TIME", value_parser = time)]
    storm_at: Vec<Duration>,
    /// Who was cut waits between 0 and this before connecting again; the ceiling doubles while that fails.
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = time)]
    reconnect_within: Duration,
    /// Come back as new receivers, without a cursor.
    #[arg(long)]
    forget_cursors: bool,
    /// How long to run before measuring.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time)]
    warmup: Duration,
    /// How long to measure.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    duration: Duration,
    /// How often to measure; each round is told by itself, and all together.
    #[arg(long, value_name = "N", default_value_t = 1)]
    rounds: u32,
    /// How long receivers may take in the end to hold the last state.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    settle: Duration,
    /// What everything follows from that is left to chance.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Number of the server's process on this machine; its CPU time per message and its memory are told.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Publish simulated markets there, for example http://127.0.0.1:7410.
    #[arg(long, value_name = "URL")]
    publish: Option<String>,
    /// About so many markets.
    #[arg(long, value_name = "N", default_value_t = 200, requires = "publish")]
    publish_markets: usize,
    /// Changes per market and second.
    #[arg(long, value_name = "N", default_value_t = 5.0, requires = "publish")]
    publish_rate: f64,
    /// Suspend a market and reopen it, as often as this.
    #[arg(long, value_name = "TIME", requires = "publish", value_parser = time)]
    suspend_every: Option<Duration>,
    /// Print the summary as one JSON object.
    #[arg(long)]
    json: bool,
    /// Do not tell every second how it is going.
    #[arg(short, long)]
    quiet: bool,
}

/// An encoding of cells, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum CellEncoding {
    #[default]
    Compact,
    Plain,
}

impl From<CellEncoding> for Encoding {
    fn from(encoding: CellEncoding) -> Self {
        match encoding {
            CellEncoding::Compact => Self::Compact,
            CellEncoding::Plain => Self::Plain,
        }
    }
}

/// Reads a time: 500ms, 30s, 5m, 1h; a number alone is seconds.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "it is not a time; use for example 500ms, 30s, 5m or 1h".to_owned();
    let digits = text.find(|char: char| char != '.' && !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Some(number * seconds).filter(|&seconds| seconds <= 1e8).map(Duration::from_secs_f64).ok_or_else(wrong)
}

/// Reads a share: 10%, or 0.1.
fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    let share = number.parse::<f64>().ok().map(|number| number / unit);
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "it is not a share; use for example 10%".to_owned())
}

impl Arguments {
    fn config(&self) -> LoadConfig {
        LoadConfig {
            url: self.url.clone(),
            connections: self.connections,
            connect_rate: self.connect_rate,
            threads: self.threads,
            mix: self.mix.clone(),
            encoding: self.encoding.into(),
            topics: self.topics.clone(),
            markets_each: self.markets_each,
            slow_share: self.slow_share,
            slow_bytes_per_s: self.slow_bytes_per_s,
            stuck_share: self.stuck_share,
            verify_share: self.verify_share,
            churn_per_s: self.churn,
            storm_at: self.storm_at.clone(),
            reconnect_within: self.reconnect_within,
            forget_cursors: self.forget_cursors,
            warmup: self.warmup,
            duration: self.duration,
            rounds: self.rounds,
            settle: self.settle,
            seed: self.seed,
            server_pid: self.server_pid,
            publish: self.publish.as_ref().map(|url| PublishConfig {
                url: url.clone(),
                markets: self.publish_markets,
                rate: self.publish_rate,
                suspend_every: self.suspend_every,
            }),
        }
    }
}

/// Runs the subcommand.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    logging::start("error")?;
    let mut shutdown = Shutdown::listen()?;
    let stop = Arc::new(AtomicBool::new(false));
    let (config, stopped, quiet) = (arguments.config(), Arc::clone(&stop), arguments.quiet);
    let mut work = tokio::task::spawn_blocking(move || {
        let mut teller = Teller::default();
        oddswire_load::run(&config, &stopped, &mut |progress| {
            if !quiet {
                teller.tell(progress);
            }
        })
    });
    let summary = tokio::select! {
        summary = &mut work => summary,
        () = shutdown.next() => {
            eprintln!("stopping; the summary follows (once more ends it at once)");
            stop.store(true, Ordering::Relaxed);
            tokio::select! {
                summary = work => summary,
                () = shutdown.next() => bail!("stopped"),
            }
        }
    };
    let summary = summary.context("the run has failed")??;
    print(&summary, arguments.json)?;
    if !summary.ok {
        bail!("the server did not pass: {}", summary.failures.first().map_or("no reason", String::as_str));
    }
    Ok(())
}

fn print(summary: &Summary, json: bool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(summary)?)?;
    } else {
        writeln!(out, "{summary}")?;
    }
    Ok(out.flush()?)
}

/// Tells progress on the standard error: lines of a table, whose head comes again now and then.
#[derive(Debug, Default)]
struct Teller {
    told: u64,
}

impl Teller {
    /// Lines after which the head is told again on a terminal, where it scrolls away.
    const HEAD_EVERY: u64 = 20;

    fn tell(&mut self, progress: &Progress) {
        let repeats = io::stderr().is_terminal() && self.told.is_multiple_of(Self::HEAD_EVERY);
        let mut text = String::new();
        if self.told == 0 || repeats {
            text = format!("{}\n", Self::HEAD);
        }
        self.told += 1;
        text.push_str(&line(progress));
        // Whoever closes the standard error does not want to know.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    const HEAD: &str = "    time  stage           open   fresh   frames/s  updates/s     MB/s       p50       p99  server  tool  faults";
}

fn line(progress: &Progress) -> String {
    let ms = |us: Option<u64>| us.map_or_else(|| "-".to_owned(), |us| format!("{:.1} ms", us as f64 / 1e3));
    let storm = match progress.in_storm {
        0 => String::new(),
        away => format!("  {away} not back"),
    };
    format!(
        "{:>6.0} s  {:<12} {:>7} {:>7} {:>10.0} {:>10.0} {:>8.2} {:>9} {:>9} {:>7} {:>4.0}% {:>7}{storm}",
        progress.elapsed.as_secs_f64(),
        progress.stage.to_string(),
        progress.open,
        progress.fresh,
        progress.frames_per_s,
        progress.updates_per_s,
        progress.bytes_per_s / 1e6,
        ms(progress.latency_p50_us),
        ms(progress.latency_p99_us),
        progress.server_cpu_percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent:.0}%")),
        progress.busy_percent,
        progress.faults,
    )
}

#[cfg(test)]
mod tests {
    use oddswire_load::Stage;

    use super::*;

    #[test]
    fn times_and_shares_have_units() {
        let parsed = ["500ms", "30", "1.5s", "2m", "1h"].map(|text| time(text).unwrap().as_millis());
        assert_eq!(parsed, [500, 30_000, 1_500, 120_000, 3_600_000]);
        assert_eq!(["10%", "0.1", "0"].map(|text| share(text).unwrap()), [0.1, 0.1, 0.0]);
        for wrong in ["", "s", "-1s", "1d", "NaN", "1e99s"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "101%", "-1", "ten", "NaN"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_head_stands_above_its_columns() {
        let progress = Progress {
            stage: Stage::Measuring { round: 1, rounds: 3 },
            elapsed: Duration::from_secs(12),
            connections: 10_000,
            open: 10_000,
            fresh: 10_000,
            frames_per_s: 123_456.0,
            updates_per_s: 1_234_567.0,
            bytes_per_s: 12_345_678.0,
            latency_p50_us: Some(12_345),
            latency_p99_us: None,
            server_cpu_percent: Some(99.0),
            faults: 0,
            in_storm: 7,
            busy_percent: 50.0,
        };
        let line = line(&progress);
        assert_eq!(line.find("  7 not back"), Some(Teller::HEAD.len()), "\n{}\n{line}", Teller::HEAD);
    }
}
