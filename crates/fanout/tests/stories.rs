//! What users of the fan-out live through, told one by one.

mod world;

use oddswire_model::{AttributeValue, Commit, MarketId, MarketStatus, View, name};
use oddswire_session::{Event, ResumeOutcome, SubscriptionRequest};
use world::{World, back, status};

#[test]
fn snapshot_then_deltas_then_exact() {
    let mut world = World::new();
    world.commit(status("1.1", MarketStatus::Open));
    world.commit(back("1.1", 20_000, 500));
    let views = [View::FULL, View::best(2), View::PRICES, "best2-prices".parse().unwrap()];
    let ids: Vec<_> = views
        .iter()
        .enumerate()
        .map(|(at, &view)| (world.follow("all", view, [0, 100, 1_000, 50][at]), view))
        .collect();
    for step in 0..200u32 {
        world.commit(back("1.1", 20_000 + step % 11 * 200, u64::from(step % 4) * 100));
        if step % 40 == 0 {
            world.commit(status(
                "1.1",
                if step % 80 == 0 { MarketStatus::Suspended } else { MarketStatus::Open },
            ));
            world.commit(back(&format!("1.{}", 2 + step / 40), 30_000, 700));
        }
        world.wait(u64::from(step % 7) * 9);
    }
    world.wait(3_000);
    for (id, view) in ids {
        world.check(id, view);
        assert!(world.clients[&id].stats().digests_checked > 0);
    }
}

#[test]
fn a_resume_moves_only_what_changed() {
    let mut world = World::new();
    world.commit(status("1.1", MarketStatus::Open));
    for runner in 0..300u32 {
        world.commit(back("1.1", 10_100 + runner * 100, 500));
    }
    let id = world.follow("all", View::FULL, 0);
    world.wait(2_000);
    let snapshot_bytes = world.bytes;
    let client = world.cut(id);
    world.commit(back("1.1", 20_000, 900));
    world.commit(status("1.1", MarketStatus::Suspended));
    world.commit(status("1.1", MarketStatus::Open));
    world.wait(100);
    world.bytes = 0;
    let id = world.connect(client);
    assert!(world.bytes < 120, "{} of {snapshot_bytes}", world.bytes);
    world.check(id, View::FULL);
    let events = world.events(id);
    assert!(
        events.iter().any(|event| matches!(event, Event::Subscribed { resume: ResumeOutcome::CaughtUp, .. }))
    );
    let edges = events.iter().filter(
        |event| matches!(event, Event::Status { edge, .. } if edge.status == MarketStatus::Suspended),
    );
    assert_eq!(
        edges.count(),
        1,
        "the suspension was over before the client was back, and it is told all the same"
    );
}

#[test]
fn a_blocked_receiver_gets_one_catch_up_and_every_status_edge() {
    let mut world = World::new();
    world.commit(status("1.1", MarketStatus::Open));
    world.commit(back("1.1", 20_000, 500));
    let id = world.follow("market/1.1", View::FULL, 1_000);
    world.wait(2_500);
    world.events(id);
    world.blocked.push(id);
    world.commit(back("1.1", 20_200, 500));
    world.wait(1_500);
    for step in 0..50 {
        world.commit(back("1.1", 20_000, 600 + step));
    }
    world.commit(status("1.1", MarketStatus::Suspended));
    world.commit(back("1.1", 20_400, 100));
    world.commit(status("1.1", MarketStatus::Open));
    world.wait(5_000);
    world.unblock(id);
    let events = world.events(id);
    let edges: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Status { edge, .. } => Some(edge.status),
            _ => None,
        })
        .collect();
    assert_eq!(edges, [MarketStatus::Suspended, MarketStatus::Open]);
    world.wait(1_500);
    world.check(id, View::FULL);
}

#[test]
fn markets_come_and_go_with_their_topics() {
    let mut world = World::new();
    let id = world.follow("fixture/f1", View::FULL, 0);
    let mut update = status("1.1", MarketStatus::Open);
    update.attributes.push((name::FIXTURE.into(), Some(AttributeValue::Text("f1".into()))));
    world.commit(update);
    world.commit(status("1.2", MarketStatus::Open));
    world.wait(50);
    assert_eq!(world.clients[&id].len(), 1);
    let number = world.store.number(&MarketId::new("1.1").unwrap()).unwrap();
    let committed = world.store.forget(&[number]);
    world.fanout.handle_commit(world.now_ms, &world.store, &committed);
    world.turn();
    assert!(world.clients[&id].is_empty());
    assert!(world.events(id).iter().any(|event| matches!(event, Event::Removed { .. })));
}

#[test]
fn a_market_in_two_subscriptions_is_held_once_in_the_wider_view() {
    let mut world = World::new();
    world.commit(back("1.1", 20_000, 500));
    world.commit(back("1.1", 19_000, 500));
    let id = world.follow("all", View::PRICES, 1_000);
    let narrow = SubscriptionRequest { topics: vec!["all".parse().unwrap()], view: View::FULL, rate_ms: 0 };
    world.clients.get_mut(&id).unwrap().subscribe(2, narrow);
    world.turn();
    world.commit(back("1.1", 19_500, 500));
    world.wait(50);
    world.check(id, View::FULL);
    world.clients.get_mut(&id).unwrap().unsubscribe(2);
    world.turn();
    world.commit(back("1.1", 20_100, 500));
    world.wait(1_500);
    world.check(id, View::PRICES);
}

#[test]
fn a_lost_frame_is_noticed_and_caught_up() {
    let mut world = World::new();
    world.commit(back("1.1", 20_000, 500));
    let id = world.follow("all", View::FULL, 0);
    world.wait(1_500);
    // The frame of this commit is lost on the way.
    let commit = Commit { published_ms: 1, markets: vec![back("1.1", 20_200, 700)] };
    let committed = world.store.commit(&commit).unwrap();
    world.fanout.handle_commit(world.now_ms, &world.store, &committed);
    world.now_ms += 20;
    world.fanout.handle_timeout(world.now_ms, &world.store);
    while world.shard.poll(world.now_ms, &mut world.fanout, &world.store).is_some() {}
    world.shard.ready(id);
    world.commit(back("1.1", 20_400, 900));
    world.wait(20);
    let client = &world.clients[&id];
    assert_eq!(client.stats().gaps, 1);
    assert!(client.is_synced());
    let market = client.markets(world.now_ms).next().unwrap().market;
    assert_eq!(market.cells(View::FULL), world.store.markets().next().unwrap().cells(View::FULL));
    assert_eq!(client.stats().snapshots, 1, "a catch-up was enough");
}

#[test]
fn a_snapshot_is_never_of_an_earlier_life_of_the_group() {
    let mut world = World::new();
    world.commit(back("1.1", 20_000, 500));
    let first = world.follow("all", View::FULL, 0);
    world.cut(first);
    // Nobody follows the market while it changes, so nothing is flushed.
    world.commit(back("1.1", 20_000, 900));
    let second = world.follow("all", View::FULL, 0);
    world.check(second, View::FULL);
}

#[test]
fn the_published_time_is_right_whatever_the_view_does_not_show() {
    let mut world = World::new();
    world.commit(status("1.1", MarketStatus::Open));
    for tick in 0..3 {
        world.commit(back("1.1", 20_000 - tick * 200, 500));
    }
    let id = world.follow("all", View::PRICES, 0);
    for step in 0..40u64 {
        // Deep rungs and amounts change, which prices do not show; now and then the best price does.
        world.commit(back("1.1", 19_600, 100 + step));
        world.wait(70);
        if step % 10 == 9 {
            world.commit(back("1.1", 20_200 + step as u32 * 200, 100));
            world.wait(20);
            let held = world.store.markets().next().unwrap().published_ms();
            let shown = world.clients[&id].markets(world.now_ms).next().unwrap().market.published_ms();
            assert_eq!(shown, held / 10 * 10, "after {step} steps");
        }
    }
}

#[test]
fn the_published_time_is_right_when_a_producers_clock_is_behind_anothers() {
    let mut world = World::new();
    world.commit(status("1.1", MarketStatus::Open));
    let id = world.follow("all", View::FULL, 1_000);
    let mut apply = |published_ms, update| {
        let commit = Commit { published_ms, markets: vec![update] };
        let committed = world.store.commit(&commit).unwrap();
        world.fanout.handle_commit(world.now_ms, &world.store, &committed);
    };
    // Somebody's clock is an hour ahead; then a suspension with the right time is flushed at once, ahead of the others.
    apply(1_700_003_600_000, back("1.1", 20_000, 500));
    apply(1_700_000_000_010, status("1.1", MarketStatus::Suspended));
    world.turn();
    let held = world.store.markets().next().unwrap().published_ms();
    let shown = world.clients[&id].markets(world.now_ms).next().unwrap().market.published_ms();
    assert_eq!((held, shown), (1_700_000_000_010, 1_700_000_000_010));
}
