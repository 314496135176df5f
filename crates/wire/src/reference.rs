//! What both ends hold already.

use oddswire_model::{Field, Market, Price, PriceLadder, Rung, Selection, SelectionNumber, View};

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
    #[inline]
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

    /// What is held of a selection.
    #[inline]
    pub(crate) fn selection(self, number: SelectionNumber) -> Held<'a> {
        match self.market {
            Some((market, view)) => Held { selection: market.selection(number), view },
            None => Held { selection: None, view: View::FULL },
        }
    }

    /// Value of a selection's field, 0 when the view shows none.
    #[inline]
    pub(crate) fn value(self, selection: SelectionNumber, field: Field) -> u64 {
        self.selection(selection).value(field)
    }

    /// Price of the best rung that the view shows.
    #[inline]
    pub(crate) fn best(self, selection: SelectionNumber, field: Field) -> Option<Price> {
        self.selection(selection).best(field)
    }

    /// Amount at a price as the view shows it, 0 when the view shows none.
    #[inline]
    pub(crate) fn volume(self, selection: SelectionNumber, field: Field, price: Price) -> u64 {
        self.selection(selection).volume(field, price)
    }
}

/// A selection as a view shows it, or nothing.
#[derive(Clone, Copy)]
pub(crate) struct Held<'a> {
    selection: Option<&'a Selection>,
    view: View,
}

impl<'a> Held<'a> {
    /// Value of a field, 0 when the view shows none.
    #[inline]
    pub(crate) fn value(self, field: Field) -> u64 {
        match self.selection {
            Some(selection) if self.view.shows(field) => selection.value(field),
            _ => 0,
        }
    }

    /// The rungs of a ladder that the view shows, with the amounts that it shows.
    #[inline]
    pub(crate) fn rungs(self, field: Field) -> Rungs<'a> {
        let Self { selection, view } = self;
        let rungs = selection.map_or(&[][..], |selection| selection.ladder(field).rungs());
        Rungs { rungs: &rungs[..rungs.len().min(view.rungs(field))], view }
    }

    /// Price of the best rung that the view shows.
    #[inline]
    pub(crate) fn best(self, field: Field) -> Option<Price> {
        let selection = self.selection?;
        if self.view.rungs(field) == 0 {
            return None;
        }
        selection.ladder(field).best().map(|rung| rung.price)
    }

    /// Whether the view shows no rung of a ladder.
    #[inline]
    pub(crate) fn is_without(self, field: Field) -> bool {
        self.selection.is_none_or(|selection| selection.ladder(field).is_empty())
            || self.view.rungs(field) == 0
    }

    /// Whether the view shows no offer to back or lay.
    #[inline]
    pub(crate) fn is_without_offers(self) -> bool {
        self.is_without(Field::Back) && self.is_without(Field::Lay)
    }

    /// Amount at a price as the view shows it, 0 when the view shows none.
    pub(crate) fn volume(self, field: Field, price: Price) -> u64 {
        let Some(selection) = self.selection else { return 0 };
        match self.view.rungs(field) {
            0 => 0,
            usize::MAX => self.view.shown_volume(selection.ladder(field).volume(price)),
            _ => self.rungs(field).find(|rung| rung.0 == price).map_or(0, |rung| rung.1),
        }
    }
}

/// Rungs that a view shows, best price first.
#[derive(Clone, Copy)]
pub(crate) struct Rungs<'a> {
    /// Those to come.
    rungs: &'a [Rung],
    view: View,
}

impl Rungs<'_> {
    /// The next one, without taking it.
    #[inline]
    pub(crate) fn peek(&self) -> Option<(Price, u64)> {
        self.rungs.first().map(|rung| (rung.price, self.view.shown_volume(rung.volume)))
    }

    /// Takes the rungs that stand before a price: how many, and the price of the last of them.
    #[inline]
    pub(crate) fn pass(&mut self, price: Price, highest_first: bool) -> (usize, Option<Price>) {
        // Turned over, prices of either kind of ladder ascend.
        let turn = if highest_first { u32::MAX } else { 0 };
        let count = self.rungs.partition_point(|rung| rung.price.0 ^ turn < price.0 ^ turn);
        (count, self.take_many(count))
    }

    /// Takes so many rungs; the price of the last of them, `None` if there are fewer.
    #[inline]
    pub(crate) fn take_many(&mut self, count: usize) -> Option<Price> {
        let (taken, rest) = self.rungs.split_at_checked(count)?;
        self.rungs = rest;
        taken.last().map(|rung| rung.price)
    }
}

impl Iterator for Rungs<'_> {
    type Item = (Price, u64);

    #[inline]
    fn next(&mut self) -> Option<(Price, u64)> {
        let next = self.peek()?;
        self.rungs = &self.rungs[1..];
        Some(next)
    }
}

/// Index of a price on the ladder. "Infinite" stands on none, although its number is a multiple of some steps.
#[inline]
pub(crate) fn index(prices: PriceLadder, price: Price) -> Option<u32> {
    prices.index(price).filter(|_| price != Price::INFINITE)
}
