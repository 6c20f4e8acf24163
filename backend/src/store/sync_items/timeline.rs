//! What happened to one person's records, in chronological order.

use sea_orm::{QueryResult, Value};

use super::attempts::attempt_of;
use crate::{
    clock::Timestamp,
    model::{RecordKey, Version},
    store::{
        AttemptRow, EventHead, Store, StoreError, UserFilter,
        bounded::Conditions,
        sql::{key_of, query},
    },
};

/// A record about a person, without its fields.
#[derive(Clone, Debug)]
pub struct PersonRecord {
    /// The record.
    pub key: RecordKey,
    /// The version of its state.
    pub version: Option<Version>,
    /// Whether it is deleted in Moodle.
    pub deleted: bool,
    /// When it last changed, by the server's clock.
    pub changed_at: Timestamp,
}

/// An attempt with its destination.
#[derive(Clone, Debug)]
pub struct TimelineAttempt {
    /// The destination's name.
    pub destination: String,
    /// The attempt.
    pub attempt: AttemptRow,
}

/// The direction in which a timeline is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimelineOrder {
    /// Forward in time.
    OldestFirst,
    /// Back in time.
    NewestFirst,
}

/// A place in a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimelinePlace {
    /// The time.
    pub at: Timestamp,
    /// Orders entries with the same time.
    pub number: i64,
}

/// The columns of record tables that a timeline shows.
const COLUMNS: &str = "moodle_id, version_time, version_sequence, deleted, changed_at";

/// SQL for a common table expression of all records about a person, and its parameters.
fn records_of(user: UserFilter) -> (String, Vec<Value>) {
    let of = |kind: &str, table: &str, column: &str| {
        format!(
            "SELECT CAST(? AS bigint) AS site_id, '{kind}' AS kind, {COLUMNS} FROM {table} WHERE site_id = ? AND {column} = ?"
        )
    };
    let tables = [
        of("user", "users", "moodle_id"),
        of("enrolment", "enrolments", "userid"),
        of("grade", "grades", "userid"),
        of("completion", "completions", "userid"),
    ];
    let values = [user.site_id, user.site_id, user.userid.0].map(Value::from);
    (format!("records AS ({})", tables.join(" UNION ALL ")), vec![values; tables.len()].concat())
}

impl Store {
    /// All records about a person: the account, enrolments, grades and completions; some hundreds.
    pub async fn person_records(&self, user: UserFilter) -> Result<Vec<PersonRecord>, StoreError> {
        let (records, values) = records_of(user);
        let sql = format!("WITH {records} SELECT * FROM records ORDER BY kind, moodle_id");
        query(&self.read, &sql, values).await?.iter().map(record_of).collect()
    }

    /// The events about a person beyond a place, by the time they were received.
    pub async fn person_events(
        &self,
        user: UserFilter,
        beyond: TimelinePlace,
        order: TimelineOrder,
        limit: u64,
    ) -> Result<Vec<EventHead>, StoreError> {
        let (sign, order) = match order {
            TimelineOrder::OldestFirst => (">", "received_at, id"),
            TimelineOrder::NewestFirst => ("<", "received_at DESC, id DESC"),
        };
        let mut conditions = Conditions::default();
        conditions.add("site_id = ?", [user.site_id.into()]);
        conditions.add("userid = ?", [user.userid.0.into()]);
        conditions.add(format!("(received_at, id) {sign} (?, ?)"), [beyond.at.0.into(), beyond.number.into()]);
        self.heads_where(conditions, order, limit).await
    }

    /// The attempts to deliver a person's records beyond a place, by the time they began.
    pub async fn person_attempts(
        &self,
        user: UserFilter,
        beyond: TimelinePlace,
        order: TimelineOrder,
        limit: u64,
    ) -> Result<Vec<TimelineAttempt>, StoreError> {
        let (records, mut values) = records_of(user);
        let (beyond_sign, direction) = match order {
            TimelineOrder::OldestFirst => (">", "ASC"),
            TimelineOrder::NewestFirst => ("<", "DESC"),
        };
        let sql = format!(
            "WITH {records} SELECT a.destination, a.id, a.site_id, a.kind, a.moodle_id, a.revision, a.started_at, a.duration_ms, \
             a.outcome, a.code, a.message, a.remote_id FROM records JOIN sync_attempts a ON a.site_id = records.site_id \
             AND a.kind = records.kind AND a.moodle_id = records.moodle_id WHERE (a.started_at, a.id) {beyond_sign} (?, ?) \
             ORDER BY a.started_at {direction}, a.id {direction} LIMIT ?"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        values.extend([beyond.at.0, beyond.number, limit].map(Value::from));
        query(&self.read, &sql, values).await?.iter().map(timeline_attempt_of).collect()
    }
}

pub(in crate::store) fn timeline_attempt_of(row: &QueryResult) -> Result<TimelineAttempt, StoreError> {
    Ok(TimelineAttempt { destination: row.try_get("", "destination")?, attempt: attempt_of(row)? })
}

fn record_of(row: &QueryResult) -> Result<PersonRecord, StoreError> {
    let (time, sequence): (Option<i64>, Option<i64>) =
        (row.try_get("", "version_time")?, row.try_get("", "version_sequence")?);
    Ok(PersonRecord {
        key: key_of(row)?,
        version: time.map(|time| Version { time, sequence }),
        deleted: row.try_get("", "deleted")?,
        changed_at: Timestamp(row.try_get("", "changed_at")?),
    })
}
