//! What a run has found out.

use serde::Serialize;

use crate::tally::{Counts, Distribution};

/// The result of a run. Names are stable; units stand last.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Whether every check has passed.
    pub ok: bool,
    /// What is wrong with what was received. The command's exit code follows from it.
    pub failures: Vec<String>,
    /// What makes figures doubtful.
    pub warnings: Vec<String>,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
    /// What was asked for.
    pub load: Load,
    /// The receivers.
    pub connections: Connections,
    /// What was published here, if anything.
    pub publisher: Option<PublisherFigures>,
    /// How times were measured.
    pub latency_clock: LatencyClock,
    /// All rounds together.
    pub total: Round,
    /// Each round.
    pub rounds: Vec<Round>,
    /// Reconnect storms, in order.
    pub storms: Vec<StormFigures>,
    /// The server's process, if its number was given.
    pub server: Option<ServerFigures>,
    /// This process.
    pub client: ClientFigures,
    /// What was checked.
    pub verification: Verification,
    /// What the server said when it refused or closed, and how often.
    pub server_said: Vec<Said>,
}

/// What was asked for.
#[derive(Debug, Clone, Serialize)]
pub struct Load {
    /// The gateway.
    pub url: String,
    /// Views, rates and shares.
    pub mix: String,
    /// How cells may be coded: compact or plain.
    pub encoding: &'static str,
    /// Markets that the scout saw.
    pub markets: usize,
    /// Markets that each receiver follows.
    pub markets_each: usize,
    /// What everything left to chance follows from.
    pub seed: u64,
}

/// The receivers.
#[derive(Debug, Clone, Serialize)]
pub struct Connections {
    /// How many there were to be.
    pub wanted: usize,
    /// How many had everything before the measurement began.
    pub served: usize,
    /// Of these so many hold every market and compare digests.
    pub verifiers: usize,
    /// So many read slowly.
    pub slow: usize,
    /// So many stop reading.
    pub stuck: usize,
    /// From the first attempt to connect until everything was there, while all connected.
    pub synced: Distribution,
}

/// How times were measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LatencyClock {
    /// From handing a commit to the producer here until a receiver here has applied it, on one monotonic clock.
    Commit,
    /// From the producer's time in the frame, in steps of 10 ms, until it was applied, on the wall clocks of two
    /// machines.
    Frame,
}

/// What was published.
#[derive(Debug, Clone, Serialize)]
pub struct PublisherFigures {
    /// Markets in the beginning.
    pub markets: usize,
    /// Commits in the measured time.
    pub commits: u64,
    /// Changes of markets in them.
    pub updates: u64,
    /// Changes per second.
    pub updates_per_s: f64,
    /// Markets suspended and reopened.
    pub suspends: u64,
    /// Commits whose time was given up because the publisher or the server was too slow.
    pub skipped: u64,
    /// Changes that were not measured because somebody else commits on the same server.
    pub unmeasured: u64,
    /// From handing over to the acknowledgement.
    pub acknowledged: Distribution,
}

/// A measurement.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Round {
    /// How long it took.
    pub duration_s: f64,
    /// What was counted.
    pub counts: Counts,
    /// Frames received per second.
    pub frames_per_s: f64,
    /// Market changes received per second.
    pub updates_per_s: f64,
    /// Bytes received per second, with WebSocket headers.
    pub bytes_per_s: f64,
    /// Commit to applied, over all light receivers that read as fast as they can.
    pub latency: Distribution,
    /// The same for each kind of the mix.
    pub latency_by_kind: Vec<KindLatency>,
    /// The same for status changes alone.
    pub status_latency: Distribution,
    /// The same for the verifiers that read as fast as they can. They share a thread in which every change is decoded for
    /// each of them, so they are later than a receiver with a processor of its own.
    pub verifier_latency: Distribution,
    /// The same for the receivers that read slowly, all changes.
    pub slow_latency: Distribution,
    /// From a new attempt to connect until everything is there, after churn, storms and losses.
    pub resynced: Distribution,
    /// CPU time of the server, user and system, all threads.
    pub server_cpu_s: Option<f64>,
    /// The same per frame delivered.
    pub server_cpu_per_frame_us: Option<f64>,
    /// The same per market change delivered.
    pub server_cpu_per_update_us: Option<f64>,
    /// CPU time of this process, publisher included.
    pub client_cpu_s: Option<f64>,
    /// Share of time in which the busiest thread of light receivers had something to do, in percent.
    pub client_busy_percent: f64,
    /// The same for the verifiers' thread.
    pub verifiers_busy_percent: f64,
}

/// A kind of receivers, and how late they were.
#[derive(Debug, Clone, Serialize)]
pub struct KindLatency {
    /// `view@rate_ms`.
    pub kind: String,
    /// Commit to applied.
    pub latency: Distribution,
}

/// Everybody was cut at once.
#[derive(Debug, Clone, Serialize)]
pub struct StormFigures {
    /// In this round, counted from 1.
    pub round: u32,
    /// So long after its begin.
    pub at_s: f64,
    /// Receivers cut, slow and stuck ones left out.
    pub cut: usize,
    /// Those that have not come back in the time that there was.
    pub missing: usize,
    /// Time from the cut until half of them had everything that anybody held at the cut. Absent when they never had.
    pub fresh_50_percent_ms: Option<f64>,
    /// The same for 90 %.
    pub fresh_90_percent_ms: Option<f64>,
    /// The same for 99 %.
    pub fresh_99_percent_ms: Option<f64>,
    /// The same for all.
    pub fresh_100_percent_ms: Option<f64>,
}

/// The server's process.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ServerFigures {
    /// Its number.
    pub pid: u32,
    /// Resident memory before anybody but the scout was connected.
    pub rss_before_bytes: u64,
    /// Resident memory with everybody connected.
    pub rss_connected_bytes: u64,
    /// Resident memory at the end of the measurement.
    pub rss_after_bytes: u64,
    /// What each receiver added; 0 when the process gave memory back meanwhile.
    pub rss_per_connection_bytes: u64,
}

/// This process.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct ClientFigures {
    /// What each light receiver added to the resident memory.
    pub rss_per_connection_bytes: u64,
    /// What each verifier added.
    pub rss_per_verifier_bytes: u64,
    /// Resident memory at the end.
    pub rss_after_bytes: u64,
}

/// What was checked.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Verification {
    /// Digests that verifiers compared, since the begin of the run.
    pub digests_checked: u64,
    /// Those that did not agree.
    pub digest_mismatches: u64,
    /// Frames that did not follow, at any receiver.
    pub gaps: u64,
    /// Messages that broke the protocol.
    pub malformed: u64,
    /// Pieces that verifiers could not apply.
    pub misfits: u64,
    /// Verifiers whose last state was compared with the scout's, market by market.
    pub end_states_compared: usize,
    /// Those that could not be compared, because the feed did not stand still.
    pub end_states_not_compared: usize,
    /// Markets that differed.
    pub end_state_differences: u64,
    /// Markets of the scout that were compared with what was published here.
    pub published_markets_compared: usize,
}

/// A sentence of the server.
#[derive(Debug, Clone, Serialize)]
pub struct Said {
    /// What it said.
    pub sentence: String,
    /// How often.
    pub count: u64,
}
