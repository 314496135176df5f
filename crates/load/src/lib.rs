//! Thousands of receivers in one process, which measure a server and check what it says.
//!
//! [`run`] connects them, publishes a feed if asked to, cuts and slows some of them, and returns a [`Summary`]:
//! latencies from commit to applied, how long a reconnect storm takes, what the server costs per message. A share of
//! the receivers verifies: they hold every market, compare digests, and must end with exactly what an undisturbed
//! receiver holds and what was published. The others follow the chain of frames, which is cheap. So a server that is
//! fast because it is wrong does not pass.
//!
//! What this crate deliberately does not know: terminals, arguments, how the server works inside. It speaks the
//! protocol, and looks at the server's process through the system.
//!
//! ```no_run
//! use std::sync::atomic::AtomicBool;
//! use oddswire_load::{LoadConfig, PublishConfig, run};
//!
//! # fn main() -> anyhow::Result<()> {
//! let mut config = LoadConfig::new("ws://127.0.0.1:8080");
//! config.publish =
//!     Some(PublishConfig { url: "http://127.0.0.1:7410".to_owned(), markets: 200, rate: 5.0, suspend_every: None });
//! let summary = run(&config, &AtomicBool::new(false), &mut |_| {})?;
//! assert!(summary.ok, "{:?}", summary.failures);
//! println!("{summary}");
//! # Ok(())
//! # }
//! ```

mod brought;
mod chain;
mod clock;
mod config;
mod connection;
mod crew;
mod head;
mod judge;
mod ledger;
mod limits;
mod mix;
mod part;
mod process;
mod progress;
mod publisher;
mod random;
mod receiver;
mod run;
mod summary;
mod table;
mod tally;
mod target;
mod watch;
mod websocket;
mod worker;

pub use config::{LoadConfig, MARKETS_EACH_MAX, PublishConfig, VERIFIERS_MAX, VERIFY_SHARE};
pub use mix::{Mix, MixEntry};
pub use progress::{Progress, Stage};
pub use run::run;
pub use summary::{
    ClientFigures, Connections, KindLatency, LatencyClock, Load, PublisherFigures, Round, Said,
    ServerFigures, StormFigures, Summary, Verification,
};
pub use tally::{Counts, Distribution};
