//! The nouns of a betting market.
//!
//! A **market** is a set of **cells**: (selection, field, price) -> value. Every cell carries the **revision**
//! at which it last changed; a removed cell stays as a **tombstone** until the resume horizon has passed.
//! That is all the state Oddswire knows, and everything else (deltas, conflation, resume, filtering)
//! is a question put to it.
//!
//! What this crate deliberately does not know: bytes, clocks, sockets, who assigns revisions, who listens.
//!
//! ```
//! use oddswire_model::{CellKey, Field, Market, MarketId, MarketNumber, Price, Revision, SelectionKey, SelectionId, Handicap};
//!
//! let mut market = Market::new(MarketNumber(0), MarketId::new("1.23").unwrap(), Revision(1));
//! let runner = SelectionKey { id: SelectionId(47972), handicap: Handicap::NONE };
//! let number = market.add_selection(runner, Revision(1)).unwrap();
//! let price = Price::from_decimal(2.5).unwrap();
//! market.set(CellKey::rung(number, Field::Back, price), 12_34, Revision(2));
//! assert_eq!(market.get(CellKey::rung(number, Field::Back, price)), 12_34);
//! assert_eq!(market.revision(), Revision(2));
//! ```

mod attribute;
mod cell;
mod change_log;
mod commit;
mod digest;
mod ids;
mod ladder;
mod market;
mod price;
mod selection;
mod split_mix;
mod status;
mod topic;
mod view;
mod volume;

pub use attribute::{Attribute, AttributeValue, Attributes, name};
pub use cell::{CellChange, CellKey, Field, FieldKind};
pub use change_log::{CHANGES_KEPT, ChangedCells};
pub use commit::{Commit, LadderUpdate, MarketUpdate, SelectionUpdate};
pub use digest::{Digest, hash32};
pub use ids::{
    Cursor, Epoch, Handicap, IdError, MarketId, MarketNumber, Revision, SelectionId, SelectionKey,
    SelectionNumber,
};
pub use ladder::{Ladder, Rung, Tombstone};
pub use market::{LimitError, MAX_SELECTIONS, Market, STATUS_EDGES_KEPT, StatusEdge};
pub use price::{Price, PriceLadder};
pub use selection::Selection;
pub use split_mix::split_mix;
pub use status::{MarketStatus, SelectionStatus};
pub use topic::{Topic, TopicError};
pub use view::{Depth, View, ViewError};
pub use volume::Volume;
