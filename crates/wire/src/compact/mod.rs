//! The compact encoding of cells: entropy-coded with static probabilities.
//!
//! Every decision that describes a change ("which rung?", "how much?") is a symbol of a `layout` table, in a `context`
//! that both ends work out from what they hold and from what was read before. A [`Model`] says how likely each symbol is,
//! and the `coder` spends as many bits as that is worth. There is no state between frames: a piece decodes for
//! anybody who is at its base, and is encoded once for all of them.
//!
//! docs/protocol.md, clauses [COMPACT-1] to [COMPACT-9], is normative; this module follows it clause by clause.

pub(crate) mod coder;
mod context;
mod decode;
mod encode;
pub(crate) mod layout;
pub(crate) mod lead;
pub(crate) mod model;
pub(crate) mod number;
mod trainer;
mod training;

pub(crate) use coder::{SymbolReader, Symbols, Writer};
pub(crate) use decode::{cells_max, decode};
pub(crate) use encode::{Against, encode};
pub use lead::{Lead, LeadHead, LeadReader};
pub use model::{Counts, Model, ModelError, ModelId, TableCost};
pub use training::count;
