//! The whole simulator: what it promises about every commit, and how it compares with recorded markets.

mod replay;

use std::time::Instant;

use oddswire_model::{Commit, Field, MarketId, MarketStatus, SelectionStatus};

use self::replay::{Replay, Tally};
use super::{Simulator, SimulatorConfig};

const HOUR_MS: u64 = 3_600_000;

#[test]
fn the_same_seed_gives_the_same_commits() {
    let small = |seed| Fingerprint::of(Simulator::new(SimulatorConfig::small(seed)).take(20_000));
    let default = |seed| {
        Fingerprint::of(Simulator::new(SimulatorConfig { seed, ..SimulatorConfig::default() }).take(20_000))
    };
    assert_eq!(small(1), small(1));
    // On every machine and at every level of optimisation; it changes when the simulator does, and only then.
    assert_eq!(small(1), 0x60e6_9111_6c0d_8cd0, "the commits of seed 1 are not what they were");
    assert_ne!(small(1), small(2));
    assert_eq!(default(1), default(1));
    assert_ne!(default(1), default(2));
}

#[test]
fn an_hour_keeps_every_promise_and_resembles_recorded_markets() {
    let config = SimulatorConfig::default();
    let end_ms = config.start_ms + HOUR_MS;
    let within = |commit: &Commit| commit.published_ms < end_ms;
    let began = Instant::now();
    let generated = Simulator::new(config.clone()).take_while(within).count();
    println!("one hour: {generated} commits generated in {:?}", began.elapsed());

    let mut replay = Replay::default();
    let (mut most, mut least) = (0, usize::MAX);
    for commit in Simulator::new(config.clone()).take_while(within) {
        replay.apply(&commit);
        most = most.max(replay.open_in_play);
        if replay.now_ms > config.start_ms + 60_000 {
            least = least.min(replay.open_in_play);
        }
    }
    let total = report(&replay);
    println!("{least} to {most} markets open in play");
    assert!(most >= 200 && least >= 150, "{least} to {most} open in play");
    assert!(replay.suspensions > 300 && replay.longest_suspension_ms < 150_000);
    let is_stuck = |since_ms| replay.now_ms - since_ms > 150_000;
    let mut suspended = replay.markets.values().filter(|market| market.status == MarketStatus::Suspended);
    assert!(!suspended.any(|market| is_stuck(market.since_ms)), "a suspension does not end");
    let commits_per_second = replay.commits as f64 * 1_000.0 / HOUR_MS as f64;
    assert!((150.0..800.0).contains(&commits_per_second), "{commits_per_second} commits per second");
    let mean = total.shares.iter().sum::<u64>() as f64 / total.changes.len() as f64;
    assert!((1.5..8.0).contains(&mean), "{mean} changes per message");
    let at_best = total.ranks[0] as f64 / total.ranks.iter().sum::<u64>() as f64;
    assert!((0.35..0.6).contains(&at_best), "{at_best} of the book changes are at the best price");
    assert_eq!(total.no_ops, 0, "changes that change nothing");
}

#[test]
fn fixtures_live_through_everything_and_are_replaced() {
    let (mut voids, mut removals, mut taken_back, mut decided_early) = (0, 0, 0, 0);
    for seed in 0..4 {
        let config = SimulatorConfig { football: 3, tennis: 4, racing: 2, ..SimulatorConfig::small(seed) };
        let end_ms = config.start_ms + HOUR_MS / 2;
        let mut replay = Replay::default();
        let mut simulator = Simulator::new(config);
        while replay.now_ms < end_ms {
            let commit = simulator.next_commit();
            let before = reviewed(&replay, &commit);
            replay.apply(&commit);
            taken_back += u32::from(before.is_some_and(|(id, goals)| goals != replay.markets[&id].goals()));
        }
        assert_eq!(simulator.fixtures.len(), 9);
        let over = replay.markets.values().filter(|market| market.is_over()).count();
        assert!(over > 100 && replay.markets.len() - over < 9 * 6, "{over} of {}", replay.markets.len());
        voids += replay.markets.values().filter(|market| market.status == MarketStatus::Void).count();
        for market in replay.markets.values().filter(|market| market.status == MarketStatus::Settled) {
            assert!(market.count(SelectionStatus::Winner) >= 1, "somebody wins");
            removals += market.count(SelectionStatus::Removed);
            decided_early += usize::from(market.score.ends_with('\''));
        }
    }
    println!(
        "{voids} void, {removals} removed, {taken_back} goals taken back, {decided_early} settled early"
    );
    assert!(voids > 0 && removals > 0 && taken_back > 0 && decided_early > 0);
}

/// The market that a commit ends a review of, with the goals it had.
fn reviewed(replay: &Replay, commit: &Commit) -> Option<(MarketId, String)> {
    let reopens = |field: &(Field, u64)| *field == (Field::Status, MarketStatus::Open as u64);
    let update = commit.markets.iter().find(|update| update.fields.iter().any(reopens))?;
    let market = replay.markets.get(&update.id).filter(|market| market.score.ends_with("VAR"))?;
    Some((update.id.clone(), market.goals()))
}

#[test]
fn the_default_starts_at_noon_and_may_run_in_another_thread() {
    let start = |ms| super::calendar::iso_8601(ms);
    assert_eq!(start(SimulatorConfig::default().start_ms), "2026-01-10T12:00:00Z");
    assert_eq!(start(SimulatorConfig::MAX_START_MS), "9999-01-01T00:00:00Z");
    let mut simulator = Simulator::new(SimulatorConfig::small(1));
    let commit = std::thread::spawn(move || simulator.next_commit()).join().unwrap();
    assert_eq!(commit.published_ms, SimulatorConfig::default().start_ms);
}

#[test]
fn no_configuration_panics() {
    let extreme = SimulatorConfig {
        seed: u64::MAX,
        start_ms: u64::MAX,
        football: 0,
        tennis: 0,
        racing: 0,
        pace: 0,
        activity_percent: u32::MAX,
    };
    assert!(Simulator::new(extreme.clone()).take(2_000).all(|commit| !commit.markets.is_empty()));
    let crowded =
        SimulatorConfig { football: usize::MAX, start_ms: 0, pace: u32::MAX, activity_percent: 0, ..extreme };
    assert!(Simulator::new(crowded).take(5_000).all(|commit| !commit.markets.is_empty()));
}

/// Prints how the markets behaved in play, per type, and returns the sum.
fn report(replay: &Replay) -> Tally {
    println!(
        "{:.0} commits/s, {} in the busiest second; {} markets; {} suspensions, the longest {} ms",
        replay.commits as f64 * 1_000.0 / HOUR_MS as f64,
        replay.busiest_second,
        replay.markets.len(),
        replay.suspensions,
        replay.longest_suspension_ms,
    );
    let mut total = Tally::default();
    for (market_type, tally) in &replay.tallies {
        print_tally(market_type, tally);
        total.add(tally);
    }
    print_tally("all", &total);
    total
}

fn print_tally(market_type: &str, tally: &Tally) {
    let mut changes = tally.changes.clone();
    changes.sort_unstable();
    let percentiles = [50, 90, 99].map(|percent| changes[(changes.len() - 1) * percent / 100]);
    let percent = |parts: &[u64]| -> Vec<u64> {
        let sum = parts.iter().sum::<u64>().max(1);
        parts.iter().map(|part| (part * 100 + sum / 2) / sum).collect()
    };
    println!(
        "{market_type}: {:.2} messages/s; changes mean {:.2}, p50 p90 p99 {percentiles:?}; \
         at best, 2-3, 4-10, deeper {:?} %; new, deleted, resized {:?} %; books, other ladders, values {:?} %",
        changes.len() as f64 * 1_000.0 / tally.open_ms.max(1) as f64,
        changes.iter().sum::<u64>() as f64 / changes.len() as f64,
        percent(&tally.ranks),
        percent(&tally.kinds),
        percent(&tally.shares),
    );
}

/// A running hash (64-bit FNV-1a) over everything that commits say.
struct Fingerprint(u64);

impl Fingerprint {
    fn of(commits: impl Iterator<Item = Commit>) -> u64 {
        let mut fingerprint = Self(0xcbf2_9ce4_8422_2325);
        for commit in commits {
            fingerprint.number(commit.published_ms);
            for market in &commit.markets {
                fingerprint.text(market.id.as_str());
                market.fields.iter().for_each(|&(field, value)| fingerprint.field(field as u8, value));
                fingerprint.attributes(&market.attributes);
                for selection in &market.selections {
                    fingerprint.number(selection.key.id.0);
                    fingerprint.number(u64::from(selection.key.handicap.0.unsigned_abs()));
                    selection.fields.iter().for_each(|&(field, value)| fingerprint.field(field as u8, value));
                    fingerprint.attributes(&selection.attributes);
                    for ladder in &selection.ladders {
                        fingerprint.field(ladder.field as u8, u64::from(ladder.replace));
                        ladder.rungs.iter().for_each(|&(price, cents)| {
                            fingerprint.number(u64::from(price.0));
                            fingerprint.number(cents);
                        });
                    }
                }
            }
        }
        fingerprint.0
    }

    fn attributes(&mut self, attributes: &super::fixture::AttributeList) {
        for (name, value) in attributes {
            self.text(name);
            self.text(&format!("{value:?}"));
        }
    }

    fn field(&mut self, code: u8, value: u64) {
        self.number(u64::from(code));
        self.number(value);
    }

    fn number(&mut self, number: u64) {
        number.to_le_bytes().into_iter().for_each(|byte| self.byte(byte));
    }

    fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.byte(byte));
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
}
