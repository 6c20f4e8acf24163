//! The credits of the last 24 hours.

use std::collections::VecDeque;

use chrono::TimeDelta;

use chrono::{DateTime, Utc};

/// The window that credits are counted in.
const WINDOW: TimeDelta = TimeDelta::hours(24);

/// Calls within a second are counted together, so that the window holds at most 86,400 entries.
const GRAIN: TimeDelta = TimeDelta::seconds(1);

/// Records written per credit.
const RECORDS_PER_CREDIT: u64 = 10;

/// The credits for a call that creates a module.
pub(super) const NEW_MODULE: u64 = 500;

/// The credits for a call that writes this many records.
pub(super) fn of_write(records: usize) -> u64 {
    (records as u64).div_ceil(RECORDS_PER_CREDIT).max(1)
}

/// The credits used, by time.
#[derive(Default)]
pub(super) struct Credits {
    used: VecDeque<(DateTime<Utc>, u64)>,
    sum: u64,
}

impl Credits {
    /// Credits used in the last 24 hours.
    pub(super) fn used(&mut self, now: DateTime<Utc>) -> u64 {
        let start = now - WINDOW;
        while let Some((time, credits)) = self.used.front()
            && *time <= start
        {
            self.sum -= credits;
            self.used.pop_front();
        }
        self.sum
    }

    pub(super) fn spend(&mut self, now: DateTime<Utc>, credits: u64) {
        self.sum += credits;
        match self.used.back_mut() {
            Some((time, sum)) if now - *time < GRAIN => *sum += credits,
            _ => self.used.push_back((now, credits)),
        }
    }

    /// Sets the number of used credits, as if all had been used now.
    pub(super) fn set_used(&mut self, now: DateTime<Utc>, credits: u64) {
        *self = Self::default();
        self.spend(now, credits);
    }
}
