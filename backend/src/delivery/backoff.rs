//! When to retry: exponential backoff with full jitter, so that what failed together is not retried together.

use std::time::Duration;

use crate::{clock::Timestamp, limits, random::Random};

/// The upper bound of the first wait.
const FIRST: Duration = Duration::from_secs(2);

/// The upper bound of all waits: how late an item may be after its destination recovers.
const LONGEST: Duration = limits::LONGEST_BACKOFF;

/// A random wait after `tries` consecutive failures (1 or more), at most `longest`.
pub fn wait(tries: u32, longest: Duration, random: &Random) -> Duration {
    let doubled = FIRST.saturating_mul(1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX));
    random.up_to(doubled.min(longest))
}

/// When to retry an item that has failed `tries` times in a row.
pub fn retry_at(now: Timestamp, tries: u32, random: &Random) -> Timestamp {
    now.after(wait(tries, LONGEST, random))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LONGEST, wait};
    use crate::random::Random;

    #[test]
    fn waits_double_up_to_the_longest() {
        let most = Random::new(|| u64::MAX - 1);
        for tries in 0..100 {
            assert!(wait(tries, LONGEST, &most) <= LONGEST);
        }
        let longest = |tries, seconds| {
            let end = Duration::from_secs(seconds);
            let last = u64::try_from(end.as_millis()).unwrap();
            assert_eq!(wait(tries, LONGEST, &Random::new(move || last)), end, "after {tries}");
        };
        longest(1, 2);
        longest(2, 4);
        longest(5, 32);
        longest(40, 600);
    }
}
