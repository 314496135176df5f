//! A thread that turns its share of the connections.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io,
    net::IpAddr,
    sync::{Arc, mpsc},
    time::Duration,
};

use anyhow::Context;
use mio::{Events, Poll, Token, Waker};
use oddswire_model::MarketId;
use oddswire_session::Backoff;

use crate::{
    connection::{Connection, Phase},
    random::Random,
    receiver::{End, Interest, Receiver, Role, Storm, Surroundings, VerifierState},
    tally::Tally,
    target::Target,
};

/// Wakes the thread when a command waits. No connection has this number.
const WAKER: Token = Token(usize::MAX);
/// Events taken from the kernel at once.
const EVENTS: usize = 1_024;
/// Bytes read from a socket at once: several frames of a busy feed, or a large part of a snapshot.
const READ_BYTES: usize = 64 * 1024;
/// How often slow readers get their share, silence is looked for and churn happens.
const TICK_US: u64 = 50_000;
/// Connecting, upgrade and welcome may take so long together.
const CONNECT_TIMEOUT_US: u64 = 10_000_000;
/// A receiver gives a gateway up that is silent for longer than this many tenths of its heartbeat interval.
const SILENT_AFTER_INTERVALS_TENTHS: u64 = 25;

/// A receiver to be.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) role: Role,
    pub(crate) kind: u16,
    pub(crate) interest: Interest,
    pub(crate) verifies: bool,
    /// When to connect.
    pub(crate) due_us: u64,
    /// What its reconnect delays follow from.
    pub(crate) seed: u64,
}

/// What a worker is told to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// The markets that the scout saw.
    Markets(Arc<[MarketId]>),
    /// More receivers.
    Add(Vec<Plan>),
    /// Cut everybody but the scout.
    Storm(Storm),
    /// Cut so many per second.
    Churn(f64),
    /// Slow readers read as fast as they can.
    Release,
    /// Tell what happened since the last report.
    Report,
    /// Tell what the verifiers hold.
    Judge,
    /// End.
    Stop,
}

/// What a worker tells.
#[derive(Debug)]
pub(crate) enum Answer {
    Report(Box<Report>),
    Judged(Vec<VerifierState>),
}

/// What happened, and how it stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    pub(crate) tally: Tally,
    pub(crate) gauges: Gauges,
}

/// How the receivers stand; the scout is not one of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gauges {
    /// Those with an open connection.
    pub(crate) open: usize,
    /// Those that have everything, stuck ones left out.
    pub(crate) fresh: usize,
    /// All but the stuck ones.
    pub(crate) readers: usize,
    /// Verifiers that have everything.
    pub(crate) verifiers_fresh: usize,
    /// Those that are not back from a storm.
    pub(crate) in_storm: usize,
    /// The lowest revision up to which a reader is complete; not lower than anything when there are none.
    pub(crate) lowest_complete: u64,
    /// Whether the scout has everything.
    pub(crate) scout_is_fresh: bool,
}

impl Default for Gauges {
    fn default() -> Self {
        Self {
            open: 0,
            fresh: 0,
            readers: 0,
            verifiers_fresh: 0,
            in_storm: 0,
            lowest_complete: u64::MAX,
            scout_is_fresh: false,
        }
    }
}

impl Gauges {
    pub(crate) fn add(&mut self, other: &Self) {
        self.open += other.open;
        self.fresh += other.fresh;
        self.readers += other.readers;
        self.verifiers_fresh += other.verifiers_fresh;
        self.in_storm += other.in_storm;
        self.lowest_complete = self.lowest_complete.min(other.lowest_complete);
        self.scout_is_fresh |= other.scout_is_fresh;
    }
}

/// The way to a worker.
#[derive(Debug)]
pub(crate) struct Handle {
    commands: mpsc::Sender<Command>,
    waker: Waker,
    thread: std::thread::JoinHandle<anyhow::Result<()>>,
}

impl Handle {
    /// Tells a worker to do something. One that has ended says why when it is joined.
    pub(crate) fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
        let _ = self.waker.wake();
    }

    /// Ends a worker, and says what went wrong with it.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.tell(Command::Stop);
        self.thread.join().unwrap_or_else(|_| anyhow::bail!("a thread of receivers has failed"))
    }
}

/// What a worker needs beside the receivers.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) number: usize,
    pub(crate) target: Arc<Target>,
    pub(crate) sources: Arc<[IpAddr]>,
    pub(crate) around: Surroundings,
    pub(crate) seed: u64,
    pub(crate) reconnect_within_ms: u64,
    pub(crate) slow_bytes_per_s: u32,
    pub(crate) answers: mpsc::Sender<Answer>,
}

pub(crate) struct Worker {
    setting: Setting,
    commands: mpsc::Receiver<Command>,
    poll: Poll,
    connections: Vec<Connection>,
    timers: BinaryHeap<Reverse<(u64, usize, u32)>>,
    /// Receivers that read slowly.
    slow: Vec<usize>,
    random: Random,
    buffer: Vec<u8>,
    churn_per_s: f64,
    /// Cuts that are due; the part after the point waits for the next tick.
    churn_due: f64,
    ticked_us: u64,
    counted_us: u64,
    source: usize,
}

impl Worker {
    /// Starts a thread.
    pub(crate) fn spawn(name: String, setting: Setting) -> anyhow::Result<Handle> {
        let poll = Poll::new().context("the system gives no event queue")?;
        let waker = Waker::new(poll.registry(), WAKER).context("the system gives no event queue")?;
        let (commands, received) = mpsc::channel();
        let now_us = setting.around.clock.now_us();
        let worker = Self {
            random: Random::new(setting.seed),
            setting,
            commands: received,
            poll,
            connections: Vec::new(),
            timers: BinaryHeap::new(),
            slow: Vec::new(),
            buffer: vec![0; READ_BYTES],
            churn_per_s: 0.0,
            churn_due: 0.0,
            ticked_us: now_us,
            counted_us: now_us,
            source: 0,
        };
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || worker.run())
            .context("the system gives no thread")?;
        Ok(Handle { commands, waker, thread })
    }

    fn run(mut self) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let now_us = self.setting.around.clock.now_us();
            let turns = self.setting.around.tally.turns.entry(self.setting.number).or_default();
            turns.busy_us += now_us - self.counted_us;
            turns.total_us += now_us - self.counted_us;
            let due_us = self.timers.peek().map_or(u64::MAX, |Reverse((due_us, ..))| *due_us);
            let wait_us = due_us.min(self.ticked_us + TICK_US).saturating_sub(now_us);
            match self.poll.poll(&mut events, Some(Duration::from_micros(wait_us))) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(error).context("the event queue has failed");
                }
                _ => {}
            }
            self.counted_us = self.setting.around.clock.now_us();
            self.setting.around.tally.turns.entry(self.setting.number).or_default().total_us +=
                self.counted_us - now_us;
            for event in &events {
                if event.token() != WAKER {
                    self.ready(event);
                }
            }
            while let Ok(command) = self.commands.try_recv() {
                if !self.obey(command) {
                    return Ok(());
                }
            }
            self.fire();
            self.tick();
        }
    }

    fn ready(&mut self, event: &mio::event::Event) {
        let at = event.token().0;
        let Some(connection) = self.connections.get_mut(at) else { return };
        let around = &mut self.setting.around;
        let mut done = Ok(());
        if event.is_writable() || event.is_error() {
            done = connection.writable(&self.setting.target);
        }
        let is_closed = event.is_read_closed() || event.is_error();
        if done.is_ok() && (event.is_readable() || is_closed) {
            if connection.reads_freely() {
                done = connection.read(around, &mut self.buffer, usize::MAX, is_closed).map(|_| ());
            } else if is_closed {
                // Nobody reads it to its end, but an end it is.
                done = Err(End::Lost(None));
            }
        }
        if let Err(end) = done {
            self.end(at, end);
        }
    }

    fn obey(&mut self, command: Command) -> bool {
        match command {
            Command::Markets(markets) => self.setting.around.markets = markets,
            Command::Add(plans) => plans.into_iter().for_each(|plan| self.add(plan)),
            Command::Storm(storm) => self.storm(storm),
            Command::Churn(per_s) => self.churn_per_s = per_s,
            Command::Release => {
                for at in self.slow.clone() {
                    self.connections[at].release();
                    self.read(at, usize::MAX);
                }
            }
            Command::Report => self.report(),
            Command::Judge => {
                let around = &self.setting.around;
                let states = self
                    .connections
                    .iter()
                    .filter_map(|connection| connection.receiver.state(around))
                    .collect();
                let _ = self.setting.answers.send(Answer::Judged(states));
            }
            Command::Stop => return false,
        }
        true
    }

    fn add(&mut self, plan: Plan) {
        let at = self.connections.len();
        let ceiling_ms = self.setting.reconnect_within_ms;
        let backoff = Backoff::with_limits(plan.seed, ceiling_ms, Backoff::CEILING_MAX_MS.max(ceiling_ms));
        let receiver =
            Receiver::new(plan.role, plan.kind, plan.interest, plan.verifies, self.setting.around.encoding);
        if plan.role == Role::Slow {
            self.slow.push(at);
        }
        self.connections.push(Connection::new(receiver, backoff, plan.seed as u32));
        self.timers.push(Reverse((plan.due_us, at, 0)));
    }

    fn storm(&mut self, storm: Storm) {
        for at in 0..self.connections.len() {
            if self.connections[at].receiver.role != Role::Scout {
                self.connections[at].receiver.enter_storm(storm);
                if self.connections[at].phase != Phase::Waiting {
                    self.end(at, End::Cut);
                }
            }
        }
    }

    /// Timers: connecting, and giving up on it.
    fn fire(&mut self) {
        let now_us = self.setting.around.clock.now_us();
        while let Some(&Reverse((due_us, at, timer))) = self.timers.peek()
            && due_us <= now_us
        {
            self.timers.pop();
            if self.connections[at].timer != timer {
                continue;
            }
            match self.connections[at].phase {
                Phase::Waiting => self.open(at),
                Phase::Connecting | Phase::Upgrading => {
                    self.end(at, End::NotConnected("no answer came within 10 s".to_owned()));
                }
                Phase::Open => {}
            }
        }
    }

    fn open(&mut self, at: usize) {
        let sources = &self.setting.sources;
        self.source += 1;
        let source = sources.get(self.source % sources.len().max(1)).copied();
        let connection = &mut self.connections[at];
        let opened = connection.open(
            &self.setting.around,
            &self.setting.target,
            source,
            self.poll.registry(),
            Token(at),
        );
        match opened {
            Ok(()) => self.set_timer(at, CONNECT_TIMEOUT_US),
            Err(end) => self.end(at, end),
        }
    }

    fn end(&mut self, at: usize, end: End) {
        let tally = &mut self.setting.around.tally;
        let counts = &mut tally.counts;
        let is_cut = end == End::Cut;
        match end {
            End::Cut => counts.connections_cut += 1,
            End::Silent => counts.silent += 1,
            End::Gap => counts.gaps += 1,
            End::Lost(sentence) => {
                counts.connections_lost += 1;
                if let Some(sentence) = sentence {
                    tally.say(sentence, 1);
                }
            }
            End::NotConnected(sentence) => {
                counts.connects_failed += 1;
                tally.say(sentence, 1);
            }
            End::Malformed(what) => {
                counts.malformed += 1;
                tally.say(format!("it broke the protocol: {what}"), 1);
            }
        }
        let connection = &mut self.connections[at];
        connection.close(is_cut);
        let delay_us = connection.backoff.next_delay_ms() * 1_000;
        self.set_timer(at, delay_us);
    }

    fn set_timer(&mut self, at: usize, delay_us: u64) {
        let connection = &mut self.connections[at];
        connection.timer += 1;
        let due_us = self.setting.around.clock.now_us() + delay_us;
        self.timers.push(Reverse((due_us, at, connection.timer)));
    }

    fn read(&mut self, at: usize, limit: usize) {
        let connection = &mut self.connections[at];
        if let Err(end) = connection.read(&mut self.setting.around, &mut self.buffer, limit, false) {
            self.end(at, end);
        }
    }

    fn tick(&mut self) {
        let now_us = self.setting.around.clock.now_us();
        if now_us < self.ticked_us + TICK_US {
            return;
        }
        let elapsed_us = now_us - self.ticked_us;
        self.ticked_us = now_us;
        let budget = u64::from(self.setting.slow_bytes_per_s) * elapsed_us / 1_000_000;
        for index in 0..self.slow.len() {
            let at = self.slow[index];
            if self.connections[at].phase == Phase::Open && !self.connections[at].reads_freely() {
                self.read(at, budget.max(1) as usize);
            }
        }
        self.give_up_silent();
        self.churn(elapsed_us);
    }

    fn give_up_silent(&mut self) {
        let around = &self.setting.around;
        let silent_after_ms = around.heartbeat_interval_ms * SILENT_AFTER_INTERVALS_TENTHS / 10;
        let heard_before_ms = around.clock.now_ms().saturating_sub(silent_after_ms);
        for at in 0..self.connections.len() {
            let connection = &self.connections[at];
            if connection.phase == Phase::Open
                && connection.reads_freely()
                && connection.heard_ms < heard_before_ms
            {
                self.end(at, End::Silent);
            }
        }
    }

    fn churn(&mut self, elapsed_us: u64) {
        self.churn_due += self.churn_per_s * elapsed_us as f64 / 1e6;
        while self.churn_due >= 1.0 {
            self.churn_due -= 1.0;
            let at = self.random.below(self.connections.len());
            // One that is away already, or does not read, is not cut instead of another: it counts as well.
            if self.connections.get(at).is_some_and(|connection| {
                connection.receiver.role == Role::Normal && connection.receiver.is_fresh()
            }) {
                self.end(at, End::Cut);
            }
        }
    }

    fn report(&mut self) {
        let mut gauges = Gauges::default();
        for connection in &self.connections {
            let receiver = &connection.receiver;
            let is_fresh = connection.phase == Phase::Open && receiver.is_fresh();
            if receiver.role == Role::Scout {
                gauges.scout_is_fresh |= is_fresh;
                continue;
            }
            gauges.open += usize::from(connection.phase == Phase::Open);
            gauges.in_storm += usize::from(receiver.is_in_storm());
            if receiver.role != Role::Stuck {
                gauges.readers += 1;
                gauges.fresh += usize::from(is_fresh);
                gauges.verifiers_fresh += usize::from(is_fresh && receiver.is_verifier());
                let complete = if is_fresh { receiver.complete() } else { 0 };
                gauges.lowest_complete = gauges.lowest_complete.min(complete);
            }
        }
        let around = &mut self.setting.around;
        let tally = std::mem::replace(&mut around.tally, Tally::new(around.mix.len()));
        let _ = self.setting.answers.send(Answer::Report(Box::new(Report { tally, gauges })));
    }
}
