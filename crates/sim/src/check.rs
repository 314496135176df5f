//! What must be true, always and at the end.

use oddswire_model::{MarketNumber, MarketStatus, Revision, STATUS_EDGES_KEPT, View};
use oddswire_session::{Event, MarketState, Reading};

use crate::{
    compare::{differences, shows, view_of},
    happening::Happening,
    simulation::Simulation,
};

/// One check in this many compares cell by cell; the others compare digests.
const CELLS_EVERY: u64 = 8;

impl Simulation {
    /// After a frame: everything it touched is what the store was at the revision that the client states.
    pub(crate) fn check_frame(&mut self, client: usize) -> Result<(), String> {
        let mut touched = Vec::new();
        while let Some(event) = self.clients[client].session.poll_event() {
            if self.config.trace {
                eprintln!("          client {client}: {}", brief(&event));
            }
            match event {
                Event::Welcomed { epoch, .. } => {
                    let subject = &mut self.clients[client];
                    if subject.epoch != epoch.0 {
                        let old = subject.epoch;
                        subject.epoch = epoch.0;
                        touched.clear();
                        let held = subject.session.len();
                        let kept =
                            subject.seen.iter().any(|(key, seen)| key.0 == old && seen.stated.is_some());
                        if kept && old != 0 && !self.faults.are_bytes_flipped() {
                            return Err(format!(
                                "client {client} keeps {held} markets of an epoch that ended"
                            ));
                        }
                    }
                }
                Event::Snapshot { market } => {
                    self.seen(client, market).stated = None;
                    touched.push(market);
                }
                Event::Changed { change, .. } => {
                    self.check_edges(client, change.market, change.revision)?;
                    touched.push(change.market);
                }
                Event::Status { market, edge } => self.seen(client, market).edges.push(edge),
                Event::Removed { market, .. } => {
                    let seen = self.seen(client, market);
                    // Whoever follows a market anew may follow it at a slower rate.
                    *seen = crate::receiver::Seen::default();
                }
                Event::Synced { .. } => self.clients[client].backoff.reset(),
                Event::Drain { reconnect_after_ms } => {
                    if let Some(link) = self.clients[client].link {
                        let ms = u64::from(reconnect_after_ms);
                        self.schedule.after(ms, Happening::ClientLearns { link });
                    }
                }
                Event::Refused { .. } => self.report.refusals += 1,
                Event::Subscribed { .. } | Event::Gap | Event::Resyncing { .. } | Event::Stale => {}
            }
        }
        let subject = &mut self.clients[client];
        let gaps = subject.session.stats().gaps;
        if gaps > subject.gaps && !subject.is_resuming && !self.faults.are_frames_harmed() {
            return Err(format!("client {client} saw a gap on a faithful line"));
        }
        subject.gaps = gaps;
        subject.is_resuming &= !subject.session.is_synced();
        touched.sort_unstable();
        touched.dedup();
        for market in touched {
            self.check_market(client, market)?;
        }
        if self.clients[client].frames.is_multiple_of(self.config.full_check_every) {
            self.check_everything(client)?;
        }
        Ok(())
    }

    pub(crate) fn check_everything(&mut self, client: usize) -> Result<(), String> {
        let now_ms = self.now_ms();
        let held: Vec<MarketNumber> =
            self.clients[client].session.markets(now_ms).map(|reading| reading.market.number()).collect();
        for market in held {
            self.check_market(client, market)?;
        }
        Ok(())
    }

    fn seen(&mut self, client: usize, market: MarketNumber) -> &mut crate::receiver::Seen {
        let subject = &mut self.clients[client];
        subject.seen.entry((subject.epoch, market)).or_default()
    }

    /// Every edge between what was held and what a change leads to was reported before it, once, in order.
    fn check_edges(&mut self, client: usize, market: MarketNumber, to: Revision) -> Result<(), String> {
        let is_corrupt = self.faults.are_bytes_flipped();
        let epoch = self.clients[client].epoch;
        let seen = self.seen(client, market);
        let reported = std::mem::take(&mut seen.edges);
        let Some(from) = seen.stated.replace(to) else { return Ok(()) };
        let Some(history) = self.gateway.histories.get(&epoch).filter(|_| !is_corrupt) else { return Ok(()) };
        let expected = history.edges(market, from, to);
        self.report.edges += expected.len() as u64;
        let is_ordered = reported.is_sorted_by_key(|edge| edge.revision)
            && reported.iter().all(|edge| edge.revision > from && edge.revision <= to);
        let statuses: Vec<MarketStatus> = reported.iter().map(|edge| edge.status).collect();
        let is_complete = match expected.len() > STATUS_EDGES_KEPT {
            true => expected.ends_with(&statuses),
            false => expected == statuses,
        };
        if is_complete && is_ordered {
            return Ok(());
        }
        Err(format!(
            "client {client}, market {market}, {from} to {to}: the edges were {expected:?}, reported was {reported:?}"
        ))
    }

    /// A market in a client is what the store was at the revision that the client states.
    fn check_market(&mut self, client: usize, number: MarketNumber) -> Result<(), String> {
        let now_ms = self.now_ms();
        if self.faults.are_bytes_flipped() {
            return Ok(());
        }
        let subject = &self.clients[client];
        let Some(reading) = subject.session.read_number(number, now_ms) else { return Ok(()) };
        if subject.is_resuming && reading.state != MarketState::Live {
            // The first of several subscriptions may bring a market in a narrower view than was held; the answer to the
            // last one sends it again, and nothing is live before that.
            return Ok(());
        }
        let revision = reading.market.revision();
        let wrong = |what: &str| {
            Err(format!("client {client}, market {number} at {revision}, {:?}: {what}", reading.state))
        };
        let Some(history) = self.gateway.histories.get(&subject.epoch) else {
            return wrong("it is of an epoch that never was");
        };
        let entries = history.since(number, revision);
        let Some(entry) = entries.first() else { return wrong("there was no such market") };
        if entry.is_gone {
            return wrong("it was forgotten by then");
        }
        let digest = reading.market.digest(View::FULL);
        // While subscriptions change, which of the views is held is the gateway's to say.
        let is_settled = subject.is_unchanged && subject.session.is_synced();
        let mut view = None;
        if is_settled {
            // A market that moves to another topic is held in the old view until the snapshot is here.
            view = entries
                .iter()
                .filter_map(|entry| entry.view(subject.subscriptions.values()))
                .find(|&view| history.showed(entry, view, digest));
        }
        let is_right = match is_settled {
            true => view.is_some(),
            false => history.showed_somehow(entry, digest),
        };
        if !is_right {
            let differences = entries.last().filter(|last| last.revision == entry.revision).and_then(|_| {
                let truth = self.gateway.store.market(number)?;
                Some(differences(reading.market, truth, view_of(entry, subject)))
            });
            return wrong(&format!(
                "it is not what the store was then (settled: {is_settled}); {differences:?}"
            ));
        }
        self.report.checks += 1;
        if reading.market.status() != entry.status {
            return wrong("its status is another");
        }
        if self.report.checks.is_multiple_of(CELLS_EVERY)
            && let Some(view) = view
            && entries.len() == 1
            && subject.epoch == self.gateway.store.epoch().0
            && let Some(truth) = self.gateway.store.market(number)
        {
            if !shows(reading.market, truth, view) {
                return wrong("its cells are not the store's though the digests agree");
            }
            self.report.cell_checks += 1;
        }
        let newest = entry.revision;
        let digest = digest.to_u64();
        self.report.mix(digest);
        let seen = self.seen(client, number);
        if newest < seen.newest {
            return Err(format!(
                "client {client}, market {number} went back from {} to {newest} (stated: {revision})",
                seen.newest
            ));
        }
        seen.newest = newest;
        seen.stated = Some(revision);
        seen.edges.clear();
        Ok(())
    }

    /// Users look at everything: nothing reads as live that nobody has vouched for.
    pub(crate) fn look(&mut self) -> Result<(), String> {
        let now_ms = self.now_ms();
        for (at, client) in self.clients.iter().enumerate() {
            if self.faults.is_on(crate::Fault::FlipFrame) {
                // A flipped bit may change what the gateway says of its heartbeats.
                continue;
            }
            let is_silent = client.link.is_none()
                || now_ms.saturating_sub(client.heard_ms) > client.session.stale_after_ms();
            let live = |reading: &Reading<'_>| {
                reading.state == MarketState::Live || reading.status() == MarketStatus::Open
            };
            if is_silent && let Some(reading) = client.session.markets(now_ms).find(live) {
                let id = reading.market.id();
                return Err(format!("client {at} shows market {id} as live, and nobody vouches for it"));
            }
        }
        Ok(())
    }
}

/// An event in few words.
fn brief(event: &Event) -> String {
    match event {
        Event::Changed { change, .. } => {
            format!("changed {} to {}, {} cells", change.market, change.revision, change.cells.len())
        }
        event => format!("{event:?}"),
    }
}
