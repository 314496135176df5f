//! What clients see, and how they report it [TEL-1].

use oddswire_wire::{
    limits::{DELAY_BOUNDS_MS, REPORT_COUNT_MAX, REPORT_DELAY_MS_MAX},
    proto,
};

/// How often a client reports, in the middle.
pub const REPORT_INTERVAL_MS: u64 = 30_000;
/// A new connection's first report comes within this time: after a crowd has come back, it tells soon how that went.
const FIRST_REPORT_WITHIN_MS: u64 = 10_000;
/// Buckets of [`Delays`].
pub const DELAY_BUCKETS: usize = DELAY_BOUNDS_MS.len() + 1;

/// How long to wait before a report, so that a crowd does not report at once: evenly drawn from half an interval to one
/// and a half, for the first report of a connection from nothing to ten seconds. `random` is any number.
pub fn next_report_ms(interval_ms: u64, is_first: bool, random: u64) -> u64 {
    let (from_ms, width_ms) = match is_first {
        true => (0, interval_ms.min(FIRST_REPORT_WITHIN_MS)),
        false => (interval_ms / 2, interval_ms),
    };
    from_ms + random % (width_ms + 1)
}

/// What clients have seen: one of them since it was made or since its last report, or all that a gateway has heard of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Telemetry {
    /// Connections made.
    pub connections: u64,
    /// Attempts to connect that came to nothing.
    pub failed_attempts: u64,
    /// Connections that ended and had to be made again, in the order of [`ReconnectCause::ALL`].
    pub reconnects: [u64; ReconnectCause::ALL.len()],
    /// Subscriptions that were resumed with a catch-up.
    pub resumes: u64,
    /// Times that frames were lost.
    pub gaps: u64,
    /// Markets that were asked for again.
    pub resyncs: u64,
    /// Digests that did not agree.
    pub digest_mismatches: u64,
    /// Frames that could not be used and ended the connection.
    pub frames_refused: u64,
    /// From publishing to applying, of each frame with changes.
    pub apply_delay: Delays,
    /// How long prices were not live, each time that they stopped being live.
    pub staleness: Delays,
}

/// A histogram of delays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delays {
    /// How many were at most as long as each of [`DELAY_BOUNDS_MS`] and longer than the one before; the last count is
    /// of those beyond all bounds.
    pub counts: [u64; DELAY_BUCKETS],
    /// All of them together, none counted as longer than an hour.
    pub sum_ms: u64,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReconnectCause {
    /// Anything else, causes of later versions included.
    Other,
    /// The line broke, or the other end hung up without a word.
    Network,
    /// The gateway was silent for too long.
    Silence,
    /// A machine that had slept found it dead, or another network took its place.
    Wake,
    /// The gateway closed it without an error.
    Closed,
    /// The gateway asked to move.
    Drain,
    /// The gateway ended it with an error.
    Error,
    /// What came could not be used.
    Frame,
    /// The application wanted it so.
    Application,
}

impl ReconnectCause {
    /// All causes, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Other,
        Self::Network,
        Self::Silence,
        Self::Wake,
        Self::Closed,
        Self::Drain,
        Self::Error,
        Self::Frame,
        Self::Application,
    ];

    /// A word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Network => "network",
            Self::Silence => "silence",
            Self::Wake => "wake",
            Self::Closed => "closed",
            Self::Drain => "drain",
            Self::Error => "error",
            Self::Frame => "frame",
            Self::Application => "application",
        }
    }
}

/// Why a report is not counted. The client is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TelemetryError {
    /// A number is too large.
    #[error(
        "a report holds {0}, and no number in it is above {REPORT_COUNT_MAX}; leave the rest for the next report"
    )]
    TooMany(u32),
    /// There is no such bucket.
    #[error("a report names bucket {0}, and there are {DELAY_BUCKETS}")]
    UnknownBucket(u32),
    /// Pairs that are none, or out of order.
    #[error("a report's pairs are a place and a count each, with ascending places")]
    Pairs,
}

impl Telemetry {
    /// Adds what somebody else has seen.
    pub fn add(&mut self, other: &Self) {
        self.each(other, |sum, more| *sum = sum.saturating_add(more));
    }

    /// The report of what was seen since `reported`, which is moved on by what the report holds; `None` when there is
    /// nothing to tell. What is more than a report may hold is left for the next one.
    pub fn report(&self, reported: &mut Self) -> Option<proto::Telemetry> {
        let mut fresh = *self;
        fresh.each(reported, |seen, before| {
            *seen = seen.saturating_sub(before).min(u64::from(REPORT_COUNT_MAX));
        });
        for (fresh, (seen, before)) in [
            (&mut fresh.apply_delay, (self.apply_delay, reported.apply_delay)),
            (&mut fresh.staleness, (self.staleness, reported.staleness)),
        ] {
            fresh.sum_ms = seen.sum_ms.saturating_sub(before.sum_ms);
        }
        if fresh == Self::default() {
            return None;
        }
        reported.add(&fresh);
        Some(fresh.to_proto())
    }

    fn each(&mut self, other: &Self, mut merge: impl FnMut(&mut u64, u64)) {
        merge(&mut self.connections, other.connections);
        merge(&mut self.failed_attempts, other.failed_attempts);
        for (own, other) in self.reconnects.iter_mut().zip(other.reconnects) {
            merge(own, other);
        }
        merge(&mut self.resumes, other.resumes);
        merge(&mut self.gaps, other.gaps);
        merge(&mut self.resyncs, other.resyncs);
        merge(&mut self.digest_mismatches, other.digest_mismatches);
        merge(&mut self.frames_refused, other.frames_refused);
        for (own, other) in
            [(&mut self.apply_delay, &other.apply_delay), (&mut self.staleness, &other.staleness)]
        {
            for (own, other) in own.counts.iter_mut().zip(other.counts) {
                merge(own, other);
            }
            merge(&mut own.sum_ms, other.sum_ms);
        }
    }

    fn to_proto(self) -> proto::Telemetry {
        let delays = |delays: Delays| {
            (delays != Delays::default())
                .then(|| proto::Delays { counts: pairs(&delays.counts), sum_ms: delays.sum_ms })
        };
        proto::Telemetry {
            connections: self.connections as u32,
            failed_attempts: self.failed_attempts as u32,
            reconnects: pairs(&self.reconnects),
            resumes: self.resumes as u32,
            gaps: self.gaps as u32,
            resyncs: self.resyncs as u32,
            digest_mismatches: self.digest_mismatches as u32,
            frames_refused: self.frames_refused as u32,
            apply_delay: delays(self.apply_delay),
            staleness: delays(self.staleness),
        }
    }
}

impl TryFrom<&proto::Telemetry> for Telemetry {
    type Error = TelemetryError;

    /// Holds a report to the protocol's limits, so that a client can spoil its own figures and no more.
    fn try_from(report: &proto::Telemetry) -> Result<Self, TelemetryError> {
        let mut reconnects = [0; ReconnectCause::ALL.len()];
        for (cause, count) in checked(&report.reconnects)? {
            // One of a later version is some other cause.
            let place = if cause < reconnects.len() { cause } else { 0 };
            reconnects[place] += count;
        }
        Ok(Self {
            connections: count(report.connections)?,
            failed_attempts: count(report.failed_attempts)?,
            reconnects,
            resumes: count(report.resumes)?,
            gaps: count(report.gaps)?,
            resyncs: count(report.resyncs)?,
            digest_mismatches: count(report.digest_mismatches)?,
            frames_refused: count(report.frames_refused)?,
            apply_delay: report.apply_delay.as_ref().map_or(Ok(Delays::default()), Delays::try_from)?,
            staleness: report.staleness.as_ref().map_or(Ok(Delays::default()), Delays::try_from)?,
        })
    }
}

impl Delays {
    /// Adds a delay.
    pub fn note(&mut self, delay_ms: u64) {
        self.counts[DELAY_BOUNDS_MS.partition_point(|&bound_ms| bound_ms < delay_ms)] += 1;
        self.sum_ms += delay_ms.min(REPORT_DELAY_MS_MAX);
    }
}

impl TryFrom<&proto::Delays> for Delays {
    type Error = TelemetryError;

    fn try_from(report: &proto::Delays) -> Result<Self, TelemetryError> {
        let mut delays = Self::default();
        let mut sum_ms_max = 0;
        for (bucket, count) in checked(&report.counts)? {
            let held = delays.counts.get_mut(bucket).ok_or(TelemetryError::UnknownBucket(bucket as u32))?;
            *held = count;
            sum_ms_max += count * DELAY_BOUNDS_MS.get(bucket).copied().unwrap_or(REPORT_DELAY_MS_MAX);
        }
        // So many delays cannot be longer than that together.
        delays.sum_ms = report.sum_ms.min(sum_ms_max);
        Ok(delays)
    }
}

/// Places that hold something, each with what it holds.
fn pairs(counts: &[u64]) -> Vec<u32> {
    let held = counts.iter().enumerate().filter(|&(_, &count)| count > 0);
    held.flat_map(|(place, &count)| [place as u32, count as u32]).collect()
}

/// The pairs of a report. Places ascend, so there are no more of them than a message has room for.
fn checked(pairs: &[u32]) -> Result<impl Iterator<Item = (usize, u64)>, TelemetryError> {
    let (pairs, rest) = pairs.as_chunks::<2>();
    if !rest.is_empty() || !pairs.is_sorted_by(|[before, _], [after, _]| before < after) {
        return Err(TelemetryError::Pairs);
    }
    for &[_, held] in pairs {
        count(held)?;
    }
    Ok(pairs.iter().map(|&[place, count]| (place as usize, u64::from(count))))
}

fn count(count: u32) -> Result<u64, TelemetryError> {
    if count > REPORT_COUNT_MAX { Err(TelemetryError::TooMany(count)) } else { Ok(u64::from(count)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Telemetry {
        let mut seen = Telemetry { connections: 3, gaps: 1, resyncs: 2, ..Telemetry::default() };
        seen.reconnects[ReconnectCause::Silence as usize] = 2;
        for delay_ms in [0, 5, 6, 60_000, 60_001, 86_400_000] {
            seen.apply_delay.note(delay_ms);
        }
        seen
    }

    #[test]
    fn a_report_tells_what_is_new_and_is_read_as_it_was_meant() {
        let mut reported = Telemetry::default();
        let mut seen = seen();
        assert_eq!(seen.apply_delay.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(seen.apply_delay.sum_ms, 11 + 120_001 + 3_600_000);
        let first = seen.report(&mut reported).unwrap();
        assert_eq!(first.apply_delay.as_ref().unwrap().counts, [0, 2, 1, 1, 12, 1, 13, 2]);
        assert_eq!(first.reconnects, [2, 2]);
        assert_eq!(seen.report(&mut reported), None, "nothing new");
        seen.gaps += 1;
        let second = seen.report(&mut reported).unwrap();
        assert_eq!(second, proto::Telemetry { gaps: 1, ..Default::default() });
        let mut total = Telemetry::default();
        for report in [first, second] {
            total.add(&Telemetry::try_from(&report).unwrap());
        }
        assert_eq!(total, seen);
    }

    #[test]
    fn what_one_report_has_no_room_for_comes_with_the_next() {
        let mut seen = Telemetry::default();
        seen.apply_delay.counts[3] = 2 * u64::from(REPORT_COUNT_MAX) + 1;
        let mut reported = Telemetry::default();
        let told = std::iter::from_fn(|| seen.report(&mut reported));
        let counts: Vec<u64> =
            told.map(|report| Telemetry::try_from(&report).unwrap().apply_delay.counts[3]).collect();
        assert_eq!(counts, [65_535, 65_535, 1]);
    }

    #[test]
    fn numbers_are_taken_at_the_limit_and_refused_one_past_it() {
        let report = |resyncs| proto::Telemetry { resyncs, ..Default::default() };
        assert_eq!(Telemetry::try_from(&report(REPORT_COUNT_MAX)).unwrap().resyncs, 65_535);
        assert_eq!(Telemetry::try_from(&report(65_536)), Err(TelemetryError::TooMany(65_536)));
        let delays = |counts: &[u32], sum_ms| {
            let delays = proto::Delays { counts: counts.to_vec(), sum_ms };
            let report = proto::Telemetry { staleness: Some(delays), ..Default::default() };
            Telemetry::try_from(&report).map(|telemetry| telemetry.staleness)
        };
        assert_eq!(delays(&[13, 65_535], 1).unwrap().counts[13], 65_535);
        assert_eq!(delays(&[13, 65_536], 1), Err(TelemetryError::TooMany(65_536)));
        assert_eq!(delays(&[14, 1], 1), Err(TelemetryError::UnknownBucket(14)));
        assert_eq!(delays(&[0, 1, 1], 1), Err(TelemetryError::Pairs));
        assert_eq!(delays(&[1, 1, 1, 1], 1), Err(TelemetryError::Pairs), "a place stands there once");
        assert_eq!(delays(&[2, 1, 1, 1], 1), Err(TelemetryError::Pairs));
        assert_eq!(delays(&[0, 3, 1, 2], u64::MAX).unwrap().sum_ms, 3 * 5 + 2 * 10);
        assert_eq!(delays(&[], u64::MAX).unwrap(), Delays::default());
    }

    #[test]
    fn causes_of_a_later_version_are_some_other_cause() {
        let report =
            proto::Telemetry { reconnects: vec![0, 1, 8, 2, 9, 3, u32::MAX, 4], ..Default::default() };
        assert_eq!(Telemetry::try_from(&report).unwrap().reconnects, [8, 0, 0, 0, 0, 0, 0, 0, 2]);
    }

    #[test]
    fn totals_stop_instead_of_wrapping() {
        let mut total = Telemetry { gaps: u64::MAX - 1, ..Telemetry::default() };
        total.add(&Telemetry { gaps: 2, ..Telemetry::default() });
        assert_eq!(total.gaps, u64::MAX);
    }

    #[test]
    fn a_crowd_spreads_its_reports() {
        let drawn = |is_first| (0..40_000).map(move |random| next_report_ms(30_000, is_first, random * 7));
        assert_eq!((drawn(true).min(), drawn(true).max()), (Some(0), Some(10_000)));
        assert_eq!((drawn(false).min(), drawn(false).max()), (Some(15_000), Some(45_000)));
        assert!(next_report_ms(200, true, u64::MAX) <= 200);
    }
}
