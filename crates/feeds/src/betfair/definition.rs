//! Market definitions: what becomes a field, and what an attribute.

use std::sync::Arc;

use oddswire_model::{AttributeValue, Field, SelectionStatus, SelectionUpdate};
use serde_json::{Map, Value};

use super::{
    Number,
    draft::Draft,
    names::Names,
    number::{selection_key, unsigned},
    price_ladder::{is_plain_type, price_ladder},
    status::{market_status, selection_status},
};

/// Integers beyond this are not the same in every receiver's number type.
const MAX_INTEGER: u64 = (1 << 53) - 1;
/// Longest name and longest value of an attribute. The store refuses a whole commit for one that is longer, and
/// losing a long text is better than losing a suspension.
const MAX_NAME_BYTES: usize = 256;
const MAX_VALUE_BYTES: usize = 1_024;

type NamedValue = (Arc<str>, Option<AttributeValue>);

/// Takes a definition into an update. A definition is always the whole of it.
pub(super) fn take_definition(definition: &Map<String, Value>, names: &mut Names, draft: &mut Draft) {
    let mut statuses = Vec::new();
    if let Some(runners) = definition.get("runners").and_then(Value::as_array) {
        for runner in runners {
            if let Some(runner) = runner.as_object() {
                statuses.extend(take_runner(runner, names, draft));
            } else {
                draft.skip(1);
            }
        }
    }
    let market = draft.market();
    market.complete_definition = true;
    let status = market_status(definition.get("status").and_then(Value::as_str), &statuses);
    let in_play = definition.get("inPlay").and_then(Value::as_bool).unwrap_or(false);
    market.fields.push((Field::Status, status as u64));
    market.fields.push((Field::InPlay, u64::from(in_play)));
    market.fields.push((Field::PriceLadder, price_ladder(definition).to_code()));
    for (key, value) in definition {
        match key.as_str() {
            "status" | "inPlay" | "runners" => {}
            "priceLadderDefinition" if is_plain_type(value) => {}
            _ => {
                let attribute = attribute(key, value, names, draft);
                draft.market().attributes.extend(attribute);
            }
        }
    }
}

/// Takes one runner of a definition; its status, because the market's may depend on it.
fn take_runner(runner: &Map<String, Value>, names: &mut Names, draft: &mut Draft) -> Option<SelectionStatus> {
    let id = runner.get("id").and_then(|id| unsigned(id).ok().flatten());
    let key = draft.taken(selection_key(id, runner.get("hc").and_then(Number::from_json)))?;
    let mut status = None;
    let mut update = SelectionUpdate::new(key);
    for (name, value) in runner {
        let value = match (name.as_str(), value) {
            ("id" | "hc", _) | (_, Value::Null) => continue,
            ("status", value) => {
                status = value.as_str().map(selection_status);
                status.map(|status| (Field::SelectionStatus, status as u64))
            }
            ("adjustmentFactor", value) => Number::from_json(value)
                .and_then(Number::ten_thousandths)
                .map(|factor| (Field::ReductionFactor, factor)),
            ("bsp", value) => Number::from_json(value)
                .and_then(Number::starting_price)
                .map(|price| (Field::StartingPrice, price)),
            _ => {
                update.attributes.extend(attribute(name, value, names, draft));
                continue;
            }
        };
        update.fields.extend(draft.taken(value));
    }
    let entry = draft.selection(key);
    entry.fields.append(&mut update.fields);
    entry.attributes.append(&mut update.attributes);
    status
}

fn attribute(key: &str, value: &Value, names: &mut Names, draft: &mut Draft) -> Option<NamedValue> {
    let value = match value {
        Value::Null => return None,
        Value::Bool(flag) => AttributeValue::Boolean(*flag),
        Value::String(text) => AttributeValue::Text(text.as_str().into()),
        Value::Number(number) => match number.as_i64() {
            Some(integer) if integer.unsigned_abs() <= MAX_INTEGER => AttributeValue::Integer(integer),
            _ => AttributeValue::Json(value.to_string().into()),
        },
        Value::Array(_) | Value::Object(_) => AttributeValue::Json(value.to_string().into()),
    };
    let fits = (1..=MAX_NAME_BYTES).contains(&key.len()) && value.size_bytes() <= MAX_VALUE_BYTES;
    draft.taken(fits.then_some(value)).map(|value| (names.of(key), Some(value)))
}

#[cfg(test)]
mod tests {
    use oddswire_model::{Handicap, MarketId, MarketUpdate, Price, SelectionId, name};

    use super::*;

    fn take(json: &str) -> (MarketUpdate, u64) {
        let mut draft = Draft::new(MarketId::new("1.1").unwrap());
        take_definition(&serde_json::from_str(json).unwrap(), &mut Names::default(), &mut draft);
        let (update, skipped) = draft.finish();
        (update.unwrap(), skipped)
    }

    fn attributes(attributes: &[NamedValue]) -> Vec<(&str, AttributeValue)> {
        attributes.iter().map(|(name, value)| (&**name, value.clone().unwrap())).collect()
    }

    #[test]
    fn keys_with_a_common_meaning_get_the_common_name_and_others_stay() {
        use AttributeValue::{Boolean, Integer, Json, Text};
        let (update, skipped) = take(
            r#"{"eventId":"30","eventTypeId":"7","competitionId":"9","marketType":"WIN","marketTime":"2021-03-27T12:20:00.000Z",
                "venue":"Ayr","name":"2m","eventName":"Ayr 27th","competitionName":"Cup","betDelay":1,"bspMarket":true,
                "marketBaseRate":5.5,"regulators":["A","B"],"timezone":null,"version":9007199254740992}"#,
        );
        assert!(update.complete_definition && skipped == 0);
        assert_eq!(
            attributes(&update.attributes),
            [
                (name::FIXTURE, Text("30".into())),
                (name::SPORT, Text("7".into())),
                (name::COMPETITION, Text("9".into())),
                (name::MARKET_TYPE, Text("WIN".into())),
                (name::START_TIME, Text("2021-03-27T12:20:00.000Z".into())),
                (name::VENUE, Text("Ayr".into())),
                (name::NAME, Text("2m".into())),
                (name::FIXTURE_NAME, Text("Ayr 27th".into())),
                (name::COMPETITION_NAME, Text("Cup".into())),
                ("betDelay", Integer(1)),
                ("bspMarket", Boolean(true)),
                ("marketBaseRate", Json("5.5".into())),
                ("regulators", Json(r#"["A","B"]"#.into())),
                ("version", Json("9007199254740992".into())),
            ]
        );
    }

    #[test]
    fn runners_become_selections() {
        let (update, skipped) = take(
            r#"{"runners":[{"id":7,"hc":-1.5,"status":"REMOVED","adjustmentFactor":12.3456,"bsp":"NaN","name":"Ann",
                "sortPriority":2,"removalDate":"2021-03-27T10:00:00.000Z"},
                {"id":8,"status":"ACTIVE","adjustmentFactor":null,"bsp":9.545559279685019},
                {"id":9,"status":"HIBERNATING","bsp":"Infinity"},{"id":-1},5,{"id":10,"bsp":"x","adjustmentFactor":-1}]}"#,
        );
        let [removed, active, later, odd] = &update.selections[..] else { panic!("four selections") };
        assert_eq!((removed.key.id, removed.key.handicap), (SelectionId(7), Handicap(-1_500)));
        assert_eq!(
            removed.fields,
            [
                (Field::SelectionStatus, SelectionStatus::Removed as u64),
                (Field::ReductionFactor, 123_456),
                (Field::StartingPrice, 0),
            ]
        );
        assert_eq!(
            attributes(&removed.attributes),
            [
                (name::NAME, AttributeValue::Text("Ann".into())),
                (name::SORT_PRIORITY, AttributeValue::Integer(2)),
                ("removalDate", AttributeValue::Text("2021-03-27T10:00:00.000Z".into())),
            ]
        );
        assert_eq!(active.fields, [(Field::SelectionStatus, 0), (Field::StartingPrice, 95_456)]);
        let suspended = (Field::SelectionStatus, SelectionStatus::Suspended as u64);
        assert_eq!(later.fields, [suspended, (Field::StartingPrice, u64::from(Price::INFINITE.0))]);
        assert!(odd.fields.is_empty());
        assert_eq!(skipped, 4);
    }

    #[test]
    fn status_in_play_and_ladder_are_always_said() {
        use oddswire_model::{MarketStatus, PriceLadder};
        let codes = |json: &str| take(json).0.fields.iter().map(|&(_, code)| code).collect::<Vec<_>>();
        let open = r#"{"status":"OPEN","inPlay":true,"priceLadderDefinition":{"type":"FINEST"}}"#;
        assert_eq!(codes(open), [MarketStatus::Open as u64, 1, PriceLadder::DEFAULT.to_code()]);
        assert!(take(open).0.attributes.is_empty(), "a field is not an attribute too");
        assert_eq!(codes("{}"), [MarketStatus::Suspended as u64, 0, PriceLadder::Betfair.to_code()]);
        let settled = r#"{"status":"CLOSED","inPlay":null,"runners":[{"id":1,"status":"WINNER"}]}"#;
        assert_eq!(codes(settled)[0], MarketStatus::Settled as u64);
        let more = take(r#"{"priceLadderDefinition":{"type":"LINE_RANGE","interval":1}}"#).0;
        assert_eq!(&*more.attributes[0].0, "priceLadderDefinition");
    }

    #[test]
    fn texts_that_the_store_would_refuse_are_skipped_and_counted() {
        let json = |bytes| format!(r#"{{"rules":"{}"}}"#, "x".repeat(bytes));
        assert_eq!(take(&json(MAX_VALUE_BYTES)).1, 0);
        let (update, skipped) = take(&json(MAX_VALUE_BYTES + 1));
        assert!(update.attributes.is_empty() && skipped == 1);
        assert_eq!(take(r#"{"":"x"}"#).1, 1);
    }
}
