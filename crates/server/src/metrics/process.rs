//! Figures of this process, from /proc. There are none on other systems than Linux.

/// What the system says about this process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ProcessFigures {
    /// User and system time of all threads.
    pub(super) cpu_seconds: f64,
    pub(super) resident_bytes: f64,
    pub(super) virtual_bytes: f64,
    pub(super) threads: f64,
    pub(super) open_fds: f64,
    pub(super) max_fds: f64,
    /// Seconds since 1970 in UTC.
    pub(super) start_time_seconds: f64,
}

#[cfg(not(target_os = "linux"))]
pub(super) fn figures() -> Option<ProcessFigures> {
    None
}

/// `None` when /proc is not there or looks different.
#[cfg(target_os = "linux")]
pub(super) fn figures() -> Option<ProcessFigures> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let stat = read("/proc/self/stat")?;
    // The command's name may hold spaces and brackets, so fields are counted from behind it, where the third begins.
    let (_, behind_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = behind_name.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
    let booted = read("/proc/stat")?
        .lines()
        .find_map(|line| line.strip_prefix("btime ")?.trim().parse::<f64>().ok())?;
    let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    Some(ProcessFigures {
        cpu_seconds: (field(14)? + field(15)?) / ticks_per_second,
        threads: field(20)?,
        start_time_seconds: booted + field(22)? / ticks_per_second,
        virtual_bytes: field(23)?,
        resident_bytes: field(24)? * rustix::param::page_size() as f64,
        // The folder is opened to be counted.
        open_fds: std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as f64,
        max_fds: limits.current.map_or(f64::INFINITY, |max| max as f64),
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_figures_that_can_be() {
        let figures = figures().unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!(
            figures.resident_bytes > 1e6 && figures.virtual_bytes >= figures.resident_bytes,
            "{figures:?}"
        );
        assert!((3.0..figures.max_fds).contains(&figures.open_fds), "{figures:?}");
        assert!((now - 3_600.0..now + 2.0).contains(&figures.start_time_seconds), "{figures:?} {now}");
        assert!(figures.threads >= 1.0 && figures.cpu_seconds < 3_600.0, "{figures:?}");
    }
}
