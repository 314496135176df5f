//! What clients ask for.

use bytes::Bytes;
use oddswire_model::Revision;
use oddswire_session::{Request, SessionError, Subscribe};
use oddswire_store::{HorizonError, Store};
use oddswire_wire::{
    FrameBuilder,
    limits::SUBSCRIPTIONS_MAX,
    proto::{self, ErrorCode, Resume},
};

use crate::{
    baseline::{RATES_MS, class_of},
    connection::{ConnectionId, MAX_CONTROL_FRAMES},
    fanout::Fanout,
    group::{Group, GroupId, Interest, ViewKey},
    output::Output,
};

impl Fanout {
    /// Takes a client's message.
    pub fn handle_message(&mut self, now_ms: u64, store: &Store, id: ConnectionId, message: Bytes) {
        let Some(connection) = self.connections.get_mut(&id).filter(|connection| !connection.is_closing)
        else {
            return;
        };
        match connection.session.handle(now_ms, message) {
            Ok(None) => {}
            Ok(Some(Request::Hello { .. })) => self.hello(store, id),
            Ok(Some(Request::Subscribe(subscribe))) => self.subscribe(now_ms, store, id, subscribe),
            Ok(Some(Request::Unsubscribe { subscription })) => {
                self.unsubscribe(now_ms, store, id, subscription);
            }
            Ok(Some(Request::Resync { markets, since, .. })) => {
                self.stats.resyncs += 1;
                if !connection.resync_limit.take(now_ms) {
                    let reason = "resyncs come too often; connect again".to_owned();
                    return self.close(id, ErrorCode::RateLimited, reason);
                }
                connection.is_live = false;
                let lanes = self.groups.get(&connection.group).map(|group| &group.lanes);
                let known = |market: &oddswire_model::MarketNumber| {
                    lanes.is_some_and(|lanes| lanes.contains_key(market))
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
        let mut frames: Vec<Bytes> = connection.control.drain(..).collect();
        frames.push(error_frame(code, &reason, 0));
        self.stats.closed_for_cause += 1;
        self.send(vec![id], frames);
        self.outputs.push_back(Output::Close { connection: id, code, reason });
    }

    fn hello(&mut self, store: &Store, id: ConnectionId) {
        let mut frame = FrameBuilder::new();
        frame.welcome(proto::Welcome {
            epoch: store.epoch().0,
            revision: store.revision().0,
            encoding: proto::Encoding::Plain.into(),
            heartbeat_interval_ms: self.config.heartbeat_interval_ms as u32,
            session: format!("{:x}-{:x}", store.epoch().0 as u32, id.0),
        });
        let group = self.join_group(store, id, Vec::new());
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.group = group;
            connection.cursor = store.revision();
            // There is nothing to hold yet.
            connection.is_live = true;
            connection.control.push_back(frame.finish());
        }
    }

    fn refuse(&mut self, id: ConnectionId, error: SessionError) {
        if error.fatal {
            return self.close(id, error.code, error.message);
        }
        self.answer(id, error_frame(error.code, &error.message, error.subscription));
    }

    fn answer(&mut self, id: ConnectionId, frame: Bytes) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.control.len() >= MAX_CONTROL_FRAMES {
            let reason = "answers pile up; read what you ask for".to_owned();
            return self.close(id, ErrorCode::SlowReceiver, reason);
        }
        connection.control.push_back(frame);
    }

    fn subscribe(&mut self, now_ms: u64, store: &Store, id: ConnectionId, subscribe: Subscribe) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Subscribe { subscription, topics, view, rate_ms, cursor } = subscribe;
        if connection.subscriptions.len() >= SUBSCRIPTIONS_MAX
            && !connection.subscriptions.contains_key(&subscription)
        {
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
        let class = class_of(rate_ms);
        let interest = Interest { topics, class, view: ViewKey(view) };
        let markets: std::collections::BTreeSet<_> =
            interest.topics.iter().flat_map(|topic| store.members(topic)).collect();
        connection.subscriptions.insert(subscription, interest.clone());
        self.stats.resumes += u64::from(resumed.is_some());
        let mut frame = FrameBuilder::new();
        frame.subscribed(proto::Subscribed {
            subscription,
            rate_ms: RATES_MS[class],
            markets: markets.len() as u32,
            resume: resume.into(),
            ended: false,
        });
        self.answer(id, frame.finish());
        self.regroup(now_ms, store, id, resumed.map(|revision| (revision, interest)));
    }

    fn unsubscribe(&mut self, now_ms: u64, store: &Store, id: ConnectionId, subscription: u32) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.subscriptions.remove(&subscription).is_none() {
            let message = format!("there is no subscription {subscription}");
            let frame = error_frame(ErrorCode::UnknownSubscription, &message, subscription);
            return self.answer(id, frame);
        }
        let mut frame = FrameBuilder::new();
        frame.subscribed(proto::Subscribed { subscription, ended: true, ..Default::default() });
        self.answer(id, frame.finish());
        self.regroup(now_ms, store, id, None);
    }

    /// Moves a connection to the group of its subscriptions and works out what it needs there.
    ///
    /// `resumed`: the markets of this interest are held as of this revision.
    fn regroup(
        &mut self,
        now_ms: u64,
        store: &Store,
        id: ConnectionId,
        resumed: Option<(Revision, Interest)>,
    ) {
        let Some(connection) = self.connections.get(&id).filter(|connection| !connection.is_closing) else {
            return;
        };
        let old_id = connection.group;
        let interests = connection.interests();
        // Joining before leaving keeps the baselines that both use.
        let new_id = self.join_group(store, id, interests);
        if let Some(connection) = self.connections.get_mut(&id) {
            // It belongs to neither group until it has been told where it stands.
            connection.is_live = false;
        }
        self.bring_forward(now_ms, store, id, new_id, resumed.as_ref().map(|(_, interest)| interest));
        let (Some(new), Some(connection)) = (self.groups.get(&new_id), self.connections.get_mut(&id)) else {
            return;
        };
        let none = std::collections::BTreeMap::new();
        let old = self.groups.get(&old_id).map_or(&none, |group| &group.lanes);
        for (&market, lane) in &new.lanes {
            let is_held = old.get(&market) == Some(lane) && !connection.snapshots.contains(&market);
            let is_resumed = resumed.as_ref().is_some_and(|(_, interest)| {
                !old.contains_key(&market)
                    && interest.topics.iter().any(|topic| store.is_member(market, topic))
            });
            if !is_held && !is_resumed {
                connection.snapshots.insert(market);
            }
        }
        connection.snapshots.retain(|market| new.lanes.contains_key(market));
        connection.removed.extend(old.keys().filter(|market| !new.lanes.contains_key(market)));
        connection.removed.retain(|market| !new.lanes.contains_key(market));
        let reached = new.cursor(store, &self.classes);
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
        if old_id != new_id {
            self.leave_group(id, old_id);
        }
    }

    /// A connection moves to a group. What it holds of a market may be newer than the group's baseline: where it
    /// followed the market in another class, or resumes it and had it from another class or another gateway. Those
    /// markets are flushed ahead of their time, because a delta fits nobody who is ahead of its base.
    fn bring_forward(
        &mut self,
        now_ms: u64,
        store: &Store,
        id: ConnectionId,
        to: GroupId,
        resumed: Option<&Interest>,
    ) {
        let (Some(connection), Some(to)) = (self.connections.get(&id), self.groups.get(&to)) else { return };
        let from = self.groups.get(&connection.group);
        let mut behind = vec![Vec::new(); self.classes.len()];
        for (&market, lane) in &to.lanes {
            let is_dirty = self.classes[lane.class].baseline(market).is_some_and(|held| held.is_dirty);
            let is_ahead = || match from.and_then(|from| from.lanes.get(&market)) {
                Some(held) => held.class != lane.class,
                // It left with an earlier request and the connection has not been told yet, or it is resumed.
                None => {
                    connection.removed.contains(&market)
                        || resumed.is_some_and(|interest| {
                            interest.topics.iter().any(|topic| store.is_member(market, topic))
                        })
                }
            };
            if is_dirty && is_ahead() {
                behind[lane.class].push(market);
            }
        }
        for (class, markets) in behind.into_iter().enumerate().filter(|(_, markets)| !markets.is_empty()) {
            self.flush_at_once(now_ms, store, &markets, class);
        }
    }

    fn join_group(&mut self, store: &Store, id: ConnectionId, interests: Vec<Interest>) -> GroupId {
        let group_id = match self.group_ids.get(&interests) {
            Some(&group_id) => group_id,
            None => {
                let group_id = self.next_group;
                self.next_group += 1;
                let group = Group::new(group_id, interests.clone(), store, &mut self.classes);
                self.groups.insert(group_id, group);
                self.group_ids.insert(interests, group_id);
                group_id
            }
        };
        if let Some(group) = self.groups.get_mut(&group_id) {
            group.members.insert(id);
        }
        group_id
    }

    /// Takes a connection out of a group; the last one ends it.
    pub(crate) fn leave_group(&mut self, id: ConnectionId, group_id: GroupId) {
        let Some(group) = self.groups.get_mut(&group_id) else { return };
        group.members.remove(&id);
        if group.members.is_empty()
            && let Some(group) = self.groups.remove(&group_id)
        {
            self.group_ids.remove(&group.interests);
            for (market, lane) in group.lanes {
                self.classes[lane.class].release(market, lane.view);
            }
        }
    }
}

fn error_frame(code: ErrorCode, message: &str, subscription: u32) -> Bytes {
    let mut frame = FrameBuilder::new();
    frame.error(proto::Error { code: code.into(), message: message.to_owned(), subscription });
    frame.finish()
}
