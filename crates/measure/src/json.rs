//! What people send instead: net changes as JSON, snapshots as JSON, and merge patches between them.
//!
//! All of it with the venue's own short names and without a needless byte, so that the comparison flatters nobody but
//! JSON.

use oddswire_delta::MarketDelta;
use oddswire_model::{
    AttributeValue, Attributes, CellChange, Field, FieldKind, Handicap, Market, Price, Selection,
    SelectionKey, SelectionNumber,
};

use crate::history::{Part, parts};

/// Name of a field in the venue's stream.
fn field_name(field: Field) -> &'static str {
    match field {
        Field::Status | Field::SelectionStatus => "status",
        Field::InPlay => "inPlay",
        Field::Held => "held",
        Field::MarketTradedVolume | Field::TradedVolume => "tv",
        Field::PriceLadder => "ladder",
        Field::Price => "price",
        Field::LastTraded => "ltp",
        Field::NearPrice => "spn",
        Field::FarPrice => "spf",
        Field::StartingPrice => "bsp",
        Field::ReductionFactor => "adjustmentFactor",
        Field::Back => "atb",
        Field::Lay => "atl",
        Field::Traded => "trd",
        Field::SpBack => "spb",
        Field::SpLay => "spl",
        Field::DisplayBack => "bdatb",
        Field::DisplayLay => "bdatl",
    }
}

/// A message in the venue's form that holds only what changed: `{"op":"mcm","pt":..,"mc":[..]}`.
#[derive(Debug, Default)]
pub(crate) struct Canonical {
    json: Json,
}

impl Canonical {
    pub(crate) fn begin(&mut self, published_ms: u64) {
        self.json.clear();
        self.json.raw("{\"op\":\"mcm\",\"pt\":");
        self.json.integer(published_ms);
        self.json.raw(",\"mc\":[");
    }

    pub(crate) fn market(&mut self, change: &MarketDelta, market: &Market) {
        let json = &mut self.json;
        json.element();
        json.open('{');
        json.key("id");
        json.text(market.id().as_str());
        let mut runners_open = false;
        for part in parts(change) {
            if part.owner == SelectionNumber::MARKET {
                canonical_part(json, &part);
                continue;
            }
            if !runners_open {
                runners_open = true;
                json.key("rc");
                json.open('[');
            }
            json.element();
            json.open('{');
            canonical_part(json, &part);
            let Some(selection) = market.selection(part.owner) else { continue };
            json.key("id");
            json.integer(selection.key().id.0);
            if selection.key().handicap != Handicap::NONE {
                json.key("hc");
                json.signed(i64::from(selection.key().handicap.0), 3);
            }
            json.close('}');
        }
        if runners_open {
            json.close(']');
        }
        json.close('}');
    }

    pub(crate) fn finish(&mut self) -> &[u8] {
        self.json.raw("]}");
        &self.json.out
    }
}

fn canonical_part(json: &mut Json, part: &Part<'_>) {
    definition(json, part.attributes.iter().copied());
    for cells in part.cells.chunk_by(|a, b| a.key.field == b.key.field) {
        let field = cells[0].key.field;
        json.key(field_name(field));
        if field.kind() != FieldKind::Ladder {
            json.cell(field, cells[0].value);
            continue;
        }
        json.open('[');
        for cell in cells {
            json.element();
            json.open('[');
            json.element();
            json.price(cell.key.price);
            json.element();
            json.decimal(cell.value, 2);
            json.close(']');
        }
        json.close(']');
    }
}

/// A JSON merge patch (RFC 7396) from the document before to the document after; see [`Document`].
#[derive(Debug, Default)]
pub(crate) struct MergePatch {
    json: Json,
}

impl MergePatch {
    pub(crate) fn begin(&mut self, published_ms: u64) {
        begin_document(&mut self.json, published_ms);
    }

    pub(crate) fn market(&mut self, change: &MarketDelta, market: &Market) {
        let json = &mut self.json;
        json.key(market.id().as_str());
        json.open('{');
        let mut runners_open = false;
        for part in parts(change) {
            if part.owner == SelectionNumber::MARKET {
                patch_part(json, &part);
                continue;
            }
            if !runners_open {
                runners_open = true;
                json.key("rc");
                json.open('{');
            }
            let Some(selection) = market.selection(part.owner) else { continue };
            json.key(&selection_name(selection.key()));
            json.open('{');
            patch_part(json, &part);
            json.close('}');
        }
        if runners_open {
            json.close('}');
        }
        json.close('}');
    }

    pub(crate) fn finish(&mut self) -> &[u8] {
        self.json.raw("}}");
        &self.json.out
    }
}

fn patch_part(json: &mut Json, part: &Part<'_>) {
    definition(json, part.attributes.iter().copied());
    for cells in part.cells.chunk_by(|a, b| a.key.field == b.key.field) {
        let field = cells[0].key.field;
        json.key(field_name(field));
        if field.kind() != FieldKind::Ladder {
            json.cell(field, cells[0].value);
            continue;
        }
        json.open('{');
        for CellChange { key, value } in cells {
            json.price_key(key.price);
            if *value == 0 { json.raw("null") } else { json.decimal(*value, 2) }
        }
        json.close('}');
    }
}

/// Whole markets as JSON, in the form that a merge patch is smallest for: what can change alone has a key of its own,
/// so ladders are objects of price and amount, and runners stand under their ids.
///
/// `{"pt":..,"mc":{"1.23":{"status":1,"def":{..},"rc":{"47972":{"atb":{"2.5":12.34},"ltp":2.5}}}}}`
#[derive(Debug, Default)]
pub(crate) struct Document {
    json: Json,
}

impl Document {
    pub(crate) fn write<'a>(
        &mut self,
        published_ms: u64,
        markets: impl Iterator<Item = (&'a Market, &'a [u8])>,
    ) -> &[u8] {
        begin_document(&mut self.json, published_ms);
        for (market, body) in markets {
            self.json.key(market.id().as_str());
            self.json.out.extend_from_slice(body);
        }
        self.json.raw("}}");
        &self.json.out
    }

    /// What was written last.
    pub(crate) fn text(&self) -> &[u8] {
        &self.json.out
    }
}

/// One market of a [`Document`], kept up to date selection by selection.
#[derive(Debug, Default)]
pub(crate) struct MarketDocument {
    selections: Vec<Json>,
    body: Json,
}

impl MarketDocument {
    /// Brings the document to the market's state; `change` says what has changed since the last time.
    pub(crate) fn update(&mut self, change: &MarketDelta, market: &Market) {
        self.selections.resize_with(market.selections().len(), Json::default);
        for part in parts(change) {
            if let Some(selection) = market.selection(part.owner) {
                selection_document(&mut self.selections[usize::from(part.owner.0)], selection);
            }
        }
        let body = &mut self.body;
        body.clear();
        body.open('{');
        all_attributes(body, market.attributes());
        for field in Field::MARKET {
            if market.value(field) != 0 {
                body.key(field_name(field));
                body.cell(field, market.value(field));
            }
        }
        if !self.selections.is_empty() {
            body.key("rc");
            body.open('{');
            for (selection, document) in market.selections().iter().zip(&self.selections) {
                body.key(&selection_name(selection.key()));
                body.out.extend_from_slice(&document.out);
            }
            body.close('}');
        }
        body.close('}');
    }

    /// The market's JSON object.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body.out
    }
}

fn begin_document(json: &mut Json, published_ms: u64) {
    json.clear();
    json.raw("{\"pt\":");
    json.integer(published_ms);
    json.raw(",\"mc\":{");
}

fn selection_document(json: &mut Json, selection: &Selection) {
    json.clear();
    json.open('{');
    all_attributes(json, selection.attributes());
    for field in Field::SELECTION {
        if selection.value(field) != 0 {
            json.key(field_name(field));
            json.cell(field, selection.value(field));
        }
    }
    for field in Field::LADDERS {
        let ladder = selection.ladder(field);
        if ladder.is_empty() {
            continue;
        }
        json.key(field_name(field));
        json.open('{');
        for rung in ladder.rungs() {
            json.price_key(rung.price);
            json.decimal(rung.volume, 2);
        }
        json.close('}');
    }
    json.close('}');
}

fn all_attributes(json: &mut Json, attributes: &Attributes) {
    definition(json, attributes.iter().map(|(name, value)| (&**name, Some(value))));
}

fn definition<'a>(json: &mut Json, attributes: impl Iterator<Item = (&'a str, Option<&'a AttributeValue>)>) {
    let mut attributes = attributes.peekable();
    if attributes.peek().is_none() {
        return;
    }
    json.key("def");
    json.open('{');
    for (name, value) in attributes {
        json.key(name);
        match value {
            None => json.raw("null"),
            Some(AttributeValue::Text(text)) => json.text(text),
            Some(AttributeValue::Integer(number)) => json.signed(*number, 0),
            Some(AttributeValue::Boolean(yes)) => json.raw(if *yes { "true" } else { "false" }),
            Some(AttributeValue::Json(text)) => json.raw(text),
        }
    }
    json.close('}');
}

fn selection_name(key: SelectionKey) -> String {
    if key.handicap == Handicap::NONE {
        return key.id.0.to_string();
    }
    format!("{}:{}", key.id.0, key.handicap.to_decimal())
}

/// JSON that is being written.
#[derive(Debug, Default)]
struct Json {
    out: Vec<u8>,
}

impl Json {
    fn clear(&mut self) {
        self.out.clear();
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn open(&mut self, bracket: char) {
        self.out.push(bracket as u8);
    }

    fn close(&mut self, bracket: char) {
        self.out.push(bracket as u8);
    }

    /// A comma, unless the element is the first.
    fn element(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[')) {
            self.out.push(b',');
        }
    }

    fn key(&mut self, name: &str) {
        self.element();
        self.text(name);
        self.out.push(b':');
    }

    fn price_key(&mut self, price: Price) {
        self.element();
        self.out.push(b'"');
        self.decimal(u64::from(price.0), 4);
        self.raw("\":");
    }

    fn text(&mut self, text: &str) {
        if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
            self.out.push(b'"');
            self.raw(text);
            self.out.push(b'"');
        } else {
            serde_json::to_writer(&mut self.out, text).expect("writing into memory does not fail");
        }
    }

    fn integer(&mut self, number: u64) {
        self.decimal(number, 0);
    }

    fn signed(&mut self, number: i64, decimals: u32) {
        if number < 0 {
            self.out.push(b'-');
        }
        self.decimal(number.unsigned_abs(), decimals);
    }

    /// A number that is an integer of 10^-decimals, without needless zeros.
    fn decimal(&mut self, number: u64, decimals: u32) {
        let scale = 10u64.pow(decimals);
        let (whole, mut rest) = (number / scale, number % scale);
        self.digits(whole, 1);
        if rest == 0 {
            return;
        }
        let mut places = decimals as usize;
        while rest % 10 == 0 {
            rest /= 10;
            places -= 1;
        }
        self.out.push(b'.');
        self.digits(rest, places);
    }

    fn digits(&mut self, mut number: u64, at_least: usize) {
        let start = self.out.len();
        while number > 0 || self.out.len() - start < at_least {
            self.out.push(b'0' + (number % 10) as u8);
            number /= 10;
        }
        self.out[start..].reverse();
    }

    fn price(&mut self, price: Price) {
        match price {
            Price::INFINITE => self.raw("\"Infinity\""),
            price => self.decimal(u64::from(price.0), 4),
        }
    }

    /// The value of a one-value field; one that is gone is null.
    fn cell(&mut self, field: Field, value: u64) {
        if value == 0 {
            return self.raw("null");
        }
        match field {
            Field::InPlay | Field::Held => self.raw("true"),
            Field::MarketTradedVolume | Field::TradedVolume => self.decimal(value, 2),
            Field::Price | Field::LastTraded | Field::NearPrice | Field::FarPrice | Field::StartingPrice => {
                self.price(Price(u32::try_from(value).unwrap_or(u32::MAX)));
            }
            Field::ReductionFactor => self.decimal(value, 4),
            _ => self.integer(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use oddswire_feeds::simulator::{Simulator, SimulatorConfig};
    use serde_json::Value;

    use super::*;
    use crate::history::History;

    /// RFC 7396, section 2.
    fn merge(target: &mut Value, patch: &Value) {
        let Value::Object(patch) = patch else {
            *target = patch.clone();
            return;
        };
        if !target.is_object() {
            *target = Value::Object(serde_json::Map::new());
        }
        let object = target.as_object_mut().unwrap();
        for (key, value) in patch {
            if value.is_null() {
                object.remove(key);
            } else {
                merge(object.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
    }

    /// Objects that lost their last member stand in the patched document and not in the one written afresh.
    fn without_empty(value: &mut Value) {
        if let Value::Object(object) = value {
            object.values_mut().for_each(without_empty);
            let is_runner_list =
                |key: &str| key.chars().all(|c| c.is_ascii_digit() || c == ':' || c == '.' || c == '-');
            object
                .retain(|key, value| is_runner_list(key) || value.as_object().is_none_or(|o| !o.is_empty()));
        }
    }

    #[test]
    fn a_patched_document_is_the_document_written_afresh() {
        let mut history = History::new();
        let mut documents: BTreeMap<_, MarketDocument> = BTreeMap::new();
        let mut patched = serde_json::json!({});
        let (mut patch, mut document) = (MergePatch::default(), Document::default());
        for (at, commit) in Simulator::new(SimulatorConfig::small(3)).take(3_000).enumerate() {
            patch.begin(commit.published_ms);
            for (change, market) in history.commit(&commit).unwrap() {
                patch.market(change, market);
                documents.entry(change.market).or_default().update(change, market);
            }
            merge(&mut patched, &serde_json::from_slice(patch.finish()).unwrap());
            if at % 100 == 99 {
                without_empty(&mut patched);
                let markets = history.store().markets().map(|m| (m, documents[&m.number()].body()));
                let mut whole = serde_json::from_slice(document.write(commit.published_ms, markets)).unwrap();
                without_empty(&mut whole);
                assert_eq!(patched, whole, "after {at} commits");
            }
        }
        assert!(patched["mc"].as_object().unwrap().len() >= 10);
    }

    #[test]
    fn canonical_messages_say_what_changed_and_nothing_else() {
        let recording = crate::Recording::parse(
            "x",
            concat!(
                r#"{"op":"mcm","id":2,"clk":"AA","pt":10,"mc":[{"id":"1.1","img":true,"rc":[{"id":7,"ltp":2.50,"#,
                r#""atb":[[1.01,20.00],[2.5,3.1]]},{"id":8,"hc":-0.5,"tv":0.07}]}]}"#,
                r#"{"op":"mcm","id":2,"clk":"AB","pt":11,"mc":[{"id":"1.1","rc":[{"id":7,"ltp":2.5,"atb":[[2.5,0]]}]}]}"#,
            )
            .into(),
        )
        .unwrap();
        let mut history = History::new();
        let mut canonical = Canonical::default();
        let mut texts = Vec::new();
        for (_, commit) in recording.commits() {
            canonical.begin(commit.published_ms);
            for (change, market) in history.commit(commit).unwrap() {
                canonical.market(change, market);
            }
            texts.push(String::from_utf8(canonical.finish().to_vec()).unwrap());
        }
        assert_eq!(
            texts,
            [
                r#"{"op":"mcm","pt":10,"mc":[{"id":"1.1","rc":[{"ltp":2.5,"atb":[[2.5,3.1],[1.01,20]],"id":7},{"tv":0.07,"id":8,"hc":-0.5}]}]}"#,
                r#"{"op":"mcm","pt":11,"mc":[{"id":"1.1","rc":[{"atb":[[2.5,0]],"id":7}]}]}"#,
            ]
        );
    }

    #[test]
    fn numbers_are_written_without_needless_digits() {
        let mut json = Json::default();
        for (number, decimals) in [(0, 2), (100, 2), (105, 2), (5, 2), (10_100, 4), (u64::MAX, 0)] {
            json.raw(" ");
            json.decimal(number, decimals);
        }
        json.raw(" ");
        json.signed(-750, 3);
        assert_eq!(json.out, b" 0 1 1.05 0.05 1.01 18446744073709551615 -0.75");
    }
}
