//! What a live receiver of Oddswire gets, frame by frame, checked against the store after every frame.

use oddswire_delta::{MarketDelta, snapshot};
use oddswire_fanout::{ConnectionId, Delivery, Fanout, FanoutConfig, LocalShard};
use oddswire_model::{Commit, Epoch, Market, View};
use oddswire_session::{ClientConfig, ClientSession, Event, SubscriptionRequest};
use oddswire_store::{Refusal, Store};
use oddswire_wire::{compact::Model, decode_frame, piece::Encoding, proto};
use serde::Serialize;

use crate::{
    MeasureError, Recording,
    compress::PerMessageDeflate,
    history::changed_values,
    json::Canonical,
    overhead::{on_line, websocket_header},
};

/// The encodings of cells that are measured: every one that the wire crate offers.
pub const ENCODINGS: [Encoding; 2] = [Encoding::Plain, Encoding::Compact];

/// Longer than any recording: heartbeats are not measured, they are the same for every encoding.
const NO_HEARTBEATS_MS: u64 = 1 << 45;
/// After the last commit the clock goes on for this long, so that every rate class flushes.
const SLOWEST_FLUSH_MS: u64 = 2_000;

/// Name of an encoding in tables and in JSON.
pub fn encoding_name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Plain => "plain",
        Encoding::Compact => "compact",
    }
}

/// What a receiver asks for: everything, in a view, at a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receiver {
    /// The view.
    pub(crate) view: View,
    /// At most one change per market in this time; 0 for every commit.
    pub(crate) rate_ms: u32,
    /// What else to count.
    pub(crate) rivals: Rivals,
}

/// What is counted beside a receiver's frames: the same changes at the same moments in other forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rivals {
    /// Nothing.
    None,
    /// Canonical JSON.
    Json,
    /// Canonical JSON, as it is and through permessage-deflate.
    JsonAndDeflate,
}

/// What one receiver got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct FrameSizes {
    /// Frames.
    pub frames: u64,
    /// Values changed by them.
    pub changes: u64,
    /// Bytes of the frames, protobuf envelope included.
    pub payload: u64,
    /// Bytes of their WebSocket headers.
    pub websocket: u64,
    /// Bytes on the line: payload, WebSocket, TLS 1.3 and TCP/IPv4.
    pub on_line: u64,
    /// The same changes at the same moments as canonical JSON.
    #[serde(skip_serializing_if = "is_zero")]
    pub canonical_json: u64,
    /// Those on the line.
    #[serde(skip_serializing_if = "is_zero")]
    pub canonical_json_on_line: u64,
    /// Those through permessage-deflate.
    #[serde(skip_serializing_if = "is_zero")]
    pub canonical_json_deflate: u64,
    /// Those on the line.
    #[serde(skip_serializing_if = "is_zero")]
    pub canonical_json_deflate_on_line: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

/// Why frames cannot be counted.
#[derive(Debug)]
pub(crate) enum FrameError {
    /// The store refuses a commit.
    Refused(Refusal),
    /// A receiver does not hold what the store holds.
    Wrong(String),
}

/// What a receiver of everything at full depth gets, message by message, in the compact encoding with a model.
///
/// # Errors
/// When a frame is wrong, or the recording is; names the message.
pub fn compact_sizes(recording: &Recording, model: &Model) -> Result<FrameSizes, MeasureError> {
    let receiver = Receiver { view: View::FULL, rate_ms: 0, rivals: Rivals::None };
    let commits = recording.messages().iter().filter_map(|message| message.commit.as_ref());
    let sizes = frames_with(&[], commits, Encoding::Compact, model, &[receiver], &|_| {});
    sizes.map(|sizes| sizes[0]).map_err(|(at, error)| MeasureError::Wrong {
        path: recording.path().to_owned(),
        line: recording.messages().get(at).map_or(0, |message| message.line),
        encoding: encoding_name(Encoding::Compact),
        reason: format!("{error:?}"),
    })
}

/// Runs commits through a store and a fan-out that serves these receivers in an encoding; `initial` commits are not
/// counted. On an error also says at which of `commits` it was seen.
///
/// The clock is the commits' own, so that rates conflate as they would have live. After every frame the digests of the
/// markets in it are compared with the store's, and at the end everything is.
pub(crate) fn frames<'a>(
    initial: &[Commit],
    commits: impl Iterator<Item = &'a Commit>,
    encoding: Encoding,
    receivers: &[Receiver],
    tick: &dyn Fn(usize),
) -> Result<Vec<FrameSizes>, (usize, FrameError)> {
    frames_with(initial, commits, encoding, &Model::shipped(), receivers, tick)
}

fn frames_with<'a>(
    initial: &[Commit],
    commits: impl Iterator<Item = &'a Commit>,
    encoding: Encoding,
    model: &Model,
    receivers: &[Receiver],
    tick: &dyn Fn(usize),
) -> Result<Vec<FrameSizes>, (usize, FrameError)> {
    let mut commits = commits.peekable();
    let mut start_ms = commits.peek().map_or(0, |commit| commit.published_ms);
    let mut store = Store::new(Epoch(1));
    for commit in initial {
        store.commit(commit).map_err(|refusal| (0, FrameError::Refused(refusal)))?;
        start_ms = start_ms.max(commit.published_ms);
    }
    let mut run = Run::new(store, encoding, model, receivers).map_err(|error| (0, error))?;
    let mut at = 0;
    for commit in commits {
        // Times of a stitched recording may go back; the clock does not.
        let now_ms = commit.published_ms.saturating_sub(start_ms).max(run.now_ms);
        run.commit(now_ms, commit).map_err(|error| (at, error))?;
        tick(1);
        at += 1;
    }
    run.advance(run.now_ms + SLOWEST_FLUSH_MS).map_err(|error| (at, error))?;
    run.check_end().map_err(|error| (at, error))?;
    Ok(run.lines.into_iter().map(|line| line.sizes).collect())
}

struct Run {
    now_ms: u64,
    store: Store,
    fanout: Fanout,
    shard: LocalShard,
    encoding: Encoding,
    lines: Vec<Line>,
}

struct Line {
    receiver: Receiver,
    id: ConnectionId,
    client: ClientSession,
    sizes: FrameSizes,
    rival: Rival,
}

impl Run {
    fn new(
        store: Store,
        encoding: Encoding,
        model: &Model,
        receivers: &[Receiver],
    ) -> Result<Self, FrameError> {
        let config = FanoutConfig {
            flush_interval_ms: 0,
            heartbeat_interval_ms: NO_HEARTBEATS_MS,
            stuck_timeout_ms: NO_HEARTBEATS_MS,
            model: model.clone(),
            ..FanoutConfig::default()
        };
        let mut fanout = Fanout::new(config);
        fanout.handle_timeout(0, &store);
        let shard = LocalShard::default();
        let mut run = Self { now_ms: 0, store, fanout, shard, encoding, lines: Vec::new() };
        for (at, &receiver) in receivers.iter().enumerate() {
            let mut client = ClientSession::new(ClientConfig { encoding, ..ClientConfig::default() });
            let topics = vec!["all".parse().expect("a topic")];
            let Receiver { view, rate_ms, .. } = receiver;
            client.subscribe(1, SubscriptionRequest { topics, view, rate_ms });
            let id = ConnectionId::new(0, at as u32, 0);
            run.fanout.connect(0, id);
            run.shard.join(id);
            client.connected(0);
            let (sizes, rival) = (FrameSizes::default(), Rival::default());
            run.lines.push(Line { receiver, id, client, sizes, rival });
            while let Some(message) = run.lines.last_mut().and_then(|line| line.client.poll_transmit()) {
                run.fanout.handle_message(0, &run.store, id, message);
                run.deliver()?;
            }
        }
        for line in &mut run.lines {
            if !line.client.is_synced() {
                return Err(FrameError::Wrong("a receiver has not synced".to_owned()));
            }
            line.sizes = FrameSizes::default();
            line.rival = Rival::default();
        }
        Ok(run)
    }

    fn commit(&mut self, now_ms: u64, commit: &Commit) -> Result<(), FrameError> {
        // What was due before the commit is flushed without it.
        if now_ms > 0 {
            self.advance(now_ms - 1)?;
        }
        self.now_ms = now_ms;
        let committed = self.store.commit(commit).map_err(FrameError::Refused)?;
        self.fanout.handle_commit(now_ms, &self.store, &committed);
        self.deliver()?;
        self.fanout.handle_timeout(now_ms, &self.store);
        self.deliver()
    }

    /// Lets the clock go on, stopping wherever something is due.
    fn advance(&mut self, until_ms: u64) -> Result<(), FrameError> {
        loop {
            let due_ms = self.fanout.poll_timeout();
            if due_ms > until_ms {
                self.now_ms = self.now_ms.max(until_ms);
                return Ok(());
            }
            self.now_ms = self.now_ms.max(due_ms);
            self.fanout.handle_timeout(self.now_ms, &self.store);
            self.deliver()?;
        }
    }

    /// Hands frames to their receivers, who take them at once.
    fn deliver(&mut self) -> Result<(), FrameError> {
        while let Some(delivery) = self.shard.poll(self.now_ms, &mut self.fanout, &self.store) {
            let Delivery::Frames { to, frames } = delivery else {
                return Err(FrameError::Wrong(format!("the fan-out ends a connection: {delivery:?}")));
            };
            let line = self.lines.iter_mut().find(|line| line.id == to).expect("a connection of ours");
            for frame in &frames {
                line.receive(&self.store, self.now_ms, self.encoding, frame)?;
            }
            self.shard.ready(to);
        }
        Ok(())
    }

    fn check_end(&self) -> Result<(), FrameError> {
        for Line { receiver, client, .. } in &self.lines {
            let Receiver { view, rate_ms, .. } = receiver;
            let wrong = |what: String| Err(FrameError::Wrong(format!("{what} (view {view}, {rate_ms} ms)")));
            if !client.is_synced() || client.len() != self.store.len() {
                return wrong(format!(
                    "{} of {} markets are held at the end",
                    client.len(),
                    self.store.len()
                ));
            }
            for market in self.store.markets() {
                let held = client.read_number(market.number(), self.now_ms).map(|reading| reading.market);
                if !held.is_some_and(|held| is_same(held, market, *view)) {
                    return wrong(format!("market {} is not the store's at the end", market.id()));
                }
            }
        }
        Ok(())
    }
}

/// Whether a mirror, which holds nothing but its view, is what the store shows in that view.
fn is_same(held: &Market, market: &Market, view: View) -> bool {
    held.digest(View::FULL) == market.digest(view)
        && held.cells(View::FULL) == market.cells(view)
        && (view != View::FULL || held.shows_same(market, view))
}

impl Line {
    fn receive(
        &mut self,
        store: &Store,
        now_ms: u64,
        encoding: Encoding,
        frame: &bytes::Bytes,
    ) -> Result<(), FrameError> {
        let payload = frame.len() as u64;
        self.sizes.frames += 1;
        self.sizes.payload += payload;
        self.sizes.websocket += websocket_header(payload);
        self.sizes.on_line += on_line(payload);
        if self.sizes.frames == 1 {
            check_encoding(frame, encoding)?;
        }
        let applied = self.client.handle_frame(now_ms, frame.clone());
        applied.map_err(|error| FrameError::Wrong(format!("a frame is refused: {error}")))?;
        self.rival.begin(store.published_ms());
        while let Some(event) = self.client.poll_event() {
            let number = match &event {
                Event::Snapshot { market } => *market,
                Event::Changed { change, .. } => change.market,
                Event::Gap | Event::Resyncing { .. } | Event::Refused { .. } => {
                    return Err(FrameError::Wrong(format!("a frame does not fit: {event:?}")));
                }
                _ => continue,
            };
            let held = self.client.read_number(number, now_ms).map(|reading| reading.market);
            let (Some(held), Some(market)) = (held, store.market(number)) else {
                return Err(FrameError::Wrong(format!("market {number} is held by one end only")));
            };
            if held.digest(View::FULL) != market.digest(self.receiver.view) {
                return Err(FrameError::Wrong(format!(
                    "after a frame market {} is not the store's",
                    market.id()
                )));
            }
            let mut whole = MarketDelta::default();
            let change = match event {
                Event::Changed { ref change, .. } => change,
                _ => {
                    snapshot(held, View::FULL, &mut whole);
                    &whole
                }
            };
            self.sizes.changes += changed_values(change);
            if self.receiver.rivals != Rivals::None {
                self.rival.market(change, held);
            }
        }
        self.rival.count(self.receiver.rivals, &mut self.sizes);
        Ok(())
    }
}

/// The first frame may hold the welcome, which names the encoding.
fn check_encoding(frame: &bytes::Bytes, asked: Encoding) -> Result<(), FrameError> {
    let frame = decode_frame(frame.clone()).map_err(|error| FrameError::Wrong(error.to_string()))?;
    let named = match asked {
        Encoding::Plain => proto::Encoding::Plain,
        Encoding::Compact => proto::Encoding::Compact,
    };
    match frame.welcome {
        Some(welcome) if welcome.encoding() != named => Err(FrameError::Wrong(format!(
            "it was asked for, and the gateway answers with {}",
            welcome.encoding().as_str_name()
        ))),
        _ => Ok(()),
    }
}

/// Canonical JSON of what a frame changes.
#[derive(Default)]
struct Rival {
    canonical: Canonical,
    deflate: PerMessageDeflate,
    is_empty: bool,
}

impl Rival {
    fn begin(&mut self, published_ms: u64) {
        self.canonical.begin(published_ms);
        self.is_empty = true;
    }

    fn market(&mut self, change: &MarketDelta, market: &Market) {
        self.canonical.market(change, market);
        self.is_empty = false;
    }

    fn count(&mut self, rivals: Rivals, sizes: &mut FrameSizes) {
        if self.is_empty {
            return;
        }
        let json = self.canonical.finish();
        let bytes = json.len() as u64;
        sizes.canonical_json += bytes;
        sizes.canonical_json_on_line += on_line(bytes);
        if rivals != Rivals::JsonAndDeflate {
            return;
        }
        let bytes = self.deflate.message(json).len() as u64;
        sizes.canonical_json_deflate += bytes;
        sizes.canonical_json_deflate_on_line += on_line(bytes);
    }
}

#[cfg(test)]
mod tests {
    use oddswire_feeds::simulator::{Simulator, SimulatorConfig};

    use super::*;

    fn simulated(count: usize) -> Vec<Commit> {
        Simulator::new(SimulatorConfig::small(11)).take(count).collect()
    }

    #[test]
    fn slower_rates_get_fewer_frames_and_end_with_the_same() {
        let commits = simulated(2_000);
        let receivers = [0, 100, 1_000].map(|rate_ms| Receiver {
            view: View::FULL,
            rate_ms,
            rivals: Rivals::JsonAndDeflate,
        });
        let found = frames(&[], commits.iter(), Encoding::Plain, &receivers, &|_| {}).unwrap();
        // A commit of several markets, one of which is urgent, takes two.
        assert!(found[0].frames >= commits.len() as u64);
        for pair in found.windows(2) {
            assert!(pair[0].frames > pair[1].frames && pair[0].payload > pair[1].payload, "{found:?}");
            assert!(pair[0].changes > pair[1].changes && pair[1].payload < pair[1].canonical_json_deflate);
        }
        // Every frame takes a record and a segment, long ones several.
        let headers = found[0].on_line - found[0].payload - found[0].websocket;
        assert!(headers >= (22 + 52) * found[0].frames && headers < 2 * (22 + 52) * found[0].frames);
    }

    #[test]
    fn what_was_there_before_the_receivers_is_not_counted() {
        let commits = simulated(500);
        let receiver = Receiver { view: View::PRICES, rate_ms: 0, rivals: Rivals::None };
        let count = |initial: &[Commit], commits: &[Commit]| {
            frames(initial, commits.iter(), Encoding::Plain, &[receiver], &|_| {}).unwrap()[0]
        };
        let (whole, rest) = (count(&[], &commits), count(&commits[..250], &commits[250..]));
        assert!(rest.frames <= 250 && rest.payload < whole.payload);
        assert_eq!(count(&commits, &[]), FrameSizes::default());
    }

    #[test]
    fn a_receiver_that_holds_something_else_is_found() {
        let commits = simulated(200);
        let receiver = Receiver { view: View::FULL, rate_ms: 0, rivals: Rivals::None };
        let mut run =
            Run::new(Store::new(Epoch(1)), Encoding::Plain, &Model::shipped(), &[receiver]).unwrap();
        for (at, commit) in commits.iter().enumerate() {
            run.commit(at as u64, commit).unwrap();
        }
        run.check_end().unwrap();
        // A change that the fan-out never hears of stands for an encoder that forgets one.
        let mut hidden = commits[0].clone();
        hidden.markets[0].fields = vec![(oddswire_model::Field::MarketTradedVolume, 123_456_789)];
        hidden.markets[0].image = false;
        run.store.commit(&hidden).unwrap();
        assert!(matches!(run.check_end(), Err(FrameError::Wrong(_))));
    }
}
