//! `oddswire inspect`: frames and messages in words.

mod client_message;
mod fields;
mod input;
mod parts;
mod server_frame;

use std::io::{self, BufWriter, Write};

use clap::Args;

use self::{
    input::{Form, Item},
    server_frame::Reader,
};
use super::capture::Direction;

/// Take frames apart: every field, every changed value, and what each part weighs.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    long_about = "Decodes frames of a server (or messages of a client) to text. Frames are read in the order given, each \
                  against the state that the frames before it built, because a delta says nothing without its base.\n\n\
                  An argument is hex, a file of hex lines, a capture, or - for hex lines on the standard input. Hex lines \
                  may have a name before a colon and a comment after #; < or > before them says who spoke. What cannot be \
                  read is reported with the byte at which it goes wrong, and the next frame is tried.",
    after_help = "Examples:\n  \
                  oddswire inspect 1204080a1001                   a frame on the command line\n  \
                  oddswire inspect tests/vectors/*.hex\n  \
                  oddswire inspect --client 0a0b0a09776562\n  \
                  oddswire watch ws://127.0.0.1:8080 --capture odds.capture --for 5\n  \
                  oddswire inspect odds.capture"
)]
pub(super) struct Arguments {
    /// Hex digits, or files of hex lines, or captures; - is the standard input.
    #[arg(required = true, value_name = "FILE|HEX")]
    input: Vec<String>,
    /// The arguments are hex digits, even where files of the same names exist.
    #[arg(long, conflicts_with = "capture")]
    hex: bool,
    /// The files are captures, even where their first bytes do not say so.
    #[arg(long)]
    capture: bool,
    /// Hex without a direction was said by a client.
    #[arg(long)]
    client: bool,
}

/// Runs the subcommand. It fails at the end if anything could not be read.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let form = match (arguments.hex, arguments.capture) {
        (true, _) => Form::Hex,
        (_, true) => Form::Capture,
        _ => Form::Any,
    };
    let direction = if arguments.client { Direction::FromClient } else { Direction::FromServer };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut reader = Reader::default();
    let (mut messages, mut unreadable) = (0u64, 0u64);
    for argument in &arguments.input {
        for item in input::read(argument, form, direction)? {
            let (origin, record) = match item {
                Item::Message { origin, record } => (origin, record),
                Item::Unreadable(problem) => {
                    writeln!(out, "{problem}")?;
                    unreadable += 1;
                    continue;
                }
            };
            let bytes = record.message.len();
            let report = match record.direction {
                Direction::Connected => {
                    reader.connected();
                    writeln!(out, "--- a new connection ({origin})\n")?;
                    continue;
                }
                Direction::FromServer => {
                    writeln!(out, "<- {bytes} bytes from the server ({origin})")?;
                    reader.read(&record.message)
                }
                Direction::FromClient => {
                    writeln!(out, "-> {bytes} bytes from the client ({origin})")?;
                    client_message::read(&record.message)
                }
            };
            messages += 1;
            unreadable += u64::from(report.is_unreadable);
            for line in report.lines {
                writeln!(out, "{line}")?;
            }
            writeln!(out)?;
        }
    }
    out.flush()?;
    if unreadable > 0 {
        anyhow::bail!(
            "{unreadable} of {messages} messages could not be read whole; see above at which bytes"
        );
    }
    Ok(())
}

/// A message in words.
#[derive(Debug, Default)]
struct Report {
    lines: Vec<String>,
    is_unreadable: bool,
}

impl Report {
    /// One part of the message: its name, its weight and what it says.
    fn part(&mut self, name: &str, bytes: usize, says: &str) {
        self.lines.push(format!("   {name:<13}{bytes:>6} B  {says}").trim_end().to_owned());
    }

    /// A line under the part before.
    fn detail(&mut self, line: &str) {
        self.lines.push(format!("                           {line}"));
    }

    /// Something that cannot be read.
    fn problem(&mut self, at: usize, why: &str) {
        self.is_unreadable = true;
        self.lines.push(format!("   unreadable at byte {at}: {why}"));
    }
}
