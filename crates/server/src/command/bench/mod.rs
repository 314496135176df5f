//! `oddswire bench`: measurements that anybody can repeat on data of his own.

mod wire;
mod wire_tables;

use clap::{Args, Subcommand};

/// Measure Oddswire beside what it is compared with.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  \
                  oddswire bench wire match.bz2                   bytes on the wire, every form\n  \
                  oddswire bench wire --fast recordings/*.bz2     in seconds"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    measurement: Measurement,
}

#[derive(Debug, Subcommand)]
enum Measurement {
    Wire(wire::Arguments),
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.measurement {
        Measurement::Wire(arguments) => wire::run(arguments),
    }
}
