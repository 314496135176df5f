//! The summary as a text that people read.

use std::fmt;

use crate::{
    summary::{LatencyClock, Round, Summary},
    tally::Distribution,
};

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { load, connections, total, .. } = self;
        writeln!(
            f,
            "{}, {} receivers, {} of {} markets each, {}, {}",
            load.url, connections.wanted, load.markets_each, load.markets, load.mix, load.encoding
        )?;
        writeln!(
            f,
            "{} verify, {} slow, {} stuck; everything there after {} (median), {} (last)",
            connections.verifiers,
            connections.slow,
            connections.stuck,
            time(connections.synced.p50_us),
            time(connections.synced.max_us),
        )?;
        if let Some(publisher) = &self.publisher {
            writeln!(
                f,
                "published {} changes, {:.0}/s of {} markets, {} suspensions; acknowledged in {} (median), {} (99 %)",
                publisher.updates,
                publisher.updates_per_s,
                publisher.markets,
                publisher.suspends,
                time(publisher.acknowledged.p50_us),
                time(publisher.acknowledged.p99_us),
            )?;
        }
        writeln!(f)?;
        latencies(f, self)?;
        writeln!(f)?;
        traffic(f, total)?;
        if self.rounds.len() > 1 {
            writeln!(f)?;
            rounds(f, &self.rounds)?;
        }
        if !self.storms.is_empty() {
            writeln!(f)?;
            storms(f, self)?;
        }
        writeln!(f)?;
        processes(f, self)?;
        writeln!(f)?;
        verdict(f, self)
    }
}

fn latencies(f: &mut fmt::Formatter<'_>, summary: &Summary) -> fmt::Result {
    let name = match summary.latency_clock {
        LatencyClock::Commit => "commit to applied",
        LatencyClock::Frame => "by the frame's clock",
    };
    writeln!(
        f,
        "{name:24}{:>12}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "count", "p50", "p90", "p99", "p99.9", "max"
    )?;
    let mut row = |name: &str, latency: &Distribution| {
        if latency.count == 0 {
            return Ok(());
        }
        writeln!(
            f,
            "{name:24}{:>12}{:>10}{:>10}{:>10}{:>10}{:>10}",
            latency.count,
            time(latency.p50_us),
            time(latency.p90_us),
            time(latency.p99_us),
            time(latency.p99_9_us),
            time(latency.max_us)
        )
    };
    let total = &summary.total;
    for kind in &total.latency_by_kind {
        row(&format!("  {}", kind.kind), &kind.latency)?;
    }
    row("  all", &total.latency)?;
    row("  status changes", &total.status_latency)?;
    row("  verifiers", &total.verifier_latency)?;
    row("  slow readers", &total.slow_latency)?;
    row("reconnect to everything", &total.resynced)
}

fn traffic(f: &mut fmt::Formatter<'_>, total: &Round) -> fmt::Result {
    let counts = &total.counts;
    writeln!(f, "{:24}{:>12}{:>14}", "received", "total", "per second")?;
    for (name, count, per_s) in
        [("  frames", counts.frames, total.frames_per_s), ("  updates", counts.updates, total.updates_per_s)]
    {
        writeln!(f, "{name:24}{count:>12}{per_s:>14.0}")?;
    }
    writeln!(f, "{:24}{:>12}{:>14}", "  bytes", bytes(counts.bytes as f64), bytes(total.bytes_per_s))?;
    for (name, count) in [
        ("  snapshots", counts.snapshots),
        ("  caught up for slowness", counts.conflated_receiver_slow),
        ("  server was late", counts.conflated_server_slow),
        ("  resumed", counts.resumed),
        ("  resumed too late", counts.resumed_too_late),
        ("  connections cut here", counts.connections_cut),
        ("  connections lost", counts.connections_lost),
        ("  connects failed", counts.connects_failed),
    ] {
        if count > 0 {
            writeln!(f, "{name:24}{count:>12}")?;
        }
    }
    Ok(())
}

fn rounds(f: &mut fmt::Formatter<'_>, rounds: &[Round]) -> fmt::Result {
    writeln!(
        f,
        "{:24}{:>12}{:>10}{:>10}{:>14}{:>16}",
        "round", "updates/s", "p50", "p99", "status p99", "server/frame"
    )?;
    for (at, round) in rounds.iter().enumerate() {
        writeln!(
            f,
            "  {:<22}{:>12.0}{:>10}{:>10}{:>14}{:>16}",
            at + 1,
            round.updates_per_s,
            time(round.latency.p50_us),
            time(round.latency.p99_us),
            optional(Some(round.status_latency.p99_us).filter(|&us| us > 0), time),
            optional(round.server_cpu_per_frame_us, |us| format!("{us:.2} us")),
        )?;
    }
    Ok(())
}

fn storms(f: &mut fmt::Formatter<'_>, summary: &Summary) -> fmt::Result {
    writeln!(
        f,
        "{:24}{:>12}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "all cut at once", "cut", "50 %", "90 %", "99 %", "100 %", "missing"
    )?;
    for storm in &summary.storms {
        let ms = |ms: Option<f64>| optional(ms, |ms| time((ms * 1_000.0) as u64));
        writeln!(
            f,
            "{:24}{:>12}{:>10}{:>10}{:>10}{:>10}{:>10}",
            format!("  round {} at {:.0} s", storm.round, storm.at_s),
            storm.cut,
            ms(storm.fresh_50_percent_ms),
            ms(storm.fresh_90_percent_ms),
            ms(storm.fresh_99_percent_ms),
            ms(storm.fresh_100_percent_ms),
            storm.missing
        )?;
    }
    Ok(())
}

fn processes(f: &mut fmt::Formatter<'_>, summary: &Summary) -> fmt::Result {
    let total = &summary.total;
    if let Some(server) = &summary.server {
        writeln!(
            f,
            "server     {} of CPU in {:.1} s: {} per frame, {} per update",
            optional(total.server_cpu_s, |s| format!("{s:.2} s")),
            total.duration_s,
            optional(total.server_cpu_per_frame_us, |us| format!("{us:.2} us")),
            optional(total.server_cpu_per_update_us, |us| format!("{us:.2} us")),
        )?;
        writeln!(
            f,
            "           {} resident before, {} connected ({} per connection), {} at the end",
            bytes(server.rss_before_bytes as f64),
            bytes(server.rss_connected_bytes as f64),
            grown(server.rss_per_connection_bytes),
            bytes(server.rss_after_bytes as f64),
        )?;
    }
    writeln!(
        f,
        "this tool  {} of CPU, threads busy {:.0} % and {:.0} % (verifiers)",
        optional(total.client_cpu_s, |s| format!("{s:.2} s")),
        total.client_busy_percent,
        total.verifiers_busy_percent,
    )?;
    writeln!(
        f,
        "           {} resident per light receiver, {} per verifier, {} in all",
        grown(summary.client.rss_per_connection_bytes),
        grown(summary.client.rss_per_verifier_bytes),
        bytes(summary.client.rss_after_bytes as f64),
    )
}

fn verdict(f: &mut fmt::Formatter<'_>, summary: &Summary) -> fmt::Result {
    let checked = &summary.verification;
    writeln!(
        f,
        "checked    {} digests, {} gaps, {} end states against the scout's, {} markets against what was published",
        checked.digests_checked,
        checked.gaps,
        checked.end_states_compared,
        checked.published_markets_compared,
    )?;
    for said in &summary.server_said {
        writeln!(f, "heard      {} x {}", said.count, said.sentence)?;
    }
    for warning in &summary.warnings {
        writeln!(f, "note       {warning}")?;
    }
    for failure in &summary.failures {
        writeln!(f, "WRONG      {failure}")?;
    }
    let ending = if summary.interrupted { ", stopped early" } else { "" };
    write!(f, "{}{ending}", if summary.ok { "everything agrees" } else { "NOT ok" })
}

fn optional<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

/// A time with three digits or so.
pub(crate) fn time(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} us"),
        1_000..10_000 => format!("{:.2} ms", us as f64 / 1e3),
        10_000..1_000_000 => format!("{:.1} ms", us as f64 / 1e3),
        _ => format!("{:.2} s", us as f64 / 1e6),
    }
}

fn bytes(bytes: f64) -> String {
    match bytes {
        0.0..10e3 => format!("{bytes:.0} B"),
        10e3..10e6 => format!("{:.1} kB", bytes / 1e3),
        10e6..10e9 => format!("{:.1} MB", bytes / 1e6),
        _ => format!("{:.1} GB", bytes / 1e9),
    }
}

/// What each of some receivers added to a process's memory. Few receivers fit into memory that was there already.
fn grown(each: u64) -> String {
    optional(Some(each as f64).filter(|&each| each > 0.0), bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_units_that_fit() {
        assert_eq!([7, 1_500, 15_000, 2_500_000].map(time), ["7 us", "1.50 ms", "15.0 ms", "2.50 s"]);
        assert_eq!([7.0, 15e3, 25e6, 3e10].map(bytes), ["7 B", "15.0 kB", "25.0 MB", "30.0 GB"]);
    }
}
