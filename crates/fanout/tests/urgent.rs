//! A suspend is never conflated away and never arrives behind a price of an older revision: at the slowest rate
//! class, with sockets that block, over random interleavings.

mod world;

use oddswire_fanout::ConnectionId;
use oddswire_model::{Field, MarketStatus, Revision, View};
use oddswire_session::Event;
use proptest::prelude::*;
use world::{World, back, status};

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    Price { market: u8, price: u32, cents: u64 },
    Status { market: u8, suspended: bool },
    Wait { ms: u64 },
    Block { receiver: usize },
    Unblock { receiver: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3u8, 0..8u32, 0..500u64)
            .prop_map(|(market, tick, cents)| Step::Price { market, price: 20_000 + tick * 200, cents }),
        2 => (0..3u8, any::<bool>()).prop_map(|(market, suspended)| Step::Status { market, suspended }),
        3 => (1..1_500u64).prop_map(|ms| Step::Wait { ms }),
        1 => (0..4usize).prop_map(|receiver| Step::Block { receiver }),
        1 => (0..4usize).prop_map(|receiver| Step::Unblock { receiver }),
    ]
}

fn id(market: u8) -> String {
    format!("1.{market}")
}

/// What one receiver was told, in order.
#[derive(Default)]
struct Told {
    edges: Vec<(String, u64, MarketStatus)>,
    /// Market, revision that the change leads to, and whether it carries a price.
    changes: Vec<(String, Revision, bool)>,
}

fn listen(world: &mut World, receiver: ConnectionId, told: &mut Told) {
    for event in world.events(receiver) {
        let name = |world: &World, market| world.store.market(market).unwrap().id().to_string();
        match event {
            Event::Status { market, edge } => {
                told.edges.push((name(world, market), edge.revision.0, edge.status));
            }
            Event::Changed { change, .. } => {
                let has_price = change.cells.iter().any(|cell| cell.key.field == Field::Back);
                told.changes.push((name(world, change.market), change.revision, has_price));
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn every_status_edge_arrives_in_order_and_ahead_of_older_prices(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        for market in 0..3 {
            world.commit(status(&id(market), MarketStatus::Open));
            world.commit(back(&id(market), 20_000, 100));
        }
        let views = [View::FULL, View::PRICES, View::best(1), View::FULL];
        let rates = [1_000, 1_000, 1_000, 0];
        let receivers: Vec<_> = (0..4).map(|at| world.follow("all", views[at], rates[at])).collect();
        world.wait(1_200);
        let mut told: Vec<Told> = receivers.iter().map(|_| Told::default()).collect();
        for &receiver in &receivers {
            world.events(receiver);
        }
        let mut expected = Vec::new();
        for step in steps {
            match step {
                Step::Price { market, price, cents } => world.commit(back(&id(market), price, cents)),
                Step::Status { market, suspended } => {
                    let wanted = if suspended { MarketStatus::Suspended } else { MarketStatus::Open };
                    let held = world.store.markets().nth(usize::from(market)).unwrap().status();
                    world.commit(status(&id(market), wanted));
                    if held != wanted {
                        expected.push((id(market), world.store.revision().0, wanted));
                        // Whoever can take a frame has it now, whatever the rate.
                        for (at, &receiver) in receivers.iter().enumerate() {
                            listen(&mut world, receiver, &mut told[at]);
                            if world.takes_frames(receiver) {
                                prop_assert_eq!(told[at].edges.last(), expected.last());
                            }
                        }
                    }
                }
                Step::Wait { ms } => world.wait(ms),
                Step::Block { receiver } => world.blocked.push(receivers[receiver]),
                Step::Unblock { receiver } => world.unblock(receivers[receiver]),
            }
            for (at, &receiver) in receivers.iter().enumerate() {
                listen(&mut world, receiver, &mut told[at]);
            }
        }
        for (at, &receiver) in receivers.iter().enumerate() {
            world.unblock(receiver);
            world.wait(1_500);
            listen(&mut world, receiver, &mut told[at]);
            world.check(receiver, views[at]);
            for market in (0..3).map(id) {
                let edges = |edges: &[(String, u64, MarketStatus)]| {
                    edges.iter().filter(|edge| edge.0 == market).cloned().collect::<Vec<_>>()
                };
                // More edges than are remembered can only be missed by a socket that blocked all along.
                prop_assert_eq!(edges(&told[at].edges), edges(&expected));
                let revisions: Vec<_> =
                    told[at].changes.iter().filter(|change| change.0 == market).map(|change| change.1).collect();
                prop_assert!(revisions.is_sorted(), "nothing older comes after something newer: {:?}", revisions);
            }
        }
    }
}
