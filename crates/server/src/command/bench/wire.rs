//! `oddswire bench wire`: bytes on the wire of a recording, in every form.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    time::Instant,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use oddswire_measure::{Options, Recording, Report, measure};
use serde_json::json;

use super::wire_tables;

/// Steps of a file's progress bar.
const STEPS: u64 = 1_000;

/// Bytes on the wire of recordings, beside JSON, protobuf and compressors.
#[derive(Debug, Args)]
#[command(
    long_about = "Plays recordings message by message and counts the bytes of every message: the JSON as recorded, net \
                  changes as JSON, JSON merge patches, naive protobuf and full snapshots, each as it is, through \
                  permessage-deflate and through a zstd stream; the frames that one live receiver of Oddswire gets, in \
                  every encoding; bzip2, xz and zstd -19 of the whole file, which no live feed can have.\n\n\
                  Then the same at every conflation rate, and for 1, 30 and 200 markets on one connection, with what \
                  WebSocket, TLS 1.3 and TCP/IP add to each frame.\n\n\
                  Every frame is applied by a receiver and its digests are compared with the server's state after every \
                  frame, and everything at the end: an encoding that is wrong ends the run with an error.",
    after_help = "A recording holds Betfair Exchange Stream messages, one JSON object a line, plain or packed with bzip2 \
                  or gzip.\n\n\
                  Columns of the table: `sent` says who can be served by the same bytes: once for everybody, again \
                  for every conn(ection) with state for each, or a file that is complete. The geometric mean takes \
                  files of 1,000 messages and more.\n\n\
                  Examples:\n  \
                  oddswire bench wire match.bz2\n  \
                  oddswire bench wire --fast recordings/*.bz2\n  \
                  oddswire bench wire --json match.bz2 | jq '.files[0].bytes'"
)]
pub(super) struct Arguments {
    /// The recordings.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print JSON: {"files":[{"file","messages","changes","bytes":{"raw_json":..,"plain":..}}]}, bytes of all messages.
    #[arg(long)]
    json: bool,
    /// Leave out what takes long: snapshots, xz, zstd -19, archives of canonical JSON, and many markets.
    #[arg(long)]
    fast: bool,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let options = if arguments.fast { Options { conflation: true, ..Options::FAST } } else { Options::ALL };
    let started = Instant::now();
    let mut reports = Vec::new();
    for (at, file) in arguments.files.iter().enumerate() {
        let bar = progress_bar(at + 1, arguments.files.len(), file);
        let recording = Recording::open(file);
        let report = recording.and_then(|recording| {
            measure(&recording, options, &|share| bar.set_position((share * STEPS as f64) as u64))
        });
        bar.finish_and_clear();
        let report: Report = report?;
        for note in &report.notes {
            eprintln!("{note}");
        }
        reports.push(report);
    }
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&json!({ "files": reports }))?)?;
    } else {
        wire_tables::print(&mut out, &reports)?;
        writeln!(out, "\nmeasured in {:.1} s", started.elapsed().as_secs_f64())?;
    }
    Ok(())
}

/// A bar on a terminal, nothing elsewhere.
fn progress_bar(number: usize, count: usize, file: &std::path::Path) -> ProgressBar {
    let target =
        if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{prefix} {bar:30} {percent:>3} %  {elapsed}  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(STEPS), target);
    bar.set_style(style);
    bar.set_prefix(format!("{number}/{count}"));
    bar.set_message(file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned());
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}
