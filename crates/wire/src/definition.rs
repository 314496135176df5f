//! Definitions: selections and attributes, as protobuf messages beside the piece of the same market.

use std::sync::Arc;

use oddswire_delta::{AttributeChange, MarketDelta};
use oddswire_model::{
    AttributeValue, Handicap, MAX_SELECTIONS, MarketId, SelectionId, SelectionKey, SelectionNumber,
};
use prost::Message;

use crate::{piece::PieceError, proto, varint};

/// Attribute names that travel as a number: place in this list plus one. Only ever appended to.
pub const KNOWN_NAMES: [&str; 41] = [
    "name",
    "sort_priority",
    "version",
    "bet_delay",
    "market_type",
    "fixture",
    "fixture_name",
    "competition",
    "competition_name",
    "sport",
    "start_time",
    "venue",
    "score",
    "betDelay",
    "numberOfActiveRunners",
    "numberOfWinners",
    "complete",
    "crossMatching",
    "runnersVoidable",
    "bspMarket",
    "bspReconciled",
    "turnInPlayEnabled",
    "persistenceEnabled",
    "marketBaseRate",
    "bettingType",
    "suspendTime",
    "openDate",
    "settledTime",
    "timezone",
    "countryCode",
    "regulators",
    "discountAllowed",
    "eachWayDivisor",
    "raceType",
    "removalDate",
    "priceLadderDefinition",
    "lineMaxUnit",
    "lineMinUnit",
    "lineInterval",
    "keyLineDefinition",
    "minute",
];

/// Appends the definition part of a change as one field of a frame.
pub(crate) fn encode(change: &MarketDelta, tag: u8, out: &mut Vec<u8>) {
    let message = proto::Definition {
        market: change.market.0,
        id: change.id.as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default(),
        first_selection: u32::from(change.first_selection),
        selections: change
            .selections
            .iter()
            .map(|key| proto::SelectionKey { id: key.id.0, handicap: key.handicap.0 })
            .collect(),
        attributes: change.attributes.iter().map(encode_attribute).collect(),
    };
    out.push(tag);
    varint::write(out, message.encoded_len() as u64);
    message.encode_raw(out);
}

fn encode_attribute(attribute: &AttributeChange) -> proto::Attribute {
    let known = KNOWN_NAMES.iter().position(|name| *name == &*attribute.name).map_or(0, |at| at as u32 + 1);
    proto::Attribute {
        owner: if attribute.owner == SelectionNumber::MARKET { 0 } else { u32::from(attribute.owner.0) + 1 },
        known,
        name: if known == 0 { attribute.name.as_ref().to_owned() } else { String::new() },
        value: attribute.value.as_ref().map(|value| match value {
            AttributeValue::Text(text) => proto::attribute::Value::Text(text.as_ref().to_owned()),
            AttributeValue::Integer(number) => proto::attribute::Value::Integer(*number),
            AttributeValue::Boolean(yes) => proto::attribute::Value::Boolean(*yes),
            AttributeValue::Json(json) => proto::attribute::Value::Json(json.as_ref().to_owned()),
        }),
    }
}

/// Reads a definition into a change of the same market.
pub(crate) fn decode(
    message: &proto::Definition,
    is_snapshot: bool,
    change: &mut MarketDelta,
) -> Result<(), PieceError> {
    if message.market != change.market.0 {
        return Err(PieceError::Definition);
    }
    if is_snapshot {
        change.id = Some(MarketId::new(&message.id).map_err(|_| PieceError::Definition)?);
    }
    let count = message.first_selection as usize + message.selections.len();
    if count > MAX_SELECTIONS || (is_snapshot && message.first_selection != 0) {
        return Err(PieceError::Selection);
    }
    change.first_selection = message.first_selection as u16;
    change.selections.extend(
        message
            .selections
            .iter()
            .map(|key| SelectionKey { id: SelectionId(key.id), handicap: Handicap(key.handicap) }),
    );
    for attribute in &message.attributes {
        change.attributes.push(decode_attribute(attribute)?);
    }
    Ok(())
}

fn decode_attribute(attribute: &proto::Attribute) -> Result<AttributeChange, PieceError> {
    let name: Arc<str> = match attribute.known {
        0 if attribute.name.is_empty() => return Err(PieceError::Definition),
        0 => attribute.name.as_str().into(),
        // A name of a later version is kept under its number rather than lost.
        known => match KNOWN_NAMES.get(known as usize - 1) {
            Some(name) => (*name).into(),
            None => format!("#{known}").into(),
        },
    };
    let owner = match attribute.owner {
        0 => SelectionNumber::MARKET,
        owner if owner as usize <= MAX_SELECTIONS => SelectionNumber(owner as u16 - 1),
        _ => return Err(PieceError::Selection),
    };
    let value = attribute.value.as_ref().map(|value| match value {
        proto::attribute::Value::Text(text) => AttributeValue::Text(text.as_str().into()),
        proto::attribute::Value::Integer(number) => AttributeValue::Integer(*number),
        proto::attribute::Value::Boolean(yes) => AttributeValue::Boolean(*yes),
        proto::attribute::Value::Json(json) => AttributeValue::Json(json.as_str().into()),
    });
    Ok(AttributeChange { owner, name, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_distinct() {
        let mut names = KNOWN_NAMES.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KNOWN_NAMES.len());
    }
}
