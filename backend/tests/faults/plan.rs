//! The course of a case, derived from a seed, so that it can be repeated.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use rustix::process::Signal;

use crate::{
    fault::{Kind, Need},
    support::random::Random,
    world::DatabaseKind,
};

/// One fault of a case.
pub(crate) struct Part {
    pub(crate) kind: Kind,
    /// Measured from the moment when everything runs.
    pub(crate) start: Duration,
    pub(crate) lasts: Duration,
}

/// The plan of a case.
pub(crate) struct Plan {
    pub(crate) database: DatabaseKind,
    pub(crate) parts: Vec<Part>,
    pub(crate) destination: bool,
    /// How the server is stopped at the end.
    pub(crate) stop: Signal,
    /// For random choices outside the plan: the events sent, and where a fault strikes.
    pub(crate) random: Random,
}

/// The duration of a fault in a short run, unless it needs longer to take effect.
const SHORT: Duration = Duration::from_millis(2_500);

/// The latest start of a combination's last fault, in milliseconds.
const LAST_START: u64 = 3_000;

impl Plan {
    /// One fault alone.
    pub(crate) fn alone(kind: Kind, database: DatabaseKind, seed: u64, short: bool) -> Self {
        let mut random = Random::from_seed(seed);
        let shortest = Duration::from_millis(*kind.combined.start()).max(SHORT);
        let lasts = if short { shortest.min(kind.alone) } else { kind.alone };
        let part = Part { kind, start: Duration::ZERO, lasts };
        let (destination, stop) = Self::ends(&mut random);
        Self { database, parts: vec![part], destination, stop, random }
    }

    /// Two or three of `kinds` at random times, overlapping or one after the other; at least one has `only` in its
    /// name.
    pub(crate) fn combination(mut kinds: Vec<Kind>, database: DatabaseKind, seed: u64, only: &str) -> Self {
        let mut random = Random::from_seed(seed);
        let count = 2 + random.below(2);
        let mut parts: Vec<Part> = Vec::new();
        while u64::try_from(parts.len()).unwrap_or(u64::MAX) < count && !kinds.is_empty() {
            let kind = kinds.swap_remove(usize::try_from(random.below(kinds.len() as u64)).unwrap_or(0));
            let fits = if parts.is_empty() { kind.name.contains(only) } else { true };
            if !fits || parts.iter().any(|part| part.kind.excludes(&kind)) {
                continue;
            }
            let (shortest, longest) = (*kind.combined.start(), *kind.combined.end());
            let lasts = Duration::from_millis(shortest + random.below(longest - shortest + 1));
            parts.push(Part { kind, start: Duration::from_millis(random.below(LAST_START)), lasts });
        }
        parts.sort_by_key(|part| part.start);
        let (destination, stop) = Self::ends(&mut random);
        Self { database, parts, destination, stop, random }
    }

    fn ends(random: &mut Random) -> (bool, Signal) {
        (random.below(2) == 0, if random.below(2) == 0 { Signal::TERM } else { Signal::KILL })
    }

    /// What its world must provide.
    pub(crate) fn needs(&self) -> Vec<Need> {
        self.parts.iter().flat_map(|part| part.kind.needs).copied().collect()
    }

    /// A loopback address that no other case on this machine uses, so that a restarted server finds it free.
    pub(crate) fn address() -> SocketAddr {
        let [a, b, c, ..] = getrandom::u32().unwrap_or_default().to_le_bytes();
        SocketAddr::from((Ipv4Addr::new(127, a | 1, b, c.clamp(1, 254)), 8_001))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.database)?;
        for (index, Part { kind, start, lasts }) in self.parts.iter().enumerate() {
            let and = if index > 0 { " + " } else { "" };
            let (start, end) = (start.as_secs_f32(), (*start + *lasts).as_secs_f32());
            write!(f, "{and}{} ({start:.1}–{end:.1} s)", kind.name)?;
        }
        let stop = if self.stop == Signal::KILL { "kill -9" } else { "stopped" };
        write!(f, "; {stop}{}", if self.destination { ", with a destination" } else { "" })
    }
}
