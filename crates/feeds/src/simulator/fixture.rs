//! What football matches, tennis matches and races have in common.

use std::sync::Arc;

use oddswire_model::{AttributeValue, Handicap, MarketUpdate, SelectionId, SelectionKey, name};

use super::{calendar, market_life::MarketLife, name_lists::Competition};

/// Something that is played: it owns its markets and says when it acts next.
pub(super) trait Fixture {
    /// When it acts next; [`super::schedule::NEVER`] once everything is settled and it can be forgotten.
    fn next_ms(&self) -> u64;

    /// Does the one thing that is due and says what became of its markets, if anything did.
    fn advance(&mut self, now_ms: u64, updates: &mut Vec<MarketUpdate>);
}

/// Where a fixture's life begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// It is announced and starts later.
    Announced,
    /// It is under way already, as most are when somebody starts to watch.
    UnderWay,
}

/// Circumstances under which a fixture is played.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    /// When it comes into being.
    pub(super) created_ms: u64,
    /// Where its life begins.
    pub(super) entry: Entry,
    /// How many times faster than real the game is played.
    pub(super) pace: u64,
    /// Message rate in percent of the usual.
    pub(super) activity_percent: u32,
}

impl Setting {
    /// A stretch of play, at this pace.
    pub(super) fn play_ms(&self, real_ms: u64) -> u64 {
        (real_ms / self.pace).max(1)
    }

    /// A pause that people must be able to see: it shrinks with the pace, to a quarter at most.
    pub(super) fn pause_ms(&self, real_ms: u64) -> u64 {
        (real_ms / self.pace.min(4)).max(1)
    }
}

/// Attributes as an update carries them.
pub(super) type AttributeList = Vec<(Arc<str>, Option<AttributeValue>)>;

/// What every market of a fixture says about it.
#[derive(Debug)]
pub(super) struct FixtureCard {
    pub(super) id: String,
    pub(super) sport: &'static str,
    pub(super) competition: Competition,
    pub(super) name: String,
    pub(super) venue: String,
    pub(super) start_ms: u64,
}

impl FixtureCard {
    /// The whole definition of one of its markets.
    pub(super) fn attributes(&self, market_type: &str, market_name: &str, score: &str) -> AttributeList {
        vec![
            text(name::FIXTURE, &self.id),
            text(name::SPORT, self.sport),
            text(name::COMPETITION, self.competition.id),
            text(name::COMPETITION_NAME, self.competition.name),
            text(name::FIXTURE_NAME, &self.name),
            text(name::MARKET_TYPE, market_type),
            text(name::NAME, market_name),
            text(name::START_TIME, &calendar::iso_8601(self.start_ms)),
            text(name::VENUE, &self.venue),
            text(name::SCORE, score),
        ]
    }
}

/// The definition of the selection at a position.
pub(super) fn selection_attributes(selection_name: &str, position: usize) -> AttributeList {
    let priority = AttributeValue::Integer(position as i64 + 1);
    vec![text(name::NAME, selection_name), (name::SORT_PRIORITY.into(), Some(priority))]
}

/// One attribute that is a text.
pub(super) fn text(attribute: &str, value: &str) -> (Arc<str>, Option<AttributeValue>) {
    (attribute.into(), Some(AttributeValue::Text(value.into())))
}

/// Puts the score on every market that is not over and does not say it yet: into the update it has in this commit, or into one of its own.
pub(super) fn stamp<'a>(
    lives: impl Iterator<Item = &'a mut MarketLife>,
    score: &str,
    updates: &mut Vec<MarketUpdate>,
) {
    let stamp = text(name::SCORE, score);
    for life in lives {
        if !life.note_score(score) {
            continue;
        }
        let at = updates.iter().position(|update| update.id == *life.id()).unwrap_or_else(|| {
            updates.push(life.update());
            updates.len() - 1
        });
        updates[at].attributes.push(stamp.clone());
    }
}

/// A selection without a handicap.
pub(super) fn plain_key(id: u64) -> SelectionKey {
    SelectionKey { id: SelectionId(id), handicap: Handicap::NONE }
}
