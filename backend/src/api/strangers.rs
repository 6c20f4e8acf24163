//! How much of the log strangers may fill.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Refused requests without a valid token that are logged in a minute: enough to see that something is misconfigured,
/// and who floods the server does not flood the log.
const LOGGED_STRANGERS: u32 = 60;

const MINUTE: Duration = Duration::from_secs(60);

/// Counts refused requests without a valid token.
#[derive(Default)]
pub(super) struct Strangers(Mutex<Minute>);

#[derive(Default)]
struct Minute {
    begun: Option<Instant>,
    logged: u32,
    left_out: u64,
}

impl Strangers {
    /// Whether another such request is logged. Tells how many were not in the last minute that had some.
    pub(super) fn may_log(&self, now: Instant) -> bool {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.begun.is_none_or(|begun| now.saturating_duration_since(begun) >= MINUTE) {
            let last = std::mem::replace(&mut *minute, Minute { begun: Some(now), ..Minute::default() });
            if last.left_out > 0 {
                let requests = last.left_out;
                tracing::warn!(
                    requests,
                    "more requests without a valid token were refused than are logged in a minute"
                );
            }
        }
        let may = minute.logged < LOGGED_STRANGERS;
        if may {
            minute.logged += 1;
        } else {
            minute.left_out += 1;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{LOGGED_STRANGERS, MINUTE, Strangers};

    #[test]
    fn each_minute_has_room_for_some() {
        let (strangers, start) = (Strangers::default(), Instant::now());
        for now in [start, start + MINUTE] {
            let logged = (0..10_000).filter(|_| strangers.may_log(now)).count();
            assert_eq!(logged, LOGGED_STRANGERS as usize);
        }
    }
}
