//! Checking digests against the events that they were made of, where these are still stored.

use std::collections::HashMap;

use sea_orm::Value;
use uuid::Uuid;

use super::{
    EventHead, Store, StoreError,
    bounded::{Conditions, parts, places},
    bulk,
    sql::{execute, kind_of, query},
};
use crate::{
    limits::STATEMENT_ROWS,
    model::{Digest, Id, Kind, RecordKey, Version},
};

/// Events of one step: as many as one statement fills in digests for, under the writers' lock.
const STEP_EVENTS: u64 = STATEMENT_ROWS as u64;

/// What one step of an audit found.
#[derive(Debug, Default)]
pub struct AuditedDigests {
    /// The last event that was looked at; the next step begins behind it.
    pub last_event: i64,
    /// Records whose digest is that of their event.
    pub right: u64,
    /// Records whose digest was unknown, and is known now.
    pub filled: u64,
    /// Records whose digest is another one.
    pub wrong: Vec<RecordKey>,
}

/// A living record's state and digest.
struct Held {
    version: Version,
    position: i64,
    digest: Option<Digest>,
}

/// A digest that is to be stored.
#[derive(Clone)]
struct Found {
    key: RecordKey,
    position: i64,
    digest: Digest,
}

impl Found {
    fn values(self) -> [Value; 5] {
        let Self { key: RecordKey { kind, site_id, moodle_id }, position, digest } = self;
        let digest = Uuid::from_bytes(digest.0);
        [site_id.into(), kind.as_str().into(), moodle_id.0.into(), position.into(), digest.into()]
    }
}

fn table_of(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "users",
        Kind::Course => "courses",
        Kind::Enrolment => "enrolments",
        Kind::Grade => "grades",
        Kind::Completion => "completions",
    }
}

impl Store {
    /// Compares the digests of records with the next events behind `after`; fills in those that are unknown. `None` at the
    /// log's end.
    pub async fn audit_digests(&self, after: i64) -> Result<Option<AuditedDigests>, StoreError> {
        let mut conditions = Conditions::default();
        // Events of the original plugin have no ids, and their states no digests.
        conditions.add("id > ? AND client_id IS NOT NULL", [after.into()]);
        let heads = self.heads_where(conditions, "id", STEP_EVENTS).await?;
        let Some(last) = heads.last() else { return Ok(None) };
        let mut audited = AuditedDigests { last_event: last.id, ..AuditedDigests::default() };
        let held = self.held_states(&heads).await?;
        let mut current = Vec::new();
        for head in heads {
            let key = key_of(&head)?;
            if held.get(&key).is_some_and(|held| held.version == head.version) {
                current.push(head);
            }
        }
        let mut found = Vec::new();
        for group in parts(current, |head| head.data.0) {
            for event in self.with_data(group).await? {
                let key = RecordKey { kind: kind_of(&event.kind)?, site_id: event.site_id, moodle_id: event.moodle_id };
                let (Some(held), digest) = (held.get(&key), Digest::of(&event.data)) else { continue };
                match held.digest {
                    Some(known) if known == digest => audited.right += 1,
                    Some(_) => audited.wrong.push(key),
                    None => found.push(Found { key, position: held.position, digest }),
                }
            }
        }
        audited.filled = self.fill_in(found).await?;
        Ok(Some(audited))
    }

    /// The states of the living records that these events are about.
    async fn held_states(&self, heads: &[EventHead]) -> Result<HashMap<RecordKey, Held>, StoreError> {
        let mut ids: HashMap<(i64, Kind), Vec<Id>> = HashMap::new();
        for key in heads.iter().map(key_of) {
            let key = key?;
            ids.entry((key.site_id, key.kind)).or_default().push(key.moodle_id);
        }
        let mut held = HashMap::new();
        for ((site_id, kind), ids) in ids {
            for list in bulk::key_lists(&ids) {
                let sql = format!(
                    "SELECT r.moodle_id, r.version_time, r.version_sequence, c.position, c.digest FROM {} r \
                     JOIN changes c ON c.site_id = r.site_id AND c.kind = ? AND c.moodle_id = r.moodle_id \
                     WHERE r.site_id = ? AND r.version_time IS NOT NULL AND NOT r.deleted AND r.moodle_id IN ({})",
                    table_of(kind),
                    places(list.len())
                );
                let mut values = vec![Value::from(kind.as_str()), site_id.into()];
                values.extend(list.into_iter().map(|id| Value::from(id.0)));
                for row in query(&self.read, &sql, values).await? {
                    let (time, sequence) = (row.try_get("", "version_time")?, row.try_get("", "version_sequence")?);
                    let digest: Option<Uuid> = row.try_get("", "digest")?;
                    let state = Held {
                        version: Version { time, sequence },
                        position: row.try_get("", "position")?,
                        digest: digest.map(|digest| Digest(digest.into_bytes())),
                    };
                    held.insert(RecordKey { kind, site_id, moodle_id: Id(row.try_get("", "moodle_id")?) }, state);
                }
            }
        }
        Ok(held)
    }

    /// Stores digests, unless the records have changed meanwhile; returns how many.
    async fn fill_in(&self, found: Vec<Found>) -> Result<u64, StoreError> {
        if found.is_empty() {
            return Ok(0);
        }
        let (transaction, _) = self.begin_write(0).await?;
        let mut filled = 0;
        for list in bulk::key_lists(&found) {
            let sql = format!(
                "WITH found (site_id, kind, moodle_id, position, digest) AS (VALUES {}) UPDATE changes SET digest = \
                 found.digest FROM found WHERE changes.site_id = found.site_id AND changes.kind = found.kind \
                 AND changes.moodle_id = found.moodle_id AND changes.position = found.position AND changes.digest IS NULL",
                vec!["(?, ?, ?, ?, ?)"; list.len()].join(", ")
            );
            let values = list.into_iter().flat_map(Found::values).collect();
            filled += execute(transaction.connection(), &sql, values).await?;
        }
        transaction.commit().await?;
        Ok(filled)
    }

    /// The number of living records, and of those whose digest is unknown.
    pub async fn count_digests(&self) -> Result<(u64, u64), StoreError> {
        let sql = "SELECT count(*) AS living, count(digest) AS known FROM changes WHERE NOT deleted";
        let rows = query(&self.read.patient(), sql, vec![]).await?;
        let Some(row) = rows.first() else { return Ok((0, 0)) };
        let (living, known): (i64, i64) = (row.try_get("", "living")?, row.try_get("", "known")?);
        Ok((living.unsigned_abs(), (living - known).unsigned_abs()))
    }
}

fn key_of(head: &EventHead) -> Result<RecordKey, StoreError> {
    Ok(RecordKey { kind: kind_of(&head.kind)?, site_id: head.site_id, moodle_id: head.moodle_id })
}
