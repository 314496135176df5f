//! How fast commits are published: at the times at which they were made, faster, or as fast as they are taken.

use std::{str::FromStr, time::Duration};

use tokio::time::Instant;

/// How many times faster than the market's own time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Speed {
    /// This many times.
    Times(f64),
    /// Without waiting.
    Max,
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.strip_suffix('x').unwrap_or(text).parse::<f64>() {
            Ok(times) if (0.01..=1e6).contains(&times) => Ok(Self::Times(times)),
            _ => Err(
                "it is not a speed; use 1 for real time, 10, 0.5 or any number from 0.01 to 1000000, or max"
                    .to_owned(),
            ),
        }
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Times(times) => write!(f, "{times}x"),
            Self::Max => f.write_str("max"),
        }
    }
}

/// Says when each commit is due.
#[derive(Debug)]
pub(super) struct Pace {
    speed: Speed,
    /// Longest wait between two commits; longer ones are shortened to it.
    longest_wait: Option<Duration>,
    last: Option<(u64, Instant)>,
}

impl Pace {
    /// A pace that begins with the first commit.
    pub(super) fn new(speed: Speed, longest_wait: Option<Duration>) -> Self {
        Self { speed, longest_wait, last: None }
    }

    /// When a commit is due, and the market time in milliseconds that is passed over before it, if any.
    ///
    /// Every wait counts from when the commit before was due, not from when it was sent, so delays do not add up.
    pub(super) fn due(&mut self, published_ms: u64, now: Instant) -> (Instant, Option<u64>) {
        let Speed::Times(times) = self.speed else { return (now, None) };
        let Some((last_ms, last_due)) = self.last else {
            self.last = Some((published_ms, now));
            return (now, None);
        };
        let gap_ms = published_ms.saturating_sub(last_ms);
        let mut wait = Duration::from_secs_f64(gap_ms as f64 / 1_000.0 / times);
        let mut passed_over = None;
        if let Some(longest) = self.longest_wait
            && wait > longest
        {
            passed_over = Some(gap_ms);
            wait = longest;
        }
        let due = last_due + wait;
        // Times of a stitched recording may go back; it then goes on at once.
        self.last = Some((published_ms, due));
        (due, passed_over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_numbers_or_max() {
        assert_eq!("10".parse(), Ok(Speed::Times(10.0)));
        assert_eq!("2.5x".parse(), Ok(Speed::Times(2.5)));
        assert_eq!("max".parse(), Ok(Speed::Max));
        for text in ["0", "-1", "NaN", "inf", "fast", ""] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
    }

    #[test]
    fn waits_shrink_with_the_speed_and_long_gaps_are_passed_over() {
        let start = Instant::now();
        let mut pace = Pace::new(Speed::Times(10.0), Some(Duration::from_secs(2)));
        assert_eq!(pace.due(1_000, start), (start, None));
        assert_eq!(pace.due(2_000, start), (start + Duration::from_millis(100), None));
        assert_eq!(pace.due(62_000, start), (start + Duration::from_millis(2_100), Some(60_000)));
        assert_eq!(pace.due(61_000, start).0, start + Duration::from_millis(2_100), "back in time is now");
        let mut pace = Pace::new(Speed::Max, None);
        pace.due(0, start);
        assert_eq!(pace.due(u64::MAX, start), (start, None));
    }
}
