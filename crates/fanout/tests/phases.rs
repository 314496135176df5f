//! A rate that many ask for is flushed in phases.

mod world;

use std::collections::BTreeMap;

use oddswire_fanout::{ConnectionId, FanoutConfig, Output};
use oddswire_model::{Commit, MarketStatus, Revision, View};
use world::{World, back, status};

/// The revision of the market that a receiver holds.
fn held(world: &World, id: &ConnectionId) -> Revision {
    world.clients[id].markets(world.now_ms).next().expect("it follows the market").market.revision()
}

/// A market that changes every 5 ms for so long; when each receiver's revision moved.
fn moments(world: &mut World, ids: &[ConnectionId], for_ms: u64) -> BTreeMap<ConnectionId, Vec<u64>> {
    let mut moments: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for step in 0..for_ms / 5 {
        world.commit(back("1.1", 20_000, 100 + step));
        for _ in 0..5 {
            let before = ids.iter().map(|id| held(world, id)).collect::<Vec<_>>();
            world.wait(1);
            for (id, before) in ids.iter().zip(before) {
                if held(world, id) != before {
                    moments.entry(*id).or_default().push(world.now_ms);
                }
            }
        }
    }
    moments
}

#[test]
fn a_crowded_rate_is_flushed_in_phases_that_come_apart() {
    let mut world = World::with(FanoutConfig { phase_members: 2, ..FanoutConfig::default() });
    world.commit(status("1.1", MarketStatus::Open));
    let ids: Vec<_> = (0..8).map(|_| world.follow("all", View::FULL, 100)).collect();
    assert_eq!(world.fanout.groups(), 4, "two members to each phase");
    // The first turn is at once and for everybody; each later one is a step further from the others.
    moments(&mut world, &ids, 1_000);
    let moments = moments(&mut world, &ids, 1_000);
    let mut places: Vec<u64> = Vec::new();
    for (id, moments) in &moments {
        assert!((9..=10).contains(&moments.len()), "{id:?}: {moments:?}");
        assert!(moments.windows(2).all(|two| two[1] - two[0] == 100), "{id:?}: {moments:?}");
        places.push(moments[0] % 100);
    }
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 4, "{places:?}");
    assert!(places.windows(2).all(|two| two[1] - two[0] == 25), "{places:?}");
    world.wait(200);
    ids.iter().for_each(|&id| world.check(id, View::FULL));
}

#[test]
fn no_phase_is_faster_than_its_rate_while_they_come_apart() {
    let mut world = World::with(FanoutConfig { phase_members: 1, ..FanoutConfig::default() });
    world.commit(status("1.1", MarketStatus::Open));
    let ids: Vec<_> = (0..4).map(|_| world.follow("all", View::FULL, 50)).collect();
    for _ in 0..3 {
        // After a quiet time all come together again.
        world.wait(700);
        for (id, moments) in moments(&mut world, &ids, 600) {
            let distances: Vec<_> = moments.windows(2).map(|two| two[1] - two[0]).collect();
            assert!(distances.iter().all(|distance| (50..=62).contains(distance)), "{id:?}: {distances:?}");
        }
    }
}

#[test]
fn few_receivers_share_one_phase_and_a_session_stays_in_its_own() {
    let mut world = World::new();
    world.commit(status("1.1", MarketStatus::Open));
    for _ in 0..100 {
        world.follow("all", View::FULL, 250);
    }
    assert_eq!(world.fanout.groups(), 1);
    let mut world = World::with(FanoutConfig { phase_members: 1, ..FanoutConfig::default() });
    world.commit(status("1.1", MarketStatus::Open));
    let id = world.follow("all", View::PRICES, 250);
    let client = world.cut(id);
    let ids: Vec<_> = (0..3).map(|_| world.follow("all", View::PRICES, 250)).collect();
    // Resumed in another phase than before.
    world.commit(back("1.1", 20_000, 900));
    let id = world.connect(client);
    assert_eq!(world.fanout.groups(), 4);
    moments(&mut world, &ids, 600);
    world.wait(500);
    ids.iter().chain([&id]).for_each(|&id| world.check(id, View::PRICES));
}

#[test]
fn a_flush_waits_until_the_one_before_it_has_been_sent() {
    let mut world = World::new();
    world.commit(status("1.1", MarketStatus::Open));
    world.follow("all", View::FULL, 0);
    world.wait(500);
    let flush_after = |world: &mut World, ms: u64, cents: u64| {
        let commit = Commit { published_ms: 1, markets: vec![back("1.1", 20_000, cents)] };
        let committed = world.store.commit(&commit).unwrap();
        world.fanout.handle_commit(world.now_ms, &world.store, &committed);
        world.now_ms += ms;
        world.fanout.handle_timeout(world.now_ms, &world.store);
        world.fanout.poll_output()
    };
    let held = flush_after(&mut world, 10, 100);
    assert!(matches!(held, Some(Output::Flush(_))), "{held:?}");
    for cents in 0..4 {
        assert!(flush_after(&mut world, 10, 200 + cents).is_none(), "a shard has not sent it");
        assert_eq!(
            world.fanout.poll_timeout(),
            world.now_ms + 1,
            "and that is looked at soon, not all the time"
        );
    }
    drop(held);
    let next = flush_after(&mut world, 1, 302);
    assert!(matches!(next, Some(Output::Flush(_))), "{next:?}");
}
