//! When each producer was last heard.

use std::collections::HashMap;

use oddswire_ingest::{StreamHandle, StreamId};

/// A producer silent for this many of its intervals has its markets held: 3 s at the default of 1 s.
const INTERVALS_BEFORE_HOLD: u64 = 3;
/// When nothing is due, look again after this long.
const IDLE_MS: u64 = 60_000;

#[derive(Debug)]
struct Heard {
    producer_epoch: u64,
    /// `None` for a recording, whose silence means nothing.
    interval_ms: Option<u32>,
    heard_ms: u64,
    stream: Option<StreamHandle>,
    is_held: bool,
}

/// The producers of the feed and their silences.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    heard: HashMap<String, Heard>,
    heard_locally_ms: Option<u64>,
    now_ms: u64,
}

impl Producers {
    pub(crate) fn announce(
        &mut self,
        producer: &str,
        producer_epoch: u64,
        interval_ms: Option<u32>,
        stream: StreamHandle,
        now_ms: u64,
    ) {
        if let Some(old) = self.heard.get(producer)
            && old.producer_epoch < producer_epoch
            && let Some(stream) = &old.stream
        {
            stream.cut("a later start of this producer has announced itself; only the newest may publish");
        }
        let heard =
            Heard { producer_epoch, interval_ms, heard_ms: now_ms, stream: Some(stream), is_held: false };
        self.heard.insert(producer.to_owned(), heard);
    }

    /// Notes a sign of life; says whether it counts, which a zombie's does not.
    pub(crate) fn heard(&mut self, producer: &str, producer_epoch: u64, now_ms: u64) -> bool {
        match self.heard.get_mut(producer) {
            Some(heard) if heard.producer_epoch == producer_epoch => {
                heard.heard_ms = now_ms;
                heard.is_held = false;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn heard_locally(&mut self, now_ms: u64) {
        self.heard_locally_ms = Some(now_ms);
    }

    /// Producers that have just been silent for too long.
    pub(crate) fn silent(&mut self, now_ms: u64) -> Vec<String> {
        self.now_ms = now_ms;
        let mut silent = Vec::new();
        for (producer, heard) in &mut self.heard {
            if !heard.is_held && deadline_ms(heard).is_some_and(|deadline_ms| now_ms >= deadline_ms) {
                heard.is_held = true;
                silent.push(producer.clone());
            }
        }
        silent.sort();
        silent
    }

    /// Ends a producer's stream, so that it comes back and learns that it must send everything again.
    pub(crate) fn cut(&self, producer: &str, sentence: &str) {
        if let Some(stream) = self.heard.get(producer).and_then(|heard| heard.stream.as_ref()) {
            stream.cut(sentence);
        }
    }

    pub(crate) fn gone(&mut self, producer: &str, producer_epoch: u64, stream: StreamId) {
        if let Some(heard) = self.heard.get_mut(producer)
            && heard.producer_epoch == producer_epoch
            && heard.stream.as_ref().is_some_and(|held| held.id() == stream)
        {
            heard.stream = None;
        }
    }

    /// How long ago the quietest producer vouched for its prices; `None` when there never was one.
    pub(crate) fn freshness_ms(&self, now_ms: u64) -> Option<u32> {
        let heard = self.heard.values().map(|heard| heard.heard_ms).chain(self.heard_locally_ms);
        heard.min().map(|heard_ms| u32::try_from(now_ms.saturating_sub(heard_ms)).unwrap_or(u32::MAX))
    }

    /// When [`Producers::silent`] may have something to say.
    pub(crate) fn next_deadline_ms(&self) -> u64 {
        let due = self.heard.values().filter(|heard| !heard.is_held).filter_map(deadline_ms);
        due.min().unwrap_or(self.now_ms + IDLE_MS)
    }
}

fn deadline_ms(heard: &Heard) -> Option<u64> {
    Some(heard.heard_ms + u64::from(heard.interval_ms?) * INTERVALS_BEFORE_HOLD)
}
