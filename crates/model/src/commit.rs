//! Commits: what a producer says, in the producer's words.

use std::sync::Arc;

use crate::{AttributeValue, Field, MarketId, Price, SelectionKey};

/// One atomic batch of changes. Receivers see all of it or none of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Commit {
    /// When the producer published it, milliseconds since 1970 in UTC.
    pub published_ms: u64,
    /// The markets it touches. A market may stand here several times; the updates apply in order.
    pub markets: Vec<MarketUpdate>,
}

/// What a commit says about one market.
#[derive(Debug, Clone, PartialEq)]
pub struct MarketUpdate {
    /// Which market; one never heard of before comes into being.
    pub id: MarketId,
    /// An image: every price and amount that the update does not name is gone afterwards.
    /// Statuses, in-play, the price ladder and attributes are not prices and stay.
    pub image: bool,
    /// The definition is complete: attributes of the market, and attributes and one-value facts (status, starting price,
    /// reduction factor) of the selections that stand here, are gone if they are not named.
    pub complete_definition: bool,
    /// Market fields and their new values (0 removes).
    pub fields: Vec<(Field, u64)>,
    /// Attributes and their new values (`None` removes).
    pub attributes: Vec<(Arc<str>, Option<AttributeValue>)>,
    /// What it says about selections.
    pub selections: Vec<SelectionUpdate>,
}

impl MarketUpdate {
    /// An update that says nothing yet.
    pub fn new(id: MarketId) -> Self {
        Self {
            id,
            image: false,
            complete_definition: false,
            fields: Vec::new(),
            attributes: Vec::new(),
            selections: Vec::new(),
        }
    }
}

/// What a commit says about one selection.
#[derive(Debug, Clone, PartialEq)]
pub struct SelectionUpdate {
    /// Which selection; one never heard of before comes into being.
    pub key: SelectionKey,
    /// One-value fields and their new values (0 removes).
    pub fields: Vec<(Field, u64)>,
    /// Attributes and their new values (`None` removes).
    pub attributes: Vec<(Arc<str>, Option<AttributeValue>)>,
    /// Ladders.
    pub ladders: Vec<LadderUpdate>,
}

impl SelectionUpdate {
    /// An update that says nothing yet.
    pub fn new(key: SelectionKey) -> Self {
        Self { key, fields: Vec::new(), attributes: Vec::new(), ladders: Vec::new() }
    }
}

/// What a commit says about one ladder.
#[derive(Debug, Clone, PartialEq)]
pub struct LadderUpdate {
    /// Which ladder.
    pub field: Field,
    /// Every rung that the update does not name is gone afterwards.
    pub replace: bool,
    /// Prices and their new amounts in cents (0 removes).
    pub rungs: Vec<(Price, u64)>,
}
