//! The simulator's clock, which tests can move, and time formats.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// The given clock, moved by `/__sim/clock`.
pub(super) struct MovableClock {
    base: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    offset_ms: AtomicI64,
}

impl MovableClock {
    pub(super) fn new(base: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self { base: Box::new(base), offset_ms: AtomicI64::new(0) }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        let offset = TimeDelta::milliseconds(self.offset_ms.load(Ordering::Relaxed));
        (self.base)().checked_add_signed(offset).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    pub(super) fn advance(&self, milliseconds: i64) {
        self.offset_ms.fetch_add(milliseconds, Ordering::Relaxed);
    }

    pub(super) fn set(&self, time: DateTime<Utc>) {
        self.offset_ms.store((time - (self.base)()).num_milliseconds(), Ordering::Relaxed);
    }
}

/// For example `2026-11-22T11:14:24.123Z`.
pub(super) fn to_rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Reads RFC 3339 with any offset.
pub(super) fn read_rfc3339(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

/// For example `2026-11-22T11:14:24+00:00`: with an offset and without milliseconds.
pub(super) fn zoho_time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// Parses Zoho's format only; UTC may be `Z`, as Zoho's SDKs for JavaScript write it. Times are stored in the
/// organisation's time zone, UTC.
pub(super) fn read_zoho_time(text: &str) -> Option<DateTime<Utc>> {
    let text = &text.replace('Z', "+00:00");
    let shape = b"dddd-dd-ddTdd:dd:ddsdd:dd";
    let fits = text.len() == shape.len()
        && text.bytes().zip(shape).all(|(byte, expected)| match expected {
            b'd' => byte.is_ascii_digit(),
            b's' => matches!(byte, b'+' | b'-'),
            expected => byte == *expected,
        });
    fits.then(|| read_rfc3339(text)).flatten()
}
