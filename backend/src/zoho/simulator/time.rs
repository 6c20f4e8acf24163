//! The simulator's clock, which tests move, and Zoho's way of writing a time.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::DateTime;

use crate::clock::{Clock, Timestamp};

/// The clock that was passed in, moved by what `/__sim/clock` says.
pub(super) struct MovableClock {
    base: Clock,
    offset_ms: AtomicI64,
}

impl MovableClock {
    pub(super) fn new(base: Clock) -> Self {
        Self { base, offset_ms: AtomicI64::new(0) }
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp(self.base.now().0.saturating_add(self.offset_ms.load(Ordering::Relaxed)))
    }

    pub(super) fn advance(&self, milliseconds: i64) {
        self.offset_ms.fetch_add(milliseconds, Ordering::Relaxed);
    }

    pub(super) fn set(&self, time: Timestamp) {
        self.offset_ms.store(time.0.saturating_sub(self.base.now().0), Ordering::Relaxed);
    }
}

/// As in `2026-11-22T11:14:24+00:00`: an offset and no milliseconds.
pub(super) fn zoho_time(time: Timestamp) -> String {
    let time = DateTime::from_timestamp_millis(time.0).unwrap_or_default();
    time.format("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// Reads Zoho's form and nothing else. The organisation's time zone is UTC, so that is what is kept.
pub(super) fn read_zoho_time(text: &str) -> Option<Timestamp> {
    let shape = b"dddd-dd-ddTdd:dd:ddsdd:dd";
    let fits = text.len() == shape.len()
        && text.bytes().zip(shape).all(|(byte, expected)| match expected {
            b'd' => byte.is_ascii_digit(),
            b's' => matches!(byte, b'+' | b'-'),
            expected => byte == *expected,
        });
    if !fits {
        return None;
    }
    Timestamp::from_rfc3339(text)
}
