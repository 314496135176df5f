//! What an unfaithful line does to the order of frames.

use bytes::Bytes;

use crate::fault::{Fault, Faults};

/// How far a line may move a frame: the two bits of sequence in a frame tell fewer than four frames apart
/// (docs/protocol.md, FRAME-4). Whole transports keep the order, so anything beyond that is not a line but another
/// program.
const MOVED_MAX: u64 = 2;

/// Most frames of a chain that are lost one after the other, for the same reason.
const LOST_MAX: u32 = 3;

/// What guards a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The low bits of the group's sequence.
    Chain,
    /// The whole of it.
    Heartbeat,
    /// The count of answers.
    Answer,
}

/// Frames on a line that are not where they were sent.
///
/// Only frames of the group's chain and heartbeats are repeated or overtaken, which sequences guard. Nothing stays back
/// across an answer or a catch-up: it may set the position to any sequence. For the same reason whatever is lost with an
/// answer is lost to the next heartbeat, which names the whole sequence: of frames in between, two bits might pass for those
/// that follow.
#[derive(Debug, Default)]
pub(crate) struct Disorder {
    /// An answer was lost, and so is what follows it.
    is_deaf: bool,
    /// Frames lost since the last that came through.
    lost: u32,
    /// A frame that was overtaken, and how many are to pass it yet.
    held: Option<(u64, Bytes)>,
    /// A frame that arrives again, and how many come before that.
    echo: Option<(u64, Bytes)>,
}

impl Disorder {
    /// The frames that come through when this one has been sent, in their order.
    pub(crate) fn pass(&mut self, frame: &Bytes, kind: Kind, faults: &mut Faults) -> Vec<Bytes> {
        let mut through = Vec::new();
        if kind == Kind::Answer {
            through.extend(self.held.take().map(|(_, held)| held));
            let is_lost = faults.strikes(Fault::DropAnswer);
            if !is_lost {
                through.push(frame.clone());
            }
            *self = Self { is_deaf: is_lost || self.is_deaf, ..Self::default() };
            return through;
        }
        if self.is_deaf {
            self.is_deaf = kind == Kind::Chain;
            through.extend(Some(frame.clone()).filter(|_| !self.is_deaf));
            return through;
        }
        let is_calm = self.held.is_none() && self.echo.is_none();
        if is_calm && self.lost < LOST_MAX && faults.strikes(Fault::DropFrame) {
            self.lost += 1;
            return through;
        }
        if is_calm && self.lost == 0 && faults.strikes(Fault::ReorderFrames) {
            let passed_by = 1 + faults.random(Fault::ReorderFrames).below(MOVED_MAX);
            self.held = Some((passed_by, frame.clone()));
            return through;
        }
        self.lost = 0;
        through.push(frame.clone());
        if is_calm && faults.strikes(Fault::DuplicateFrame) {
            let later = faults.random(Fault::DuplicateFrame).below(1 + MOVED_MAX);
            self.echo = Some((later + 1, frame.clone()));
        }
        for late in [&mut self.held, &mut self.echo] {
            if let Some((left, _)) = late {
                *left -= 1;
                if *left == 0 {
                    through.extend(late.take().map(|(_, frame)| frame));
                }
            }
        }
        through
    }
}
