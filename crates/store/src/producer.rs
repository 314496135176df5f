//! Producers: fencing, retries that apply once, and silence.

use oddswire_model::{CellKey, Commit, Field, MarketNumber, Revision};

use crate::{
    refusal::{Reason, Refusal},
    store::{Committed, Store},
};

/// Most producers a feed knows; a sportsbook has tens.
pub(crate) const MAX_PRODUCERS: usize = 1_024;

/// What the store knows of a producer.
#[derive(Debug, Clone, Default)]
pub struct ProducerState {
    /// The highest epoch it has announced.
    pub producer_epoch: u64,
    /// The last sequence of that epoch that was applied or refused.
    pub last_sequence: u64,
    /// Its markets are held: it was silent and has not said everything again.
    pub held: bool,
    pub(crate) markets: std::collections::BTreeSet<MarketNumber>,
}

/// What became of a producer's commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// Applied now.
    Applied(Committed),
    /// Its sequence was seen before; nothing was done again. Holds the current revision.
    Repeated(Revision),
}

/// Why a producer was turned away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProducerError {
    /// A later start of the same producer is known; this one must stop.
    #[error(
        "producer epoch {given} is fenced off: epoch {known} has announced itself; only the newest start may publish"
    )]
    Fenced {
        /// What it said.
        given: u64,
        /// What is known.
        known: u64,
    },
    /// It has not announced itself.
    #[error("producer `{0}` has not announced itself; say hello first")]
    Unknown(String),
    /// Too many producers.
    #[error("a feed knows at most {MAX_PRODUCERS} producers")]
    TooMany,
    /// The commit itself is at fault.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Store {
    /// A producer announces a start. A new epoch begins its own sequence at 0.
    ///
    /// # Errors
    /// A lower epoch than the highest known is fenced off.
    pub fn announce_producer(
        &mut self,
        producer: &str,
        producer_epoch: u64,
    ) -> Result<&ProducerState, ProducerError> {
        if !self.producers.contains_key(producer) && self.producers.len() >= MAX_PRODUCERS {
            return Err(ProducerError::TooMany);
        }
        let state = self.producers.entry(producer.to_owned()).or_default();
        if producer_epoch < state.producer_epoch {
            return Err(ProducerError::Fenced { given: producer_epoch, known: state.producer_epoch });
        }
        if producer_epoch > state.producer_epoch {
            state.producer_epoch = producer_epoch;
            state.last_sequence = 0;
        }
        Ok(state)
    }

    /// What is known of a producer.
    pub fn producer(&self, producer: &str) -> Option<&ProducerState> {
        self.producers.get(producer)
    }

    /// Takes a producer's commit: once, whatever it repeats.
    ///
    /// # Errors
    /// Fenced or unknown producers, and refused commits. A refused commit uses its sequence up.
    pub fn publish(
        &mut self,
        producer: &str,
        producer_epoch: u64,
        sequence: u64,
        commit: &Commit,
    ) -> Result<Published, ProducerError> {
        if !self.begin(producer, producer_epoch, sequence)? {
            return Ok(Published::Repeated(self.revision()));
        }
        for update in &commit.markets {
            if let Some(number) = self.number(&update.id)
                && self
                    .producers
                    .iter()
                    .any(|(name, other)| name != producer && other.markets.contains(&number))
            {
                return Err(Refusal::named(&update.id, "market", Reason::OtherProducer).into());
            }
        }
        let mut committed = self.commit(commit)?;
        let numbers: Vec<_> = commit.markets.iter().filter_map(|update| self.number(&update.id)).collect();
        let Some(state) = self.producers.get_mut(producer) else { return Ok(Published::Applied(committed)) };
        let new: Vec<_> = numbers.iter().copied().filter(|&number| state.markets.insert(number)).collect();
        if state.held {
            // Whoever has not said everything again is not believed about new markets either.
            self.hold_in(&mut committed, &new);
        }
        Ok(Published::Applied(committed))
    }

    /// Uses up the sequence of a commit that could not be read; returns the current revision.
    ///
    /// # Errors
    /// Fenced or unknown producers.
    pub fn skip(
        &mut self,
        producer: &str,
        producer_epoch: u64,
        sequence: u64,
    ) -> Result<Revision, ProducerError> {
        self.begin(producer, producer_epoch, sequence)?;
        Ok(self.revision())
    }

    /// Takes a sequence; says whether it is new.
    fn begin(&mut self, producer: &str, producer_epoch: u64, sequence: u64) -> Result<bool, ProducerError> {
        let state =
            self.producers.get_mut(producer).ok_or_else(|| ProducerError::Unknown(producer.to_owned()))?;
        if producer_epoch != state.producer_epoch {
            return Err(ProducerError::Fenced { given: producer_epoch, known: state.producer_epoch });
        }
        let is_new = sequence > state.last_sequence;
        state.last_sequence = state.last_sequence.max(sequence);
        Ok(is_new)
    }

    /// A producer has been silent for too long: its markets are held, which reads as suspended everywhere.
    /// `None` when it is unknown, holds no markets or was held already.
    pub fn hold_producer(&mut self, producer: &str) -> Option<Committed> {
        self.set_held(producer, true)
    }

    /// A producer has said everything again: its markets read as what they are.
    /// `None` when it was not held.
    pub fn release_producer(&mut self, producer: &str) -> Option<Committed> {
        self.set_held(producer, false)
    }

    fn set_held(&mut self, producer: &str, held: bool) -> Option<Committed> {
        let state = self.producers.get_mut(producer)?;
        if state.held == held || (held && state.markets.is_empty()) {
            return None;
        }
        state.held = held;
        let markets: Vec<_> = state.markets.iter().copied().collect();
        Some(self.commit_cell(&markets, CellKey::market(Field::Held), u64::from(held)))
    }
}

#[cfg(test)]
mod tests {
    use oddswire_model::{Epoch, MarketId, MarketStatus, MarketUpdate};

    use super::*;

    #[test]
    fn what_a_held_producer_brings_is_held_until_it_has_said_everything_again() {
        let open = |id: &str| {
            let mut update = MarketUpdate::new(MarketId::new(id).unwrap());
            update.fields.push((Field::Status, MarketStatus::Open as u64));
            Commit { published_ms: 1, markets: vec![update] }
        };
        let mut store = Store::new(Epoch(1));
        store.announce_producer("feed", 1).unwrap();
        store.publish("feed", 1, 1, &open("1.1")).unwrap();
        store.hold_producer("feed").unwrap();
        store.publish("feed", 1, 2, &open("1.2")).unwrap();
        assert!(store.markets().all(|market| market.status() == MarketStatus::Suspended));
        store.release_producer("feed").unwrap();
        assert!(store.markets().all(|market| market.status() == MarketStatus::Open));
    }
}
