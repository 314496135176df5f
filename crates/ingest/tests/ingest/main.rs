//! The ingest service and its producer, on real sockets around a real store.

mod discovery;
mod markets;
mod protocol;
mod proxy;
mod publish;
mod reconnect;
mod server;
