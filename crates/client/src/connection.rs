//! One connection, from the open socket to its end.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use oddswire_session::{ClientSession, Event, RateLimit, next_report_ms};
use oddswire_wire::proto::ErrorCode;
use tokio_websockets::{CloseCode, Error, Message};

use crate::{
    event::{ClientEvent, Publisher},
    handshake::Socket,
    options::random,
    reason::DisconnectReason,
    shared::{Shared, State},
};

/// Messages said at once. A gateway takes 50, and delays on the way may push later ones up against the burst.
const BURST: u32 = 40;
/// Messages said per second in the long run; a gateway takes 20.
const PER_SECOND: u32 = 15;
/// How long one message of that takes.
const PACE_MS: u64 = 1_000 / PER_SECOND as u64 + 1;

/// A connection that ends by a fault sooner than this after its welcome did no good: a gateway in that state must not be
/// asked again and again at the shortest delays.
const GOOD_AFTER_MS: u64 = 10_000;
/// Longest time until a move that a gateway may ask for.
const MOVE_IN_MS_MAX: u64 = 600_000;
/// How long the gateway's answer to a close is waited for.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long saying why a connection is given up may take.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(200);

pub(crate) struct Connection<'a> {
    shared: &'a Shared,
    publisher: &'a mut Publisher,
    socket: Socket,
    pace: RateLimit,
    /// A message that waits for its turn.
    unsent: Option<Bytes>,
    report_interval_ms: u64,
    /// When the gateway is told what was seen; nothing is before it has said welcome.
    report_at_ms: Option<u64>,
    paused_until_ms: u64,
    move_at_ms: Option<u64>,
    welcomed_ms: Option<u64>,
    /// What the gateway said before it closed.
    refused: Option<DisconnectReason>,
}

/// How a connection was lost.
pub(crate) struct Loss {
    pub(crate) reason: DisconnectReason,
    /// It did some good, so delays begin anew.
    pub(crate) was_good: bool,
    /// The gateway said when to come back.
    pub(crate) move_in_ms: Option<u64>,
}

enum End {
    Closed,
    Lost(DisconnectReason),
}

impl From<DisconnectReason> for End {
    fn from(reason: DisconnectReason) -> Self {
        Self::Lost(reason)
    }
}

impl<'a> Connection<'a> {
    pub(crate) fn new(
        shared: &'a Shared,
        publisher: &'a mut Publisher,
        socket: Socket,
        report_interval_ms: u64,
    ) -> Self {
        Self {
            shared,
            publisher,
            socket,
            pace: RateLimit::new(PER_SECOND, BURST),
            unsent: None,
            report_interval_ms,
            report_at_ms: None,
            paused_until_ms: 0,
            move_at_ms: None,
            welcomed_ms: None,
            refused: None,
        }
    }

    /// Talks until the connection ends; `None` when the client was closed.
    pub(crate) async fn run(mut self) -> Option<Loss> {
        // There was nothing to cut when that was ordered.
        self.shared.lock().orders.cut = false;
        self.publisher.tell(ClientEvent::Connected);
        let now_ms = self.shared.now_ms();
        self.with_session(|session| session.connected(now_ms));
        let end = self.talk().await;
        let now_ms = self.shared.now_ms();
        // What is held goes stale before anything else is waited for.
        self.with_session(ClientSession::disconnected);
        let End::Lost(reason) = end else {
            self.shared.lock().stats.disconnects += 1;
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.socket.close()).await;
            return None;
        };
        let reason = match (reason, self.refused.take()) {
            (DisconnectReason::ClosedByGateway { .. } | DisconnectReason::Broken(_), Some(refused)) => {
                refused
            }
            (reason, _) => reason,
        };
        self.count(&reason);
        match reason {
            DisconnectReason::Malformed(_) => self.say_goodbye(CloseCode::PROTOCOL_ERROR).await,
            DisconnectReason::Drained => self.say_goodbye(CloseCode::NORMAL_CLOSURE).await,
            _ => {}
        }
        let lasted_ms = self.welcomed_ms.map(|welcomed_ms| now_ms.saturating_sub(welcomed_ms));
        Some(Loss {
            was_good: lasted_ms.is_some_and(|lasted_ms| lasted_ms >= GOOD_AFTER_MS || !reason.is_fault()),
            move_in_ms: self.move_at_ms.map(|at_ms| at_ms.saturating_sub(now_ms)),
            reason,
        })
    }

    async fn talk(&mut self) -> End {
        loop {
            match self.turn().await {
                Ok(()) => {}
                Err(end) => return end,
            }
        }
    }

    /// Does what is due, then waits for the next thing and handles it.
    async fn turn(&mut self) -> Result<(), End> {
        let now_ms = self.shared.now_ms();
        self.obey(now_ms)?;
        // Even if there is always something to read.
        if self.move_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            return Err(DisconnectReason::Drained.into());
        }
        self.report(now_ms);
        let pace_ms = self.say(now_ms).await?;
        let is_paused = self.paused_until_ms > now_ms;
        let timers = if is_paused {
            [Some(self.paused_until_ms), self.move_at_ms, None, None]
        } else {
            [pace_ms, self.move_at_ms, self.report_at_ms, self.shared.lock().session.poll_timeout()]
        };
        let sleep_ms = timers.iter().flatten().min().map_or(1_000, |at_ms| at_ms.saturating_sub(now_ms));
        tokio::select! {
            biased;
            () = self.shared.wake.notified() => Ok(()),
            // Reading comes before the clock: a machine that slept hears the gateway first and judges it then.
            message = self.socket.next(), if !is_paused => self.hear(message),
            () = tokio::time::sleep(Duration::from_millis(sleep_ms)) => {
                if is_paused { Ok(()) } else { self.check_silence() }
            }
        }
    }

    /// Carries out what the handles ordered.
    fn obey(&mut self, now_ms: u64) -> Result<(), End> {
        let orders = &mut self.shared.lock().orders;
        if let Some(pause) = orders.pause.take() {
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            self.paused_until_ms = now_ms.saturating_add(pause_ms);
        }
        if orders.close {
            return Err(End::Closed);
        }
        if std::mem::take(&mut orders.cut) {
            return Err(DisconnectReason::Cut.into());
        }
        Ok(())
    }

    /// Tells the gateway what was seen, when it is time to, and says when it will be again.
    fn report(&mut self, now_ms: u64) {
        if self.report_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            self.shared.lock().session.report();
            self.report_at_ms = Some(now_ms + next_report_ms(self.report_interval_ms, false, random()));
        }
    }

    /// Queues what the session has to say, as fast as a gateway takes it. Returns when there will be more.
    async fn say(&mut self, now_ms: u64) -> Result<Option<u64>, End> {
        loop {
            if self.unsent.is_none() {
                self.unsent = self.shared.lock().session.poll_transmit();
            }
            if self.unsent.is_none() {
                return Ok(None);
            }
            if !self.pace.take(now_ms) {
                return Ok(Some(now_ms + PACE_MS));
            }
            if let Some(message) = self.unsent.take() {
                self.socket.feed(Message::binary(message)).await.map_err(lost)?;
            }
        }
    }

    fn hear(&mut self, message: Option<Result<Message, Error>>) -> Result<(), End> {
        let message = match message {
            None => return Err(DisconnectReason::Broken("the other end hung up".to_owned()).into()),
            Some(message) => message.map_err(lost)?,
        };
        if let Some((code, text)) = message.as_close() {
            let text = if text.is_empty() { "it gave no reason" } else { text }.to_owned();
            return Err(DisconnectReason::ClosedByGateway { code: code.into(), text }.into());
        }
        if message.is_text() {
            let what = "a text message, and frames are binary".to_owned();
            return Err(DisconnectReason::BadWebSocket(what).into());
        }
        if !message.is_binary() {
            return Ok(());
        }
        let frame: Bytes = message.into_payload().into();
        let now_ms = self.shared.now_ms();
        self.with_session(|session| session.handle_frame(now_ms, frame))
            .map_err(|error| DisconnectReason::Malformed(error).into())
    }

    fn check_silence(&mut self) -> Result<(), End> {
        let now_ms = self.shared.now_ms();
        let (is_silent, after_ms) =
            self.with_session(|session| (session.handle_timeout(now_ms), session.stale_after_ms()));
        if is_silent { Err(DisconnectReason::Silent { after_ms }.into()) } else { Ok(()) }
    }

    /// Turns the session and tells what came of it.
    fn with_session<R>(&mut self, turn: impl FnOnce(&mut ClientSession) -> R) -> R {
        let now_ms = self.shared.now_ms();
        let mut events = Vec::new();
        let result = {
            let state = &mut *self.shared.lock();
            let result = turn(&mut state.session);
            while let Some(event) = state.session.poll_event() {
                match &event {
                    Event::Welcomed { .. } => {
                        self.welcomed_ms = Some(now_ms);
                        let in_ms = next_report_ms(self.report_interval_ms, true, random());
                        self.report_at_ms = (self.report_interval_ms > 0).then_some(now_ms + in_ms);
                        state.stats.welcomes += 1;
                    }
                    Event::Synced { .. } => state.last_problem = None,
                    Event::Drain { reconnect_after_ms } => {
                        let in_ms = u64::from(*reconnect_after_ms).min(MOVE_IN_MS_MAX);
                        self.move_at_ms = Some(now_ms + in_ms);
                        state.stats.drains += 1;
                    }
                    // The session goes on without reports.
                    Event::Refused { code: ErrorCode::TelemetryRefused, .. } => {}
                    Event::Refused { code, message, subscription: 0 } => {
                        let message = message.clone();
                        self.refused = Some(DisconnectReason::Refused { code: *code, message });
                    }
                    _ => {}
                }
                events.push(event);
            }
            result
        };
        if !events.is_empty() {
            self.shared.progress.notify_waiters();
        }
        for event in events {
            self.publisher.tell(ClientEvent::Session(event));
        }
        result
    }

    fn count(&self, reason: &DisconnectReason) {
        let State { stats, session, .. } = &mut *self.shared.lock();
        session.note_reconnect(reason.cause());
        stats.disconnects += 1;
        match reason {
            DisconnectReason::Silent { .. } => stats.silent += 1,
            DisconnectReason::Malformed(_) | DisconnectReason::BadWebSocket(_) => stats.malformed += 1,
            DisconnectReason::Refused { .. } => stats.refused += 1,
            _ => {}
        }
    }

    /// Says why the connection is given up, if the socket takes it at once.
    async fn say_goodbye(&mut self, code: CloseCode) {
        let goodbye = self.socket.send(Message::close(Some(code), ""));
        let _ = tokio::time::timeout(GOODBYE_TIMEOUT, goodbye).await;
    }
}

fn lost(error: Error) -> End {
    let text = error.to_string();
    End::Lost(match error {
        Error::Protocol(_) | Error::PayloadTooLong { .. } => DisconnectReason::BadWebSocket(text),
        _ => DisconnectReason::Broken(text),
    })
}
