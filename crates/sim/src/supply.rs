//! The producers' side of the world: news, retries, silence, crashes.

use std::sync::Arc;

use oddswire_model::Commit;

use crate::{
    fault::Fault,
    happening::Happening,
    producer::{Answer, Body, Producer, RETRY_MS, Upload},
    simulation::Simulation,
};

/// A producer that has had nothing to say for so long says that it is there.
const ALIVE_EVERY_MS: u64 = 1_000;

impl Simulation {
    pub(crate) fn tick(&mut self, producer: usize) {
        let now_ms = self.now_ms();
        let pace_ms = self.tick_ms.min(ALIVE_EVERY_MS);
        let next_ms = pace_ms / 2 + self.network.below(pace_ms) + 1;
        self.schedule.after(next_ms, Happening::Tick { producer });
        let may_return = self.faults.is_on(Fault::MarketReturns);
        let subject = &mut self.producers[producer];
        if subject.silent_until_ms > now_ms {
            return;
        }
        if self.is_quiet {
            if subject.outbox.is_empty() {
                subject.say(Body::Alive);
            }
        } else {
            subject.tick(may_return && self.faults.strikes(Fault::MarketReturns));
        }
        self.send_next(producer);
    }

    /// Sends the front of the outbox, unless it is on its way.
    fn send_next(&mut self, producer: usize) {
        let now_ms = self.now_ms();
        let subject = &mut self.producers[producer];
        if subject.sent_ms.is_some() || subject.silent_until_ms > now_ms {
            return;
        }
        let Some(upload) = subject.outbox.front().cloned() else { return };
        subject.sent_ms = Some(now_ms);
        let life = self.gateway.life;
        self.schedule.after(RETRY_MS, Happening::Retry { producer, token: upload.token });
        let is_lost = self.faults.strikes(Fault::ProducerLoss);
        let answer_lost = is_lost && self.network.below(2) == 0;
        let delay_ms = 1 + self.network.below(8);
        if self.faults.strikes(Fault::ProducerDuplicate) {
            let later_ms = delay_ms + self.network.below(2 * RETRY_MS);
            let again = Happening::ToGateway { producer, life, upload: upload.clone(), answer_lost: true };
            self.schedule.after(later_ms, again);
        }
        if !is_lost || answer_lost {
            self.schedule.after(delay_ms, Happening::ToGateway { producer, life, upload, answer_lost });
        }
    }

    pub(crate) fn retry(&mut self, producer: usize, token: u64) {
        let subject = &mut self.producers[producer];
        if subject.outbox.front().is_some_and(|front| front.token == token) {
            subject.sent_ms = None;
            self.send_next(producer);
        }
    }

    pub(crate) fn upload_arrives(
        &mut self,
        producer: usize,
        life: u64,
        upload: &Upload,
        answer_lost: bool,
    ) -> Result<(), String> {
        if !self.gateway.is_up || self.gateway.life != life {
            return Ok(());
        }
        let now_ms = self.now_ms();
        let name = self.producers[producer].name.clone();
        let answer = self.gateway.take(now_ms, &name, upload)?;
        self.hand_out()?;
        if !answer_lost {
            let delay_ms = 1 + self.network.below(8);
            let back = Happening::ToProducer { producer, token: upload.token, answer };
            self.schedule.after(delay_ms, back);
        }
        Ok(())
    }

    pub(crate) fn answered(&mut self, producer: usize, token: u64, answer: Answer) -> Result<(), String> {
        let now_ms = self.now_ms();
        let subject = &mut self.producers[producer];
        if subject.silent_until_ms > now_ms || subject.outbox.front().is_none_or(|front| front.token != token)
        {
            return Ok(());
        }
        let Some(upload) = subject.outbox.pop_front() else { return Ok(()) };
        subject.sent_ms = None;
        match answer {
            Answer::Taken { is_held } => {
                if matches!(upload.body, Body::Complete) {
                    subject.is_resyncing = false;
                }
                if matches!(upload.body, Body::Announce) && subject.zombie.is_some() {
                    self.schedule.after(5, Happening::ZombieWrites { producer });
                }
                if is_held && !subject.is_resyncing {
                    subject.resync();
                }
            }
            Answer::Refused => {}
            Answer::Unknown => subject.resync(),
            Answer::Fenced => return Err(format!("{} was fenced off and is the newest", subject.name)),
        }
        self.send_next(producer);
        Ok(())
    }

    /// A producer stops for a while; when it comes back it is the same one, or a new start.
    pub(crate) fn silence(&mut self, producer: usize, ms: u64, restarts: bool) {
        let now_ms = self.now_ms();
        let until_ms = (now_ms + ms).min(self.calm_at_ms());
        let subject = &mut self.producers[producer];
        if subject.silent_until_ms > now_ms {
            return;
        }
        subject.silent_until_ms = until_ms;
        self.schedule.at(until_ms, Happening::ProducerReturns { producer, restarts });
    }

    pub(crate) fn producer_returns(&mut self, producer: usize, restarts: bool) {
        let subject: &mut Producer = &mut self.producers[producer];
        subject.sent_ms = None;
        if restarts {
            subject.leave_zombie();
            subject.restart();
        }
        self.send_next(producer);
    }

    /// The old start writes under its old epoch; nothing of it may be taken.
    pub(crate) fn zombie_writes(&mut self, producer: usize) -> Result<(), String> {
        let subject = &mut self.producers[producer];
        let Some(zombie) = subject.zombie.as_mut() else { return Ok(()) };
        if zombie.writes_left == 0 {
            subject.zombie = None;
            return Ok(());
        }
        zombie.writes_left -= 1;
        zombie.sequence += 1;
        let (producer_epoch, sequence) = (zombie.producer_epoch, zombie.sequence);
        let name = subject.name.clone();
        let market = subject.books[0].image();
        let commit = Arc::new(Commit { published_ms: 1, markets: vec![market] });
        let known = self.gateway.store.producer(&name).map(|state| state.producer_epoch);
        if self.gateway.is_up && known.is_some_and(|known| known > producer_epoch) {
            for body in [
                Body::Publish { sequence, commit: commit.clone(), is_bad: false },
                Body::Announce,
                Body::Alive,
            ] {
                let upload = Upload { token: 0, producer_epoch, body };
                let answer = self.gateway.take(self.schedule.now_ms(), &name, &upload)?;
                if answer != Answer::Fenced {
                    return Err(format!("an old start of {name} was not fenced off: {answer:?}"));
                }
            }
        }
        let again_ms = 50 + self.network.below(400);
        self.schedule.after(again_ms, Happening::ZombieWrites { producer });
        Ok(())
    }
}
