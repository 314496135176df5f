//! Figures of processes, from /proc. There are none on other systems than Linux.

use std::time::Duration;

/// CPU time and memory of a process at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProcessFigures {
    /// User and system time of all its threads.
    pub(crate) cpu: Duration,
    /// Resident memory, shared pages included.
    pub(crate) rss_bytes: u64,
}

/// Figures of a process; `None` when it is not there or may not be looked at.
pub(crate) fn figures(pid: u32) -> Option<ProcessFigures> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(ProcessFigures { cpu: cpu(&stat, ticks_per_second())?, rss_bytes: rss_bytes(&status)? })
}

/// Resident memory of this process.
pub(crate) fn own_rss_bytes() -> Option<u64> {
    rss_bytes(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// The command's name may hold spaces and brackets, so fields are counted from behind it: user and system time are
/// the 14th and 15th of all.
fn cpu(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let ticks = ticks()? + ticks()?;
    Some(Duration::from_micros(ticks * 1_000_000 / ticks_per_second.max(1)))
}

fn rss_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1_024)
}

#[cfg(target_os = "linux")]
fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

#[cfg(not(target_os = "linux"))]
fn ticks_per_second() -> u64 {
    100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 1 0 100 1 1";
        assert_eq!(cpu(stat, 100), Some(Duration::from_secs(2)));
        assert_eq!(rss_bytes("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2 << 20));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_figures() {
        let figures = figures(std::process::id()).unwrap();
        assert!(figures.rss_bytes > 1 << 20 && own_rss_bytes().unwrap() > 1 << 20);
        assert!(self::figures(u32::MAX).is_none());
    }
}
