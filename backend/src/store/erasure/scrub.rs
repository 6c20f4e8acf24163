//! Scrubbing the files, which still hold the bytes of overwritten rows for a while.

use sea_orm::{ConnectionTrait, DbBackend};

use crate::store::{Store, StoreError};

/// The tables that an erasure blanks.
const TABLES: &str = "users, enrolments, grades, completions, changes, events, sync_items, sync_attempts, findings";

impl Store {
    /// Removes the old bytes. On SQLite, where overwritten content is zeroed (`secure_delete`), the write-ahead log is
    /// folded into the file and truncated; false when a reader blocked that for too long. On PostgreSQL, dead rows and
    /// their index entries are removed.
    ///
    /// Not for use in a transaction. Writers continue meanwhile on PostgreSQL, and wait a moment on SQLite.
    pub async fn scrub(&self) -> Result<bool, StoreError> {
        if self.backend() == DbBackend::Postgres {
            // It takes long, and there are few connections for writing.
            self.read.patient().execute_unprepared(&format!("VACUUM {TABLES}")).await?;
            return Ok(true);
        }
        let rows = super::query(&self.write.patient(), "PRAGMA wal_checkpoint(TRUNCATE)", vec![]).await?;
        Ok(rows.first().map(|row| row.try_get::<i64>("", "busy")).transpose()? == Some(0))
    }
}
