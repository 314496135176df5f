//! `oddswire config`: settings files.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::config::ServerConfig;

/// The settings file when none is named.
const DEFAULT_FILE: &str = "oddswire.toml";

/// Write, check and show settings.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    long_about = "Settings come from three places, each over the one before: the defaults, a TOML file, and environment \
                  variables (ODDSWIRE_HTTP_LISTEN is http.listen).",
    after_help = "Examples:\n  \
                  oddswire config init                 write oddswire.toml with every setting explained\n  \
                  oddswire config check prod.toml      is it right, together with the environment?\n  \
                  oddswire config print --config prod.toml\n  \
                  ODDSWIRE_LOG_FILTER=debug oddswire config print"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Write a file with every setting, its meaning and its default.
    Init {
        /// The file to write.
        #[arg(default_value = DEFAULT_FILE)]
        file: PathBuf,
        /// Overwrite a file that is there already.
        #[arg(long)]
        force: bool,
    },
    /// Check a file together with the environment, and say what is wrong.
    Check {
        /// The file to check.
        #[arg(default_value = DEFAULT_FILE)]
        file: PathBuf,
    },
    /// Show the settings in effect: defaults, file and environment together.
    Print {
        /// The settings file; without it the defaults count.
        #[arg(long, env = "ODDSWIRE_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// Runs the subcommand.
pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match arguments.command {
        ConfigCommand::Init { file, force } => {
            init(&file, force)?;
            let file = file.display();
            writeln!(out, "wrote {file}; start a server with `oddswire serve --config {file}`")?;
        }
        ConfigCommand::Check { file } => {
            load(Some(&file))?;
            writeln!(out, "{} is right", file.display())?;
        }
        ConfigCommand::Print { config } => write!(out, "{}", load(config.as_deref())?.to_toml())?,
    }
    Ok(out.flush()?)
}

/// Settings of a file and of this process's environment.
pub(super) fn load(file: Option<&Path>) -> anyhow::Result<ServerConfig> {
    // Variables that are not text cannot be ours, and std::env::vars() would panic over them.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    ServerConfig::load(file, environment)
}

fn init(file: &Path, force: bool) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let shown = file.display();
    let mut opened = match options.open(file) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            anyhow::bail!("{shown} is there already; name another file, or give --force to overwrite it")
        }
        opened => opened.with_context(|| format!("cannot write {shown}"))?,
    };
    opened.write_all(ServerConfig::template().as_bytes()).with_context(|| format!("cannot write {shown}"))
}
