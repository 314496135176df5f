//! The current state of every market of one feed.
//!
//! [`Store::commit`] takes one atomic batch of changes, refuses it whole or applies it whole, and gives it the next
//! revision. Everything that receivers ever need is answered from the state alone: cells carry the revision of
//! their last change, so "what changed after revision r" has an answer for every r inside the horizon.
//!
//! What this crate deliberately does not know: who listens, frames, networks, clocks, where the log is kept.
//!
//! ```
//! use oddswire_model::{Commit, Epoch, Field, MarketId, MarketStatus, MarketUpdate, Topic};
//! use oddswire_store::Store;
//!
//! let mut store = Store::new(Epoch(7));
//! let mut update = MarketUpdate::new(MarketId::new("1.23").unwrap());
//! update.fields.push((Field::Status, MarketStatus::Open as u64));
//! let committed = store.commit(&Commit { published_ms: 1, markets: vec![update] }).unwrap();
//! assert_eq!(committed.revision.0, 1);
//! assert_eq!(store.members(&Topic::All).count(), 1);
//! ```

mod apply;
mod producer;
mod refusal;
mod store;
mod topics;
mod validate;

pub use producer::{ProducerError, ProducerState, Published};
pub use refusal::{Reason, Refusal};
pub use store::{Committed, HorizonError, MAX_MARKETS, Removal, Store};
pub use validate::{
    MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES, MAX_CHANGES_PER_COMMIT, MAX_MARKETS_PER_COMMIT, MAX_RUNGS,
};
