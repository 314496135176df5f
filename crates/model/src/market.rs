//! A market: all cells of one thing bet on.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    AttributeValue, Attributes, CellChange, CellKey, Digest, Field, FieldKind, MarketId, MarketNumber,
    MarketStatus, PriceLadder, Revision, Selection, SelectionKey, SelectionNumber, View,
    change_log::{ChangeLog, ChangedCells},
    selection::Scalar,
};

/// Most selections of a market: ten times the largest recorded (66 runners at many handicaps, fields of 156).
pub const MAX_SELECTIONS: usize = 1_536;
/// Status edges remembered per market, so that a receiver who was away learns of every suspension.
/// A busy in-play football market shows about 30 in a match.
pub const STATUS_EDGES_KEPT: usize = 32;

/// A market has no room for one more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a market holds at most {MAX_SELECTIONS} selections")]
pub struct LimitError;

/// A change of what a market's status reads as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusEdge {
    /// When.
    pub revision: Revision,
    /// The status from then on.
    pub status: MarketStatus,
}

/// The state of one market. Revisions only grow; the caller assigns them.
#[derive(Debug, Clone)]
pub struct Market {
    number: MarketNumber,
    id: MarketId,
    created: Revision,
    revision: Revision,
    /// When a selection last came or any attribute changed.
    definition_revision: Revision,
    published_ms: u64,
    commits: u64,
    scalars: [Scalar; Field::MARKET.len()],
    attributes: Attributes,
    selections: Vec<Selection>,
    digest: Digest,
    status_edges: VecDeque<StatusEdge>,
    log: ChangeLog,
}

impl Market {
    /// An empty market, first heard of at `created`.
    pub fn new(number: MarketNumber, id: MarketId, created: Revision) -> Self {
        Self {
            number,
            id,
            created,
            revision: created,
            definition_revision: created,
            published_ms: 0,
            commits: 0,
            scalars: Default::default(),
            attributes: Attributes::default(),
            selections: Vec::new(),
            digest: Digest::default(),
            status_edges: VecDeque::new(),
            log: ChangeLog::default(),
        }
    }

    /// Its dense number in the epoch.
    #[inline]
    pub fn number(&self) -> MarketNumber {
        self.number
    }

    /// The feed's id of it.
    pub fn id(&self) -> &MarketId {
        &self.id
    }

    /// When it was first heard of.
    pub fn created(&self) -> Revision {
        self.created
    }

    /// When anything of it last changed.
    #[inline]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// When a selection last came or any attribute, of the market or of a selection, changed.
    #[inline]
    pub fn definition_revision(&self) -> Revision {
        self.definition_revision
    }

    /// Cells that changed after a revision, and perhaps some that are what they were then; `None` when so much has
    /// changed that it is not remembered one by one.
    pub fn changed_since(&self, since: Revision) -> Option<ChangedCells> {
        self.log.since(since).map(ChangedCells::new)
    }

    /// The producer's time of the last commit that touched it, milliseconds since 1970 in UTC.
    pub fn published_ms(&self) -> u64 {
        self.published_ms
    }

    /// How many commits have touched it; two states of a market differ by this many, so conflation is visible.
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// Notes that a commit (or a delta that stands for one or several) touched the market.
    pub fn touch(&mut self, revision: Revision, published_ms: u64) {
        self.revision = self.revision.max(revision);
        self.published_ms = published_ms;
        self.commits += 1;
    }

    /// What the status reads as: suspended when it is unknown or its producer is silent.
    pub fn status(&self) -> MarketStatus {
        match MarketStatus::from_code(self.value(Field::Status)) {
            None | Some(MarketStatus::Unknown) => MarketStatus::Suspended,
            Some(MarketStatus::Open) if self.value(Field::Held) != 0 => MarketStatus::Suspended,
            Some(status) => status,
        }
    }

    /// Whether it is in play.
    pub fn in_play(&self) -> bool {
        self.value(Field::InPlay) != 0
    }

    /// The ladder its prices stand on.
    #[inline]
    pub fn price_ladder(&self) -> PriceLadder {
        PriceLadder::from_code(self.value(Field::PriceLadder)).unwrap_or(PriceLadder::DEFAULT)
    }

    /// Value of a market's field, 0 when absent.
    ///
    /// # Panics
    /// When the field is not a market's; that is a mistake in the caller's code.
    #[inline]
    pub fn value(&self, field: Field) -> u64 {
        assert_eq!(field.kind(), FieldKind::Market, "{field:?} is not a field of a market");
        self.scalars[field.slot()].value
    }

    /// When a market's field last changed.
    ///
    /// # Panics
    /// As [`Market::value`].
    #[inline]
    pub fn value_revision(&self, field: Field) -> Revision {
        assert_eq!(field.kind(), FieldKind::Market, "{field:?} is not a field of a market");
        self.scalars[field.slot()].revision
    }

    /// The market's own attributes.
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Its selections, in order of number.
    #[inline]
    pub fn selections(&self) -> &[Selection] {
        &self.selections
    }

    /// A selection by number.
    #[inline]
    pub fn selection(&self, number: SelectionNumber) -> Option<&Selection> {
        self.selections.get(usize::from(number.0))
    }

    /// Number of a selection by identity.
    pub fn selection_number(&self, key: SelectionKey) -> Option<SelectionNumber> {
        let at = self.selections.iter().position(|selection| selection.key == key)?;
        Some(SelectionNumber(at as u16))
    }

    /// Adds a selection, or finds it when it is there.
    ///
    /// # Errors
    /// When the market is full.
    pub fn add_selection(
        &mut self,
        key: SelectionKey,
        revision: Revision,
    ) -> Result<SelectionNumber, LimitError> {
        if let Some(number) = self.selection_number(key) {
            return Ok(number);
        }
        if self.selections.len() >= MAX_SELECTIONS {
            return Err(LimitError);
        }
        let number = SelectionNumber(self.selections.len() as u16);
        self.selections.push(Selection::new(key, revision));
        self.digest.add_selection(number, key);
        self.revision = self.revision.max(revision);
        self.definition_revision = self.definition_revision.max(revision);
        Ok(number)
    }

    /// Value of a cell, 0 when absent.
    pub fn get(&self, key: CellKey) -> u64 {
        match (key.field.kind(), self.selection(key.selection)) {
            (FieldKind::Market, _) => self.value(key.field),
            (FieldKind::Selection, Some(selection)) => selection.value(key.field),
            (FieldKind::Ladder, Some(selection)) => selection.ladder(key.field).volume(key.price),
            (_, None) => 0,
        }
    }

    /// Sets a cell (0 removes it) and returns its old value. Setting a cell to what it is changes nothing.
    ///
    /// # Panics
    /// When the key names a selection the market does not have; check with [`Market::selection`] first.
    pub fn set(&mut self, key: CellKey, value: u64, revision: Revision) -> u64 {
        let status = self.status();
        let old = match key.field.kind() {
            FieldKind::Market => self.scalars[key.field.slot()].set(value, revision),
            kind => {
                let selection = &mut self.selections[usize::from(key.selection.0)];
                let old = match kind {
                    FieldKind::Selection => selection.scalars[key.field.slot()].set(value, revision),
                    _ => selection.ladders[key.field.slot()].set(key.price, value, revision),
                };
                if old != value {
                    selection.revision = selection.revision.max(revision);
                }
                old
            }
        };
        if old != value {
            self.revision = self.revision.max(revision);
            self.log.note(key, revision);
            self.digest.remove_cell(key, old);
            self.digest.add_cell(key, value);
            if self.status() != status {
                self.note_status_edge(revision);
            }
        }
        old
    }

    /// Removes every rung of a ladder.
    ///
    /// # Panics
    /// As [`Market::set`].
    pub fn clear_ladder(&mut self, selection: SelectionNumber, field: Field, revision: Revision) {
        let prices: Vec<_> =
            self.selections[usize::from(selection.0)].ladder(field).rungs().iter().map(|r| r.price).collect();
        for price in prices {
            self.set(CellKey::rung(selection, field, price), 0, revision);
        }
    }

    /// Sets or removes an attribute of the market ([`SelectionNumber::MARKET`]) or of a selection; says whether that was a change.
    ///
    /// # Panics
    /// As [`Market::set`].
    pub fn set_attribute(
        &mut self,
        owner: SelectionNumber,
        name: &Arc<str>,
        value: Option<AttributeValue>,
        revision: Revision,
    ) -> bool {
        let attributes = if owner == SelectionNumber::MARKET {
            &mut self.attributes
        } else {
            &mut self.selections[usize::from(owner.0)].attributes
        };
        let Some(old) = attributes.set(name, value.clone(), revision) else { return false };
        if let Some(old) = old {
            self.digest.remove_attribute(owner, name, &old);
        }
        if let Some(new) = value {
            self.digest.add_attribute(owner, name, &new);
        }
        self.revision = self.revision.max(revision);
        self.definition_revision = self.definition_revision.max(revision);
        if let Some(selection) = self.selections.get_mut(usize::from(owner.0)) {
            selection.revision = selection.revision.max(revision);
        }
        true
    }

    /// Forgets the tombstones of one ladder.
    ///
    /// # Panics
    /// As [`Market::set`].
    pub fn forget_tombstones(&mut self, selection: SelectionNumber, field: Field) {
        self.selections[usize::from(selection.0)].ladders[field.slot()].purge(Revision(u64::MAX));
    }

    /// Forgets tombstones of the horizon and before. A cursor at the horizon can still be served.
    pub fn purge(&mut self, horizon: Revision) {
        self.attributes.purge(horizon);
        for selection in &mut self.selections {
            selection.attributes.purge(horizon);
            for ladder in &mut selection.ladders {
                ladder.purge(horizon);
            }
        }
    }

    /// Status edges still remembered, oldest first.
    pub fn status_edges(&self) -> impl Iterator<Item = StatusEdge> + '_ {
        self.status_edges.iter().copied()
    }

    /// Calls `visit` with every cell the view shows, in canonical order: the market's fields, then per selection its
    /// one-value fields and its ladders, best price first. Amounts are as the view shows them.
    pub fn visit_cells(&self, view: View, mut visit: impl FnMut(CellKey, u64)) {
        for field in Field::MARKET {
            let value = self.value(field);
            if value != 0 && view.shows(field) {
                visit(CellKey::market(field), value);
            }
        }
        for (at, selection) in self.selections.iter().enumerate() {
            let number = SelectionNumber(at as u16);
            for field in Field::SELECTION {
                let value = selection.value(field);
                if value != 0 && view.shows(field) {
                    visit(CellKey::selection(number, field), value);
                }
            }
            for field in Field::LADDERS {
                let shown = selection.ladder(field).rungs().iter().take(view.rungs(field));
                for rung in shown {
                    visit(CellKey::rung(number, field, rung.price), view.shown_volume(rung.volume));
                }
            }
        }
    }

    /// The cells the view shows, in canonical order.
    pub fn cells(&self, view: View) -> Vec<CellChange> {
        let mut cells = Vec::new();
        self.visit_cells(view, |key, value| cells.push(CellChange { key, value }));
        cells
    }

    /// Digest of what the view shows. The full view's is kept up to date with every change; others are summed here.
    pub fn digest(&self, view: View) -> Digest {
        if view == View::FULL {
            return self.digest;
        }
        let mut digest = Digest::default();
        for (name, value) in self.attributes.iter() {
            digest.add_attribute(SelectionNumber::MARKET, name, value);
        }
        for (at, selection) in self.selections.iter().enumerate() {
            let number = SelectionNumber(at as u16);
            digest.add_selection(number, selection.key);
            for (name, value) in selection.attributes.iter() {
                digest.add_attribute(number, name, value);
            }
        }
        self.visit_cells(view, |key, value| digest.add_cell(key, value));
        digest
    }

    /// Whether two markets show the same in a view: identities, attributes and cells, whatever their revisions.
    pub fn shows_same(&self, other: &Self, view: View) -> bool {
        let same_definition = |a: &Attributes, b: &Attributes| a.iter().eq(b.iter());
        self.id == other.id
            && self.number == other.number
            && self.selections.len() == other.selections.len()
            && same_definition(&self.attributes, &other.attributes)
            && self
                .selections
                .iter()
                .zip(&other.selections)
                .all(|(a, b)| a.key == b.key && same_definition(&a.attributes, &b.attributes))
            && self.cells(view) == other.cells(view)
    }

    /// Brings this copy to the state of `source`, an equal or later state of the same market, at the cost of what changed.
    ///
    /// This is how a baseline follows the store: it ends up with the same revisions and tombstones, so it can answer
    /// "changed since" for itself.
    pub fn advance_to(&mut self, source: &Self) {
        let since = self.revision;
        if source.definition_revision > since {
            self.advance_definition(source, since);
        }
        if let Some(keys) = source.log.since(since) {
            keys.for_each(|key| self.copy_cell(source, key.key()));
        } else {
            self.advance_cells(source, since);
        }
        self.scalars = source.scalars;
        if self.status_edges.back() != source.status_edges.back() {
            self.status_edges.clone_from(&source.status_edges);
        }
        self.digest = source.digest;
        self.revision = source.revision;
        self.definition_revision = source.definition_revision;
        self.published_ms = source.published_ms;
        self.commits = source.commits;
        self.log.begin(self.revision);
    }

    fn advance_definition(&mut self, source: &Self, since: Revision) {
        if source.attributes.revision() > since {
            self.attributes.clone_from(&source.attributes);
        }
        for (to, from) in self.selections.iter_mut().zip(&source.selections) {
            if from.attributes.revision() > since {
                to.attributes.clone_from(&from.attributes);
                to.revision = from.revision;
            }
        }
        self.selections.extend_from_slice(&source.selections[self.selections.len()..]);
    }

    fn copy_cell(&mut self, source: &Self, key: CellKey) {
        let at = usize::from(key.selection.0);
        let (Some(to), Some(from)) = (self.selections.get_mut(at), source.selections.get(at)) else { return };
        let slot = key.field.slot();
        if key.field.kind() == FieldKind::Selection {
            to.scalars[slot] = from.scalars[slot];
        } else {
            to.ladders[slot].copy_price(&from.ladders[slot], key.price);
        }
        to.revision = from.revision;
    }

    /// Copies whatever changed, where it is not remembered one by one.
    fn advance_cells(&mut self, source: &Self, since: Revision) {
        for (to, from) in self.selections.iter_mut().zip(&source.selections) {
            if from.revision > since {
                to.revision = from.revision;
                to.scalars = from.scalars;
                for (to, from) in to.ladders.iter_mut().zip(&from.ladders) {
                    if from.revision() > since {
                        to.copy(from);
                    }
                }
            }
        }
    }

    fn note_status_edge(&mut self, revision: Revision) {
        let edge = StatusEdge { revision, status: self.status() };
        if self.status_edges.back().is_some_and(|last| last.revision == revision) {
            self.status_edges.pop_back();
        }
        // What a commit sets and takes back again was never seen by anybody. A market begins suspended.
        let before = self.status_edges.back().map_or(MarketStatus::Suspended, |last| last.status);
        if edge.status == before {
            return;
        }
        if self.status_edges.len() == STATUS_EDGES_KEPT {
            self.status_edges.pop_front();
        }
        self.status_edges.push_back(edge);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Handicap, Price, SelectionId};

    fn market() -> (Market, SelectionNumber) {
        let mut market = Market::new(MarketNumber(0), MarketId::new("1.1").unwrap(), Revision(1));
        let key = SelectionKey { id: SelectionId(7), handicap: Handicap::NONE };
        let number = market.add_selection(key, Revision(1)).unwrap();
        (market, number)
    }

    #[test]
    fn the_digest_kept_up_to_date_equals_the_digest_summed_afresh() {
        let (mut market, runner) = market();
        for step in 1..50u32 {
            let key = CellKey::rung(runner, Field::Back, Price(10_100 + step % 7 * 100));
            market.set(key, u64::from(step % 5), Revision(u64::from(step)));
            market.set_attribute(
                runner,
                &"name".into(),
                Some(AttributeValue::Integer(i64::from(step % 3))),
                Revision(u64::from(step)),
            );
        }
        let mut fresh = Digest::default();
        fresh.add_selection(runner, market.selections()[0].key());
        for (name, value) in market.selections()[0].attributes().iter() {
            fresh.add_attribute(runner, name, value);
        }
        market.visit_cells(View::FULL, |key, value| fresh.add_cell(key, value));
        assert_eq!(market.digest(View::FULL), fresh);
    }

    #[test]
    fn a_held_market_reads_as_suspended_and_every_edge_is_remembered() {
        let (mut market, _) = market();
        assert_eq!(market.status(), MarketStatus::Suspended, "nothing known is not bettable");
        market.set(CellKey::market(Field::Status), MarketStatus::Open as u64, Revision(2));
        market.set(CellKey::market(Field::Held), 1, Revision(3));
        market.set(CellKey::market(Field::Held), 0, Revision(4));
        let edges: Vec<_> = market.status_edges().map(|edge| (edge.revision.0, edge.status)).collect();
        assert_eq!(edges, [(2, MarketStatus::Open), (3, MarketStatus::Suspended), (4, MarketStatus::Open)]);
    }

    #[test]
    fn a_status_that_a_commit_sets_and_takes_back_is_no_edge() {
        let (mut market, _) = market();
        let mut set = |status: MarketStatus, revision| {
            market.set(CellKey::market(Field::Status), status as u64, Revision(revision));
        };
        set(MarketStatus::Open, 2);
        set(MarketStatus::Suspended, 3);
        set(MarketStatus::Open, 3);
        set(MarketStatus::Closed, 4);
        let edges: Vec<_> = market.status_edges().map(|edge| (edge.revision.0, edge.status)).collect();
        assert_eq!(edges, [(2, MarketStatus::Open), (4, MarketStatus::Closed)]);
    }

    #[test]
    fn a_status_of_a_later_version_is_not_bettable() {
        let (mut market, _) = market();
        market.set(CellKey::market(Field::Status), 77, Revision(2));
        assert_eq!(market.status(), MarketStatus::Suspended);
    }

    #[test]
    fn views_show_the_best_rungs_and_hide_amounts() {
        let (mut market, runner) = market();
        for (price, cents) in [(20_000, 500), (20_200, 700), (19_900, 900)] {
            market.set(CellKey::rung(runner, Field::Back, Price(price)), cents, Revision(2));
        }
        let shown =
            |view: View| market.cells(view).iter().map(|c| (c.key.price.0, c.value)).collect::<Vec<_>>();
        assert_eq!(shown(View::best(2)), [(20_200, 700), (20_000, 500)]);
        assert_eq!(shown(View::PRICES), [(20_200, View::HIDDEN_VOLUME)]);
        assert_eq!(shown(View::FULL).len(), 3);
    }

    #[test]
    fn a_copy_advances_to_its_source() {
        let (mut source, runner) = market();
        let mut copy = source.clone();
        for step in 2..60u32 {
            let key = CellKey::rung(runner, Field::Lay, Price(10_100 + step % 5 * 100));
            source.set(key, u64::from(step % 3), Revision(u64::from(step)));
            source.touch(Revision(u64::from(step)), u64::from(step));
            if step % 7 == 0 {
                source.set(
                    CellKey::market(Field::Status),
                    u64::from(step % 2 + 1),
                    Revision(u64::from(step)),
                );
                copy.advance_to(&source);
                assert!(copy.shows_same(&source, View::FULL));
                assert_eq!(copy.digest(View::FULL), source.digest(View::FULL));
                let (copied, ladder) =
                    (copy.selections()[0].ladder(Field::Lay), source.selections()[0].ladder(Field::Lay));
                assert_eq!(
                    (copied.rungs(), copied.tombstones(), copied.revision()),
                    (ladder.rungs(), ladder.tombstones(), ladder.revision())
                );
                assert!(copy.status_edges().eq(source.status_edges()));
            }
        }
    }

    #[test]
    fn selections_stop_at_the_limit() {
        let (mut market, _) = market();
        for id in 0..MAX_SELECTIONS as u64 - 1 {
            let key = SelectionKey { id: SelectionId(1_000 + id), handicap: Handicap::NONE };
            market.add_selection(key, Revision(1)).unwrap();
        }
        let one_more = SelectionKey { id: SelectionId(5), handicap: Handicap::NONE };
        assert_eq!(market.add_selection(one_more, Revision(1)), Err(LimitError));
    }
}
