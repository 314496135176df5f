//! The board: what is drawn, from the figures and the client's markets.

use std::time::{Duration, Instant};

use oddswire_client::{Client, ClientStats, MarketNumber};
use oddswire_model::Revision;

use super::{
    figures::{Rates, Resume, Shared},
    lag::Percentiles,
    paint::{Line, Style, bytes},
    rows::Rows,
};
use crate::command::replay::utc;

/// The order of the table changes no more often than this, because rows that jump cannot be read.
const REORDER_EVERY: Duration = Duration::from_secs(5);
/// Lines of the panel above the table and of the head.
const PANEL_ROWS: usize = 11;
/// More rows than any terminal has.
const ROWS_MAX: usize = 200;

/// What does not change while the demo runs.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    /// Where the prices come from.
    pub(super) source: String,
    /// How fast.
    pub(super) speed: String,
    /// The front end, as `host:port`.
    pub(super) http: String,
    /// The way in, as `host:port`.
    pub(super) grpc: String,
    /// What the client asked for.
    pub(super) rate_ms: u32,
}

/// Everything a moment has to say.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    revision: Revision,
    markets: usize,
    rates: Rates,
    stats: ClientStats,
    commits: u64,
    json_bytes: u64,
    refused: u64,
    market_ms: u64,
    saved: Option<f64>,
    lag: Option<Percentiles>,
    resume: Option<Resume>,
    notices: Vec<String>,
}

impl Moment {
    /// Takes the figures as of now.
    pub(super) fn take(client: &Client, figures: &Shared, now: Instant) -> Self {
        // The client first: the figures' lock must not be held while the client's is waited for.
        let stats = client.stats();
        let revision = client.cursor().map_or(Revision(0), |cursor| cursor.revision);
        let markets = client.with_markets(|markets| markets.count());
        let mut figures = figures.lock();
        Self {
            revision,
            markets,
            rates: figures.rates(stats.session.bytes, now),
            stats,
            commits: figures.commits,
            json_bytes: figures.json_bytes,
            refused: figures.refused,
            market_ms: figures.market_ms,
            saved: figures.saved_percent(stats.session.bytes),
            lag: figures.lag.percentiles(now),
            resume: figures.resume,
            notices: figures.notices.iter().cloned().collect(),
        }
    }

    fn saved(&self) -> String {
        percent(self.saved)
    }

    fn lag(&self) -> String {
        self.lag.map_or_else(|| "-".to_owned(), |lag| format!("p50 {}, p99 {}", ms(lag.p50), ms(lag.p99)))
    }

    /// The moment as one line, for logs and pipes.
    pub(super) fn line(&self) -> String {
        let session = self.stats.session;
        format!(
            "{} markets, {}, {:.0} updates/s, wire {}/s for JSON {}/s, {} saved; in all {} for {}, {} saved; lag {}, \
             resumes {}, gaps {}",
            self.markets,
            self.revision,
            self.rates.updates,
            bytes(self.rates.wire_bytes),
            bytes(self.rates.json_bytes),
            percent(self.rates.saved_percent()),
            bytes(session.bytes as f64),
            bytes(self.json_bytes as f64),
            self.saved(),
            self.lag(),
            session.resumes,
            session.gaps,
        )
    }

    /// What is left to say at the end.
    pub(super) fn summary(&self, ran: Duration) -> String {
        let wire = self.stats.session.bytes;
        format!(
            "ran {:.1} s: {} commits, {} bytes as JSON, {wire} bytes on the wire, {} bytes saved ({}), {} refused",
            ran.as_secs_f64(),
            self.commits,
            self.json_bytes,
            self.json_bytes.saturating_sub(wire),
            self.saved(),
            self.refused,
        )
    }
}

/// Draws the board.
#[derive(Debug)]
pub(super) struct Board {
    setting: Setting,
    rows: Rows,
    order: Vec<MarketNumber>,
    ordered: Option<Instant>,
}

impl Board {
    /// A board that has drawn nothing.
    pub(super) fn new(setting: Setting) -> Self {
        Self { setting, rows: Rows::default(), order: Vec::new(), ordered: None }
    }

    /// The lines for a terminal of this size.
    pub(super) fn draw(
        &mut self,
        client: &Client,
        figures: &Shared,
        (columns, rows): (usize, usize),
        now: Instant,
    ) -> Vec<Line> {
        let moment = Moment::take(client, figures, now);
        let mut lines = self.panel(&moment, columns);
        lines.push(Rows::head(columns));
        if self.order.len() < ROWS_MAX.min(moment.markets)
            || self.ordered.is_none_or(|at| now.saturating_duration_since(at) > REORDER_EVERY)
        {
            self.order = figures.lock().most_active(ROWS_MAX, now);
            self.ordered = Some(now);
        }
        let room = rows.saturating_sub(lines.len());
        for &market in self.order.iter().take(room) {
            lines.extend(client.read_number(market, |reading| self.rows.row(&reading, columns, now)));
        }
        lines
    }

    fn panel(&self, moment: &Moment, columns: usize) -> Vec<Line> {
        let Setting { source, speed, http, grpc, rate_ms } = &self.setting;
        let session = moment.stats.session;
        let mut lines = Vec::with_capacity(PANEL_ROWS);
        let bar = format!(" oddswire demo   {source}, speed {speed}   q quit   c cut the connection");
        let mut line = Line::new();
        line.push_column(Style::Bar, &bar, columns);
        lines.push(line);
        lines.push(
            figure("state")
                .text(Style::Bold, format!("{} markets at {}", moment.markets, moment.revision))
                .text(
                    Style::Plain,
                    format!(
                        ", market time {} UTC, {} commits published",
                        utc(moment.market_ms),
                        moment.commits
                    ),
                ),
        );
        lines.push(
            figure("updates")
                .text(Style::Bold, format!("{:.0}/s", moment.rates.updates))
                .text(Style::Plain, format!(", in full depth, each market at most once in {rate_ms} ms")),
        );
        let rates = moment.rates;
        lines.push(
            figure("wire now")
                .text(Style::Bold, format!("{}/s", bytes(rates.wire_bytes)))
                .text(Style::Plain, format!(", the same commits as JSON {}/s: ", bytes(rates.json_bytes)))
                .text(Style::Up, format!("{} saved", percent(rates.saved_percent()))),
        );
        lines.push(
            figure("in all")
                .text(Style::Bold, bytes(session.bytes as f64))
                .text(Style::Plain, format!(", as JSON {}: ", bytes(moment.json_bytes as f64)))
                .text(Style::Up, format!("{} saved", moment.saved()))
                .text(Style::Dim, ", first images included"),
        );
        lines.push(figure("lag").text(Style::Bold, moment.lag()).text(
            Style::Dim,
            format!(
                "  publish to applied, last 10 s, one clock; the wait for the {rate_ms} ms rate is in it"
            ),
        ));
        let refused =
            if moment.refused > 0 { format!(", {} commits refused", moment.refused) } else { String::new() };
        lines.push(figure("session").text(
            Style::Plain,
            format!(
                "{} connections, {} resumes, {} gaps, {} digests checked, {} differed{refused}",
                session.connections,
                session.resumes,
                session.gaps,
                session.digests_checked,
                session.digest_mismatches
            ),
        ));
        lines.push(match moment.resume {
            None => figure("resume").text(Style::Dim, "none yet; press c to cut the connection"),
            Some(resume) => figure("resume")
                .text(
                    Style::Bold,
                    format!("{} after {} ms away", bytes(resume.bytes as f64), resume.away.as_millis()),
                )
                .text(
                    Style::Plain,
                    format!("; snapshots would have been {}", bytes(resume.snapshot_bytes as f64)),
                ),
        });
        lines.push(figure("look at").text(
            Style::Plain,
            format!("http://{http}/ in a browser   ws://{http}/v1/stream   producers: http://{grpc}"),
        ));
        let notice = moment.notices.last().map_or("", String::as_str);
        lines.push(figure("").text(Style::Warning, notice));
        lines
    }
}

/// Milliseconds, with a decimal where that says something.
fn ms(lag: Duration) -> String {
    let ms = lag.as_secs_f64() * 1e3;
    if ms < 10.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{share:.1} %"))
}

fn figure(name: &str) -> Line {
    let mut line = Line::new();
    line.push_column(Style::Dim, &format!(" {name}"), 10);
    line
}
