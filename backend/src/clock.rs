//! The time, passed in, so that tests decide it.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};

/// Tells the time. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn system() -> Self {
        Self(Arc::new(Utc::now))
    }

    /// A clock that somebody else decides.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(move || DateTime::from_timestamp_millis(now().0).unwrap_or_default()))
    }

    /// Unix milliseconds.
    pub fn now(&self) -> Timestamp {
        Timestamp((self.0)().timestamp_millis())
    }
}

/// A moment by the backend's clock, in Unix milliseconds; shown as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

    /// As in `2026-11-22T11:14:24.123Z`.
    pub fn to_rfc3339(self) -> String {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// Reads RFC 3339 with any offset.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|time| Self(time.timestamp_millis()))
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn rfc_3339_there_and_back() {
        let time = Timestamp::from_rfc3339("2026-11-22T12:14:24.123+01:00").unwrap();
        assert_eq!(time.to_rfc3339(), "2026-11-22T11:14:24.123Z");
        assert!(Timestamp::from_rfc3339("yesterday").is_none());
    }
}
