//! Counting what models of the compact encoding are trained from.

use std::collections::BTreeMap;

use oddswire_delta::{MarketDelta, catch_up, diff, snapshot};
use oddswire_model::{Commit, Epoch, Market, MarketNumber, Revision, View};
use oddswire_store::{Refusal, Store};
use oddswire_wire::{
    compact::{Counts, count},
    piece::TIME_STEP_MS,
};

/// Symbols of one source count for no more than so many, so that one long recording does not drown the others.
const SYMBOLS_MAX: f64 = 1e6;
/// What other views, snapshots and catch-ups count for beside the deltas at full depth, of which there are many more live.
const OTHERS_WEIGHT: f64 = 0.02;
/// Every so many commits, the markets in it are also counted as snapshots and catch-ups.
const SNAPSHOT_EVERY: u64 = 61;

/// What was seen of one source.
#[derive(Debug, Default, Clone)]
pub struct Trained {
    /// What a model is made from.
    pub counts: Counts,
    /// The deltas at full depth alone, with the heads of their frames.
    pub deltas: Counts,
    /// How many there were.
    pub frames: u64,
    /// Changes that the compact encoding cannot say; they travel in the plain one.
    pub unfit: u64,
}

impl Trained {
    /// How much this source counts beside others.
    pub fn weight(&self) -> f64 {
        (SYMBOLS_MAX / self.counts.total().max(1.0)).min(1.0)
    }
}

/// Counts every decision that coding some commits takes: deltas message by message in three views, and now and then
/// snapshots and catch-ups.
///
/// # Errors
/// When the store refuses a commit; says which.
pub fn train(commits: impl Iterator<Item = Commit>) -> Result<Trained, (u64, Refusal)> {
    let mut store = Store::new(Epoch(1));
    let mut trainee = Trainee::default();
    for (at, commit) in commits.enumerate() {
        store.commit(&commit).map_err(|refusal| (at as u64, refusal))?;
        trainee.commit(&store, &commit);
    }
    let Trainee { mut trained, others, .. } = trainee;
    trained.counts = Counts::default();
    trained.counts.add(&trained.deltas, 1.0);
    trained.counts.add(&others, OTHERS_WEIGHT);
    Ok(trained)
}

#[derive(Default)]
struct Trainee {
    trained: Trained,
    others: Counts,
    full: BTreeMap<MarketNumber, Market>,
    narrow: [BTreeMap<MarketNumber, Market>; 2],
    /// Where a market's last catch-up ended.
    caught_up: BTreeMap<MarketNumber, Revision>,
    commits: u64,
    /// The producers' clock of the last frame, in steps.
    time: Option<u64>,
    change: MarketDelta,
}

impl Trainee {
    fn commit(&mut self, store: &Store, commit: &Commit) {
        self.commits += 1;
        let mut numbers: Vec<_> =
            commit.markets.iter().filter_map(|market| store.number(&market.id)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let time = store.published_ms() / TIME_STEP_MS;
        for number in numbers {
            let Some(target) = store.market(number) else { continue };
            self.delta(store, target, time);
            self.narrow(target);
            if self.commits.is_multiple_of(SNAPSHOT_EVERY) {
                self.whole(target);
            }
        }
    }

    fn delta(&mut self, store: &Store, target: &Market, time: u64) {
        let change = &mut self.change;
        let Some(held) = self.full.get_mut(&target.number()) else {
            snapshot(target, View::FULL, change);
            count(change, None, target, 0, false, &mut self.others);
            self.full.insert(target.number(), target.clone());
            return;
        };
        diff(held, target, View::FULL, change);
        if !change.is_empty() {
            // Further markets of the same frame have no head of their own.
            let step = time - self.time.unwrap_or(time);
            let fits = count(
                change,
                Some((held, View::FULL)),
                target,
                step,
                store.len() == 1,
                &mut self.trained.deltas,
            );
            self.trained.frames += 1;
            self.trained.unfit += u64::from(!fits);
            self.time = Some(time);
        }
        held.advance_to(target);
    }

    fn narrow(&mut self, target: &Market) {
        for (held, view) in self.narrow.iter_mut().zip([View::best(3), View::PRICES]) {
            let Some(held) = held.get_mut(&target.number()) else {
                held.insert(target.number(), target.clone());
                continue;
            };
            diff(held, target, view, &mut self.change);
            if !self.change.is_empty() {
                count(&self.change, Some((held, view)), target, 0, false, &mut self.others);
            }
            held.advance_to(target);
        }
    }

    fn whole(&mut self, target: &Market) {
        for view in [View::FULL, View::best(3), View::PRICES] {
            snapshot(target, view, &mut self.change);
            count(&self.change, None, target, 0, false, &mut self.others);
            if let Some(&since) = self.caught_up.get(&target.number()) {
                catch_up(target, since, view, &mut self.change);
                count(&self.change, None, target, 0, false, &mut self.others);
            }
        }
        self.caught_up.insert(target.number(), target.revision());
    }
}

#[cfg(test)]
mod tests {
    use oddswire_feeds::simulator::{Simulator, SimulatorConfig};

    use super::*;

    fn simulated(seed: u64) -> Trained {
        train(Simulator::new(SimulatorConfig::small(seed)).take(2_000)).unwrap()
    }

    #[test]
    fn a_model_fits_what_it_was_trained_on_better_than_the_shipped_one() {
        let seen = simulated(3);
        assert!(seen.frames > 1_000 && seen.unfit < seen.frames / 50, "{} of {}", seen.unfit, seen.frames);
        let cost = |model: &oddswire_wire::compact::Model| {
            seen.deltas.costs(model).iter().map(|cost| cost.bits + cost.raw_bits).sum::<f64>()
        };
        let own = cost(&seen.counts.model());
        assert!(own < cost(&oddswire_wire::compact::Model::shipped()));
        // Another seed of the same feed is as good a teacher.
        assert!(cost(&simulated(4).counts.model()) < own * 1.05);
    }
}
