//! Faults: what may go wrong, and how often in this seed.

use crate::random::Random;

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $name:ident = $share:literal, $often:literal;)+) => {
        /// A kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(usize)]
        pub enum Fault {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Fault {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// In how many seeds of a hundred it is switched on, and how often it then strikes at most, per million chances.
            const fn odds(self) -> (u64, u32) {
                match self {
                    $(Self::$name => ($share, $often),)+
                }
            }
        }
    };
}

faults! {
    /// A frame is lost on the way, and the connection lives on.
    DropFrame = 35, 15_000;
    /// An answer, or a part of one, is lost on the way: what is neither of a group's chain nor a heartbeat.
    DropAnswer = 30, 150_000;
    /// A client's message is lost on the way.
    DropMessage = 30, 100_000;
    /// A frame arrives twice.
    DuplicateFrame = 35, 15_000;
    /// A frame is overtaken by later ones.
    ReorderFrames = 35, 15_000;
    /// Frames take much longer for a while.
    Delay = 45, 30_000;
    /// Every frame takes a different time.
    Jitter = 50, 500_000;
    /// A connection is cut cleanly; both ends learn of it.
    Cut = 50, 60_000;
    /// A connection is cut in the middle of a frame.
    CutMidFrame = 40, 6_000;
    /// The client is gone and the gateway does not know.
    ClientVanishes = 40, 40_000;
    /// The gateway's end is gone and the client does not know.
    GatewaySideVanishes = 40, 40_000;
    /// A client reads nothing for a while.
    SlowReader = 50, 60_000;
    /// A bit of a frame is flipped.
    FlipFrame = 9, 4_000;
    /// A bit of a client's message is flipped.
    FlipMessage = 9, 30_000;
    /// A client sends bytes that are no message.
    GarbageMessage = 30, 10_000;
    /// A client's message arrives twice.
    DuplicateMessage = 35, 40_000;
    /// A producer dies and a later start takes over; the old one goes on writing.
    ProducerCrash = 45, 40_000;
    /// A producer says nothing for longer than it may.
    ProducerSilence = 45, 40_000;
    /// A commit or its answer is lost and sent again.
    ProducerLoss = 45, 60_000;
    /// A commit arrives twice.
    ProducerDuplicate = 45, 60_000;
    /// A commit that must be refused.
    BadCommit = 40, 30_000;
    /// The gateway dies and begins a new log.
    GatewayRestart = 40, 25_000;
    /// The gateway dies and comes back with the log it had.
    FanoutRestart = 40, 30_000;
    /// The gateway asks its clients to move before it goes.
    Drain = 30, 30_000;
    /// The resume horizon moves up, so that old cursors are of no use.
    HorizonAdvance = 55, 200_000;
    /// Finished markets are forgotten.
    ForgetMarkets = 60, 300_000;
    /// A market that was forgotten comes back under its old id.
    MarketReturns = 40, 300_000;
    /// A client changes its subscriptions on the fly.
    ChangeSubscriptions = 60, 120_000;
    /// The clock begins near 2^32 milliseconds.
    LateClock = 40, 1_000_000;
    /// The log begins with many revisions behind it.
    LargeRevisions = 20, 1_000_000;
    /// Markets so large that snapshots take several frames.
    LargeMarkets = 5, 1_000_000;
}

/// Number of kinds.
pub const FAULTS: usize = Fault::ALL.len();

/// Which faults strike in this seed. Every kind draws from a generator of its own.
#[derive(Debug, Clone)]
pub(crate) struct Faults {
    kinds: Vec<Kind>,
    stopped: bool,
}

#[derive(Debug, Clone)]
struct Kind {
    per_million: u32,
    random: Random,
    count: u64,
}

impl Faults {
    /// Swarm testing: each kind is on or off, and seldom or frequent, as the seed says. Runs without some kinds reach
    /// states that the others would never let them come to.
    pub(crate) fn new(seed: u64, none: bool) -> Self {
        let mut choice = Random::new(seed, 0xfa);
        let kinds = Fault::ALL
            .iter()
            .map(|&fault| {
                let (share, often) = fault.odds();
                let is_on = choice.below(100) < share && !none;
                let per_million = match (is_on, often) {
                    (false, _) => 0,
                    (true, 1_000_000) => often,
                    (true, _) => (often / 8).max(1) + choice.below(u64::from(often)) as u32,
                };
                Kind { per_million, random: Random::new(seed, 0x100 + fault as u64), count: 0 }
            })
            .collect();
        Self { kinds, stopped: false }
    }

    /// Whether a kind strikes now.
    pub(crate) fn strikes(&mut self, fault: Fault) -> bool {
        let kind = &mut self.kinds[fault as usize];
        if self.stopped || kind.per_million == 0 || !kind.random.chance(kind.per_million) {
            return false;
        }
        kind.count += 1;
        true
    }

    /// Whether a kind is switched on in this seed.
    pub(crate) fn is_on(&self, fault: Fault) -> bool {
        self.kinds[fault as usize].per_million > 0
    }

    /// Frames may be missing, twice, or in another order than sent, inside a connection.
    pub(crate) fn are_frames_moved(&self) -> bool {
        [Fault::DropFrame, Fault::DropAnswer, Fault::DuplicateFrame, Fault::ReorderFrames]
            .into_iter()
            .any(|fault| self.is_on(fault))
    }

    /// Bytes may be others than were sent.
    pub(crate) fn are_bytes_flipped(&self) -> bool {
        self.is_on(Fault::FlipFrame) || self.is_on(Fault::FlipMessage)
    }

    /// Frames may not arrive as they were sent.
    pub(crate) fn are_frames_harmed(&self) -> bool {
        self.are_frames_moved() || self.are_bytes_flipped()
    }

    /// The generator of a kind, for the details of a strike.
    pub(crate) fn random(&mut self, fault: Fault) -> &mut Random {
        &mut self.kinds[fault as usize].random
    }

    /// From now on nothing goes wrong.
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
    }

    pub(crate) fn counts(&self) -> [u64; FAULTS] {
        std::array::from_fn(|at| self.kinds[at].count)
    }
}
