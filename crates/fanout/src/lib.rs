//! Who gets what, when: groups, rate classes, encode-once frames, catch-ups.
//!
//! A **baseline** is the state of a market that every live receiver of a rate class holds. A **flush** compares the
//! store with the baselines, encodes each change once per view, joins the pieces to one frame per **group** (receivers
//! with the same subscriptions) and moves the baselines on. A receiver who is not live (new, slow, back from a
//! tunnel) gets one **catch-up** from his cursor to the baselines, and is live again. There are no queues.
//!
//! ```text
//!   commit ─► dirty markets ─► flush ─► pieces (market × view) ─► frames (group) ─► every live member, by reference
//!                                └────► baselines ◄──── catch-up from a cursor ◄──── members that are not live
//! ```
//!
//! The work is split so that it can be spread over threads. [`Fanout`] owns what is shared: it works out changes,
//! encodes them and says what to do ([`Output`]). A [`Shard`] owns the chains of frames of a part of the connections: it
//! gathers each group's frame from the ready pieces, offers it to the group's connections, and reports who has fallen
//! behind ([`Report`]). [`LocalShard`] is both in one thread.
//!
//! What this crate deliberately does not know: sockets, clocks, threads, TLS, tokens. Time comes in as milliseconds on
//! a clock that only grows; what must be sent comes out of [`Fanout::poll_output`].

mod catch_up;
mod class;
mod connection;
mod fanout;
mod flush;
mod frame;
mod group;
mod heartbeat;
mod lane;
mod local;
mod number_set;
mod output;
mod request;
mod rush;
mod shard;
mod topics;
mod urgent;

pub use class::RATES_MS;
pub use connection::{ConnectionId, MAX_CONTROL_FRAMES};
pub use fanout::{Fanout, FanoutConfig, FanoutStats};
pub use flush::Flush;
pub use frame::{Batch, Envelope, Letter};
pub use group::GroupId;
pub use heartbeat::Heartbeat;
pub use local::{Delivery, LocalShard};
pub use output::{Attach, Output, Report};
pub use shard::{FLUSHES_PER_SEND, Lines, Shard, ShardStats};
