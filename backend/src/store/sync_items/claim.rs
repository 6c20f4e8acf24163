//! Claiming items for delivery, under leases.

use crate::{
    clock::Timestamp,
    model::{Lane, RecordKey},
    store::{
        Store, StoreError,
        sql::{execute, key_of, query, skip_locked},
    },
};

/// An item that this process has claimed for delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The record.
    pub key: RecordKey,
    /// Raised by every request for a delivery.
    pub revision: i64,
    /// The oldest undelivered change.
    pub changed_at: Timestamp,
    /// The record's id at the destination, once known.
    pub remote_id: Option<String>,
    /// Of what was last delivered; `None` when unknown.
    pub digest: Option<String>,
    /// Attempts since the last success. Above 0, something may have been delivered even so.
    pub attempts: u32,
}

impl Store {
    /// The lanes with due items, the most urgent first.
    pub async fn due_lanes(&self, destination: &str, now: Timestamp) -> Result<Vec<Lane>, StoreError> {
        let numbers = Lane::ALL.map(|lane| format!("({})", lane.number())).join(", ");
        let sql = format!(
            "WITH lanes (lane) AS (VALUES {numbers}) SELECT lane FROM lanes WHERE EXISTS (SELECT 1 FROM sync_items \
             WHERE destination = ? AND state = 'pending' AND sync_items.lane = lanes.lane AND due_at <= ?) ORDER BY lane"
        );
        let rows = query(&self.read, &sql, vec![destination.into(), now.0.into()]).await?;
        let lanes = rows.iter().map(|row| row.try_get::<i32>("", "lane").map(Lane::from_number));
        Ok(lanes.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// Claims up to `limit` due items of a lane until `until`, which [`Store::extend_lease`] can postpone; no other
    /// worker gets them meanwhile. `lease` must be new for each call.
    pub async fn claim(
        &self,
        destination: &str,
        lane: Lane,
        limit: u32,
        lease: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Claimed>, StoreError> {
        let sql = format!(
            "WITH picked AS MATERIALIZED (SELECT site_id, kind, moodle_id FROM sync_items \
             WHERE destination = ? AND state = 'pending' AND lane = ? AND due_at <= ? ORDER BY due_at LIMIT ? {}) \
             UPDATE sync_items SET state = 'in_flight', lease = ?, lease_until = ? FROM picked \
             WHERE sync_items.destination = ? AND sync_items.site_id = picked.site_id AND sync_items.kind = picked.kind \
             AND sync_items.moodle_id = picked.moodle_id \
             RETURNING sync_items.site_id AS site_id, sync_items.kind AS kind, sync_items.moodle_id AS moodle_id, \
             sync_items.revision AS revision, sync_items.changed_at AS changed_at, sync_items.remote_id AS remote_id, sync_items.digest AS digest, \
             sync_items.attempts AS attempts",
            skip_locked(self.backend())
        );
        let values = vec![
            destination.into(),
            lane.number().into(),
            now.0.into(),
            i64::from(limit).into(),
            lease.into(),
            until.0.into(),
            destination.into(),
        ];
        let mut claimed = Vec::new();
        for row in query(&self.write, &sql, values).await? {
            let attempts: i32 = row.try_get("", "attempts")?;
            claimed.push(Claimed {
                key: key_of(&row)?,
                revision: row.try_get("", "revision")?,
                changed_at: Timestamp(row.try_get("", "changed_at")?),
                remote_id: row.try_get("", "remote_id")?,
                digest: row.try_get("", "digest")?,
                attempts: attempts.unsigned_abs(),
            });
        }
        claimed.sort_unstable_by_key(|item| item.key);
        Ok(claimed)
    }

    /// Extends a lease until `until`; returns the number of items still in flight under it.
    pub async fn extend_lease(&self, destination: &str, lease: &str, until: Timestamp) -> Result<u64, StoreError> {
        let sql = "UPDATE sync_items SET lease_until = ? WHERE destination = ? AND state = 'in_flight' AND lease = ?";
        execute(&self.write, sql, vec![until.0.into(), destination.into(), lease.into()]).await
    }

    /// Releases the items still in flight under a lease, as if they had never been claimed; due at `due_at`.
    pub async fn release_claimed(&self, destination: &str, lease: &str, due_at: Timestamp) -> Result<u64, StoreError> {
        let sql = "UPDATE sync_items SET state = 'pending', lease = NULL, lease_until = NULL, due_at = ? \
                   WHERE destination = ? AND state = 'in_flight' AND lease = ?";
        execute(&self.write, sql, vec![due_at.0.into(), destination.into(), lease.into()]).await
    }

    /// Takes back the items whose lease has expired because their worker died. What it did is unknown, so they are
    /// delivered again, whatever their digest says.
    pub async fn reclaim_expired(&self, destination: &str, now: Timestamp) -> Result<Vec<RecordKey>, StoreError> {
        let sql = "UPDATE sync_items SET state = 'pending', lease = NULL, lease_until = NULL, due_at = ?, digest = NULL, \
                   attempts = attempts + 1 WHERE destination = ? AND state = 'in_flight' AND lease_until < ? \
                   RETURNING site_id, kind, moodle_id";
        let rows = query(&self.write, sql, vec![now.0.into(), destination.into(), now.0.into()]).await?;
        rows.iter().map(key_of).collect()
    }

    /// The number of pending items, due or not.
    pub async fn waiting(&self, destination: &str) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) AS count FROM sync_items WHERE destination = ? AND state = 'pending'";
        let rows = query(&self.read, sql, vec![destination.into()]).await?;
        let count = rows.first().map(|row| row.try_get::<i64>("", "count")).transpose()?;
        Ok(count.unwrap_or_default().unsigned_abs())
    }
}
