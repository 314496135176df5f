//! A wire that can be cut.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
    time::sleep,
};

/// Passes bytes on to a server until it is cut; what was under way is lost then.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    wiring: Arc<Wiring>,
}

struct Wiring {
    target: Mutex<Option<SocketAddr>>,
    wires: Mutex<Vec<AbortHandle>>,
    /// Whether bytes pass from the producer to the server, and from the server to the producer.
    up: AtomicBool,
    down: AtomicBool,
}

impl Proxy {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let wiring = Arc::new(Wiring {
            target: Mutex::new(Some(target)),
            wires: Mutex::new(Vec::new()),
            up: AtomicBool::new(true),
            down: AtomicBool::new(true),
        });
        let proxy = Self { address, wiring: wiring.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Some(target) = *wiring.target.lock().unwrap() else { continue };
                let wire = tokio::spawn(wiring.clone().connect(client, target));
                wiring.wires.lock().unwrap().push(wire.abort_handle());
            }
        });
        proxy
    }

    /// Cuts every connection that stands; new ones may be made.
    pub(crate) fn cut(&self) {
        for wire in self.wiring.wires.lock().unwrap().drain(..) {
            wire.abort();
        }
        self.pass(true, true);
    }

    /// Cuts every connection and leads new ones elsewhere, or nowhere.
    pub(crate) fn lead_to(&self, target: Option<SocketAddr>) {
        *self.wiring.target.lock().unwrap() = target;
        self.cut();
    }

    /// Lets bytes pass or stand, each way.
    pub(crate) fn pass(&self, up: bool, down: bool) {
        self.wiring.up.store(up, Ordering::SeqCst);
        self.wiring.down.store(down, Ordering::SeqCst);
    }
}

impl Wiring {
    async fn connect(self: Arc<Self>, mut client: TcpStream, target: SocketAddr) {
        let Ok(mut server) = TcpStream::connect(target).await else { return };
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::select! {
            () = copy(from_client, to_server, &self.up) => {}
            () = copy(from_server, to_client, &self.down) => {}
        }
    }
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, open: &AtomicBool) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        while !open.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(1)).await;
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
