//! Shards: who of a part of the connections takes which frame, and who has fallen behind.
//!
//! A shard walks its groups once per flush, gathers what each is due (what changed, and what it follows), and offers it
//! to the group's live connections. It is turned by hand like everything else here: the lines are the caller's.

use std::sync::Arc;

use bytes::Bytes;
use oddswire_model::Revision;
use oddswire_wire::{
    FrameBuilder, LeadScratch,
    compact::Lead,
    limits::FRAME_BYTES_MAX,
    proto::{self, Conflation},
};
use rustc_hash::FxHashMap;

use crate::{
    connection::ConnectionId,
    flush::Flush,
    frame::{Batch, Envelope, First, Head, Letter},
    group::GroupId,
    heartbeat::Heartbeat,
    lane::LaneNumber,
    number_set::{NumberSet, set_bit, words_for},
    output::{Attach, Output, Report},
};

/// Flushes that are put into one send when they have piled up.
pub const FLUSHES_PER_SEND: usize = 8;
/// Groups begin to count at places of their own (2^32 over the golden ratio apart), so that a frame of the group that a
/// receiver has left does not pass for the next one of the group it has joined.
const SEQUENCE_SPREAD: u32 = 0x9e37_79b9;

/// The lines of a shard's connections: sockets, or whatever stands for them.
pub trait Lines {
    /// Offers frames to a connection, in order; returns how many it takes. What its socket takes at once it takes, and
    /// the rest of a frame that its socket took in part it keeps. If it takes fewer than there are, because it has not
    /// got rid of them or of earlier ones, [`Shard::ready`] must be called when it has.
    fn offer(&mut self, connection: ConnectionId, frames: &mut Batch) -> usize;

    /// Gives a connection frames that it must take, behind what it has not got rid of yet. [`Shard::ready`] must be
    /// called when all of them are gone.
    fn give(&mut self, connection: ConnectionId, frames: &mut dyn Iterator<Item = Letter>);
}

/// Counters of a shard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShardStats {
    /// Frames of groups that were built.
    pub frames_built: u64,
    /// Frames handed out, once per receiver.
    pub frames: u64,
    /// Bytes of those frames.
    pub frame_bytes: u64,
    /// Times a receiver fell behind because its line was full.
    pub fell_behind: u64,
    /// Frames handed out in which a piece stands for several commits, because the receivers asked for a rate.
    pub conflated_asked: u64,
    /// The same, because the flush came late.
    pub conflated_server_slow: u64,
}

/// The frames of one group, one behind the other.
#[derive(Debug)]
struct Chain {
    group: GroupId,
    lanes: Arc<NumberSet>,
    /// Bit set of the rate classes that the group uses.
    classes: u32,
    /// Revision, sequence and producers' clock of the last frame; live members stand there.
    revision: Revision,
    sequence: u32,
    time: u64,
    /// From where live members may resume.
    cursor: Revision,
    members: Vec<ConnectionId>,
}

/// A connection's place in the chains.
#[derive(Debug, Clone, Copy)]
struct Member {
    connection: ConnectionId,
    /// Index of its chain, if it takes its group's frames.
    chain: Option<u32>,
    /// Place among the chain's members.
    at: u32,
    /// From where it may resume; the chain may know better.
    cursor: Revision,
    /// How many times it was given frames by name.
    given: u8,
    /// How many frames that were.
    answer_frames: u32,
    /// The fan-out waits to hear that it is ready.
    is_awaited: bool,
}

/// Which part of a flush's bytes a lane's piece is.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    start: u32,
    length: u32,
    is_merged: bool,
    lead: Option<Lead>,
}

/// Where the pieces of a flush are.
#[derive(Debug, Default)]
struct Places {
    of_lane: Vec<Place>,
    /// Bits of the lanes that have a piece.
    changed: Vec<u64>,
}

/// A part of the connections.
#[derive(Debug)]
pub struct Shard {
    chains: Vec<Chain>,
    by_group: FxHashMap<GroupId, u32>,
    /// By line.
    members: Vec<Option<Member>>,
    /// Where the pieces of each flush of a send are; no lane is marked in between.
    places: Vec<Places>,
    picked: Vec<(u32, u32)>,
    head: FrameBuilder,
    lead: LeadScratch,
    batch: Batch,
    reports: Vec<Report>,
    stats: ShardStats,
}

impl Shard {
    /// A shard without connections. `envelope` writes what its lines want before every payload.
    pub fn new(envelope: Envelope) -> Self {
        Self {
            chains: Vec::new(),
            by_group: FxHashMap::default(),
            members: Vec::new(),
            places: Vec::new(),
            picked: Vec::new(),
            head: FrameBuilder::new(),
            lead: LeadScratch::default(),
            batch: Batch::new(envelope),
            reports: Vec::new(),
            stats: ShardStats::default(),
        }
    }

    /// Counters.
    pub fn stats(&self) -> ShardStats {
        self.stats
    }

    /// Reports for [`crate::Fanout::handle_report`], in order.
    pub fn reports(&mut self) -> std::vec::Drain<'_, Report> {
        self.reports.drain(..)
    }

    /// A connection has come, under a name that was not used before.
    pub fn join(&mut self, connection: ConnectionId) {
        let line = connection.line();
        if self.members.len() <= line {
            self.members.resize(line + 1, None);
        }
        self.members[line] = Some(Member {
            connection,
            chain: None,
            at: 0,
            cursor: Revision(0),
            given: 0,
            answer_frames: 0,
            is_awaited: false,
        });
    }

    /// A connection is gone.
    pub fn leave(&mut self, connection: ConnectionId) {
        self.unchain(connection);
        if self.member(connection).is_some() {
            self.members[connection.line()] = None;
        }
    }

    /// A connection's line has got rid of everything.
    pub fn ready(&mut self, connection: ConnectionId) {
        if let Some(member) = self.member(connection).filter(|member| member.is_awaited) {
            member.is_awaited = false;
            let given = member.given;
            self.reports.push(Report::Ready { connection, given });
        }
    }

    /// A connection's line has got rid of something.
    pub fn progress(&mut self, connection: ConnectionId) {
        if self.member(connection).is_some_and(|member| member.is_awaited) {
            self.reports.push(Report::Progress { connection });
        }
    }

    /// Does what the fan-out wants done. What is for another shard is passed over.
    ///
    /// [`Output::Close`] is the caller's: the connection takes no more frames, and its line ends after what it has.
    pub fn handle(&mut self, output: &Output, lines: &mut impl Lines) {
        match output {
            Output::Flush(flush) => self.flush(std::slice::from_ref(flush), lines),
            Output::Heartbeat(heartbeat) => self.heartbeat(heartbeat, lines),
            Output::GroupGone(group) => self.forget(*group),
            Output::Frames { connection, frames, attach } => {
                self.give(*connection, frames, attach.as_deref(), lines);
            }
            Output::Detach { connection } => {
                if let Some(cursor) = self.unchain(*connection) {
                    let connection = *connection;
                    self.reports.push(Report::Detached { connection, cursor, is_too_long: false });
                }
            }
            Output::Close { connection, .. } => {
                self.unchain(*connection);
            }
        }
    }

    /// Gives every group its frames of some flushes, each connection all of them in one send. At most
    /// [`FLUSHES_PER_SEND`].
    pub fn flush(&mut self, flushes: &[Arc<Flush>], lines: &mut impl Lines) {
        self.places.resize_with(flushes.len().max(self.places.len()), Places::default);
        for (flush, places) in flushes.iter().zip(&mut self.places) {
            let end = flush.lanes_end.max(places.of_lane.len());
            places.of_lane.resize(end, Place::default());
            places.changed.resize(words_for(end), 0);
            for piece in flush.pieces.iter().filter(|piece| piece.length > 0) {
                places.of_lane[piece.lane as usize] = Place {
                    start: piece.start,
                    length: piece.length,
                    is_merged: piece.is_merged,
                    lead: piece.lead,
                };
                set_bit(&mut places.changed, piece.lane);
            }
        }
        for at in 0..self.chains.len() {
            self.batch.clear();
            let before = self.chains[at].cursor;
            let mut is_too_long = false;
            for (which, flush) in flushes.iter().enumerate() {
                is_too_long |= !self.gather(at, flush, which);
            }
            if is_too_long {
                // A catch-up takes it apart.
                self.detach_all(at, before);
            } else if !self.batch.is_empty() {
                self.offer(at, before, lines);
            }
        }
        for (_, places) in flushes.iter().zip(&mut self.places) {
            places.changed.fill(0);
        }
    }

    /// Appends a group's frame of a flush to the batch, if it is due one; says whether it is short enough to be sent.
    fn gather(&mut self, at: usize, flush: &Flush, which: usize) -> bool {
        let chain = &mut self.chains[at];
        let moved = if flush.moves.is_empty() { None } else { flush.moved(chain.group) };
        if chain.classes & flush.classes == 0 && moved.is_none() {
            return true;
        }
        let mut entered: &[LaneNumber] = &[];
        let mut fields: &[u8] = &[];
        if let Some(moved) = moved {
            chain.lanes = Arc::clone(&moved.lanes);
            entered = &moved.entered;
            fields = &moved.fields;
        }
        if chain.members.is_empty() {
            // Whoever comes next is told where the chain stands.
            (chain.revision, chain.time) = (flush.revision, flush.time);
            return true;
        }
        self.picked.clear();
        let mut length = fields.len();
        let mut is_merged = false;
        let mut lead = None;
        let mut pick = |lane: LaneNumber, place: Place| {
            if entered.is_empty() || entered.binary_search(&lane).is_err() {
                if self.picked.is_empty() {
                    lead = place.lead;
                }
                self.picked.push((place.start, place.length));
                length += place.length as usize;
                is_merged |= place.is_merged;
            }
        };
        let places = &self.places[which];
        chain.lanes.for_each_among(&places.changed, |lane| pick(lane, places.of_lane[lane as usize]));
        if length == 0 {
            return true;
        }
        let cursor = flush.cursor(chain.classes);
        chain.sequence = chain.sequence.wrapping_add(1);
        let head = Head {
            step: flush.revision.0 - chain.revision.0,
            sequence: chain.sequence,
            time_step: flush.time - chain.time,
            cursor: (cursor != flush.revision).then_some(cursor),
            cause: if is_merged { flush.cause } else { Conflation::None },
        };
        chain.revision = flush.revision;
        chain.time = flush.time;
        chain.cursor = cursor;
        self.head.clear();
        let first = lead.zip(flush.model.as_ref()).map(|(lead, model)| {
            // The head takes the first piece's place.
            let (start, whole) = std::mem::take(&mut self.picked[0]);
            length -= whole as usize;
            let piece = &flush.bytes[start as usize..][..whole as usize];
            let is_sole = chain.lanes.len() == 1 && moved.is_none();
            First { lead, piece, is_sole, model, scratch: &mut self.lead }
        });
        head.write(first, &mut self.head);
        let length = self.head.len() + length;
        if length > FRAME_BYTES_MAX {
            return false;
        }
        let bytes = flush.bytes.as_slice();
        let pieces = self.picked.iter().map(|&(start, length)| &bytes[start as usize..][..length as usize]);
        let parts = std::iter::once(self.head.as_bytes()).chain(pieces).chain(std::iter::once(fields));
        self.batch.push(cursor, length, parts);
        self.stats.frames_built += 1;
        let receivers = chain.members.len() as u64;
        match head.cause {
            Conflation::Asked => self.stats.conflated_asked += receivers,
            Conflation::ServerSlow => self.stats.conflated_server_slow += receivers,
            _ => {}
        }
        true
    }

    fn heartbeat(&mut self, heartbeat: &Heartbeat, lines: &mut impl Lines) {
        for at in 0..self.chains.len() {
            let chain = &mut self.chains[at];
            if chain.members.is_empty() {
                continue;
            }
            let before = chain.cursor;
            chain.cursor = heartbeat.cursor(chain.classes);
            self.head.clear();
            self.head.heartbeat(&proto::Heartbeat {
                revision: chain.cursor.0,
                freshness_ms: heartbeat.freshness_ms,
                now_ms: heartbeat.now_ms,
                sequence: chain.sequence,
            });
            self.picked.clear();
            let digests = heartbeat.digests.iter().enumerate();
            let followed = digests.filter(|(_, (lane, ..))| chain.lanes.contains(*lane));
            self.picked.extend(followed.map(|(which, _)| (which as u32, 0)));
            let found = self.picked.len();
            let first = heartbeat.turn.wrapping_mul(heartbeat.digests_per_group);
            for which in 0..found.min(heartbeat.digests_per_group) {
                let (place, _) = self.picked[first.wrapping_add(which) % found];
                let (_, market, digest) = heartbeat.digests[place as usize];
                self.head.digest(proto::MarketDigest { market, digest });
            }
            self.batch.clear();
            let cursor = self.chains[at].cursor;
            self.batch.push(cursor, self.head.len(), std::iter::once(self.head.as_bytes()));
            self.offer(at, before, lines);
        }
    }

    /// Offers the batch to the live members of a chain, who stood at a cursor before it.
    fn offer(&mut self, at: usize, before: Revision, lines: &mut impl Lines) {
        let (mut taken, mut taken_bytes, mut next) = (0, 0, 0);
        self.batch.receivers = self.chains[at].members.len();
        while let Some(&connection) = self.chains[at].members.get(next) {
            let count = lines.offer(connection, &mut self.batch);
            let bytes = self.batch.end(count);
            taken += count as u64;
            taken_bytes += bytes as u64;
            if count == self.batch.frames() {
                next += 1;
                continue;
            }
            // It has fallen behind; what it misses now, a catch-up will tell it. The last member takes its place.
            self.stats.fell_behind += 1;
            let reached = self.batch.cursor(count);
            self.remove(at, next);
            if let Some(member) = self.member(connection) {
                member.is_awaited = true;
                // The frames that it took have brought it forward.
                let cursor = member.cursor.max(before).max(reached);
                self.reports.push(Report::Missed { connection, cursor });
            }
        }
        self.stats.frames += taken;
        self.stats.frame_bytes += taken_bytes;
    }

    fn detach_all(&mut self, at: usize, before: Revision) {
        while let Some(&connection) = self.chains[at].members.last() {
            self.remove(at, self.chains[at].members.len() - 1);
            if let Some(member) = self.member(connection) {
                let cursor = member.cursor.max(before);
                self.reports.push(Report::Detached { connection, cursor, is_too_long: true });
            }
        }
    }

    fn give(
        &mut self,
        connection: ConnectionId,
        frames: &[Bytes],
        attach: Option<&Attach>,
        lines: &mut impl Lines,
    ) {
        let Some(member) = self.member(connection) else { return };
        member.given = member.given.wrapping_add(1);
        member.answer_frames = member.answer_frames.wrapping_add(frames.len() as u32);
        let answer_frames = member.answer_frames;
        member.is_awaited = true;
        let mut prefix = Bytes::new();
        if let Some(attach) = attach {
            let at = self.chain(attach);
            self.unchain(connection);
            let chain = &mut self.chains[at as usize];
            let place = chain.members.len() as u32;
            chain.members.push(connection);
            if let Some(since) = attach.since {
                let mut position = FrameBuilder::new();
                position.position(proto::Position {
                    revision: chain.revision.0,
                    sequence: chain.sequence,
                    since: since.0,
                    time: chain.time,
                    answer_frames,
                });
                prefix = position.finish();
            }
            if let Some(member) = self.member(connection) {
                (member.chain, member.at, member.cursor) = (Some(at), place, attach.cursor);
            }
        }
        let last = frames.len().saturating_sub(1);
        let mut bytes = 0;
        let mut letters = frames.iter().enumerate().map(|(which, body)| {
            let prefix = if which == last { prefix.clone() } else { Bytes::new() };
            bytes += prefix.len() + body.len();
            Letter { prefix, body: body.clone() }
        });
        lines.give(connection, &mut letters);
        self.stats.frames += frames.len() as u64;
        self.stats.frame_bytes += bytes as u64;
    }

    /// The chain of a group, which begins here if nobody has taken its frames in this shard.
    fn chain(&mut self, attach: &Attach) -> u32 {
        *self.by_group.entry(attach.group).or_insert_with(|| {
            self.chains.push(Chain {
                group: attach.group,
                lanes: Arc::clone(&attach.lanes),
                classes: attach.classes,
                revision: attach.revision,
                sequence: attach.group.0.wrapping_mul(SEQUENCE_SPREAD),
                time: attach.time,
                cursor: Revision(0),
                members: Vec::new(),
            });
            self.chains.len() as u32 - 1
        })
    }

    /// Forgets a group's chain; the last chain takes its place.
    fn forget(&mut self, group: GroupId) {
        let Some(at) = self.by_group.remove(&group) else { return };
        let chain = self.chains.swap_remove(at as usize);
        for connection in chain.members {
            if let Some(member) = self.member(connection) {
                member.chain = None;
            }
        }
        if let Some(moved) = self.chains.get(at as usize) {
            self.by_group.insert(moved.group, at);
            for &connection in &moved.members {
                if let Some(member) = self.members[connection.line()].as_mut() {
                    member.chain = Some(at);
                }
            }
        }
    }

    /// Takes a connection out of its chain; returns from where it may resume, if it was in one.
    fn unchain(&mut self, connection: ConnectionId) -> Option<Revision> {
        let &mut Member { chain, at, cursor, .. } = self.member(connection)?;
        let chain = chain? as usize;
        self.remove(chain, at as usize);
        Some(cursor.max(self.chains[chain].cursor))
    }

    /// Takes the member at a place out of a chain; the last one takes the place.
    fn remove(&mut self, chain: usize, at: usize) {
        let members = &mut self.chains[chain].members;
        let connection = members.swap_remove(at);
        if let Some(&moved) = members.get(at)
            && let Some(member) = self.member(moved)
        {
            member.at = at as u32;
        }
        if let Some(member) = self.member(connection) {
            member.chain = None;
        }
    }

    fn member(&mut self, connection: ConnectionId) -> Option<&mut Member> {
        self.members.get_mut(connection.line())?.as_mut().filter(|member| member.connection == connection)
    }
}
