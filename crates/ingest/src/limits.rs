//! What the service allows, and why that much.

use std::time::Duration;

/// Largest message, decoded. An image of 200 markets is about 0.6 MB as JSON and less than that here,
/// so this is at least six such images; a commit that needs more is split.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// A stream that has not said hello after this long is closed. Three lost SYNs' worth of retries (1 + 2 s) fit.
pub const HELLO_WITHIN: Duration = Duration::from_secs(5);

/// Longest name of a producer in bytes; as long as a market id, for the same reason: it is repeated in errors.
pub const MAX_PRODUCER_BYTES: usize = 64;

/// The interval of a producer that does not ask for one.
pub const DEFAULT_INTERVAL_MS: u32 = 1_000;
/// The shortest interval: ten heartbeats a second of 1,024 producers are 10,000 messages a second, a tenth of a core.
pub const MIN_INTERVAL_MS: u32 = 100;
/// The longest interval: three of them are the longest that a dead producer's prices read as bettable.
pub const MAX_INTERVAL_MS: u32 = 60_000;

/// Commits of one stream that wait for their outcome, in KiB of encoded size (every commit counts for at least one).
/// 16 MiB are 16,384 small commits, which is 160 ms of 100,000 commits a second, or four of the largest.
pub const IN_FLIGHT_KIB: usize = 16 * 1024;

/// Streams open at once; as many as a store knows producers.
pub const MAX_STREAMS: usize = 1_024;
/// Streams of one connection: one publishes, the others are health checks and reflection.
pub const MAX_STREAMS_PER_CONNECTION: u32 = 16;
/// Header list of one call. gRPC needs about 300 bytes; an 8 KiB token fits.
pub const MAX_HEADER_LIST_BYTES: u32 = 16 * 1024;
/// Streams that a peer reset before they were looked at, and streams that were reset because the peer misbehaved;
/// past either the connection is closed. No honest producer comes near twice the streams it may open.
pub const MAX_RESET_STREAMS: usize = 2 * MAX_STREAMS_PER_CONNECTION as usize;

/// HTTP/2 window of a stream: at 20 ms round trip, 1 MiB lets 50 MB/s through. The default of 64 KiB lets 3 MB/s.
pub const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// HTTP/2 window of a connection: two streams at full speed.
pub const CONNECTION_WINDOW_BYTES: u32 = 2 * STREAM_WINDOW_BYTES;

/// A connection that is quiet for this long is asked whether it is alive.
pub const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
/// A connection that does not answer for this long is dead. Its producer is noticed to be gone after 15 s at most;
/// its markets are held long before, by its own interval.
pub const KEEPALIVE_WITHIN: Duration = Duration::from_secs(5);

/// How long a shutdown waits for outcomes to be acknowledged and for streams to end.
pub const SHUTDOWN_WITHIN: Duration = Duration::from_secs(5);
