//! What both ends hold already.

use oddswire_model::{Field, Market, Price, PriceLadder, Rung, SelectionNumber, View};

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
    #[inline]
    pub(crate) fn rungs(self, selection: SelectionNumber, field: Field) -> Rungs<'a> {
        let shown = self.market.and_then(|(market, view)| {
            let entries = market.selection(selection)?.ladder(field).entries();
            Some(Rungs { entries, left: view.rungs(field), view })
        });
        shown.unwrap_or(Rungs { entries: &[], left: 0, view: View::FULL })
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

/// Rungs that a view shows, best price first.
#[derive(Clone, Copy)]
pub(crate) struct Rungs<'a> {
    /// Those to come, with tombstones among them.
    entries: &'a [Rung],
    left: usize,
    view: View,
}

impl Rungs<'_> {
    /// The next one, without taking it.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<(Price, u64)> {
        if self.left == 0 {
            return None;
        }
        while let Some((rung, rest)) = self.entries.split_first() {
            if rung.volume > 0 {
                return Some((rung.price, self.view.shown_volume(rung.volume)));
            }
            self.entries = rest;
        }
        None
    }
}

impl Iterator for Rungs<'_> {
    type Item = (Price, u64);

    #[inline]
    fn next(&mut self) -> Option<(Price, u64)> {
        let next = self.peek()?;
        self.entries = &self.entries[1..];
        self.left -= 1;
        Some(next)
    }
}

/// Index of a price on the ladder. "Infinite" stands on none, although its number is a multiple of some steps.
#[inline]
pub(crate) fn index(prices: PriceLadder, price: Price) -> Option<u32> {
    prices.index(price).filter(|_| price != Price::INFINITE)
}
