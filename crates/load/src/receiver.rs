//! One receiver: what it asks for, what a frame does to it, and how late it was.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use oddswire_model::{MarketId, Topic, View};
use oddswire_session::{ClientConfig, ClientSession, Event, SessionStats, SubscriptionRequest};
use oddswire_wire::{
    DICTIONARY_ID,
    compact::Model,
    encode_client_message,
    limits::{FRAMES_JOINED_MAX, TOPICS_MAX},
    piece::{Encoding, PieceKind, TIME_STEP_MS},
    proto::{self, Conflation, Resume, client_message::Message},
    view_to_proto,
};

use crate::{
    brought::BroughtLately,
    chain::{Chain, ChainError},
    clock::{Clock, wall_ms},
    head::{self, Head, PieceHead},
    ledger::Ledger,
    mix::MixEntry,
    tally::Tally,
};

/// Without a publisher of our own, a price that is older than this on arrival was not published just now: it is a
/// recording, or the clocks of the two machines differ.
const CLOCK_BELIEVED_MS: u64 = 60_000;

/// How a receiver reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Follows everything, is never cut, and is what the others are compared with.
    Scout,
    /// As fast as it can.
    Normal,
    /// So many bytes per second, once it has had everything.
    Slow,
    /// Not at all any more, once it has had everything.
    Stuck,
}

/// What a receiver follows.
#[derive(Debug, Clone)]
pub(crate) enum Interest {
    /// The same topics as everybody.
    Shared,
    /// Markets of its own, by their place among those that the scout saw.
    Own(Box<[u32]>),
}

/// What all receivers of a worker share.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) clock: Clock,
    pub(crate) mix: Vec<MixEntry>,
    pub(crate) topics: Arc<[Topic]>,
    /// The markets that the scout saw.
    pub(crate) markets: Arc<[MarketId]>,
    pub(crate) ledger: Arc<Ledger>,
    /// The ledger knows the commits; without that the frame's clock must do.
    pub(crate) is_exact: bool,
    pub(crate) forget_cursors: bool,
    /// What receivers ask for.
    pub(crate) encoding: Encoding,
    /// The model of compact pieces: the one that everybody has, or the one that the gateway sent.
    pub(crate) model: Model,
    /// How far the scout has come.
    pub(crate) scouted: Arc<AtomicU64>,
    pub(crate) heartbeat_interval_ms: u64,
    pub(crate) tally: Tally,
    /// Memory that every frame uses again.
    pub(crate) pieces: Vec<PieceHead>,
    /// What the last frames brought.
    pub(crate) brought: BroughtLately,
}

/// Why a connection must end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// There never was one.
    NotConnected(String),
    /// The other end, or the network, ended it.
    Lost(Option<String>),
    /// Frames are missing.
    Gap,
    /// The server broke the protocol.
    Malformed(String),
    /// Nothing was heard for too long.
    Silent,
    /// It was cut here.
    Cut,
}

/// Everybody was cut at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Storm {
    pub(crate) cut_us: u64,
    /// What somebody held at that moment.
    pub(crate) revision: u64,
}

/// A receiver, over all its connections.
pub(crate) struct Receiver {
    pub(crate) role: Role,
    pub(crate) kind: u16,
    interest: Interest,
    chain: Chain,
    /// Commits up to this revision are not measured: they were made before everything was there.
    measured_after: Option<u64>,
    /// Markets that are held up to a later revision than what is complete, because a status change could not wait.
    ahead: Vec<(u32, u64)>,
    /// Parts of a frame that goes on.
    joined: Vec<u8>,
    parts: usize,
    storm: Option<Storm>,
    verifier: Option<Box<ClientSession>>,
    /// Counters of the verifier that were told already.
    told: SessionStats,
    /// What it has to say.
    pub(crate) outbox: Vec<Bytes>,
}

/// What a verifier holds at one moment.
#[derive(Debug, Clone)]
pub(crate) struct VerifierState {
    pub(crate) kind: u16,
    pub(crate) role: Role,
    /// What is held is complete up to here; `None` while something is missing.
    pub(crate) complete: Option<u64>,
    /// The markets it should hold; `None`: those of the topics.
    pub(crate) wanted: Option<Vec<MarketId>>,
    /// Digests of what it holds. The scout's are those of each kind's view, everybody else's has one.
    pub(crate) digests: Vec<(MarketId, Vec<u64>)>,
}

impl Receiver {
    pub(crate) fn new(role: Role, kind: u16, interest: Interest, verifies: bool, encoding: Encoding) -> Self {
        Self {
            role,
            kind,
            interest,
            chain: Chain::default(),
            measured_after: None,
            ahead: Vec::new(),
            joined: Vec::new(),
            parts: 0,
            storm: None,
            verifier: verifies.then(|| Box::new(ClientSession::new(client_config(encoding)))),
            told: SessionStats::default(),
            outbox: Vec::new(),
        }
    }

    /// Whether everything that was subscribed to is there.
    pub(crate) fn is_fresh(&self) -> bool {
        self.chain.is_fresh()
            && self.parts == 0
            && self.verifier.as_ref().is_none_or(|session| session.is_synced())
    }

    /// What was received is complete up to this revision.
    pub(crate) fn complete(&self) -> u64 {
        self.chain.complete()
    }

    /// Whether it holds everything and compares digests.
    pub(crate) fn is_verifier(&self) -> bool {
        self.verifier.is_some()
    }

    /// Whether it has been cut in a storm and is not back yet.
    pub(crate) fn is_in_storm(&self) -> bool {
        self.storm.is_some()
    }

    /// It is cut together with everybody else.
    pub(crate) fn enter_storm(&mut self, storm: Storm) {
        // How fast those are back who do not want to read says nothing about the server.
        self.storm = (self.role == Role::Normal).then_some(storm);
    }

    /// The upgrade is done: says hello and subscribes, all at once.
    pub(crate) fn greet(&mut self, around: &Surroundings) {
        let topics = self.wanted_topics(around);
        let MixEntry { view, rate_ms, .. } = self.entry(around);
        if around.forget_cursors {
            self.chain.forget();
            if self.is_verifier() {
                self.verifier = Some(Box::new(ClientSession::new(client_config(around.encoding))));
                self.told = SessionStats::default();
            }
        }
        let subscribes = topics.chunks(TOPICS_MAX);
        self.chain.connected(subscribes.len() as u16);
        if let Some(session) = &mut self.verifier {
            if session.stats().connections == 0 {
                for (at, topics) in subscribes.enumerate() {
                    let topics = topics.to_vec();
                    session.subscribe(at as u32 + 1, SubscriptionRequest { topics, view, rate_ms });
                }
            }
            session.connected(around.clock.now_ms());
            self.outbox.extend(std::iter::from_fn(|| session.poll_transmit()));
            return;
        }
        let ClientConfig { agent, token, encoding, has_dictionary } = client_config(around.encoding);
        let (encodings, models) = match encoding {
            Encoding::Plain => (vec![proto::Encoding::Plain.into()], Vec::new()),
            Encoding::Compact => (
                vec![proto::Encoding::Compact.into(), proto::Encoding::Plain.into()],
                vec![around.model.id().0],
            ),
        };
        self.outbox.push(encode_client_message(Message::Hello(proto::Hello {
            agent,
            encodings,
            token,
            models,
            dictionaries: if has_dictionary { vec![*DICTIONARY_ID] } else { Vec::new() },
        })));
        let cursor = self.chain.cursor();
        for (at, topics) in subscribes.enumerate() {
            self.outbox.push(encode_client_message(Message::Subscribe(proto::Subscribe {
                subscription: at as u32 + 1,
                topics: topics.iter().map(ToString::to_string).collect(),
                view: Some(view_to_proto(view)),
                rate_ms,
                cursor: cursor
                    .map(|cursor| proto::Cursor { epoch: cursor.epoch.0, revision: cursor.revision.0 }),
            })));
        }
    }

    /// The connection is gone; what is held stays.
    pub(crate) fn disconnected(&mut self) {
        self.measured_after = None;
        self.ahead = Vec::new();
        self.joined = Vec::new();
        self.parts = 0;
        self.outbox = Vec::new();
        if let Some(session) = &mut self.verifier {
            session.disconnected();
            while session.poll_event().is_some() {}
        }
    }

    /// Takes a message of the server. Returns whether everything has just come to be there.
    ///
    /// # Errors
    /// When the connection must end.
    pub(crate) fn take(&mut self, around: &mut Surroundings, message: &[u8]) -> Result<bool, End> {
        let was_fresh = self.measured_after.is_some();
        around.tally.counts.frames += 1;
        let mut pieces = mem::take(&mut around.pieces);
        pieces.clear();
        let taken = self.take_frame(around, message, &mut pieces);
        around.pieces = pieces;
        taken?;
        let is_fresh = self.is_fresh();
        if is_fresh && !was_fresh {
            self.measured_after = Some(self.chain.complete());
        }
        if let Some(storm) = self.storm
            && is_fresh
            && self.chain.complete() >= storm.revision
        {
            self.storm = None;
            around.tally.storm.record(around.clock.now_us().saturating_sub(storm.cut_us));
        }
        if self.role == Role::Scout && is_fresh {
            around.scouted.store(self.chain.complete(), Ordering::Relaxed);
        }
        Ok(is_fresh && !was_fresh)
    }

    fn take_frame(
        &mut self,
        around: &mut Surroundings,
        message: &[u8],
        pieces: &mut Vec<PieceHead>,
    ) -> Result<(), End> {
        let malformed = |error: head::HeadError| End::Malformed(error.to_string());
        let mut head = head::read(message, &around.model, pieces).map_err(malformed)?;
        if head.more {
            self.parts += 1;
            if self.parts >= FRAMES_JOINED_MAX {
                return Err(End::Malformed("too many frames belong together".to_owned()));
            }
            self.joined.extend_from_slice(message);
            return self.verify(around, message);
        }
        if self.parts > 0 {
            // A concatenation of frames reads as one frame.
            let mut joined = mem::take(&mut self.joined);
            self.parts = 0;
            joined.extend_from_slice(message);
            pieces.clear();
            head = head::read(&joined, &around.model, pieces).map_err(malformed)?;
        }
        count(&head, pieces, &mut around.tally);
        if let Some(welcome) = &head.welcome {
            if welcome.heartbeat_interval_ms > 0 {
                around.heartbeat_interval_ms = u64::from(welcome.heartbeat_interval_ms);
            }
            if !welcome.model_bytes.is_empty() {
                around.model = Model::from_bytes(welcome.model_bytes.clone())
                    .map_err(|error| End::Malformed(error.to_string()))?;
            }
        }
        let complete_before = self.chain.complete();
        self.chain.take(&head, pieces).map_err(|error| match error {
            ChainError::Gap | ChainError::Lost => End::Gap,
            ChainError::NotWelcomed => End::Malformed("it spoke before its welcome".to_owned()),
        })?;
        self.verify(around, message)?;
        if !pieces.is_empty() {
            self.measure(around, pieces, complete_before);
        }
        Ok(())
    }

    /// Applies a message for real, if this receiver does.
    fn verify(&mut self, around: &mut Surroundings, message: &[u8]) -> Result<(), End> {
        let Some(session) = &mut self.verifier else { return Ok(()) };
        let taken = session.handle_frame(around.clock.now_ms(), Bytes::copy_from_slice(message));
        while let Some(event) = session.poll_event() {
            if let Event::Snapshot { market } = event
                && self.role == Role::Scout
                && let Some(reading) = session.read_number(market, 0)
            {
                around.ledger.number(reading.market.id(), market.0);
            }
        }
        self.outbox.extend(std::iter::from_fn(|| session.poll_transmit()));
        let stats = session.stats();
        let counts = &mut around.tally.counts;
        counts.misfits += stats.gaps - self.told.gaps;
        counts.digests_checked += stats.digests_checked - self.told.digests_checked;
        counts.digest_mismatches += stats.digest_mismatches - self.told.digest_mismatches;
        self.told = stats;
        taken.map_err(|error| End::Malformed(error.to_string()))
    }

    /// Times everything that a frame brought, now that it is applied.
    fn measure(&mut self, around: &mut Surroundings, pieces: &[PieceHead], complete_before: u64) {
        let now_us = around.clock.now_us();
        let reached = self.chain.revision();
        let through = |piece: &PieceHead| piece.through(reached);
        if let Some(measured_after) = self.measured_after {
            let tally = &mut around.tally;
            if around.is_exact {
                let floor = complete_before.max(measured_after);
                let key = (self.kind, floor, reached);
                for &(sent_us, is_status) in around.brought.of(key, &self.ahead, pieces, &around.ledger) {
                    self.record(tally, now_us.saturating_sub(sent_us), is_status);
                }
            } else {
                let wall_ms = wall_ms();
                for piece in pieces.iter().filter(|piece| piece.kind == PieceKind::Delta) {
                    let Some(age) = piece.time else { continue };
                    let published_ms = self.chain.time().saturating_sub(age).saturating_mul(TIME_STEP_MS);
                    match wall_ms.checked_sub(published_ms).filter(|&age_ms| age_ms < CLOCK_BELIEVED_MS) {
                        Some(age_ms) => self.record(tally, age_ms * 1_000, false),
                        None => tally.clock_unusable += 1,
                    }
                }
            }
        }
        let complete = self.chain.complete();
        self.ahead.retain(|&(_, revision)| revision > complete);
        for piece in pieces.iter().filter(|piece| through(piece) > complete) {
            let Some(number) = piece.market else { continue };
            match self.ahead.iter_mut().find(|(market, _)| *market == number) {
                Some((_, revision)) => *revision = through(piece),
                None => self.ahead.push((number, through(piece))),
            }
        }
    }

    fn record(&self, tally: &mut Tally, us: u64, is_status: bool) {
        match self.role {
            // Real receivers do not share a thread with fifty others that decode, too.
            Role::Normal if self.is_verifier() => tally.verifiers.record(us),
            Role::Normal => {
                tally.latencies[usize::from(self.kind)].record(us);
                if is_status {
                    tally.statuses.record(us);
                }
            }
            Role::Slow => tally.slow.record(us),
            Role::Scout | Role::Stuck => {}
        }
    }

    /// What it holds, if it verifies.
    pub(crate) fn state(&self, around: &Surroundings) -> Option<VerifierState> {
        let session = self.verifier.as_ref()?;
        let views: Vec<View> = match self.role {
            // What another view would show is a part of what the scout holds.
            Role::Scout => around.mix.iter().map(|entry| entry.view).collect(),
            // A mirror holds what its view shows and nothing else.
            _ => vec![View::FULL],
        };
        let digests = session.markets(0).map(|reading| {
            let digests = views.iter().map(|&view| reading.market.digest(view).to_u64()).collect();
            (reading.market.id().clone(), digests)
        });
        Some(VerifierState {
            kind: self.kind,
            role: self.role,
            complete: self.is_fresh().then(|| self.chain.complete()),
            wanted: match &self.interest {
                Interest::Shared => None,
                Interest::Own(places) => {
                    Some(places.iter().map(|&place| around.markets[place as usize].clone()).collect())
                }
            },
            digests: digests.collect(),
        })
    }

    fn entry(&self, around: &Surroundings) -> MixEntry {
        match self.role {
            Role::Scout => MixEntry { view: View::FULL, rate_ms: 0, share: 0 },
            _ => around.mix[usize::from(self.kind)],
        }
    }

    fn wanted_topics(&self, around: &Surroundings) -> Vec<Topic> {
        match &self.interest {
            Interest::Shared => around.topics.to_vec(),
            Interest::Own(places) => places
                .iter()
                .map(|&place| Topic::Market(around.markets[place as usize].as_str().into()))
                .collect(),
        }
    }
}

/// As real clients do; those who ask for the plain encoding want to read the bytes, so nothing is compressed for them.
fn client_config(encoding: Encoding) -> ClientConfig {
    ClientConfig {
        agent: concat!("oddswire-load/", env!("CARGO_PKG_VERSION")).to_owned(),
        token: String::new(),
        encoding,
        has_dictionary: encoding == Encoding::Compact,
    }
}

fn count(head: &Head, pieces: &[PieceHead], tally: &mut Tally) {
    let counts = &mut tally.counts;
    let snapshots = pieces.iter().filter(|piece| piece.kind == PieceKind::Snapshot).count() as u64;
    counts.snapshots += snapshots;
    counts.updates += pieces.len() as u64 - snapshots;
    counts.heartbeats += u64::from(head.heartbeat.is_some());
    counts.drains += u64::from(head.drain.is_some());
    match Conflation::try_from(head.conflated) {
        Ok(Conflation::Asked) => counts.conflated_asked += 1,
        Ok(Conflation::ReceiverSlow) => counts.conflated_receiver_slow += 1,
        Ok(Conflation::ServerSlow) => counts.conflated_server_slow += 1,
        _ => {}
    }
    match head.subscribed.as_ref().map(proto::Subscribed::resume) {
        Some(Resume::CaughtUp) => counts.resumed += 1,
        Some(Resume::TooOld) => counts.resumed_too_late += 1,
        _ => {}
    }
    if let Some(error) = &head.error {
        tally.say(format!("{}: {}", error.code().as_str_name(), error.message), 1);
    }
}
