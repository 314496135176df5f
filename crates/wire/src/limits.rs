//! Limits of the protocol. Both ends hold the other to them.

/// Longest message from a client: the longest subscribe with 32 topics of 80 bytes fits.
pub const CLIENT_MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// Most topics of one subscribe.
pub const TOPICS_MAX: usize = 32;
/// Most markets of one resync; a client that lost more asks again or resumes.
pub const RESYNC_MARKETS_MAX: usize = 512;
/// Most subscriptions of one session.
pub const SUBSCRIPTIONS_MAX: usize = 500;
/// Longest frame to a client: the full image of the largest recorded market (1.4 MB of JSON for 200 markets) is
/// about 100 KB; 1 MiB leaves a factor of ten.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Frames that carry many markets are cut at about this size, so that a slow line shows something early.
pub const FRAME_BYTES_TARGET: usize = 64 * 1024;
/// Most frames that may belong together by `more`; with [`FRAME_BYTES_MAX`] it bounds what a receiver keeps unapplied.
pub const FRAMES_JOINED_MAX: usize = 16;
/// Longest agent name in bytes.
pub const AGENT_BYTES_MAX: usize = 64;
/// Longest token in bytes.
pub const TOKEN_BYTES_MAX: usize = 3 * 1024;
/// Telemetry reports of a client per minute in the long run; one that follows the protocol sends two.
pub const REPORTS_PER_MINUTE: u32 = 6;
/// Telemetry reports of a client at once: the first of a connection, and one that the application asks for.
pub const REPORTS_BURST: u32 = 3;
/// Greatest number in a report. A client applies at most 100 frames a second, 3,000 between two reports; 65,535 leave a
/// factor of twenty, and six such reports a minute cannot make a counter wrap in 89,000 years.
pub const REPORT_COUNT_MAX: u32 = 65_535;
/// Longest delay in a histogram's sum; what is longer counts as this. One hour.
pub const REPORT_DELAY_MS_MAX: u64 = 3_600_000;
/// Upper bounds of the buckets of delays, in milliseconds; one bucket more holds what is longer.
pub const DELAY_BOUNDS_MS: [u64; 13] =
    [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000];
/// Bits of the sequence that a frame carries. Transports deliver in order, and every heartbeat names the whole
/// sequence, so two bits tell a lost frame from the next one.
pub const SEQUENCE_BITS: u32 = 2;
/// The bits of a sequence that a frame carries.
pub const SEQUENCE_MASK: u32 = (1 << SEQUENCE_BITS) - 1;
/// Longest string that travels as a variable-length number: seven groups of seven bits. Eight groups are as long as the
/// field of bytes that says the same, and every receiver's number type holds 49 bits exactly.
pub const LEAD_VARINT_BITS_MAX: u32 = 49;
/// Amounts are below this, so that every receiver's number type holds them exactly.
pub const AMOUNT_END: u64 = 1 << 53;
