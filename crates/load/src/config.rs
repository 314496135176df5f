//! What a load is.

use std::time::Duration;

use oddswire_model::Topic;
use oddswire_wire::piece::Encoding;

use crate::mix::Mix;

/// Most topics of all subscribes of one connection: a gateway takes a burst of 50 messages, and one of them is the
/// hello.
pub const MARKETS_EACH_MAX: usize = 40 * oddswire_wire::limits::TOPICS_MAX;

/// A load. [`LoadConfig::new`] has the defaults.
#[derive(Debug, Clone)]
pub struct LoadConfig {
    /// The gateway, `ws://host:port`.
    pub url: String,
    /// How many receivers.
    pub connections: usize,
    /// New connections per second, until all are there.
    pub connect_rate: u32,
    /// Threads that the light receivers share. The verifiers have one of their own.
    pub threads: usize,
    /// Views, rates and their shares.
    pub mix: Mix,
    /// How cells may be coded: compact as for real clients, or plain.
    pub encoding: Encoding,
    /// What each receiver subscribes to. Empty: what is published here, or everything.
    pub topics: Vec<Topic>,
    /// Each receiver follows so many of the markets instead, chosen by the seed.
    pub markets_each: Option<usize>,
    /// Share of receivers that read slowly, 0 to 1.
    pub slow_share: f64,
    /// How many bytes a slow receiver reads per second, once it has had everything for the first time.
    pub slow_bytes_per_s: u32,
    /// Share of receivers that stop reading once they have had everything, 0 to 1.
    pub stuck_share: f64,
    /// Share of receivers that hold every market and compare digests, 0 to 1; at least one of each kind of the mix.
    /// `None`: 5 %, and no more than [`VERIFIERS_MAX`].
    pub verify_share: Option<f64>,
    /// Receivers that are cut and come back, per second.
    pub churn_per_s: f64,
    /// Moments after the begin of each round at which everybody is cut at once.
    pub storm_at: Vec<Duration>,
    /// A receiver waits between 0 and this before it connects again; the ceiling doubles when that fails.
    pub reconnect_within: Duration,
    /// Come back without a cursor, as new receivers would.
    pub forget_cursors: bool,
    /// How long to run before measuring.
    pub warmup: Duration,
    /// How long to measure, in each round.
    pub duration: Duration,
    /// How often to measure.
    pub rounds: u32,
    /// How long receivers may take to hold the last state when the publisher has stopped.
    pub settle: Duration,
    /// Everything that is left to chance follows from it.
    pub seed: u64,
    /// A process whose CPU time and memory are told.
    pub server_pid: Option<u32>,
    /// Publish, too.
    pub publish: Option<PublishConfig>,
}

/// What is published.
#[derive(Debug, Clone)]
pub struct PublishConfig {
    /// Where the server takes commits, `http://host:port`.
    pub url: String,
    /// About so many simulated markets.
    pub markets: usize,
    /// Changes per market and second, on average.
    pub rate: f64,
    /// How often a market is suspended and reopened.
    pub suspend_every: Option<Duration>,
}

/// Most verifiers unless a share is asked for: each holds every market that it follows and applies every change, which
/// is what makes them dear.
pub const VERIFIERS_MAX: usize = 50;
/// The default of [`LoadConfig::verify_share`].
pub const VERIFY_SHARE: f64 = 0.05;

impl LoadConfig {
    /// 1,000 receivers of everything for 30 s.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connections: 1_000,
            connect_rate: 1_000,
            threads: 1,
            mix: Mix::default(),
            encoding: Encoding::Compact,
            topics: Vec::new(),
            markets_each: None,
            slow_share: 0.0,
            slow_bytes_per_s: 4_096,
            stuck_share: 0.0,
            verify_share: None,
            churn_per_s: 0.0,
            storm_at: Vec::new(),
            reconnect_within: Duration::from_millis(oddswire_session::Backoff::FIRST_MS),
            forget_cursors: false,
            warmup: Duration::from_secs(2),
            duration: Duration::from_secs(30),
            rounds: 1,
            settle: Duration::from_secs(10),
            seed: 1,
            server_pid: None,
            publish: None,
        }
    }

    /// Checks what no type can say.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let share = |name: &str, share: f64| {
            anyhow::ensure!((0.0..=1.0).contains(&share), "{name} is a share, from 0 % to 100 %");
            Ok(())
        };
        share("--slow-share", self.slow_share)?;
        share("--stuck-share", self.stuck_share)?;
        share("--verify-share", self.verify_share.unwrap_or(0.0))?;
        let kinds = self.mix.entries().len();
        anyhow::ensure!(
            self.connections >= kinds,
            "{} connections cannot be of {kinds} kinds; ask for more --connections or a shorter --mix",
            self.connections
        );
        anyhow::ensure!(
            self.slow_share + self.stuck_share < 1.0,
            "somebody must read; --slow-share and --stuck-share together must stay below 100 %"
        );
        anyhow::ensure!((1..=64).contains(&self.threads), "--threads is 1 to 64");
        anyhow::ensure!(self.connect_rate > 0, "--connect-rate is at least 1 per second");
        anyhow::ensure!(self.rounds > 0 && !self.duration.is_zero(), "measure for some time, at least once");
        anyhow::ensure!((0.0..=1e6).contains(&self.churn_per_s), "--churn is 0 to 1000000 per second");
        if let Some(each) = self.markets_each {
            anyhow::ensure!(
                (1..=MARKETS_EACH_MAX).contains(&each),
                "--markets-each is 1 to {MARKETS_EACH_MAX}"
            );
        }
        if let Some(late) = self.storm_at.iter().find(|&&at| at >= self.duration) {
            anyhow::bail!("a storm at {late:?} is after the end; make --duration longer than that");
        }
        if let Some(publish) = &self.publish {
            anyhow::ensure!((1..=20_000).contains(&publish.markets), "--publish-markets is 1 to 20000");
            let total = publish.markets as f64 * publish.rate;
            anyhow::ensure!(
                publish.rate > 0.0 && total <= 200_000.0,
                "--publish-rate is above 0, and at most 200000 changes per second over all markets"
            );
        }
        Ok(())
    }

    /// How many receivers verify.
    pub(crate) fn verifiers(&self) -> usize {
        let share = |share: f64| (self.connections as f64 * share).round() as usize;
        let wanted = self.verify_share.map_or_else(|| share(VERIFY_SHARE).min(VERIFIERS_MAX), share);
        wanted.max(self.mix.entries().len()).min(self.connections)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_verifier_of_each_kind_at_least_and_few_by_default() {
        let verifiers = |connections, verify_share| {
            LoadConfig { connections, verify_share, ..LoadConfig::new("ws://a") }.verifiers()
        };
        assert_eq!([3, 200, 1_000, 100_000].map(|count| verifiers(count, None)), [3, 10, 50, 50]);
        assert_eq!(verifiers(10_000, Some(0.5)), 5_000);
        assert_eq!(verifiers(10_000, Some(0.0)), 3);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let good = LoadConfig::new("ws://a");
        good.check().unwrap();
        let second = Duration::from_secs(1);
        for (wrong, hint) in [
            (LoadConfig { slow_share: 1.5, ..good.clone() }, "--slow-share"),
            (LoadConfig { slow_share: 0.5, stuck_share: 0.5, ..good.clone() }, "must read"),
            (LoadConfig { connections: 2, ..good.clone() }, "--connections"),
            (LoadConfig { storm_at: vec![second], duration: second, ..good.clone() }, "--duration"),
            (LoadConfig { markets_each: Some(MARKETS_EACH_MAX + 1), ..good.clone() }, "--markets-each"),
        ] {
            assert!(wrong.check().unwrap_err().to_string().contains(hint), "{hint}");
        }
    }
}
