//! Pure functions over market state.
//!
//! * [`diff`]: what takes a receiver who holds exactly the baseline to the target.
//! * [`catch_up`]: what takes a receiver who holds at least revision `since` to the target. It needs no baseline:
//!   cells know when they last changed.
//! * [`snapshot`]: everything, for a receiver who holds nothing.
//! * [`conflate`]: two deltas in a row become one.
//! * [`apply`] and [`start`]: the receiver's side. A delta that does not fit is refused, never guessed.
//!
//! The laws, proven by property tests in `tests/laws.rs`: `apply(a, diff(a, b)) == b` in every view; conflating and
//! then applying equals applying in order; applying a catch-up twice equals applying it once; a wrong base is refused.
//!
//! What this crate deliberately does not know: bytes, how revisions are assigned, who receives what.
//!
//! ```
//! use oddswire_delta::{MarketDelta, apply, diff, snapshot, start};
//! use oddswire_model::{CellKey, Field, Market, MarketId, MarketNumber, Revision, View};
//!
//! let mut market = Market::new(MarketNumber(0), MarketId::new("1.23").unwrap(), Revision(1));
//! let mut change = MarketDelta::default();
//! snapshot(&market, View::FULL, &mut change);
//! let mut mirror = start(&change).unwrap();
//!
//! let baseline = market.clone();
//! market.set(CellKey::market(Field::InPlay), 1, Revision(2));
//! diff(&baseline, &market, View::FULL, &mut change);
//! apply(&mut mirror, &change).unwrap();
//! assert!(mirror.shows_same(&market, View::FULL));
//! assert!(apply(&mut mirror, &change).is_err(), "its base has passed");
//! ```

mod apply;
mod conflate;
mod delta;
mod diff;

pub use apply::{ApplyError, apply, start};
pub use conflate::{ConflateError, conflate};
pub use delta::{AttributeChange, Base, MarketDelta};
pub use diff::{catch_up, diff, snapshot};
