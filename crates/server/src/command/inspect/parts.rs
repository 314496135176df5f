//! The parts of a server's frame that are messages of their own, in words.

use bytes::Bytes;
use oddswire_model::{Digest, Epoch, MarketNumber, MarketStatus, Revision, View};
use oddswire_wire::proto::{self, ServerFrame};
use prost::{DecodeError, Message};

use super::Report;
use crate::command::changes::{Copies, printable};

/// Tells one part of a frame. Markets that leave are forgotten.
pub(super) fn tell(
    number: u32,
    content: Bytes,
    weight: usize,
    copies: &mut Copies,
    report: &mut Report,
) -> Result<(), DecodeError> {
    match number {
        1 => {
            let welcome = proto::Welcome::decode(content)?;
            let says = format!(
                "epoch {}, now at {}, heartbeat every {} ms, {}, session {}",
                Epoch(welcome.epoch),
                Revision(welcome.revision),
                welcome.heartbeat_interval_ms,
                welcome.encoding().as_str_name(),
                printable(&welcome.session)
            );
            report.part("welcome", weight, &says);
        }
        2 => {
            let beat = proto::Heartbeat::decode(content)?;
            let freshness = match beat.freshness_ms {
                Some(ms) => format!("producers vouched {ms} ms ago"),
                None => "no producer was ever heard".to_owned(),
            };
            let says = format!("{}, sequence {}, {freshness}", Revision(beat.revision), beat.sequence);
            report.part("heartbeat", weight, &says);
        }
        24 => {
            let subscribed = proto::Subscribed::decode(content)?;
            let says = format!(
                "number {}, rate {} ms, {} markets, {}{}",
                subscribed.subscription,
                subscribed.rate_ms,
                subscribed.markets,
                subscribed.resume().as_str_name(),
                if subscribed.ended { ", ended" } else { "" }
            );
            report.part("subscribed", weight, &says);
        }
        25 => {
            let error = proto::Error::decode(content)?;
            let says = format!("{}: {}", error.code().as_str_name(), printable(&error.message));
            report.part("error", weight, &says);
        }
        26 => {
            let drain = proto::Drain::decode(content)?;
            let says = format!("move; reconnect after {} ms", drain.reconnect_after_ms);
            report.part("drain", weight, &says);
        }
        8 => {
            let position = proto::Position::decode(content)?;
            let says = format!(
                "{}, sequence {}, for whoever holds {}",
                Revision(position.revision),
                position.sequence,
                Revision(position.since)
            );
            report.part("position", weight, &says);
        }
        9 => definition(&proto::Definition::decode(content)?, weight, report),
        18 => {
            let edge = proto::StatusEdge::decode(content)?;
            let status = MarketStatus::from_code(u64::from(edge.status))
                .map_or_else(|| format!("status {}", edge.status), |status| status.to_string());
            let says =
                format!("market {} read {status} at {}", MarketNumber(edge.market), Revision(edge.revision));
            report.part("status edge", weight, &says);
        }
        19 => digest(&proto::MarketDigest::decode(content)?, weight, copies, report),
        20 => {
            // Numbers of a packed list stand one behind the other.
            let frame = ServerFrame::decode(packed_removed(&content))?;
            let markets: Vec<_> =
                frame.removed.iter().map(|&market| MarketNumber(market).to_string()).collect();
            report.part("removed", weight, &format!("markets {}", markets.join(", ")));
            for market in frame.removed {
                copies.remove(MarketNumber(market));
            }
        }
        23 => report.part("compressed", weight, "definitions, compressed; what they say is taken in"),
        _ => report.part("unknown", weight, &format!("field {number} of a later version")),
    }
    Ok(())
}

fn digest(digest: &proto::MarketDigest, weight: usize, copies: &Copies, report: &mut Report) {
    let number = MarketNumber(digest.market);
    let verdict = match copies.get(number) {
        None => "the market is not held, so it cannot be checked".to_owned(),
        Some(market) => match market.digest(View::FULL) == Digest::from_u64(digest.digest) {
            true => "it agrees with what the frames given build".to_owned(),
            false => "it DIFFERS from what the frames given build".to_owned(),
        },
    };
    report.part("digest", weight, &format!("market {number} {:016x}: {verdict}", digest.digest));
}

fn definition(definition: &proto::Definition, weight: usize, report: &mut Report) {
    let id = match definition.id.as_str() {
        "" => String::new(),
        id => format!(" {}", printable(id)),
    };
    let says = format!(
        "market {}{id}, {} selections from number {}, {} attributes",
        MarketNumber(definition.market),
        definition.selections.len(),
        definition.first_selection,
        definition.attributes.len()
    );
    report.part("definition", weight, &says);
}

/// The list of removed markets as a frame of its own.
fn packed_removed(content: &Bytes) -> Bytes {
    let mut frame = vec![0xa2, 0x01];
    oddswire_wire::varint::write(&mut frame, content.len() as u64);
    frame.extend_from_slice(content);
    frame.into()
}
