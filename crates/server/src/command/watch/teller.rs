//! Events of a client as lines.

use std::time::{SystemTime, UNIX_EPOCH};

use oddswire_client::{Client, ClientEvent, Event, MarketNumber, View};
use oddswire_delta::MarketDelta;
use oddswire_model::MarketId;
use oddswire_wire::proto::Conflation;
use serde_json::{Value, json};

use crate::command::{
    changes::{self, Change, Copies, market_title, printable},
    replay::utc,
};

/// Turns events into lines. It follows the markets itself, so that it knows what was before a change.
#[derive(Debug)]
pub(super) struct Teller {
    json: bool,
    view: View,
    copies: Copies,
}

/// What a line says: a word for its kind, the market if it is about one, and the rest in both forms.
struct Line {
    kind: &'static str,
    market: Option<(String, String)>,
    text: String,
    json: Value,
}

impl Teller {
    /// A teller that prints text or JSON.
    pub(super) fn new(json: bool, view: View) -> Self {
        Self { json, view, copies: Copies::default() }
    }

    /// The lines of an event. The client is asked for markets that come into view.
    pub(super) fn tell(&mut self, event: &ClientEvent, client: Option<&Client>) -> Vec<String> {
        let lines = match event {
            ClientEvent::Connected => vec![plain("connected", "the socket is open".to_owned(), json!({}))],
            ClientEvent::Disconnected { reason, retry_in_ms } => {
                let text = format!("{reason}; next attempt in {retry_in_ms} ms");
                vec![plain(
                    "disconnected",
                    text,
                    json!({ "reason": reason.to_string(), "retry_in_ms": retry_in_ms }),
                )]
            }
            ClientEvent::Session(Event::Snapshot { market }) => {
                client.and_then(|client| self.snapshot(client, *market)).into_iter().collect()
            }
            ClientEvent::Session(event) => self.session(event),
            ClientEvent::Lagged(missed) => {
                vec![plain("lagged", format!("{missed} events were missed"), json!({ "missed": missed }))]
            }
            // Kinds of a later version of the client.
            _ => Vec::new(),
        };
        lines.into_iter().map(|line| self.render(line)).collect()
    }

    /// The line that stands for lines that were dropped.
    pub(super) fn dropped(&self, lines: u64) -> String {
        let text = format!("{lines} lines were dropped, because nobody read them");
        self.render(plain("dropped", text, json!({ "lines": lines })))
    }

    fn session(&mut self, event: &Event) -> Vec<Line> {
        match event {
            Event::Welcomed { epoch, session } => {
                let text = format!("epoch {epoch}, session {}", printable(session));
                vec![plain("welcome", text, json!({ "epoch": epoch.to_string(), "session": session }))]
            }
            Event::Subscribed { subscription, rate_ms, markets, resume } => {
                let resume = format!("{resume:?}").to_lowercase();
                let text =
                    format!("{markets} markets, view {}, rate {rate_ms} ms, resume: {resume}", self.view);
                let json = json!({
                    "subscription": subscription, "markets": markets, "rate_ms": rate_ms, "resume": resume,
                });
                vec![plain("subscribed", text, json)]
            }
            Event::Status { market, edge } => {
                let json = json!({ "revision": edge.revision.0, "status": edge.status.as_str() });
                vec![self.about("status", *market, format!("{} at {}", edge.status, edge.revision), json)]
            }
            Event::Changed { change, conflated } => self.changed(change, *conflated),
            Event::Removed { market, id } => vec![self.removed(*market, id)],
            Event::Gap => {
                vec![plain("gap", "frames were lost; asked for what is missing".to_owned(), json!({}))]
            }
            Event::Resyncing { market, reason } => {
                let reason = reason.as_str_name();
                let text = format!("asked for again: {reason}");
                vec![self.about("resync", *market, text, json!({ "reason": reason }))]
            }
            Event::Synced { revision } => {
                let text = format!("everything is live at {revision}");
                vec![plain("synced", text, json!({ "revision": revision.0 }))]
            }
            Event::Stale => {
                vec![plain("stale", "the gateway is silent; nothing is bettable".to_owned(), json!({}))]
            }
            Event::Drain { reconnect_after_ms } => {
                let text = format!("the gateway asks to move, after {reconnect_after_ms} ms");
                vec![plain("drain", text, json!({ "reconnect_after_ms": reconnect_after_ms }))]
            }
            Event::Refused { code, message, .. } => {
                let text = format!("{}: {}", code.as_str_name(), printable(message));
                vec![plain("refused", text, json!({ "code": code.as_str_name(), "message": message }))]
            }
            Event::Snapshot { .. } => Vec::new(),
        }
    }

    fn snapshot(&mut self, client: &Client, number: MarketNumber) -> Option<Line> {
        let market = client.read_number(number, |reading| reading.market.clone())?;
        let (revision, status, selections) = (market.revision(), market.status(), market.selections().len());
        self.copies.put(market);
        let json = json!({ "revision": revision.0, "status": status.as_str(), "selections": selections });
        Some(self.about("snapshot", number, format!("{status}, {selections} selections, {revision}"), json))
    }

    fn changed(&mut self, change: &MarketDelta, conflated: Conflation) -> Vec<Line> {
        let told = match self.copies.get(change.market).map(|held| held.revision() >= change.revision) {
            // The copy was taken after the change; what was before is not known any more.
            Some(true) => None,
            Some(false) => self.copies.take(change).ok(),
            None => return Vec::new(),
        };
        let told = told.unwrap_or_else(|| {
            self.copies.get(change.market).map(|held| changes::tell_blind(change, held)).unwrap_or_default()
        });
        let conflated = match conflated {
            Conflation::None => None,
            Conflation::Asked => Some("asked"),
            Conflation::ReceiverSlow => Some("receiver slow"),
            Conflation::ServerSlow => Some("server slow"),
        };
        if self.json {
            let json = json!({
                "revision": change.revision.0,
                "published_ms": change.published_ms,
                "conflated": conflated,
                "changes": told.iter().map(Change::json).collect::<Vec<_>>(),
            });
            return vec![self.about("change", change.market, String::new(), json)];
        }
        let cause = conflated.map_or(String::new(), |cause| format!("  (conflated: {cause})"));
        let lines = told
            .iter()
            .map(|told| self.about("change", change.market, format!("{}{cause}", told.text()), Value::Null));
        lines.collect()
    }

    fn removed(&mut self, market: MarketNumber, id: &MarketId) -> Line {
        let title = self.copies.remove(market).map_or_else(|| id.to_string(), |held| market_title(&held));
        Line {
            kind: "removed",
            market: Some((id.to_string(), title)),
            text: "has left".to_owned(),
            json: json!({}),
        }
    }

    fn about(&self, kind: &'static str, market: MarketNumber, text: String, json: Value) -> Line {
        let named = self.copies.get(market).map(|held| (held.id().to_string(), market_title(held)));
        Line {
            kind,
            market: Some(named.unwrap_or_else(|| (market.to_string(), market.to_string()))),
            text,
            json,
        }
    }

    fn render(&self, line: Line) -> String {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        if self.json {
            let mut object = json!({ "type": line.kind, "time_ms": now_ms });
            if let Some((id, title)) = line.market {
                object["market"] = id.into();
                object["name"] = title.into();
            }
            for (name, value) in line.json.as_object().into_iter().flatten() {
                object[name] = value.clone();
            }
            return object.to_string();
        }
        let time = utc(now_ms);
        let time = time.split_once(' ').map_or(time.as_str(), |(_, time)| time);
        let market = line.market.map_or(String::new(), |(_, title)| format!("{title}  "));
        let kind = if line.kind == "change" { String::new() } else { format!("{}: ", line.kind) };
        format!("{time}.{:03}  {market}{kind}{}", now_ms % 1_000, line.text)
    }
}

fn plain(kind: &'static str, text: String, json: Value) -> Line {
    Line { kind, market: None, text, json }
}
