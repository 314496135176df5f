//! File descriptors: every connection takes one.

use anyhow::bail;

/// Descriptors for everything but receivers: the standard three, event queues, the publisher, /proc.
const SPARE: u64 = 64;

/// Raises this process's limit of open files as far as it is needed and allowed.
///
/// # Errors
/// When that is not far enough; the message says what to do.
pub(crate) fn make_room_for(connections: usize) -> anyhow::Result<()> {
    let needed = connections as u64 + SPARE;
    let (soft, hard) = limits();
    if soft >= needed {
        return Ok(());
    }
    if hard >= needed && raise(needed, hard) {
        return Ok(());
    }
    bail!(
        "{connections} connections need {needed} open files, and this process may have {hard}; raise the limit with \
         `ulimit -Hn {needed}` as root or in /etc/security/limits.conf (for a service LimitNOFILE=), ask for fewer \
         --connections, or start several of these"
    )
}

#[cfg(unix)]
fn limits() -> (u64, u64) {
    let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    (limits.current.unwrap_or(u64::MAX), limits.maximum.unwrap_or(u64::MAX))
}

#[cfg(unix)]
fn raise(soft: u64, hard: u64) -> bool {
    let limits =
        rustix::process::Rlimit { current: Some(soft), maximum: Some(hard).filter(|&hard| hard < u64::MAX) };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limits).is_ok()
}

#[cfg(not(unix))]
fn limits() -> (u64, u64) {
    (u64::MAX, u64::MAX)
}

#[cfg(not(unix))]
fn raise(_: u64, _: u64) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_had_is_said_with_what_to_do() {
        make_room_for(1).unwrap();
        let (_, hard) = limits();
        if hard < 1 << 40 {
            let error = make_room_for(1 << 40).unwrap_err().to_string();
            assert!(error.contains("ulimit"), "{error}");
        }
    }
}
