//! Plays a case: what comes of its bytes. Knows nothing of how they were made.

use bytes::Bytes;
use oddswire_delta::{apply, start};
use oddswire_model::{Market, MarketId, MarketNumber, Revision, SelectionNumber, View};
use oddswire_session::{
    ClientConfig, ClientError, ClientSession, Event, ResumeOutcome, ServerSession, SubscriptionRequest,
};
use oddswire_wire::{
    FrameError, LeadBytes,
    compact::{LeadReader, Model},
    decode_client_message, decode_frame, encode_client_message, json,
    piece::{self, Encoding, FrameContext, PieceError, PieceKind, TIME_STEP_MS},
    proto::{self, ResyncReason, client_message::Message},
    varint::{Reader, VarintError},
};
use serde_json::{Map, Value, json};

use super::{
    coder,
    conversation::FRAME_TIME_MS,
    describe,
    text::{from_hex, to_hex},
};

/// What `expected.json` must say.
pub(crate) fn play(input: &Value, frames: &[Bytes]) -> Value {
    match input["kind"].as_str().expect("a case has a kind") {
        "varint" => varints(input["signed"].as_bool() == Some(true), &frames[0]),
        "client_message" => client_message(input, &frames[0]),
        "session" => session(input, frames),
        "codes" => coder::play_codes(input),
        "coder" => coder::play_coder(input, &frames[0]),
        "model" => coder::play_model(input, frames),
        kind => panic!("no case is of kind {kind}"),
    }
}

fn varints(signed: bool, bytes: &[u8]) -> Value {
    let mut reader = Reader::new(bytes);
    let mut values = Vec::new();
    while !reader.is_empty() {
        let value = if signed {
            reader.read_signed().map(|value| value.to_string())
        } else {
            reader.read().map(|value| value.to_string())
        };
        match value {
            Ok(value) => values.push(value),
            Err(error) => return json!({ "values": values, "error": varint_error(error) }),
        }
    }
    json!({ "values": values })
}

fn client_message(input: &Value, bytes: &Bytes) -> Value {
    let mut gateway = ServerSession::default();
    if input["after_hello"] == true {
        let hello = encode_client_message(Message::Hello(proto::Hello::default()));
        gateway.handle(0, hello).expect("a hello is taken");
    }
    let read = decode_client_message(bytes.clone()).expect("the message can be decoded");
    let described = read.as_ref().map_or(Value::Null, describe::client_message);
    assert_eq!(described, input["message"], "the bytes say what the description says");
    if let Some(message) = read {
        assert_eq!(to_hex(&encode_client_message(message)), to_hex(bytes), "and it is written the same way");
    }
    match gateway.handle(0, bytes.clone()) {
        Ok(Some(_)) => json!({ "taken": true }),
        Ok(None) => json!({ "taken": false }),
        Err(error) => json!({
            "error": error.code.as_str_name(),
            "subscription": error.subscription,
            "ends_session": error.fatal,
        }),
    }
}

fn session(input: &Value, frames: &[Bytes]) -> Value {
    let encoding = if input["encoding"] == "compact" { Encoding::Compact } else { Encoding::Plain };
    let has_dictionary = input["dictionary"].is_string();
    let config = ClientConfig { agent: "vectors/1".into(), token: String::new(), encoding, has_dictionary };
    let mut client = ClientSession::new(config);
    let mut model = Model::shipped();
    let view: View = input["view"].as_str().expect("a view").parse().expect("a view");
    for request in input["subscriptions"].as_array().expect("subscriptions") {
        subscribe(&mut client, request);
    }
    let steps = input["steps"].as_array().expect("steps");
    let played = steps.iter().enumerate().map(|(at, step)| {
        let now_ms = step["at_ms"].as_u64().unwrap_or(0);
        let mut said = Map::new();
        let is_shown = step["show"] == true || at + 1 == steps.len();
        take_step(&mut client, &mut model, step, frames, now_ms, &mut said);
        report(&mut client, view, now_ms, is_shown, &mut said);
        Value::Object(said)
    });
    json!({ "steps": played.collect::<Vec<_>>() })
}

fn subscribe(client: &mut ClientSession, request: &Value) {
    let topics = request["topics"].as_array().expect("topics").iter();
    let topics = topics.map(|topic| topic.as_str().expect("a topic").parse().expect("a topic")).collect();
    let view = request["view"].as_str().expect("a view").parse().expect("a view");
    let rate_ms = request["rate_ms"].as_u64().unwrap_or(0) as u32;
    let number = request["subscription"].as_u64().expect("a number") as u32;
    client.subscribe(number, SubscriptionRequest { topics, view, rate_ms });
}

fn take_step(
    client: &mut ClientSession,
    model: &mut Model,
    step: &Value,
    frames: &[Bytes],
    now_ms: u64,
    said: &mut Map<String, Value>,
) {
    match step["do"].as_str().expect("a step does something") {
        "connect" => client.connected(now_ms),
        "disconnect" => client.disconnected(),
        "subscribe" => subscribe(client, step),
        "unsubscribe" => client.unsubscribe(step["subscription"].as_u64().expect("a number") as u32),
        "timeout" => {
            if client.handle_timeout(now_ms) {
                said.insert("give_up_connection".into(), true.into());
            }
        }
        "receive" => {
            let frame = &frames[step["frame"].as_u64().expect("a line of frame.hex") as usize];
            for _ in 0..step["times"].as_u64().unwrap_or(1) {
                receive(client, model, now_ms, frame.clone(), said);
            }
        }
        "receive_zeros" => {
            let length = step["bytes"].as_u64().expect("a length") as usize;
            receive(client, model, now_ms, vec![0; length].into(), said);
        }
        other => panic!("no step does {other}"),
    }
}

fn receive(
    client: &mut ClientSession,
    model: &mut Model,
    now_ms: u64,
    bytes: Bytes,
    said: &mut Map<String, Value>,
) {
    // Looked at before the frame is taken, because afterwards the markets have moved on.
    let errors = decode_frame(bytes.clone()).map_or(Vec::new(), |frame| {
        let sent = frame.welcome.as_ref().map(|welcome| welcome.model_bytes.clone());
        if let Some(Ok(sent)) = sent.map(Model::from_bytes) {
            *model = sent;
        }
        piece_errors(client, model, &frame)
    });
    if let Err(error) = client.handle_frame(now_ms, bytes) {
        said.insert("error".into(), client_error(&error).into());
    }
    if !errors.is_empty() {
        said.insert("piece_errors".into(), errors.into());
    }
}

/// The errors of the pieces in a frame, each read against the market that is held.
fn piece_errors(client: &ClientSession, model: &Model, frame: &proto::ServerFrame) -> Vec<Value> {
    let failed = piece::pieces(frame).filter_map(|(kind, encoding, bytes)| {
        let number = piece::market(kind, encoding, bytes).ok()?;
        let held = client.read_number(number, 0).map(|reading| reading.market.clone());
        let error = piece_error(kind, encoding, bytes, number, held, model, frame)?;
        Some(json!({ "market": number.0, "error": error }))
    });
    failed.chain(lead_error(client, model, frame)).collect()
}

/// The error of the delta that leads a frame.
fn lead_error(client: &ClientSession, model: &Model, frame: &proto::ServerFrame) -> Option<Value> {
    let lead = LeadBytes::of(frame).ok()??;
    let lead = LeadReader::new(lead.as_slice(), model).ok()?;
    if lead.market().is_none() && client.len() != 1 {
        return None;
    }
    let number = lead.market().or_else(|| client.markets(0).next().map(|only| only.market.number()))?;
    let error = match client.read_number(number, 0) {
        None => PieceError::UnknownMarket,
        Some(held) => lead.delta(held.market, Revision(u64::MAX), FRAME_TIME_MS / TIME_STEP_MS).err()?,
    };
    Some(json!({ "market": number.0, "error": name_of(error) }))
}

fn piece_error(
    kind: PieceKind,
    encoding: Encoding,
    bytes: &Bytes,
    number: MarketNumber,
    held: Option<Market>,
    model: &Model,
    frame: &proto::ServerFrame,
) -> Option<&'static str> {
    let definition = frame.definitions.iter().find(|definition| definition.market == number.0);
    // Which revision a frame leads to makes no difference to whether its pieces can be read.
    let context = FrameContext {
        revision: Revision(u64::MAX),
        time: FRAME_TIME_MS / TIME_STEP_MS,
        since: Revision(0),
        model,
    };
    let change = match piece::decode(kind, encoding, bytes, definition, held.as_ref(), context) {
        Ok(change) => change,
        Err(error) => return Some(name_of(error)),
    };
    if kind == PieceKind::CatchUp && held.as_ref().is_some_and(|held| change.revision < held.revision()) {
        // What it says is held already.
        return None;
    }
    let applied = match (kind, held) {
        (PieceKind::Snapshot, _) => start(&change).map(|_| ()),
        (_, Some(mut held)) => apply(&mut held, &change),
        (_, None) => return Some(name_of(PieceError::UnknownMarket)),
    };
    applied.err().map(|_| name_of(PieceError::Selection))
}

fn name_of(error: PieceError) -> &'static str {
    match error {
        PieceError::Varint(error) => varint_error(error),
        PieceError::UnknownMarket => "UNKNOWN_MARKET",
        PieceError::Mask => "MASK",
        PieceError::Order => "ORDER",
        PieceError::Selection => "SELECTION",
        PieceError::Price => "PRICE",
        PieceError::PriceLadder => "PRICE_LADDER",
        PieceError::Amount => "AMOUNT",
        PieceError::Head => "HEAD",
        PieceError::Coder => "CODER",
        PieceError::Definition => "DEFINITION",
    }
}

fn varint_error(error: VarintError) -> &'static str {
    match error {
        VarintError::Truncated => "TRUNCATED",
        VarintError::Overlong => "OVERLONG",
    }
}

fn client_error(error: &ClientError) -> &'static str {
    match error {
        ClientError::Frame(FrameError::TooLong(_)) => "FRAME_TOO_LONG",
        ClientError::Frame(FrameError::Malformed(_)) => "FRAME_MALFORMED",
        ClientError::TooManyJoined => "TOO_MANY_JOINED",
        ClientError::NotWelcomed => "NOT_WELCOMED",
        ClientError::NotConnected => "NOT_CONNECTED",
        ClientError::Model(_) => "MODEL",
        ClientError::Lost => "LOST",
    }
}

/// What the client has said and reported, and what it holds now. What is empty is left out.
fn report(
    client: &mut ClientSession,
    view: View,
    now_ms: u64,
    is_shown: bool,
    said: &mut Map<String, Value>,
) {
    let sends: Vec<Value> = std::iter::from_fn(|| client.poll_transmit())
        .map(|bytes| match decode_client_message(bytes) {
            Ok(Some(message)) => describe::client_message(&message),
            other => panic!("a client says {other:?}"),
        })
        .collect();
    if !sends.is_empty() {
        said.insert("sends".into(), sends.into());
    }
    let events: Vec<Value> =
        std::iter::from_fn(|| client.poll_event()).map(|happened| event(&happened)).collect();
    if !events.is_empty() {
        said.insert("events".into(), events.into());
    }
    let cursor = client.cursor().map_or(Value::Null, |c| describe::cursor(c.epoch.0, c.revision.0));
    said.insert("cursor".into(), cursor);
    said.insert("synced".into(), client.is_synced().into());
    let epoch = client.cursor().map(|cursor| cursor.epoch).unwrap_or_default();
    let markets: Vec<Value> = client
        .markets(now_ms)
        .map(|reading| {
            let market = reading.market;
            let bettable: Vec<usize> = (0..market.selections().len())
                .filter(|&at| reading.is_bettable(SelectionNumber(at as u16)))
                .collect();
            let mut shown = Map::new();
            shown.insert("number".into(), market.number().0.into());
            shown.insert("state".into(), format!("{:?}", reading.state).to_uppercase().into());
            shown.insert("reads_as".into(), reading.status().as_str().into());
            shown.insert("bettable".into(), bettable.into());
            if let Some(age_ms) = reading.age_ms {
                shown.insert("age_ms".into(), age_ms.into());
            }
            if is_shown {
                shown.insert("digest".into(), format!("{:016x}", market.digest(View::FULL).to_u64()).into());
                let mut market = json::market(epoch, market, view);
                // It is the session's, and stands beside.
                market.as_object_mut().map(|market| market.shift_remove("epoch"));
                shown.insert("market".into(), market);
            }
            Value::Object(shown)
        })
        .collect();
    said.insert("markets".into(), markets.into());
}

fn resume_name(outcome: ResumeOutcome) -> &'static str {
    match outcome {
        ResumeOutcome::Fresh => "FRESH",
        ResumeOutcome::CaughtUp => "CAUGHT_UP",
        ResumeOutcome::EpochChanged => "EPOCH_CHANGED",
        ResumeOutcome::TooOld => "TOO_OLD",
    }
}

fn event(event: &Event) -> Value {
    let reason = |reason: &ResyncReason| reason.as_str_name().trim_start_matches("RESYNC_REASON_").to_owned();
    let id = |id: &MarketId| id.as_str().to_owned();
    match event {
        Event::Welcomed { epoch, session } => {
            json!({ "event": "welcomed", "epoch": epoch.to_string(), "session": session })
        }
        Event::Subscribed { subscription, rate_ms, markets, resume } => json!({
            "event": "subscribed", "subscription": subscription, "rate_ms": rate_ms, "markets": markets,
            "resume": resume_name(*resume),
        }),
        Event::Snapshot { market } => json!({ "event": "snapshot", "market": market.0 }),
        Event::Changed { change, conflated } => json!({
            "event": "changed", "market": change.market.0, "cells": change.cells.len(),
            "conflated": describe::conflation(*conflated),
        }),
        Event::Status { market, edge } => json!({
            "event": "status", "market": market.0, "revision": edge.revision.0,
            "status": edge.status.as_str(),
        }),
        Event::Removed { market, id: name } => {
            json!({ "event": "removed", "market": market.0, "id": id(name) })
        }
        Event::Gap => json!({ "event": "gap" }),
        Event::Resyncing { market, reason: why } => {
            json!({ "event": "resyncing", "market": market.0, "reason": reason(why) })
        }
        Event::Synced { revision } => json!({ "event": "synced", "revision": revision.0 }),
        Event::Stale => json!({ "event": "stale" }),
        Event::Drain { reconnect_after_ms } => {
            json!({ "event": "drain", "reconnect_after_ms": reconnect_after_ms })
        }
        Event::Refused { code, message, subscription } => json!({
            "event": "refused", "code": code.as_str_name(), "message": message,
            "subscription": subscription,
        }),
    }
}

/// Checks the hashes of a digest case against its own sum.
pub(crate) fn digest_is_the_sum(expected: &Value) -> bool {
    let lanes = |text: &str| {
        let bytes = from_hex(text);
        let lane = |at: usize| bytes[at..at + 4].iter().fold(0u32, |lane, &byte| lane << 8 | u32::from(byte));
        (lane(0), lane(4))
    };
    let items = expected["items"].as_array().expect("items");
    let hashes = items.iter().map(|item| lanes(item["hash"].as_str().expect("a hash")));
    let sum = hashes.fold((0u32, 0u32), |a, b| (a.0.wrapping_add(b.0), a.1.wrapping_add(b.1)));
    sum == lanes(expected["digest"].as_str().expect("a digest"))
}
