//! Which commits a frame brings: worked out once for all receivers who get the same frame at the same place.
//!
//! Thousands of receivers get the same frame within milliseconds. Looking its commits up for each of them anew would take
//! more time than reading it, and a tool that has no time left measures itself.

use crate::{head::PieceHead, ledger::Ledger};

/// Frames that are remembered: those of the groups that are being served at a time.
const REMEMBERED: usize = 16;

/// The kind of the receiver, up to where it was complete before the frame, and where the frame leads to.
type Key = (u16, u64, u64);

/// What the last frames brought.
#[derive(Debug, Default)]
pub(crate) struct BroughtLately {
    frames: Vec<Brought>,
    /// The one that is replaced next.
    next: usize,
}

#[derive(Debug, Default)]
struct Brought {
    key: Key,
    /// Markets that the receiver held up to a later revision.
    ahead: Vec<(u32, u64)>,
    pieces: Vec<PieceHead>,
    /// When each commit was sent, and whether it changed a status.
    commits: Vec<(u64, bool)>,
}

impl BroughtLately {
    /// When the commits were sent that a frame of these pieces brings, and whether they changed a status.
    pub(crate) fn of(
        &mut self,
        key: Key,
        ahead: &[(u32, u64)],
        pieces: &[PieceHead],
        ledger: &Ledger,
    ) -> &[(u64, bool)] {
        let known = self
            .frames
            .iter()
            .position(|known| known.key == key && known.ahead == ahead && known.pieces == pieces);
        let at = known.unwrap_or_else(|| {
            let at = self.next;
            self.next = (at + 1) % REMEMBERED;
            if at == self.frames.len() {
                self.frames.push(Brought::default());
            }
            self.frames[at].fill(key, ahead, pieces, ledger);
            at
        });
        &self.frames[at].commits
    }
}

impl Brought {
    fn fill(&mut self, key: Key, ahead: &[(u32, u64)], pieces: &[PieceHead], ledger: &Ledger) {
        let (kind, floor, reached) = key;
        self.key = key;
        self.ahead.clear();
        self.ahead.extend_from_slice(ahead);
        self.pieces.clear();
        self.pieces.extend_from_slice(pieces);
        self.commits.clear();
        let book = ledger.read();
        for piece in pieces {
            let Some(number) = piece.market else { continue };
            let ahead = ahead.iter().find(|(market, _)| *market == number);
            let after = ahead.map_or(floor, |&(_, revision)| revision.max(floor));
            let entries = book.between(number, after, piece.through(reached));
            let visible = entries.filter(|entry| entry.visible >> kind & 1 == 1);
            self.commits.extend(visible.map(|entry| (entry.sent_us, entry.is_status)));
        }
    }
}

#[cfg(test)]
mod tests {
    use oddswire_model::MarketId;
    use oddswire_wire::piece::PieceKind;

    use super::*;
    use crate::ledger::Entry;

    #[test]
    fn equal_frames_bring_the_same_and_others_are_looked_up() {
        let (ledger, id) = (Ledger::default(), MarketId::new("1.2").unwrap());
        let note = |revision: u64, visible| {
            let entry = Entry { revision, sent_us: revision * 10, visible, is_status: revision == 2 };
            ledger.note(std::iter::once((id.clone(), entry)));
        };
        for (revision, visible) in [(1, 0b11), (2, 0b11), (3, 0b10)] {
            note(revision, visible);
        }
        ledger.number(&id, 5);
        let piece = PieceHead { kind: PieceKind::Delta, market: Some(5), revision: 0, time: None };
        let mut brought = BroughtLately::default();
        for _ in 0..2 {
            assert_eq!(brought.of((1, 0, 3), &[], &[piece], &ledger), [(30, false), (20, true), (10, false)]);
            assert_eq!(brought.of((0, 0, 3), &[], &[piece], &ledger), [(20, true), (10, false)]);
            assert_eq!(brought.of((1, 2, 3), &[], &[piece], &ledger), [(30, false)]);
            assert_eq!(brought.of((1, 0, 3), &[(5, 1)], &[piece], &ledger), [(30, false), (20, true)]);
            assert_eq!(brought.of((1, 0, 3), &[], &[], &ledger), []);
        }
        assert_eq!(brought.frames.len(), 5, "each was looked up once");
        for revision in 4..4 + 2 * REMEMBERED as u64 {
            note(revision, 0b11);
            let last = brought.of((1, revision - 1, revision), &[], &[piece], &ledger);
            assert_eq!(last, [(revision * 10, false)]);
        }
        assert_eq!(brought.frames.len(), REMEMBERED);
    }
}
