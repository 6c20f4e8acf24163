//! Queries for operators: counts and lists of sync items.

use std::collections::HashMap;

use sea_orm::{QueryResult, Value};

use super::{
    counts::{Attention, Counts},
    queued::SINCE,
    remarks,
};
use crate::{
    clock::Timestamp,
    model::{Id, ItemState, Kind, RecordKey, Remark},
    store::{
        CourseFilter, PageRequest, Store, StoreError, UserFilter, bulk,
        records::by_site,
        sql::{key_of, kind_of, query},
    },
};

/// Selects items; all conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct ItemFilter {
    /// The site's row id.
    pub site_id: Option<i64>,
    /// The record's kind.
    pub kind: Option<Kind>,
    /// The item's state.
    pub state: Option<ItemState>,
    /// The reason's code.
    pub code: Option<String>,
    /// The item of this record only.
    pub record: Option<RecordKey>,
    /// Only synced items with remarks.
    pub remarks: bool,
}

/// A stored item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRow {
    /// The record.
    pub key: RecordKey,
    /// The item's state.
    pub state: ItemState,
    /// Raised by every request for a delivery.
    pub revision: i64,
    /// The oldest undelivered change, or the last delivered one.
    pub changed_at: Timestamp,
    /// When a pending item is due.
    pub due_at: Timestamp,
    /// Attempts since the last success.
    pub attempts: u32,
    /// The record's id at the destination, once known.
    pub remote_id: Option<String>,
    /// Another item writes the record with that id; this one only stands for it.
    pub linked: bool,
    /// Of what was last delivered; `None` when unknown.
    pub digest: Option<String>,
    /// When it was last delivered, or found to need no delivery.
    pub synced_at: Option<Timestamp>,
    /// The record that it waits for.
    pub waits_for: Option<RecordKey>,
    /// Why it is not synced, or why nothing was delivered; for programs.
    pub code: Option<String>,
    /// The same for people.
    pub reason: Option<String>,
    /// What was left out of what was last delivered.
    pub remarks: Vec<Remark>,
    /// When the destination changed the remote record by our last write, by its clock; `None` if it did not say so.
    pub remote_modified_at: Option<Timestamp>,
}

impl ItemFilter {
    /// SQL over `sync_items`, and its parameters.
    pub(super) fn condition(&self, destination: &str) -> (String, Vec<Value>) {
        let (mut sql, mut values) = ("destination = ?".to_owned(), vec![Value::from(destination)]);
        let mut add = |condition: &str, value: Value| {
            sql += " AND ";
            sql += condition;
            values.push(value);
        };
        if let Some(site_id) = self.site_id.or(self.record.map(|key| key.site_id)) {
            add("site_id = ?", site_id.into());
        }
        if let Some(kind) = self.kind.or(self.record.map(|key| key.kind)) {
            add("kind = ?", kind.as_str().into());
        }
        if let Some(key) = self.record {
            add("moodle_id = ?", key.moodle_id.0.into());
        }
        if let Some(code) = &self.code {
            add("code = ?", code.as_str().into());
        }
        if let Some(state) = self.state {
            // A literal, because the partial indexes do not apply to parameters.
            sql += &format!(" AND state = '{state}'");
        }
        if self.remarks {
            sql += " AND ";
            sql += remarks::SYNCED_WITH;
        }
        (sql, values)
    }
}

pub(super) const ITEM_COLUMNS: &str = "site_id, kind, moodle_id, state, revision, changed_at, due_at, attempts, remote_id, linked, \
                            CASE WHEN COALESCE(synced_at, 0) > COALESCE((SELECT value FROM counters WHERE name = 'restored_at'), -1) \
                            THEN digest END AS digest, synced_at, waits_kind, waits_id, code, reason, remarks, remote_modified_at";

impl Store {
    /// The number of items by kind and state, with the oldest change of each; a moment old where there are very many.
    pub async fn item_counts(&self, destination: &str) -> Result<Vec<Counts>, StoreError> {
        let (store, name) = (self.clone(), destination.to_owned());
        self.counts.get(destination, async move { store.count_by_state(&name).await }).await
    }

    /// Counts now if nobody could be shown [`Store::item_counts`] or [`Store::attention`] without waiting for a count.
    pub async fn keep_counts(&self, destination: &str) -> Result<(), StoreError> {
        self.counts.keep(destination, self.count_by_state(destination)).await?;
        self.attention.keep(destination, self.count_by_reason(destination)).await
    }

    async fn count_by_state(&self, destination: &str) -> Result<Vec<Counts>, StoreError> {
        let sql = format!(
            "SELECT kind, state, count(*) AS count, count(remote_id) AS there, count(remarks) AS remarks, \
             min(CASE WHEN state IN ('pending', 'in_flight') THEN {SINCE} ELSE changed_at END) AS oldest \
             FROM sync_items WHERE destination = ? GROUP BY kind, state ORDER BY kind, state"
        );
        let rows = query(&self.read.patient(), &sql, vec![destination.into()]).await?;
        let counts = |row: &QueryResult| {
            let (kind, count): (String, i64) = (row.try_get("", "kind")?, row.try_get("", "count")?);
            let (there, remarks): (i64, i64) = (row.try_get("", "there")?, row.try_get("", "remarks")?);
            Ok(Counts {
                kind: kind_of(&kind)?,
                state: state_of(row)?,
                count: count.unsigned_abs(),
                absent: (count - there).unsigned_abs(),
                with_remarks: remarks.unsigned_abs(),
                oldest: Timestamp(row.try_get("", "oldest")?),
            })
        };
        rows.iter().map(counts).collect()
    }

    /// The oldest undelivered change of each site.
    pub async fn oldest_waiting(&self, destination: &str) -> Result<HashMap<i64, Timestamp>, StoreError> {
        // Each state by its own partial index, so that synced items are not read.
        let of = |since: &str, condition: &str| {
            format!(
                "SELECT site_id, min({since}) AS oldest FROM sync_items WHERE destination = ? AND {condition} GROUP BY site_id"
            )
        };
        let sql = format!(
            "SELECT site_id, min(oldest) AS oldest FROM ({} UNION ALL {} UNION ALL {}) AS waiting GROUP BY site_id",
            of(SINCE, "state = 'pending'"),
            of(SINCE, "state = 'in_flight'"),
            of("changed_at", "state IN ('parked', 'failed')"),
        );
        let rows = query(&self.read.patient(), &sql, vec![Value::from(destination); 3]).await?;
        rows.iter().map(|row| Ok((row.try_get("", "site_id")?, Timestamp(row.try_get("", "oldest")?)))).collect()
    }

    /// Failed and parked items by reason; failed ones first. A moment old where there are very many.
    pub async fn attention(&self, destination: &str) -> Result<Vec<Attention>, StoreError> {
        let (store, name) = (self.clone(), destination.to_owned());
        self.attention.get(destination, async move { store.count_by_reason(&name).await }).await
    }

    async fn count_by_reason(&self, destination: &str) -> Result<Vec<Attention>, StoreError> {
        // The counts come from the index on reasons alone; one row of each group supplies the text.
        let sql = "WITH reasons AS (SELECT state, kind, code, count(*) AS count FROM sync_items \
                   WHERE destination = ? AND state IN ('parked', 'failed') GROUP BY state, kind, code) \
                   SELECT state, kind, code, count, (SELECT reason FROM sync_items item WHERE item.destination = ? \
                   AND item.state IN ('parked', 'failed') AND item.state = reasons.state AND item.kind = reasons.kind \
                   AND item.code = reasons.code ORDER BY site_id, moodle_id LIMIT 1) AS example \
                   FROM reasons ORDER BY state, kind, code";
        let rows = query(&self.read.patient(), sql, vec![destination.into(), destination.into()]).await?;
        let attention = |row: &QueryResult| {
            let (kind, count): (String, i64) = (row.try_get("", "kind")?, row.try_get("", "count")?);
            let (code, example): (Option<String>, Option<String>) =
                (row.try_get("", "code")?, row.try_get("", "example")?);
            Ok(Attention {
                state: state_of(row)?,
                kind: kind_of(&kind)?,
                code: code.unwrap_or_default(),
                count: count.unsigned_abs(),
                example: example.unwrap_or_default(),
            })
        };
        rows.iter().map(attention).collect()
    }

    /// The item of one record.
    pub async fn item(&self, destination: &str, key: RecordKey) -> Result<Option<ItemRow>, StoreError> {
        let filter = ItemFilter { record: Some(key), ..Default::default() };
        Ok(self.items(destination, &filter, PageRequest { after: None, limit: 1 }).await?.items.pop())
    }

    /// The existing items of these records.
    pub async fn sync_items_of(&self, destination: &str, keys: &[RecordKey]) -> Result<Vec<ItemRow>, StoreError> {
        let mut items = Vec::new();
        for kind in Kind::ALL {
            let keys: Vec<_> =
                keys.iter().filter(|key| key.kind == kind).map(|key| (key.site_id, key.moodle_id)).collect();
            for (site_id, ids) in by_site(&keys) {
                for list in bulk::key_lists(&ids) {
                    let places = vec!["?"; list.len()].join(", ");
                    let sql = format!(
                        "SELECT {ITEM_COLUMNS} FROM sync_items WHERE destination = ? AND site_id = ? AND kind = ? \
                         AND moodle_id IN ({places})"
                    );
                    let mut values: Vec<Value> = vec![destination.into(), site_id.into(), kind.as_str().into()];
                    values.extend(list.into_iter().map(|id: Id| Value::from(id.0)));
                    let rows = query(&self.read, &sql, values).await?;
                    items.extend(rows.iter().map(item_of).collect::<Result<Vec<_>, _>>()?);
                }
            }
        }
        Ok(items)
    }

    /// The keys of all records about one person: the account, enrolments, grades and completions.
    pub async fn records_of_user(&self, user: UserFilter) -> Result<Vec<RecordKey>, StoreError> {
        let mut keys = vec![RecordKey { kind: Kind::User, site_id: user.site_id, moodle_id: user.userid }];
        for (kind, table) in
            [(Kind::Enrolment, "enrolments"), (Kind::Grade, "grades"), (Kind::Completion, "completions")]
        {
            let sql = format!("SELECT moodle_id FROM {table} WHERE site_id = ? AND userid = ? ORDER BY moodle_id");
            for row in query(&self.read, &sql, vec![user.site_id.into(), user.userid.0.into()]).await? {
                keys.push(RecordKey { kind, site_id: user.site_id, moodle_id: Id(row.try_get("", "moodle_id")?) });
            }
        }
        Ok(keys)
    }

    /// The keys of all records that refer to a course: enrolments, grades and completions.
    pub async fn records_of_course(&self, course: CourseFilter) -> Result<Vec<RecordKey>, StoreError> {
        let mut keys = Vec::new();
        for (kind, sql) in [
            (Kind::Enrolment, "SELECT moodle_id FROM enrolments WHERE site_id = ? AND courseid = ?"),
            (
                Kind::Grade,
                "SELECT g.moodle_id AS moodle_id FROM grades g JOIN grade_items i ON i.site_id = g.site_id \
                 AND i.moodle_id = g.itemid WHERE i.site_id = ? AND i.courseid = ?",
            ),
            (Kind::Completion, "SELECT moodle_id FROM completions WHERE site_id = ? AND courseid = ?"),
        ] {
            for row in query(&self.read, sql, vec![course.site_id.into(), course.courseid.0.into()]).await? {
                keys.push(RecordKey { kind, site_id: course.site_id, moodle_id: Id(row.try_get("", "moodle_id")?) });
            }
        }
        Ok(keys)
    }
}

fn state_of(row: &QueryResult) -> Result<ItemState, StoreError> {
    let word: String = row.try_get("", "state")?;
    word.parse().map_err(|error| StoreError::Refused(sea_orm::DbErr::Type(format!("{error}"))))
}

pub(super) fn item_of(row: &QueryResult) -> Result<ItemRow, StoreError> {
    let (waits_kind, waits_id): (Option<String>, Option<i64>) =
        (row.try_get("", "waits_kind")?, row.try_get("", "waits_id")?);
    let key = key_of(row)?;
    let waits_for = match waits_kind.zip(waits_id) {
        Some((kind, id)) => Some(RecordKey { kind: kind_of(&kind)?, site_id: key.site_id, moodle_id: Id(id) }),
        None => None,
    };
    let attempts: i32 = row.try_get("", "attempts")?;
    let synced_at: Option<i64> = row.try_get("", "synced_at")?;
    Ok(ItemRow {
        key,
        state: state_of(row)?,
        revision: row.try_get("", "revision")?,
        changed_at: Timestamp(row.try_get("", "changed_at")?),
        due_at: Timestamp(row.try_get("", "due_at")?),
        attempts: attempts.unsigned_abs(),
        remote_id: row.try_get("", "remote_id")?,
        linked: row.try_get("", "linked")?,
        digest: row.try_get("", "digest")?,
        synced_at: synced_at.map(Timestamp),
        waits_for,
        code: row.try_get("", "code")?,
        reason: row.try_get("", "reason")?,
        remarks: remarks::read(row)?,
        remote_modified_at: row.try_get::<Option<i64>>("", "remote_modified_at")?.map(Timestamp),
    })
}
