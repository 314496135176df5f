//! When very many come at once, those who are fresh already wait a little, but not for a suspension.

mod world;

use oddswire_fanout::ConnectionId;
use oddswire_model::{MarketStatus, Revision, View};
use world::{World, back, status};

/// The revision and the status of the market that a receiver holds.
fn held(world: &World, id: ConnectionId) -> (Revision, MarketStatus) {
    let reading = world.clients[&id].markets(world.now_ms).next().expect("it follows the market");
    (reading.market.revision(), reading.market.status())
}

#[test]
fn a_rush_slows_changes_down_and_no_suspension() {
    let mut world = World::new();
    world.commit(status("1.1", MarketStatus::Open));
    let fresh = world.follow("all", View::FULL, 0);
    let slow = world.follow("all", View::FULL, 50);
    world.wait(1_000);
    world.commit(back("1.1", 20_000, 100));
    world.wait(50);
    assert_eq!(held(&world, fresh).0, world.store.revision(), "there is no rush yet");

    let others: Vec<_> = (0..130).map(|_| world.follow("all", View::PRICES, 0)).collect();
    world.commit(back("1.1", 20_000, 200));
    world.wait(180);
    for id in [fresh, slow] {
        assert!(held(&world, id).0 < world.store.revision(), "there is a rush");
    }
    world.commit(status("1.1", MarketStatus::Suspended));
    world.wait(1);
    for id in [fresh, slow].into_iter().chain(others.iter().copied()) {
        assert_eq!(held(&world, id).1, MarketStatus::Suspended);
    }
    world.commit(back("1.1", 20_000, 300));
    world.wait(500);
    for id in [fresh, slow] {
        assert_eq!(held(&world, id).0, world.store.revision());
    }

    // Nobody has come for a while.
    world.wait(100);
    world.commit(back("1.1", 20_000, 400));
    world.wait(50);
    for id in [fresh, slow] {
        assert_eq!(held(&world, id).0, world.store.revision(), "the rush is over");
        world.check(id, View::FULL);
    }
}
