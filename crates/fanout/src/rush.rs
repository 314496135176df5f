//! A rush: very many receivers come at once, because a network or another gateway has failed.
//!
//! Whoever comes back has nothing, or something old that is shown as stale; the others are fresh. So while a rush lasts,
//! changes are sent less often, and what that saves goes to answers. Urgent changes are as fast as ever.

/// So many greetings within [`WINDOW_MS`] are a rush: 1,280 a second. Deployments and bad lines bring some tens.
pub(crate) const RUSH_GREETINGS: u32 = 128;
/// Greetings are counted over this time.
const WINDOW_MS: u64 = 100;
/// A rush ends this long after the last window that was one.
const LASTS_MS: u64 = 300;
/// What every rate is at least while it lasts.
pub(crate) const RUSH_INTERVAL_MS: u64 = 500;

/// Whether very many receivers come at once.
#[derive(Debug, Default)]
pub(crate) struct Rush {
    window_ms: u64,
    greetings: u32,
    ends_ms: u64,
}

impl Rush {
    /// A receiver has come.
    pub(crate) fn note(&mut self, now_ms: u64) {
        if now_ms - self.window_ms >= WINDOW_MS {
            self.window_ms = now_ms;
            self.greetings = 0;
        }
        self.greetings += 1;
        if self.greetings >= RUSH_GREETINGS {
            self.ends_ms = now_ms + LASTS_MS;
        }
    }

    /// What every rate is at least.
    pub(crate) fn interval_ms(&self, now_ms: u64) -> u64 {
        if now_ms < self.ends_ms { RUSH_INTERVAL_MS } else { 0 }
    }

    /// When it ends, if there is one.
    pub(crate) fn ends_ms(&self, now_ms: u64) -> Option<u64> {
        (now_ms < self.ends_ms).then_some(self.ends_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rush_begins_with_so_many_at_once_and_ends_after_the_last() {
        let mut rush = Rush::default();
        for at in 0..u64::from(RUSH_GREETINGS) * 10 {
            // One in 2 ms.
            rush.note(1_000 + at * 2);
            assert_eq!(rush.interval_ms(1_000 + at * 2), 0);
        }
        for _ in 1..RUSH_GREETINGS {
            rush.note(9_000);
        }
        assert_eq!(rush.ends_ms(9_000), None, "one less than a rush");
        rush.note(9_000 + WINDOW_MS - 1);
        assert_eq!(rush.interval_ms(9_099), RUSH_INTERVAL_MS);
        assert_eq!(rush.ends_ms(9_398), Some(9_399));
        assert_eq!(rush.interval_ms(9_399), 0);
    }
}
