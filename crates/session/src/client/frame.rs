//! Applying frames.

use bytes::Bytes;
use oddswire_delta::{Base, MarketDelta, apply, start};
use oddswire_model::{Attributes, Digest, Epoch, MarketNumber, MarketStatus, Revision, StatusEdge, View};
use oddswire_wire::{
    FrameError, LeadBytes,
    compact::{LeadReader, Model, ModelError},
    decode_frame, decode_joined,
    limits::{FRAMES_JOINED_MAX, RESYNC_MARKETS_MAX, SEQUENCE_BITS, SEQUENCE_MASK},
    piece::{self, Encoding, FrameContext, PieceError, PieceKind, TIME_STEP_MS},
    proto::{self, Conflation, ErrorCode, Resume, ResyncReason, client_message::Message},
};

use super::{
    event::{Event, ResumeOutcome},
    reading::MarketState,
    session::{ClientSession, Connection, Mirror},
};

/// Tombstones of a mirror serve nobody; they are dropped after this many changes.
const CHANGES_BETWEEN_PURGES: u32 = 256;

/// At how many heartbeats in a row something may be unanswered; at every second one before, it is asked for again.
const HEARTBEATS_UNANSWERED_MAX: u32 = 6;

/// Why a connection must be given up. What is held stays and can be resumed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The bytes are at fault.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Too many frames that belong together.
    #[error("more than {FRAMES_JOINED_MAX} frames belong together")]
    TooManyJoined,
    /// Something before the welcome.
    #[error("the gateway spoke before its welcome")]
    NotWelcomed,
    /// A frame came while there was no connection; a mistake in the caller's code.
    #[error("a frame came while disconnected")]
    NotConnected,
    /// A gateway that speaks in probabilities that are not held, or that are none.
    #[error("the gateway's model cannot be used: {0}")]
    Model(String),
    /// Frames were lost while subscriptions changed, or again and again, so this connection cannot bring what is held up
    /// to date.
    #[error("frames were lost and this connection cannot replace them; connect again")]
    Lost,
}

impl ClientSession {
    /// Takes one frame: all of it, or what does not fit is asked for again.
    ///
    /// # Errors
    /// When the connection must be given up.
    pub fn handle_frame(&mut self, now_ms: u64, bytes: Bytes) -> Result<(), ClientError> {
        if self.connection == Connection::Disconnected {
            return Err(ClientError::NotConnected);
        }
        let taken = self.take_frame(now_ms, bytes);
        self.telemetry.seen.frames_refused += u64::from(taken.is_err());
        taken
    }

    fn take_frame(&mut self, now_ms: u64, bytes: Bytes) -> Result<(), ClientError> {
        let length = bytes.len() as u64;
        let frame = decode_frame(bytes.clone())?;
        self.heard_ms = now_ms;
        self.is_stale = false;
        self.stats.bytes += length;
        if frame.more {
            if self.joined.len() + 1 >= FRAMES_JOINED_MAX {
                return Err(ClientError::TooManyJoined);
            }
            self.joined.push(bytes);
            return Ok(());
        }
        self.stats.frames += 1;
        let mut parts = std::mem::take(&mut self.joined);
        parts.push(bytes);
        let frame = if parts.len() == 1 { frame } else { decode_joined(&parts)? };
        let is_lead = !matches!(LeadBytes::of(&frame), Ok(None));
        if !is_lead && frame.advance.is_none() && frame.heartbeat.is_none() {
            self.answer_frames = self.answer_frames.wrapping_add(parts.len() as u32);
        }
        self.apply_frame(now_ms, frame)
    }

    fn apply_frame(&mut self, now_ms: u64, frame: proto::ServerFrame) -> Result<(), ClientError> {
        if let Some(welcome) = &frame.welcome {
            self.welcomed(welcome)?;
        }
        if let Some(error) = &frame.error {
            self.events.push_back(Event::Refused {
                code: error.code(),
                message: error.message.clone(),
                subscription: error.subscription,
            });
            self.refused(error);
        }
        if let Some(drain) = frame.drain {
            self.events.push_back(Event::Drain { reconnect_after_ms: drain.reconnect_after_ms });
        }
        if self.connection != Connection::Established {
            // A gateway that is going away says so to those it has not greeted yet, too.
            let is_known = frame.error.is_some() || frame.drain.is_some();
            return if is_known { Ok(()) } else { Err(ClientError::NotWelcomed) };
        }
        if let Some(subscribed) = frame.subscribed {
            self.subscribed(&subscribed)?;
        }
        let model = self.model.clone();
        let malformed = |error: PieceError| FrameError::Malformed(error.to_string());
        let lead = LeadBytes::of(&frame).map_err(malformed)?;
        let lead = lead.as_ref().map(|lead| LeadReader::new(lead.as_slice(), &model));
        let lead = lead.transpose().map_err(malformed)?;
        // A frame about the only market held does not fit a receiver who holds several.
        let fits = lead.as_ref().is_none_or(|lead| lead.market().is_some() || self.mirrors.len() == 1);
        let is_short = frame.position.is_some_and(|position| {
            position.answer_frames != 0 && position.answer_frames != self.answer_frames
        });
        if !fits || is_short || !self.follows(&frame, lead.as_ref()) {
            return self.lost(frame.position, is_short);
        }
        for &number in &frame.removed {
            self.remove(MarketNumber(number));
        }
        let is_lead = lead.is_some();
        let has_deltas = is_lead || piece::pieces(&frame).next().is_some();
        if (frame.position.is_some() || has_deltas && self.awaits_position) && !self.is_answered() {
            // From here on markets come in the view of those subscriptions that are answered. A cursor from before that
            // does not vouch for them.
            self.holds_leavers = true;
        }
        self.apply_pieces(&frame, lead)?;
        self.awaits_position &= frame.position.is_none();
        if frame.position.is_some() && self.is_answered() {
            // The catch-up has named what left.
            self.holds_leavers = false;
            if self.awaited.is_empty() {
                self.heartbeats_unanswered = 0;
            }
        }
        let advanced =
            self.position.filter(|_| is_lead || frame.advance.is_some()).map(|(revision, _)| revision);
        let reached = frame.position.map(|position| Revision(position.revision));
        let beaten = frame.heartbeat.map(|heartbeat| Revision(heartbeat.revision));
        // Without a position nothing is known to be complete: the gateway has not said where the session stands, or
        // frames were lost and the catch-up is on its way.
        let cursor = frame
            .cursor
            .map(Revision)
            .or(advanced)
            .or(reached)
            .or(beaten)
            .filter(|_| self.position.is_some());
        if let Some(heartbeat) = frame.heartbeat {
            self.freshness = heartbeat.freshness_ms.map(|freshness_ms| (u64::from(freshness_ms), now_ms));
            self.telemetry.heard_clock(now_ms, heartbeat.now_ms);
            self.ask_again()?;
        }
        if advanced.is_some() && has_deltas {
            self.telemetry.applied(now_ms, self.frame_time.saturating_mul(TIME_STEP_MS));
        }
        // What the gateway says before it has answered every subscribe is not about everything that is held.
        self.complete = cursor.or(self.complete);
        if let Some(cursor) = cursor
            && self.is_answered()
        {
            self.cursor = Some(cursor);
            self.settle(cursor);
            self.telemetry.settled(now_ms);
        }
        // Until the last subscribe is answered, the gateway may follow a market in a narrower view than is held; and after a
        // gap it is ahead of what is held.
        if self.is_answered() && self.position.is_some() {
            for digest in &frame.digests {
                self.check_digest(digest);
            }
        }
        self.send_resyncs();
        Ok(())
    }

    /// A request was refused. A refused subscription must not keep the others from being complete; but the number may
    /// have been used again since, and then the later request is not answered yet.
    fn refused(&mut self, error: &proto::Error) {
        if error.code() == ErrorCode::TelemetryRefused {
            self.telemetry.is_refused = true;
        } else if error.code() == ErrorCode::UnknownSubscription {
            self.unsubscribing = self.unsubscribing.saturating_sub(1);
        } else if self.answered(error.subscription) {
            self.subscriptions.remove(&error.subscription);
        }
    }

    /// A subscribe was answered; says whether it was the last one of the subscription.
    fn answered(&mut self, subscription: u32) -> bool {
        let Some(unanswered) = self.unanswered.get_mut(&subscription) else { return false };
        *unanswered -= 1;
        let is_last = *unanswered == 0;
        if is_last {
            self.unanswered.remove(&subscription);
        }
        is_last
    }

    /// Whether the gateway has answered every subscribe and unsubscribe of this connection.
    fn is_answered(&self) -> bool {
        self.unsubscribing == 0 && self.unanswered.is_empty()
    }

    /// Moves the session's position, or finds that the frame does not follow what was received before.
    fn follows(&mut self, frame: &proto::ServerFrame, lead: Option<&LeadReader<'_>>) -> bool {
        if let Some(position) = frame.position {
            // A catch-up stands on its own, if it begins no later than where this session ends.
            let is_held = position.since == 0 || self.complete.is_some_and(|held| held.0 >= position.since);
            self.position = Some((Revision(position.revision), position.sequence));
            self.frame_time = position.time;
            return is_held;
        }
        let advance = match (lead.map(LeadReader::head), frame.advance) {
            (Some(head), _) => Some((head.sequence, head.step, head.time_step)),
            (None, Some(advance)) => {
                let sequence = advance as u32 & SEQUENCE_MASK;
                Some((sequence, frame.revision_step.unwrap_or(1), advance >> SEQUENCE_BITS))
            }
            (None, None) => None,
        };
        let is_of_group = advance.is_some() || frame.heartbeat.is_some();
        if self.awaits_position && !self.subscriptions.is_empty() && is_of_group {
            // The catch-up of a subscription would have come first.
            return false;
        }
        if let Some((sequence, step, time_step)) = advance {
            let Some((revision, last)) = self.position else { return false };
            let next = last.wrapping_add(1);
            if next & SEQUENCE_MASK != sequence {
                return false;
            }
            self.position = Some((Revision(revision.0.saturating_add(step)), next));
            self.frame_time = self.frame_time.saturating_add(time_step);
        }
        if let (Some(heartbeat), Some((_, sequence))) = (frame.heartbeat, self.position) {
            return heartbeat.sequence == sequence;
        }
        true
    }

    /// Frames were lost: what is held is right as of the cursor, so everything since then is asked for.
    ///
    /// Where the gateway may follow the markets in other lanes than this session knows of, a catch-up would be in a
    /// view that is not the one held: then only a new connection helps, on which every subscription is named again.
    ///
    /// A catch-up that is short of frames can be had again; one that begins too late cannot.
    fn lost(&mut self, position: Option<proto::Position>, is_short: bool) -> Result<(), ClientError> {
        if position.is_some() && !is_short
            || !self.is_answered()
            || self.awaits_position
            || self.holds_leavers
        {
            return Err(ClientError::Lost);
        }
        self.answer_frames = position.map_or(self.answer_frames, |position| position.answer_frames);
        if self.position.take().is_none() {
            // Asked for already, or not told yet where the session stands.
            return Ok(());
        }
        self.stats.gaps += 1;
        self.telemetry.seen.gaps += 1;
        self.telemetry.degraded();
        for mirror in self.mirrors.values_mut() {
            mirror.state = MarketState::Syncing;
        }
        self.events.push_back(Event::Gap);
        self.ask_for_catch_up();
        Ok(())
    }

    fn ask_for_catch_up(&mut self) {
        self.send(Message::Resync(proto::Resync {
            markets: Vec::new(),
            reason: ResyncReason::Gap.into(),
            since: Some(self.complete.map_or(0, |held| held.0)),
        }));
    }

    /// One heartbeat may cross a request; who hears the second one asks again, because the answer would have come before
    /// it.
    fn ask_again(&mut self) -> Result<(), ClientError> {
        let is_gap = self.position.is_none() && !self.subscriptions.is_empty();
        let is_answered = self.is_answered();
        if is_answered && !is_gap && self.awaited.is_empty() {
            self.heartbeats_unanswered = 0;
            return Ok(());
        }
        self.heartbeats_unanswered += 1;
        if self.heartbeats_unanswered >= HEARTBEATS_UNANSWERED_MAX {
            return Err(ClientError::Lost);
        }
        if is_answered && self.heartbeats_unanswered.is_multiple_of(2) {
            if is_gap {
                self.ask_for_catch_up();
            }
            self.resyncs.extend(self.awaited.iter().map(|&market| (market, ResyncReason::Unspecified)));
        }
        Ok(())
    }

    /// Asks for snapshots.
    pub(super) fn ask_for(&mut self, markets: &[MarketNumber], reason: ResyncReason) {
        for some in markets.chunks(RESYNC_MARKETS_MAX) {
            let markets = some.iter().map(|market| market.0).collect();
            self.send(Message::Resync(proto::Resync { markets, reason: reason.into(), since: None }));
        }
    }

    fn welcomed(&mut self, welcome: &proto::Welcome) -> Result<(), ClientError> {
        if welcome.encoding() == proto::Encoding::Compact && welcome.model != self.model.id().0 {
            if welcome.model_bytes.is_empty() {
                return Err(ClientError::Model("it is not held and was not sent".to_owned()));
            }
            let model = Model::from_bytes(welcome.model_bytes.clone())
                .map_err(|error: ModelError| ClientError::Model(error.to_string()))?;
            if model.id().0 != welcome.model {
                return Err(ClientError::Model("it is not the one that was named".to_owned()));
            }
            self.model = model;
        }
        let epoch = Epoch(welcome.epoch);
        if self.epoch.is_some_and(|held| held != epoch) {
            // Numbers mean something else now: nothing of the old log may be shown.
            self.stats.epochs_changed += 1;
            self.drop_everything();
        }
        self.epoch = Some(epoch);
        self.connection = Connection::Established;
        if welcome.heartbeat_interval_ms > 0 {
            self.heartbeat_interval_ms = u64::from(welcome.heartbeat_interval_ms);
        }
        self.events.push_back(Event::Welcomed { epoch, session: welcome.session.clone() });
        Ok(())
    }

    fn subscribed(&mut self, subscribed: &proto::Subscribed) -> Result<(), ClientError> {
        self.awaits_position = true;
        self.heartbeats_unanswered = 0;
        if subscribed.ended {
            self.unsubscribing = self.unsubscribing.saturating_sub(1);
            return Ok(());
        }
        let resume = match subscribed.resume() {
            Resume::Unspecified => ResumeOutcome::Fresh,
            Resume::CaughtUp => ResumeOutcome::CaughtUp,
            Resume::EpochChanged => ResumeOutcome::EpochChanged,
            Resume::TooOld => ResumeOutcome::TooOld,
        };
        if let Some(subscription) = self.subscriptions.get_mut(&subscribed.subscription) {
            subscription.synced = false;
        }
        self.answered(subscribed.subscription);
        if resume == ResumeOutcome::TooOld && self.is_resumed {
            // The horizon has passed the cursor between two answers. What the first one vouched for cannot be told from
            // what nobody vouches for, so all of it is asked for together.
            return Err(ClientError::Lost);
        }
        self.is_resumed |= resume == ResumeOutcome::CaughtUp;
        if resume == ResumeOutcome::TooOld {
            // Whatever this connection has not sent again may be gone.
            let connection = self.stats.connections;
            let old = self.mirrors.iter().filter(|(_, mirror)| mirror.connection != connection);
            for number in old.map(|(&number, _)| number).collect::<Vec<_>>() {
                self.remove(number);
            }
        }
        self.stats.resumes += u64::from(resume == ResumeOutcome::CaughtUp);
        self.events.push_back(Event::Subscribed {
            subscription: subscribed.subscription,
            rate_ms: subscribed.rate_ms,
            markets: subscribed.markets,
            resume,
        });
        Ok(())
    }

    /// Decodes every piece against what is held, then applies them all.
    fn apply_pieces(
        &mut self,
        frame: &proto::ServerFrame,
        lead: Option<LeadReader<'_>>,
    ) -> Result<(), ClientError> {
        let mut changes = Vec::new();
        for (kind, encoding, bytes) in piece::pieces(frame) {
            let number = piece::market(kind, encoding, bytes)
                .map_err(|error| FrameError::Malformed(error.to_string()))?;
            match self.decode_piece(kind, encoding, number, bytes, frame) {
                Ok(Some(change)) => changes.push(change),
                Ok(None) => {}
                Err(error) => self.piece_failed(number, error),
            }
        }
        if let Some(lead) = lead {
            changes.extend(self.decode_lead(lead));
        }
        for change in changes {
            let are_edges_told = self.report_edges(&change, &frame.status_edges);
            self.apply_change(change, frame.conflated(), are_edges_told);
        }
        Ok(())
    }

    /// Decodes the delta that leads a frame; `None` when it cannot be used.
    fn decode_lead(&mut self, lead: LeadReader<'_>) -> Option<MarketDelta> {
        let number = lead.market().or_else(|| self.mirrors.keys().next().copied())?;
        let revision = self.position.map_or(Revision(0), |(revision, _)| revision);
        let decoded = match self.mirrors.get(&number) {
            // Asked for already; nothing that comes before the snapshot can be used.
            _ if self.awaited.contains(&number) => return None,
            Some(mirror) => lead.delta(&mirror.market, revision, self.frame_time),
            None => Err(PieceError::UnknownMarket),
        };
        decoded.map_err(|error| self.piece_failed(number, error)).ok()
    }

    fn decode_piece(
        &self,
        kind: PieceKind,
        encoding: Encoding,
        number: MarketNumber,
        bytes: &Bytes,
        frame: &proto::ServerFrame,
    ) -> Result<Option<MarketDelta>, PieceError> {
        let held = self.mirrors.get(&number);
        if kind != PieceKind::Snapshot && self.awaited.contains(&number) {
            // Asked for already; nothing that comes before the snapshot can be used.
            return Ok(None);
        }
        let definition = frame.definitions.iter().find(|definition| definition.market == number.0);
        let context = FrameContext {
            revision: self.position.map_or(Revision(0), |(revision, _)| revision),
            time: self.frame_time,
            since: Revision(frame.position.map_or(0, |position| position.since)),
            model: &self.model,
        };
        let change =
            piece::decode(kind, encoding, bytes, definition, held.map(|mirror| &mirror.market), context)?;
        // The cursor may be older than what is held of this market, where another one's rate is slower: what the
        // catch-up says is held already.
        let is_held = kind == PieceKind::CatchUp
            && held.is_some_and(|mirror| change.revision < mirror.market.revision());
        Ok(Some(change).filter(|_| !is_held))
    }

    fn apply_change(&mut self, change: MarketDelta, conflated: Conflation, are_edges_told: bool) {
        let number = change.market;
        self.stats.cells += change.cells.len() as u64;
        self.stats.conflated_slow += u64::from(conflated == Conflation::ReceiverSlow);
        if change.base == Base::Nothing {
            match start(&change) {
                Ok(market) => {
                    self.stats.snapshots += 1;
                    if let Some(old) = self.mirrors.get(&number)
                        && old.market.id() != market.id()
                    {
                        self.by_id.remove(old.market.id());
                    }
                    let before = self.mirrors.get(&number).map(|mirror| mirror.market.status());
                    self.by_id.insert(market.id().clone(), number);
                    let status = market.status();
                    let mirror = Mirror {
                        market,
                        state: MarketState::Syncing,
                        connection: self.stats.connections,
                        changes: 0,
                    };
                    self.mirrors.insert(number, mirror);
                    self.awaited.remove(&number);
                    if before.is_some_and(|before| before != status) {
                        let edge = StatusEdge { revision: change.revision, status };
                        self.events.push_back(Event::Status { market: number, edge });
                    }
                    self.events.push_back(Event::Snapshot { market: number });
                }
                Err(_) => self.piece_failed(number, PieceError::Definition),
            }
            return;
        }
        let Some(mirror) = self.mirrors.get_mut(&number) else {
            return self.piece_failed(number, PieceError::UnknownMarket);
        };
        let before = mirror.market.status();
        if apply(&mut mirror.market, &change).is_err() {
            return self.piece_failed(number, PieceError::Selection);
        }
        mirror.connection = self.stats.connections;
        mirror.changes += 1;
        if mirror.changes >= CHANGES_BETWEEN_PURGES {
            mirror.changes = 0;
            mirror.market.purge(change.revision);
        }
        let status = mirror.market.status();
        if status != before && !are_edges_told {
            let edge = StatusEdge { revision: change.revision, status };
            self.events.push_back(Event::Status { market: number, edge });
        }
        self.events.push_back(Event::Changed { change: Box::new(change), conflated });
    }

    /// Reports the edges that the change leaps over, the last one included, and says whether there were any; those up
    /// to what is held were reported when they came.
    fn report_edges(&mut self, change: &MarketDelta, edges: &[proto::StatusEdge]) -> bool {
        let Some(mirror) = self.mirrors.get(&change.market) else { return false };
        let held = mirror.market.revision();
        let mut are_told = false;
        for edge in edges.iter().filter(|edge| edge.market == change.market.0 && edge.revision > held.0) {
            let status = MarketStatus::from_code(u64::from(edge.status)).unwrap_or(MarketStatus::Suspended);
            let edge = StatusEdge { revision: Revision(edge.revision), status };
            self.events.push_back(Event::Status { market: change.market, edge });
            are_told = true;
        }
        are_told
    }

    fn piece_failed(&mut self, market: MarketNumber, error: PieceError) {
        let reason = match error {
            PieceError::UnknownMarket => ResyncReason::UnknownMarket,
            _ => ResyncReason::Malformed,
        };
        self.stats.gaps += 1;
        self.resync(market, reason);
    }

    fn resync(&mut self, market: MarketNumber, reason: ResyncReason) {
        if let Some(mirror) = self.mirrors.get_mut(&market) {
            mirror.state = MarketState::Syncing;
        }
        self.awaited.insert(market);
        self.telemetry.seen.resyncs += 1;
        self.events.push_back(Event::Resyncing { market, reason });
        self.resyncs.push((market, reason));
    }

    /// One message per frame, however many markets did not fit.
    fn send_resyncs(&mut self) {
        let resyncs = std::mem::take(&mut self.resyncs);
        if let Some(&(_, reason)) = resyncs.first() {
            let markets: Vec<_> = resyncs.iter().map(|&(market, _)| market).collect();
            self.ask_for(&markets, reason);
        }
    }

    /// A cursor was reached: what has arrived is complete.
    fn settle(&mut self, cursor: Revision) {
        let mut settled = false;
        for subscription in self.subscriptions.values_mut() {
            settled |= !subscription.synced;
            subscription.synced = true;
        }
        for (number, mirror) in &mut self.mirrors {
            if mirror.state != MarketState::Live && !self.awaited.contains(number) {
                mirror.state = MarketState::Live;
                settled = true;
            }
        }
        if settled {
            self.events.push_back(Event::Synced { revision: cursor });
        }
    }

    fn check_digest(&mut self, digest: &proto::MarketDigest) {
        let number = MarketNumber(digest.market);
        if self.awaited.contains(&number) {
            return;
        }
        let Some(mirror) = self.mirrors.get(&number) else {
            // The gateway follows it for this session, so the frame that brought it was lost.
            return self.piece_failed(number, PieceError::UnknownMarket);
        };
        // A name of a later version is held under its number, so its digest cannot agree [ATTR-3].
        let has_later_names =
            |attributes: &Attributes| attributes.iter().any(|(name, _)| name.starts_with('#'));
        let selections = mirror.market.selections();
        if has_later_names(mirror.market.attributes())
            || selections.iter().any(|selection| has_later_names(selection.attributes()))
        {
            return;
        }
        self.stats.digests_checked += 1;
        if mirror.market.digest(View::FULL) != Digest::from_u64(digest.digest) {
            self.stats.digest_mismatches += 1;
            self.resync(number, ResyncReason::Digest);
        }
    }

    fn remove(&mut self, number: MarketNumber) {
        self.awaited.remove(&number);
        if let Some(mirror) = self.mirrors.remove(&number) {
            let id = mirror.market.id().clone();
            // The feed may offer the market again, under a new number that is here already.
            if self.by_id.get(&id) == Some(&number) {
                self.by_id.remove(&id);
            }
            self.events.push_back(Event::Removed { market: number, id });
        }
    }

    pub(super) fn drop_everything(&mut self) {
        self.cursor = None;
        self.complete = None;
        self.by_id.clear();
        self.awaited.clear();
        for (market, mirror) in std::mem::take(&mut self.mirrors) {
            self.events.push_back(Event::Removed { market, id: mirror.market.id().clone() });
        }
        for subscription in self.subscriptions.values_mut() {
            subscription.synced = false;
        }
    }
}
