//! Producers that do not keep to the rules, and servers that go down.

use std::time::{Duration, Instant};

use oddswire_ingest::{Producer, ProducerClientError, ServeError, limits, proto};
use oddswire_model::Revision;
use proto::{PublishRequest, PublishResponse, publish_request::Message, publish_response};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::{markets::change, publish::hello, server::Server};

type Outbound = mpsc::UnboundedSender<PublishRequest>;

async fn open(server: &Server) -> (Outbound, Streaming<PublishResponse>) {
    let (outbound, messages) = mpsc::unbounded_channel();
    let inbound = server.raw().await.publish(UnboundedReceiverStream::new(messages)).await.unwrap();
    (outbound, inbound.into_inner())
}

fn say(outbound: &Outbound, message: Option<Message>) {
    outbound.send(PublishRequest { message }).unwrap();
}

fn commit(sequence: u64) -> Option<Message> {
    Some(Message::Commit(proto::Commit { sequence, ..proto::Commit::from(&change(1, sequence)) }))
}

/// The status that ends a stream, and the last sequence acknowledged before it.
async fn end(mut inbound: Streaming<PublishResponse>) -> (u64, Status) {
    let mut acknowledged = 0;
    loop {
        match inbound.message().await {
            Ok(Some(PublishResponse { message: Some(publish_response::Message::Ack(ack)) })) => {
                acknowledged = ack.sequence;
            }
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended well"),
            Err(status) => return (acknowledged, status),
        }
    }
}

#[tokio::test]
async fn the_first_message_must_be_a_good_hello() {
    let server = Server::start().await;
    let named = |producer: &str, interval_ms| {
        Some(Message::Hello(proto::Hello {
            producer: producer.into(),
            producer_epoch: 1,
            interval_ms,
            recorded: false,
        }))
    };
    let bad = [
        (None, "the first message of a stream must be a hello"),
        (commit(1), "the first message of a stream must be a hello"),
        (named("", 0), "a producer needs a name"),
        (named("a\tb", 0), "a producer's name holds a control character"),
        (named(&"x".repeat(65), 0), "a producer's name of 65 bytes is too long; the limit is 64"),
        (
            named("feed", 99),
            "an interval of 99 ms is out of range; it is 100 to 60000 ms, or 0 for the default",
        ),
    ];
    for (message, sentence) in bad {
        let (outbound, inbound) = open(&server).await;
        say(&outbound, message);
        let (_, status) = end(inbound).await;
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, sentence));
    }
    assert!(server.owned().streams.is_empty());
}

#[tokio::test]
async fn a_late_hello_is_not_waited_for() {
    let server = Server::start().await;
    let begun = Instant::now();
    let (_outbound, inbound) = open(&server).await;
    let (_, status) = end(inbound).await;
    assert_eq!((status.code(), status.message()), (Code::DeadlineExceeded, "no hello within 5 s"));
    assert!(begun.elapsed() >= limits::HELLO_WITHIN);
}

#[tokio::test]
async fn what_came_before_a_bad_message_is_acknowledged() {
    let server = Server::start().await;
    for (producer_epoch, (bad, code)) in
        (1..).zip([(Some(hello(1)), Code::InvalidArgument), (None, Code::InvalidArgument)])
    {
        let (outbound, inbound) = open(&server).await;
        say(&outbound, Some(hello(producer_epoch)));
        say(&outbound, commit(1));
        say(&outbound, commit(2));
        say(&outbound, bad);
        let (acknowledged, status) = end(inbound).await;
        assert_eq!((acknowledged, status.code()), (2, code), "{status}");
    }
    server.until(|owned| owned.gone.len() == 2).await;
}

#[tokio::test]
async fn a_stream_that_was_cut_is_not_read_any_further() {
    let server = Server::start().await;
    let (outbound, mut inbound) = open(&server).await;
    say(&outbound, Some(hello(1)));
    inbound.message().await.unwrap();
    server.owned().streams["feed"].cut("silent for 3 s");
    let status = inbound.message().await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Aborted, "silent for 3 s"));
    server.until(|owned| owned.gone.len() == 1).await;
    drop((outbound, inbound));
}

#[tokio::test]
async fn an_oversize_message_ends_the_stream_with_a_sentence() {
    let server = Server::start().await;
    let (outbound, inbound) = open(&server).await;
    say(&outbound, Some(hello(1)));
    say(&outbound, commit(1));
    let attribute = proto::Attribute {
        name: "name".into(),
        value: Some(proto::attribute::Value::Text("x".repeat(limits::MAX_MESSAGE_BYTES))),
    };
    let market =
        proto::MarketUpdate { market: "1.1".into(), attributes: vec![attribute], ..Default::default() };
    say(
        &outbound,
        Some(Message::Commit(proto::Commit { sequence: 2, published_ms: 1, markets: vec![market] })),
    );
    let (acknowledged, status) = end(inbound).await;
    assert_eq!((acknowledged, status.code()), (1, Code::OutOfRange));
    assert!(status.message().ends_with("split the commit"), "{status}");
    assert_eq!(server.owned().store.producer("feed").unwrap().last_sequence, 1);
}

#[tokio::test]
async fn a_shutdown_acknowledges_what_was_taken_and_asks_to_come_again() {
    let server = Server::start().await;
    let (outbound, mut inbound) = open(&server).await;
    say(&outbound, Some(hello(1)));
    inbound.message().await.unwrap();
    for sequence in 1..=300 {
        say(&outbound, commit(sequence));
    }
    server.until(|owned| owned.seen > 0).await;
    let ended = tokio::spawn(end(inbound));
    let server = server.restart().await;
    let (acknowledged, status) = ended.await.unwrap();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "the server is going down; connect again")
    );
    assert_eq!(
        server.owned().store.revision(),
        Revision(acknowledged),
        "all that was applied was acknowledged"
    );
}

#[tokio::test]
async fn a_watcher_of_health_does_not_hold_a_shutdown_up_for_ever() {
    let server = Server::start().await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(server.channel().await);
    let request = tonic_health::pb::HealthCheckRequest { service: "oddswire.ingest.v1.IngestService".into() };
    let mut watched = health.watch(request).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status, 1);
    let begun = Instant::now();
    let down = tokio::spawn(server.shut_down());
    assert_eq!(watched.message().await.unwrap().unwrap().status, 2, "it is told");
    down.await.unwrap().unwrap();
    assert!(begun.elapsed() < limits::SHUTDOWN_WITHIN + Duration::from_secs(2));
}

#[tokio::test]
async fn a_server_whose_store_is_gone_ends_and_says_so() {
    let server = Server::start().await;
    let (outbound, mut inbound) = open(&server).await;
    say(&outbound, Some(hello(1)));
    inbound.message().await.unwrap();
    assert!(matches!(server.lose_owner().await, Err(ServeError::OwnerGone)));
    assert_eq!(end(inbound).await.1.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_producer_says_what_to_do_when_nothing_or_somebody_else_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let config = oddswire_ingest::ProducerConfig::new(format!("http://{address}"), "feed", 1);
    let error = Producer::connect(config.clone()).await.unwrap_err();
    let expected = format!("nothing answers at http://{address}; start `oddswire serve` or check --to");
    assert_eq!(error.to_string(), expected);

    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", other.local_addr().unwrap());
    let health = tonic_health::server::health_reporter().1;
    let incoming = tonic::transport::server::TcpIncoming::from(other);
    tokio::spawn(tonic::transport::Server::builder().add_service(health).serve_with_incoming(incoming));
    let error =
        Producer::connect(oddswire_ingest::ProducerConfig { url, ..config.clone() }).await.unwrap_err();
    assert!(matches!(error, ProducerClientError::NotIngest { .. }), "{error}");
}
