//! Links between clients and the gateway: dialling, frames, messages, and what goes wrong with them.

use bytes::Bytes;
use oddswire_fanout::{ConnectionId, Delivery, MAX_CONTROL_FRAMES};
use oddswire_session::Connection;
use oddswire_wire::{LeadBytes, decode_frame, limits::FRAMES_JOINED_MAX};

use crate::{
    disorder::Kind,
    fault::Fault,
    gateway::Gateway,
    happening::Happening,
    link::{Link, LinkNumber},
    simulation::Simulation,
};

/// Most frames that a connection may be given at once: every answer that waits, and one catch-up.
const FRAMES_AT_ONCE_MAX: usize = MAX_CONTROL_FRAMES + FRAMES_JOINED_MAX + 2;

/// Most deliveries that a socket has not got rid of: a frame of the group, and what was sent by name behind it.
const UNSENT_MAX: usize = 2;

/// Most heartbeats that a client may take while it waits for something and no answer comes [SYNC-7]. A line may repeat each of
/// them.
const HEARTBEATS_WAITED_MAX: u32 = 6;

/// First byte of a client's subscribe.
const SUBSCRIBE_TAG: u8 = 2 << 3 | 2;

impl Simulation {
    /// A client tries to connect.
    pub(crate) fn dial(&mut self, client: usize, attempt: u64) {
        let subject = &mut self.clients[client];
        if subject.link.is_some() || subject.attempt != attempt {
            return;
        }
        if !self.gateway.is_up || self.is_draining {
            return self.dial_later(client);
        }
        let now_ms = self.schedule.now_ms();
        let is_wide = self.faults.is_on(Fault::LargeMarkets);
        let mut link = Link::new(now_ms, client, self.gateway.life, is_wide, &mut self.network);
        let number = self.links.len() as LinkNumber;
        let id = ConnectionId::new(0, number as u32, 0);
        self.gateway.fanout.connect(now_ms, id);
        self.gateway.shard.join(id);
        link.gateway_end = Some(id);
        self.gateway.links.insert(id, number);
        subject.link = Some(number);
        self.schedule.after(2 * link.latency_ms(), Happening::Linked { link: number });
        self.links.push(link);
    }

    fn dial_later(&mut self, client: usize) {
        let subject = &mut self.clients[client];
        subject.attempt += 1;
        let delay_ms = subject.backoff.next_delay_ms();
        let attempt = subject.attempt;
        self.schedule.after(delay_ms, Happening::Dial { client, attempt });
    }

    pub(crate) fn linked(&mut self, link: LinkNumber) {
        let now_ms = self.now_ms();
        let client = self.links[link as usize].client;
        let subject = &mut self.clients[client];
        if subject.link != Some(link) {
            return;
        }
        subject.session.connected(now_ms);
        subject.is_unchanged = true;
        subject.is_resuming = subject.subscriptions.len() > 1;
        subject.heard_ms = now_ms;
        subject.heartbeats_waited = 0;
        self.speak(client);
    }

    /// Sends what a client's session has to say, and plans its timeout.
    pub(crate) fn speak(&mut self, client: usize) {
        let now_ms = self.now_ms();
        let subject = &mut self.clients[client];
        let Some(number) = subject.link else { return };
        let link = &mut self.links[number as usize];
        while let Some(bytes) = subject.session.poll_transmit() {
            let jitter_ms = if self.faults.is_on(Fault::Jitter) { self.network.below(30) } else { 0 };
            let at_ms = link.upload(now_ms, jitter_ms);
            // Answers are told apart by their order alone, so a subscribe that is said twice is another request.
            let is_subscribe = bytes.first() == Some(&SUBSCRIBE_TAG);
            if !is_subscribe && self.faults.strikes(Fault::DuplicateMessage) {
                let again = Happening::Message { link: number, bytes: bytes.clone() };
                self.schedule.at(at_ms, again);
            }
            if self.faults.strikes(Fault::DropMessage) {
                continue;
            }
            let mut bytes = bytes;
            if self.faults.strikes(Fault::FlipMessage) {
                bytes = flip(&bytes, self.faults.random(Fault::FlipMessage).next());
            }
            self.schedule.at(at_ms, Happening::Message { link: number, bytes });
        }
        if let Some(at_ms) = subject.session.poll_timeout()
            && at_ms < subject.wake_ms
        {
            subject.wake_ms = at_ms;
            self.schedule.at(at_ms, Happening::ClientWakes { client });
        }
    }

    pub(crate) fn client_wakes(&mut self, client: usize) {
        let now_ms = self.now_ms();
        let subject = &mut self.clients[client];
        if now_ms < subject.wake_ms {
            return;
        }
        subject.wake_ms = u64::MAX;
        if subject.link.is_some() && subject.session.handle_timeout(now_ms) {
            return self.hang_up(client);
        }
        self.speak(client);
    }

    /// A client gives its connection up and will dial again.
    pub(crate) fn hang_up(&mut self, client: usize) {
        let subject = &mut self.clients[client];
        let Some(number) = subject.link.take() else { return };
        if subject.session.connection() != Connection::Disconnected {
            subject.session.disconnected();
        }
        let link = &mut self.links[number as usize];
        link.client_end = false;
        if link.gateway_end.is_some() {
            self.schedule.after(link.latency_ms(), Happening::GatewayLearns { link: number });
        }
        self.dial_later(client);
    }

    pub(crate) fn client_learns(&mut self, link: LinkNumber) {
        let client = self.links[link as usize].client;
        if self.clients[client].link == Some(link) {
            self.hang_up(client);
        }
    }

    pub(crate) fn gateway_learns(&mut self, link: LinkNumber) {
        let life = self.gateway.life;
        let link = &mut self.links[link as usize];
        if let Some(id) = link.gateway_end.take()
            && link.gateway_life == life
        {
            self.gateway.links.remove(&id);
            self.gateway.shard.leave(id);
            self.gateway.fanout.disconnect(id);
        }
    }

    /// The gateway's end of a link, if it is one of the gateway that is there now.
    fn gateway_end(&self, link: LinkNumber) -> Option<ConnectionId> {
        let link = &self.links[link as usize];
        link.gateway_end.filter(|_| self.gateway.is_up && link.gateway_life == self.gateway.life)
    }

    pub(crate) fn message_arrives(&mut self, link: LinkNumber, bytes: Bytes) -> Result<(), String> {
        let Some(id) = self.gateway_end(link) else { return Ok(()) };
        let now_ms = self.now_ms();
        self.gateway.fanout.handle_message(now_ms, &self.gateway.store, id, bytes);
        self.hand_out()
    }

    pub(crate) fn socket_is_ready(&mut self, link: LinkNumber) -> Result<(), String> {
        let Some(id) = self.gateway_end(link) else { return Ok(()) };
        let link = &mut self.links[link as usize];
        link.unsent = link.unsent.saturating_sub(1);
        if link.unsent == 0 {
            self.gateway.shard.ready(id);
        }
        self.hand_out()
    }

    /// Puts on the line what the fan-out wants sent.
    pub(crate) fn hand_out(&mut self) -> Result<(), String> {
        let now_ms = self.now_ms();
        let mut deliveries = Vec::new();
        let Gateway { shard, fanout, store, .. } = &mut self.gateway;
        while let Some(delivery) = shard.poll(now_ms, fanout, store) {
            deliveries.push(delivery);
        }
        for (at, delivery) in deliveries.iter().enumerate() {
            match delivery {
                Delivery::Frames { to, frames } => {
                    let Some(&number) = self.gateway.links.get(to) else { continue };
                    let closes = |delivery: &Delivery| matches!(delivery, Delivery::Close { connection, .. } if connection == to);
                    let is_last = self.is_draining || deliveries[at..].iter().any(closes);
                    // One frame of the group, and what was sent by name.
                    if self.links[number as usize].unsent >= UNSENT_MAX && !is_last {
                        return Err(format!("{to:?} was given frames while its socket was full"));
                    }
                    if frames.len() > FRAMES_AT_ONCE_MAX {
                        return Err(format!("{to:?} was given {} frames at once", frames.len()));
                    }
                    self.put_on_line(number, frames);
                }
                Delivery::Close { connection, .. } => {
                    self.report.refusals += 1;
                    if let Some(number) = self.gateway.links.get(connection).copied() {
                        let link = &mut self.links[number as usize];
                        let left_ms = link.push(self.schedule.now_ms(), &[]);
                        let at_ms = link.arrival(left_ms, 0);
                        self.schedule.at(at_ms, Happening::ClientLearns { link: number });
                        self.gateway_learns(number);
                    }
                }
            }
        }
        self.plan_gateway();
        Ok(())
    }

    fn put_on_line(&mut self, number: LinkNumber, frames: &[Bytes]) {
        let now_ms = self.now_ms();
        let is_there = self.links[number as usize].client_end;
        let left_ms = self.links[number as usize].push(now_ms, frames);
        if !is_there {
            // Nobody reads: the socket never drains.
            return;
        }
        self.schedule.at(left_ms, Happening::Ready { link: number });
        for frame in frames {
            if self.faults.strikes(Fault::CutMidFrame) {
                let keep = self.faults.random(Fault::CutMidFrame).index(frame.len().max(1));
                let at_ms = self.links[number as usize].arrival(left_ms, 0);
                self.schedule.at(at_ms, Happening::CutShort { link: number, bytes: frame.slice(..keep) });
                self.schedule.at(at_ms, Happening::GatewayLearns { link: number });
                return;
            }
            let mut extra_ms = 0;
            if self.faults.strikes(Fault::Jitter) {
                extra_ms += self.faults.random(Fault::Jitter).below(40);
            }
            if self.faults.strikes(Fault::Delay) {
                extra_ms += self.faults.random(Fault::Delay).below(1_500);
            }
            let at_ms = self.links[number as usize].arrival(left_ms, extra_ms);
            let disorder = &mut self.links[number as usize].disorder;
            for mut bytes in disorder.pass(frame, kind_of(frame), &mut self.faults) {
                if self.faults.strikes(Fault::FlipFrame) {
                    bytes = flip(&bytes, self.faults.random(Fault::FlipFrame).next());
                }
                self.schedule.at(at_ms, Happening::Arrives { link: number, bytes });
            }
        }
    }

    pub(crate) fn frame_arrives(&mut self, link: LinkNumber, bytes: Bytes) -> Result<(), String> {
        let client = self.links[link as usize].client;
        let now_ms = self.now_ms();
        // Where the horizon moves, it may pass a cursor between two answers of one connection.
        let may_be_refused = self.faults.are_frames_harmed()
            || self.faults.is_on(Fault::DropMessage)
            || self.faults.is_on(Fault::HorizonAdvance);
        let subject = &mut self.clients[client];
        if subject.link != Some(link) || subject.session.connection() == Connection::Disconnected {
            return Ok(());
        }
        let taken = subject.session.handle_frame(now_ms, bytes.clone());
        if taken.is_ok() {
            subject.heard_ms = now_ms;
            subject.frames += 1;
            let heartbeats = subject.wait_for_answer(&bytes);
            if heartbeats > HEARTBEATS_WAITED_MAX && !self.faults.are_bytes_flipped() {
                return Err(format!("client {client} waits for an answer, {heartbeats} heartbeats long"));
            }
        }
        self.speak(client);
        self.check_frame(client)?;
        if let Err(error) = taken {
            if !may_be_refused {
                return Err(format!("client {client} refused a frame of a faithful line: {error}"));
            }
            self.report.frames_refused += 1;
            self.hang_up(client);
        }
        Ok(())
    }

    /// Part of a frame arrives and then nothing more. A transport would not even hand it on; what it would hand on at
    /// most must be refused and leave everything as it was.
    pub(crate) fn frame_is_cut_short(&mut self, link: LinkNumber, bytes: Bytes) -> Result<(), String> {
        let client = self.links[link as usize].client;
        let now_ms = self.now_ms();
        let subject = &mut self.clients[client];
        if subject.link != Some(link) || subject.session.connection() == Connection::Disconnected {
            return Ok(());
        }
        if decode_frame(bytes.clone()).is_err() {
            let before = (subject.session.cursor(), subject.session.len());
            if subject.session.handle_frame(now_ms, bytes).is_ok() {
                return Err(format!("client {client} took part of a frame"));
            }
            if before != (subject.session.cursor(), subject.session.len()) {
                return Err(format!("client {client} changed with a frame it refused"));
            }
            self.check_frame(client)?;
            self.check_everything(client)?;
        }
        self.hang_up(client);
        Ok(())
    }
}

fn kind_of(frame: &Bytes) -> Kind {
    match decode_frame(frame.clone()) {
        Ok(frame) if frame.heartbeat.is_some() => Kind::Heartbeat,
        Ok(frame) if frame.advance.is_some() || LeadBytes::of(&frame) != Ok(None) => Kind::Chain,
        _ => Kind::Answer,
    }
}

/// The same bytes but for one bit.
fn flip(bytes: &Bytes, choice: u64) -> Bytes {
    let mut bytes = bytes.to_vec();
    if !bytes.is_empty() {
        let bit = choice % (bytes.len() as u64 * 8);
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
    }
    bytes.into()
}
