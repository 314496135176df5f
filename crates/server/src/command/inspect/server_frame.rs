//! Frames of a server in words, each against the state that those before it built.

use bytes::Bytes;
use oddswire_delta::{Base, MarketDelta};
use oddswire_model::{MarketNumber, Revision};
use oddswire_wire::{
    LeadBytes,
    compact::{LeadReader, Model},
    decode_frame,
    limits::{SEQUENCE_BITS, SEQUENCE_MASK},
    piece::{self, Encoding, FrameContext, PieceError, PieceKind, TIME_STEP_MS},
    proto::{self, Conflation, ServerFrame},
};

use super::{
    Report,
    fields::{self, Content, Field},
    parts,
};
use crate::command::changes::{Copies, market_title};

/// Reads frames in order and keeps what they build.
#[derive(Debug)]
pub(super) struct Reader {
    copies: Copies,
    /// The model of compact pieces.
    model: Model,
    /// Revision and sequence reached, if a frame has said so.
    position: Option<(Revision, u32)>,
    /// The producers' clock, in steps of 10 ms.
    time: u64,
    /// Definitions of the frames that belong together, until the last of them.
    definitions: Vec<proto::Definition>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            copies: Copies::default(),
            model: Model::shipped(),
            position: None,
            time: 0,
            definitions: Vec::new(),
        }
    }
}

impl Reader {
    /// A new connection: what is held stays, as it does in a client.
    pub(super) fn connected(&mut self) {
        self.position = None;
        self.definitions.clear();
    }

    /// Reads a frame.
    pub(super) fn read(&mut self, bytes: &Bytes) -> Report {
        let mut report = Report::default();
        let (fields, problem) = fields::split(bytes);
        // Markets can only be read when the frame's own position is known, wherever in the frame it stands.
        // Compressed fields are read as if they stood in the frame.
        let whole = decode_frame(bytes.clone());
        if let (Ok(frame), None) = (&whole, &problem) {
            self.move_to(frame);
            self.definitions.extend(frame.definitions.iter().cloned());
        }
        let since = whole.as_ref().ok().and_then(|frame| frame.position).map_or(0, |position| position.since);
        let mut weight = 0;
        for field in &fields {
            self.part(bytes, field, Revision(since), &mut report);
            weight += field.span.len();
        }
        if let Some(problem) = problem {
            report.problem(problem.at, &problem.why);
            report.lines.push(format!("   {weight} of {} bytes were read", bytes.len()));
        } else if let Err(error) = &whole
            && !report.is_unreadable
        {
            report.problem(0, &error.to_string());
        }
        if !whole.is_ok_and(|frame| frame.more) {
            self.definitions.clear();
        }
        report
    }

    fn move_to(&mut self, frame: &ServerFrame) {
        if let Some(welcome) = &frame.welcome {
            self.position = None;
            if let Ok(model) = Model::from_bytes(welcome.model_bytes.clone()) {
                self.model = model;
            }
        }
        if let Some(position) = frame.position {
            self.position = Some((Revision(position.revision), position.sequence));
            self.time = position.time;
        } else if let (Some((step, time_step)), Some((revision, sequence))) =
            (self.advance(frame), self.position)
        {
            self.position = Some((Revision(revision.0.saturating_add(step)), sequence.wrapping_add(1)));
            self.time = self.time.saturating_add(time_step);
        }
    }

    /// How far a frame advances the revision and the producers' clock, if it does.
    fn advance(&self, frame: &ServerFrame) -> Option<(u64, u64)> {
        let Some(lead) = LeadBytes::of(frame).ok()? else {
            let step = frame.revision_step.unwrap_or(1);
            return frame.advance.map(|advance| (step, advance >> SEQUENCE_BITS));
        };
        let head = LeadReader::new(lead.as_slice(), &self.model).ok()?.head();
        Some((head.step, head.time_step))
    }

    fn part(&mut self, bytes: &Bytes, field: &Field, since: Revision, report: &mut Report) {
        let weight = field.span.len();
        match &field.content {
            Content::Integer(value) if field.number == 3 => {
                let at = field.span.start;
                match LeadBytes::from_varint(*value) {
                    Ok(string) => self.lead(string.as_slice(), Place { weight, at }, report),
                    Err(error) => report.problem(at, &error.to_string()),
                }
            }
            Content::Integer(value) => self.integer(field.number, *value, weight, report),
            Content::Bytes(at) => {
                let content = bytes.slice(at.clone());
                let piece = match field.number {
                    10 => Some((PieceKind::Snapshot, Encoding::Plain)),
                    11 => Some((PieceKind::Delta, Encoding::Plain)),
                    12 => Some((PieceKind::CatchUp, Encoding::Plain)),
                    15 => Some((PieceKind::Delta, Encoding::Compact)),
                    21 => Some((PieceKind::Snapshot, Encoding::Compact)),
                    22 => Some((PieceKind::CatchUp, Encoding::Compact)),
                    _ => None,
                };
                match piece {
                    Some((kind, encoding)) => {
                        let place = Place { weight, at: at.start };
                        self.piece(kind, encoding, &content, place, since, report);
                    }
                    None if field.number == 14 => {
                        self.lead(&content, Place { weight, at: at.start }, report);
                    }
                    None => {
                        if let Err(why) =
                            parts::tell(field.number, content.clone(), weight, &mut self.copies, report)
                        {
                            report.problem(at.start, &why.to_string());
                        }
                    }
                }
            }
            Content::Fixed if matches!(field.number, 4 | 5) => {
                let string = bytes.slice(field.span.start + 1..field.span.end);
                self.lead(&string, Place { weight, at: field.span.start }, report);
            }
            Content::Fixed => {
                report.part("unknown", weight, &format!("field {} of a later version", field.number));
            }
        }
    }

    fn integer(&self, number: u32, value: u64, weight: usize, report: &mut Report) {
        match number {
            6 => {
                let sequence = value & u64::from(SEQUENCE_MASK);
                let time_ms = (value >> SEQUENCE_BITS).saturating_mul(TIME_STEP_MS);
                let says = format!("sequence {sequence} modulo 4, {time_ms} ms on{}", self.reached());
                report.part("advance", weight, &says);
            }
            7 => report.part("cursor", weight, &format!("may resume from {}", Revision(value))),
            13 => report.part("step", weight, &format!("{value} revisions on")),
            16 => {
                let cause = Conflation::try_from(value as i32).map_or("unknown", |cause| cause.as_str_name());
                report.part("conflated", weight, cause);
            }
            17 => report.part("more", weight, "the next frame belongs to this one"),
            20 => report.part("removed", weight, &format!("market {}", MarketNumber(value as u32))),
            _ => report.part("unknown", weight, &format!("field {number} of a later version: {value}")),
        }
    }

    /// Where a frame of the chain leads.
    fn reached(&self) -> String {
        match self.position {
            Some((revision, _)) => format!(", to {revision}"),
            None => ", from a revision that the frames given do not tell".to_owned(),
        }
    }

    /// The head of a compact frame and its first delta.
    fn lead(&mut self, content: &[u8], place: Place, report: &mut Report) {
        let model = self.model.clone();
        let lead = match LeadReader::new(content, &model) {
            Ok(lead) => lead,
            Err(error) => {
                report.part("lead", place.weight, "a head that cannot be read");
                return report.problem(place.at, &error.to_string());
            }
        };
        let head = lead.head();
        let time_ms = head.time_step.saturating_mul(TIME_STEP_MS);
        let says = format!("sequence {} modulo 4, {time_ms} ms on{}", head.sequence, self.reached());
        report.part("advance", 0, &says);
        let number = lead.market().or_else(|| self.copies.only());
        let Some(number) = number else {
            report.part("lead", place.weight, "of the only market held");
            return report.problem(place.at, "there is not one market held");
        };
        let revision = self.position.map_or(Revision(0), |(revision, _)| revision);
        let change = match self.copies.get(number) {
            Some(held) => lead.delta(held, revision, self.time),
            None => Err(PieceError::UnknownMarket),
        };
        self.change("delta", Encoding::Compact, number, change, place, report);
    }

    fn piece(
        &mut self,
        kind: PieceKind,
        encoding: Encoding,
        content: &Bytes,
        place: Place,
        since: Revision,
        report: &mut Report,
    ) {
        let name = match kind {
            PieceKind::Snapshot => "snapshot",
            PieceKind::Delta => "delta",
            PieceKind::CatchUp => "catch-up",
        };
        let Place { weight, at } = place;
        let number = match piece::market(kind, encoding, content) {
            Ok(number) => number,
            Err(error) => {
                report.part(name, weight, "of a market that it does not name");
                return report.problem(at, &error.to_string());
            }
        };
        let definition = self.definitions.iter().find(|definition| definition.market == number.0);
        let context = FrameContext {
            revision: self.position.map_or(Revision(0), |(revision, _)| revision),
            time: self.time,
            since,
            model: &self.model,
        };
        let held = self.copies.get(number);
        let change = piece::decode(kind, encoding, content, definition, held, context);
        self.change(name, encoding, number, change, place, report);
    }

    fn change(
        &mut self,
        name: &'static str,
        encoding: Encoding,
        number: MarketNumber,
        change: Result<MarketDelta, PieceError>,
        Place { weight, at }: Place,
        report: &mut Report,
    ) {
        let change = match change {
            Ok(change) => change,
            Err(error) => {
                report.part(name, weight, &format!("of market {number}"));
                return report.problem(at, &format!("{error}; the {name} begins here"));
            }
        };
        let base = match change.base {
            Base::Nothing => String::new(),
            Base::At(base) => format!(" from {base}"),
            Base::Since(base) => format!(" since {base}"),
        };
        let told = self.copies.take(&change);
        let title = self.copies.get(number).map(market_title).unwrap_or_default();
        let says = format!(
            "market {number} {title}{base} to {}, {} cells, published {}{}",
            change.revision,
            change.cells.len(),
            change.published_ms,
            if encoding == Encoding::Compact { ", compact" } else { "" }
        );
        report.part(name, weight, &says);
        match told {
            Ok(changes) => {
                for change in changes {
                    report.detail(&change.text());
                }
            }
            Err(error) => report.problem(at, &format!("{error}; the {name} begins here")),
        }
    }
}

/// Where a part of a frame begins, and how many bytes it takes.
#[derive(Clone, Copy)]
struct Place {
    weight: usize,
    at: usize,
}

#[cfg(test)]
mod tests {
    use oddswire_delta::{MarketDelta, diff, snapshot};
    use oddswire_model::{CellKey, Field, Market, MarketId, View};
    use oddswire_wire::{
        FrameBuilder,
        piece::{Encoding, PieceEncoder},
    };

    use super::*;

    fn text(report: &Report) -> String {
        report.lines.join("\n")
    }

    fn frames() -> [Bytes; 2] {
        let mut market = Market::new(MarketNumber(2), MarketId::new("1.9").unwrap(), Revision(4));
        market.touch(Revision(4), 1_000);
        let (mut change, mut encoder) = (MarketDelta::default(), PieceEncoder::default());
        snapshot(&market, View::FULL, &mut change);
        let mut pieces = Vec::new();
        encoder.encode(&change, None, &market, Encoding::Plain, &mut pieces);
        let mut first = FrameBuilder::new();
        first.pieces(&pieces);
        first.position(proto::Position { revision: 4, ..Default::default() });

        let before = market.clone();
        market.set(CellKey::market(Field::InPlay), 1, Revision(5));
        market.touch(Revision(5), 2_000);
        diff(&before, &market, View::FULL, &mut change);
        pieces.clear();
        encoder.encode(&change, Some((&before, View::FULL)), &market, Encoding::Plain, &mut pieces);
        let mut second = FrameBuilder::new();
        second.advance(1, 1, 0);
        second.pieces(&pieces);
        second.digest(proto::MarketDigest { market: 2, digest: market.digest(View::FULL).to_u64() });
        second.removed(vec![7, 8]);
        [first.finish(), second.finish()]
    }

    #[test]
    fn a_delta_is_read_against_the_frames_before_it() {
        let mut reader = Reader::default();
        let [first, second] = frames();
        let said = text(&reader.read(&first));
        assert!(said.contains("market #2 1.9 to r4, 0 cells"), "{said}");
        let said = text(&reader.read(&second));
        assert!(said.contains("sequence 1 modulo 4, 0 ms on, to r5"), "{said}");
        assert!(said.contains("in_play: false -> true"), "{said}");
        assert!(said.contains("it agrees"), "{said}");
        assert!(said.contains("markets #7, #8"), "{said}");
        let orphan = Reader::default().read(&second);
        assert!(
            orphan.is_unreadable && text(&orphan).contains("the market is not held; the delta begins here")
        );
    }

    #[test]
    fn any_cut_is_reported_and_nothing_panics() {
        let [first, second] = frames();
        for frame in [&first, &second] {
            for end in 0..frame.len() {
                let mut reader = Reader::default();
                reader.read(&first);
                reader.read(&frame.slice(..end));
            }
            let mut bytes = frame.to_vec();
            for at in 0..bytes.len() {
                bytes[at] ^= 0x41;
                Reader::default().read(&Bytes::copy_from_slice(&bytes));
                bytes[at] ^= 0x41;
            }
        }
    }
}
