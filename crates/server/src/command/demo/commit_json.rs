//! What a commit weighs as JSON: the yardstick for the bytes on the wire.
//!
//! The JSON is what a careful team would send: only what the commit names, full words, no spaces, no repetition.

use std::{io, sync::Arc};

use oddswire_model::{AttributeValue, Commit, Handicap, LadderUpdate, MarketUpdate, SelectionUpdate};
use serde_json::{Map, Value, json};

use crate::command::changes::{attribute_value, field_name, price_value, value};

type Attributes = [(Arc<str>, Option<AttributeValue>)];

/// Bytes of a commit as compact JSON.
pub(super) fn bytes(commit: &Commit) -> u64 {
    let mut counter = Counter(0);
    // A counter takes everything, and the value holds nothing that JSON cannot say.
    let _ = serde_json::to_writer(&mut counter, &render(commit));
    counter.0
}

fn render(commit: &Commit) -> Value {
    json!({
        "published_ms": commit.published_ms,
        "markets": commit.markets.iter().map(market).collect::<Vec<_>>(),
    })
}

fn market(update: &MarketUpdate) -> Value {
    let mut object = Map::new();
    object.insert("market".to_owned(), update.id.as_str().into());
    if update.image {
        object.insert("image".to_owned(), true.into());
    }
    for &(field, held) in &update.fields {
        object.insert(field_name(field).to_owned(), value(field, held));
    }
    definition(&update.attributes, &mut object);
    if !update.selections.is_empty() {
        object.insert("selections".to_owned(), update.selections.iter().map(selection).collect());
    }
    Value::Object(object)
}

fn selection(update: &SelectionUpdate) -> Value {
    let mut object = Map::new();
    object.insert("id".to_owned(), update.key.id.0.into());
    if update.key.handicap != Handicap::NONE {
        object.insert("handicap".to_owned(), update.key.handicap.to_decimal().into());
    }
    for &(field, held) in &update.fields {
        object.insert(field_name(field).to_owned(), value(field, held));
    }
    for ladder in &update.ladders {
        object.insert(field_name(ladder.field).to_owned(), rungs(ladder));
    }
    definition(&update.attributes, &mut object);
    Value::Object(object)
}

fn rungs(ladder: &LadderUpdate) -> Value {
    let rung = |&(price, volume)| json!([price_value(price), value(ladder.field, volume)]);
    ladder.rungs.iter().map(rung).collect()
}

fn definition(attributes: &Attributes, object: &mut Map<String, Value>) {
    if attributes.is_empty() {
        return;
    }
    let entries = attributes
        .iter()
        .map(|(name, held)| (name.as_ref().to_owned(), held.as_ref().map_or(Value::Null, attribute_value)));
    object.insert("definition".to_owned(), Value::Object(entries.collect()));
}

struct Counter(u64);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use oddswire_model::{Field, MarketId, MarketStatus, Price, SelectionId, SelectionKey};

    use super::*;

    #[test]
    fn only_what_a_commit_names_is_counted() {
        let mut update = MarketUpdate::new(MarketId::new("1.2").unwrap());
        update.fields.push((Field::Status, MarketStatus::Open as u64));
        let mut runner = SelectionUpdate::new(SelectionKey { id: SelectionId(7), handicap: Handicap::NONE });
        let rungs = vec![(Price(25_000), 1_050), (Price(25_200), 0)];
        runner.ladders.push(LadderUpdate { field: Field::Back, replace: false, rungs });
        update.selections.push(runner);
        let commit = Commit { published_ms: 5, markets: vec![update] };
        let text = render(&commit).to_string();
        assert_eq!(
            text,
            r#"{"published_ms":5,"markets":[{"market":"1.2","status":"OPEN","selections":[{"id":7,"back":[[2.5,10.5],[2.52,null]]}]}]}"#
        );
        assert_eq!(bytes(&commit), text.len() as u64);
    }
}
