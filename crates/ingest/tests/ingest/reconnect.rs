//! Connections that break, servers that restart, markets that are held.

use std::time::Duration;

use oddswire_ingest::{ImagesNeeded, Producer, ProducerClientError, ProducerConfig};
use oddswire_model::{Epoch, MarketStatus, Revision, View};
use tokio::time::{sleep, timeout};

use crate::{
    markets::{MARKETS, change, expected, id, image},
    proxy::Proxy,
    server::Server,
};

fn through(proxy: &Proxy, server: &Server) -> ProducerConfig {
    ProducerConfig { url: proxy.address.to_string(), seed: 3, ..server.config(1) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_again_and_again_nothing_is_lost_and_nothing_is_applied_twice() {
    const COMMITS: u64 = 3_000;
    let server = Server::start().await;
    let proxy = Proxy::to(server.address).await;
    let mut producer =
        Producer::connect(ProducerConfig { window: 64, ..through(&proxy, &server) }).await.unwrap();
    for step in 1..=COMMITS {
        producer.publish(&change(step % MARKETS, step)).await.unwrap();
        if step % 300 == 0 {
            proxy.cut();
        }
    }
    assert_eq!(producer.flush().await.unwrap(), Revision(COMMITS));
    assert!(producer.reconnects() >= 5, "{} reconnects", producer.reconnects());
    let expected = expected(COMMITS);
    let owned = server.owned();
    assert_eq!(owned.store.revision(), Revision(COMMITS));
    for number in 0..MARKETS {
        let market = owned.store.market_by_id(&id(number)).unwrap();
        assert!(market.shows_same(expected.market_by_id(&id(number)).unwrap(), View::FULL));
    }
}

#[tokio::test]
async fn commits_whose_acknowledgement_was_lost_are_repeated_and_apply_once() {
    let server = Server::start().await;
    let proxy = Proxy::to(server.address).await;
    let mut producer = Producer::connect(through(&proxy, &server)).await.unwrap();
    proxy.pass(true, false);
    for step in 1..=50 {
        producer.publish(&change(1, step)).await.unwrap();
    }
    server.until(|owned| owned.seen == 50).await;
    proxy.cut();
    assert_eq!(producer.flush().await.unwrap(), Revision(50));
    let owned = server.owned();
    assert_eq!((owned.seen, owned.store.revision()), (100, Revision(50)));
}

#[tokio::test]
async fn commits_that_were_lost_on_their_way_are_sent_again() {
    let server = Server::start().await;
    let proxy = Proxy::to(server.address).await;
    let mut producer = Producer::connect(through(&proxy, &server)).await.unwrap();
    proxy.pass(false, true);
    for step in 1..=50 {
        producer.publish(&change(1, step)).await.unwrap();
    }
    sleep(Duration::from_millis(50)).await;
    proxy.cut();
    assert_eq!(producer.flush().await.unwrap(), Revision(50));
    assert_eq!(server.owned().seen, 50);
}

#[tokio::test]
async fn a_restart_around_the_same_store_goes_on_where_it_was() {
    let server = Server::start().await;
    let proxy = Proxy::to(server.address).await;
    let mut producer = Producer::connect(through(&proxy, &server)).await.unwrap();
    for step in 1..=100 {
        producer.publish(&change(1, step)).await.unwrap();
    }
    let server = server.restart().await;
    for step in 101..=200 {
        producer.publish(&change(1, step)).await.unwrap();
    }
    proxy.lead_to(Some(server.address));
    assert_eq!(producer.flush().await.unwrap(), Revision(200));
    assert_eq!(server.owned().store.revision(), Revision(200));
}

#[tokio::test]
async fn a_server_with_a_new_log_gets_images_and_none_of_the_old_changes() {
    let (old, new) = (Server::start_epoch(7).await, Server::start_epoch(8).await);
    let proxy = Proxy::to(old.address).await;
    let config = ProducerConfig { window: 50, ..through(&proxy, &old) };
    let mut producer = Producer::connect(config).await.unwrap();
    producer.publish(&image(1)).await.unwrap();
    producer.flush().await.unwrap();
    proxy.lead_to(None);
    for step in 1..=50 {
        producer.publish(&change(1, step)).await.unwrap();
    }
    proxy.lead_to(Some(new.address));
    let needed = ImagesNeeded::NewEpoch { from: Epoch(7), to: Epoch(8) };
    assert_eq!(producer.flush().await, Err(ProducerClientError::ImagesNeeded(needed)));
    assert!(new.owned().store.is_empty(), "a change without its image must not make half a market");
    assert_eq!(producer.epoch(), Epoch(8));
    producer.publish(&image(1)).await.unwrap();
    producer.publish(&change(1, 51)).await.unwrap();
    assert_eq!(producer.flush().await.unwrap(), Revision(2));
    let owned = new.owned();
    assert_eq!(owned.store.market_by_id(&id(1)).unwrap().status(), MarketStatus::Open);
    assert_eq!(owned.seen, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_the_log_changes_the_first_thing_the_new_one_sees_is_an_image() {
    let mut server = Server::start_epoch(1).await;
    let proxy = Proxy::to(server.address).await;
    let mut producer = Producer::connect(through(&proxy, &server)).await.unwrap();
    producer.publish(&image(1)).await.unwrap();
    for epoch in 2..12 {
        let next = Server::start_epoch(epoch).await;
        proxy.lead_to(Some(next.address));
        for step in 1.. {
            match producer.publish(&change(1, step)).await {
                Ok(_) => {}
                Err(ProducerClientError::ImagesNeeded(_)) => break,
                Err(error) => panic!("{error}"),
            }
        }
        producer.publish(&image(1)).await.unwrap();
        producer.publish(&change(1, 1)).await.unwrap();
        assert_eq!(producer.flush().await.unwrap(), Revision(2));
        assert_eq!(next.owned().seen, 2);
        server.shut_down().await.unwrap();
        server = next;
    }
}

#[tokio::test]
async fn a_producer_whose_markets_were_held_is_told_and_can_release_them() {
    let server = Server::start().await;
    let mut producer = Producer::connect(server.config(1)).await.unwrap();
    producer.publish(&image(1)).await.unwrap();
    producer.flush().await.unwrap();
    {
        let mut owned = server.owned();
        owned.store.hold_producer("feed").unwrap();
        owned.streams["feed"].cut("silent for 3 s; its markets are held");
    }
    let told = async {
        loop {
            match producer.heartbeat() {
                Ok(()) => sleep(Duration::from_millis(5)).await,
                Err(error) => return error,
            }
        }
    };
    let told = timeout(Duration::from_secs(5), told).await.unwrap();
    assert_eq!(told, ProducerClientError::ImagesNeeded(ImagesNeeded::Held));
    assert!(producer.is_held());
    producer.publish(&image(1)).await.unwrap();
    producer.resync_complete().unwrap();
    producer.close().await.unwrap();
    server.until(|owned| !owned.store.producer("feed").unwrap().held).await;
    assert_eq!(server.owned().store.market_by_id(&id(1)).unwrap().status(), MarketStatus::Open);
}

#[tokio::test]
async fn a_stream_that_was_replaced_ends_under_its_own_number() {
    let server = Server::start().await;
    let proxy = Proxy::to(server.address).await;
    let mut producer = Producer::connect(through(&proxy, &server)).await.unwrap();
    let first = server.owned().streams["feed"].id();
    proxy.cut();
    while producer.reconnects() == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    producer.publish(&change(1, 1)).await.unwrap();
    producer.flush().await.unwrap();
    assert_ne!(server.owned().streams["feed"].id(), first);
    server.until(|owned| owned.gone == [first]).await;
}

#[tokio::test]
async fn patience_has_an_end_and_a_waiting_caller_is_woken() {
    let server = Server::start().await;
    let proxy = Proxy::to(server.address).await;
    let give_up_after = Duration::from_millis(300);
    let config = ProducerConfig { give_up_after, window: 2, ..through(&proxy, &server) };
    let mut producer = Producer::connect(config).await.unwrap();
    proxy.lead_to(None);
    let lost = async {
        loop {
            if let Err(error) = producer.publish(&change(1, 1)).await {
                return error;
            }
        }
    };
    let lost = timeout(Duration::from_secs(10), lost).await.unwrap();
    assert!(matches!(lost, ProducerClientError::Lost { .. }), "{lost}");
    assert_eq!(producer.flush().await, Err(lost));
}

#[tokio::test]
async fn patience_is_for_one_outage_not_for_all_of_them_together() {
    let server = Server::start().await;
    let proxy = Proxy::to(server.address).await;
    let config = ProducerConfig { give_up_after: Duration::from_millis(800), ..through(&proxy, &server) };
    let mut producer = Producer::connect(config).await.unwrap();
    for outage in 1..=4 {
        proxy.cut();
        while producer.reconnects() < outage {
            producer.heartbeat().unwrap();
            sleep(Duration::from_millis(5)).await;
        }
        sleep(Duration::from_millis(300)).await;
    }
    producer.publish(&change(1, 1)).await.unwrap();
    producer.flush().await.unwrap();
}

#[tokio::test]
async fn two_processes_with_one_producer_epoch_are_noticed() {
    let server = Server::start().await;
    let proxy = Proxy::to(server.address).await;
    let mut one = Producer::connect(through(&proxy, &server)).await.unwrap();
    let mut two = Producer::connect(server.config(1)).await.unwrap();
    for step in 1..=5 {
        two.publish(&change(1, step)).await.unwrap();
    }
    two.flush().await.unwrap();
    proxy.cut();
    let noticed = async {
        loop {
            match one.heartbeat() {
                Ok(()) => sleep(Duration::from_millis(5)).await,
                Err(error) => return error,
            }
        }
    };
    let noticed = timeout(Duration::from_secs(5), noticed).await.unwrap();
    assert_eq!(noticed, ProducerClientError::SharedEpoch { theirs: 5, ours: 0 });
}
