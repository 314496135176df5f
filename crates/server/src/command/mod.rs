//! The `oddswire` command, one file per subcommand.

mod arguments;
mod bench;
mod capture;
mod changes;
mod config;
mod demo;
mod inspect;
mod load;
mod logging;
mod model;
mod pace;
mod replay;
mod serve;
mod shutdown;
mod watch;

use std::{io, process::ExitCode};

use anyhow::Context;
use clap::{Parser, Subcommand};

/// Serve live betting odds, publish recordings, watch markets, measure servers, and look into the protocol.
#[derive(Debug, Parser)]
#[command(
    name = "oddswire",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    long_about = "Oddswire keeps the state of live betting markets, works out what changed for every receiver, and \
                  pushes it as small binary frames over WebSocket. Producers publish over gRPC.\n\n\
                  Begin with `oddswire demo`: a server, a feed and a client in one process.",
    after_help = "Examples:\n  \
                  oddswire demo                                   see it work, with simulated matches\n  \
                  oddswire config init && oddswire serve --config oddswire.toml\n  \
                  oddswire replay match.bz2 --to http://127.0.0.1:7410 --speed 10\n  \
                  oddswire watch ws://127.0.0.1:8080 --topic all --view best3\n  \
                  oddswire load ws://127.0.0.1:8080 --publish http://127.0.0.1:7410\n\n\
                  `oddswire COMMAND --help` explains each with examples."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Serve(serve::Arguments),
    Config(config::Arguments),
    Replay(replay::Arguments),
    Watch(watch::Arguments),
    Inspect(inspect::Arguments),
    Load(load::Arguments),
    Bench(bench::Arguments),
    Model(model::Arguments),
}

/// Runs the command of the process's arguments. Usage errors end the process with status 2.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has seen enough, as in `oddswire config print | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Config(arguments) => config::run(arguments),
        Command::Model(arguments) => model::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Demo(arguments) => on_runtime(demo::run(arguments)),
        Command::Serve(arguments) => on_runtime(serve::run(arguments)),
        Command::Replay(arguments) => on_runtime(replay::run(arguments)),
        Command::Watch(arguments) => on_runtime(watch::run(arguments)),
        Command::Load(arguments) => on_runtime(load::run(arguments)),
    }
}

fn on_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the system gives no threads to run on")?;
    let result = runtime.block_on(work);
    // A thread that waits for a key or reads a file must not keep the process.
    runtime.shutdown_background();
    result
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// An error and its causes, each said once: libraries often repeat their cause in their own sentence.
fn sentence(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        let cause = cause.trim_end();
        if said.is_empty() {
            said.push_str(cause);
        } else if !said.contains(cause) {
            said.push_str(": ");
            said.push_str(cause);
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn causes_are_said_once() {
        let error =
            anyhow::anyhow!("no such file").context("cannot read a.toml: no such file").context("top");
        assert_eq!(sentence(&error), "top: cannot read a.toml: no such file");
    }

    #[test]
    fn a_broken_pipe_is_found_under_its_context() {
        let error = anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe)).context("cannot write");
        assert!(is_broken_pipe(&error));
        assert!(!is_broken_pipe(&anyhow::anyhow!("other")));
    }
}
