//! Getting rid of the bytes: a row that was overwritten is still in the files for a while.

use sea_orm::{ConnectionTrait, DbBackend};

use crate::store::{Store, StoreError};

/// The tables that an erasure empties.
const TABLES: &str = "users, enrolments, grades, completions, events, sync_items, sync_attempts";

impl Store {
    /// Makes the old bytes go. On SQLite, where overwritten content is zeroed (`secure_delete`), the write-ahead log is folded into the
    /// file and cut to nothing; false when a reader held it up for too long. On PostgreSQL the dead rows and their index entries go.
    ///
    /// Not in a transaction. Writers go on beside it on PostgreSQL, and wait a moment on SQLite.
    pub async fn scrub(&self) -> Result<bool, StoreError> {
        if self.backend() == DbBackend::Postgres {
            self.write.patient().execute_unprepared(&format!("VACUUM {TABLES}")).await?;
            return Ok(true);
        }
        let rows = super::query(&self.write.patient(), "PRAGMA wal_checkpoint(TRUNCATE)", vec![]).await?;
        Ok(rows.first().map(|row| row.try_get::<i64>("", "busy")).transpose()? == Some(0))
    }
}
