//! Betfair Exchange Stream recordings as commits.
//!
//! [`Recording`] reads the messages of a file, whatever it is packed with. [`Adapter`] turns each message into a
//! [`Commit`](oddswire_model::Commit). [`Recording::commits`] does both.
//!
//! The adapter does not keep the books: a message says what changed, and so does a commit. It remembers only what
//! a later message cannot be read without, which is the tables behind the venue's numbered levels.
//!
//! ```no_run
//! use oddswire_feeds::betfair::Recording;
//!
//! let mut commits = Recording::open("1.242971311.bz2")?.commits();
//! for commit in commits.by_ref() {
//!     println!("{} markets changed", commit?.markets.len());
//! }
//! println!("{:?}", commits.stats());
//! # Ok::<(), oddswire_feeds::betfair::RecordingError>(())
//! ```

mod adapter;
mod commits;
mod definition;
mod draft;
mod error;
mod level_table;
mod levels;
mod market_state;
mod message;
mod names;
mod number;
mod parse;
mod price_ladder;
mod recording;
mod source;
mod status;
mod text;

pub use adapter::Adapter;
pub use commits::Commits;
pub use error::RecordingError;
pub use message::{LevelPriceSize, MarketChange, Message, PriceSize, Row, RunnerChange};
pub use number::Number;
pub use recording::{Recording, RecordingStats};
