//! The larger faults: connections, clients, producers and gateways that fail.

use bytes::Bytes;
use oddswire_model::Revision;

use crate::{fault::Fault, happening::Happening, simulation::Simulation};

impl Simulation {
    /// Throws the dice about everything that is not about one frame.
    pub(crate) fn disturb(&mut self) -> Result<(), String> {
        for client in 0..self.clients.len() {
            self.disturb_client(client);
        }
        for producer in 0..self.producers.len() {
            if self.faults.strikes(Fault::ProducerCrash) {
                let down_ms = self.faults.random(Fault::ProducerCrash).between(200, 5_000);
                self.silence(producer, down_ms, true);
            }
            if self.faults.strikes(Fault::ProducerSilence) {
                let silent_ms = self.faults.random(Fault::ProducerSilence).between(1_000, 9_000);
                self.silence(producer, silent_ms, false);
            }
            if self.faults.strikes(Fault::BadCommit) {
                self.producers[producer].publish_nonsense();
            }
        }
        if self.gateway.is_up && self.faults.strikes(Fault::GatewayRestart) {
            self.gateway_dies(true);
        }
        if self.gateway.is_up && self.faults.strikes(Fault::FanoutRestart) {
            self.gateway_dies(false);
        }
        if self.gateway.is_up && !self.is_draining && self.faults.strikes(Fault::Drain) {
            self.is_draining = true;
            self.gateway.fanout.drain(1_000);
            self.hand_out()?;
            let life = self.gateway.life;
            self.schedule.after(1_500, Happening::GatewayReturns { life });
        }
        Ok(())
    }

    fn disturb_client(&mut self, client: usize) {
        if self.faults.strikes(Fault::ChangeSubscriptions) {
            let changes = self.faults.random(Fault::ChangeSubscriptions).between(1, 3);
            for _ in 0..changes {
                self.clients[client].change_mind();
            }
            self.speak(client);
        }
        let Some(number) = self.clients[client].link else { return };
        if self.faults.strikes(Fault::GarbageMessage) {
            let random = self.faults.random(Fault::GarbageMessage);
            let bytes: Vec<u8> = (0..random.below(40)).map(|_| random.next() as u8).collect();
            // What reads as a message by chance would be a request that nobody made.
            if oddswire_wire::decode_client_message(bytes.clone().into()).is_err() {
                self.schedule.after(1, Happening::Message { link: number, bytes: Bytes::from(bytes) });
            }
        }
        if self.faults.strikes(Fault::SlowReader) {
            let stall_ms = self.faults.random(Fault::SlowReader).between(200, 45_000);
            let until_ms = (self.now_ms() + stall_ms).min(self.calm_at_ms());
            self.links[number as usize].stalled_until_ms = until_ms;
        }
        if self.faults.strikes(Fault::Cut) {
            self.schedule.after(0, Happening::ClientLearns { link: number });
        } else if self.faults.strikes(Fault::ClientVanishes) {
            // The gateway's end stays; it finds out when nobody takes anything for too long.
            self.links[number as usize].client_end = false;
            let end = self.links[number as usize].gateway_end.take();
            self.hang_up(client);
            self.links[number as usize].gateway_end = end;
        } else if self.faults.strikes(Fault::GatewaySideVanishes) {
            self.gateway_learns(number);
        }
    }

    /// The gateway is gone for a while.
    pub(crate) fn gateway_dies(&mut self, loses_log: bool) {
        self.is_draining = false;
        self.gateway.die();
        if loses_log {
            let revisions = if self.faults.is_on(Fault::LargeRevisions) { 300 } else { 0 };
            self.gateway.forget_log(revisions);
        }
        for number in 0..self.links.len() as u64 {
            let link = &mut self.links[number as usize];
            if link.gateway_end.take().is_some() && link.client_end {
                // Half of them are told by their network, the others find out by the silence.
                if self.network.below(2) == 0 {
                    self.schedule.after(link.latency_ms(), Happening::ClientLearns { link: number });
                }
            }
        }
        let down_ms = self.network.between(50, 3_000);
        let life = self.gateway.life;
        self.schedule.after(down_ms, Happening::GatewayReturns { life });
    }

    pub(crate) fn gateway_returns(&mut self, life: u64) {
        if self.gateway.life != life {
            return;
        }
        if self.is_draining {
            // It was asked to go, its clients have moved, and now it does.
            return self.gateway_dies(false);
        }
        self.gateway.is_up = true;
        self.gateway.wake_ms = u64::MAX;
        self.plan_gateway();
    }

    pub(crate) fn plan_gateway(&mut self) {
        let at_ms = self.gateway.fanout.poll_timeout();
        if self.gateway.is_up && at_ms < self.gateway.wake_ms {
            self.gateway.wake_ms = at_ms;
            self.schedule.at(at_ms, Happening::GatewayWakes);
        }
    }

    pub(crate) fn gateway_wakes(&mut self) -> Result<(), String> {
        let now_ms = self.now_ms();
        if now_ms < self.gateway.wake_ms {
            // Planned before something else came first; it is planned again for later.
            return Ok(());
        }
        self.gateway.wake_ms = u64::MAX;
        if self.gateway.is_up {
            if now_ms >= self.gateway.fanout.poll_timeout() {
                let heard = self.gateway.heard_ms.values().min();
                let freshness = heard.map(|&heard_ms| (now_ms - heard_ms) as u32);
                self.gateway.fanout.set_freshness(freshness, now_ms);
                self.gateway.fanout.handle_timeout(now_ms, &self.gateway.store);
            }
            self.hand_out()?;
        }
        Ok(())
    }

    pub(crate) fn housekeeping(&mut self) -> Result<(), String> {
        if !self.gateway.is_up {
            return Ok(());
        }
        let now_ms = self.now_ms();
        self.gateway.hold_silent(now_ms);
        let revision = self.gateway.store.revision().0;
        if self.faults.strikes(Fault::HorizonAdvance) {
            let kept = self.faults.random(Fault::HorizonAdvance).below(60);
            self.gateway.store.advance_horizon(Revision(revision.saturating_sub(kept)));
        }
        if self.faults.strikes(Fault::ForgetMarkets) {
            let kept = self.faults.random(Fault::ForgetMarkets).below(40);
            let finished = self.gateway.store.finished_before(Revision(revision.saturating_sub(kept)));
            if !finished.is_empty() {
                let committed = self.gateway.store.forget(&finished);
                self.gateway.hand_on(now_ms, &committed);
            }
        }
        self.hand_out()
    }

    /// Nothing goes wrong any more: whoever waits for something tries now.
    pub(crate) fn calm_down(&mut self) {
        self.faults.stop();
        if self.is_draining {
            self.gateway_dies(false);
        }
        if !self.gateway.is_up {
            let life = self.gateway.life;
            self.gateway_returns(life);
        }
        for client in 0..self.clients.len() {
            if self.faults.are_bytes_flipped() {
                // What a flipped message made of a subscription ends with its connection.
                self.hang_up(client);
            }
            let subject = &mut self.clients[client];
            subject.backoff.reset();
            if subject.link.is_none() {
                subject.attempt += 1;
                let attempt = subject.attempt;
                self.schedule.after(10, Happening::Dial { client, attempt });
            }
        }
    }
}
