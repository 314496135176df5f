//! Publishing: pipelined, refused in part, repeated, fenced.

use std::time::{Duration, Instant};

use oddswire_ingest::{Producer, ProducerClientError, ProducerConfig, proto};
use oddswire_model::{Commit, MarketId, MarketUpdate, Revision, View};
use proto::{PublishRequest, publish_request::Message, publish_response};
use tokio_stream::iter;
use tonic::Code;

use crate::{
    markets::{MARKETS, change, expected, id, refusable},
    server::Server,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_commits_are_pipelined_and_acknowledged() {
    const COMMITS: u64 = 2_000;
    let server = Server::start().await;
    let mut producer = Producer::connect(server.config(1)).await.unwrap();
    let begun = Instant::now();
    for step in 1..=COMMITS {
        assert_eq!(producer.publish(&change(step % MARKETS, step)).await.unwrap(), step);
    }
    assert_eq!(producer.flush().await.unwrap(), Revision(COMMITS));
    let rate = COMMITS as f64 / begun.elapsed().as_secs_f64();
    println!("{rate:.0} commits a second");
    let expected = expected(COMMITS);
    let owned = server.owned();
    for number in 0..MARKETS {
        let market = owned.store.market_by_id(&id(number)).unwrap();
        assert!(market.shows_same(expected.market_by_id(&id(number)).unwrap(), View::FULL));
    }
}

#[tokio::test]
async fn a_refused_commit_leaves_the_others_alone() {
    let server = Server::start().await;
    let mut producer = Producer::connect(server.config(1)).await.unwrap();
    for step in 1..=100 {
        let commit = if step % 10 == 5 { refusable(1) } else { change(1, step) };
        producer.publish(&commit).await.unwrap();
    }
    assert_eq!(producer.flush().await.unwrap(), Revision(90));
    let refusals = producer.take_refusals();
    let sequences: Vec<_> = refusals.iter().map(|refusal| refusal.sequence).collect();
    assert_eq!(sequences, [5, 15, 25, 35, 45, 55, 65, 75, 85, 95]);
    assert_eq!(
        refusals[0].to_string(),
        "commit 5 was refused: market 1.1, Back: odds of 10000 ten-thousandths are not above 1.0"
    );
    assert_eq!((producer.refused(), producer.take_refusals().len()), (10, 0));
}

#[tokio::test]
async fn a_commit_that_cannot_be_read_is_refused_and_uses_its_sequence_up() {
    let server = Server::start().await;
    let ladder =
        proto::LadderUpdate { field: 32, replace: false, prices: vec![20_000, 20_200], volumes: vec![1] };
    let selection = proto::SelectionUpdate { id: 7, ladders: vec![ladder], ..Default::default() };
    let bad = proto::MarketUpdate { market: "1.1".into(), selections: vec![selection], ..Default::default() };
    let commit = |sequence, market: Option<proto::MarketUpdate>| {
        let markets =
            market.map_or_else(|| proto::Commit::from(&change(1, sequence)).markets, |market| vec![market]);
        Message::Commit(proto::Commit { sequence, published_ms: 1, markets })
    };
    let said = [hello(1), commit(1, None), commit(2, Some(bad)), commit(3, None), commit(0, None)];
    let said = said.map(|message| PublishRequest { message: Some(message) });
    let mut heard = server.raw().await.publish(iter(said)).await.unwrap().into_inner();
    let (mut acknowledged, mut refused) = (0, Vec::new());
    while let Some(response) = heard.message().await.unwrap() {
        match response.message.unwrap() {
            publish_response::Message::Ack(ack) => acknowledged = ack.sequence,
            publish_response::Message::Refused(one) => refused.push(one),
            publish_response::Message::Welcome(_) => {}
        }
    }
    assert_eq!(acknowledged, 3);
    assert_eq!(
        (refused[0].sequence, refused[0].market.as_str(), refused[0].field.as_str()),
        (2, "1.1", "Back")
    );
    assert!(refused[0].reason.starts_with("2 prices stand beside 1 volumes"), "{}", refused[0].reason);
    assert_eq!((refused[1].sequence, refused[1].field.as_str()), (0, "sequence"));
    let owned = server.owned();
    assert_eq!(owned.store.producer("feed").unwrap().last_sequence, 3);
}

#[tokio::test]
async fn a_repeated_sequence_applies_once() {
    let server = Server::start().await;
    let commit = |sequence, step| {
        let commit = proto::Commit { sequence, ..proto::Commit::from(&change(1, step)) };
        PublishRequest { message: Some(Message::Commit(commit)) }
    };
    let hello = PublishRequest { message: Some(hello(1)) };
    for _ in 0..2 {
        let said = [hello.clone(), commit(1, 10), commit(1, 10), commit(4, 11), commit(1, 10)];
        let mut heard = server.raw().await.publish(iter(said)).await.unwrap().into_inner();
        let mut last = None;
        while let Some(response) = heard.message().await.unwrap() {
            last = response.message;
        }
        let Some(publish_response::Message::Ack(ack)) = last else { panic!("{last:?}") };
        assert_eq!((ack.revision, ack.level), (2, proto::AckLevel::Accepted as i32));
    }
    assert_eq!(server.owned().store.revision(), Revision(2));
    assert_eq!(server.owned().seen, 8);
}

#[tokio::test]
async fn a_fenced_start_is_cut_and_told_what_to_do() {
    let server = Server::start().await;
    let mut old = Producer::connect(server.config(1)).await.unwrap();
    old.publish(&change(1, 1)).await.unwrap();
    old.flush().await.unwrap();
    let mut new = Producer::connect(server.config(2)).await.unwrap();
    assert_eq!(new.publish(&change(1, 2)).await.unwrap(), 1, "a new start begins its own sequence");
    new.flush().await.unwrap();
    old.publish(&change(1, 3)).await.unwrap();
    let error = old.flush().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "producer epoch 1 is fenced off: epoch 2 has announced itself; only the newest start may publish; stop this \
         start of the producer, or give it a higher producer epoch"
    );
    assert_eq!(old.publish(&change(1, 4)).await.unwrap_err(), error, "a failure is final");
    assert!(matches!(Producer::connect(server.config(1)).await, Err(ProducerClientError::Fenced { .. })));
    new.publish(&change(1, 5)).await.unwrap();
    assert_eq!(new.flush().await.unwrap(), Revision(3));

    let said = iter([PublishRequest { message: Some(hello(1)) }]);
    let status = server.raw().await.publish(said).await.unwrap().into_inner().message().await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_window_of_one_goes_step_by_step() {
    let server = Server::start().await;
    let mut producer = Producer::connect(ProducerConfig { window: 1, ..server.config(1) }).await.unwrap();
    for step in 1..=50 {
        producer.publish(&change(1, step)).await.unwrap();
        assert!(server.owned().store.revision().0 >= step - 1);
    }
    assert_eq!(producer.close().await.unwrap(), Revision(50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_before_closing_arrives_though_the_process_ends() {
    let server = Server::start().await;
    let config = ProducerConfig { background_heartbeat: false, ..server.config(1) };
    let process = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut producer = Producer::connect(config).await.unwrap();
            for _ in 0..1_000 {
                producer.heartbeat().unwrap();
            }
            producer.close().await.unwrap();
        });
    });
    tokio::task::spawn_blocking(|| process.join().unwrap()).await.unwrap();
    server.until(|owned| owned.heartbeats == 1_000).await;
}

#[tokio::test]
async fn a_commit_larger_than_a_message_is_not_sent() {
    let server = Server::start().await;
    let mut producer = Producer::connect(server.config(1)).await.unwrap();
    let mut update = MarketUpdate::new(MarketId::new("1.1").unwrap());
    update
        .attributes
        .push(("name".into(), Some(oddswire_model::AttributeValue::Text("x".repeat(1 << 22).into()))));
    let error = producer.publish(&Commit { published_ms: 1, markets: vec![update] }).await.unwrap_err();
    assert!(matches!(error, ProducerClientError::TooLarge { .. }), "{error}");
    assert_eq!(producer.publish(&change(1, 1)).await.unwrap(), 1, "it has used no sequence up");
    producer.flush().await.unwrap();
}

#[tokio::test]
async fn a_producer_is_heard_though_it_has_nothing_to_say() {
    let server = Server::start().await;
    let config = ProducerConfig { interval_ms: 100, ..server.config(1) };
    let _heard = Producer::connect(config.clone()).await.unwrap();
    let silent = ProducerConfig { background_heartbeat: false, producer: "silent".into(), ..config };
    let mut silent = Producer::connect(silent).await.unwrap();
    let begun = Instant::now();
    server.until(|owned| owned.heartbeats == 4).await;
    assert!(begun.elapsed() >= Duration::from_millis(250), "one heartbeat an interval, from one of the two");
    for _ in 0..100 {
        silent.heartbeat().unwrap();
    }
    silent.close().await.unwrap();
    server.until(|owned| owned.heartbeats >= 104).await;
}

pub(crate) fn hello(producer_epoch: u64) -> Message {
    Message::Hello(proto::Hello { producer: "feed".into(), producer_epoch, ..Default::default() })
}
