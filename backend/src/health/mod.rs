//! Whether this process can store what it is sent: whether its last writes succeeded, and whether its tasks make
//! progress.
//!
//! Readiness, the service manager, the log and the alerts all use this, so that they agree. A database that answers a
//! `SELECT` proves nothing: with a full disk, on a standby or behind someone's lock, reads work and writes do not.

mod monitor;
mod progress;
mod writes;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

pub use monitor::HealthMonitor;
pub use progress::Progress;
pub use writes::{WriteFailure, WriteHealth};

use crate::{
    limits,
    store::{Cause, Readers, Store, StoreError},
};

/// A process's knowledge of its own health. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Health {
    writes: Arc<Mutex<Writes>>,
    /// The progress of the writer's transactions.
    pub writer: Progress,
    /// The progress of the dispatcher's rounds.
    pub delivery: Progress,
}

#[derive(Debug, Default)]
struct Writes {
    succeeded_at: Option<Instant>,
    health: WriteHealth,
    /// Why and when storing events last failed, if none were stored since.
    failed_batch: Option<(Cause, Instant)>,
    /// The newest event that this process answered with 200, and when.
    acknowledged: Option<(i64, Instant)>,
    /// The newest of those that was later missing, and when that was found.
    lost: Option<(i64, Instant)>,
}

/// Why this process is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthProblem {
    /// The database accepts no events, or cannot be read.
    Database(Cause),
    /// The database lacks this many migrations.
    Migrations(usize),
    /// One transaction of the writer has taken too long so far.
    Writer(Duration),
    /// One round of the dispatcher has taken too long so far.
    Delivery(Duration),
    /// An event that was answered 200 is missing from the database.
    Lost(i64),
}

impl HealthProblem {
    /// What is wrong and what to do, in sentences for people.
    pub fn sentence(self) -> String {
        match self {
            Self::Database(cause) => cause.sentence(),
            Self::Migrations(count) => {
                let s = if count == 1 { "" } else { "s" };
                format!("The database lacks {count} migration{s}; run backend-sync migrate.")
            }
            Self::Writer(time) => {
                format!("The database has not answered the writer for {} s; check that its host is up.", time.as_secs())
            }
            Self::Delivery(time) => {
                format!(
                    "Delivery has made no progress for {} s; look at the log, and restart the server.",
                    time.as_secs()
                )
            }
            Self::Lost(id) => format!(
                "Event {id} was answered 200 but is no longer in the database: it was restored from a backup, or an \
                 outdated standby took over. Press Synchronise everything in Moodle."
            ),
        }
    }
}

impl Health {
    /// Records that a write succeeded.
    pub fn wrote(&self) {
        let (mut writes, now) = (self.writes(), Instant::now());
        writes.succeeded_at = Some(now);
        if let Some(before) = writes.health.failing() {
            tracing::info!(seconds = before.since.elapsed().as_secs(), "the database accepts events again");
        }
        writes.health.note(Ok(()), now);
    }

    /// Records that events were stored, before they are answered. `newest`: the id of the newest one that was not a
    /// duplicate.
    pub fn stored(&self, newest: Option<i64>) {
        self.wrote();
        let mut writes = self.writes();
        writes.failed_batch = None;
        if let Some(id) = newest {
            writes.acknowledged = Some((id, Instant::now()));
        }
    }

    /// Records that a write failed. Returns whether that is news.
    pub fn failed(&self, error: &StoreError) -> bool {
        let mut writes = self.writes();
        let before = writes.health.failing();
        writes.health.note(Err(error.cause()), Instant::now());
        writes.health.failing().map(|failing| failing.cause) != before.map(|failing| failing.cause)
    }

    /// Records that events could not be stored.
    pub fn batch_failed(&self, error: &StoreError) {
        self.failed(error);
        self.writes().failed_batch = Some((error.cause(), Instant::now()));
    }

    /// Since when and why no write succeeds; none when writes succeed.
    pub fn failing(&self) -> Option<WriteFailure> {
        self.writes().health.failing()
    }

    /// Whether this process's writes succeed.
    pub fn write_health(&self) -> WriteHealth {
        self.writes().health.clone()
    }

    /// What is wrong, as far as is known without asking the database.
    pub fn problem(&self) -> Option<HealthProblem> {
        let (failing, lost) = {
            let writes = self.writes();
            // A small write may succeed where a batch of events fails, so trust it only when no batch has failed for a
            // while.
            let failed_batch = writes.failed_batch.filter(|(_, at)| at.elapsed() < limits::FAILED_BATCH_TIME);
            let failing = writes.health.failing().map(|failing| failing.cause).or(failed_batch.map(|(cause, _)| cause));
            // Once something newer is stored, the database works again; the alert remains.
            let newest = writes.acknowledged.map(|(id, _)| id);
            let lost = writes.lost.filter(|(id, at)| Some(*id) == newest && at.elapsed() < limits::LOST_TIME);
            (failing, lost)
        };
        if let Some(cause) = failing {
            return Some(HealthProblem::Database(cause));
        }
        if let Some(time) = self.writer.stuck_for(limits::WRITER_PATIENCE) {
            return Some(HealthProblem::Writer(time));
        }
        if let Some(time) = self.delivery.stuck_for(limits::DELIVERY_PATIENCE) {
            return Some(HealthProblem::Delivery(time));
        }
        lost.map(|(id, _)| HealthProblem::Lost(id))
    }

    /// What is wrong: what is known, and what the database shows now.
    pub async fn check(&self, store: &Store) -> Option<HealthProblem> {
        let store = &store.for_readers(Readers::Health);
        let asked = async {
            match store.missing_migrations().await? {
                0 => {}
                _ if store.has_no_tables().await? => return Ok(Some(HealthProblem::Database(Cause::Missing))),
                count => return Ok(Some(HealthProblem::Migrations(count))),
            }
            self.check_acknowledged(store).await?;
            Ok(self.problem())
        };
        match tokio::time::timeout(limits::READINESS_TIME, asked).await {
            Ok(Ok(problem)) => problem,
            Ok(Err(error)) => Some(HealthProblem::Database(StoreError::cause(&error))),
            // Waiting for a connection takes longer than our caller has patience: the reason is known all the same.
            Err(_) => Some(
                self.problem()
                    .unwrap_or_else(|| HealthProblem::Database(store.connection_failure().unwrap_or(Cause::Deadline))),
            ),
        }
    }

    /// Tests whether the database accepts an event; logs changes.
    pub async fn try_write(&self, store: &Store) {
        match store.try_write(self.failing().is_some()).await {
            Ok(()) => self.wrote(),
            Err(error) => {
                let (cause, ..) = error.cause().in_words();
                if self.failed(&error) {
                    tracing::error!(%error, cause, "the database accepts no events");
                } else {
                    tracing::warn!(cause, "the database still accepts no events");
                }
            }
        }
    }

    /// Looks, on another connection, for the newest event that was answered 200: if it is missing, it was not stored.
    async fn check_acknowledged(&self, store: &Store) -> Result<(), StoreError> {
        for id in self.lost().into_iter().chain(self.acknowledged()) {
            let found = store.sees_event(id).await?;
            if self.note_lookup(id, found) {
                tracing::error!(
                    id,
                    "an event that was answered 200 is missing from the database: press Synchronise everything in \
                     Moodle"
                );
            }
        }
        Ok(())
    }

    /// The newest event that was answered 200, as long as it must be in the log: later, retention may have deleted it.
    fn acknowledged(&self) -> Option<i64> {
        self.writes().acknowledged.filter(|(_, at)| at.elapsed() < limits::ACKNOWLEDGED_TIME).map(|(id, _)| id)
    }

    /// Records whether the event was found. Returns whether its absence is news.
    fn note_lookup(&self, id: i64, found: bool) -> bool {
        let mut writes = self.writes();
        let known = writes.lost.is_some_and(|(lost, _)| lost == id);
        if found && known {
            // It was invisible for a while.
            writes.lost = None;
        } else if !found && !known {
            writes.lost = Some((id, Instant::now()));
        }
        !found && !known
    }

    /// The newest event that this process answered with 200 and that was later missing.
    pub fn lost(&self) -> Option<i64> {
        self.writes().lost.map(|(id, _)| id)
    }

    fn is_write_test_due(&self, time: Duration) -> bool {
        let writes = self.writes();
        writes.health.failing().is_some() || writes.succeeded_at.is_none_or(|at| at.elapsed() >= time)
    }

    fn writes(&self) -> MutexGuard<'_, Writes> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
