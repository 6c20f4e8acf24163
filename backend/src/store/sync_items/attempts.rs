//! The log of attempts to deliver.

use sea_orm::QueryResult;

use crate::{
    clock::Timestamp,
    model::RecordKey,
    store::{
        Store, StoreError,
        sql::{execute, key_of, query},
    },
};

/// A stored attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRow {
    /// Its place in the log.
    pub id: i64,
    /// The record.
    pub key: RecordKey,
    /// The revision that was delivered; 0 when lost.
    pub revision: i64,
    /// Before the call.
    pub started_at: Timestamp,
    /// How long the destination took, in milliseconds.
    pub duration_ms: i64,
    /// `inserted`, `updated`, `removed`, `retry`, `failed` or `lost`.
    pub outcome: String,
    /// The code of the destination's answer.
    pub code: Option<String>,
    /// The message of the destination's answer.
    pub message: Option<String>,
    /// The record's id at the destination.
    pub remote_id: Option<String>,
}

impl Store {
    /// The attempts of one item with ids below `before`, the newest first.
    pub async fn attempts(
        &self,
        destination: &str,
        key: RecordKey,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<AttemptRow>, StoreError> {
        let sql = "SELECT id, site_id, kind, moodle_id, revision, started_at, duration_ms, outcome, code, message, remote_id \
                   FROM sync_attempts WHERE site_id = ? AND kind = ? AND moodle_id = ? AND id < ? AND destination = ? \
                   ORDER BY id DESC LIMIT ?";
        let values = vec![
            key.site_id.into(),
            key.kind.as_str().into(),
            key.moodle_id.0.into(),
            before.unwrap_or(i64::MAX).into(),
            destination.into(),
            i64::try_from(limit).unwrap_or(i64::MAX).into(),
        ];
        query(&self.read, sql, values).await?.iter().map(attempt_of).collect()
    }

    /// Deletes attempts that began before `before`: at most `limit`, the oldest. Returns how many.
    pub async fn prune_attempts(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        // The oldest have the lowest ids, so no index on the time is needed.
        let sql = "DELETE FROM sync_attempts WHERE started_at < ? AND id IN (SELECT id FROM sync_attempts ORDER BY id LIMIT ?)";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        execute(&self.write, sql, vec![before.0.into(), limit.into()]).await
    }
}

pub(super) fn attempt_of(row: &QueryResult) -> Result<AttemptRow, StoreError> {
    Ok(AttemptRow {
        id: row.try_get("", "id")?,
        key: key_of(row)?,
        revision: row.try_get("", "revision")?,
        started_at: Timestamp(row.try_get("", "started_at")?),
        duration_ms: row.try_get("", "duration_ms")?,
        outcome: row.try_get("", "outcome")?,
        code: row.try_get("", "code")?,
        message: row.try_get("", "message")?,
        remote_id: row.try_get("", "remote_id")?,
    })
}
