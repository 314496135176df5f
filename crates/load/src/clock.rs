//! One monotonic clock for everything that is measured.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Counts microseconds since the run began, the same in every thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn now_us(self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    pub(crate) fn now_ms(self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }
}

/// The wall clock, milliseconds since 1970 in UTC.
pub(crate) fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

/// A duration in whole microseconds.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
