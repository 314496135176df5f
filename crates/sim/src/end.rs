//! What must be true at the end.

use oddswire_model::{Field, View};
use oddswire_session::MarketState;

use crate::{
    compare::{differences, named_cells, shows},
    simulation::Simulation,
};

impl Simulation {
    /// Ten seconds after the last fault everybody holds exactly what there is.
    pub(crate) fn check_end(&mut self) -> Result<(), String> {
        for producer in &self.producers {
            if producer.has_news() || producer.is_resyncing {
                return Err(format!("{} has not got rid of what it has to say", producer.name));
            }
            for book in producer.books.iter().filter(|book| !book.is_finished) {
                let truth = &book.market;
                let held = self.gateway.store.market_by_id(truth.id());
                let is_same = held.is_some_and(|held| {
                    named_cells(held) == named_cells(truth)
                        && held.value(Field::Held) == 0
                        && held.attributes().iter().eq(truth.attributes().iter())
                });
                if !is_same {
                    let differences = held.map(|held| differences(held, truth, View::FULL));
                    return Err(format!(
                        "the store does not hold the truth of market {}: {differences:?}",
                        truth.id()
                    ));
                }
            }
        }
        let unfaithful = self.faults.are_frames_harmed();
        for client in 0..self.clients.len() {
            let stats = self.clients[client].session.stats();
            if !unfaithful && stats.digest_mismatches > 0 {
                return Err(format!("client {client} saw other digests on faithful lines: {stats:?}"));
            }
            if let Err(what) = self.check_synced(client) {
                if !self.faults.are_bytes_flipped() {
                    return Err(what);
                }
                self.report.flips_left += 1;
            }
            self.check_everything(client)?;
        }
        Ok(())
    }

    fn check_synced(&self, client: usize) -> Result<(), String> {
        let now_ms = self.now_ms();
        let subject = &self.clients[client];
        if !subject.session.is_synced() {
            let states: Vec<_> = subject
                .session
                .markets(now_ms)
                .filter(|reading| reading.state != MarketState::Live)
                .map(|reading| (reading.market.number(), reading.state))
                .collect();
            return Err(format!(
                "client {client} is not synced at the end: {:?}, not live: {states:?}",
                subject.session.connection()
            ));
        }
        let history = self.gateway.history();
        let mut expected = 0;
        for truth in self.gateway.store.markets() {
            let Some(entry) = history.at(truth.number(), truth.revision()) else { continue };
            let Some(view) = entry.view(subject.subscriptions.values()) else { continue };
            expected += 1;
            let Some(reading) = subject.session.read(truth.id(), now_ms) else {
                return Err(format!("client {client} lacks market {} ({})", truth.id(), truth.number()));
            };
            if !shows(reading.market, truth, view) || reading.state != MarketState::Live {
                return Err(format!(
                    "client {client} does not hold market {} ({}) as it is in {view}: {:?} at {}, truth at {}",
                    truth.id(),
                    truth.number(),
                    reading.state,
                    reading.market.revision(),
                    truth.revision()
                ));
            }
        }
        if subject.session.len() != expected {
            let held = subject.session.len();
            return Err(format!("client {client} holds {held} markets, {expected} are expected"));
        }
        Ok(())
    }
}
