//! What a producer can see of its link.

use super::error::{ImagesNeeded, ProducerClientError};

/// What the link tells its producer.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// Every sequence up to this one was acknowledged, refused, or dropped together with the log it was meant for.
    pub(super) settled: u64,
    pub(super) revision: u64,
    pub(super) epoch: u64,
    pub(super) held: bool,
    pub(super) refused: u64,
    pub(super) reconnects: u64,
    /// Number of notices so far, and the latest of them.
    pub(super) notices: u64,
    pub(super) notice: Option<ImagesNeeded>,
    /// Number of logs that the server has begun while this producer lived.
    pub(super) generation: u64,
    pub(super) failure: Option<ProducerClientError>,
}
