//! `oddswire model`: training and judging the probabilities of the compact encoding.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use oddswire_feeds::simulator::{Simulator, SimulatorConfig};
use oddswire_measure::{Recording, Trained, compact_sizes, geometric_mean_of, train};
use oddswire_model::{AttributeValue, name};
use oddswire_wire::compact::{Counts, Model};

/// Simulated commits per seed; together with the recordings they keep the model good on a sportsbook's markets.
const SIMULATED_COMMITS: usize = 30_000;
/// Seeds of the simulator.
const SIMULATED_SEEDS: u64 = 3;
/// What simulated markets count for beside recorded ones.
const SIMULATED_WEIGHT: f64 = 0.03;
/// Tables that are shown.
const TABLES_SHOWN: usize = 16;

/// Train and judge models of the compact encoding.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    long_about = "The compact encoding codes every decision about a change with probabilities that both ends hold: a \
                  model. One comes with this version. A venue whose markets move otherwise may do better with its own: \
                  train it on recordings, judge it on others, and name it in the server's settings. Clients that lack it \
                  get it with the welcome.",
    after_help = "Examples:\n  \
                  oddswire model train day1/*.bz2 -o venue.model\n  \
                  oddswire model eval venue.model day2/*.bz2       bytes, and where the bits go\n  \
                  oddswire model eval shipped day2/*.bz2\n  \
                  oddswire model eval held-out *.bz2               each judged by a model that has not seen its fixture"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a model of recordings and of the simulator.
    Train {
        /// Recordings.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Where to write the model.
        #[arg(short, long, value_name = "NAME")]
        output: PathBuf,
    },
    /// What recordings take with a model, and where the bits go.
    Eval {
        /// A model's file, `shipped`, or `held-out` for models trained on those of the other files that share no fixture.
        model: String,
        /// Recordings.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// With `held-out`: leave out everything of the same sport.
        #[arg(long)]
        by_sport: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.action {
        Action::Train { files, output } => {
            let sources = read(files)?;
            let model = model_of(sources.iter().map(|source| &source.trained), &simulated()?);
            fs::write(output, model.bytes()).with_context(|| format!("cannot write {}", output.display()))?;
            println!("model {} of {} bytes in {}", model.id(), model.bytes().len(), output.display());
            Ok(())
        }
        Action::Eval { model, files, by_sport, json } => eval(model, files, *by_sport, *json),
    }
}

struct Source {
    recording: Recording,
    trained: Trained,
    /// What it is about: fixtures, or sports.
    fixtures: BTreeSet<String>,
    sports: BTreeSet<String>,
}

fn read(files: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let bar = ProgressBar::new(files.len() as u64)
        .with_style(ProgressStyle::with_template("{wide_bar} {pos} of {len} {msg}")?);
    let mut sources = Vec::new();
    for file in files {
        bar.set_message(file.display().to_string());
        let recording = Recording::open(file)?;
        let commits = recording.messages().iter().filter_map(|message| message.commit.clone());
        let trained = train(commits)
            .map_err(|(at, refusal)| anyhow::anyhow!("{}, message {at}: {refusal}", file.display()))?;
        let (fixtures, sports) = (attribute(&recording, name::FIXTURE), attribute(&recording, name::SPORT));
        sources.push(Source { recording, trained, fixtures, sports });
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(sources)
}

/// All values of an attribute of markets.
fn attribute(recording: &Recording, name: &str) -> BTreeSet<String> {
    let commits = recording.messages().iter().filter_map(|message| message.commit.as_ref());
    let markets = commits.flat_map(|commit| &commit.markets);
    let values = markets.flat_map(|market| &market.attributes).filter(|(known, _)| &**known == name);
    values
        .filter_map(|(_, value)| match value {
            Some(AttributeValue::Text(text)) => Some(text.to_string()),
            _ => None,
        })
        .collect()
}

fn simulated() -> anyhow::Result<Vec<Trained>> {
    (1..=SIMULATED_SEEDS)
        .map(|seed| {
            let config =
                SimulatorConfig { seed, football: 6, tennis: 4, racing: 2, pace: 10, ..Default::default() };
            let commits = Simulator::new(config).take(SIMULATED_COMMITS);
            train(commits).map_err(|(at, refusal)| anyhow::anyhow!("simulated commit {at}: {refusal}"))
        })
        .collect()
}

fn model_of<'a>(recorded: impl Iterator<Item = &'a Trained>, simulated: &[Trained]) -> Model {
    let mut counts = Counts::default();
    for trained in recorded {
        counts.add(&trained.counts, trained.weight());
    }
    for trained in simulated {
        counts.add(&trained.counts, trained.weight() * SIMULATED_WEIGHT);
    }
    counts.model()
}

fn eval(model: &str, files: &[PathBuf], by_sport: bool, json: bool) -> anyhow::Result<()> {
    let sources = read(files)?;
    let fixed = match model {
        "held-out" => None,
        "shipped" => Some(Model::shipped()),
        path => Some(open(Path::new(path))?),
    };
    if fixed.is_none() && sources.len() < 2 {
        bail!("held-out trains on the other files; give at least two");
    }
    let simulated = if fixed.is_none() { simulated()? } else { Vec::new() };
    let (mut rows, mut shares, mut all) = (Vec::new(), Vec::new(), Counts::default());
    let mut of_bzip2 = Vec::new();
    if !json {
        println!(
            "{:44} {:>8} {:>9} {:>9} {:>9} {:>8} {:>6}",
            "recording", "messages", "B/message", "of JSON", "of bzip2", "deltas", "unfit"
        );
    }
    for source in &sources {
        let is_other = |other: &&Source| {
            let of = |source: &Source| if by_sport { source.sports.clone() } else { source.fixtures.clone() };
            of(other).is_disjoint(&of(source)) && !std::ptr::eq(*other, source)
        };
        let own = match &fixed {
            Some(model) => model.clone(),
            None => model_of(sources.iter().filter(is_other).map(|other| &other.trained), &simulated),
        };
        let sizes = compact_sizes(&source.recording, &own)?;
        let messages = source.recording.messages();
        let raw: u64 = messages.iter().map(|message| source.recording.text(message).len() as u64).sum();
        let messages = messages.len();
        let share = sizes.payload as f64 / raw as f64;
        let bzip2 = source.recording.bzip2_bytes().context("bzip2 has no memory")?;
        let share_of_bzip2 = sizes.payload as f64 / bzip2.max(1) as f64;
        if messages >= 1_000 {
            shares.push(share);
            of_bzip2.push(share_of_bzip2);
            // Costs are of the model's own bits, so each file is added with the model that it was judged by.
            all.add(&source.trained.deltas, 1.0);
        }
        let name = source.recording.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        if json {
            rows.push(serde_json::json!({ "file": name, "messages": messages, "raw_json": raw, "compact": sizes.payload, "bzip2": bzip2,
                "deltas": source.trained.frames, "unfit": source.trained.unfit }));
        } else {
            println!(
                "{name:44} {messages:8} {:9.1} {:8.2}% {:9.3} {:8} {:6}",
                sizes.payload as f64 / messages.max(1) as f64,
                share * 100.0,
                share_of_bzip2,
                source.trained.frames,
                source.trained.unfit
            );
        }
    }
    let mean = geometric_mean_of(&shares);
    let mean_of_bzip2 = geometric_mean_of(&of_bzip2);
    if json {
        println!(
            "{}",
            serde_json::json!({ "files": rows, "geometric_mean": mean, "geometric_mean_of_bzip2": mean_of_bzip2 })
        );
        return Ok(());
    }
    if let (Some(mean), Some(of_bzip2)) = (mean, mean_of_bzip2) {
        println!(
            "geometric mean of {} files of 1,000 messages and more: {:.3} % of the JSON, {of_bzip2:.3} of bzip2 -9 of the whole file",
            shares.len(),
            mean * 100.0
        );
    }
    tables(&all, &fixed.unwrap_or_else(Model::shipped));
    Ok(())
}

/// Where the bits of deltas go.
fn tables(counts: &Counts, model: &Model) {
    let mut costs = counts.costs(model);
    let total: f64 = costs.iter().map(|cost| cost.bits + cost.raw_bits).sum();
    costs.sort_by(|a, b| (b.bits + b.raw_bits).total_cmp(&(a.bits + a.raw_bits)));
    println!("\nwhere the bits go (model {}; raw bits are counted with the symbol before them)", model.id());
    println!("{:16} {:>7} {:>12} {:>12} {:>12}", "table", "share", "symbols", "bits each", "raw each");
    for cost in costs.iter().take(TABLES_SHOWN) {
        let symbols = cost.symbols.max(1.0);
        println!(
            "{:16} {:6.1}% {:12.0} {:12.2} {:12.2}",
            cost.table,
            (cost.bits + cost.raw_bits) / total * 100.0,
            cost.symbols,
            cost.bits / symbols,
            cost.raw_bits / symbols
        );
    }
}

fn open(path: &Path) -> anyhow::Result<Model> {
    let bytes = fs::read(path)
        .with_context(|| format!("cannot read {} (or say `shipped` or `held-out`)", path.display()))?;
    Model::from_bytes(bytes.into()).with_context(|| format!("{} is no model", path.display()))
}
