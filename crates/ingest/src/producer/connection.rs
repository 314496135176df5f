//! One connection to the server, from hello to welcome.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Streaming, transport::Endpoint};

use super::{config::ProducerConfig, error::ProducerClientError};
use crate::proto::{
    self, PublishRequest, PublishResponse, Welcome, ingest_service_client::IngestServiceClient,
    publish_request::Message, publish_response,
};

/// A server that does not welcome a producer within this time is stuck; it has 5 s for the hello itself.
const WELCOME_WITHIN: Duration = Duration::from_secs(10);

/// A stream on which the server has said welcome.
#[derive(Debug)]
pub(super) struct Connection {
    /// Unbounded, so that the link never stops listening while the server does not take more; what can stand in it
    /// is bounded by the window.
    outbound: mpsc::UnboundedSender<PublishRequest>,
    pub(super) inbound: Streaming<PublishResponse>,
    pub(super) welcome: Welcome,
}

impl Connection {
    pub(super) async fn open(
        endpoint: &Endpoint,
        config: &ProducerConfig,
    ) -> Result<Self, ProducerClientError> {
        let url = &config.url;
        let channel =
            endpoint.connect().await.map_err(|error| ProducerClientError::connecting(url, &error))?;
        let (outbound, messages) = mpsc::unbounded_channel();
        let hello = proto::Hello {
            producer: config.producer.clone(),
            producer_epoch: config.producer_epoch,
            interval_ms: config.interval_ms,
            recorded: config.recorded,
        };
        let _ = outbound.send(PublishRequest { message: Some(Message::Hello(hello)) });
        let greeting = async {
            let mut client = IngestServiceClient::new(channel);
            let mut inbound = client.publish(UnboundedReceiverStream::new(messages)).await?.into_inner();
            let first = inbound.message().await?;
            Ok((inbound, first.and_then(|response| response.message)))
        };
        let stuck = || ProducerClientError::Unreachable {
            url: url.clone(),
            cause: format!("the server has not answered the hello within {} s", WELCOME_WITHIN.as_secs()),
        };
        let greeted = timeout(WELCOME_WITHIN, greeting).await.map_err(|_| stuck())?;
        let (inbound, first) = greeted.map_err(|status| ProducerClientError::unwelcome(url, &status))?;
        match first {
            Some(publish_response::Message::Welcome(welcome)) => Ok(Self { outbound, inbound, welcome }),
            _ => Err(ProducerClientError::NotIngest {
                url: url.clone(),
                cause: "its first message is not a welcome".to_owned(),
            }),
        }
    }

    /// Says that nothing more comes; the responses may go on.
    pub(super) fn hang_up(self) -> Streaming<PublishResponse> {
        self.inbound
    }

    /// Sends, or does not when the stream has just ended; reading says so next.
    pub(super) fn send(&self, message: Message) {
        let _ = self.outbound.send(PublishRequest { message: Some(message) });
    }

    pub(super) fn send_heartbeat(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.send(Message::Heartbeat(proto::Heartbeat { now_ms: now.as_millis() as u64 }));
    }
}
