//! `oddswire replay`: publishing recordings.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use clap::Args;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use oddswire_feeds::betfair::Recording;
use oddswire_ingest::{Producer, ProducerClientError, ProducerConfig, RefusedCommit};
use oddswire_model::{Commit, Revision};
use tokio::{
    sync::mpsc,
    time::{Instant as TokioInstant, sleep_until},
};

use super::{
    logging,
    pace::{Pace, Speed},
    shutdown::Shutdown,
};

/// Commits read ahead of publishing.
const READ_AHEAD: usize = 256;
/// Refusals that are printed; those after them are counted.
const REFUSALS_SHOWN: u64 = 10;
/// How often the progress bar is brought up to date, at most.
const REDRAW_EVERY: Duration = Duration::from_millis(100);

/// Publish recordings to a server over gRPC.
#[derive(Debug, Args)]
#[command(
    long_about = "Reads Betfair Exchange Stream recordings (plain, bzip2 or gzip; one JSON message a line) and publishes \
                  them, one after the other, as fast as the server takes them, at the speed at which they were recorded, or at \
                  any multiple of it.\n\n\
                  The server is told that it is a recording: its markets keep their last prices when it has ended, and \
                  receivers are told how old they are.",
    after_help = "Examples:\n  \
                  oddswire replay match.bz2 --to http://127.0.0.1:7410 --speed 1\n  \
                  oddswire replay day/*.bz2 --to 10.0.0.5:7410 --speed 60\n  \
                  oddswire replay match.bz2 --to http://127.0.0.1:7410 --producer load-test"
)]
pub(super) struct Arguments {
    /// The recordings, in the order in which to publish them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where the server takes commits, for example http://127.0.0.1:7410.
    #[arg(long, value_name = "URL")]
    to: String,
    /// How many times faster than recorded: 1, 10, any number, or max for as fast as the server takes it.
    #[arg(long, default_value = "max")]
    speed: Speed,
    /// Name of the producer; two that publish at the same time need different ones.
    #[arg(long, default_value = "replay")]
    producer: String,
}

/// What the reading thread hands over.
struct Read {
    commit: Commit,
    /// Bytes taken from all files so far, as packed.
    bytes: u64,
}

/// Runs the subcommand.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    logging::start("warn")?;
    let mut shutdown = Shutdown::listen()?;
    let mut total = 0;
    let mut recordings = Vec::new();
    for file in &arguments.files {
        let recording = Recording::open(file)?;
        total += recording.total_bytes();
        recordings.push((file.clone(), recording));
    }
    let mut config = ProducerConfig::new(&arguments.to, &arguments.producer, start_number());
    config.recorded = true;
    let producer = Producer::connect(config).await?;
    let (sender, commits) = mpsc::channel(READ_AHEAD);
    let reading = tokio::task::spawn_blocking(move || read(recordings, &sender));
    let mut replay = Replay::new(producer, arguments.speed, total);
    let finished = tokio::select! {
        published = replay.publish(commits) => published.map(|()| true),
        () = shutdown.next() => Ok(false),
    };
    replay.bar.finish_and_clear();
    let finished = finished?;
    if finished {
        reading.await.context("the reading thread has failed")??;
    } else {
        eprintln!("stopped before the end");
    }
    let producer = replay.finish().await?;
    producer.close().await?;
    Ok(())
}

/// Grows with every start of the process, as a producer's epoch must.
pub(super) fn start_number() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

/// Reads the recordings on a thread of its own, because unpacking takes time. Ends early when nobody takes the commits.
fn read(recordings: Vec<(PathBuf, Recording)>, commits: &mpsc::Sender<Read>) -> anyhow::Result<()> {
    let mut bytes_before = 0;
    for (path, recording) in recordings {
        let mut read = recording.commits();
        while let Some(commit) = read.next() {
            let bytes = bytes_before + read.recording().bytes_read();
            if commits.blocking_send(Read { commit: commit?, bytes }).is_err() {
                return Ok(());
            }
        }
        bytes_before += read.recording().total_bytes();
        report_skipped(&path, &read);
    }
    Ok(())
}

fn report_skipped(path: &Path, read: &oddswire_feeds::betfair::Commits) {
    let stats = read.stats();
    if stats.malformed_lines > 0 {
        eprintln!(
            "{}: {} lines are not stream messages and were skipped",
            path.display(),
            stats.malformed_lines
        );
        if let Some(first) = read.recording().first_malformed() {
            eprintln!("  the first: {first}");
        }
    }
    if stats.skipped_values > 0 {
        eprintln!("{}: {} values make no sense and were left out", path.display(), stats.skipped_values);
    }
    if stats.truncated > 0 {
        eprintln!(
            "{}: the file ends in the middle of a message; everything before it was used",
            path.display()
        );
    }
}

struct Replay {
    producer: Producer,
    pace: Pace,
    bar: ProgressBar,
    started: Instant,
    drawn: Option<Instant>,
    commits: u64,
    /// Refusals that were printed or counted so far.
    refused: u64,
}

impl Replay {
    fn new(producer: Producer, speed: Speed, total_bytes: u64) -> Self {
        let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}  {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(total_bytes), ProgressDrawTarget::stderr());
        bar.set_style(style);
        let pace = Pace::new(speed, None);
        Self { producer, pace, bar, started: Instant::now(), drawn: None, commits: 0, refused: 0 }
    }

    async fn publish(&mut self, mut commits: mpsc::Receiver<Read>) -> anyhow::Result<()> {
        while let Some(Read { commit, bytes }) = commits.recv().await {
            let now = TokioInstant::now();
            let (due, _) = self.pace.due(commit.published_ms, now);
            if due > now {
                self.draw(bytes, &commit, true);
                sleep_until(due).await;
            }
            match self.producer.publish(&commit).await {
                Ok(_) => self.commits += 1,
                Err(ProducerClientError::ImagesNeeded(needed)) => {
                    anyhow::bail!(
                        "{needed}: a recording cannot say everything again from the middle; start the replay anew"
                    )
                }
                Err(error @ ProducerClientError::TooLarge { .. }) => {
                    self.bar.suspend(|| eprintln!("left out: {error}"));
                    self.refused += 1;
                }
                Err(error) => return Err(error.into()),
            }
            self.report_refusals();
            self.draw(bytes, &commit, false);
        }
        Ok(())
    }

    fn report_refusals(&mut self) {
        for refusal in self.producer.take_refusals() {
            self.refused += 1;
            if self.refused <= REFUSALS_SHOWN {
                let RefusedCommit { market, field, reason, sequence } = refusal;
                self.bar.suspend(|| {
                    eprintln!("refused: commit {sequence}, market {market}, field {field}: {reason}");
                });
            }
        }
    }

    fn draw(&mut self, bytes: u64, commit: &Commit, now: bool) {
        if !now && self.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW_EVERY) {
            return;
        }
        self.drawn = Some(Instant::now());
        self.bar.set_position(bytes);
        let rate = self.commits as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        self.bar.set_message(format!(
            "{} commits, {rate:.0}/s, market time {}",
            HumanCount(self.commits),
            utc(commit.published_ms)
        ));
    }

    /// Waits until the server has taken everything, and says how it went.
    async fn finish(mut self) -> anyhow::Result<Producer> {
        let revision = self.producer.flush().await?;
        self.report_refusals();
        let refused = self.refused.max(self.producer.refused());
        let seconds = self.started.elapsed().as_secs_f64();
        if refused > REFUSALS_SHOWN {
            eprintln!("refused: {} more", refused - REFUSALS_SHOWN);
        }
        println!("{}", summary(self.commits, refused, seconds, revision));
        Ok(self.producer)
    }
}

fn summary(commits: u64, refused: u64, seconds: f64, revision: Revision) -> String {
    let rate = commits as f64 / seconds.max(0.001);
    format!(
        "{commits} commits, {refused} refused, {seconds:.1} s, {rate:.0} commits/s, last revision {revision}"
    )
}

/// A time as ISO 8601, to the second.
pub(super) fn utc(ms: u64) -> String {
    let (days, second) = (ms / 86_400_000, ms / 1_000 % 86_400);
    // Days to a date, after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": eras of 400 years that
    // begin on 1 March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        assert_eq!(utc(0), "1970-01-01 00:00:00");
        assert_eq!(utc(951_782_399_000), "2000-02-28 23:59:59");
        assert_eq!(utc(951_782_400_000), "2000-02-29 00:00:00");
        assert_eq!(utc(1_768_046_400_000), "2026-01-10 12:00:00");
    }

    #[test]
    fn the_summary_has_all_figures() {
        let line = summary(100, 2, 4.0, Revision(98));
        assert_eq!(line, "100 commits, 2 refused, 4.0 s, 25 commits/s, last revision r98");
    }
}
