//! Putting the parts together.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use oddswire_gateway::{GatewayCounters, Shards};
use oddswire_model::{Commit, Revision};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use tracing::{error, info};

use crate::{
    config::ServerConfig,
    engine::{Engine, Inboxes, LocalRequest, REQUESTS_WAITING_MAX, Report},
    engine_metrics::EngineMetrics,
    metrics,
};

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// Where clients connect.
    pub http: SocketAddr,
    /// Where producers connect.
    pub grpc: SocketAddr,
    /// Where Prometheus scrapes; `None` while there is no such listener.
    pub metrics: Option<SocketAddr>,
    gateway: GatewayCounters,
    engine_metrics: Arc<EngineMetrics>,
    local: mpsc::Sender<LocalRequest>,
    phase: watch::Sender<Phase>,
    tasks: Vec<JoinHandle<()>>,
}

/// Phases of a server's life, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// New clients are not taken; those there are asked to move, and producers go on.
    Draining,
    Stopped,
}

impl Server {
    /// Binds both listeners and starts the engine.
    ///
    /// # Errors
    /// When an address cannot be had; the message names it and says what to do.
    pub async fn start(config: &ServerConfig) -> anyhow::Result<Self> {
        config.check()?;
        let http = bind(config.http.listen, "http.listen (--http)").await?;
        let grpc = bind(config.grpc.listen, "grpc.listen (--grpc)").await?;
        let (http_address, grpc_address) = (http.local_addr()?, grpc.local_addr()?);
        let metrics = match config.metrics.listen {
            Some(address) => metrics::bind(address).await,
            None => None,
        };
        let metrics_address = metrics.as_ref().map(TcpListener::local_addr).transpose()?;
        let (ingest_requests, ingest) = mpsc::channel(REQUESTS_WAITING_MAX);
        let (http_requests, http_inbox) = mpsc::channel(REQUESTS_WAITING_MAX);
        let (local, local_requests) = mpsc::channel(REQUESTS_WAITING_MAX);
        let (phase, phases) = watch::channel(Phase::Serving);

        let (shards, door) = Shards::start(config.shards()).context("cannot start the shards' threads")?;
        let gateway = shards.counters();
        let engine = Engine::new(config.engine(), shards);
        let engine_metrics = engine.metrics();
        let inboxes = Inboxes { ingest, http: http_inbox, local: local_requests };
        let gateway_config = config.gateway();
        let until = |from: Phase, mut phases: watch::Receiver<Phase>| async move {
            // An error means that the server is gone, which is a stop as well.
            let _ = phases.wait_for(|&phase| phase >= from).await;
        };
        // A client that was asked to move must not find the way back.
        let gateway_stopped = until(Phase::Draining, phases.clone());
        let ingest_stopped = until(Phase::Stopped, phases);
        let mut tasks = vec![
            tokio::spawn(engine.run(inboxes)),
            tokio::spawn(oddswire_gateway::serve(http, http_requests, door, gateway_config, gateway_stopped)),
            tokio::spawn(async move {
                if let Err(problem) = oddswire_ingest::serve(grpc, ingest_requests, ingest_stopped).await {
                    error!(error = %problem, "producers cannot publish any more");
                }
            }),
        ];
        if let Some(address) = config.metrics.listen {
            tasks.push(tokio::spawn(metrics::serve(metrics, address, local.clone())));
        }
        info!(http = %http_address, grpc = %grpc_address, "serving");
        Ok(Self {
            http: http_address,
            grpc: grpc_address,
            metrics: metrics_address,
            gateway,
            engine_metrics,
            local,
            phase,
            tasks,
        })
    }

    /// Applies a commit of an embedded source.
    ///
    /// # Errors
    /// When the store refuses it, or the engine is gone.
    pub async fn commit(&self, commit: Commit) -> anyhow::Result<Revision> {
        let (reply, answer) = oneshot::channel();
        let request = LocalRequest::Commit { commit: Box::new(commit), reply };
        self.local.send(request).await.context("the engine has stopped")?;
        Ok(answer.await.context("the engine has stopped")??)
    }

    /// Figures of the engine.
    ///
    /// # Errors
    /// When the engine is gone.
    pub async fn report(&self) -> anyhow::Result<Report> {
        let (reply, answer) = oneshot::channel();
        self.local.send(LocalRequest::Report { reply }).await.context("the engine has stopped")?;
        answer.await.context("the engine has stopped")
    }

    /// The counters of all connections, to be read at any time.
    pub fn counters(&self) -> GatewayCounters {
        self.gateway.clone()
    }

    /// What the engine measures of itself, to be read at any time.
    pub fn engine_metrics(&self) -> Arc<EngineMetrics> {
        Arc::clone(&self.engine_metrics)
    }

    /// Asks every client to move, spread over a time; new ones are not taken any more.
    ///
    /// # Errors
    /// When the engine is gone.
    pub async fn drain(&self, spread_ms: u32) -> anyhow::Result<()> {
        // Only a server without tasks has no receiver.
        let _ = self.phase.send(Phase::Draining);
        self.local.send(LocalRequest::Drain { spread_ms }).await.context("the engine has stopped")
    }

    /// Stops at once: listeners close, connections end.
    pub async fn stop(self) {
        // Only a server without tasks has no receiver.
        let _ = self.phase.send(Phase::Stopped);
        for task in &self.tasks {
            task.abort();
        }
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

async fn bind(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; is another server running there? choose another address with {setting}")
    })
}
