//! Attributes: the definition of a market or a selection (names, start times, rules).
//!
//! They change seldom, so they are named by text. Each carries the revision of its last change like a cell does.

use std::sync::Arc;

use crate::Revision;

/// Names of attributes that Oddswire itself reads; feeds may send any others beside them.
pub mod name {
    /// The fixture (match, race meeting) of a market; makes the topic `fixture/ID`.
    pub const FIXTURE: &str = "fixture";
    /// The competition; makes the topic `competition/ID`.
    pub const COMPETITION: &str = "competition";
    /// The sport; makes the topic `sport/ID`.
    pub const SPORT: &str = "sport";
    /// The type of market; makes the topic `type/NAME`.
    pub const MARKET_TYPE: &str = "market_type";
    /// What people call the market or the selection.
    pub const NAME: &str = "name";
    /// When the fixture starts, ISO 8601 in UTC.
    pub const START_TIME: &str = "start_time";
    /// Position of a selection on screen.
    pub const SORT_PRIORITY: &str = "sort_priority";
    /// Name of the fixture.
    pub const FIXTURE_NAME: &str = "fixture_name";
    /// Name of the competition.
    pub const COMPETITION_NAME: &str = "competition_name";
    /// Where it is played or run.
    pub const VENUE: &str = "venue";
    /// Current score or stage of play, as text for people.
    pub const SCORE: &str = "score";
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AttributeValue {
    /// Text.
    Text(Arc<str>),
    /// A whole number within ±(2^53 - 1).
    Integer(i64),
    /// Yes or no.
    Boolean(bool),
    /// Anything else (fractions, lists, objects), as compact JSON text.
    Json(Arc<str>),
}

impl AttributeValue {
    /// The text of a text value.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number of an integer value.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// Bytes it takes on the wire, about; used for limits.
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Json(text) => text.len(),
            Self::Integer(_) => 8,
            Self::Boolean(_) => 1,
        }
    }
}

/// One attribute; `None` is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: Arc<str>,
    /// Its value, `None` once removed.
    pub value: Option<AttributeValue>,
    /// When it last changed.
    pub revision: Revision,
}

/// The attributes of one market or selection, sorted by name.
#[derive(Debug, Clone, Default)]
pub struct Attributes {
    entries: Vec<Attribute>,
    revision: Revision,
}

impl Attributes {
    /// The value of an attribute.
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.entries[self.position(name).ok()?].value.as_ref()
    }

    /// All attributes that have a value.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &AttributeValue)> {
        self.entries.iter().filter_map(|attribute| Some((&attribute.name, attribute.value.as_ref()?)))
    }

    /// All attributes, tombstones included.
    pub fn entries(&self) -> &[Attribute] {
        &self.entries
    }

    /// When any of them last changed.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Sets or removes one; returns the old value when that was a change.
    pub(crate) fn set(
        &mut self,
        name: &Arc<str>,
        value: Option<AttributeValue>,
        revision: Revision,
    ) -> Option<Option<AttributeValue>> {
        let old = match self.position(name) {
            Ok(at) if self.entries[at].value == value => return None,
            Ok(at) => {
                self.entries[at].revision = revision;
                std::mem::replace(&mut self.entries[at].value, value)
            }
            Err(_) if value.is_none() => return None,
            Err(at) => {
                self.entries.insert(at, Attribute { name: name.clone(), value, revision });
                None
            }
        };
        self.revision = self.revision.max(revision);
        Some(old)
    }

    /// Forgets tombstones of the horizon and before.
    pub(crate) fn purge(&mut self, horizon: Revision) {
        self.entries.retain(|attribute| attribute.value.is_some() || attribute.revision > horizon);
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|attribute| (*attribute.name).cmp(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_attributes_stay_as_tombstones_until_the_horizon() {
        let mut attributes = Attributes::default();
        let venue: Arc<str> = name::VENUE.into();
        attributes.set(&venue, Some(AttributeValue::Text("Fakenham".into())), Revision(1));
        assert!(attributes.set(&venue, None, Revision(5)).is_some());
        assert!(attributes.set(&venue, None, Revision(6)).is_none(), "removing twice changes nothing");
        assert_eq!(attributes.get(name::VENUE), None);
        attributes.purge(Revision(4));
        assert_eq!(attributes.entries().len(), 1);
        attributes.purge(Revision(5));
        assert!(attributes.entries().is_empty());
    }
}
