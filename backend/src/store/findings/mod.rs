//! What comparisons with a destination found: one row for a remote record that is not as the mapping writes it.

mod decide;
mod keep;
mod progress;

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

pub use self::{
    decide::{FindingDecision, FindingRefusal},
    keep::NewFinding,
    progress::{ProofOfKind, ProofState, WatchState},
};
use super::{
    Store, StoreError,
    bounded::places,
    bulk,
    sql::{query, word},
    sync_items::by_site_and_kind,
};
use crate::{
    clock::Timestamp,
    model::{FindingField, FindingSort, FindingState, FoundBy, Id, Kind, RecordKey},
};

/// A remote record that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Row id: the number that people name.
    pub id: i64,
    /// The kind of records that its module holds.
    pub kind: Kind,
    /// The record here; of a double, the one whose key it has.
    pub key: Option<RecordKey>,
    /// Its id at the destination.
    pub remote_id: String,
    /// How it differs.
    pub sort: FindingSort,
    /// What becomes of it.
    pub state: FindingState,
    /// The fields that differ.
    pub fields: Vec<FindingField>,
    /// When it was changed at the destination, if known.
    pub modified_at: Option<Timestamp>,
    /// By whom, as far as the destination says.
    pub modified_by: Option<String>,
    /// When it was found.
    pub found_at: Timestamp,
    /// What found it.
    pub found_by: FoundBy,
    /// When it came into this state.
    pub changed_at: Timestamp,
    /// The person who brought it there; `None` if nobody did.
    pub decided_by: Option<String>,
}

/// Selects findings; all conditions must hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct FindingFilter {
    /// What became of them; without it, all but closed ones.
    pub state: Option<FindingState>,
    /// How they differ.
    pub sort: Option<FindingSort>,
    /// The kind of records.
    pub kind: Option<Kind>,
    /// The site's row id.
    pub site_id: Option<i64>,
    /// Those of one record.
    pub record: Option<RecordKey>,
}

/// The findings of one kind that differ alike and are in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindingCount {
    /// The kind of records.
    pub kind: Kind,
    /// How they differ.
    pub sort: FindingSort,
    /// What became of them.
    pub state: FindingState,
    /// Their number.
    pub count: u64,
}

const COLUMNS: &str = "id, kind, site_id, moodle_id, remote_id, sort, state, fields, modified_at, modified_by, found_at, \
                       found_by, changed_at, decided_by";

/// A condition that the index on states serves.
const NOT_CLOSED: &str = "state IN ('open', 'restoring', 'left')";

impl FindingFilter {
    /// SQL, and its parameters.
    fn condition(&self, destination: &str) -> (String, Vec<Value>) {
        let (mut sql, mut values) = ("destination = ?".to_owned(), vec![Value::from(destination)]);
        let mut add = |condition: &str, value: Value| {
            sql += condition;
            values.push(value);
        };
        if let Some(sort) = self.sort {
            add(" AND sort = ?", sort.as_str().into());
        }
        if let Some(kind) = self.kind {
            add(" AND kind = ?", kind.as_str().into());
        }
        if let Some(site_id) = self.site_id {
            add(" AND site_id = ?", site_id.into());
        }
        if let Some(key) = self.record {
            add(" AND site_id = ?", key.site_id.into());
            add(" AND kind = ?", key.kind.as_str().into());
            add(" AND moodle_id = ?", key.moodle_id.0.into());
        }
        match self.state {
            Some(state) => add(" AND state = ?", state.as_str().into()),
            None => sql = format!("{sql} AND {NOT_CLOSED}"),
        }
        (sql, values)
    }
}

impl Store {
    /// A page of findings with numbers below `before`, the newest first.
    pub async fn findings(
        &self,
        destination: &str,
        filter: FindingFilter,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<Finding>, StoreError> {
        let (condition, mut values) = filter.condition(destination);
        let sql = format!("SELECT {COLUMNS} FROM findings WHERE {condition} AND id < ? ORDER BY id DESC LIMIT ?");
        values.extend([before.unwrap_or(i64::MAX).into(), i64::try_from(limit).unwrap_or(i64::MAX).into()]);
        query(&self.read, &sql, values).await?.iter().map(finding_of).collect()
    }

    /// One finding.
    pub async fn finding(&self, destination: &str, id: i64) -> Result<Option<Finding>, StoreError> {
        finding(&self.read, destination, id).await
    }

    /// The findings about these records that are not closed, but for doubles of theirs.
    pub async fn findings_of(
        &self,
        destination: &str,
        keys: &[RecordKey],
    ) -> Result<HashMap<RecordKey, Finding>, StoreError> {
        let mut found = HashMap::new();
        for ((site_id, kind), ids) in by_site_and_kind(keys) {
            for list in bulk::key_lists(&ids) {
                let sql = format!(
                    "SELECT {COLUMNS} FROM findings WHERE destination = ? AND site_id = ? AND kind = ? AND moodle_id IN ({}) \
                     AND {NOT_CLOSED} AND sort <> 'doubled' AND sort <> 'surplus'",
                    places(list.len())
                );
                let mut values: Vec<Value> = vec![destination.into(), site_id.into(), kind.into()];
                values.extend(list.into_iter().map(|id| Value::from(id.0)));
                for row in query(&self.read, &sql, values).await? {
                    let finding = finding_of(&row)?;
                    found.extend(finding.key.map(|key| (key, finding)));
                }
            }
        }
        Ok(found)
    }

    /// How many findings of each kind, sort and state there are, but for closed ones.
    pub async fn finding_counts(&self, destination: &str) -> Result<Vec<FindingCount>, StoreError> {
        let sql = format!(
            "SELECT kind, sort, state, count(*) AS count FROM findings WHERE destination = ? AND {NOT_CLOSED} \
             GROUP BY kind, sort, state ORDER BY kind, sort, state"
        );
        let count = |row: &QueryResult| -> Result<FindingCount, StoreError> {
            let count: i64 = row.try_get("", "count")?;
            let (kind, sort, state) = (word(row, "kind")?, word(row, "sort")?, word(row, "state")?);
            Ok(FindingCount { kind, sort, state, count: count.unsigned_abs() })
        };
        query(&self.read, &sql, vec![destination.into()]).await?.iter().map(count).collect()
    }

    /// How many findings wait for a person, by how they differ.
    pub async fn open_findings(&self, destination: &str) -> Result<BTreeMap<FindingSort, u64>, StoreError> {
        let mut open = BTreeMap::new();
        for found in self.finding_counts(destination).await? {
            if found.state == FindingState::Open {
                *open.entry(found.sort).or_default() += found.count;
            }
        }
        Ok(open)
    }
}

async fn finding(connection: &impl ConnectionTrait, destination: &str, id: i64) -> Result<Option<Finding>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM findings WHERE destination = ? AND id = ?");
    let rows = query(connection, &sql, vec![destination.into(), id.into()]).await?;
    rows.first().map(finding_of).transpose()
}

fn finding_of(row: &QueryResult) -> Result<Finding, StoreError> {
    let (kind, fields): (Kind, Option<String>) = (word(row, "kind")?, row.try_get("", "fields")?);
    let (site_id, moodle_id): (Option<i64>, Option<i64>) = (row.try_get("", "site_id")?, row.try_get("", "moodle_id")?);
    // The error names a place in the text, not the values.
    let parse = |text: String| {
        serde_json::from_str(&text).map_err(|error| StoreError::Refused(DbErr::Type(format!("fields: {error}"))))
    };
    Ok(Finding {
        id: row.try_get("", "id")?,
        kind,
        key: site_id.zip(moodle_id).map(|(site_id, id)| RecordKey { kind, site_id, moodle_id: Id(id) }),
        remote_id: row.try_get("", "remote_id")?,
        sort: word(row, "sort")?,
        state: word(row, "state")?,
        fields: fields.map(parse).transpose()?.unwrap_or_default(),
        modified_at: row.try_get::<Option<i64>>("", "modified_at")?.map(Timestamp),
        modified_by: row.try_get("", "modified_by")?,
        found_at: Timestamp(row.try_get("", "found_at")?),
        found_by: word(row, "found_by")?,
        changed_at: Timestamp(row.try_get("", "changed_at")?),
        decided_by: row.try_get("", "decided_by")?,
    })
}
