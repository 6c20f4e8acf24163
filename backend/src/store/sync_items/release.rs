//! Releasing parked items, and requesting deliveries on purpose.
//!
//! One person's command, or one course that arrives, may concern hundreds of thousands of items. So each goes in steps:
//! a read finds the next keys without a lock, then short statements change these, if they are still to be changed.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, Value};

use super::{
    ItemFilter, ItemRow,
    lock::{self, Items},
    queued::QUEUED,
    settled::{Settled, SettledState},
};
use crate::{
    clock::Timestamp,
    limits,
    model::{Id, ItemState, Kind, RecordKey},
    store::{
        Store, StoreError, bulk,
        sql::{count, execute, key_of, query},
    },
};

/// Whether the digest of the last delivery is still trusted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Delivered {
    /// If nothing differs, nothing is sent.
    Trusted,
    /// Everything is sent again.
    Forgotten,
}

/// The condition of items whose decision the arrival of another record would change.
const WAITING: &str = "waits_id IS NOT NULL AND state IN ('parked', 'synced')";

/// The condition of items that wait for another record until it is known what becomes of that.
const PARKED: &str = "waits_id IS NOT NULL AND state = 'parked'";

/// The condition of items that are left out because another record is.
const LEFT_OUT: &str = "waits_id IS NOT NULL AND state = 'synced'";

/// The condition of items that failed because another person is in their way.
const BLOCKED: &str = "waits_id IS NOT NULL AND state = 'failed'";

/// Makes those of these items that meet `condition` pending and due; returns how many.
pub(in crate::store) async fn make_pending(
    connection: &impl ConnectionTrait,
    destination: &str,
    keys: &[RecordKey],
    condition: &str,
    delivered: Delivered,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let forget = if delivered == Delivered::Forgotten { ", digest = NULL" } else { "" };
    let set = format!(
        "revision = revision + 1{forget}, due_at = ?, waits_kind = NULL, waits_id = NULL, judge_at = NULL, \
         changed_at = CASE state WHEN 'synced' THEN ? ELSE changed_at END, {QUEUED}, \
         state = CASE state WHEN 'in_flight' THEN 'in_flight' ELSE 'pending' END"
    );
    let mut changed = 0;
    for ((site_id, kind), ids) in by_site_and_kind(keys) {
        for list in bulk::key_lists(&ids) {
            let (among, mut values) = among(destination, site_id, kind, "kind", "moodle_id", list);
            let condition = format!("{among} AND {condition}");
            let sql = lock::update(connection.get_database_backend(), Items::All(&condition), &set, &[]);
            values.extend(vec![Value::from(now.0); 3]);
            changed += execute(connection, &sql, values).await?;
        }
    }
    Ok(changed)
}

pub(in crate::store) fn by_site_and_kind(keys: &[RecordKey]) -> BTreeMap<(i64, &'static str), Vec<Id>> {
    let mut ids: BTreeMap<(i64, &'static str), Vec<Id>> = BTreeMap::new();
    for key in keys {
        ids.entry((key.site_id, key.kind.as_str())).or_default().push(key.moodle_id);
    }
    ids
}

/// SQL for the items of one site with this kind and these ids in the named columns, and its parameters.
pub(in crate::store) fn among(
    destination: &str,
    site_id: i64,
    kind: &str,
    kind_column: &str,
    id_column: &str,
    ids: Vec<Id>,
) -> (String, Vec<Value>) {
    let places = vec!["?"; ids.len()].join(", ");
    let condition = format!("destination = ? AND site_id = ? AND {kind_column} = ? AND {id_column} IN ({places})");
    let mut values: Vec<Value> = vec![destination.into(), site_id.into(), kind.into()];
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

/// See [`Store::request_delivery`].
pub(in crate::store) async fn request_delivery(
    connection: &impl ConnectionTrait,
    destination: &str,
    keys: &[RecordKey],
    now: Timestamp,
) -> Result<(), StoreError> {
    make_pending(connection, destination, keys, "TRUE", Delivered::Forgotten, now).await?;
    Ok(())
}

impl Store {
    /// Makes the items that wait for these records pending: the records have reached the destination. Returns how many.
    pub(super) async fn release_waiting(
        &self,
        destination: &str,
        arrived: &[RecordKey],
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.release_those(destination, (arrived, WAITING), now).await
    }

    /// Makes the parked items pending that wait for these records: it is settled that the records are not delivered. What
    /// that means for those that wait is for them to decide.
    pub(super) async fn release_parked(
        &self,
        destination: &str,
        left_out: &[RecordKey],
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.release_those(destination, (left_out, PARKED), now).await
    }

    /// Makes the items pending that are left out because these records were not delivered: they failed since, so there is
    /// something to wait for.
    pub(super) async fn release_left_out(
        &self,
        destination: &str,
        failed: &[RecordKey],
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.release_those(destination, (failed, LEFT_OUT), now).await
    }

    /// Makes the items pending that failed because one of these people was in their way, and those of these that failed
    /// because of somebody who was delivered meanwhile, and may be deleted now, or have another address.
    pub(super) async fn release_blocked(
        &self,
        destination: &str,
        settled: &[Settled],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let people = settled.iter().filter(|settled| settled.item.key.kind == Kind::User);
        let delivered = people.filter(|settled| matches!(settled.state, SettledState::Synced { .. }));
        let mut others: Vec<RecordKey> = delivered.map(|settled| settled.item.key).collect();
        for settled in settled {
            let Some((other, attempt)) = settled.blocked_by().zip(settled.attempt.as_ref()) else { continue };
            let rows = self.sync_items_of(destination, &[other]).await?;
            let since = |row: &ItemRow| row.synced_at.is_some_and(|at| at >= attempt.started_at);
            others.extend(rows.iter().filter(|row| since(row)).map(|row| row.key));
        }
        self.release_those(destination, (&others, BLOCKED), now).await?;
        Ok(())
    }

    /// Makes all items pending that failed because somebody was in their way: a process may have died between settling
    /// that person and releasing them.
    pub async fn release_all_blocked(&self, destination: &str, now: Timestamp) -> Result<u64, StoreError> {
        let sql =
            format!("SELECT site_id, kind, moodle_id FROM sync_items WHERE destination = ? AND {BLOCKED} LIMIT ?");
        let mut released = 0;
        loop {
            let values = vec![destination.into(), i64::from(limits::STEP_ITEMS).into()];
            let rows = query(&self.read, &sql, values).await?;
            let keys: Vec<RecordKey> = rows.iter().map(key_of).collect::<Result<_, _>>()?;
            released += make_pending(&self.write, destination, &keys, BLOCKED, Delivered::Trusted, now).await?;
            // What was released waits no more, so the next step finds the rest.
            if keys.len() < limits::STEP_ITEMS as usize {
                return Ok(released);
            }
        }
    }

    /// Makes the items pending that wait for one of these records, and meet a condition that this ends.
    async fn release_those(
        &self,
        destination: &str,
        (others, waiting): (&[RecordKey], &str),
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut released = 0;
        for ((site_id, kind), ids) in by_site_and_kind(others) {
            for list in bulk::key_lists(&ids) {
                let (condition, mut values) = among(destination, site_id, kind, "waits_kind", "waits_id", list);
                let sql =
                    format!("SELECT site_id, kind, moodle_id FROM sync_items WHERE {condition} AND {waiting} LIMIT ?");
                values.push(i64::from(limits::STEP_ITEMS).into());
                loop {
                    let rows = query(&self.read, &sql, values.clone()).await?;
                    let keys: Vec<RecordKey> = rows.iter().map(key_of).collect::<Result<_, _>>()?;
                    released += make_pending(&self.write, destination, &keys, waiting, Delivered::Trusted, now).await?;
                    // What was released waits no more, so the next step finds the rest.
                    if keys.len() < limits::STEP_ITEMS as usize {
                        break;
                    }
                }
            }
        }
        Ok(released)
    }

    /// Those of these records that have reached the destination, and those of which it is settled that they are not
    /// delivered.
    pub(super) async fn arrived(
        &self,
        destination: &str,
        keys: &[RecordKey],
    ) -> Result<(Vec<RecordKey>, Vec<RecordKey>), StoreError> {
        let (mut arrived, mut left_out) = (Vec::new(), Vec::new());
        for ((site_id, kind), ids) in by_site_and_kind(keys) {
            for list in bulk::key_lists(&ids) {
                let (condition, values) = among(destination, site_id, kind, "kind", "moodle_id", list);
                let sql = format!(
                    "SELECT site_id, kind, moodle_id, remote_id IS NOT NULL AS is_there FROM sync_items \
                     WHERE {condition} AND (remote_id IS NOT NULL OR state = 'synced')"
                );
                for row in query(&self.read, &sql, values).await? {
                    let is_there: bool = row.try_get("", "is_there")?;
                    if is_there { &mut arrived } else { &mut left_out }.push(key_of(&row)?);
                }
            }
        }
        Ok((arrived, left_out))
    }

    /// Releases all items whose prerequisite is settled: a process may have died between settling that and releasing
    /// them. Returns how many.
    pub async fn release_missed(&self, destination: &str, now: Timestamp) -> Result<u64, StoreError> {
        let is_there = "other.remote_id IS NOT NULL";
        let is_left_out = "other.remote_id IS NULL AND other.state = 'synced'";
        let arrived = self.missed(destination, WAITING, is_there).await?;
        let left_out = self.missed(destination, PARKED, is_left_out).await?;
        let released = self.release_waiting(destination, &arrived, now).await?;
        Ok(released + self.release_parked(destination, &left_out, now).await?)
    }

    /// The prerequisites that meet a condition, of the items that meet another one.
    async fn missed(&self, destination: &str, waiting: &str, prerequisite: &str) -> Result<Vec<RecordKey>, StoreError> {
        let sql = format!(
            "SELECT DISTINCT site_id, waits_kind AS kind, waits_id AS moodle_id FROM sync_items \
             WHERE destination = ? AND {waiting} AND EXISTS (SELECT 1 FROM sync_items other \
             WHERE other.destination = sync_items.destination AND other.site_id = sync_items.site_id \
             AND other.kind = sync_items.waits_kind AND other.moodle_id = sync_items.waits_id AND {prerequisite})"
        );
        query(&self.read.patient(), &sql, vec![destination.into()]).await?.iter().map(key_of).collect()
    }

    /// Makes those of these records pending that are not at the destination: something about them that decides whether
    /// they are to be there has changed.
    pub async fn reconsider(&self, destination: &str, keys: &[RecordKey], now: Timestamp) -> Result<(), StoreError> {
        // What is being delivered may have been judged by what was before.
        let absent = "state IN ('synced', 'failed', 'in_flight') AND remote_id IS NULL";
        make_pending(&self.write, destination, keys, absent, Delivered::Trusted, now).await?;
        Ok(())
    }

    /// Requests a delivery of these records, whatever their digest says; items in flight are delivered again once they
    /// are settled.
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
        // Pending items first, because those that are retried become pending.
        let states = [ItemState::Pending, ItemState::Parked, ItemState::Failed];
        let mut retried = 0;
        for state in states.into_iter().filter(|state| filter.state.is_none_or(|only| only == *state)) {
            let filter = ItemFilter { state: Some(state), ..filter.clone() };
            let mut after = None;
            loop {
                let keys = self.next_items(destination, &filter, after).await?;
                let Some(last) = keys.last() else { break };
                after = Some(*last);
                let waiting = "state IN ('failed', 'parked', 'pending')";
                retried += make_pending(&self.write, destination, &keys, waiting, Delivered::Forgotten, now).await?;
            }
        }
        Ok(retried)
    }

    /// Requests a delivery of all matching items, changed or not: one step of at most [`limits::STEP_ITEMS`] items
    /// after the key `after`. Returns the step's keys; empty at the end.
    pub async fn resync(
        &self,
        destination: &str,
        filter: &ItemFilter,
        after: Option<RecordKey>,
        now: Timestamp,
    ) -> Result<Vec<RecordKey>, StoreError> {
        let keys = self.next_items(destination, filter, after).await?;
        self.request_delivery(destination, &keys, now).await?;
        Ok(keys)
    }

    /// The keys of the next [`limits::STEP_ITEMS`] matching items after `after`, in the order of the primary key.
    pub(super) async fn next_items(
        &self,
        destination: &str,
        filter: &ItemFilter,
        after: Option<RecordKey>,
    ) -> Result<Vec<RecordKey>, StoreError> {
        let (mut condition, mut values) = filter.condition(destination);
        if let Some(RecordKey { site_id, kind, moodle_id }) = after {
            condition += " AND (site_id, kind, moodle_id) > (?, ?, ?)";
            values.extend([site_id.into(), kind.as_str().into(), Value::from(moodle_id.0)]);
        }
        let sql = format!(
            "SELECT site_id, kind, moodle_id FROM sync_items WHERE {condition} ORDER BY site_id, kind, moodle_id LIMIT ?"
        );
        values.push(i64::from(limits::STEP_ITEMS).into());
        query(&self.read.patient(), &sql, values).await?.iter().map(key_of).collect()
    }
}
