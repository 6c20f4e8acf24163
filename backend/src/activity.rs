//! Counts what happens, by minute: for charts, and to know each site's usual rhythm.
//!
//! Counts stay in memory for up to [`limits::ACTIVITY_INTERVAL`], so that counting is cheap. A process that is killed
//! loses at most that many counts; nothing depends on them for correctness.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    clock::Timestamp,
    store::{Activity, Store, StoreError},
};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActivityKind {
    /// An event of a site with this outcome: `applied`, `unchanged`, `superseded`, `duplicate` or `rejected`.
    Event(&'static str),
    /// A record that was delivered to a destination.
    Delivered,
    /// A failed attempt that is retried.
    Retried,
    /// A record whose delivery failed for good.
    Failed,
    /// A delivered record, by its delay since the oldest undelivered change: at most this many milliseconds, and more
    /// than the bound before in [`DELAY_BOUNDS_MS`].
    DelayedUpTo(i64),
}

/// The classes of delays, by their upper bounds in milliseconds.
pub const DELAY_BOUNDS_MS: [i64; 9] = [500, 1_000, 2_000, 5_000, 15_000, 60_000, 600_000, 3_600_000, i64::MAX];

impl ActivityKind {
    /// The class of a delay.
    pub fn delay(ms: i64) -> Self {
        let bound = DELAY_BOUNDS_MS.into_iter().find(|bound| ms <= *bound);
        Self::DelayedUpTo(bound.unwrap_or(i64::MAX))
    }

    /// The word in the database.
    pub fn name(self) -> String {
        match self {
            Self::Event(outcome) => outcome.to_owned(),
            Self::Delivered => "delivered".to_owned(),
            Self::Retried => "retried".to_owned(),
            Self::Failed => "failed".to_owned(),
            Self::DelayedUpTo(i64::MAX) => "delay_longer".to_owned(),
            Self::DelayedUpTo(bound) => format!("delay_{bound}"),
        }
    }
}

/// The subject of a site's activity, as stored.
pub fn subject_site(name: &str) -> String {
    format!("site:{name}")
}

/// The subject of a destination's activity, as stored.
pub fn subject_destination(name: &str) -> String {
    format!("destination:{name}")
}

/// The start of a minute, a subject, and what is counted.
type CountKey = (i64, String, ActivityKind);

/// This process's counts that are not saved yet. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Mutex<BTreeMap<CountKey, u64>>>);

impl Tally {
    /// Counts something in the minute of `now`.
    pub fn add(&self, now: Timestamp, subject: String, what: ActivityKind, count: u64) {
        if count > 0 {
            let minute = now.0 - now.0.rem_euclid(60_000);
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *counts.entry((minute, subject, what)).or_default() += count;
        }
    }

    /// Saves what was counted since the last call. If that fails, keeps the counts for the next call.
    pub async fn save(&self, store: &Store) -> Result<(), StoreError> {
        let counts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let activity = |((minute, subject, what), count): (&CountKey, &u64)| Activity {
            from: Timestamp(*minute),
            subject: subject.clone(),
            name: what.name(),
            count: *count,
        };
        let written = store.add_activity(&counts.iter().map(activity).collect::<Vec<_>>()).await;
        if written.is_err() {
            for ((minute, subject, what), count) in counts {
                self.add(Timestamp(minute), subject, what, count);
            }
        }
        written
    }
}
