//! Claiming items for delivery, under leases.

use super::{
    lock::{self, Items, KEY},
    remarks,
};
use crate::{
    clock::Timestamp,
    limits,
    model::{Kind, Lane, RecordKey, Records, Remark},
    store::{
        Store, StoreError,
        entity::records::{RecordTable, completion, course, enrolment, grade, user},
        holds::known,
        life::RESTORED_AT,
        records::bytes_of,
        sql::{count, execute, key_of, query},
    },
};

/// An item that this process has claimed for delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The record.
    pub key: RecordKey,
    /// The lease under which it was claimed.
    pub lease: String,
    /// Raised by every request for a delivery.
    pub revision: i64,
    /// The oldest undelivered change.
    pub changed_at: Timestamp,
    /// The record's id at the destination, once known.
    pub remote_id: Option<String>,
    /// Another item writes the record with that id; this one only stands for it.
    pub linked: bool,
    /// Of what was last delivered; `None` when unknown, as after a restore: what was delivered later is not known here.
    pub digest: Option<String>,
    /// Attempts since the last success. Above 0, something may have been delivered even so.
    pub attempts: u32,
    /// What was left out of it at the last delivery.
    pub remarks: Vec<Remark>,
    /// The bytes of its record's texts.
    pub bytes: u64,
    /// Whether anything waited for a person's decision about the brake, or was an exception.
    pub brake: bool,
    /// Whether anybody was erased.
    pub erasures: bool,
    /// Whether anything at the destination differs.
    pub findings: bool,
}

impl Claimed {
    /// Notes that the item writes this remote record from now on. Until its delivery ends well, this counts as an attempt:
    /// what waits for the item is released then, whoever ends it.
    #[must_use]
    pub fn reserve(self, remote_id: String) -> Self {
        Self { remote_id: Some(remote_id), linked: false, attempts: self.attempts.saturating_add(1), ..self }
    }
}

/// Columns for `RETURNING`.
const BRAKE: &str = "EXISTS (SELECT 1 FROM brake_effects WHERE brake_effects.destination = sync_items.destination \
                     AND brake_effects.state <> 'done') AS brake";
const ERASURES: &str = "(SELECT erased > 0 FROM counters WHERE name = 'event') AS erasures";

const FINDINGS: &str = "EXISTS (SELECT 1 FROM findings WHERE findings.destination = sync_items.destination \
                        AND findings.state IN ('open', 'restoring', 'left')) AS findings";

fn bytes_sql(kind: Kind) -> String {
    fn of<T: RecordTable>() -> String {
        let (table, bytes) = (T::default().table_name().to_owned(), bytes_of::<T>());
        format!(
            "(SELECT {bytes} FROM {table} WHERE {table}.site_id = sync_items.site_id \
             AND {table}.moodle_id = sync_items.moodle_id) AS bytes"
        )
    }
    match kind {
        Kind::User => of::<user::Entity>(),
        Kind::Course => of::<course::Entity>(),
        Kind::Enrolment => of::<enrolment::Entity>(),
        Kind::Grade => of::<grade::Entity>(),
        Kind::Completion => of::<completion::Entity>(),
    }
}

/// The condition of the items in flight under a lease.
pub(super) const UNDER_LEASE: &str = "destination = ? AND state = 'in_flight' AND lease = ?";

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
        (lane, records): (Lane, Records),
        limit: u32,
        lease: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Claimed>, StoreError> {
        let due = format!(
            "destination = ? AND state = 'pending' AND lane = ? AND due_at <= ? {} ORDER BY due_at LIMIT ?",
            known(records)
        );
        let columns = [
            "site_id",
            "kind",
            "moodle_id",
            "revision",
            "changed_at",
            "remote_id",
            "linked",
            "digest",
            "synced_at",
            "attempts",
            "remarks",
        ];
        let set = "state = 'in_flight', lease = ?, lease_until = ?";
        // With the claim, because each delivery would ask these in statements of their own.
        let bytes = bytes_sql(lane.kind());
        let sql = format!(
            "{}, {RESTORED_AT}, {bytes}, {BRAKE}, {ERASURES}, {FINDINGS}",
            lock::update(self.backend(), Items::Free(&due), set, &columns)
        );
        let values = vec![
            destination.into(),
            lane.number().into(),
            now.0.into(),
            i64::from(limit).into(),
            lease.into(),
            until.0.into(),
        ];
        let rows = query(&self.write, &sql, values).await?;
        let mut claimed = Vec::new();
        for row in rows {
            let attempts: i32 = row.try_get("", "attempts")?;
            let (digest, synced_at): (Option<String>, Option<i64>) =
                (row.try_get("", "digest")?, row.try_get("", "synced_at")?);
            let restored_at: Option<i64> = row.try_get("", "restored_at")?;
            let bytes: Option<i64> = row.try_get("", "bytes")?;
            claimed.push(Claimed {
                key: key_of(&row)?,
                lease: lease.to_owned(),
                revision: row.try_get("", "revision")?,
                changed_at: Timestamp(row.try_get("", "changed_at")?),
                remote_id: row.try_get("", "remote_id")?,
                linked: row.try_get("", "linked")?,
                digest: digest.filter(|_| synced_at.unwrap_or(0) > restored_at.unwrap_or(-1)),
                attempts: attempts.unsigned_abs(),
                remarks: remarks::read(&row)?,
                bytes: bytes.unwrap_or_default().unsigned_abs(),
                brake: row.try_get("", "brake")?,
                erasures: row.try_get("", "erasures")?,
                findings: row.try_get("", "findings")?,
            });
        }
        claimed.sort_unstable_by_key(|item| item.key);
        Ok(claimed)
    }

    /// Extends a lease until `until`; returns the number of items still in flight under it.
    pub async fn extend_lease(&self, destination: &str, lease: &str, until: Timestamp) -> Result<u64, StoreError> {
        let sql = lock::update(self.backend(), Items::All(UNDER_LEASE), "lease_until = ?", &[]);
        execute(&self.write, &sql, vec![destination.into(), lease.into(), until.0.into()]).await
    }

    /// Releases the items still in flight under a lease, as if they had never been claimed; due at `due_at`.
    pub async fn release_claimed(&self, destination: &str, lease: &str, due_at: Timestamp) -> Result<u64, StoreError> {
        let set = "state = 'pending', lease = NULL, lease_until = NULL, due_at = ?";
        let sql = lock::update(self.backend(), Items::All(UNDER_LEASE), set, &[]);
        execute(&self.write, &sql, vec![destination.into(), lease.into(), due_at.0.into()]).await
    }

    /// Takes back items whose lease has expired because their worker died: at most [`limits::STEP_ITEMS`], and none
    /// that another process is changing right now. What the worker did is unknown, so they are delivered again,
    /// whatever their digest says.
    pub async fn reclaim_expired(&self, destination: &str, now: Timestamp) -> Result<Vec<RecordKey>, StoreError> {
        let expired = "destination = ? AND state = 'in_flight' AND lease_until < ? LIMIT ?";
        let set = "state = 'pending', lease = NULL, lease_until = NULL, due_at = ?, digest = NULL, \
                   attempts = attempts + 1";
        let sql = lock::update(self.backend(), Items::Free(expired), set, &KEY);
        let values = vec![destination.into(), now.0.into(), i64::from(limits::STEP_ITEMS).into(), now.0.into()];
        query(&self.write, &sql, values).await?.iter().map(key_of).collect()
    }

    /// The number of pending items, due or not.
    pub async fn waiting(&self, destination: &str) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) AS count FROM sync_items WHERE destination = ? AND state = 'pending'";
        count(&self.read, sql, vec![destination.into()]).await
    }
}
