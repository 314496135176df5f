//! What both ends hold already.

use oddswire_model::{Field, Market, Price, PriceLadder, SelectionNumber, View};

/// A market as a view shows it, or nothing. Values of a piece are coded as differences to it: for a delta it is the
/// baseline in the view, which the receiver holds; for snapshots and catch-ups it is nothing.
#[derive(Clone, Copy)]
pub(crate) struct Reference<'a> {
    market: Option<(&'a Market, View)>,
}

impl<'a> Reference<'a> {
    /// Nothing is held.
    pub(crate) const NOTHING: Self = Self { market: None };

    /// The market as the view shows it.
    pub(crate) fn of(market: &'a Market, view: View) -> Self {
        Self { market: Some((market, view)) }
    }

    /// Whether nothing is held.
    pub(crate) fn is_nothing(self) -> bool {
        self.market.is_none()
    }

    /// How many selections are held.
    pub(crate) fn selections(self) -> usize {
        self.market.map_or(0, |(market, _)| market.selections().len())
    }

    /// Value of a market's field, 0 when the view shows none.
    pub(crate) fn market_value(self, field: Field) -> u64 {
        self.market.filter(|(_, view)| view.shows(field)).map_or(0, |(market, _)| market.value(field))
    }

    /// Value of a selection's field, 0 when the view shows none.
    pub(crate) fn value(self, selection: SelectionNumber, field: Field) -> u64 {
        let held = self.market.filter(|(_, view)| view.shows(field));
        held.and_then(|(market, _)| market.selection(selection)).map_or(0, |selection| selection.value(field))
    }

    /// The rungs of a ladder that the view shows, with the amounts that it shows.
    pub(crate) fn rungs(
        self,
        selection: SelectionNumber,
        field: Field,
    ) -> impl Iterator<Item = (Price, u64)> + 'a {
        let shown = self.market.and_then(|(market, view)| {
            let ladder = market.selection(selection)?.ladder(field);
            Some((ladder, view))
        });
        shown.into_iter().flat_map(move |(ladder, view)| {
            ladder
                .rungs()
                .take(view.rungs(field))
                .map(move |rung| (rung.price, view.shown_volume(rung.volume)))
        })
    }

    /// Price of the best rung that the view shows.
    pub(crate) fn best(self, selection: SelectionNumber, field: Field) -> Option<Price> {
        let (market, view) = self.market?;
        if view.rungs(field) == 0 {
            return None;
        }
        market.selection(selection)?.ladder(field).best().map(|rung| rung.price)
    }

    /// Whether the view shows no rung of a ladder.
    pub(crate) fn is_without(self, selection: SelectionNumber, field: Field) -> bool {
        self.best(selection, field).is_none()
    }

    /// Whether the view shows no offer to back or lay.
    pub(crate) fn is_without_offers(self, selection: SelectionNumber) -> bool {
        self.is_without(selection, Field::Back) && self.is_without(selection, Field::Lay)
    }

    /// Amount at a price as the view shows it, 0 when the view shows none.
    pub(crate) fn volume(self, selection: SelectionNumber, field: Field, price: Price) -> u64 {
        let Some((market, view)) = self.market else { return 0 };
        let Some(held) = market.selection(selection) else { return 0 };
        match view.rungs(field) {
            0 => 0,
            usize::MAX => view.shown_volume(held.ladder(field).volume(price)),
            _ => self.rungs(selection, field).find(|rung| rung.0 == price).map_or(0, |rung| rung.1),
        }
    }
}

/// Index of a price on the ladder. "Infinite" stands on none, although its number is a multiple of some steps.
pub(crate) fn index(prices: PriceLadder, price: Price) -> Option<u32> {
    prices.index(price).filter(|_| price != Price::INFINITE)
}
