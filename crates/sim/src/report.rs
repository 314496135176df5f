//! What a simulation did, and how it failed.

use crate::fault::{FAULTS, Fault};

/// What one seed did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Virtual time that passed.
    pub virtual_ms: u64,
    /// Events that happened.
    pub events: u64,
    /// Commits that stores took.
    pub commits: u64,
    /// Frames that clients applied.
    pub frames: u64,
    /// Markets compared with the history.
    pub checks: u64,
    /// Those of them that were compared cell by cell.
    pub cell_checks: u64,
    /// Status edges compared with the history.
    pub edges: u64,
    /// Connections made.
    pub connections: u64,
    /// Subscriptions resumed with a catch-up.
    pub resumes: u64,
    /// Snapshots applied.
    pub snapshots: u64,
    /// Times that clients noticed a loss or a change that did not fit.
    pub gaps: u64,
    /// Digests that clients compared.
    pub digests: u64,
    /// Digests that did not agree.
    pub digest_mismatches: u64,
    /// Connections given up because of what a frame held.
    pub frames_refused: u64,
    /// Errors that gateways told clients.
    pub refusals: u64,
    /// Logs that began anew under a client.
    pub epochs_changed: u64,
    /// Times that a client noticed silence.
    pub stale: u64,
    /// What was wrong at the end after bits had been flipped, beyond what digests cover.
    pub flips_left: u64,
    /// How often each kind of fault struck, in the order of [`Fault::ALL`].
    pub faults: [u64; FAULTS],
    /// A number that only the same run has.
    pub hash: u64,
}

impl Report {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            virtual_ms: 0,
            events: 0,
            commits: 0,
            frames: 0,
            checks: 0,
            cell_checks: 0,
            edges: 0,
            connections: 0,
            resumes: 0,
            snapshots: 0,
            gaps: 0,
            digests: 0,
            digest_mismatches: 0,
            frames_refused: 0,
            refusals: 0,
            epochs_changed: 0,
            stale: 0,
            flips_left: 0,
            faults: [0; FAULTS],
            hash: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// How often a kind of fault struck.
    pub fn count(&self, fault: Fault) -> u64 {
        self.faults[fault as usize]
    }

    pub(crate) fn mix(&mut self, value: u64) {
        self.hash = (self.hash.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

/// Something that must not happen, happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "seed {seed} at {virtual_ms} ms: {what}\n\
     replay: ODDSWIRE_SEED={seed} cargo test --test simulation replay -- --nocapture"
)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// Virtual time since the beginning.
    pub virtual_ms: u64,
    /// What it was.
    pub what: String,
}
