//! Where a light receiver stands: the rules of the protocol for position and cursor, without the markets.

use oddswire_model::{Cursor, Epoch, Revision};
use oddswire_wire::{
    limits::{SEQUENCE_BITS, SEQUENCE_MASK},
    piece::PieceKind,
    proto::{ErrorCode, Resume},
};

use crate::head::{Head, PieceHead};

/// What is wrong with a frame; the receiver gives the connection up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChainError {
    /// It does not follow the one before it.
    Gap,
    /// It comes before the welcome.
    NotWelcomed,
    /// Its catch-up begins after what is held.
    Lost,
}

/// Position, clock and cursor of a receiver.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chain {
    epoch: Option<u64>,
    is_welcomed: bool,
    /// Subscribes that the gateway has not answered on this connection.
    unanswered: u16,
    position: Option<(u64, u32)>,
    /// The producers' clock, in steps of 10 ms.
    time: u64,
    /// What was received is complete up to here.
    complete: Option<u64>,
    /// From where it may resume; it names the markets of every subscribe.
    cursor: Option<u64>,
    /// Numbers of the markets that are held, in order: a lead does not name the market of who holds only one.
    held: Vec<u32>,
}

impl Chain {
    /// A new connection, on which so many subscribes were sent.
    pub(crate) fn connected(&mut self, subscribes: u16) {
        self.is_welcomed = false;
        self.unanswered = subscribes;
        self.position = None;
        self.complete = self.cursor;
    }

    /// Forgets what is held: the next connection begins with snapshots.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// From where the next connection may resume.
    pub(crate) fn cursor(&self) -> Option<Cursor> {
        Some(Cursor { epoch: Epoch(self.epoch?), revision: Revision(self.cursor?) })
    }

    /// Whether everything that was subscribed to is there and follows.
    pub(crate) fn is_fresh(&self) -> bool {
        self.is_welcomed && self.unanswered == 0 && self.position.is_some()
    }

    /// The revision of the last frame of the chain.
    pub(crate) fn revision(&self) -> u64 {
        self.position.map_or(0, |(revision, _)| revision)
    }

    /// What was received is complete up to here.
    pub(crate) fn complete(&self) -> u64 {
        self.complete.unwrap_or(0)
    }

    /// The producers' clock, in steps of 10 ms.
    pub(crate) fn time(&self) -> u64 {
        self.time
    }

    /// Takes a frame in, and names the market of a piece that does not.
    ///
    /// # Errors
    /// When the connection must be given up.
    pub(crate) fn take(&mut self, head: &Head, pieces: &mut [PieceHead]) -> Result<(), ChainError> {
        if let Some(welcome) = &head.welcome {
            if self.epoch.is_some_and(|epoch| epoch != welcome.epoch) {
                self.forget();
            }
            self.epoch = Some(welcome.epoch);
            self.is_welcomed = true;
        }
        if let Some(error) = &head.error
            && error.subscription != 0
            && error.code() != ErrorCode::UnknownSubscription
        {
            self.unanswered = self.unanswered.saturating_sub(1);
        }
        if !self.is_welcomed {
            let is_known = head.error.is_some() || head.drain.is_some();
            return if is_known { Ok(()) } else { Err(ChainError::NotWelcomed) };
        }
        if let Some(subscribed) = &head.subscribed {
            self.unanswered = self.unanswered.saturating_sub(1);
            if matches!(subscribed.resume(), Resume::EpochChanged | Resume::TooOld) {
                (self.complete, self.cursor) = (None, None);
                self.held.clear();
            }
        }
        self.follow(head)?;
        self.hold(head, pieces)?;
        let has_advanced = head.advance.is_some() || head.lead.is_some();
        let advanced = self.position.filter(|_| has_advanced).map(|(revision, _)| revision);
        let reached = head
            .cursor
            .or(advanced)
            .or(head.position.map(|position| position.revision))
            .or(head.heartbeat.map(|heartbeat| heartbeat.revision))
            .filter(|_| self.position.is_some());
        self.complete = reached.or(self.complete);
        if self.unanswered == 0 && reached.is_some() {
            self.cursor = reached;
        }
        Ok(())
    }

    fn follow(&mut self, head: &Head) -> Result<(), ChainError> {
        if let Some(position) = head.position {
            let is_held = position.since == 0 || self.complete.is_some_and(|held| held >= position.since);
            self.position = Some((position.revision, position.sequence));
            self.time = position.time;
            return if is_held { Ok(()) } else { Err(ChainError::Lost) };
        }
        let advance = match (head.lead, head.advance) {
            (Some(lead), _) => Some((lead.sequence, lead.step, lead.time_step)),
            (None, Some(advance)) => {
                let step = head.revision_step.unwrap_or(1);
                Some((advance as u32 & SEQUENCE_MASK, step, advance >> SEQUENCE_BITS))
            }
            (None, None) => None,
        };
        if let Some((said, step, time_step)) = advance {
            let (revision, sequence) = self.position.ok_or(ChainError::Gap)?;
            let next = sequence.wrapping_add(1);
            if next & SEQUENCE_MASK != said {
                return Err(ChainError::Gap);
            }
            self.position = Some((revision.saturating_add(step), next));
            self.time = self.time.saturating_add(time_step);
        }
        match (head.heartbeat, self.position) {
            (Some(heartbeat), Some((_, sequence))) if heartbeat.sequence != sequence => Err(ChainError::Gap),
            _ => Ok(()),
        }
    }

    /// Keeps the list of markets that are held.
    fn hold(&mut self, head: &Head, pieces: &mut [PieceHead]) -> Result<(), ChainError> {
        for piece in pieces.iter_mut().filter(|piece| piece.market.is_none()) {
            // Whoever holds another number of markets has not received what the gateway thinks he has.
            let &[sole] = &self.held[..] else { return Err(ChainError::Gap) };
            piece.market = Some(sole);
        }
        for market in &head.removed {
            if let Ok(at) = self.held.binary_search(market) {
                self.held.remove(at);
            }
        }
        for piece in pieces.iter().filter(|piece| piece.kind == PieceKind::Snapshot) {
            if let Some(market) = piece.market
                && let Err(at) = self.held.binary_search(&market)
            {
                self.held.insert(at, market);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use oddswire_wire::{compact::LeadHead, proto};

    use super::*;

    fn welcome(epoch: u64) -> Head {
        Head { welcome: Some(proto::Welcome { epoch, ..Default::default() }), ..Head::default() }
    }

    fn subscribed(resume: Resume) -> Head {
        let subscribed = proto::Subscribed { subscription: 1, resume: resume.into(), ..Default::default() };
        Head { subscribed: Some(subscribed), ..Head::default() }
    }

    fn position(revision: u64, sequence: u32, since: u64) -> Head {
        Head {
            position: Some(proto::Position { revision, sequence, since, time: 100, ..Default::default() }),
            cursor: Some(revision),
            ..Head::default()
        }
    }

    fn advance(step: u64, sequence: u32) -> Head {
        let advance = 2 << SEQUENCE_BITS | u64::from(sequence & SEQUENCE_MASK);
        Head { advance: Some(advance), revision_step: Some(step), ..Head::default() }
    }

    fn heartbeat(revision: u64, sequence: u32) -> Head {
        let heartbeat = proto::Heartbeat { revision, sequence, ..Default::default() };
        Head { heartbeat: Some(heartbeat), ..Head::default() }
    }

    fn lead(step: u64, sequence: u32, is_sole: bool) -> Head {
        Head { lead: Some(LeadHead { step, sequence, time_step: 2, is_sole }), ..Head::default() }
    }

    fn piece(kind: PieceKind, market: Option<u32>) -> PieceHead {
        PieceHead { kind, market, revision: 0, time: None }
    }

    fn fresh() -> Chain {
        let mut chain = Chain::default();
        chain.connected(1);
        for head in [welcome(7), subscribed(Resume::Unspecified), position(10, 127, 0)] {
            chain.take(&head, &mut []).unwrap();
        }
        chain
    }

    #[test]
    fn a_chain_is_followed_and_its_cursor_may_lag() {
        let mut chain = fresh();
        assert!(chain.is_fresh());
        chain.take(&advance(3, 128), &mut []).unwrap();
        assert_eq!((chain.revision(), chain.complete(), chain.time()), (13, 13, 102));
        chain.take(&Head { cursor: Some(12), ..advance(2, 129) }, &mut []).unwrap();
        assert_eq!((chain.revision(), chain.complete()), (15, 12));
        chain.take(&heartbeat(15, 129), &mut []).unwrap();
        assert_eq!(chain.cursor(), Some(Cursor { epoch: Epoch(7), revision: Revision(15) }));
    }

    #[test]
    fn what_does_not_follow_is_a_gap() {
        assert_eq!(fresh().take(&advance(1, 129), &mut []), Err(ChainError::Gap));
        assert_eq!(fresh().take(&advance(1, 127), &mut []), Err(ChainError::Gap), "twice the same");
        assert_eq!(fresh().take(&heartbeat(10, 126), &mut []), Err(ChainError::Gap));
        assert_eq!(fresh().take(&position(20, 1, 11), &mut []), Err(ChainError::Lost));
        assert_eq!(Chain::default().take(&advance(1, 1), &mut []), Err(ChainError::NotWelcomed));
    }

    #[test]
    fn a_resume_keeps_the_cursor_until_it_is_answered() {
        let mut chain = fresh();
        chain.connected(2);
        chain.take(&welcome(7), &mut []).unwrap();
        chain.take(&subscribed(Resume::CaughtUp), &mut []).unwrap();
        chain.take(&position(30, 5, 10), &mut []).unwrap();
        assert!(!chain.is_fresh(), "a subscribe is not answered yet");
        assert_eq!(chain.cursor().unwrap().revision, Revision(10));
        chain.take(&subscribed(Resume::CaughtUp), &mut []).unwrap();
        chain.take(&position(31, 6, 10), &mut []).unwrap();
        assert!(chain.is_fresh());
        chain.connected(1);
        chain.take(&welcome(8), &mut []).unwrap();
        assert_eq!(chain.cursor(), None, "another epoch");
    }

    #[test]
    fn a_lead_advances_and_its_market_is_the_only_one_held() {
        let mut chain = fresh();
        let sole = || [piece(PieceKind::Delta, None)];
        assert_eq!(chain.clone().take(&lead(3, 0, true), &mut sole()), Err(ChainError::Gap), "none is held");
        chain.take(&advance(1, 128), &mut [piece(PieceKind::Snapshot, Some(9))]).unwrap();
        let mut pieces = sole();
        chain.take(&lead(3, 1, true), &mut pieces).unwrap();
        assert_eq!((chain.revision(), chain.complete(), chain.time()), (14, 14, 104));
        assert_eq!(pieces[0].market, Some(9));
        assert_eq!(
            chain.clone().take(&lead(3, 1, true), &mut sole()),
            Err(ChainError::Gap),
            "twice the same"
        );
        chain.take(&advance(1, 130), &mut [piece(PieceKind::Snapshot, Some(4))]).unwrap();
        assert_eq!(chain.clone().take(&lead(1, 3, true), &mut sole()), Err(ChainError::Gap), "two are held");
        chain.take(&Head { removed: vec![9], ..advance(1, 131) }, &mut []).unwrap();
        let mut pieces = sole();
        chain.take(&lead(1, 0, true), &mut pieces).unwrap();
        assert_eq!(pieces[0].market, Some(4));
    }
}
