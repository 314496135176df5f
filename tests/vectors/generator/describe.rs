//! Markets, changes and messages as JSON for people, in the raw units of the wire.

use oddswire_delta::{Base, MarketDelta};
use oddswire_model::{
    AttributeValue, CellChange, FieldKind, Market, Selection, SelectionKey, SelectionNumber, View,
};
use oddswire_wire::proto::{self, client_message::Message};
use serde_json::{Map, Value, json};

/// A market as a receiver holds it.
pub(crate) fn market(market: &Market) -> Value {
    let mut attributes = Vec::new();
    let owners = std::iter::once((SelectionNumber::MARKET, market.attributes())).chain(
        market.selections().iter().enumerate().map(|(at, s)| (SelectionNumber(at as u16), s.attributes())),
    );
    for (owner, of_owner) in owners {
        attributes.extend(of_owner.iter().map(|(name, value)| attribute(owner, name, Some(value))));
    }
    json!({
        "number": market.number().0,
        "id": market.id().as_str(),
        "revision": market.revision().0,
        "published_ms": market.published_ms(),
        "selections": selections(market.selections().iter().map(Selection::key)),
        "attributes": attributes,
        "cells": market.cells(View::FULL).iter().map(cell).collect::<Vec<_>>(),
    })
}

/// What changes.
pub(crate) fn change(change: &MarketDelta) -> Value {
    let mut described = Map::new();
    let mut say = |key: &str, value: Value| described.insert(key.to_owned(), value);
    say(
        "kind",
        match change.base {
            Base::Nothing => "snapshot".into(),
            Base::At(_) => "delta".into(),
            Base::Since(_) => "catch_up".into(),
        },
    );
    say("revision", change.revision.0.into());
    say("published_ms", change.published_ms.into());
    if let Some(id) = &change.id {
        say("id", id.as_str().into());
    }
    if !change.selections.is_empty() {
        say("first_selection", change.first_selection.into());
        say("selections", selections(change.selections.iter().copied()));
    }
    if !change.attributes.is_empty() {
        let attributes = change.attributes.iter().map(|a| attribute(a.owner, &a.name, a.value.as_ref()));
        say("attributes", attributes.collect());
    }
    if !change.cleared.is_empty() {
        say("cleared", change.cleared.iter().map(|(n, field)| json!([n.0, format!("{field:?}")])).collect());
    }
    say("cells", change.cells.iter().map(cell).collect());
    Value::Object(described)
}

/// Selection (or "market"), field, value; or selection, field, price, amount.
fn cell(change: &CellChange) -> Value {
    let field = format!("{:?}", change.key.field);
    match change.key.field.kind() {
        FieldKind::Market => json!(["market", field, change.value]),
        FieldKind::Selection => json!([change.key.selection.0, field, change.value]),
        FieldKind::Ladder => json!([change.key.selection.0, field, change.key.price.0, change.value]),
    }
}

fn selections(keys: impl Iterator<Item = SelectionKey>) -> Value {
    keys.map(|key| json!([key.id.0, key.handicap.0])).collect()
}

/// Owner, name, type and value; type and value are missing when it is removed.
pub(crate) fn attribute(owner: SelectionNumber, name: &str, value: Option<&AttributeValue>) -> Value {
    let owner = if owner == SelectionNumber::MARKET { json!("market") } else { json!(owner.0) };
    match value {
        None => json!([owner, name]),
        Some(AttributeValue::Text(text)) => json!([owner, name, "text", text.as_ref()]),
        Some(AttributeValue::Integer(number)) => json!([owner, name, "integer", number]),
        Some(AttributeValue::Boolean(yes)) => json!([owner, name, "boolean", yes]),
        Some(AttributeValue::Json(text)) => json!([owner, name, "json", text.as_ref()]),
    }
}

/// A client's message, named as in the .proto file. Fields that say nothing are left out.
pub(crate) fn client_message(message: &Message) -> Value {
    let mut described = Map::new();
    let mut say = |key: &str, value: Value| {
        let is_empty = match &value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            _ => false,
        };
        if !is_empty {
            described.insert(key.to_owned(), value);
        }
    };
    let kind = match message {
        Message::Hello(hello) => {
            say("agent", hello.agent.as_str().into());
            say("encodings", hello.encodings().map(|encoding| encoding.as_str_name()).collect());
            say("token", hello.token.as_str().into());
            say("models", hello.models.iter().map(|model| format!("{model:08x}")).collect());
            "hello"
        }
        Message::Subscribe(subscribe) => {
            say("subscription", subscribe.subscription.into());
            say("topics", subscribe.topics.iter().map(String::as_str).collect());
            say(
                "view",
                subscribe.view.map_or(Value::Null, |view| {
                    let (depth, best) = (view.depth().as_str_name(), view.best);
                    json!({ "depth": depth, "best": best, "volumes": view.volumes })
                }),
            );
            say("rate_ms", subscribe.rate_ms.into());
            say("cursor", subscribe.cursor.map_or(Value::Null, |c| cursor(c.epoch, c.revision)));
            "subscribe"
        }
        Message::Unsubscribe(unsubscribe) => {
            say("subscription", unsubscribe.subscription.into());
            "unsubscribe"
        }
        Message::Telemetry(telemetry) => {
            let delays = |delays: &Option<proto::Delays>| {
                delays
                    .as_ref()
                    .map_or(Value::Null, |delays| json!({ "counts": delays.counts, "sum_ms": delays.sum_ms }))
            };
            for (key, count) in [
                ("connections", telemetry.connections),
                ("failed_attempts", telemetry.failed_attempts),
                ("resumes", telemetry.resumes),
                ("gaps", telemetry.gaps),
                ("resyncs", telemetry.resyncs),
                ("digest_mismatches", telemetry.digest_mismatches),
                ("frames_refused", telemetry.frames_refused),
            ] {
                say(key, if count > 0 { count.into() } else { Value::Null });
            }
            say("reconnects", telemetry.reconnects.iter().copied().collect());
            say("apply_delay", delays(&telemetry.apply_delay));
            say("staleness", delays(&telemetry.staleness));
            "telemetry"
        }
        Message::Resync(resync) => {
            say("markets", resync.markets.iter().copied().collect());
            say("reason", resync.reason().as_str_name().into());
            say("since", resync.since.map_or(Value::Null, Value::from));
            "resync"
        }
    };
    Value::Object([(kind.to_owned(), Value::Object(described))].into_iter().collect())
}

/// An epoch has 64 bits, more than a JSON number holds everywhere, so it is written in hex.
pub(crate) fn cursor(epoch: u64, revision: u64) -> Value {
    json!({ "epoch": format!("{epoch:016x}"), "revision": revision })
}

/// Why several changes became one, without the prefix.
pub(crate) fn conflation(cause: proto::Conflation) -> &'static str {
    cause.as_str_name().trim_start_matches("CONFLATION_")
}
