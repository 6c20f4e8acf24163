//! The time, passed in so that tests can set it.
//!
//! The server's time is steady: it follows the monotonic clock and is only corrected by what [`judge`] decides, so that
//! a step of the machine's clock changes nothing. `crate::timekeeper` reads the clocks for it.

pub mod judge;
pub(crate) mod steady;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, SecondsFormat, Utc};

pub use judge::{ClockSource, Disagreement};
use steady::Steady;

use crate::limits;

/// Tells the time. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<ClockKind>);

enum ClockKind {
    Function(Box<dyn Fn() -> Timestamp + Send + Sync>),
    Steady(Steady),
}

/// What is known about the time, besides the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockStatus {
    /// Why the time is not agreed; none when it is.
    pub disagreement: Option<Disagreement>,
    /// How far the machine's clock is ahead of ours, in milliseconds; negative when behind.
    pub machine_ahead_ms: i64,
}

impl Clock {
    /// The machine's clock, including its steps.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn system() -> Self {
        Self::from_fn(|| Timestamp(Utc::now().timestamp_millis()))
    }

    /// A clock that starts at the machine's time, and then only steps when it is corrected.
    pub fn steady() -> Self {
        let began = Instant::now();
        Self(Arc::new(ClockKind::Steady(Steady::new(Self::system().now(), move || began.elapsed()))))
    }

    /// A clock that a function sets.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(ClockKind::Function(Box::new(now))))
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            ClockKind::Function(now) => now(),
            ClockKind::Steady(steady) => steady.now(),
        }
    }

    /// Whether the time is agreed. If not, nothing that depends on it and cannot be undone is done.
    pub fn is_agreed(&self) -> bool {
        self.status().disagreement.is_none()
    }

    /// What is known about the time. A clock that is not steady is trusted.
    pub fn status(&self) -> ClockStatus {
        self.as_steady().map_or_else(ClockStatus::default, Steady::status)
    }

    /// Records the time that another source reports.
    pub fn add_reading(&self, source: ClockSource, time: Timestamp) {
        if let Some(steady) = self.as_steady() {
            steady.add_reading(source, time);
        }
    }

    /// The steady clock, for its keeper; none when this clock is not steady.
    pub(crate) fn as_steady(&self) -> Option<&Steady> {
        match &*self.0 {
            ClockKind::Function(_) => None,
            ClockKind::Steady(steady) => Some(steady),
        }
    }
}

/// Converts to milliseconds, saturating.
pub(crate) fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// A time by the backend's clock, in Unix milliseconds; shown as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The time this much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The time this much earlier.
    #[must_use]
    pub fn before(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The time elapsed since `earlier`; zero if that is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Whether `interval` has passed since `earlier`. If `earlier` lies in the future, a wrong clock wrote it: it
    /// counts as long ago.
    pub fn is_past(self, earlier: Self, interval: Duration) -> bool {
        self.since(earlier) >= interval || earlier > self.after(limits::CLOCK_SLACK)
    }

    /// Whether a deadline that is at most `longest` ahead when set has passed. If it lies further ahead, a wrong clock
    /// wrote it: it counts as passed.
    pub fn is_over(self, now: Self, longest: Duration) -> bool {
        self <= now || self > now.after(longest).after(limits::CLOCK_SLACK)
    }

    /// The same time as a `DateTime`; 1970 if it is out of its range.
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
    fn a_moment_far_ahead_delays_nothing() {
        let (now, minute) = (Timestamp(1_795_335_000_000), Duration::from_secs(60));
        let decade = now.after(minute * 60 * 24 * 3_650);
        assert!(!now.after(minute).is_over(now, minute) && now.is_over(now, minute) && decade.is_over(now, minute));
        assert!(now.is_past(now.before(minute), minute) && !now.is_past(now, minute) && now.is_past(decade, minute));
        // Two processes' clocks are never quite equal.
        assert!(!now.after(minute * 2).is_over(now, minute) && !now.is_past(now.after(minute), minute));
    }

    #[test]
    fn rfc_3339_there_and_back() {
        let time = Timestamp::from_rfc3339("2026-11-22T12:14:24.123+01:00").unwrap();
        assert_eq!(time.to_rfc3339(), "2026-11-22T11:14:24.123Z");
        assert!(Timestamp::from_rfc3339("yesterday").is_none());
    }
}
