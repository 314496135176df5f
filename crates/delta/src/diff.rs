//! The sender's side: what changed.

use oddswire_model::{
    Attributes, CellKey, ChangedCells, Field, FieldKind, Ladder, Market, Price, Revision, Rung,
    SelectionNumber, View,
};

use crate::delta::{AttributeChange, Base, MarketDelta, canonical};

/// Writes into `out` what takes exactly `baseline` to `target` in a view.
///
/// Work is proportional to what changed: the target remembers its last changes, and where they do not reach back to the
/// baseline, selections and ladders that did not change after its revision are passed over.
pub fn diff(baseline: &Market, target: &Market, view: View, out: &mut MarketDelta) {
    let since = baseline.revision();
    out.reset(target.number(), Base::At(since), target.revision(), target.published_ms());
    if target.definition_revision() > since {
        definition_since(target, since, out);
        purged_attributes(baseline, target, since, out);
    }
    for field in Field::MARKET {
        let value = target.value(field);
        if view.shows(field) && value != baseline.value(field) {
            out.set(CellKey::market(field), value);
        }
    }
    match target.changed_since(since) {
        Some(changed) => diff_cells(baseline, target, &changed, view, out),
        None => diff_selections(baseline, target, view, out),
    }
}

/// Compares the cells that may have changed.
fn diff_cells(baseline: &Market, target: &Market, changed: &ChangedCells, view: View, out: &mut MarketDelta) {
    let mut walked = None;
    for key in changed.iter() {
        let CellKey { selection: number, field, price } = key;
        let (before, Some(after)) = (baseline.selection(number), target.selection(number)) else { continue };
        if !view.shows(field) {
            continue;
        }
        if field.kind() == FieldKind::Selection {
            let value = after.value(field);
            if value != before.map_or(0, |before| before.value(field)) {
                out.set(key, value);
            }
            continue;
        }
        let (before, after) = (before.map(|before| before.ladder(field)), after.ladder(field));
        if view.rungs(field) < usize::MAX {
            // A rung that comes or goes moves others into and out of the window.
            if walked.replace((number, field)) != Some((number, field)) {
                diff_ladder(before, after, number, field, view, out);
            }
            continue;
        }
        let volume = view.shown_volume(after.volume(price));
        if volume != view.shown_volume(before.map_or(0, |before| before.volume(price))) {
            out.set(key, volume);
        }
    }
}

/// Compares every selection that may have changed.
fn diff_selections(baseline: &Market, target: &Market, view: View, out: &mut MarketDelta) {
    let since = baseline.revision();
    for (at, selection) in target.selections().iter().enumerate() {
        if selection.revision() <= since {
            continue;
        }
        let number = SelectionNumber(at as u16);
        let before = baseline.selection(number);
        for field in Field::SELECTION {
            let value = selection.value(field);
            if view.shows(field) && value != before.map_or(0, |before| before.value(field)) {
                out.set(CellKey::selection(number, field), value);
            }
        }
        for field in Field::LADDERS {
            let ladder = selection.ladder(field);
            if ladder.revision() > since {
                let before = before.map(|before| before.ladder(field));
                diff_ladder(before, ladder, number, field, view, out);
            }
        }
    }
}

/// Writes into `out` what takes any receiver who holds at least everything up to `since` to `target` in a view.
pub fn catch_up(target: &Market, since: Revision, view: View, out: &mut MarketDelta) {
    out.reset(target.number(), Base::Since(since), target.revision(), target.published_ms());
    definition_since(target, since, out);
    for field in Field::MARKET {
        if view.shows(field) && target.value_revision(field) > since {
            out.set(CellKey::market(field), target.value(field));
        }
    }
    for (at, selection) in target.selections().iter().enumerate() {
        if selection.revision() <= since {
            continue;
        }
        let number = SelectionNumber(at as u16);
        for field in Field::SELECTION {
            if view.shows(field) && selection.value_revision(field) > since {
                out.set(CellKey::selection(number, field), selection.value(field));
            }
        }
        for field in Field::LADDERS {
            let ladder = selection.ladder(field);
            if ladder.revision() <= since || !view.shows(field) {
                continue;
            }
            let rungs = view.rungs(field);
            let changed = ladder.rungs().iter().filter(|rung| rung.revision > since);
            let gone = ladder.tombstones().iter().filter(|tombstone| tombstone.revision > since);
            if rungs == usize::MAX && changed.clone().count() + gone.clone().count() <= ladder.rungs().len() {
                let first = out.cells.len();
                for rung in changed {
                    out.set(CellKey::rung(number, field, rung.price), view.shown_volume(rung.volume));
                }
                for tombstone in gone {
                    out.set(CellKey::rung(number, field, tombstone.price), 0);
                }
                out.cells[first..].sort_unstable_by_key(|cell| canonical(cell.key));
            } else {
                // Sent whole, in two cases. In a window: which rungs the receiver's window held is not known any
                // more, because rungs that did not change have moved in and out of it. In full: more rungs have come
                // and gone than stand there now, so the answer stays bounded by the state.
                out.cleared.push((number, field));
                for rung in ladder.rungs().iter().take(rungs) {
                    out.set(CellKey::rung(number, field, rung.price), view.shown_volume(rung.volume));
                }
            }
        }
    }
}

/// Writes into `out` everything that `target` shows in a view.
pub fn snapshot(target: &Market, view: View, out: &mut MarketDelta) {
    out.reset(target.number(), Base::Nothing, target.revision(), target.published_ms());
    out.id = Some(target.id().clone());
    out.selections.extend(target.selections().iter().map(oddswire_model::Selection::key));
    let mut attributes = |owner, attributes: &Attributes| {
        out.attributes.extend(attributes.iter().map(|(name, value)| AttributeChange {
            owner,
            name: name.clone(),
            value: Some(value.clone()),
        }));
    };
    attributes(SelectionNumber::MARKET, target.attributes());
    for (at, selection) in target.selections().iter().enumerate() {
        attributes(SelectionNumber(at as u16), selection.attributes());
    }
    target.visit_cells(view, |key, value| out.set(key, value));
}

fn definition_since(target: &Market, since: Revision, out: &mut MarketDelta) {
    // Selections are numbered in order of appearance, so the new ones are the last ones.
    let new = target.selections().iter().rev().take_while(|selection| selection.created() > since).count();
    let first = target.selections().len() - new;
    out.first_selection = first as u16;
    out.selections.extend(target.selections()[first..].iter().map(oddswire_model::Selection::key));
    let mut attributes = |owner, attributes: &Attributes| {
        if attributes.revision() > since {
            let changed = attributes.entries().iter().filter(|attribute| attribute.revision > since);
            out.attributes.extend(changed.map(|attribute| AttributeChange {
                owner,
                name: attribute.name.clone(),
                value: attribute.value.clone(),
            }));
        }
    };
    attributes(SelectionNumber::MARKET, target.attributes());
    for (at, selection) in target.selections().iter().enumerate() {
        if selection.revision() > since {
            attributes(SelectionNumber(at as u16), selection.attributes());
        }
    }
}

/// Attributes that the baseline has and the target has not even a tombstone of: the horizon has passed since they went.
fn purged_attributes(baseline: &Market, target: &Market, since: Revision, out: &mut MarketDelta) {
    let mut gone = |owner, before: &Attributes, after: &Attributes| {
        if after.revision() > since {
            let purged = before.iter().filter(|(name, _)| {
                after.entries().binary_search_by(|attribute| attribute.name.cmp(name)).is_err()
            });
            out.attributes.extend(purged.map(|(name, _)| AttributeChange {
                owner,
                name: name.clone(),
                value: None,
            }));
        }
    };
    gone(SelectionNumber::MARKET, baseline.attributes(), target.attributes());
    for (at, (before, after)) in baseline.selections().iter().zip(target.selections()).enumerate() {
        if after.revision() > since {
            gone(SelectionNumber(at as u16), before.attributes(), after.attributes());
        }
    }
}

/// Walks both ladders in step, best price first, over what the view shows of each.
fn diff_ladder(
    before: Option<&Ladder>,
    after: &Ladder,
    number: SelectionNumber,
    field: Field,
    view: View,
    out: &mut MarketDelta,
) {
    let rungs = view.rungs(field);
    let mut old = before.map_or(&[][..], Ladder::rungs).iter().take(rungs).peekable();
    let mut new = after.rungs().iter().take(rungs).peekable();
    let highest_first = after.is_highest_first();
    let is_before = |a: &Rung, b: &Rung| if highest_first { a.price > b.price } else { a.price < b.price };
    let mut set = |price: Price, value| out.set(CellKey::rung(number, field, price), value);
    loop {
        match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some(gone), None) => {
                set(gone.price, 0);
                old.next();
            }
            (Some(gone), Some(next)) if is_before(gone, next) => {
                set(gone.price, 0);
                old.next();
            }
            (Some(same), Some(next)) if same.price == next.price => {
                let value = view.shown_volume(next.volume);
                if value != view.shown_volume(same.volume) {
                    set(next.price, value);
                }
                old.next();
                new.next();
            }
            (_, Some(added)) => {
                set(added.price, view.shown_volume(added.volume));
                new.next();
            }
        }
    }
}
