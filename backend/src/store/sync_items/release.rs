//! Releasing parked items, and requesting deliveries on purpose.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DbBackend, Value};

use super::ItemFilter;
use crate::{
    clock::Timestamp,
    limits,
    model::{Id, ItemState, Kind, RecordKey},
    store::{
        Store, StoreError, bulk,
        sql::{count, key_of, query, skip_locked},
    },
};

/// Makes the items that wait for these records pending: the records have reached the destination.
pub(super) async fn release_waiting(
    connection: &impl ConnectionTrait,
    destination: &str,
    arrived: &[RecordKey],
    now: Timestamp,
) -> Result<(), StoreError> {
    for ((kind, site_id), ids) in by_kind_and_site(arrived) {
        for list in bulk::key_lists(&ids) {
            let places = vec!["?"; list.len()].join(", ");
            let condition = format!(
                "destination = ? AND site_id = ? AND waits_kind = ? AND waits_id IN ({places}) AND waits_id IS NOT NULL \
                 AND state IN ('parked', 'synced')"
            );
            let mut values: Vec<Value> = vec![destination.into(), site_id.into(), kind.as_str().into()];
            values.extend(list.into_iter().map(|id| Value::from(id.0)));
            make_pending(connection, destination, &condition, values, Delivered::Trusted, now, None).await?;
        }
    }
    Ok(())
}

/// Whether the digest of the last delivery is still trusted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Delivered {
    /// If nothing differs, nothing is sent.
    Trusted,
    /// Everything is sent again.
    Forgotten,
}

/// Makes the items that match a condition pending and due; skips locked ones, unless the digest is to be forgotten.
/// Returns their keys.
async fn make_pending(
    connection: &impl ConnectionTrait,
    destination: &str,
    condition: &str,
    mut values: Vec<Value>,
    delivered: Delivered,
    now: Timestamp,
    limit: Option<usize>,
) -> Result<Vec<RecordKey>, StoreError> {
    let (forget, lock) = match (delivered, connection.get_database_backend()) {
        (Delivered::Forgotten, DbBackend::Postgres) => (", digest = NULL", "FOR UPDATE"),
        (Delivered::Forgotten, _) => (", digest = NULL", ""),
        // Skip locked items: the transaction that holds one looks at it again.
        (Delivered::Trusted, backend) => ("", skip_locked(backend)),
    };
    let limit = limit.map_or_else(String::new, |limit| format!("LIMIT {limit}"));
    let sql = format!(
        "WITH picked AS MATERIALIZED (SELECT site_id, kind, moodle_id FROM sync_items WHERE {condition} \
         ORDER BY site_id, kind, moodle_id {limit} {lock}) \
         UPDATE sync_items SET revision = revision + 1{forget}, due_at = ?, waits_kind = NULL, waits_id = NULL, \
         changed_at = CASE sync_items.state WHEN 'synced' THEN ? ELSE changed_at END, \
         state = CASE sync_items.state WHEN 'in_flight' THEN 'in_flight' ELSE 'pending' END FROM picked \
         WHERE sync_items.destination = ? AND sync_items.site_id = picked.site_id AND sync_items.kind = picked.kind \
         AND sync_items.moodle_id = picked.moodle_id \
         RETURNING sync_items.site_id AS site_id, sync_items.kind AS kind, sync_items.moodle_id AS moodle_id"
    );
    values.extend([Value::from(now.0), Value::from(now.0), Value::from(destination)]);
    query(connection, &sql, values).await?.iter().map(key_of).collect()
}

fn by_kind_and_site(keys: &[RecordKey]) -> BTreeMap<(Kind, i64), Vec<Id>> {
    let mut ids: BTreeMap<(Kind, i64), Vec<Id>> = BTreeMap::new();
    for key in keys {
        ids.entry((key.kind, key.site_id)).or_default().push(key.moodle_id);
    }
    ids
}

/// SQL for the items of records of one kind and site, and its parameters.
fn among(destination: &str, kind: Kind, site_id: i64, ids: Vec<Id>) -> (String, Vec<Value>) {
    let places = vec!["?"; ids.len()].join(", ");
    let condition = format!("destination = ? AND site_id = ? AND kind = ? AND moodle_id IN ({places})");
    let mut values: Vec<Value> = vec![destination.into(), site_id.into(), kind.as_str().into()];
    values.extend(ids.into_iter().map(|id| Value::from(id.0)));
    (condition, values)
}

impl ItemFilter {
    /// The filter for a retry: without a state it means failed items; for one record or one code, items in any waiting
    /// state.
    #[must_use]
    pub fn for_retry(self) -> Self {
        let state = match (self.state, &self.code, self.record) {
            (None, None, None) => Some(ItemState::Failed),
            (state, _, _) => state,
        };
        Self { state, ..self }
    }
}

/// The same filter per kind, starting with that of `after`: a statement over several kinds would lock items in another
/// order than the ingest does.
fn by_kind(filter: &ItemFilter, after: Option<RecordKey>) -> impl Iterator<Item = ItemFilter> {
    let named = filter.kind.or(filter.record.map(|key| key.kind));
    let kinds = Kind::ALL.into_iter().filter(move |kind| after.is_none_or(|after| *kind >= after.kind));
    let kinds = kinds.filter(move |kind| named.is_none_or(|named| named == *kind));
    kinds.map(|kind| ItemFilter { kind: Some(kind), ..filter.clone() })
}

/// See [`Store::request_delivery`].
pub(super) async fn request_delivery(
    connection: &impl ConnectionTrait,
    destination: &str,
    keys: &[RecordKey],
    now: Timestamp,
) -> Result<(), StoreError> {
    for ((kind, site_id), ids) in by_kind_and_site(keys) {
        for list in bulk::key_lists(&ids) {
            let (condition, values) = among(destination, kind, site_id, list);
            make_pending(connection, destination, &condition, values, Delivered::Forgotten, now, None).await?;
        }
    }
    Ok(())
}

impl Store {
    /// Releases items that wait for a record that is already at the destination: only these, or all. Needed when that
    /// record arrived while they were being settled. Returns how many.
    pub async fn release_missed(
        &self,
        destination: &str,
        only: Option<&[RecordKey]>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let missed = " AND waits_id IS NOT NULL AND state IN ('parked', 'synced') AND EXISTS (SELECT 1 FROM sync_items other \
                      WHERE other.destination = sync_items.destination AND other.site_id = sync_items.site_id \
                      AND other.kind = sync_items.waits_kind AND other.moodle_id = sync_items.waits_id \
                      AND other.remote_id IS NOT NULL)";
        let mut released = 0;
        let Some(only) = only else {
            let (condition, values) = ("destination = ?".to_owned() + missed, vec![destination.into()]);
            let keys =
                make_pending(&self.write.patient(), destination, &condition, values, Delivered::Trusted, now, None)
                    .await?;
            return Ok(keys.len() as u64);
        };
        for ((kind, site_id), ids) in by_kind_and_site(only) {
            for list in bulk::key_lists(&ids) {
                let (condition, values) = among(destination, kind, site_id, list);
                let condition = condition + missed;
                let keys =
                    make_pending(&self.write, destination, &condition, values, Delivered::Trusted, now, None).await?;
                released += keys.len() as u64;
            }
        }
        Ok(released)
    }

    /// Makes those of these records pending that were filtered out: a later record may need them.
    pub async fn reconsider(&self, destination: &str, keys: &[RecordKey], now: Timestamp) -> Result<(), StoreError> {
        for ((kind, site_id), ids) in by_kind_and_site(keys) {
            for list in bulk::key_lists(&ids) {
                let (condition, values) = among(destination, kind, site_id, list);
                let condition = condition + " AND state = 'synced' AND remote_id IS NULL";
                make_pending(&self.write, destination, &condition, values, Delivered::Trusted, now, None).await?;
            }
        }
        Ok(())
    }

    /// Requests a delivery of these records, whatever their digest says; items in flight are delivered again once they
    /// are settled. Waits for locks.
    pub async fn request_delivery(
        &self,
        destination: &str,
        keys: &[RecordKey],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        request_delivery(&self.write, destination, keys, now).await
    }

    /// The number of items that match.
    pub async fn count_items(&self, destination: &str, filter: &ItemFilter) -> Result<u64, StoreError> {
        let (condition, values) = filter.condition(destination);
        let sql = format!("SELECT count(*) AS count FROM sync_items WHERE {condition}");
        count(&self.read.patient(), &sql, values).await
    }

    /// Retries matching items that are not synced or in flight, now. Returns how many.
    pub async fn retry(&self, destination: &str, filter: &ItemFilter, now: Timestamp) -> Result<u64, StoreError> {
        let mut count = 0;
        for filter in by_kind(filter, None) {
            let (condition, values) = filter.condition(destination);
            let condition = format!("{condition} AND state IN ('failed', 'parked', 'pending')");
            let keys =
                make_pending(&self.write.patient(), destination, &condition, values, Delivered::Forgotten, now, None)
                    .await?;
            count += keys.len() as u64;
        }
        Ok(count)
    }

    /// Requests a delivery of all matching items, changed or not: one step of at most [`limits::RESYNC_ROWS`] items
    /// after the key `after`. Returns the step's keys; empty at the end.
    pub async fn resync(
        &self,
        destination: &str,
        filter: &ItemFilter,
        after: Option<RecordKey>,
        now: Timestamp,
    ) -> Result<Vec<RecordKey>, StoreError> {
        for filter in by_kind(filter, after) {
            let (mut condition, mut values) = filter.condition(destination);
            if let Some(after) = after.filter(|after| filter.kind == Some(after.kind)) {
                condition += " AND (site_id, moodle_id) > (?, ?)";
                values.extend([Value::from(after.site_id), Value::from(after.moodle_id.0)]);
            }
            let limit = Some(limits::RESYNC_ROWS);
            let mut keys =
                make_pending(&self.write.patient(), destination, &condition, values, Delivered::Forgotten, now, limit)
                    .await?;
            if !keys.is_empty() {
                keys.sort_unstable();
                return Ok(keys);
            }
        }
        Ok(Vec::new())
    }
}
