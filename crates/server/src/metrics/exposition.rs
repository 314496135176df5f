//! The text exposition format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write};

/// What a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows, until the process starts anew. Its name ends with `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// An answer to a scraper.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
}

impl Exposition {
    /// Begins a figure. Its samples follow.
    pub(super) fn figure(&mut self, name: &str, kind: Kind, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {}", kind.as_str());
    }

    /// A sample without labels.
    pub(super) fn sample(&mut self, name: &str, value: impl Display) {
        let _ = writeln!(self.text, "{name} {value}");
    }

    /// A sample with one label.
    pub(super) fn labelled(&mut self, name: &str, label: &str, content: &str, value: impl Display) {
        let content = content.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = writeln!(self.text, "{name}{{{label}=\"{content}\"}} {value}");
    }

    /// A histogram. There is one count more than edges, of what lies beyond them.
    pub(super) fn histogram(
        &mut self,
        name: &str,
        help: &str,
        edges: impl Iterator<Item = f64>,
        counts: &[u64],
        sum: f64,
    ) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} histogram");
        let mut below = 0u64;
        for (edge, count) in edges.zip(counts) {
            below = below.saturating_add(*count);
            let _ = writeln!(self.text, "{name}_bucket{{le=\"{edge}\"}} {below}");
        }
        let count = counts.iter().fold(0u64, |sum, &count| sum.saturating_add(count));
        let _ = writeln!(
            self.text,
            "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}"
        );
    }

    /// The whole answer.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_a_line_is_escaped() {
        let mut exposition = Exposition::default();
        exposition.figure("a_total", Kind::Counter, "one\nline \\ only");
        exposition.labelled("a_total", "b", "\"\n\\", 12_345_678_901u64);
        exposition.sample("c", 0.25);
        let expected = "# HELP a_total one\\nline \\\\ only\n# TYPE a_total counter\na_total{b=\"\\\"\\n\\\\\"} 12345678901\nc 0.25\n";
        assert_eq!(exposition.finish(), expected);
    }
}
