//! `oddswire demo`: a server, a feed and a client in one process, on a board.

mod board;
mod commit_json;
mod feed;
mod figures;
mod lag;
mod listener;
mod paint;
mod rows;
mod terminal;

use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Args;
use oddswire_client::{Client, Subscription, View};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use self::{
    board::{Board, Moment, Setting},
    feed::Source,
    figures::Shared,
    terminal::{Key, Terminal},
};
use super::{arguments, config, logging, pace::Speed, shutdown::Shutdown, watch};
use crate::Server;

/// How often the board is drawn: often enough to look alive, seldom enough to be read.
const DRAW_EVERY: Duration = Duration::from_millis(200);
/// How often a plain line is printed.
const LINE_EVERY: Duration = Duration::from_secs(1);
/// What the client asks for: what a betting screen needs.
const RATE_MS: u32 = 100;
/// Parts of the demo that do not stop within this time are left to the end of the process.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// See it work: a server, a live feed, and a client with a board.
#[derive(Debug, Args)]
#[command(
    long_about = "Starts a server, publishes simulated matches (or a recording) to it through the same gRPC producer that \
                  trading feeds use, connects a client over WebSocket, and shows what the client holds. Nothing is \
                  faked: everything on the board has crossed both network connections.\n\n\
                  Keys: q quits, c cuts the client's connection; it comes back and asks only for what changed meanwhile, \
                  and the board tells what that cost against snapshots. Without a terminal, or with --plain, one line \
                  is printed each second.\n\n\
                  The bytes on the wire are the payloads of all frames that the client received, first images \
                  included. They are compared with the commits that were published, written as compact JSON; the \
                  client's rate of 100 ms joins some commits, and that is part of what is saved. The lag is measured \
                  with one clock in this process, from handing a commit to the producer to having it applied in the \
                  client.",
    after_help = "Examples:\n  \
                  oddswire demo\n  \
                  oddswire demo --markets 1000 --seed 7\n  \
                  oddswire demo --recording match.bz2 --speed 10\n  \
                  oddswire demo --plain --duration 10             for a log or a script"
)]
pub(super) struct Arguments {
    /// Show a Betfair Exchange Stream recording (plain, bzip2 or gzip) instead of simulated matches.
    #[arg(long, value_name = "FILE")]
    recording: Option<PathBuf>,
    /// How many times faster than real: 1, 10, any number, or max. Waits of a recording are never longer than 2 s.
    #[arg(long, default_value = "1")]
    speed: Speed,
    /// What the simulated matches follow from; the same seed gives the same matches.
    #[arg(long, default_value_t = 1, conflicts_with = "recording")]
    seed: u64,
    /// About how many markets are simulated.
    #[arg(long, conflicts_with = "recording", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    markets: Option<u32>,
    /// Where clients connect; without it 127.0.0.1:8080, or a free port when that is taken.
    #[arg(long, value_name = "ADDR", value_parser = arguments::address)]
    http: Option<SocketAddr>,
    /// Where producers connect; without it 127.0.0.1:7410, or a free port when that is taken.
    #[arg(long, value_name = "ADDR", value_parser = arguments::address)]
    grpc: Option<SocketAddr>,
    /// End after this many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = watch::seconds)]
    duration: Option<Duration>,
    /// Print a line each second instead of drawing a board.
    #[arg(long)]
    plain: bool,
}

/// Runs the subcommand.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let has_board = !arguments.plain && io::stdout().is_terminal();
    // Log lines would land in the middle of the board, unless they go somewhere else.
    if !has_board || !io::stderr().is_terminal() {
        logging::start("warn")?;
    }
    let mut shutdown = Shutdown::listen()?;
    let source = match &arguments.recording {
        Some(file) => Source::recording(file)?,
        None => Source::simulator(arguments.seed, arguments.markets.map(|markets| markets as usize)),
    };
    let figures = Shared::default();
    let mut settings = config::load(None)?;
    // A demo beside a server leaves that one's address to it.
    settings.metrics.listen = None;
    for (given, setting) in
        [(arguments.http, &mut settings.http.listen), (arguments.grpc, &mut settings.grpc.listen)]
    {
        let (address, notice) = free_address(given, *setting);
        *setting = address;
        if let Some(notice) = notice {
            figures.lock().notice(notice);
        }
    }
    let server = Server::start(&settings).await?;
    let setting = Setting {
        source: source.describe(),
        speed: arguments.speed.to_string(),
        http: server.http.to_string(),
        grpc: server.grpc.to_string(),
        rate_ms: RATE_MS,
    };
    let client = listener::start(&server.http.to_string(), &figures)?;
    let subscription = client.subscribe(Subscription::new(["all"]).view(View::FULL).max_rate_ms(RATE_MS))?;
    // The client is there before the first commit, so that both sides of the comparison begin at the same place.
    client.synced_within(Duration::from_secs(5)).await?;
    let started = Instant::now();
    let time_is_up = async {
        match arguments.duration {
            Some(duration) => sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    let feed = feed::run(source, arguments.speed, setting.grpc.clone(), figures.clone());
    let shown = async {
        if has_board {
            show_board(&client, &figures, setting).await
        } else {
            print_lines(&client, &figures, &setting).await
        }
    };
    tokio::select! {
        ended = feed => ended?,
        shown = shown => shown?,
        () = time_is_up => {}
        () = shutdown.next() => {}
    }
    println!("{}", Moment::take(&client, &figures, Instant::now()).summary(started.elapsed()));
    drop(subscription);
    let _ = timeout(STOP_WITHIN, client.close()).await;
    let _ = timeout(STOP_WITHIN, server.stop()).await;
    Ok(())
}

/// The address to listen on. One that was asked for stands, whatever is there; a default gives way.
fn free_address(given: Option<SocketAddr>, default: SocketAddr) -> (SocketAddr, Option<String>) {
    if let Some(given) = given {
        return (given, None);
    }
    match std::net::TcpListener::bind(default) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let free = SocketAddr::new(default.ip(), 0);
            (free, Some(format!("{default} is taken, so a free port is used instead")))
        }
        _ => (default, None),
    }
}

async fn show_board(client: &Client, figures: &Shared, setting: Setting) -> anyhow::Result<()> {
    let terminal = Terminal::open()?;
    let mut keys = terminal.keys();
    let mut board = Board::new(setting);
    let mut ticks = interval(DRAW_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut has_keys = true;
    while !terminal.is_over() {
        tokio::select! {
            key = keys.recv(), if has_keys => match key {
                Some(Key::Quit) => break,
                Some(Key::Cut) => client.cut(),
                Some(Key::Resized) => {}
                None => has_keys = false,
            },
            _ = ticks.tick() => {}
        }
        let size = Terminal::size();
        terminal.draw(&board.draw(client, figures, size, Instant::now()), size)?;
    }
    anyhow::ensure!(!terminal.is_over(), "a part of the demo has failed; the message above says where");
    Ok(())
}

async fn print_lines(client: &Client, figures: &Shared, setting: &Setting) -> anyhow::Result<()> {
    println!("{}, speed {}", setting.source, setting.speed);
    println!("open http://{}/ in a browser, or connect to ws://{}/v1/stream", setting.http, setting.http);
    let mut ticks = interval(LINE_EVERY);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let moment = Moment::take(client, figures, Instant::now());
        let notices: Vec<String> = figures.lock().notices.drain(..).collect();
        let mut out = io::stdout().lock();
        for notice in notices {
            writeln!(out, "{notice}")?;
        }
        writeln!(out, "{}", moment.line())?;
        out.flush()?;
    }
}
