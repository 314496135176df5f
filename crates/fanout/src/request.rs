//! What clients ask for.

use std::sync::Arc;

use bytes::Bytes;
use oddswire_model::{MarketNumber, Revision};
use oddswire_session::{Request, SessionError, Subscribe};
use oddswire_store::{HorizonError, Store};
use oddswire_wire::{
    FrameBuilder,
    compact::ModelId,
    limits::SUBSCRIPTIONS_MAX,
    piece::Encoding,
    proto::{self, ErrorCode, Resume},
};

use crate::{
    class::{CLASSES, Class, phases_of, rate_ms_of},
    connection::{ConnectionId, MAX_CONTROL_FRAMES},
    fanout::Fanout,
    group::{Group, GroupId, GroupKey, Interest, ViewKey},
    number_set::NumberSet,
    output::Output,
};

impl Fanout {
    /// Takes a client's message.
    pub fn handle_message(&mut self, now_ms: u64, store: &Store, id: ConnectionId, message: Bytes) {
        self.now_ms = now_ms;
        let Some(connection) = self.connections.get_mut(&id).filter(|connection| !connection.is_closing)
        else {
            return;
        };
        match connection.session.handle(now_ms, message) {
            Ok(None) => {}
            Ok(Some(Request::Hello { encoding, models, has_dictionary, .. })) => {
                connection.encoding = encoding;
                connection.has_dictionary = has_dictionary;
                self.rush.note(now_ms);
                self.hello(store, id, &models);
            }
            Ok(Some(Request::Subscribe(subscribe))) => self.subscribe(store, id, subscribe),
            Ok(Some(Request::Unsubscribe { subscription })) => self.unsubscribe(store, id, subscription),
            Ok(Some(Request::Resync { markets, since, .. })) => {
                self.stats.resyncs += 1;
                if !connection.count_resync(now_ms) {
                    let reason = "resyncs come too often; connect again".to_owned();
                    return self.close(id, ErrorCode::RateLimited, reason);
                }
                let lanes = self.groups.get(&connection.group).map(|group| &group.lanes);
                let known = |market: &MarketNumber| {
                    lanes.is_some_and(|lanes| self.lanes.of_market(lanes, *market).is_some())
                };
                connection.snapshots.extend(markets.into_iter().filter(known));
                match since.map(|since| (since, store.check_cursor(store.epoch(), since))) {
                    None => {}
                    Some((since, Ok(()))) => connection.cursor = connection.cursor.min(since),
                    Some((_, Err(error))) => {
                        // Which markets have gone since then is not known, so snapshots alone would not do.
                        let reason = format!("{error}; connect again");
                        return self.close(id, ErrorCode::SlowReceiver, reason);
                    }
                }
                self.recall(id);
            }
            Ok(Some(Request::Telemetry(telemetry))) => {
                self.stats.reports += 1;
                self.telemetry.add(&telemetry);
            }
            Err(error) => self.refuse(id, error),
        }
        self.pump(store, id);
    }

    /// Reports an error and ends the connection.
    pub(crate) fn close(&mut self, id: ConnectionId, code: ErrorCode, reason: String) {
        let Some(connection) = self.connections.get_mut(&id).filter(|connection| !connection.is_closing)
        else {
            return;
        };
        connection.is_closing = true;
        let mut frames = std::mem::take(&mut connection.control);
        frames.push(error_frame(code, &reason, 0));
        self.stats.closed_for_cause += 1;
        self.send(id, frames, None);
        self.outputs.push_back(Output::Close { connection: id, code, reason });
    }

    fn hello(&mut self, store: &Store, id: ConnectionId, models: &[ModelId]) {
        let Some(connection) = self.connections.get(&id) else { return };
        let model = self.encoder.pieces.model();
        let (encoding, named, bytes) = match connection.encoding {
            Encoding::Plain => (proto::Encoding::Plain, 0, Bytes::new()),
            Encoding::Compact if models.contains(&model.id()) => {
                (proto::Encoding::Compact, model.id().0, Bytes::new())
            }
            Encoding::Compact => (proto::Encoding::Compact, model.id().0, model.bytes()),
        };
        let mut frame = FrameBuilder::new();
        frame.welcome(proto::Welcome {
            epoch: store.epoch().0,
            revision: store.revision().0,
            encoding: encoding.into(),
            heartbeat_interval_ms: self.config.heartbeat_interval_ms as u32,
            session: format!("{:x}-{:x}", store.epoch().0 as u32, id.0),
            model: named,
            model_bytes: bytes,
        });
        let group = self.join_group(store, connection.key());
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.group = group;
            connection.control.push(frame.finish());
        }
    }

    fn refuse(&mut self, id: ConnectionId, error: SessionError) {
        if error.fatal {
            return self.close(id, error.code, error.message);
        }
        self.stats.reports_refused += u64::from(error.code == ErrorCode::TelemetryRefused);
        self.answer(id, error_frame(error.code, &error.message, error.subscription));
    }

    fn answer(&mut self, id: ConnectionId, frame: Bytes) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.control.len() >= MAX_CONTROL_FRAMES {
            let reason = "answers pile up; read what you ask for".to_owned();
            return self.close(id, ErrorCode::SlowReceiver, reason);
        }
        connection.control.push(frame);
    }

    fn subscribe(&mut self, store: &Store, id: ConnectionId, subscribe: Subscribe) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Subscribe { subscription, topics, view, rate_ms, cursor } = subscribe;
        let place = connection.subscriptions.iter().position(|&(number, _)| number == subscription);
        if connection.subscriptions.len() >= SUBSCRIPTIONS_MAX && place.is_none() {
            let message = format!(
                "a session has at most {SUBSCRIPTIONS_MAX} subscriptions; name several topics in one"
            );
            let frame = error_frame(ErrorCode::TooManySubscriptions, &message, subscription);
            return self.answer(id, frame);
        }
        let (resume, resumed) =
            match cursor.map(|cursor| (cursor, store.check_cursor(cursor.epoch, cursor.revision))) {
                None => (Resume::Unspecified, None),
                Some((cursor, Ok(()))) => (Resume::CaughtUp, Some(cursor.revision)),
                Some((_, Err(HorizonError::OtherEpoch))) => (Resume::EpochChanged, None),
                Some((_, Err(_))) => (Resume::TooOld, None),
            };
        let phases = phases_of(rate_ms);
        // What a session follows at one rate comes in one frame.
        let mut classes = connection.subscriptions.iter().map(|(_, interest)| interest.class);
        let class = classes
            .find(|class| phases.contains(class))
            .unwrap_or_else(|| Class::least_crowded(&self.lanes.classes, phases, self.config.phase_members));
        let topics = NumberSet::new(topics.into_iter().map(|topic| self.topics.id(topic)).collect());
        let interest = Arc::new(Interest { topics, class, view: ViewKey(view) });
        let named = interest.topics.iter().flat_map(|topic| self.topics.members(store, topic));
        let mut markets: Vec<_> = named.collect();
        markets.sort_unstable();
        markets.dedup();
        match place {
            Some(place) => connection.subscriptions[place].1 = interest,
            None => connection.subscriptions.push((subscription, interest)),
        }
        self.stats.resumes += u64::from(resumed.is_some());
        let mut frame = FrameBuilder::new();
        frame.subscribed(proto::Subscribed {
            subscription,
            rate_ms: rate_ms_of(class),
            markets: markets.len() as u32,
            resume: resume.into(),
            ended: false,
        });
        self.answer(id, frame.finish());
        self.regroup(store, id, resumed.map(|revision| (revision, &markets[..])));
    }

    fn unsubscribe(&mut self, store: &Store, id: ConnectionId, subscription: u32) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(place) = connection.subscriptions.iter().position(|&(number, _)| number == subscription)
        else {
            let message = format!("there is no subscription {subscription}");
            let frame = error_frame(ErrorCode::UnknownSubscription, &message, subscription);
            return self.answer(id, frame);
        };
        connection.subscriptions.swap_remove(place);
        let mut frame = FrameBuilder::new();
        frame.subscribed(proto::Subscribed { subscription, ended: true, ..Default::default() });
        self.answer(id, frame.finish());
        self.regroup(store, id, None);
    }

    /// Moves a connection to the group of its subscriptions and works out what it needs there.
    ///
    /// `resumed`: these markets, in order, are held as of this revision.
    fn regroup(&mut self, store: &Store, id: ConnectionId, resumed: Option<(Revision, &[MarketNumber])>) {
        let Some(connection) = self.connections.get(&id).filter(|connection| !connection.is_closing) else {
            return;
        };
        // It takes the frames of neither group until it has been told where it stands.
        let (old_id, key) = (connection.group, connection.key());
        self.recall(id);
        // Joining before leaving keeps the baselines that both use.
        let new_id = self.join_group(store, key);
        self.bring_forward(store, id, new_id, resumed.map_or(&[], |(_, markets)| markets));
        let (Some(new), Some(connection)) = (self.groups.get(&new_id), self.connections.get_mut(&id)) else {
            return;
        };
        let held = self.groups.get(&old_id).map_or(Vec::new(), |old| self.lanes.by_market(&old.lanes));
        let follows = self.lanes.by_market(&new.lanes);
        let find = |among: &[(_, _)], market| {
            let at = among.binary_search_by_key(&market, |&(market, _)| market).ok()?;
            Some(among[at].1)
        };
        for &(market, lane) in &follows {
            let held = find(&held, market);
            let is_held = held == Some(lane) && !connection.snapshots.contains(&market);
            let is_resumed =
                held.is_none() && resumed.is_some_and(|(_, markets)| markets.binary_search(&market).is_ok());
            if !is_held && !is_resumed {
                connection.snapshots.insert(market);
            }
        }
        let is_followed = |market: &_| find(&follows, *market).is_some();
        connection.snapshots.retain(is_followed);
        connection.removed.extend(held.iter().map(|(market, _)| market));
        connection.removed.retain(|market| !is_followed(market));
        let reached = self.lanes.position(store, new.classes());
        if !connection.holds_cursor {
            connection.cursor = reached;
        }
        if let Some((revision, _)) = resumed {
            connection.cursor = connection.cursor.min(revision);
            connection.holds_cursor = true;
        }
        // A class that the connection has not followed so far may stand earlier than the ones it has.
        connection.cursor = connection.cursor.min(reached);
        connection.group = new_id;
        self.leave_group(old_id);
    }

    /// A connection moves to a group. What it holds of a market may be newer than the group's baseline: where it
    /// followed the market in another class, or resumes it and had it from another class or another gateway. Those
    /// markets are flushed ahead of their time, because a delta fits nobody who is ahead of its base.
    fn bring_forward(&mut self, store: &Store, id: ConnectionId, to: GroupId, resumed: &[MarketNumber]) {
        let (Some(connection), Some(to)) = (self.connections.get(&id), self.groups.get(&to)) else { return };
        let from = self.groups.get(&connection.group).map(|group| &*group.lanes);
        let mut behind: [Vec<_>; CLASSES] = std::array::from_fn(|_| Vec::new());
        for lane in to.lanes.iter() {
            let Some((baseline, lane)) = self.lanes.baseline(lane) else { continue };
            let market = baseline.market.number();
            let held = || self.lanes.of_market(from?, market).and_then(|held| self.lanes.get(held));
            let is_ahead = || match held() {
                Some(held) => held.lane.class != lane.class,
                // It left with an earlier request and the connection has not been told yet, or it is resumed.
                None => connection.removed.contains(&market) || resumed.binary_search(&market).is_ok(),
            };
            if baseline.is_dirty && is_ahead() {
                behind[lane.class].push(market);
            }
        }
        for (class, markets) in behind.into_iter().enumerate().filter(|(_, markets)| !markets.is_empty()) {
            self.flush_at_once(store, &markets, class);
        }
    }

    /// The group of a key, with one more member.
    fn join_group(&mut self, store: &Store, key: GroupKey) -> GroupId {
        let id = match self.group_ids.get(&key) {
            Some(&id) => id,
            None => {
                let id = GroupId(self.next_group);
                self.next_group = self.next_group.wrapping_add(1);
                let group = Group::new(key.clone(), store, &self.topics, &mut self.lanes);
                self.groups.insert(id, group);
                self.group_ids.insert(key, id);
                id
            }
        };
        if let Some(group) = self.groups.get_mut(&id) {
            group.members += 1;
            group.classes().iter().for_each(|class| self.lanes.classes[class].join());
        }
        id
    }

    /// A group has one member less; the last one ends it.
    pub(crate) fn leave_group(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.members -= 1;
        group.classes().iter().for_each(|class| self.lanes.classes[class].leave());
        if group.members == 0
            && let Some(group) = self.groups.remove(&id)
        {
            self.group_ids.remove(&group.key);
            for lane in group.lanes.iter() {
                self.lanes.release(lane);
            }
            self.outputs.push_back(Output::GroupGone(id));
        }
    }
}

fn error_frame(code: ErrorCode, message: &str, subscription: u32) -> Bytes {
    let mut frame = FrameBuilder::new();
    frame.error(proto::Error { code: code.into(), message: message.to_owned(), subscription });
    frame.finish()
}
