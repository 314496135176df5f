//! The demo's feed: a simulation or a recording, through the real producer.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use oddswire_feeds::{
    betfair::Recording,
    simulator::{Simulator, SimulatorConfig},
};
use oddswire_ingest::{Producer, ProducerClientError, ProducerConfig};
use oddswire_model::{Commit, Revision};
use tokio::{
    sync::mpsc,
    time::{Instant as TokioInstant, sleep_until},
};

use super::{commit_json, figures::Shared};
use crate::command::{
    pace::{Pace, Speed},
    replay::start_number,
};

/// Commits read ahead of publishing.
const READ_AHEAD: usize = 64;
/// Recordings are quiet for minutes; somebody who looks at a board is not that patient.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// A demo that was stopped with Ctrl-Z for a moment should go on, so its promise is not as strict as a trading feed's.
const PROMISED_INTERVAL_MS: u32 = 10_000;
/// After so many commits the server is asked at which revision it is.
const ASK_EVERY: u64 = 500;
/// Markets of one fixture of each sport, and how often each sport stands among ten fixtures.
const MARKETS_PER_SPORT: [(usize, usize); 3] = [(5, 6), (3, 3), (2, 1)];

/// Where commits come from.
#[derive(Debug)]
pub(super) enum Source {
    /// Simulated matches.
    Simulator(SimulatorConfig),
    /// A recording.
    Recording(PathBuf, Box<Recording>),
}

impl Source {
    /// A simulation of about so many markets, from now on.
    pub(super) fn simulator(seed: u64, markets: Option<usize>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut config =
            SimulatorConfig { seed, start_ms: now.as_millis() as u64, ..SimulatorConfig::default() };
        if let Some(markets) = markets {
            let per_ten: usize = MARKETS_PER_SPORT.iter().map(|(markets, share)| markets * share).sum();
            let count = |share: usize| (markets * share).div_ceil(per_ten);
            config.football = count(MARKETS_PER_SPORT[0].1);
            config.tennis = count(MARKETS_PER_SPORT[1].1);
            config.racing = count(MARKETS_PER_SPORT[2].1);
        }
        Self::Simulator(config)
    }

    /// A recording.
    pub(super) fn recording(path: &Path) -> anyhow::Result<Self> {
        Ok(Self::Recording(path.to_owned(), Box::new(Recording::open(path)?)))
    }

    /// What it is, in words.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Simulator(config) => format!("simulated matches, seed {}", config.seed),
            Self::Recording(path, _) => {
                format!("recording {}", path.file_name().unwrap_or(path.as_os_str()).to_string_lossy())
            }
        }
    }

    fn longest_wait(&self) -> Option<Duration> {
        matches!(self, Self::Recording(..)).then_some(LONGEST_WAIT)
    }

    /// Makes commits until nobody takes them. The weight as JSON is found here, on this thread, because it takes longer
    /// than everything else.
    fn run(self, commits: &mpsc::Sender<(Commit, u64)>) -> anyhow::Result<()> {
        let weighed = |commit: Commit| {
            let bytes = commit_json::bytes(&commit);
            (commit, bytes)
        };
        match self {
            Self::Simulator(config) => {
                for commit in Simulator::new(config) {
                    if commits.blocking_send(weighed(commit)).is_err() {
                        break;
                    }
                }
            }
            Self::Recording(_, recording) => {
                for commit in recording.commits() {
                    if commits.blocking_send(weighed(commit?)).is_err() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Publishes a source at a speed, to its end. What happens is told in the figures.
pub(super) async fn run(source: Source, speed: Speed, grpc: String, figures: Shared) -> anyhow::Result<()> {
    let mut config = ProducerConfig::new(grpc, "demo", start_number());
    config.interval_ms = PROMISED_INTERVAL_MS;
    let mut producer = Producer::connect(config).await?;
    let mut pace = Pace::new(speed, source.longest_wait());
    let (sender, mut commits) = mpsc::channel(READ_AHEAD);
    let reading = std::thread::spawn(move || source.run(&sender));
    let mut revision = Revision(0);
    while let Some((commit, json_bytes)) = commits.recv().await {
        let now = TokioInstant::now();
        let (due, passed_over) = pace.due(commit.published_ms, now);
        if let Some(ms) = passed_over {
            figures.lock().notice(format!("nothing happened for {} of market time; passed over", span(ms)));
        }
        if due > now {
            sleep_until(due).await;
        }
        // Nobody else publishes, so the revision is known before the server says it. Now and then the server takes one
        // itself, to forget settled markets, so it is asked.
        revision = revision.next();
        figures.lock().sent(&commit, revision, json_bytes, Instant::now());
        match producer.publish(&commit).await {
            Ok(sequence) if sequence.is_multiple_of(ASK_EVERY) => revision = producer.flush().await?,
            Ok(_) => {}
            Err(ProducerClientError::ImagesNeeded(_)) => {
                let text =
                    "the feed was silent for too long, so its markets are held; was the process stopped?";
                figures.lock().notice(format!("{text} Start the demo again."));
                return Ok(());
            }
            Err(error @ ProducerClientError::TooLarge { .. }) => figures.lock().notice(error.to_string()),
            Err(error) => return Err(error.into()),
        }
        figures.lock().refused = producer.refused();
    }
    let ended = reading.join().map_err(|_| anyhow::anyhow!("the thread that reads the feed has failed"))?;
    figures.lock().notice(match ended {
        Ok(()) => "the recording has ended; the board stays as it is".to_owned(),
        Err(error) => format!("the recording ends early: {error:#}"),
    });
    producer.flush().await?;
    figures.lock().refused = producer.refused();
    // The producer goes on to vouch for the prices, or the board would read suspended.
    std::future::pending().await
}

/// A time in words.
fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_as_many_markets_as_asked_for_are_simulated() {
        for markets in [1, 10, 100, 1_000] {
            let Source::Simulator(config) = Source::simulator(1, Some(markets)) else { panic!() };
            let made = config.football * 5 + config.tennis * 3 + config.racing * 2;
            assert!(made >= markets && made <= markets + 10, "{markets}: {made}");
        }
    }

    #[test]
    fn spans_are_words() {
        assert_eq!(span(5_000), "5 s");
        assert_eq!(span(180_000), "3 min");
        assert_eq!(span(3 * 3_600_000 + 60_000), "3 h 1 min");
    }
}
