//! The gRPC service: one conversation and one stream of responses for each call.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::Stream;
use tokio::sync::{Semaphore, mpsc, watch};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    conversation::Conversation,
    limits::MAX_STREAMS,
    proto::{PublishRequest, PublishResponse, ingest_service_server::IngestService},
    request::{IngestRequest, StreamId},
    responses::Responses,
};

/// Answers the calls of producers.
pub(crate) struct Service {
    requests: mpsc::Sender<IngestRequest>,
    stopping: watch::Receiver<bool>,
    streams: Arc<Semaphore>,
    next: AtomicU64,
}

impl Service {
    pub(crate) fn new(requests: mpsc::Sender<IngestRequest>, stopping: watch::Receiver<bool>) -> Self {
        Self { requests, stopping, streams: Arc::new(Semaphore::new(MAX_STREAMS)), next: AtomicU64::new(1) }
    }
}

#[tonic::async_trait]
impl IngestService for Service {
    type PublishStream = Pin<Box<dyn Stream<Item = Result<PublishResponse, Status>> + Send>>;

    async fn publish(
        &self,
        request: Request<Streaming<PublishRequest>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        let Ok(place) = self.streams.clone().try_acquire_owned() else {
            return Err(Status::resource_exhausted(format!(
                "{MAX_STREAMS} streams are open; the server is full"
            )));
        };
        let id = StreamId(self.next.fetch_add(1, Ordering::Relaxed));
        let (outcomes, received) = mpsc::unbounded_channel();
        let (requests, stopping) = (self.requests.clone(), self.stopping.clone());
        let conversation = Conversation::new(id, request.into_inner(), requests, outcomes, stopping);
        // Headers go back before the hello arrives, because many clients open a stream before they write to it.
        tokio::spawn(async move {
            conversation.run().await;
            drop(place);
        });
        Ok(Response::new(Box::pin(Responses::new(received).into_stream())))
    }
}
