//! A server with a small owner around a real store.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use oddswire_ingest::{
    Accepted, Announced, IngestRequest, ProducerConfig, ServeError, StreamHandle, StreamId, proto, serve,
};
use oddswire_model::{Commit, Epoch};
use oddswire_store::{ProducerError, Published, Store};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tonic::transport::Channel;

/// What the owner keeps, for tests to look at.
pub(crate) struct Owned {
    pub(crate) store: Store,
    pub(crate) streams: HashMap<Arc<str>, StreamHandle>,
    pub(crate) gone: Vec<StreamId>,
    pub(crate) heartbeats: usize,
    /// Commits that came, repeated ones included.
    pub(crate) seen: usize,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    owned: Arc<Mutex<Owned>>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), ServeError>>,
    owner: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_epoch(7).await
    }

    pub(crate) async fn start_epoch(epoch: u64) -> Self {
        let owned = Owned {
            store: Store::new(Epoch(epoch)),
            streams: HashMap::new(),
            gone: Vec::new(),
            heartbeats: 0,
            seen: 0,
        };
        Self::around(Arc::new(Mutex::new(owned))).await
    }

    async fn around(owned: Arc<Mutex<Owned>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, inbox) = mpsc::channel(256);
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(serve(listener, requests, async { drop(stopped.await) }));
        let owner = tokio::spawn(own(owned.clone(), inbox));
        Self { address, owned, stop, serving, owner }
    }

    /// Goes down in order and comes up again elsewhere with the same store.
    pub(crate) async fn restart(self) -> Self {
        let owned = self.owned.clone();
        self.shut_down().await.unwrap();
        Self::around(owned).await
    }

    pub(crate) async fn shut_down(self) -> Result<(), ServeError> {
        let _ = self.stop.send(());
        self.serving.await.unwrap()
    }

    /// The owner dies and drops what it has not looked at.
    pub(crate) async fn lose_owner(self) -> Result<(), ServeError> {
        self.owner.abort();
        self.serving.await.unwrap()
    }

    pub(crate) fn owned(&self) -> MutexGuard<'_, Owned> {
        self.owned.lock().unwrap()
    }

    /// Waits until something holds: a request that was handed on is answered a little later.
    pub(crate) async fn until(&self, holds: impl Fn(&Owned) -> bool) {
        let waited = timeout(Duration::from_secs(10), async {
            while !holds(&self.owned()) {
                sleep(Duration::from_millis(2)).await;
            }
        });
        waited.await.expect("it should have come to hold within 10 s");
    }

    pub(crate) fn config(&self, producer_epoch: u64) -> ProducerConfig {
        ProducerConfig::new(self.address.to_string(), "feed", producer_epoch)
    }

    pub(crate) async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    pub(crate) async fn raw(&self) -> proto::ingest_service_client::IngestServiceClient<Channel> {
        proto::ingest_service_client::IngestServiceClient::new(self.channel().await)
    }
}

async fn own(owned: Arc<Mutex<Owned>>, mut inbox: mpsc::Receiver<IngestRequest>) {
    while let Some(request) = inbox.recv().await {
        owned.lock().unwrap().answer(request);
    }
}

impl Owned {
    fn answer(&mut self, request: IngestRequest) {
        match request {
            IngestRequest::Announce { producer, producer_epoch, interval_ms, stream, reply, .. } => {
                let epoch = self.store.epoch();
                let announced = self.store.announce_producer(&producer, producer_epoch).map(|state| {
                    Announced { epoch, last_sequence: state.last_sequence, interval_ms, held: state.held }
                });
                if announced.is_ok() {
                    self.streams.insert(producer, stream);
                }
                let _ = reply.send(announced);
            }
            IngestRequest::Publish { producer, producer_epoch, sequence, commit, reply } => {
                self.seen += 1;
                reply.answer(self.publish(&producer, producer_epoch, sequence, &commit));
            }
            IngestRequest::Skip { producer, producer_epoch, sequence, reply } => {
                reply.answer(self.publish(&producer, producer_epoch, sequence, &Commit::default()));
            }
            IngestRequest::Heartbeat { .. } => self.heartbeats += 1,
            IngestRequest::ResyncComplete { producer, .. } => {
                self.store.release_producer(&producer);
            }
            IngestRequest::Gone { stream, .. } => self.gone.push(stream),
        }
    }

    fn publish(
        &mut self,
        producer: &str,
        producer_epoch: u64,
        sequence: u64,
        commit: &Commit,
    ) -> Result<Accepted, ProducerError> {
        let published = self.store.publish(producer, producer_epoch, sequence, commit)?;
        Ok(Accepted::in_memory(match published {
            Published::Applied(committed) => committed.revision,
            Published::Repeated(revision) => revision,
        }))
    }
}
