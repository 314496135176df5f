//! What a client session reports.

use oddswire_delta::MarketDelta;
use oddswire_model::{Epoch, MarketId, MarketNumber, Revision, StatusEdge};
use oddswire_wire::proto::{Conflation, ErrorCode, ResyncReason};

/// What became of a cursor on a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResumeOutcome {
    /// The subscription is new: snapshots follow.
    Fresh,
    /// A catch-up follows: only what changed.
    CaughtUp,
    /// The log has begun anew; everything was dropped and snapshots follow.
    EpochChanged,
    /// The cursor was older than the resume horizon; snapshots follow.
    TooOld,
}

/// Something that happened in a client session, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The gateway has answered the hello.
    Welcomed {
        /// The feed's epoch.
        epoch: Epoch,
        /// Name of the session in the server's logs.
        session: String,
    },
    /// A subscription was taken.
    Subscribed {
        /// Which one.
        subscription: u32,
        /// The rate that was given.
        rate_ms: u32,
        /// How many markets it names now.
        markets: u32,
        /// What became of the cursor.
        resume: ResumeOutcome,
    },
    /// A market came into view, or was sent again.
    Snapshot {
        /// Its number.
        market: MarketNumber,
    },
    /// A market changed.
    Changed {
        /// What changed.
        change: Box<MarketDelta>,
        /// Whether and why several changes became one.
        conflated: Conflation,
    },
    /// What a market's status read as at a revision; every edge is reported once, in order, before the change that holds it.
    Status {
        /// The market.
        market: MarketNumber,
        /// The edge.
        edge: StatusEdge,
    },
    /// A market has left.
    Removed {
        /// Its number.
        market: MarketNumber,
        /// Its id.
        id: MarketId,
    },
    /// Frames were lost; everything since the cursor was asked for.
    Gap,
    /// Something did not fit and the market was asked for again.
    Resyncing {
        /// The market.
        market: MarketNumber,
        /// Why.
        reason: ResyncReason,
    },
    /// Everything that was asked for is here, up to this revision.
    Synced {
        /// The cursor's revision.
        revision: Revision,
    },
    /// The gateway has been silent for too long; everything reads as stale.
    Stale,
    /// The gateway asks to move.
    Drain {
        /// Wait this long before reconnecting.
        reconnect_after_ms: u32,
    },
    /// The gateway reports an error.
    Refused {
        /// Its code.
        code: ErrorCode,
        /// Its sentence.
        message: String,
        /// The subscription it is about, 0 when about none.
        subscription: u32,
    },
}
