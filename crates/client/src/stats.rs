//! Counters.

use oddswire_session::SessionStats;

/// Counters of a client since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientStats {
    /// What was received and applied, over all connections.
    pub session: SessionStats,
    /// Attempts to connect.
    pub attempts: u64,
    /// Attempts that came to nothing.
    pub failed_attempts: u64,
    /// Connections on which the gateway said welcome.
    pub welcomes: u64,
    /// Connections that ended, for whatever reason.
    pub disconnects: u64,
    /// Those given up because the gateway was silent.
    pub silent: u64,
    /// Those given up because what came could not be read.
    pub malformed: u64,
    /// Those that the gateway ended with an error.
    pub refused: u64,
    /// Times the gateway asked to move.
    pub drains: u64,
}
