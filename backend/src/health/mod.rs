//! Whether this process can keep what it is sent: what the last writes came to, and whether its tasks move on.
//!
//! Readiness, the service manager, the log and the alerts all ask here, so that they say the same. That a database answers a
//! `SELECT` says nothing of it: a full disk, a standby, somebody's lock let one read and take no event.

mod progress;
mod watch;
mod writes;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

pub use progress::Progress;
pub use watch::Watch;
pub use writes::{Failing, WriteHealth};

use crate::{
    limits,
    store::{Cause, Store, StoreError},
};

/// What a process knows of its own health. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Health {
    writes: Arc<Mutex<Writes>>,
    /// The writer's transactions.
    pub writer: Progress,
    /// The rounds of the delivery's dispatcher.
    pub delivery: Progress,
}

#[derive(Debug, Default)]
struct Writes {
    succeeded_at: Option<Instant>,
    health: WriteHealth,
    /// When and why events were last refused, if none were stored since.
    refused: Option<(Cause, Instant)>,
    /// The newest event that was answered 200 by this process, and when.
    acknowledged: Option<(i64, Instant)>,
    /// The newest of those that were found to be gone, and when.
    lost: Option<(i64, Instant)>,
}

/// Why this process is of no use now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Illness {
    /// The database takes no events, or cannot be read.
    Database(Cause),
    /// So many migrations are missing.
    Migrations(usize),
    /// The writer has been at one transaction for too long.
    Writer(Duration),
    /// The dispatcher has been at one round for too long.
    Delivery(Duration),
    /// An event that was answered 200 is not in the database.
    Lost(i64),
}

impl Illness {
    /// Sentences for people: what is wrong, and what to do.
    pub fn words(self) -> String {
        match self {
            Self::Database(cause) => cause.sentence(),
            Self::Migrations(count) => format!("The database lacks {count} migrations; run backend-sync migrate."),
            Self::Writer(time) => {
                format!(
                    "The database has not answered the writer for {} s; see whether its host is up.",
                    time.as_secs()
                )
            }
            Self::Delivery(time) => {
                format!(
                    "The delivery has stood still for {} s; look at the log, and start the server anew.",
                    time.as_secs()
                )
            }
            Self::Lost(id) => format!(
                "Event {id} was answered 200 and is not in the database any more: it was restored from a backup, or a standby took \
                 over that was behind. Press Synchronise everything in Moodle."
            ),
        }
    }
}

impl Health {
    /// A write succeeded.
    pub fn wrote(&self) {
        let (mut writes, now) = (self.writes(), Instant::now());
        writes.succeeded_at = Some(now);
        if let Some(before) = writes.health.failing() {
            tracing::info!(seconds = before.since.elapsed().as_secs(), "the database takes events again");
        }
        writes.health.note(Ok(()), now);
    }

    /// Events were stored; the newest of them has this id, if there are any new ones. Before they are answered.
    pub fn stored(&self, newest: Option<i64>) {
        self.wrote();
        let mut writes = self.writes();
        writes.refused = None;
        if let Some(id) = newest {
            writes.acknowledged = Some((id, Instant::now()));
        }
    }

    /// A write failed. Returns whether that is news.
    pub fn failed(&self, error: &StoreError) -> bool {
        let mut writes = self.writes();
        let before = writes.health.failing();
        writes.health.note(Err(error.cause()), Instant::now());
        writes.health.failing().map(|failing| failing.cause) != before.map(|failing| failing.cause)
    }

    /// Events could not be stored.
    pub fn refused(&self, error: &StoreError) {
        self.failed(error);
        self.writes().refused = Some((error.cause(), Instant::now()));
    }

    /// Since when and why no write succeeds.
    pub fn failing(&self) -> Option<Failing> {
        self.writes().health.failing()
    }

    /// Whether the database takes what this process writes.
    pub fn write_health(&self) -> WriteHealth {
        self.writes().health.clone()
    }

    /// What is wrong, as far as it is known without asking.
    pub fn illness(&self) -> Option<Illness> {
        let (failing, lost) = {
            let writes = self.writes();
            // What a small write can do, a batch of events may not: it is believed when none was refused for a while.
            let refused = writes.refused.filter(|(_, at)| at.elapsed() < limits::REFUSED_TIME);
            let failing = writes.health.failing().map(|failing| failing.cause).or(refused.map(|(cause, _)| cause));
            // Once something newer is stored, it works again; the alert lasts.
            let newest = writes.acknowledged.map(|(id, _)| id);
            let lost = writes.lost.filter(|(id, at)| Some(*id) == newest && at.elapsed() < limits::LOST_TIME);
            (failing, lost)
        };
        if let Some(cause) = failing {
            return Some(Illness::Database(cause));
        }
        if let Some(time) = self.writer.stuck_for(limits::WRITER_PATIENCE) {
            return Some(Illness::Writer(time));
        }
        if let Some(time) = self.delivery.stuck_for(limits::DELIVERY_PATIENCE) {
            return Some(Illness::Delivery(time));
        }
        lost.map(|(id, _)| Illness::Lost(id))
    }

    /// What is wrong: what is known, and what asking the database shows now.
    pub async fn look(&self, store: &Store) -> Option<Illness> {
        let asked = async {
            match store.missing_migrations().await? {
                0 => {}
                _ if store.has_no_tables().await? => return Ok(Some(Illness::Database(Cause::Missing))),
                count => return Ok(Some(Illness::Migrations(count))),
            }
            self.look_for_acknowledged(store).await?;
            Ok(self.illness())
        };
        match tokio::time::timeout(limits::LOOK_TIME, asked).await {
            Ok(Ok(illness)) => illness,
            Ok(Err(error)) => Some(Illness::Database(StoreError::cause(&error))),
            Err(_) => Some(self.illness().unwrap_or(Illness::Database(Cause::Deadline))),
        }
    }

    /// Tries whether the database takes an event, and says so when that is news.
    pub async fn try_write(&self, store: &Store) {
        match store.try_write(self.failing().is_some()).await {
            Ok(()) => self.wrote(),
            Err(error) => {
                let (cause, ..) = error.cause().in_words();
                if self.failed(&error) {
                    tracing::error!(%error, cause, "the database takes no events");
                } else {
                    tracing::warn!(cause, "the database still takes no events");
                }
            }
        }
    }

    /// Looks on another connection for the newest event that was answered 200: what is not there was not stored.
    async fn look_for_acknowledged(&self, store: &Store) -> Result<(), StoreError> {
        for id in self.lost().into_iter().chain(self.acknowledged()) {
            let found = store.sees_event(id).await?;
            if self.looked_for(id, found) {
                tracing::error!(
                    id,
                    "an event that was answered 200 is not in the database: Synchronise everything in Moodle"
                );
            }
        }
        Ok(())
    }

    /// The newest event that was answered 200, while it must be in the log: later, retention may have taken it.
    fn acknowledged(&self) -> Option<i64> {
        self.writes().acknowledged.filter(|(_, at)| at.elapsed() < limits::ACKNOWLEDGED_TIME).map(|(id, _)| id)
    }

    /// The event was looked for, and was there or not. Returns whether that it is not is news.
    fn looked_for(&self, id: i64, found: bool) -> bool {
        let mut writes = self.writes();
        let known = writes.lost.is_some_and(|(lost, _)| lost == id);
        if found && known {
            // It was hidden for a while.
            writes.lost = None;
        } else if !found && !known {
            writes.lost = Some((id, Instant::now()));
        }
        !found && !known
    }

    /// The newest event that was answered 200 by this process and was found to be gone.
    pub fn lost(&self) -> Option<i64> {
        self.writes().lost.map(|(id, _)| id)
    }

    fn is_quiet(&self, time: Duration) -> bool {
        let writes = self.writes();
        writes.health.failing().is_some() || writes.succeeded_at.is_none_or(|at| at.elapsed() >= time)
    }

    fn writes(&self) -> MutexGuard<'_, Writes> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
