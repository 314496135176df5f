//! The same laws through the bytes of the wire.

use bytes::Bytes;
use oddswire_delta::{MarketDelta, apply, catch_up, diff, snapshot, start};
use oddswire_model::{Market, Revision, View};
use oddswire_wire::{
    FrameBuilder, LeadBytes, LeadScratch,
    compact::{LeadHead, LeadReader, Model},
    decode_frame,
    piece::{self, Encoding, FrameContext, PieceEncoder, PieceError, PieceKind, TIME_STEP_MS},
    proto,
};
use proptest::{prelude::*, sample::Index};

use crate::history::{any_history, any_view, mirror, shows};

/// Encodes one change as a frame and takes the frame apart.
fn frame_of(
    change: &MarketDelta,
    baseline: Option<(&Market, View)>,
    to: &Market,
    encoding: Encoding,
) -> proto::ServerFrame {
    let mut encoder = PieceEncoder::default();
    encoder.set_frame_time(to.published_ms());
    let mut bytes = Vec::new();
    encoder.encode(change, baseline, to, encoding, &mut bytes);
    let mut frame = FrameBuilder::new();
    frame.pieces(&bytes);
    decode_frame(frame.finish()).unwrap()
}

/// Reads the one piece of a frame.
fn read(
    frame: &proto::ServerFrame,
    held: Option<&Market>,
    to: &Market,
    since: Revision,
) -> Result<MarketDelta, PieceError> {
    let (kind, encoding, bytes) = piece::pieces(frame).next().unwrap();
    piece::decode(
        kind,
        encoding,
        bytes,
        frame.definitions.first(),
        held,
        context(to, since, &Model::shipped()),
    )
}

fn context<'a>(to: &Market, since: Revision, model: &'a Model) -> FrameContext<'a> {
    FrameContext { revision: to.revision(), time: to.published_ms() / TIME_STEP_MS, since, model }
}

fn any_encoding() -> impl Strategy<Value = Encoding> {
    prop_oneof![Just(Encoding::Plain), Just(Encoding::Compact)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_kind_of_change_arrives_as_it_was_sent(
        history in any_history(), a: Index, b: Index, c: Index, view in any_view(), encoding in any_encoding()
    ) {
        let [cursor, from, to] = history.pick([a, b, c]);
        let mut change = MarketDelta::default();

        snapshot(from, view, &mut change);
        let read_snapshot = read(&frame_of(&change, None, from, encoding), None, from, Revision(0));
        let mut held = start(&read_snapshot.unwrap()).unwrap();
        prop_assert!(shows(&held, from, view));
        let mut caught_up = held.clone();

        // A delta is read against what the receiver holds, which knows nothing but what the view shows.
        diff(from, to, view, &mut change);
        let frame = frame_of(&change, Some((from, view)), to, encoding);
        let delta = read(&frame, Some(&held), to, Revision(0)).unwrap();
        // What changes most stands first in a piece, so only the order is another.
        let sorted = |change: &MarketDelta| {
            let mut cells = change.cells.clone();
            cells.sort_by_key(|cell| (cell.key.selection, cell.key.field, cell.key.price));
            cells
        };
        prop_assert_eq!(sorted(&delta), sorted(&change));
        prop_assert_eq!(apply(&mut held, &delta), Ok(()));
        prop_assert!(shows(&held, to, view));
        prop_assert_eq!(held.digest(View::FULL), to.digest(view));
        prop_assert_eq!(held.published_ms(), to.published_ms());

        let since = cursor.revision();
        catch_up(to, since, view, &mut change);
        let late = read(&frame_of(&change, None, to, encoding), Some(&caught_up), to, since).unwrap();
        prop_assert_eq!(apply(&mut caught_up, &late), Ok(()));
        prop_assert!(shows(&caught_up, to, view));
    }

    #[test]
    fn the_compact_encoding_says_every_change(
        history in any_history(), a: Index, b: Index, view in any_view()
    ) {
        // Prices beside the ladder, ladders that change under the rungs, the greatest amounts: nothing makes a piece plain
        // but its length, and here that does not count.
        let [from, to] = history.pick([a, b]);
        let held = mirror(from, view);
        let mut change = MarketDelta::default();
        let mut encoder = PieceEncoder::default();
        for kind in [PieceKind::Snapshot, PieceKind::Delta, PieceKind::CatchUp] {
            match kind {
                PieceKind::Snapshot => snapshot(to, view, &mut change),
                PieceKind::Delta => diff(from, to, view, &mut change),
                PieceKind::CatchUp => catch_up(to, from.revision(), view, &mut change),
            }
            let baseline = (kind == PieceKind::Delta).then_some((from, view));
            encoder.set_frame_time(to.published_ms());
            let mut bytes = Vec::new();
            prop_assert!(encoder.encode_compact(&change, baseline, to, &mut bytes).is_some());
            let mut frame = FrameBuilder::new();
            frame.pieces(&bytes);
            let frame = decode_frame(frame.finish()).unwrap();
            prop_assert!(piece::pieces(&frame).all(|(_, encoding, _)| encoding == Encoding::Compact));
            let arrived = read(&frame, Some(&held), to, from.revision()).unwrap();
            let becomes = if kind == PieceKind::Snapshot {
                start(&arrived).unwrap()
            } else {
                let mut becomes = held.clone();
                prop_assert_eq!(apply(&mut becomes, &arrived), Ok(()));
                becomes
            };
            prop_assert!(shows(&becomes, to, view));
        }
    }

    #[test]
    fn no_bytes_make_a_piece_panic_or_grow(
        history in any_history(), view in any_view(),
        noise in proptest::collection::vec(any::<u8>(), 0..200),
        kind in proptest::sample::select(&[PieceKind::Snapshot, PieceKind::Delta, PieceKind::CatchUp][..]),
        encoding in any_encoding(), time: u64, revision: u64,
    ) {
        let market = history.last();
        let held = mirror(market, view);
        let length = noise.len();
        let noise = Bytes::from(noise);
        let definition = proto::Definition { market: u32::from(*noise.first().unwrap_or(&0)), id: "x".into(), ..Default::default() };
        for held in [None, Some(&held)] {
            let model = Model::shipped();
            let context = FrameContext { revision: Revision(revision), time, since: Revision(0), model: &model };
            let decoded = piece::decode(kind, encoding, &noise, Some(&definition), held, context);
            if let Ok(change) = decoded {
                // In the plain encoding every cell takes at least a byte, and one more byte may clear seven ladders;
                // in the compact one a byte may hold 32 cells, and a small piece 64.
                let cells_max = if encoding == Encoding::Plain { length } else { 64 + 32 * length };
                prop_assert!(change.cells.len() <= cells_max && change.cleared.len() <= 7 * cells_max);
            }
            if let (Ok(lead), Some(held)) = (LeadReader::new(&noise, &model), held) {
                let _ = lead.delta(held, Revision(revision), time);
            }
        }
        let _ = decode_frame(noise);
    }

    #[test]
    fn a_damaged_frame_is_refused_or_read_and_never_panics(
        history in any_history(), a: Index, b: Index, view in any_view(), encoding in any_encoding(),
        at: Index, flip in 1u8..=255, cut in proptest::option::of(any::<Index>()),
    ) {
        let [from, to] = history.pick([a, b]);
        let mut change = MarketDelta::default();
        diff(from, to, view, &mut change);
        let mut encoder = PieceEncoder::default();
        encoder.set_frame_time(to.published_ms());
        let mut bytes = Vec::new();
        encoder.encode(&change, Some((from, view)), to, encoding, &mut bytes);
        let position = at.index(bytes.len());
        bytes[position] ^= flip;
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let length = bytes.len();
        let Ok(frame) = decode_frame(bytes.into()) else { return Ok(()) };
        let mut held = mirror(from, view);
        for (kind, encoding, piece) in piece::pieces(&frame) {
            let model = Model::shipped();
            let context = context(to, Revision(0), &model);
            let read = piece::decode(kind, encoding, piece, frame.definitions.first(), Some(&held), context);
            if let Ok(change) = read {
                prop_assert!(change.cells.len() <= 64 + 32 * length);
                let _ = apply(&mut held, &change);
            }
        }
        // Whatever was applied, the digest that is kept up to date is the digest of what is held.
        let cells = held.cells(View::FULL);
        prop_assert_eq!(mirror(&held, View::FULL).digest(View::FULL), held.digest(View::FULL));
        prop_assert_eq!(mirror(&held, View::FULL).cells(View::FULL), cells);
    }

    #[test]
    fn a_delta_that_leads_a_frame_says_the_same(
        history in any_history(), a: Index, b: Index, view in any_view(),
        step in 0u64..1 << 53, sequence: u32, time_step in 0u64..1 << 40, is_sole: bool,
    ) {
        let [from, to] = history.pick([a, b]);
        let mut change = MarketDelta::default();
        diff(from, to, view, &mut change);
        let mut encoder = PieceEncoder::default();
        encoder.set_frame_time(to.published_ms());
        let mut bytes = Vec::new();
        let lead = encoder.encode(&change, Some((from, view)), to, Encoding::Compact, &mut bytes);
        let mut plain = Vec::new();
        encoder.encode(&change, Some((from, view)), to, Encoding::Plain, &mut plain);
        prop_assert!(bytes.len() <= plain.len());
        let Some(lead) = lead else { return Ok(()) };
        let mut frame = FrameBuilder::new();
        let head = LeadHead { step, sequence, time_step, is_sole };
        let model = encoder.model().clone();
        frame.lead_or_advance(&head, &lead, &bytes, &model, &mut LeadScratch::default());
        // And it is never longer than the plain frame.
        let mut plain_frame = FrameBuilder::new();
        plain_frame.advance(step, sequence, time_step);
        plain_frame.pieces(&plain);
        prop_assert!(frame.len() <= plain_frame.len(), "{} and {}", frame.len(), plain_frame.len());
        let frame = decode_frame(frame.finish()).unwrap();
        // A head that would be longer than a plain one is a plain one.
        let Some(string) = LeadBytes::of(&frame).unwrap() else { return Ok(()) };
        let reader = LeadReader::new(string.as_slice(), &model).unwrap();
        prop_assert_eq!(reader.head(), LeadHead { sequence: sequence % 4, ..head });
        prop_assert_eq!(reader.market(), (!is_sole).then(|| to.number()));
        let mut held = mirror(from, view);
        let delta = reader.delta(&held, to.revision(), to.published_ms() / TIME_STEP_MS).unwrap();
        prop_assert_eq!(apply(&mut held, &delta), Ok(()));
        prop_assert_eq!(held.digest(View::FULL), to.digest(view));
    }
}
