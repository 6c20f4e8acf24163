//! Blanking what is stored about a person, in steps that each commit: after a crash, the erasure continues where it
//! stopped.
//!
//! Records stay as tombstones that hold only ids, so that the change feed, the sync items and references to them stay
//! correct. Events stay as facts (what, about whom, when, with which outcome), without their data.

use std::collections::HashMap;

use sea_orm::{QueryResult, Value};

use super::{NO_DATA, progress::remote_records};
use crate::{
    clock::Timestamp,
    limits,
    model::{Id, Kind, State},
    store::{
        Store, StoreError, UserFilter,
        entity::records::{RecordTable, completion, enrolment, grade, user},
        erasure::Erasure,
        sql::{execute, query},
        write::{Changes, NewDigest, WriteTransaction},
    },
};

/// The column with the person's id.
fn person_column(kind: Kind) -> &'static str {
    if kind == Kind::User { "moodle_id" } else { "userid" }
}

fn table_of<T: RecordTable>() -> String {
    T::default().table_name().to_owned()
}

/// SQL after `SELECT …` for the person's records that are not blank yet.
pub(super) fn unblanked<T: RecordTable>() -> String {
    let kind = T::State::KIND;
    let any: Vec<String> = T::FIELDS.iter().chain(&["extra"]).map(|field| format!("{field} IS NOT NULL")).collect();
    format!(
        "FROM {} WHERE site_id = ? AND {} = ? AND (NOT deleted OR {})",
        table_of::<T>(),
        person_column(kind),
        any.join(" OR ")
    )
}

impl Store {
    /// Blanks the person's next rows; returns how many. 0 when nothing is left.
    pub async fn blank_step(&self, erasure: &Erasure, now: Timestamp) -> Result<u64, StoreError> {
        let (transaction, _) = self.begin_write(0).await?;
        let blanked = transaction.blank(erasure, now).await?;
        transaction.commit().await?;
        Ok(blanked)
    }
}

impl WriteTransaction {
    async fn blank(&self, erasure: &Erasure, now: Timestamp) -> Result<u64, StoreError> {
        let blanked = [
            self.blank_records::<user::Entity>(erasure, now).await?,
            self.blank_records::<enrolment::Entity>(erasure, now).await?,
            self.blank_records::<grade::Entity>(erasure, now).await?,
            self.blank_records::<completion::Entity>(erasure, now).await?,
            ("events".to_owned(), self.blank_events(erasure.user).await?),
            ("sync_attempts".to_owned(), self.blank_attempts(erasure.user).await?),
            ("adoptions".to_owned(), self.blank_adoptions(erasure.user).await?),
            ("findings".to_owned(), self.forget_findings(erasure.user).await?),
        ];
        let mut erased = self.erased_of(erasure.id).await?;
        if erased.rows.is_empty() {
            erased.remote = remote_records(self.connection(), erasure.user, "sync_items").await?;
            erased.remote.sort_unstable();
        }
        for (table, rows) in &blanked {
            *erased.rows.entry(table.clone()).or_default() += rows;
        }
        self.save_erased(erasure.id, &erased).await?;
        Ok(blanked.iter().map(|(_, rows)| rows).sum())
    }

    /// Blanks records of one kind, and marks them pending at every destination.
    async fn blank_records<T: RecordTable>(
        &self,
        erasure: &Erasure,
        now: Timestamp,
    ) -> Result<(String, u64), StoreError> {
        let (table, kind, site_id) = (table_of::<T>(), T::State::KIND, erasure.user.site_id);
        let sql = format!("SELECT moodle_id {} ORDER BY moodle_id LIMIT ?", unblanked::<T>());
        let mut values = person(erasure.user);
        values.push(i64::try_from(limits::ERASURE_ROWS).unwrap_or(i64::MAX).into());
        let ids = |row: &QueryResult| -> Result<i64, StoreError> { Ok(row.try_get("", "moodle_id")?) };
        let ids: Vec<i64> = query(self.connection(), &sql, values).await?.iter().map(ids).collect::<Result<_, _>>()?;
        if ids.is_empty() {
            return Ok((table, 0));
        }
        let among = format!("site_id = ? AND moodle_id IN ({})", vec!["?"; ids.len()].join(", "));
        let keys: Vec<Value> = std::iter::once(site_id).chain(ids.iter().copied()).map(Value::from).collect();
        let nothing: Vec<String> = T::FIELDS.iter().chain(&["extra"]).map(|field| format!("{field} = NULL")).collect();
        let sql = format!("UPDATE {table} SET {}, deleted = TRUE, changed_at = ? WHERE {among}", nothing.join(", "));
        let values = std::iter::once(Value::from(now.0)).chain(keys.clone()).collect();
        execute(self.connection(), &sql, values).await?;
        let mut changes = Changes::new();
        let deleted = ids.iter().map(|id| ((site_id, kind, Id(*id)), true)).collect();
        self.append_changes(deleted, now, &mut changes).await?;
        self.mark_pending(&changes, &HashMap::new(), &[], 0).await?;
        // A digest is derived from the data, and a reason may quote it.
        let unknown =
            ids.iter().map(|id| ((site_id, kind, Id(*id)), NewDigest { event_id: 0, digest: None })).collect();
        self.save_changes(changes, unknown).await?;
        let sql = format!(
            "UPDATE sync_items SET digest = NULL, code = NULL, reason = NULL, remarks = NULL WHERE kind = '{kind}' AND {among}"
        );
        execute(self.connection(), &sql, keys).await?;
        Ok((table, ids.len() as u64))
    }

    async fn blank_events(&self, user: UserFilter) -> Result<u64, StoreError> {
        let sql = "UPDATE events SET data = ? WHERE id IN (SELECT id FROM events WHERE site_id = ? AND userid = ? AND data <> ? \
                   ORDER BY id LIMIT ?)";
        let mut values = vec![Value::from(NO_DATA)];
        values.extend(person(user));
        values.extend([NO_DATA.into(), Value::from(i64::try_from(limits::ERASURE_ROWS).unwrap_or(i64::MAX))]);
        execute(self.connection(), sql, values).await
    }

    async fn blank_adoptions(&self, user: UserFilter) -> Result<u64, StoreError> {
        let sql = format!("UPDATE adoptions SET replaced = NULL WHERE {REPLACED}");
        execute(self.connection(), &sql, person(user)).await
    }

    async fn forget_findings(&self, user: UserFilter) -> Result<u64, StoreError> {
        let (rows, mut values) = super::progress::rows_of(user, "findings");
        let sql = format!("DELETE FROM findings WHERE id IN (SELECT t.id FROM {rows} ORDER BY t.id LIMIT ?)");
        values.push(i64::try_from(limits::ERASURE_ROWS).unwrap_or(i64::MAX).into());
        execute(self.connection(), &sql, values).await
    }

    async fn blank_attempts(&self, user: UserFilter) -> Result<u64, StoreError> {
        let (rows, mut values) = super::progress::rows_of(user, "sync_attempts");
        let sql = format!(
            "UPDATE sync_attempts SET message = NULL WHERE id IN (SELECT t.id FROM {rows} WHERE t.message IS NOT NULL \
             ORDER BY t.id LIMIT ?)"
        );
        values.push(i64::try_from(limits::ERASURE_ROWS).unwrap_or(i64::MAX).into());
        execute(self.connection(), &sql, values).await
    }
}

/// SQL for the person's adoptions whose replaced values are kept. A person adopts few contacts.
pub(super) const REPLACED: &str = "site_id = ? AND moodle_id = ? AND replaced IS NOT NULL";

/// The parameters of [`unblanked`] and [`REPLACED`].
pub(super) fn person(user: UserFilter) -> Vec<Value> {
    vec![user.site_id.into(), user.userid.0.into()]
}
