//! The time, passed in, so that tests decide it.
//!
//! The server's time is steady: it advances by the monotonic clock, and is only corrected by what [`judge`] finds, so that a step of
//! the machine's clock changes nothing. `crate::timekeeper` looks at the clocks for it.

pub mod judge;
pub(crate) mod steady;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, SecondsFormat, Utc};

pub use judge::{ClockSource, Doubt};
use steady::Steady;

use crate::limits;

/// Tells the time. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<ClockKind>);

enum ClockKind {
    Told(Box<dyn Fn() -> Timestamp + Send + Sync>),
    Steady(Steady),
}

/// What is known of the time, beside the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockStanding {
    /// Why it is not agreed; none when it is.
    pub doubt: Option<Doubt>,
    /// By how many milliseconds the machine's clock is ahead of ours; less than 0: behind.
    pub machine_ahead_ms: i64,
}

impl Clock {
    /// The machine's clock, with all its steps.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn system() -> Self {
        Self::from_fn(|| Timestamp(Utc::now().timestamp_millis()))
    }

    /// A clock that begins with the machine's and then knows no step but those that it is told of.
    pub fn steady() -> Self {
        let began = Instant::now();
        Self(Arc::new(ClockKind::Steady(Steady::new(Self::system().now(), move || began.elapsed()))))
    }

    /// A clock that somebody else decides.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(ClockKind::Told(Box::new(now))))
    }

    /// Unix milliseconds.
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            ClockKind::Told(now) => now(),
            ClockKind::Steady(steady) => steady.now(),
        }
    }

    /// Whether the time is agreed: if not, nothing is done that depends on it and cannot be undone.
    pub fn is_agreed(&self) -> bool {
        self.standing().doubt.is_none()
    }

    /// What is known of the time. A clock that is not steady is believed.
    pub fn standing(&self) -> ClockStanding {
        self.as_steady().map_or_else(ClockStanding::default, Steady::standing)
    }

    /// Notes what somebody else says that the time is.
    pub fn hear(&self, source: ClockSource, time: Timestamp) {
        if let Some(steady) = self.as_steady() {
            steady.hear(source, time);
        }
    }

    /// The same clock, for whoever keeps it; none when it is not steady.
    pub(crate) fn as_steady(&self) -> Option<&Steady> {
        match &*self.0 {
            ClockKind::Told(_) => None,
            ClockKind::Steady(steady) => Some(steady),
        }
    }
}

/// In milliseconds; the longest when there are too many of them.
pub(crate) fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// A moment by the backend's clock, in Unix milliseconds; shown as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment this much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The moment this much earlier.
    #[must_use]
    pub fn before(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long it is from `earlier` until this moment; nothing when it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Whether `interval` has passed since `earlier`. A moment that lies ahead was written by a clock that was wrong: it counts as long ago.
    pub fn is_past(self, earlier: Self, interval: Duration) -> bool {
        self.since(earlier) >= interval || earlier > self.after(limits::CLOCK_SLACK)
    }

    /// Whether this is the end of a time that is over now, and that never is longer than `longest`: one that lies further ahead was
    /// written by a clock that was wrong.
    pub fn is_over(self, now: Self, longest: Duration) -> bool {
        self <= now || self > now.after(longest).after(limits::CLOCK_SLACK)
    }

    /// The same moment, as other crates know it; 1970 when they don't reach so far.
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }

    /// As in `2026-11-22T11:14:24.123Z`.
    pub fn to_rfc3339(self) -> String {
        self.to_utc().to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// Reads RFC 3339 with any offset.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|time| Self(time.timestamp_millis()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Timestamp;

    #[test]
    fn a_moment_far_ahead_holds_nothing_up() {
        let (now, minute) = (Timestamp(1_795_335_000_000), Duration::from_secs(60));
        let decade = now.after(minute * 60 * 24 * 3_650);
        assert!(!now.after(minute).is_over(now, minute) && now.is_over(now, minute) && decade.is_over(now, minute));
        assert!(now.is_past(now.before(minute), minute) && !now.is_past(now, minute) && now.is_past(decade, minute));
        // The clocks of two processes are never quite equal.
        assert!(!now.after(minute * 2).is_over(now, minute) && !now.is_past(now.after(minute), minute));
    }

    #[test]
    fn rfc_3339_there_and_back() {
        let time = Timestamp::from_rfc3339("2026-11-22T12:14:24.123+01:00").unwrap();
        assert_eq!(time.to_rfc3339(), "2026-11-22T11:14:24.123Z");
        assert!(Timestamp::from_rfc3339("yesterday").is_none());
    }
}
