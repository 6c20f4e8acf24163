//! Reading events.
//!
//! What an event says may have megabytes, so lists read it last: first the events with its length, then what it says, of
//! as many as fit into one read.

use std::collections::HashMap;

use sea_orm::{EntityTrait, QueryResult, Value};
use uuid::Uuid;

use super::{
    EventFilter, StoreError,
    bounded::{Conditions, places},
    bulk,
    connection::connect::Store,
    entity::event,
    sql::query,
};
use crate::{
    clock::Timestamp,
    model::{Id, RecordKey, Version},
};

/// An event in the log, with its data or only their length. Types and outcomes stay text: a newer version may have
/// written others.
#[derive(Clone)]
pub struct StoredEvent<D = String> {
    /// Its place in the log.
    pub id: i64,
    /// The site's row id.
    pub site_id: i64,
    /// The sender's id of the event.
    pub idempotency_key: Option<Uuid>,
    /// For example `user_updated`.
    pub event_type: String,
    /// The record's kind.
    pub kind: String,
    /// The record's Moodle id.
    pub moodle_id: Id,
    /// The user that it is about, if any.
    pub userid: Option<Id>,
    /// When it happened in Moodle.
    pub version: Version,
    /// When this server received it.
    pub received_at: Timestamp,
    /// For example `applied`.
    pub outcome: String,
    /// The sender's JSON, byte for byte.
    pub data: D,
}

/// The length of an event's data, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataBytes(pub u64);

/// An event without its data.
pub type EventHead = StoredEvent<DataBytes>;

/// What [`head_of`] reads.
const HEAD: &str = "id, site_id, client_id, event_type, kind, moodle_id, userid, version_time, version_sequence, received_at, \
                               outcome, CAST(octet_length(data) AS bigint) AS bytes";

impl Store {
    /// One event.
    pub async fn event(&self, id: i64) -> Result<Option<StoredEvent>, StoreError> {
        Ok(event::Entity::find_by_id(id).one(&self.read).await?.map(StoredEvent::from))
    }

    /// The events about one record with ids below `before`, the newest first. Uses the index by person, or by no person
    /// for courses.
    pub async fn record_events(
        &self,
        key: RecordKey,
        userid: Option<Id>,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<EventHead>, StoreError> {
        let mut conditions = Conditions::default();
        conditions.add("site_id = ?", [key.site_id.into()]);
        match userid {
            Some(userid) => conditions.add("userid = ?", [userid.0.into()]),
            None => conditions.add("userid IS NULL", []),
        }
        conditions.add("kind = ?", [key.kind.as_str().into()]);
        conditions.add("moodle_id = ?", [key.moodle_id.0.into()]);
        conditions.add("id < ?", [before.unwrap_or(i64::MAX).into()]);
        self.heads_where(conditions, "id DESC", limit).await
    }

    /// The matching events, without their data.
    pub(super) async fn heads_where(
        &self,
        conditions: Conditions,
        order: &str,
        limit: u64,
    ) -> Result<Vec<EventHead>, StoreError> {
        let (condition, mut values) = conditions.into_sql();
        values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
        let sql = format!("SELECT {HEAD} FROM events WHERE {condition} ORDER BY {order} LIMIT ?");
        query(&self.read, &sql, values).await?.iter().map(head_of).collect()
    }

    /// These events with their data; the caller knows that they fit into one read. Events deleted meanwhile are left
    /// out.
    pub(super) async fn with_data(&self, heads: Vec<EventHead>) -> Result<Vec<StoredEvent>, StoreError> {
        let ids: Vec<i64> = heads.iter().map(|head| head.id).collect();
        let mut data = HashMap::with_capacity(ids.len());
        for list in bulk::key_lists(&ids) {
            let sql = format!("SELECT id, data FROM events WHERE id IN ({})", places(list.len()));
            for row in query(&self.read, &sql, list.into_iter().map(Value::from).collect()).await? {
                data.insert(row.try_get::<i64>("", "id")?, row.try_get::<String>("", "data")?);
            }
        }
        Ok(heads.into_iter().filter_map(|head| data.remove(&head.id).map(|data| head.with(data))).collect())
    }
}

impl EventFilter {
    pub(super) fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        if let Some(site_id) = self.site_id {
            conditions.add("site_id = ?", [site_id.into()]);
        }
        if let Some(user) = self.user {
            conditions.add("site_id = ? AND userid = ?", [user.site_id.into(), user.userid.0.into()]);
        }
        if let Some(event_type) = self.event_type {
            conditions.add("event_type = ?", [event_type.as_str().into()]);
        }
        if let Some(outcome) = self.outcome {
            conditions.add("outcome = ?", [outcome.as_str().into()]);
        }
        conditions
    }
}

impl StoredEvent<DataBytes> {
    fn with(self, data: String) -> StoredEvent {
        StoredEvent {
            id: self.id,
            site_id: self.site_id,
            idempotency_key: self.idempotency_key,
            event_type: self.event_type,
            kind: self.kind,
            moodle_id: self.moodle_id,
            userid: self.userid,
            version: self.version,
            received_at: self.received_at,
            outcome: self.outcome,
            data,
        }
    }
}

fn head_of(row: &QueryResult) -> Result<EventHead, StoreError> {
    let userid: Option<i64> = row.try_get("", "userid")?;
    let bytes: i64 = row.try_get("", "bytes")?;
    Ok(StoredEvent {
        id: row.try_get("", "id")?,
        site_id: row.try_get("", "site_id")?,
        idempotency_key: row.try_get("", "client_id")?,
        event_type: row.try_get("", "event_type")?,
        kind: row.try_get("", "kind")?,
        moodle_id: Id(row.try_get("", "moodle_id")?),
        userid: userid.map(Id),
        version: Version { time: row.try_get("", "version_time")?, sequence: row.try_get("", "version_sequence")? },
        received_at: Timestamp(row.try_get("", "received_at")?),
        outcome: row.try_get("", "outcome")?,
        data: DataBytes(bytes.unsigned_abs()),
    })
}

impl From<event::Model> for StoredEvent {
    fn from(row: event::Model) -> Self {
        Self {
            id: row.id,
            site_id: row.site_id,
            idempotency_key: row.idempotency_key,
            event_type: row.event_type,
            kind: row.kind,
            moodle_id: Id(row.moodle_id),
            userid: row.userid.map(Id),
            version: Version { time: row.version_time, sequence: row.version_sequence },
            received_at: Timestamp(row.received_at),
            outcome: row.outcome,
            data: row.data,
        }
    }
}
