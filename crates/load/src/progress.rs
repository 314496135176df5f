//! How a run is getting on, once per second.

use std::{fmt, time::Duration};

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The markets are published for the first time.
    Publishing,
    /// One receiver looks at what there is.
    Scouting,
    /// The receivers connect.
    Connecting,
    /// Everything runs and nothing is measured yet.
    WarmingUp,
    /// Of so many rounds this one is measured, counted from 1.
    Measuring {
        /// Which one.
        round: u32,
        /// Of how many.
        rounds: u32,
    },
    /// Nothing is published any more; receivers come to hold the last state.
    Settling,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publishing => f.write_str("publishing"),
            Self::Scouting => f.write_str("scouting"),
            Self::Connecting => f.write_str("connecting"),
            Self::WarmingUp => f.write_str("warming up"),
            Self::Measuring { round: 1, rounds: 1 } => f.write_str("measuring"),
            Self::Measuring { round, rounds } => write!(f, "round {round}/{rounds}"),
            Self::Settling => f.write_str("settling"),
        }
    }
}

/// The last second of a run.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// What it is doing.
    pub stage: Stage,
    /// Since the begin of the run.
    pub elapsed: Duration,
    /// Receivers there will be.
    pub connections: usize,
    /// Those with an open connection.
    pub open: usize,
    /// Those that have everything, of those that read.
    pub fresh: usize,
    /// Frames received per second.
    pub frames_per_s: f64,
    /// Market changes received per second.
    pub updates_per_s: f64,
    /// Bytes received per second.
    pub bytes_per_s: f64,
    /// Commit to applied, the median of this second.
    pub latency_p50_us: Option<u64>,
    /// Commit to applied, 99 % of this second.
    pub latency_p99_us: Option<u64>,
    /// CPU time of the server per time, in percent of one processor.
    pub server_cpu_percent: Option<f64>,
    /// Gaps, mismatches and other things that no right server brings about, since the begin.
    pub faults: u64,
    /// Receivers that are not back from a storm.
    pub in_storm: usize,
    /// Share of time in which the busiest thread of receivers had something to do, in percent.
    pub busy_percent: f64,
}
