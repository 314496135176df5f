//! The client session.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use oddswire_model::{Cursor, Epoch, Market, MarketId, MarketNumber, Revision, Topic, View};
use oddswire_wire::{
    DICTIONARY_ID,
    compact::Model,
    encode_client_message,
    limits::RESYNC_MARKETS_MAX,
    piece::Encoding,
    proto::{self, ResyncReason, client_message::Message},
    view_to_proto,
};
use rustc_hash::FxHashMap;

use super::{
    event::Event,
    reading::{MarketState, Reading},
    watch::Watch,
};
use crate::telemetry::{ReconnectCause, Telemetry};

/// How long a receiver goes on trusting prices, in heartbeat intervals times ten: 2.5 s at 1 s heartbeats.
const STALE_AFTER_INTERVALS_TENTHS: u64 = 25;
/// Until the gateway says otherwise.
const HEARTBEAT_INTERVAL_MS: u64 = 1_000;

/// What a client is.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Name and version of the software; at most 64 bytes.
    pub agent: String,
    /// Access token, empty if none.
    pub token: String,
    /// How cells may be coded: compact, or plain for those who want to read the bytes.
    pub encoding: Encoding,
    /// Whether definitions may come compressed.
    pub has_dictionary: bool,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            agent: concat!("oddswire-rust/", env!("CARGO_PKG_VERSION")).to_owned(),
            token: String::new(),
            encoding: Encoding::Compact,
            has_dictionary: true,
        }
    }
}

/// Interest in markets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionRequest {
    /// The topics.
    pub topics: Vec<Topic>,
    /// The view.
    pub view: View,
    /// At most one delta per market in this time; 0 for every flush.
    pub rate_ms: u32,
}

/// Where the session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// No transport.
    Disconnected,
    /// Hello sent, no welcome yet.
    Greeting,
    /// Talking.
    Established,
}

/// Counters of a session, over all its connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionStats {
    /// Connections made.
    pub connections: u64,
    /// Frames applied.
    pub frames: u64,
    /// Bytes of those frames.
    pub bytes: u64,
    /// Changed cells applied.
    pub cells: u64,
    /// Snapshots applied.
    pub snapshots: u64,
    /// Subscriptions resumed with a catch-up.
    pub resumes: u64,
    /// Deltas that did not fit.
    pub gaps: u64,
    /// Digests compared.
    pub digests_checked: u64,
    /// Digests that did not agree.
    pub digest_mismatches: u64,
    /// Changes that stand for several commits because the receiver was slow.
    pub conflated_slow: u64,
    /// Times the gateway was silent for too long.
    pub stale: u64,
    /// Epochs that ended.
    pub epochs_changed: u64,
}

pub(super) struct Mirror {
    pub(super) market: Market,
    pub(super) state: MarketState,
    /// The connection that last said anything about it.
    pub(super) connection: u64,
    /// Changes applied since tombstones were last dropped.
    pub(super) changes: u32,
}

pub(super) struct Subscription {
    pub(super) request: SubscriptionRequest,
    /// It was complete at the session's cursor, so it can be resumed.
    pub(super) synced: bool,
}

/// A client's conversation, over as many connections as it takes.
pub struct ClientSession {
    pub(super) config: ClientConfig,
    pub(super) connection: Connection,
    pub(super) epoch: Option<Epoch>,
    /// From where the session can resume: every subscription was complete there.
    pub(super) cursor: Option<Revision>,
    /// What was received is complete up to here, whatever subscribes are on their way.
    pub(super) complete: Option<Revision>,
    /// Revision and sequence of the last frame in the chain; `None` until the gateway says where the session stands.
    pub(super) position: Option<(Revision, u32)>,
    /// The producers' clock in that frame, in steps of 10 ms.
    pub(super) frame_time: u64,
    /// The model of compact pieces: the one that comes with this version, or one that a gateway has sent.
    pub(super) model: Model,
    /// A subscription was resumed on this connection.
    pub(super) is_resumed: bool,
    pub(super) subscriptions: BTreeMap<u32, Subscription>,
    pub(super) mirrors: BTreeMap<MarketNumber, Mirror>,
    pub(super) by_id: FxHashMap<MarketId, MarketNumber>,
    pub(super) joined: Vec<Bytes>,
    pub(super) heartbeat_interval_ms: u64,
    pub(super) heard_ms: u64,
    /// Freshness as the gateway said it, and when it said so.
    pub(super) freshness: Option<(u64, u64)>,
    pub(super) is_stale: bool,
    /// How many subscribes sent on this connection the gateway has not answered, by subscription. They stay when their
    /// subscription is ended: one that was lost may have resumed markets that no gateway knows to name as gone.
    pub(super) unanswered: BTreeMap<u32, u32>,
    /// Unsubscribes sent on this connection that the gateway has not answered.
    pub(super) unsubscribing: u32,
    /// Markets may be held that no subscription names any more; the gateway has not said yet which.
    pub(super) holds_leavers: bool,
    /// A subscription was answered, and where the session stands with it has not been said.
    pub(super) awaits_position: bool,
    /// Frames of this connection that were neither of the chain nor a heartbeat.
    pub(super) answer_frames: u32,
    /// Markets whose snapshot was asked for.
    pub(super) awaited: BTreeSet<MarketNumber>,
    /// Heartbeats since the last answer, while something is unanswered.
    pub(super) heartbeats_unanswered: u32,
    pub(super) stats: SessionStats,
    pub(super) telemetry: Watch,
    /// Markets to ask for again at the end of the frame.
    pub(super) resyncs: Vec<(MarketNumber, ResyncReason)>,
    pub(super) transmits: VecDeque<Bytes>,
    pub(super) events: VecDeque<Event>,
}

impl ClientSession {
    /// A session that holds nothing yet.
    pub fn new(config: ClientConfig) -> Self {
        Self {
            config,
            connection: Connection::Disconnected,
            epoch: None,
            cursor: None,
            complete: None,
            position: None,
            frame_time: 0,
            model: Model::shipped(),
            is_resumed: false,
            subscriptions: BTreeMap::new(),
            mirrors: BTreeMap::new(),
            by_id: FxHashMap::default(),
            joined: Vec::new(),
            heartbeat_interval_ms: HEARTBEAT_INTERVAL_MS,
            heard_ms: 0,
            freshness: None,
            is_stale: false,
            unanswered: BTreeMap::new(),
            unsubscribing: 0,
            holds_leavers: false,
            awaits_position: false,
            answer_frames: 0,
            awaited: BTreeSet::new(),
            heartbeats_unanswered: 0,
            stats: SessionStats::default(),
            telemetry: Watch::default(),
            resyncs: Vec::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Subscribes, now or as soon as there is a connection. A number in use is replaced. Numbers begin at 1.
    pub fn subscribe(&mut self, subscription: u32, request: SubscriptionRequest) {
        let connected = self.connection != Connection::Disconnected;
        let held = self.subscriptions.get(&subscription);
        let is_replaced = held.is_some_and(|held| held.request != request);
        if connected {
            self.holds_leavers |= is_replaced;
            *self.unanswered.entry(subscription).or_default() += 1;
            self.send_subscribe(subscription, &request, None);
        } else if is_replaced {
            // Which markets belonged to the old request alone is not known here.
            self.drop_everything();
        }
        self.subscriptions.insert(subscription, Subscription { request, synced: false });
    }

    /// Ends a subscription; its markets leave when the gateway says so.
    pub fn unsubscribe(&mut self, subscription: u32) {
        if self.subscriptions.remove(&subscription).is_none() {
            return;
        }
        if self.connection == Connection::Disconnected {
            // Which markets belonged to it alone is not known here.
            self.drop_everything();
        } else {
            self.unsubscribing += 1;
            self.holds_leavers = true;
            self.send(Message::Unsubscribe(proto::Unsubscribe { subscription }));
        }
    }

    /// A transport is there: says hello.
    pub fn connected(&mut self, now_ms: u64) {
        let is_resumed =
            self.cursor.is_some() && self.subscriptions.values().any(|subscription| subscription.synced);
        if std::mem::take(&mut self.holds_leavers) || !is_resumed || self.awaited.len() > RESYNC_MARKETS_MAX {
            // A gateway that never heard of the leavers would not say that they left, and they would read as live;
            // neither would one that is given no cursor. And more markets than one resync may name are sooner
            // subscribed to afresh.
            self.drop_everything();
        }
        self.unsubscribing = 0;
        // A gateway that takes the connection and then says nothing must be given up, too.
        self.is_stale = false;
        self.connection = Connection::Greeting;
        self.complete = self.cursor;
        self.heard_ms = now_ms;
        self.joined.clear();
        self.position = None;
        self.awaits_position = false;
        self.answer_frames = 0;
        self.heartbeats_unanswered = 0;
        self.is_resumed = false;
        self.transmits.clear();
        self.stats.connections += 1;
        self.telemetry.connected();
        self.send(Message::Hello(proto::Hello {
            agent: self.config.agent.clone(),
            encodings: match self.config.encoding {
                Encoding::Compact => vec![proto::Encoding::Compact.into(), proto::Encoding::Plain.into()],
                Encoding::Plain => vec![proto::Encoding::Plain.into()],
            },
            token: self.config.token.clone(),
            models: match self.config.encoding {
                Encoding::Compact => vec![self.model.id().0],
                Encoding::Plain => Vec::new(),
            },
            dictionaries: if self.config.has_dictionary { vec![*DICTIONARY_ID] } else { Vec::new() },
        }));
        // The gateway answers in order, so there is no need to wait for the welcome: one round trip less. What the
        // cursor's epoch is worth is the gateway's to say.
        let cursor = self.cursor();
        let subscriptions = std::mem::take(&mut self.subscriptions);
        for (&id, subscription) in &subscriptions {
            self.unanswered.insert(id, 1);
            self.send_subscribe(id, &subscription.request, cursor.filter(|_| subscription.synced));
        }
        self.subscriptions = subscriptions;
        if !self.awaited.is_empty() {
            let awaited = self.awaited.iter().copied().collect::<Vec<_>>();
            self.ask_for(&awaited, ResyncReason::Unspecified);
        }
    }

    /// The transport is gone. What is held stays, and is stale until it has been caught up.
    pub fn disconnected(&mut self) {
        self.connection = Connection::Disconnected;
        self.joined.clear();
        self.position = None;
        self.transmits.clear();
        self.unanswered.clear();
        self.go_stale();
    }

    /// Where the session stands.
    pub fn connection(&self) -> Connection {
        self.connection
    }

    /// From where the session can resume.
    pub fn cursor(&self) -> Option<Cursor> {
        Some(Cursor { epoch: self.epoch?, revision: self.cursor? })
    }

    /// Counters.
    pub fn stats(&self) -> SessionStats {
        self.stats
    }

    /// Whether everything subscribed to is complete and live.
    pub fn is_synced(&self) -> bool {
        self.connection == Connection::Established
            && !self.is_stale
            && self.unanswered.is_empty()
            && self.subscriptions.values().all(|subscription| subscription.synced)
            && self.mirrors.values().all(|mirror| mirror.state == MarketState::Live)
    }

    /// A market by id, with its state and age as of now.
    pub fn read(&self, id: &MarketId, now_ms: u64) -> Option<Reading<'_>> {
        self.read_number(*self.by_id.get(id)?, now_ms)
    }

    /// A market by number.
    pub fn read_number(&self, number: MarketNumber, now_ms: u64) -> Option<Reading<'_>> {
        let mirror = self.mirrors.get(&number)?;
        // Staleness is judged when read, not only when a timer fires: timers of a sleeping tab do not fire.
        let state = match mirror.state {
            MarketState::Live if self.is_silent(now_ms) => MarketState::Stale,
            state => state,
        };
        Some(Reading { market: &mirror.market, state, age_ms: self.age_ms(now_ms) })
    }

    /// All markets held, in order of number.
    pub fn markets(&self, now_ms: u64) -> impl Iterator<Item = Reading<'_>> {
        self.mirrors.keys().filter_map(move |&number| self.read_number(number, now_ms))
    }

    /// Number of markets held.
    pub fn len(&self) -> usize {
        self.mirrors.len()
    }

    /// Whether no market is held.
    pub fn is_empty(&self) -> bool {
        self.mirrors.is_empty()
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`ClientSession::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<u64> {
        (self.connection != Connection::Disconnected && !self.is_stale)
            .then(|| self.heard_ms + self.stale_after_ms() + 1)
    }

    /// The time has come. Returns whether the transport should be given up: the gateway has been silent for too long.
    pub fn handle_timeout(&mut self, now_ms: u64) -> bool {
        if self.connection == Connection::Disconnected || !self.is_silent(now_ms) {
            return false;
        }
        if !self.is_stale {
            self.is_stale = true;
            self.stats.stale += 1;
            self.go_stale();
            self.events.push_back(Event::Stale);
        }
        true
    }

    fn go_stale(&mut self) {
        for mirror in self.mirrors.values_mut() {
            if mirror.state == MarketState::Live {
                mirror.state = MarketState::Stale;
                self.telemetry.degraded();
            }
        }
    }

    /// What this session has seen, over all its connections, apart from what [`ClientSession::note_reconnect`] and
    /// [`ClientSession::note_failed_attempt`] have not told it.
    pub fn telemetry(&self) -> Telemetry {
        Telemetry {
            connections: self.stats.connections,
            resumes: self.stats.resumes,
            digest_mismatches: self.stats.digest_mismatches,
            ..self.telemetry.seen
        }
    }

    /// A connection has ended, for a reason that only the transport's owner knows, and will be made again.
    pub fn note_reconnect(&mut self, cause: ReconnectCause) {
        self.telemetry.seen.reconnects[cause as usize] += 1;
    }

    /// An attempt to connect has come to nothing.
    pub fn note_failed_attempt(&mut self) {
        self.telemetry.seen.failed_attempts += 1;
    }

    /// Tells the gateway what was seen since the last report, if anything was and the gateway hears it. When to report
    /// is said by [`crate::next_report_ms`].
    pub fn report(&mut self) {
        if self.connection != Connection::Established || self.telemetry.is_refused {
            return;
        }
        if let Some(report) = self.telemetry().report(&mut self.telemetry.reported) {
            self.send(Message::Telemetry(report));
        }
    }

    /// How long the gateway may be silent.
    pub fn stale_after_ms(&self) -> u64 {
        self.heartbeat_interval_ms * STALE_AFTER_INTERVALS_TENTHS / 10
    }

    fn is_silent(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.heard_ms) > self.stale_after_ms()
    }

    fn age_ms(&self, now_ms: u64) -> Option<u64> {
        let (age_ms, said_ms) = self.freshness?;
        Some(age_ms + now_ms.saturating_sub(said_ms))
    }

    fn send_subscribe(&mut self, subscription: u32, request: &SubscriptionRequest, cursor: Option<Cursor>) {
        self.send(Message::Subscribe(proto::Subscribe {
            subscription,
            topics: request.topics.iter().map(ToString::to_string).collect(),
            view: Some(view_to_proto(request.view)),
            rate_ms: request.rate_ms,
            cursor: cursor.map(|cursor| proto::Cursor { epoch: cursor.epoch.0, revision: cursor.revision.0 }),
        }));
    }

    pub(super) fn send(&mut self, message: Message) {
        self.transmits.push_back(encode_client_message(message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oddswire_delta::{MarketDelta, snapshot};
    use oddswire_wire::{FrameBuilder, decode_client_message, piece::PieceEncoder};

    fn request(topic: &str) -> SubscriptionRequest {
        SubscriptionRequest { topics: vec![topic.parse().unwrap()], view: View::FULL, rate_ms: 0 }
    }

    fn welcome() -> Bytes {
        let mut frame = FrameBuilder::new();
        frame.welcome(proto::Welcome { epoch: 7, ..Default::default() });
        frame.finish()
    }

    fn subscribed(subscription: u32, resume: proto::Resume) -> Bytes {
        let mut frame = FrameBuilder::new();
        frame.subscribed(proto::Subscribed { subscription, resume: resume.into(), ..Default::default() });
        frame.finish()
    }

    /// The end of a catch-up with snapshots of empty markets.
    fn synced(markets: std::ops::Range<u32>) -> Bytes {
        let mut frame = FrameBuilder::new();
        let mut encoder = PieceEncoder::default();
        let (mut change, mut bytes) = (MarketDelta::default(), Vec::new());
        for number in markets {
            let id = MarketId::new(&format!("1.{number}")).unwrap();
            let market = Market::new(MarketNumber(number), id, Revision(3));
            snapshot(&market, View::FULL, &mut change);
            encoder.encode(&change, None, &market, Encoding::Plain, &mut bytes);
        }
        frame.pieces(&bytes);
        frame.position(proto::Position { revision: 5, ..Default::default() });
        frame.finish()
    }

    /// Two subscriptions, one market each, all live.
    fn live() -> ClientSession {
        let mut session = ClientSession::new(ClientConfig::default());
        session.subscribe(1, request("market/1.0"));
        session.subscribe(2, request("market/1.1"));
        session.connected(0);
        for frame in [welcome(), subscribed(1, proto::Resume::Unspecified)] {
            session.handle_frame(0, frame).unwrap();
        }
        session.handle_frame(0, subscribed(2, proto::Resume::Unspecified)).unwrap();
        session.handle_frame(0, synced(0..2)).unwrap();
        assert!(session.is_synced() && session.len() == 2);
        session
    }

    fn said(session: &mut ClientSession) -> Vec<Message> {
        std::iter::from_fn(|| session.poll_transmit())
            .map(|message| decode_client_message(message).unwrap().unwrap())
            .collect()
    }

    #[test]
    fn a_gateway_that_never_speaks_is_given_up_every_time() {
        let mut session = live();
        for now_ms in [0, 10_000, 20_000] {
            if now_ms > 0 {
                session.connected(now_ms);
            }
            let timeout_ms = session.poll_timeout().expect("silence is watched on every connection");
            assert!(!session.handle_timeout(timeout_ms - 1));
            assert!(session.handle_timeout(timeout_ms));
            session.disconnected();
        }
        assert_eq!(session.stats().stale, 3);
    }

    #[test]
    fn what_an_unanswered_unsubscribe_leaves_behind_does_not_come_back_as_live() {
        let mut session = live();
        session.unsubscribe(2);
        session.disconnected();
        session.connected(100);
        let messages = said(&mut session);
        let [_, Message::Subscribe(subscribe)] = &messages[..] else { panic!("{messages:?}") };
        assert_eq!(
            subscribe.cursor, None,
            "what is held is more than the subscription, so it is taken afresh"
        );
        for frame in [welcome(), subscribed(1, proto::Resume::Unspecified), synced(0..1)] {
            session.handle_frame(100, frame).unwrap();
        }
        assert!(session.is_synced());
        assert!(session.read_number(MarketNumber(1), 100).is_none());
    }

    #[test]
    fn an_answered_unsubscribe_keeps_the_cursor() {
        let mut session = live();
        session.unsubscribe(2);
        let mut frame = FrameBuilder::new();
        frame.subscribed(proto::Subscribed { subscription: 2, ended: true, ..Default::default() });
        session.handle_frame(50, frame.finish()).unwrap();
        let mut frame = FrameBuilder::new();
        frame.position(proto::Position { revision: 6, since: 5, ..Default::default() });
        frame.removed(vec![1]);
        session.handle_frame(50, frame.finish()).unwrap();
        session.disconnected();
        session.connected(100);
        let messages = said(&mut session);
        let [_, Message::Subscribe(subscribe)] = &messages[..] else { panic!("{messages:?}") };
        assert_eq!(subscribe.cursor, Some(proto::Cursor { epoch: 7, revision: 6 }));
    }

    #[test]
    fn more_markets_than_a_resync_may_name_are_taken_afresh() {
        for (awaited, is_resumed) in
            [(RESYNC_MARKETS_MAX as u32, true), (RESYNC_MARKETS_MAX as u32 + 1, false)]
        {
            let mut session = live();
            session.handle_frame(0, synced(0..awaited)).unwrap();
            session.awaited.extend((0..awaited).map(MarketNumber));
            session.disconnected();
            session.connected(100);
            let messages = said(&mut session);
            let resyncs = messages.iter().filter(|message| matches!(message, Message::Resync(_))).count();
            assert_eq!((resyncs, session.cursor().is_some()), (usize::from(is_resumed), is_resumed));
        }
    }
}
