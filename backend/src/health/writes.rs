//! Whether the last writes succeeded.

use std::time::{Duration, Instant};

use crate::store::Cause;

/// Whether this process's writes succeed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteHealth {
    failing: Option<WriteFailure>,
}

/// When writes started to fail without a success since, and why the last one did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteFailure {
    /// By the monotonic clock.
    pub since: Instant,
    /// Why the last write failed.
    pub cause: Cause,
}

impl WriteHealth {
    /// Records the result of a write.
    pub fn note(&mut self, result: Result<(), Cause>, now: Instant) {
        self.failing = match (result, self.failing) {
            (Ok(()), _) => None,
            (Err(cause), None) => Some(WriteFailure { since: now, cause }),
            // A write waiting behind a failing one gets no connection; the failing one's cause says more.
            (Err(Cause::NoConnection), Some(before)) => Some(before),
            (Err(cause), Some(WriteFailure { since, .. })) => Some(WriteFailure { since, cause }),
        };
    }

    /// The failure; none if the last write succeeded, or there was none.
    pub fn failing(&self) -> Option<WriteFailure> {
        self.failing
    }

    /// Why and for how long all writes have failed, if that is at least `patience`.
    pub fn failing_for(&self, patience: Duration, now: Instant) -> Option<(Cause, Duration)> {
        let WriteFailure { since, cause } = self.failing?;
        let time = now.saturating_duration_since(since);
        (time >= patience).then_some((cause, time))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Cause, WriteHealth};

    #[test]
    fn writes_fail_since_the_first_of_a_row() {
        let (start, second, mut health) = (Instant::now(), Duration::from_secs(1), WriteHealth::default());
        health.note(Err(Cause::Locked), start);
        health.note(Err(Cause::NoConnection), start + second);
        assert_eq!(
            health.failing_for(second, start + second),
            Some((Cause::Locked, second)),
            "the first cause says \
                                                                                               more"
        );
        assert_eq!(health.failing_for(second * 2, start + second), None, "not for so long yet");
        health.note(Err(Cause::DiskFull), start + second * 2);
        assert_eq!(health.failing_for(second, start + second * 2), Some((Cause::DiskFull, second * 2)));
        health.note(Ok(()), start + second * 3);
        assert_eq!((health.failing(), health.failing_for(Duration::ZERO, start + second * 3)), (None, None));
        health.note(Err(Cause::NoConnection), start + second * 4);
        assert_eq!(health.failing_for(second, start + second * 4), None, "it starts over");
    }
}
