//! Every figure: its name with the unit last, what it means, and where it comes from.

use std::fmt::Display;

use oddswire_gateway::DisconnectCause;
use oddswire_session::ReconnectCause;
use oddswire_wire::limits::DELAY_BOUNDS_MS;

use super::{
    exposition::{Exposition, Kind, Kind::Counter, Kind::Gauge},
    process::ProcessFigures,
};
use crate::{engine::Report, engine_metrics::BUCKETS_US};

/// Name, kind, meaning, source.
type Figure<T, V> = (&'static str, Kind, &'static str, fn(&T) -> V);

/// Figures of the engine.
#[rustfmt::skip] // A line each, so that the list can be read as one.
const ENGINE: &[Figure<Report, u64>] = &[
    ("oddswire_feed_revision", Gauge, "Revision of the last commit; begins anew with the feed's log.", |r| r.revision.0),
    ("oddswire_feed_markets", Gauge, "Markets held.", |r| r.markets as u64),
    ("oddswire_gateway_connections", Gauge, "Connections of clients.", |r| r.connections as u64),
    ("oddswire_gateway_connections_behind", Gauge, "Connections that take nothing now and will get a catch-up.", |r| r.behind as u64),
    ("oddswire_gateway_groups", Gauge, "Sets of connections with the same subscriptions.", |r| r.groups as u64),
    ("oddswire_fanout_flushes_total", Counter, "Flushes that sent something.", |r| r.fanout.flushes),
    ("oddswire_fanout_urgent_flushes_total", Counter, "Flushes made at once because a status changed.", |r| r.fanout.urgent),
    ("oddswire_fanout_pieces_total", Counter, "Changes of one market in one view that were encoded.", |r| r.fanout.pieces),
    ("oddswire_fanout_pieces_bytes_total", Counter, "Bytes of those pieces.", |r| r.fanout.piece_bytes),
    ("oddswire_fanout_frames_total", Counter, "Frames handed out, counted once per receiver.", |r| r.gateway.shards.frames),
    ("oddswire_fanout_frames_bytes_total", Counter, "Bytes of those frames, without WebSocket headers.", |r| r.gateway.shards.frame_bytes),
    ("oddswire_fanout_snapshots_total", Counter, "Snapshots of markets that were encoded.", |r| r.fanout.snapshots),
    ("oddswire_fanout_catch_ups_total", Counter, "Catch-ups for receivers that were not live.", |r| r.fanout.catch_ups),
    ("oddswire_fanout_catch_ups_bytes_total", Counter, "Bytes of those catch-ups, their snapshots included.", |r| r.fanout.catch_up_bytes),
    ("oddswire_fanout_catch_up_pieces_shared_total", Counter, "Pieces of catch-ups that another receiver's served.", |r| r.fanout.catch_ups_shared),
    ("oddswire_fanout_fell_behind_total", Counter, "Times a receiver fell behind because its socket was full.", |r| r.fanout.fell_behind),
    ("oddswire_fanout_frames_built_total", Counter, "Frames put together, once per group.", |r| r.gateway.shards.frames_built),
    ("oddswire_fanout_conflated_asked_total", Counter, "Frames handed out in which changes became one because a rate was asked for.", |r| r.gateway.shards.conflated_asked),
    ("oddswire_fanout_conflated_receiver_slow_total", Counter, "Catch-ups that say that the receiver was slow.", |r| r.fanout.conflated_receiver_slow),
    ("oddswire_fanout_conflated_server_slow_total", Counter, "Frames handed out in which changes became one because the flush was late.", |r| r.gateway.shards.conflated_server_slow),
    ("oddswire_gateway_accepted_total", Counter, "Connections taken.", |r| r.gateway.accepted),
    ("oddswire_gateway_connections_unsent", Gauge, "Connections whose socket has not taken everything.", |r| r.gateway.unsent),
    ("oddswire_gateway_writes_total", Counter, "Calls that hand bytes to the kernel.", |r| r.gateway.writes),
    ("oddswire_gateway_written_bytes_total", Counter, "Bytes that the kernel took.", |r| r.gateway.bytes_written),
    ("oddswire_gateway_messages_total", Counter, "Messages of clients.", |r| r.gateway.messages),
    ("oddswire_gateway_shards_cpu_microseconds_total", Counter, "Processor time of the threads that own the sockets.", |r| r.gateway.cpu.as_micros() as u64),
    ("oddswire_fanout_groups_flushed_total", Counter, "Groups there were, added up over all flushes.", |r| r.groups_flushed),
    ("oddswire_fanout_resumes_total", Counter, "Subscriptions resumed from a cursor.", |r| r.fanout.resumes),
    ("oddswire_fanout_resyncs_total", Counter, "Markets sent again because what a client held did not fit.", |r| r.fanout.resyncs),
    ("oddswire_fanout_closed_for_cause_total", Counter, "Connections closed for what the client did or did not do.", |r| r.fanout.closed_for_cause),
    ("oddswire_client_reports_total", Counter, "Telemetry reports of clients. What they say stands in the figures below; clients are not trusted, so it is no more than a hint.", |r| r.fanout.reports),
    ("oddswire_client_reports_refused_total", Counter, "Reports that came too often or could not be read.", |r| r.fanout.reports_refused),
    ("oddswire_client_connections_total", Counter, "Connections that clients say they have made.", |r| r.telemetry.connections),
    ("oddswire_client_failed_attempts_total", Counter, "Attempts of clients to connect that came to nothing.", |r| r.telemetry.failed_attempts),
    ("oddswire_client_resumes_total", Counter, "Subscriptions that clients have resumed with a catch-up.", |r| r.telemetry.resumes),
    ("oddswire_client_gaps_total", Counter, "Times that clients have missed frames.", |r| r.telemetry.gaps),
    ("oddswire_client_resyncs_total", Counter, "Markets that clients have asked for again.", |r| r.telemetry.resyncs),
    ("oddswire_client_digest_mismatches_total", Counter, "Digests that did not agree. Anything above 0 is a defect.", |r| r.telemetry.digest_mismatches),
    ("oddswire_client_frames_refused_total", Counter, "Frames that clients could not use.", |r| r.telemetry.frames_refused),
];

/// Figures of the process, under the names that every Prometheus client uses.
#[rustfmt::skip] // As above.
const PROCESS: &[Figure<ProcessFigures, f64>] = &[
    ("process_cpu_seconds_total", Counter, "User and system CPU time.", |p| p.cpu_seconds),
    ("process_resident_memory_bytes", Gauge, "Resident memory.", |p| p.resident_bytes),
    ("process_virtual_memory_bytes", Gauge, "Virtual memory.", |p| p.virtual_bytes),
    ("process_threads", Gauge, "Threads.", |p| p.threads),
    ("process_open_fds", Gauge, "Open file descriptors.", |p| p.open_fds),
    ("process_max_fds", Gauge, "Most file descriptors that may be open.", |p| p.max_fds),
    ("process_start_time_seconds", Gauge, "When the process started, since 1970 in UTC.", |p| p.start_time_seconds),
];

const DISCONNECTS: &str = "oddswire_gateway_disconnects_total";
const FLUSH: &str = "oddswire_fanout_flush_seconds";
const RECONNECTS: &str = "oddswire_client_reconnects_total";
const BUILD: &str = "oddswire_build_info";

/// The answer to a scraper.
pub(super) fn write(report: &Report, process: Option<&ProcessFigures>) -> String {
    let mut out = Exposition::default();
    out.figure(BUILD, Gauge, "Always 1; the label says which version this is.");
    out.labelled(BUILD, "version", env!("CARGO_PKG_VERSION"), 1);
    add(&mut out, ENGINE, report);
    out.histogram(
        FLUSH,
        "Time of a flush, from the changes to their hand-over to the shards.",
        BUCKETS_US.iter().map(|&edge_us| edge_us as f64 / 1e6),
        &report.flush.counts,
        report.flush.sum.as_secs_f64(),
    );
    out.figure(DISCONNECTS, Counter, "Connections that have ended, by cause.");
    for (cause, &count) in DisconnectCause::ALL.into_iter().zip(&report.disconnects) {
        out.labelled(DISCONNECTS, "cause", cause_name(cause), count);
    }
    out.figure(
        RECONNECTS,
        Counter,
        "Connections that clients had to make again, by why the one before ended.",
    );
    for (cause, &count) in ReconnectCause::ALL.into_iter().zip(&report.telemetry.reconnects) {
        out.labelled(RECONNECTS, "cause", cause.as_str(), count);
    }
    for (name, help, delays) in [
        (
            "oddswire_client_apply_delay_seconds",
            "From publishing to applying at clients, each frame with changes; by clocks set by heartbeats.",
            &report.telemetry.apply_delay,
        ),
        (
            "oddswire_client_staleness_seconds",
            "How long prices were not live at clients, each time that they stopped being live.",
            &report.telemetry.staleness,
        ),
    ] {
        let bounds = DELAY_BOUNDS_MS.iter().map(|&bound_ms| bound_ms as f64 / 1e3);
        out.histogram(name, help, bounds, &delays.counts, delays.sum_ms as f64 / 1e3);
    }
    if let Some(process) = process {
        add(&mut out, PROCESS, process);
    }
    out.finish()
}

fn add<T, V: Display>(out: &mut Exposition, figures: &[Figure<T, V>], source: &T) {
    for (name, kind, help, value) in figures {
        out.figure(name, *kind, help);
        out.sample(name, value(source));
    }
}

fn cause_name(cause: DisconnectCause) -> &'static str {
    match cause {
        DisconnectCause::Closed => "closed",
        DisconnectCause::Gone => "gone",
        DisconnectCause::Protocol => "protocol",
        DisconnectCause::ControlFlood => "control_flood",
        DisconnectCause::Server => "server",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_are() {
        let all = ENGINE.iter().map(|(name, kind, help, _)| (name, kind, help));
        let all = all.chain(PROCESS.iter().map(|(name, kind, help, _)| (name, kind, help)));
        let mut seen = std::collections::HashSet::new();
        for (name, kind, help) in all {
            assert!(seen.insert(*name), "{name} stands there twice");
            assert_eq!(name.ends_with("_total"), *kind == Counter, "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert!(help.ends_with('.'), "{name}");
        }
    }
}
