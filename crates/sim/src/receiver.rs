//! A client: a session, a backoff, and what its user wants to see.

use std::collections::BTreeMap;

use bytes::Bytes;
use oddswire_fanout::RATES_MS;
use oddswire_model::{Depth, MarketNumber, Revision, StatusEdge, Topic, View};
use oddswire_session::{Backoff, ClientConfig, ClientSession, SubscriptionRequest};
use oddswire_wire::decode_frame;
use rustc_hash::FxHashMap;

use crate::{link::LinkNumber, random::Random};

/// Most subscriptions that a client makes.
const SUBSCRIPTIONS: u64 = 3;

/// What the checks remember of a market in a client.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The revision that the client stated last; none while it does not hold the market.
    pub(crate) stated: Option<Revision>,
    /// The newest commit that it is known to have had.
    pub(crate) newest: Revision,
    /// Status edges reported since the last change.
    pub(crate) edges: Vec<StatusEdge>,
}

pub(crate) struct Receiver {
    pub(crate) session: ClientSession,
    pub(crate) backoff: Backoff,
    pub(crate) link: Option<LinkNumber>,
    /// Counts attempts to connect, so that one that was given up does not come true later.
    pub(crate) attempt: u64,
    pub(crate) subscriptions: BTreeMap<u32, SubscriptionRequest>,
    /// Subscriptions are those that this connection began with.
    pub(crate) is_unchanged: bool,
    /// It has named several subscriptions on this connection, and not all of them are known to be complete yet.
    pub(crate) is_resuming: bool,
    /// When a frame last arrived on this connection.
    pub(crate) heard_ms: u64,
    /// The epoch that the gateway named last.
    pub(crate) epoch: u64,
    pub(crate) seen: FxHashMap<(u64, MarketNumber), Seen>,
    pub(crate) frames: u64,
    /// Heartbeats taken since the last answer, while not everything was live.
    pub(crate) heartbeats_waited: u32,
    /// Gaps that it has noticed.
    pub(crate) gaps: u64,
    /// The time that is planned for the next timeout.
    pub(crate) wake_ms: u64,
    pub(crate) random: Random,
    views: Vec<View>,
}

impl Receiver {
    pub(crate) fn new(seed: u64, number: usize, views: &[View]) -> Self {
        let mut receiver = Self {
            session: ClientSession::new(ClientConfig::default()),
            backoff: Backoff::with_limits(seed ^ number as u64, Backoff::FIRST_MS, 4_000),
            link: None,
            attempt: 0,
            subscriptions: BTreeMap::new(),
            is_unchanged: true,
            is_resuming: false,
            heard_ms: 0,
            epoch: 0,
            seen: FxHashMap::default(),
            frames: 0,
            heartbeats_waited: 0,
            gaps: 0,
            wake_ms: u64::MAX,
            random: Random::new(seed, 0x3000 + number as u64),
            views: views.to_vec(),
        };
        for subscription in 1..=receiver.random.between(1, SUBSCRIPTIONS) as u32 {
            receiver.subscribe(subscription);
        }
        receiver
    }

    /// Counts the heartbeats for which the client has waited, after a frame that it has taken.
    pub(crate) fn wait_for_answer(&mut self, bytes: &Bytes) -> u32 {
        if self.session.is_synced() {
            self.heartbeats_waited = 0;
        } else if let Ok(frame) = decode_frame(bytes.clone()) {
            if frame.position.is_some() || frame.subscribed.is_some() {
                self.heartbeats_waited = 0;
            }
            self.heartbeats_waited += u32::from(frame.heartbeat.is_some());
        }
        self.heartbeats_waited
    }

    /// The user looks at something else.
    pub(crate) fn change_mind(&mut self) {
        self.is_unchanged = false;
        let subscription = self.random.between(1, SUBSCRIPTIONS) as u32;
        if self.subscriptions.len() > 1 && self.random.below(3) == 0 {
            if self.subscriptions.remove(&subscription).is_some() {
                self.session.unsubscribe(subscription);
            }
        } else {
            self.subscribe(subscription);
        }
    }

    pub(crate) fn subscribe(&mut self, subscription: u32) {
        let request = self.any_request();
        self.session.subscribe(subscription, request.clone());
        self.subscriptions.insert(subscription, request);
    }

    fn any_request(&mut self) -> SubscriptionRequest {
        let random = &mut self.random;
        let topics = (0..1 + random.below(2))
            .map(|_| match random.below(6) {
                0..2 => Topic::All,
                2 => Topic::Fixture(format!("f{}", random.below(3)).into()),
                3 => Topic::Type(format!("T{}", random.below(3)).into()),
                _ => Topic::Market(format!("{}.{}", random.below(2), 1 + random.below(8)).into()),
            })
            .collect();
        let view = *random.pick(&self.views);
        let rate_ms = *random.pick(&RATES_MS);
        SubscriptionRequest { topics, view, rate_ms }
    }
}

/// The views of a simulation: a few that clients ask for, and every union of them.
pub(crate) fn any_views(random: &mut Random) -> (Vec<View>, Vec<View>) {
    let view = |depth, volumes| View::new(depth, volumes).unwrap_or(View::FULL);
    let all = [
        View::PRICES,
        View::best(1),
        View::best(3),
        View::best(10),
        view(Depth::Best(1), false),
        view(Depth::Best(2), false),
        view(Depth::Best(5), false),
        view(Depth::Full, false),
        View::FULL,
    ];
    let asked: Vec<View> = (0..random.between(1, 3)).map(|_| *random.pick(&all)).collect();
    let mut closed = asked.clone();
    for &view in &asked {
        for known in closed.clone() {
            closed.push(known.union(view));
        }
    }
    let mut distinct: Vec<View> = Vec::new();
    for view in closed {
        if !distinct.contains(&view) {
            distinct.push(view);
        }
    }
    (asked, distinct)
}
