//! Links: a connection as the two ends and the line between them.

use bytes::Bytes;
use oddswire_fanout::ConnectionId;

use crate::{disorder::Disorder, random::Random};

/// Names a link for as long as the simulation lasts.
pub(crate) type LinkNumber = u64;

/// One connection between a client and a gateway.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: usize,
    /// Which life of the gateway it belongs to.
    pub(crate) gateway_life: u64,
    /// The gateway's end, while it has one.
    pub(crate) gateway_end: Option<ConnectionId>,
    /// The client's end is there.
    pub(crate) client_end: bool,
    /// Deliveries that the gateway's socket has not got rid of yet.
    pub(crate) unsent: usize,
    /// The client reads nothing until then.
    pub(crate) stalled_until_ms: u64,
    /// When the line is free for the next byte.
    line_free_ms: u64,
    /// A frame cannot arrive before the one ahead of it.
    last_down_ms: u64,
    last_up_ms: u64,
    latency_ms: u64,
    bytes_per_ms: u64,
    /// What has not come through, or not yet.
    pub(crate) disorder: Disorder,
}

impl Link {
    /// `is_wide`: for snapshots so large that a narrow line would take longer for them than a gateway may be silent.
    ///
    /// What the gateway says before the client's end stands waits for it.
    pub(crate) fn new(
        now_ms: u64,
        client: usize,
        gateway_life: u64,
        is_wide: bool,
        random: &mut Random,
    ) -> Self {
        let bytes_per_ms = *random.pick(&[32, 100, 500, 10_000]);
        let latency_ms = *random.pick(&[1, 5, 20, 60, 200]);
        Self {
            client,
            gateway_life,
            gateway_end: None,
            client_end: true,
            unsent: 0,
            stalled_until_ms: 0,
            line_free_ms: 0,
            last_down_ms: now_ms + 2 * latency_ms,
            last_up_ms: 0,
            latency_ms,
            bytes_per_ms: if is_wide { bytes_per_ms.max(500) } else { bytes_per_ms },
            disorder: Disorder::default(),
        }
    }

    pub(crate) fn latency_ms(&self) -> u64 {
        self.latency_ms
    }

    /// When the socket has taken these frames.
    pub(crate) fn push(&mut self, now_ms: u64, frames: &[Bytes]) -> u64 {
        let bytes: usize = frames.iter().map(Bytes::len).sum();
        let begins_ms = now_ms.max(self.line_free_ms).max(self.stalled_until_ms);
        self.line_free_ms = begins_ms + bytes as u64 / self.bytes_per_ms;
        self.unsent += 1;
        self.line_free_ms
    }

    /// When a frame that left at a time arrives.
    pub(crate) fn arrival(&mut self, left_ms: u64, extra_ms: u64) -> u64 {
        self.last_down_ms = (left_ms + self.latency_ms + extra_ms).max(self.last_down_ms);
        self.last_down_ms
    }

    /// When a client's message arrives that it sends now.
    pub(crate) fn upload(&mut self, now_ms: u64, extra_ms: u64) -> u64 {
        self.last_up_ms = (now_ms + self.latency_ms + extra_ms).max(self.last_up_ms);
        self.last_up_ms
    }
}
