//! Where the frames of each connection go.

use std::collections::HashMap;

use oddswire_fanout::ConnectionId;
use oddswire_gateway::Command;
use tokio::sync::mpsc;

/// The command channels of all connections.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    channels: HashMap<ConnectionId, mpsc::Sender<Command>>,
}

impl Connections {
    pub(crate) fn insert(&mut self, id: ConnectionId, commands: mpsc::Sender<Command>) {
        self.channels.insert(id, commands);
    }

    pub(crate) fn remove(&mut self, id: ConnectionId) {
        self.channels.remove(&id);
    }

    /// Hands a command over without waiting; says whether the connection is still there to take it.
    pub(crate) fn command(&self, id: ConnectionId, command: Command) -> bool {
        self.channels.get(&id).is_some_and(|commands| commands.try_send(command).is_ok())
    }
}
