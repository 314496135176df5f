//! The ladder that a market's prices stand on.

use oddswire_model::PriceLadder;
use serde_json::{Map, Value};

use super::Number;

/// Step of a line market that does not say: half goals, half runs.
const DEFAULT_LINE_STEP: u32 = 5_000;

/// The ladder of a market, by its definition.
pub(super) fn price_ladder(definition: &Map<String, Value>) -> PriceLadder {
    let declared = definition.get("priceLadderDefinition").unwrap_or(&Value::Null);
    match declared.get("type").unwrap_or(declared).as_str() {
        Some("CLASSIC") => PriceLadder::Betfair,
        Some("LINE_RANGE") => PriceLadder::Line { step: line_step(definition, declared) },
        // FINEST, or a ladder of a later version: a price beside the steps only travels in full.
        Some(_) => PriceLadder::DEFAULT,
        // Historic files leave the ladder out. Line markets tell by their betting type that 0.5 is a price.
        None if definition.get("bettingType").and_then(Value::as_str) == Some("LINE") => {
            PriceLadder::Line { step: line_step(definition, declared) }
        }
        None => PriceLadder::Betfair,
    }
}

fn line_step(definition: &Map<String, Value>, declared: &Value) -> u32 {
    let candidates = [definition.get("lineInterval"), declared.get("lineInterval"), declared.get("interval")];
    candidates
        .into_iter()
        .filter_map(|value| Number::from_json(value?)?.ten_thousandths())
        .find_map(|step| u32::try_from(step).ok().filter(|&step| step > 0))
        .unwrap_or(DEFAULT_LINE_STEP)
}

/// Whether a price ladder's declaration says no more than its type, which the field says already.
pub(super) fn is_plain_type(declared: &Value) -> bool {
    match declared {
        Value::String(_) => true,
        Value::Object(entries) => entries.keys().all(|key| key == "type"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ladder(json: &str) -> PriceLadder {
        price_ladder(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn declared_types_are_known_and_missing_ones_are_classic() {
        for json in
            ["{}", r#"{"priceLadderDefinition":null}"#, r#"{"priceLadderDefinition":{"type":"CLASSIC"}}"#]
        {
            assert_eq!(ladder(json), PriceLadder::Betfair, "{json}");
        }
        for word in ["FINEST", "FINER_STILL"] {
            let json = format!(r#"{{"priceLadderDefinition":{{"type":"{word}"}},"lineInterval":0.25}}"#);
            assert_eq!(ladder(&json), PriceLadder::Decimal { step: 100 }, "{word}");
        }
    }

    #[test]
    fn lines_have_the_step_they_declare_or_a_half() {
        for (json, step) in [
            (r#"{"priceLadderDefinition":{"type":"LINE_RANGE"},"lineInterval":1.0}"#, 10_000),
            (r#"{"priceLadderDefinition":{"type":"LINE_RANGE"},"lineInterval":0}"#, 5_000),
            (r#"{"priceLadderDefinition":{"type":"LINE_RANGE","interval":0.1}}"#, 1_000),
            (r#"{"priceLadderDefinition":"LINE_RANGE","lineInterval":null}"#, 5_000),
            (r#"{"bettingType":"LINE","lineInterval":"2"}"#, 20_000),
        ] {
            assert_eq!(ladder(json), PriceLadder::Line { step }, "{json}");
        }
    }

    #[test]
    fn a_declaration_of_more_than_a_type_is_not_plain() {
        let is_plain = |json: &str| is_plain_type(&serde_json::from_str(json).unwrap());
        assert!(is_plain(r#"{"type":"CLASSIC"}"#) && is_plain(r#""CLASSIC""#));
        assert!(!is_plain(r#"{"type":"LINE_RANGE","interval":0.1}"#) && !is_plain("5"));
    }
}
