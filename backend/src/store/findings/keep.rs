//! Keeping what comparisons find, and closing what no longer differs.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, Value};

use super::{COLUMNS, Finding, finding, finding_of};
use crate::{
    clock::Timestamp,
    limits,
    model::{FindingField, FindingSort, FindingState, FoundBy, Kind, ParityPolicy, RecordKey},
    store::{
        Store, StoreError,
        bounded::places,
        bulk,
        sql::{execute, query},
        sync_items::{hold, request_delivery},
    },
};

/// What a comparison found.
#[derive(Clone, Debug)]
pub struct NewFinding {
    /// The kind of records that the module holds.
    pub kind: Kind,
    /// The record here; of a double, the one whose key it has.
    pub key: Option<RecordKey>,
    /// The remote record's id.
    pub remote_id: String,
    /// How it differs.
    pub sort: FindingSort,
    /// The fields that differ, each with who decides about it.
    pub fields: Vec<(FindingField, ParityPolicy)>,
    /// When it was changed at the destination, if known.
    pub modified_at: Option<Timestamp>,
    /// By whom, as far as the destination says.
    pub modified_by: Option<String>,
    /// What found it.
    pub found_by: FoundBy,
}

/// A field that was written again so often within [`limits::RESTORES_TIME`] is another one's too: a person is asked.
const RESTORES: usize = 2;

impl NewFinding {
    /// The fields with what becomes of them, by what was decided before.
    fn fields_after(&self, before: Option<&Finding>, now: Timestamp) -> Vec<FindingField> {
        let known = |name: &str| before?.fields.iter().find(|field| field.field == name);
        let fields = self.fields.iter().map(|(field, policy)| {
            let before = known(&field.field);
            let restored: Vec<i64> = before.map(|before| recent(&before.restored, now)).unwrap_or_default();
            let state = match before.map(|before| (before.state, before.here == field.here)) {
                // What a person left stays left until the mapping writes something else.
                Some((FindingState::Left, true)) => FindingState::Left,
                Some((FindingState::Restoring, _)) => FindingState::Restoring,
                _ if *policy == ParityPolicy::Restore && restored.len() < RESTORES => FindingState::Restoring,
                _ => FindingState::Open,
            };
            FindingField { state, restored, ..field.clone() }
        });
        // A field that is written again has a memory.
        let again = |field: &&FindingField| self.fields.iter().any(|(found, _)| found.field == field.field);
        let others = before.iter().flat_map(|before| &before.fields).filter(|field| !again(field));
        let others = others.filter_map(|field| closed(field, now));
        fields.chain(others).collect()
    }
}

/// The times that still count.
fn recent(restored: &[i64], now: Timestamp) -> Vec<i64> {
    let since = now.before(limits::RESTORES_TIME).0;
    restored.iter().copied().filter(|at| *at >= since).collect()
}

/// What is kept of a field that no longer differs.
fn closed(field: &FindingField, now: Timestamp) -> Option<FindingField> {
    let restored = recent(&field.restored, now);
    (!restored.is_empty()).then(|| FindingField { state: FindingState::Closed, restored, ..field.clone() })
}

impl Store {
    /// Keeps what was found. What the policy writes again becomes pending. Returns those that were not known.
    pub async fn record_findings(
        &self,
        destination: &str,
        found: &[NewFinding],
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut new = 0;
        for found in found.chunks(limits::STEP_ITEMS as usize) {
            new += self.record_step(destination, found, now).await?;
        }
        Ok(new)
    }

    async fn record_step(&self, destination: &str, found: &[NewFinding], now: Timestamp) -> Result<u64, StoreError> {
        let transaction = self.begin_immediate().await?;
        hold(&transaction, destination, found.iter().filter_map(|found| found.key).collect()).await?;
        let ids: Vec<String> = found.iter().map(|found| found.remote_id.clone()).collect();
        let before = by_remote(&transaction, destination, &ids).await?;
        let (mut new, mut restored) = (0, Vec::new());
        for found in found {
            let before = before.get(&found.remote_id);
            let is_open = before.is_some_and(|before| before.state != FindingState::Closed);
            let fields = found.fields_after(before, now);
            let state = match (found.sort, before) {
                (FindingSort::Changed, _) => FindingState::of(&fields),
                (sort, Some(before)) if is_open && before.sort == sort => before.state,
                _ => FindingState::Open,
            };
            let was_restoring = before.is_some_and(|before| before.state == FindingState::Restoring);
            let restores = found.sort == FindingSort::Changed
                && fields.iter().any(|field| field.state == FindingState::Restoring)
                && !was_restoring;
            restored.extend(found.key.filter(|_| restores));
            new += u64::from(!is_open);
            keep(&transaction, destination, found, (state, &fields), (is_open, now)).await?;
        }
        request_delivery(&transaction, destination, &restored, now).await?;
        transaction.commit().await?;
        Ok(new)
    }

    /// Closes the findings about remote records that no longer differ. Returns how many.
    pub async fn close_findings(
        &self,
        destination: &str,
        remote_ids: &[String],
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut closed_all = 0;
        for finding in by_remote(&self.write, destination, remote_ids).await?.into_values() {
            if finding.state == FindingState::Closed {
                continue;
            }
            let fields = finding.fields.iter().filter_map(|field| closed(field, now)).collect();
            store(&self.write, destination, &Finding { state: FindingState::Closed, fields, ..finding }, now).await?;
            closed_all += 1;
        }
        Ok(closed_all)
    }

    /// Closes what a delivery has answered: these fields of a finding were written, or the record is there again.
    pub async fn answer_finding(
        &self,
        destination: &str,
        id: i64,
        written: &[String],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let transaction = self.begin_immediate().await?;
        let Some(mut found) = finding(&transaction, destination, id).await? else { return Ok(()) };
        let fields = std::mem::take(&mut found.fields).into_iter().filter_map(|mut field| {
            if !written.contains(&field.field) {
                return Some(field);
            }
            if field.state == FindingState::Restoring {
                field.restored.push(now.0);
            }
            closed(&field, now)
        });
        found.fields = fields.collect();
        found.state = FindingState::of(&found.fields);
        store(&transaction, destination, &found, now).await?;
        transaction.commit().await
    }

    /// Notes when and by whom a remote record was deleted, for whoever finds that it is missing.
    pub async fn note_deletion(
        &self,
        destination: &str,
        (key, remote_id): (RecordKey, &str),
        (at, by): (Option<Timestamp>, Option<&str>),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO findings (destination, kind, site_id, moodle_id, remote_id, sort, state, modified_at, modified_by, \
                   found_at, found_by, changed_at) VALUES (?, ?, ?, ?, ?, 'deleted', 'closed', ?, ?, ?, 'watch', ?) \
                   ON CONFLICT (destination, remote_id) DO UPDATE SET modified_at = excluded.modified_at, \
                   modified_by = excluded.modified_by";
        let RecordKey { kind, site_id, moodle_id } = key;
        let values: Vec<Value> = vec![
            destination.into(),
            kind.as_str().into(),
            site_id.into(),
            moodle_id.0.into(),
            remote_id.into(),
            at.map(|at| at.0).into(),
            by.into(),
            now.0.into(),
            now.0.into(),
        ];
        execute(&self.write, sql, values).await?;
        Ok(())
    }

    /// Deletes closed findings that are old: at most `limit`. Returns how many.
    pub async fn prune_findings(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        let sql = "DELETE FROM findings WHERE id IN (SELECT id FROM findings WHERE state = 'closed' AND changed_at < ? \
                   ORDER BY id LIMIT ?)";
        execute(&self.write, sql, vec![before.0.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()]).await
    }
}

async fn by_remote(
    connection: &impl ConnectionTrait,
    destination: &str,
    ids: &[String],
) -> Result<HashMap<String, Finding>, StoreError> {
    let mut found = HashMap::new();
    for list in bulk::key_lists(ids) {
        let sql =
            format!("SELECT {COLUMNS} FROM findings WHERE destination = ? AND remote_id IN ({})", places(list.len()));
        let values = std::iter::once(Value::from(destination)).chain(list.into_iter().map(Value::from)).collect();
        for row in query(connection, &sql, values).await? {
            let finding = finding_of(&row)?;
            found.insert(finding.remote_id.clone(), finding);
        }
    }
    Ok(found)
}

fn text_of(fields: &[FindingField]) -> Option<String> {
    (!fields.is_empty()).then(|| serde_json::to_string(fields).unwrap_or_default())
}

/// Stores what changes of a finding.
pub(super) async fn store(
    connection: &impl ConnectionTrait,
    destination: &str,
    finding: &Finding,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "UPDATE findings SET changed_at = CASE WHEN state = ? THEN changed_at ELSE ? END, state = ?, fields = ?, \
               decided_by = ? WHERE destination = ? AND id = ?";
    let state = finding.state.as_str();
    let values: Vec<Value> = vec![
        state.into(),
        now.0.into(),
        state.into(),
        text_of(&finding.fields).into(),
        finding.decided_by.clone().into(),
        destination.into(),
        finding.id.into(),
    ];
    execute(connection, sql, values).await?;
    Ok(())
}

/// Stores what was found, in place of what was known about the remote record.
async fn keep(
    connection: &impl ConnectionTrait,
    destination: &str,
    found: &NewFinding,
    (state, fields): (FindingState, &[FindingField]),
    (is_open, now): (bool, Timestamp),
) -> Result<(), StoreError> {
    let sql = "INSERT INTO findings (destination, kind, site_id, moodle_id, remote_id, sort, state, fields, modified_at, \
               modified_by, found_at, found_by, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
               ON CONFLICT (destination, remote_id) DO UPDATE SET kind = excluded.kind, site_id = excluded.site_id, \
               moodle_id = excluded.moodle_id, sort = excluded.sort, fields = excluded.fields, \
               modified_at = COALESCE(excluded.modified_at, findings.modified_at), \
               modified_by = COALESCE(excluded.modified_by, findings.modified_by), \
               found_at = CASE WHEN ? THEN findings.found_at ELSE excluded.found_at END, \
               found_by = CASE WHEN ? THEN findings.found_by ELSE excluded.found_by END, \
               decided_by = CASE WHEN findings.state = excluded.state THEN findings.decided_by END, \
               changed_at = CASE WHEN findings.state = excluded.state THEN findings.changed_at ELSE excluded.changed_at END, \
               state = excluded.state";
    let values: Vec<Value> = vec![
        destination.into(),
        found.kind.as_str().into(),
        found.key.map(|key| key.site_id).into(),
        found.key.map(|key| key.moodle_id.0).into(),
        found.remote_id.as_str().into(),
        found.sort.as_str().into(),
        state.as_str().into(),
        text_of(fields).into(),
        found.modified_at.map(|at| at.0).into(),
        found.modified_by.clone().into(),
        now.0.into(),
        <&str>::from(found.found_by).into(),
        now.0.into(),
        is_open.into(),
        is_open.into(),
    ];
    execute(connection, sql, values).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Id;

    fn found(policy: ParityPolicy, there: &str) -> NewFinding {
        let field = FindingField {
            field: "City".to_owned(),
            here: json!("Leeds"),
            there: json!(there),
            state: FindingState::Open,
            restored: Vec::new(),
        };
        NewFinding {
            kind: Kind::User,
            key: Some(RecordKey { kind: Kind::User, site_id: 1, moodle_id: Id(3) }),
            remote_id: "1".to_owned(),
            sort: FindingSort::Changed,
            fields: vec![(field, policy)],
            modified_at: None,
            modified_by: None,
            found_by: FoundBy::Watch,
        }
    }

    fn known(state: FindingState, restored: &[i64]) -> Finding {
        let mut fields: Vec<FindingField> =
            found(ParityPolicy::Report, "Hull").fields.into_iter().map(|(field, _)| field).collect();
        fields[0].state = state;
        fields[0].restored = restored.to_vec();
        Finding {
            id: 1,
            kind: Kind::User,
            key: None,
            remote_id: "1".to_owned(),
            sort: FindingSort::Changed,
            state,
            fields,
            modified_at: None,
            modified_by: None,
            found_at: Timestamp(0),
            found_by: FoundBy::Watch,
            changed_at: Timestamp(0),
            decided_by: None,
        }
    }

    #[test]
    fn policy_decides_unless_somebody_else_writes_the_field_too() {
        let now = Timestamp(100 * 24 * 60 * 60 * 1_000);
        let state = |found: &NewFinding, before: Option<Finding>| found.fields_after(before.as_ref(), now)[0].state;
        let (report, restore) = (found(ParityPolicy::Report, "York"), found(ParityPolicy::Restore, "York"));
        assert_eq!(state(&report, None), FindingState::Open);
        assert_eq!(state(&restore, None), FindingState::Restoring);
        let (today, old) = (now.0 - 1, now.0 - 2 * 24 * 60 * 60 * 1_000);
        assert_eq!(state(&restore, Some(known(FindingState::Closed, &[old, today]))), FindingState::Restoring);
        assert_eq!(state(&restore, Some(known(FindingState::Closed, &[today, today]))), FindingState::Open);
        assert_eq!(state(&restore, Some(known(FindingState::Left, &[]))), FindingState::Left, "whatever it is there");
        let mut moved = report.clone();
        moved.fields[0].0.here = json!("Derby");
        assert_eq!(state(&moved, Some(known(FindingState::Left, &[]))), FindingState::Open, "Moodle changed it");
    }

    #[test]
    fn a_field_that_no_longer_differs_is_remembered_only_for_how_often_it_was_restored() {
        let now = Timestamp(100 * 24 * 60 * 60 * 1_000);
        assert_eq!(closed(&known(FindingState::Restoring, &[]).fields[0], now), None);
        let closed = closed(&known(FindingState::Restoring, &[now.0]).fields[0], now).unwrap();
        assert_eq!((closed.state, closed.restored), (FindingState::Closed, vec![now.0]));
    }
}
