//! A gateway's side of a conversation, said by hand.

use bytes::Bytes;
use oddswire_delta::{Base, MarketDelta, catch_up, diff, snapshot};
use oddswire_model::{
    CellKey, Field, Handicap, Market, MarketId, MarketNumber, MarketStatus, Price, PriceLadder, Revision,
    SelectionId, SelectionKey, SelectionNumber, View,
};
use oddswire_wire::{
    FrameBuilder,
    compact::{Model, ModelId},
    json,
    piece::{Encoding, PieceEncoder, TIME_STEP_MS},
    proto::{self, Resume},
    varint,
};
use serde_json::{Map, Value, json};

use super::{Case, client_messages::EPOCH, describe};

/// When the markets of the cases begin.
pub(crate) const PUBLISHED_MS: u64 = 1_700_000_000_000;
/// What the producers' clock shows in every frame but those that move it; nothing is published later.
pub(crate) const FRAME_TIME_MS: u64 = PUBLISHED_MS + 10_000;
/// Revision of the snapshot in most cases.
pub(crate) const HELD: u64 = 10;
/// Sequence of the frame that brings it.
pub(crate) const SEQUENCE: u32 = 5;

/// Steps and frames of a case in the making.
pub(crate) struct Conversation {
    path: String,
    input: Map<String, Value>,
    view: View,
    steps: Vec<Value>,
    frames: Vec<(String, Bytes)>,
    at_ms: u64,
    encoding: Encoding,
}

impl Conversation {
    /// A client that will subscribe to everything in a view.
    pub(crate) fn new(path: &str, about: &str, clauses: &[&str], view: View) -> Self {
        let mut input = Map::new();
        input.insert("about".into(), about.into());
        input.insert("clauses".into(), clauses.to_vec().into());
        input.insert("kind".into(), "session".into());
        input.insert("view".into(), view.to_string().into());
        let request = json!({ "subscription": 1, "topics": ["all"], "view": view.to_string(), "rate_ms": 0 });
        input.insert("subscriptions".into(), json!([request]));
        Self {
            path: path.to_owned(),
            input,
            view,
            steps: Vec::new(),
            frames: Vec::new(),
            at_ms: 0,
            encoding: Encoding::Plain,
        }
    }

    /// The client offers the compact encoding and has the shipped model.
    pub(crate) fn compact(&mut self) -> &mut Self {
        self.encoding = Encoding::Compact;
        self.describe("encoding", "compact".into());
        self.describe("model", Model::shipped().id().to_string().into())
    }

    /// Adds a description to the input.
    pub(crate) fn describe(&mut self, key: &str, value: Value) -> &mut Self {
        self.input.insert(key.to_owned(), value);
        self
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, ms: u64) -> &mut Self {
        self.at_ms += ms;
        self
    }

    /// The client does something.
    pub(crate) fn step(&mut self, what: &str) -> &mut Self {
        self.steps.push(json!({ "at_ms": self.at_ms, "do": what }));
        self
    }

    /// The client does something that needs more words.
    pub(crate) fn step_with(&mut self, what: &str, more: Value) -> &mut Self {
        self.step(what);
        if let (Some(step), Value::Object(more)) =
            (self.steps.last_mut().and_then(Value::as_object_mut), more)
        {
            step.extend(more);
        }
        self
    }

    /// The markets are shown in full after the last step.
    pub(crate) fn show(&mut self) -> &mut Self {
        if let Some(step) = self.steps.last_mut().and_then(Value::as_object_mut) {
            step.insert("show".into(), true.into());
        }
        self
    }

    /// A frame arrives; says which line of `frame.hex` it is.
    pub(crate) fn receive(&mut self, about: &str, frame: FrameBuilder) -> &mut Self {
        self.receive_bytes(about, frame.finish())
    }

    /// Bytes arrive.
    pub(crate) fn receive_bytes(&mut self, about: &str, bytes: Bytes) -> &mut Self {
        self.frames.push((about.to_owned(), bytes));
        self.step_with("receive", json!({ "frame": self.frames.len() - 1 }))
    }

    /// Bytes that a later step receives by their line.
    pub(crate) fn keep(&mut self, about: &str, bytes: Bytes) -> usize {
        self.frames.push((about.to_owned(), bytes));
        self.frames.len() - 1
    }

    /// Connects, is welcomed and subscribed; nothing is held yet.
    pub(crate) fn begin(&mut self, revision: u64, markets: u32, resume: Resume) -> &mut Self {
        self.step("connect");
        let welcome = match self.encoding {
            Encoding::Plain => welcome(EPOCH, revision),
            Encoding::Compact => welcome_with(EPOCH, revision, Model::shipped().id(), Bytes::new()),
        };
        self.receive("welcome", welcome);
        self.receive("subscribed", subscribed(1, markets, resume))
    }

    /// Connects and holds these markets, as of [`HELD`], from a frame with [`SEQUENCE`].
    pub(crate) fn hold(&mut self, markets: &[&Market]) -> &mut Self {
        self.hold_at(markets, HELD, SEQUENCE)
    }

    /// Connects and holds these markets as of a revision.
    pub(crate) fn hold_at(&mut self, markets: &[&Market], revision: u64, sequence: u32) -> &mut Self {
        self.begin(revision, markets.len() as u32, Resume::Unspecified);
        let mut frame = FrameBuilder::new();
        for market in markets {
            frame.pieces(&snapshot_of(market, self.view));
        }
        position(&mut frame, revision, sequence, 0);
        self.receive("snapshots, and where the receiver stands", frame)
    }

    /// The case, as it plays.
    pub(crate) fn case(&mut self) -> Case {
        let mut input = std::mem::take(&mut self.input);
        input.insert("steps".into(), std::mem::take(&mut self.steps).into());
        Case::played(&self.path, Value::Object(input), std::mem::take(&mut self.frames))
    }

    /// The case; with the last step the connection is lost.
    pub(crate) fn case_lost(&mut self) -> Case {
        let case = self.case();
        let last = case.expected["steps"].as_array().and_then(|steps| steps.last()).expect("a step");
        assert_eq!(last["error"], "LOST", "{}", case.path);
        case
    }

    /// The case; the last step must leave the client with exactly these markets, live.
    pub(crate) fn case_ending_with(&mut self, markets: &[&Market]) -> Case {
        let view = self.view;
        let case = self.case();
        let last = case.expected["steps"].as_array().and_then(|steps| steps.last()).expect("a step");
        let held = last["markets"].as_array().expect("markets");
        assert_eq!(held.len(), markets.len(), "{}", case.path);
        for (held, market) in held.iter().zip(markets) {
            let mut expected = json::market(Default::default(), market, view);
            expected.as_object_mut().map(|expected| expected.shift_remove("epoch"));
            assert_eq!(held["market"], expected, "{}", case.path);
            assert_eq!(held["state"], "LIVE", "{}", case.path);
            let digest = format!("{:016x}", market.digest(view).to_u64());
            assert_eq!(held["digest"], digest, "{}", case.path);
        }
        case
    }
}

/// A market with two runners, open, with prices on both sides.
pub(crate) fn book(ladder: PriceLadder) -> Market {
    let mut market = empty_book(0, ladder);
    let rungs = [
        (0, Field::Back, 24_800, 1_234),
        (0, Field::Back, 24_600, 5_000),
        (0, Field::Back, 24_400, 900),
        (0, Field::Lay, 25_000, 700),
        (0, Field::Lay, 25_500, 2_000),
        (1, Field::Back, 16_500, 8_000),
        (1, Field::Lay, 17_000, 400),
    ];
    for (runner, field, price, cents) in rungs {
        market.set(CellKey::rung(SelectionNumber(runner), field, Price(price)), cents, Revision(HELD));
    }
    market.set(CellKey::selection(SelectionNumber(0), Field::LastTraded), 24_800, Revision(HELD));
    market.set(CellKey::selection(SelectionNumber(0), Field::TradedVolume), 50_000, Revision(HELD));
    market
}

/// A market with two runners, open, without prices.
pub(crate) fn empty_book(number: u32, ladder: PriceLadder) -> Market {
    let id = MarketId::new(&format!("1.{}", 23 + number)).unwrap();
    let mut market = Market::new(MarketNumber(number), id, Revision(HELD));
    for id in [47_972, 47_973] {
        let key = SelectionKey { id: SelectionId(id), handicap: Handicap::NONE };
        market.add_selection(key, Revision(HELD)).unwrap();
    }
    market.set(CellKey::market(Field::PriceLadder), ladder.to_code(), Revision(HELD));
    market.set(CellKey::market(Field::Status), MarketStatus::Open as u64, Revision(HELD));
    market.touch(Revision(HELD), PUBLISHED_MS);
    market
}

/// The market after some cells of it were set at a revision, so many milliseconds after it began.
pub(crate) fn later(market: &Market, revision: u64, after_ms: u64, cells: &[(CellKey, u64)]) -> Market {
    let mut market = market.clone();
    for &(key, value) in cells {
        market.set(key, value, Revision(revision));
    }
    market.touch(Revision(revision), PUBLISHED_MS + after_ms);
    market
}

/// A rung.
pub(crate) fn rung(selection: u16, field: Field, price: u32) -> CellKey {
    CellKey::rung(SelectionNumber(selection), field, Price(price))
}

/// A one-value field of a selection.
pub(crate) fn value(selection: u16, field: Field) -> CellKey {
    CellKey::selection(SelectionNumber(selection), field)
}

/// The piece of a snapshot, with its definition.
pub(crate) fn snapshot_of(market: &Market, view: View) -> Vec<u8> {
    let mut change = MarketDelta::default();
    snapshot(market, view, &mut change);
    encode(&change, None, market)
}

/// The piece of a delta, with its definition when that changed, and its description.
pub(crate) fn delta_of(held: &Market, target: &Market, view: View) -> (Vec<u8>, Value) {
    let mut change = MarketDelta::default();
    diff(held, target, view, &mut change);
    (encode(&change, Some((held, view)), target), describe::change(&change))
}

/// The piece of a catch-up, and its description.
pub(crate) fn catch_up_of(target: &Market, since: u64, view: View) -> (Vec<u8>, Value) {
    let mut change = MarketDelta::default();
    catch_up(target, Revision(since), view, &mut change);
    assert_eq!(change.base, Base::Since(Revision(since)));
    (encode(&change, None, target), describe::change(&change))
}

fn encode(change: &MarketDelta, held: Option<(&Market, View)>, target: &Market) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = PieceEncoder::default();
    encoder.set_frame_time(FRAME_TIME_MS);
    encoder.encode(change, held, target, Encoding::Plain, &mut bytes);
    bytes
}

/// A frame with the answer to a hello.
pub(crate) fn welcome(epoch: u64, revision: u64) -> FrameBuilder {
    let mut frame = FrameBuilder::new();
    frame.welcome(proto::Welcome {
        epoch,
        revision,
        encoding: proto::Encoding::Plain.into(),
        heartbeat_interval_ms: 1_000,
        session: "s1".into(),
        ..Default::default()
    });
    frame
}

/// A frame with the answer to a hello that offers the compact encoding.
pub(crate) fn welcome_with(epoch: u64, revision: u64, model: ModelId, bytes: Bytes) -> FrameBuilder {
    let mut frame = FrameBuilder::new();
    frame.welcome(proto::Welcome {
        epoch,
        revision,
        encoding: proto::Encoding::Compact.into(),
        heartbeat_interval_ms: 1_000,
        session: "s1".into(),
        model: model.0,
        model_bytes: bytes,
    });
    frame
}

/// A frame with the answer to a subscribe.
pub(crate) fn subscribed(subscription: u32, markets: u32, resume: Resume) -> FrameBuilder {
    let mut frame = FrameBuilder::new();
    frame.subscribed(proto::Subscribed {
        subscription,
        rate_ms: 0,
        markets,
        resume: resume.into(),
        ended: false,
    });
    frame
}

/// Says where the receiver stands.
pub(crate) fn position(frame: &mut FrameBuilder, revision: u64, sequence: u32, since: u64) {
    counted_position(frame, revision, sequence, since, 0);
}

/// Says where the receiver stands, and how many frames it was sent that are not of the chain.
pub(crate) fn counted_position(
    frame: &mut FrameBuilder,
    revision: u64,
    sequence: u32,
    since: u64,
    answer_frames: u32,
) {
    let time = FRAME_TIME_MS / TIME_STEP_MS;
    frame.position(proto::Position { revision, sequence, since, time, answer_frames });
    frame.cursor(Revision(revision));
}

/// A frame of the chain.
pub(crate) fn next(step: u64, sequence: u32, pieces: &[u8]) -> FrameBuilder {
    let mut frame = FrameBuilder::new();
    frame.advance(step, sequence, 0);
    frame.pieces(pieces);
    frame
}

/// A heartbeat.
pub(crate) fn heartbeat(revision: u64, sequence: u32) -> FrameBuilder {
    let mut frame = FrameBuilder::new();
    frame.heartbeat(&proto::Heartbeat {
        revision,
        freshness_ms: Some(120),
        now_ms: PUBLISHED_MS + 5_000,
        sequence,
    });
    frame
}

/// One part of a frame written by hand: field 9 definitions, 10 snapshots, 11 deltas, 12 catch-ups.
pub(crate) fn raw_piece(field: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![field << 3 | 2];
    varint::write(&mut bytes, body.len() as u64);
    bytes.extend_from_slice(body);
    bytes
}
