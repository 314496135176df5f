//! The table of the board: one line per market.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use oddswire_client::{Market, MarketNumber, MarketState, MarketStatus, Reading};
use oddswire_model::{AttributeValue, Field, Price, Selection, SelectionKey, SelectionStatus, name};

use super::paint::{Line, Style, column};
use crate::command::changes::{printable, selection_title};

/// How long an arrow stays beside a price.
const ARROW_FOR: Duration = Duration::from_secs(2);
/// Terminals from this width on have room for more of every name.
const WIDE: usize = 140;
const STATUS_COLUMNS: usize = 10;
const SCORE_COLUMNS: usize = 9;
/// Back and lay of an exchange, or one price of a sportsbook, and an arrow.
const PRICE_COLUMNS: usize = 12;
/// Markets whose prices are remembered; more than any screen shows.
const REMEMBERED_MAX: usize = 4_096;

/// Remembers prices, to know which way they went.
#[derive(Debug, Default)]
pub(super) struct Rows {
    shown: HashMap<(MarketNumber, SelectionKey), Shown>,
}

#[derive(Debug, Clone, Copy)]
struct Shown {
    price: Price,
    moved: Option<(Instant, Direction)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// Columns that depend on the width of the terminal.
#[derive(Debug, Clone, Copy)]
struct Columns {
    fixture: usize,
    market: usize,
    selection: usize,
}

impl Columns {
    fn of(columns: usize) -> Self {
        if columns >= WIDE {
            Self { fixture: 28, market: 12, selection: 12 }
        } else {
            Self { fixture: 20, market: 10, selection: 9 }
        }
    }
}

impl Rows {
    /// The line above the table.
    pub(super) fn head(columns: usize) -> Line {
        let wide = Columns::of(columns);
        let mut line = Line::new();
        line.push_column(Style::Dim, "FIXTURE", wide.fixture + 1);
        line.push_column(Style::Dim, "MARKET", wide.market + 1);
        line.push_column(Style::Dim, "STATUS", STATUS_COLUMNS + 1);
        line.push_column(Style::Dim, "IN PLAY", SCORE_COLUMNS + 2);
        line.push(Style::Dim, "SELECTIONS: price, or back/lay");
        line
    }

    /// The line of a market.
    pub(super) fn row(&mut self, reading: &Reading<'_>, columns: usize, now: Instant) -> Line {
        let wide = Columns::of(columns);
        let market = reading.market;
        let status = reading.status();
        let is_open = status == MarketStatus::Open;
        let mut line = Line::new();
        let title_style = if is_open { Style::Plain } else { Style::Dim };
        let text = |name: &str| market.attributes().get(name).and_then(AttributeValue::as_text);
        let fixture = text(name::FIXTURE_NAME).unwrap_or(market.id().as_str());
        let title = text(name::NAME).or(text(name::MARKET_TYPE)).unwrap_or_default();
        line.push_column(title_style, &printable(fixture), wide.fixture);
        line.push(Style::Plain, " ");
        line.push_column(title_style, &printable(title), wide.market);
        line.push(Style::Plain, " ");
        let (said, style) = match (reading.state, status) {
            (MarketState::Stale, _) => ("STALE", Style::Warning),
            (MarketState::Syncing, _) => ("SYNCING", Style::Warning),
            (_, MarketStatus::Open) => ("OPEN", Style::Up),
            (_, MarketStatus::Suspended | MarketStatus::Unknown) => ("SUSPENDED", Style::Warning),
            (_, status) => (status.as_str(), Style::Dim),
        };
        line.push_column(style, said, STATUS_COLUMNS);
        line.push(Style::Plain, " ");
        line.push_column(Style::Dim, &score(market), SCORE_COLUMNS);
        if self.shown.len() > REMEMBERED_MAX {
            self.shown.clear();
        }
        for selection in in_order(market) {
            if line.columns() + 2 + wide.selection + PRICE_COLUMNS > columns {
                break;
            }
            self.cell(market.number(), selection, is_open, (wide.selection, now), &mut line);
        }
        line
    }

    fn cell(
        &mut self,
        market: MarketNumber,
        selection: &Selection,
        is_open: bool,
        (columns, now): (usize, Instant),
        line: &mut Line,
    ) {
        let (price, text) = prices(selection);
        let direction = self.moved((market, selection.key()), price, now);
        let is_bettable = is_open && selection.status() == SelectionStatus::Active;
        let name_style = if is_bettable { Style::Plain } else { Style::Dim };
        line.push(Style::Plain, "  ");
        line.push_column(name_style, &selection_title(selection), columns);
        let (arrow, style) = match (is_bettable, direction) {
            // What cannot be bet on must not look as if it could.
            (false, _) => (" ", Style::Void),
            (true, Some(Direction::Up)) => ("▲", Style::Up),
            (true, Some(Direction::Down)) => ("▼", Style::Down),
            (true, None) => (" ", Style::Bold),
        };
        let text = match selection.status() {
            SelectionStatus::Active | SelectionStatus::Suspended => text,
            status => status.as_str().to_lowercase(),
        };
        let room = PRICE_COLUMNS - 2;
        let shown = if text.chars().count() > room { column(&text, room) } else { text };
        let filled = shown.chars().count();
        line.push(Style::Plain, " ");
        line.push(style, format!("{shown}{arrow}"));
        line.push(Style::Plain, " ".repeat(room - filled));
    }

    fn moved(&mut self, key: (MarketNumber, SelectionKey), price: Price, now: Instant) -> Option<Direction> {
        let shown = self.shown.entry(key).or_insert(Shown { price, moved: None });
        if price != shown.price {
            let direction = if price > shown.price { Direction::Up } else { Direction::Down };
            // A price that appears has not moved.
            shown.moved = (price.is_some() && shown.price.is_some()).then_some((now, direction));
            shown.price = price;
        }
        let (at, direction) = shown.moved?;
        (now.saturating_duration_since(at) < ARROW_FOR).then_some(direction)
    }
}

fn score(market: &Market) -> String {
    if !market.in_play() {
        return String::new();
    }
    let score = market.attributes().get(name::SCORE).and_then(AttributeValue::as_text);
    printable(score.unwrap_or("yes"))
}

/// Selections in the order in which the feed wants them shown; those that are out come last.
fn in_order(market: &Market) -> Vec<&Selection> {
    let mut selections: Vec<&Selection> = market.selections().iter().collect();
    let is_out = |selection: &Selection| {
        matches!(
            selection.status(),
            SelectionStatus::Removed | SelectionStatus::RemovedVacant | SelectionStatus::Hidden
        )
    };
    let priority = |selection: &Selection| {
        selection.attributes().get(name::SORT_PRIORITY).and_then(AttributeValue::as_integer)
    };
    selections.sort_by_key(|selection| (is_out(selection), priority(selection).unwrap_or(i64::MAX)));
    selections
}

/// The price that decides about arrows, and what is shown.
fn prices(selection: &Selection) -> (Price, String) {
    let price = selection.price(Field::Price);
    if price.is_some() {
        return (price, decimal(price));
    }
    let best = |field| selection.ladder(field).best().map(|rung| rung.price);
    match (best(Field::Back), best(Field::Lay)) {
        (None, None) => {
            let traded = selection.price(Field::LastTraded);
            (traded, if traded.is_some() { format!("({})", decimal(traded)) } else { "-".to_owned() })
        }
        (back, lay) => {
            let shown = |price: Option<Price>| price.map_or_else(|| "-".to_owned(), decimal);
            (back.or(lay).unwrap_or(Price::NONE), format!("{}/{}", shown(back), shown(lay)))
        }
    }
}

/// Two decimals, as betting screens show them; from 10 on no more than there are.
fn decimal(price: Price) -> String {
    let value = price.to_decimal();
    let text = format!("{value:.2}");
    if value < 10.0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

#[cfg(test)]
mod tests {
    use oddswire_model::{CellKey, Handicap, MarketId, Revision, SelectionId};

    use super::*;

    #[test]
    fn prices_get_arrows_and_suspended_ones_lose_them() {
        let mut market = Market::new(MarketNumber(1), MarketId::new("1.2").unwrap(), Revision(1));
        let key = SelectionKey { id: SelectionId(7), handicap: Handicap::NONE };
        let runner = market.add_selection(key, Revision(1)).unwrap();
        let set = |market: &mut Market, key, value, revision| market.set(key, value, Revision(revision));
        set(&mut market, CellKey::market(Field::Status), MarketStatus::Open as u64, 2);
        set(&mut market, CellKey::selection(runner, Field::Price), 21_000, 2);
        let (mut rows, now) = (Rows::default(), Instant::now());
        let mut plain = |market: &Market, state, now| {
            rows.row(&Reading { market, state, age_ms: None }, 100, now).plain()
        };
        assert!(plain(&market, MarketState::Live, now).contains("2.10 "));
        set(&mut market, CellKey::selection(runner, Field::Price), 22_000, 3);
        assert!(plain(&market, MarketState::Live, now).contains("2.20▲"));
        assert!(plain(&market, MarketState::Live, now + ARROW_FOR).contains("2.20 "));
        set(&mut market, CellKey::selection(runner, Field::Price), 21_500, 4);
        let stale = plain(&market, MarketState::Stale, now);
        assert!(stale.contains("STALE") && stale.contains("2.15 "), "{stale}");
    }

    #[test]
    fn prices_are_as_short_as_they_may_be() {
        let shown = |value| decimal(Price::from_decimal(value).unwrap());
        assert_eq!(
            [2.1, 9.99, 10.0, 11.5, 120.0, 1_000.0].map(shown),
            ["2.10", "9.99", "10", "11.5", "120", "1000"]
        );
    }

    #[test]
    fn a_row_fits_every_width() {
        let market = Market::new(MarketNumber(1), MarketId::new("1.2").unwrap(), Revision(1));
        for columns in [1, 40, 80, 200] {
            let reading = Reading { market: &market, state: MarketState::Live, age_ms: None };
            let line = Rows::default().row(&reading, columns, Instant::now());
            assert!(line.ansi(columns).contains("SUSP") || columns < 40);
        }
    }
}
