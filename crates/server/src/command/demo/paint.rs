//! Lines with styles, cut to the width of a terminal.

use std::fmt::Write as _;

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// As it is.
    Plain,
    /// Less important.
    Dim,
    /// More important.
    Bold,
    /// Went up, or good.
    Up,
    /// Went down, or bad.
    Down,
    /// Suspended.
    Warning,
    /// Over, and crossed out.
    Void,
    /// The bar at the top.
    Bar,
}

impl Style {
    /// The codes of "select graphic rendition" (ECMA-48, section 8.3.117).
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Dim => "2",
            Self::Bold => "1",
            Self::Up => "32",
            Self::Down => "31",
            Self::Warning => "33",
            Self::Void => "2;9",
            Self::Bar => "7",
        }
    }
}

/// One line of the board.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line {
    spans: Vec<(Style, String)>,
}

impl Line {
    /// An empty line.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds text.
    #[must_use]
    pub(super) fn text(mut self, style: Style, text: impl Into<String>) -> Self {
        self.push(style, text);
        self
    }

    /// Adds text.
    pub(super) fn push(&mut self, style: Style, text: impl Into<String>) {
        self.spans.push((style, text.into()));
    }

    /// Adds text of exactly this many columns: cut, or filled with spaces.
    pub(super) fn push_column(&mut self, style: Style, text: &str, columns: usize) {
        self.push(style, column(text, columns));
    }

    /// Columns used so far.
    pub(super) fn columns(&self) -> usize {
        self.spans.iter().map(|(_, text)| text.chars().count()).sum()
    }

    /// The line as the terminal wants it, no wider than this.
    pub(super) fn ansi(&self, columns: usize) -> String {
        let (mut out, mut left) = (String::new(), columns);
        for (style, text) in &self.spans {
            let shown: String = text.chars().take(left).collect();
            left -= shown.chars().count();
            match style.code() {
                "" => out.push_str(&shown),
                code => {
                    let _ = write!(out, "\x1b[{code}m{shown}\x1b[0m");
                }
            }
        }
        out
    }

    /// The line without styles.
    #[cfg(test)]
    pub(super) fn plain(&self) -> String {
        self.spans.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// Text of exactly this many columns: cut with an ellipsis, or filled with spaces.
pub(super) fn column(text: &str, columns: usize) -> String {
    let length = text.chars().count();
    if length <= columns {
        return format!("{text}{}", " ".repeat(columns - length));
    }
    let mut cut: String = text.chars().take(columns.saturating_sub(1)).collect();
    cut.push('…');
    cut.chars().take(columns).collect()
}

/// Bytes with a unit, in steps of a thousand as networks count.
pub(super) fn bytes(bytes: f64) -> String {
    match bytes {
        ..1e3 => format!("{bytes:.0} B"),
        ..1e6 => format!("{:.1} kB", bytes / 1e3),
        ..1e9 => format!("{:.2} MB", bytes / 1e6),
        _ => format!("{:.2} GB", bytes / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_never_wider_than_the_terminal() {
        let line = Line::new().text(Style::Up, "äöü").text(Style::Plain, "xyz");
        assert_eq!(line.ansi(4), "\x1b[32mäöü\x1b[0mx");
        assert_eq!(line.ansi(0), "\x1b[32m\x1b[0m");
        assert_eq!(line.columns(), 6);
    }

    #[test]
    fn columns_are_exact() {
        assert_eq!(column("abc", 5), "abc  ");
        assert_eq!(column("abcdef", 4), "abc…");
        assert_eq!(column("abc", 0), "");
    }

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes(999.0), "999 B");
        assert_eq!(bytes(1_500.0), "1.5 kB");
        assert_eq!(bytes(2_345_000.0), "2.35 MB");
    }
}
