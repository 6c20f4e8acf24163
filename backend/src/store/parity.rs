//! What the comparison with Moodle reads and keeps: digests by id, and the last result of each kind of a site.
//!
//! All digests are in the narrow table `changes`, in the order of site, kind and id: a comparison never reads a record.

use std::collections::HashMap;

use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::{
    Store, StoreError,
    bounded::places,
    bulk,
    sql::{execute, kind_of, query},
};
use crate::{
    clock::Timestamp,
    model::{Digest, HeldRecord, Id, Kind, Version},
};

/// The newest event of a site, by the time of its change in Moodle.
#[derive(Clone, Copy, Debug)]
pub struct NewestEvent {
    /// The sender's id of the event.
    pub idempotency_key: Uuid,
    /// Its place in the log.
    pub id: i64,
    /// Its version.
    pub version: Version,
}

/// The result of a comparison of one kind of a site's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The site's row id.
    pub site_id: i64,
    /// The kind of records.
    pub kind: Kind,
    /// When it ended.
    pub compared_at: Timestamp,
    /// Living records that Moodle sent and that could be compared.
    pub moodle_records: i64,
    /// The same, as this backend counted them.
    pub backend_records: i64,
    /// The digest over all of them.
    pub digest: Digest,
    /// Records that differed and were sent again.
    pub repaired: i64,
    /// Records that differ even so.
    pub differing: i64,
    /// Records that could not be compared: refused, erased, or not confirmed yet.
    pub unprovable: i64,
}

impl Comparison {
    /// Whether both sides hold the same.
    pub fn is_equal(&self) -> bool {
        self.differing == 0 && self.moodle_records == self.backend_records
    }
}

impl Store {
    /// The first `limit` records of a kind in a range of ids, deleted ones included.
    pub async fn held_records(
        &self,
        site_id: i64,
        kind: Kind,
        (from, to): (Id, Id),
        limit: usize,
    ) -> Result<Vec<HeldRecord>, StoreError> {
        let sql = "SELECT moodle_id, deleted, digest FROM changes WHERE site_id = ? AND kind = ? AND moodle_id >= ? \
                   AND moodle_id <= ? ORDER BY moodle_id LIMIT ?";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![site_id.into(), kind.as_str().into(), from.0.into(), to.0.into(), limit.into()];
        let row = |row: &QueryResult| -> Result<HeldRecord, StoreError> {
            let digest: Option<Uuid> = row.try_get("", "digest")?;
            let digest = digest.map(|digest| Digest(digest.into_bytes()));
            Ok(HeldRecord { id: Id(row.try_get("", "moodle_id")?), deleted: row.try_get("", "deleted")?, digest })
        };
        query(&self.read, sql, values).await?.iter().map(row).collect()
    }

    /// What these records belong to: the ids that a deletion of them needs.
    pub async fn references_of(
        &self,
        site_id: i64,
        kind: Kind,
        ids: &[Id],
    ) -> Result<HashMap<Id, [Option<Id>; 3]>, StoreError> {
        let (table, columns) = match kind {
            Kind::User | Kind::Course => return Ok(HashMap::new()),
            Kind::Enrolment => ("enrolments", ["userid", "courseid", "NULL"]),
            Kind::Grade => ("grades", ["userid", "NULL", "itemid"]),
            Kind::Completion => ("completions", ["userid", "courseid", "NULL"]),
        };
        let [userid, courseid, itemid] = columns.map(|column| format!("CAST({column} AS bigint)"));
        let mut found = HashMap::new();
        for list in bulk::key_lists(ids) {
            let sql = format!(
                "SELECT moodle_id, {userid} AS userid, {courseid} AS courseid, {itemid} AS itemid FROM {table} \
                 WHERE site_id = ? AND moodle_id IN ({})",
                places(list.len())
            );
            let values = std::iter::once(site_id).chain(list.into_iter().map(|id| id.0)).map(Value::from);
            for row in query(&self.read, &sql, values.collect()).await? {
                let id = |column: &str| -> Result<Option<Id>, StoreError> {
                    Ok(row.try_get::<Option<i64>>("", column)?.map(Id))
                };
                found.insert(Id(row.try_get("", "moodle_id")?), [id("userid")?, id("courseid")?, id("itemid")?]);
            }
        }
        Ok(found)
    }

    /// Whether a site's event is in the log. `None` when its place is before the log's beginning: events are deleted when
    /// they are old.
    pub async fn holds_event(&self, site_id: i64, key: Uuid, position: i64) -> Result<Option<bool>, StoreError> {
        let sql = "SELECT 1 AS one FROM events WHERE site_id = ? AND client_id = ?";
        if !query(&self.read, sql, vec![site_id.into(), key.into()]).await?.is_empty() {
            return Ok(Some(true));
        }
        let rows = query(&self.read, "SELECT min(id) AS first FROM events", vec![]).await?;
        let first = rows.first().map(|row| row.try_get::<Option<i64>>("", "first")).transpose()?.flatten();
        // Of an empty log, a backup may be the reason as well as retention, and a comparison too many does no harm.
        Ok(if first.is_some_and(|first| position < first) { None } else { Some(false) })
    }

    /// The newest event of a site; none if no event of it carried an id, or all are deleted.
    ///
    /// The ids of our plugin's events begin with the time of the change, so the index on them finds it.
    pub async fn newest_event(&self, site_id: i64) -> Result<Option<NewestEvent>, StoreError> {
        let sql = "SELECT id, client_id, version_time, version_sequence FROM events WHERE site_id = ? \
                   AND client_id IS NOT NULL ORDER BY client_id DESC LIMIT 1";
        let rows = query(&self.read, sql, vec![site_id.into()]).await?;
        let newest = rows.first().map(|row| -> Result<NewestEvent, StoreError> {
            let (time, sequence) = (row.try_get("", "version_time")?, row.try_get("", "version_sequence")?);
            Ok(NewestEvent {
                idempotency_key: row.try_get("", "client_id")?,
                id: row.try_get("", "id")?,
                version: Version { time, sequence },
            })
        });
        newest.transpose()
    }

    /// Keeps the result of a comparison, in place of the one before.
    pub async fn save_comparison(&self, comparison: &Comparison) -> Result<(), StoreError> {
        let sql = "INSERT INTO parity (site_id, kind, compared_at, moodle_records, backend_records, digest, repaired, \
                   differing, unprovable) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (site_id, kind) DO UPDATE SET \
                   compared_at = excluded.compared_at, moodle_records = excluded.moodle_records, \
                   backend_records = excluded.backend_records, digest = excluded.digest, repaired = excluded.repaired, \
                   differing = excluded.differing, unprovable = excluded.unprovable";
        let values = vec![
            comparison.site_id.into(),
            comparison.kind.as_str().into(),
            comparison.compared_at.0.into(),
            comparison.moodle_records.into(),
            comparison.backend_records.into(),
            comparison.digest.to_string().into(),
            comparison.repaired.into(),
            comparison.differing.into(),
            comparison.unprovable.into(),
        ];
        execute(&self.write, sql, values).await?;
        Ok(())
    }

    /// The last comparison of each kind of each site, in the order of the sites.
    pub async fn comparisons(&self) -> Result<Vec<Comparison>, StoreError> {
        let sql = "SELECT site_id, kind, compared_at, moodle_records, backend_records, digest, repaired, differing, \
                   unprovable FROM parity";
        let comparison = |row: &QueryResult| -> Result<Comparison, StoreError> {
            let (kind, digest): (String, String) = (row.try_get("", "kind")?, row.try_get("", "digest")?);
            Ok(Comparison {
                site_id: row.try_get("", "site_id")?,
                kind: kind_of(&kind)?,
                compared_at: Timestamp(row.try_get("", "compared_at")?),
                moodle_records: row.try_get("", "moodle_records")?,
                backend_records: row.try_get("", "backend_records")?,
                digest: Digest::from_hex(&digest).unwrap_or(Digest::UNKNOWN),
                repaired: row.try_get("", "repaired")?,
                differing: row.try_get("", "differing")?,
                unprovable: row.try_get("", "unprovable")?,
            })
        };
        let mut found: Vec<_> =
            query(&self.read, sql, vec![]).await?.iter().map(comparison).collect::<Result<_, _>>()?;
        found.sort_by_key(|comparison| (comparison.site_id, comparison.kind));
        Ok(found)
    }
}
