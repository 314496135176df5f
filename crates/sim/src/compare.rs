//! Comparing markets: as a client holds them, as the store has them, as they are at the source.

use oddswire_model::{Attributes, CellChange, Field, Market, Price, Selection, SelectionKey, View};

/// Whether a client's market is the store's in a view: names, selections, attributes and cells.
pub(crate) fn shows(held: &Market, truth: &Market, view: View) -> bool {
    held.id() == truth.id()
        && held.cells(View::FULL) == truth.cells(view)
        && held.attributes().iter().eq(truth.attributes().iter())
        && held.selections().len() == truth.selections().len()
        && held.selections().iter().zip(truth.selections()).all(|(held, truth)| {
            held.key() == truth.key() && held.attributes().iter().eq(truth.attributes().iter())
        })
}

/// Every cell under its selection's own name. A change that was sent twice and reaches a new log ahead of the image may
/// give the selections other numbers than they have at the source.
pub(crate) fn named_cells(market: &Market) -> Vec<(Option<SelectionKey>, Field, Price, u64)> {
    let name = |cell: &CellChange| market.selection(cell.key.selection).map(Selection::key);
    let cells = market.cells(View::FULL);
    let mut cells: Vec<_> =
        cells.iter().map(|cell| (name(cell), cell.key.field, cell.key.price, cell.value)).collect();
    cells.sort_unstable();
    cells
}

/// The view in which a client follows a market, as far as its subscriptions say.
pub(crate) fn view_of(entry: &crate::history::Entry, client: &crate::receiver::Receiver) -> View {
    entry.view(client.subscriptions.values()).unwrap_or(View::FULL)
}

/// The first cells that differ, as held and as they should be.
pub(crate) fn differences(held: &Market, truth: &Market, view: View) -> Vec<String> {
    let names = |market: &Market| {
        let text = |attributes: &Attributes| format!("{:?}", attributes.iter().collect::<Vec<_>>());
        let of_selections = market
            .selections()
            .iter()
            .map(|selection| format!("{} {}", selection.key(), text(selection.attributes())));
        std::iter::once(text(market.attributes())).chain(of_selections).collect::<Vec<_>>()
    };
    let (names, true_names) = (names(held), names(truth));
    if names != true_names {
        return names
            .into_iter()
            .zip(true_names)
            .filter(|(a, b)| a != b)
            .map(|(a, b)| format!("{a} / {b}"))
            .collect();
    }
    let (held, truth) = (held.cells(View::FULL), truth.cells(view));
    let only_held = held.iter().filter(|cell| !truth.contains(cell)).map(|cell| format!("held {cell:?}"));
    let only_true = truth.iter().filter(|cell| !held.contains(cell)).map(|cell| format!("true {cell:?}"));
    only_held.chain(only_true).take(6).collect()
}
