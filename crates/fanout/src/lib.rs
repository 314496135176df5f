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
//! What this crate deliberately does not know: sockets, clocks, threads, TLS, tokens. Time comes in as milliseconds on
//! a clock that only grows; what must be sent comes out of [`Fanout::poll_output`].
//!
//! ```
//! use oddswire_fanout::{Fanout, FanoutConfig};
//!
//! let mut fanout = Fanout::new(FanoutConfig::default());
//! let connection = fanout.connect(0);
//! assert!(fanout.poll_output().is_none(), "the client speaks first");
//! fanout.disconnect(connection);
//! ```

mod baseline;
mod catch_up;
mod connection;
mod fanout;
mod flush;
mod group;
mod output;
mod request;
mod urgent;

pub use baseline::RATES_MS;
pub use connection::{ConnectionId, MAX_CONTROL_FRAMES};
pub use fanout::{Fanout, FanoutConfig, FanoutStats};
pub use output::Output;
