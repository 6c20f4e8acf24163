//! File descriptors: each connection takes one, and so do the database, its files and the log.

use std::fs;

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::limits;

/// The process may open too few files to work.
#[derive(Debug, thiserror::Error)]
#[error(
    "this process may open {0} files at a time, and needs at least {least}; raise the limit: LimitNOFILE= of a systemd \
     unit, --ulimit nofile= of a container, or ulimit -n of a shell",
    least = limits::LEAST_DESCRIPTORS
)]
pub struct TooFewDescriptors(u64);

/// Raises the limit as far as the process may, because the usual soft one is for programs of another time. Fails if that
/// is too low.
pub fn raise() -> Result<(), TooFewDescriptors> {
    let Some((soft, hard)) = allowed() else { return Ok(()) };
    if soft != hard {
        // Where this is forbidden, the process works with what it has.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard });
    }
    match soft_limit() {
        Some(soft) if soft < u64::from(limits::LEAST_DESCRIPTORS) => Err(TooFewDescriptors(soft)),
        _ => Ok(()),
    }
}

/// How many files the process may have open; none if that is unlimited or unknown.
pub fn soft_limit() -> Option<u64> {
    allowed()?.0
}

/// How many clients may be connected at a time, with so many deliveries at a time, each of which may take a connection.
pub fn for_clients(deliveries: u16) -> u32 {
    let own = u64::from(limits::OWN_DESCRIPTORS) + u64::from(deliveries);
    let least = limits::LEAST_DESCRIPTORS - limits::OWN_DESCRIPTORS;
    let left = soft_limit().unwrap_or(u64::MAX).saturating_sub(own);
    u32::try_from(left).unwrap_or(u32::MAX).clamp(least, limits::CONNECTIONS)
}

/// The soft and the hard limit. Read from a file, because the call for it may be forbidden like the one that raises it,
/// and `rustix` does not expect that.
fn allowed() -> Option<(Option<u64>, Option<u64>)> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let mut numbers = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace();
    // Unlimited is a word.
    let mut next = || numbers.next().map(|number| number.parse().ok());
    Some((next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::{for_clients, soft_limit};
    use crate::limits;

    #[test]
    fn clients_do_not_take_all_of_them() {
        let limit = soft_limit().expect("a limit in /proc/self/limits");
        assert!(u64::from(for_clients(8)) < limit);
        assert!(for_clients(u16::MAX) >= limits::LEAST_DESCRIPTORS - limits::OWN_DESCRIPTORS);
    }
}
