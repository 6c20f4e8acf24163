//! Whether the database accepts events, and still has those that it accepted.

use crate::store::{
    StoreError,
    connection::connect::Store,
    sql::{execute, query},
};

/// The id of a test event that is never committed; all real ids are greater.
const TRIED: i64 = -1;

impl Store {
    /// Writes and commits like the ingest, and leaves nothing behind. `thoroughly` also inserts an event, which some
    /// locks and missing privileges alone prevent.
    pub async fn try_write(&self, thoroughly: bool) -> Result<(), StoreError> {
        let (transaction, _) = self.begin_write(0).await?;
        if thoroughly {
            let sql = "INSERT INTO events (id, site_id, event_type, kind, moodle_id, version_time, version_sequence, received_at, \
                       outcome, data) SELECT ?, id, 'user_updated', 'user', 0, 0, 0, 0, 'rejected', '' FROM sites LIMIT 1";
            execute(transaction.connection(), sql, vec![TRIED.into()]).await?;
            execute(transaction.connection(), "DELETE FROM events WHERE id = ?", vec![TRIED.into()]).await?;
        }
        transaction.commit().await
    }

    /// Whether the reading pool sees this event in the log.
    pub async fn sees_event(&self, id: i64) -> Result<bool, StoreError> {
        Ok(!query(&self.read, "SELECT id FROM events WHERE id = ?", vec![id.into()]).await?.is_empty())
    }
}
