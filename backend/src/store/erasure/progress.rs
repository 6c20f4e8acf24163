//! An erasure's steps from one state to the next.

use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::{Erased, ErasureCheck, RemoteRecord, json};
use crate::{
    clock::Timestamp,
    model::ErasureState,
    store::{
        BrakeLimits, Erasure, Store, StoreError, UserFilter,
        brake::brake_erasure,
        sql::{count, execute, query, word},
        write::WriteTransaction,
    },
};

/// SQL for the keys of all records about a person, with their kinds, and its parameters.
pub(super) fn keys_of(user: UserFilter) -> (String, Vec<Value>) {
    let of = |(kind, table, column): (&str, &str, &str)| {
        format!("SELECT '{kind}' AS kind, moodle_id FROM {table} WHERE site_id = ? AND {column} = ?")
    };
    let tables = [
        ("user", "users", "moodle_id"),
        ("enrolment", "enrolments", "userid"),
        ("grade", "grades", "userid"),
        ("completion", "completions", "userid"),
    ];
    let values = vec![[user.site_id, user.userid.0].map(Value::from); tables.len()].concat();
    (tables.map(of).join(" UNION ALL "), values)
}

/// SQL after `FROM` for the person's rows of a table with columns `site_id`, `kind` and `moodle_id`, and its
/// parameters.
pub(super) fn rows_of(user: UserFilter, table: &str) -> (String, Vec<Value>) {
    let (keys, values) = keys_of(user);
    let sql = format!(
        "({keys}) k JOIN {table} t ON t.site_id = {} AND t.kind = k.kind AND t.moodle_id = k.moodle_id",
        user.site_id
    );
    (sql, values)
}

/// SQL for the person of an erasure.
const PERSON: &str =
    "SELECT e.site_id, s.name, e.moodle_id, e.policy FROM erasures e JOIN sites s ON s.id = e.site_id WHERE e.id = ?";

impl Store {
    /// Begins an erasure: from the commit on, nothing new about the person is stored. Does nothing if it has already
    /// begun. Returns false if it waits for a person, because unusually many began lately.
    pub async fn begin_erasure(&self, id: i64, brake: BrakeLimits, now: Timestamp) -> Result<bool, StoreError> {
        // Under the writers' lock, so that no concurrent transaction stores an event without seeing it.
        let (transaction, _) = self.begin_write(0).await?;
        let connection = transaction.connection();
        let sql = format!("{PERSON} AND e.state = 'requested'");
        let rows = query(connection, &sql, vec![id.into()]).await?;
        let Some(row) = rows.first() else { return Ok(true) };
        let site_id: i64 = row.try_get("", "site_id")?;
        let begins = brake_erasure(connection, (id, site_id), &brake, now).await?;
        if begins {
            let sql = "UPDATE erasures SET state = 'erasing', begun_at = ?, braked_at = NULL WHERE id = ?";
            execute(connection, sql, vec![now.0.into(), id.into()]).await?;
            execute(connection, "UPDATE counters SET erased = erased + 1 WHERE name = 'event'", vec![]).await?;
            let (site, user) = (row.try_get("", "name")?, row.try_get("", "moodle_id")?);
            self.enter_erasure(site, user, word(row, "policy")?, now).await?;
        }
        transaction.commit().await?;
        Ok(begins)
    }

    /// Lifts an erasure: what Moodle sends from now on about the person is stored again. What was erased stays erased.
    /// Returns whether there was one to lift.
    pub async fn lift_erasure(&self, id: i64, now: Timestamp) -> Result<bool, StoreError> {
        let (transaction, _) = self.begin_write(0).await?;
        let connection = transaction.connection();
        // Lifting one that is half done would leave half of the data.
        let sql = "UPDATE erasures SET state = 'lifted', lifted_at = ?, check_at = NULL, braked_at = NULL WHERE id = ? \
                   AND state NOT IN ('lifted', 'erasing') RETURNING begun_at";
        let rows = query(connection, sql, vec![now.0.into(), id.into()]).await?;
        let lifted = rows.first().map(|row| row.try_get::<Option<i64>>("", "begun_at")).transpose()?;
        let had_begun = lifted.flatten().is_some();
        if had_begun {
            execute(connection, "UPDATE counters SET erased = erased - 1 WHERE name = 'event'", vec![]).await?;
        }
        transaction.commit().await?;
        if lifted.is_some()
            && let Some(row) = query(&self.write, PERSON, vec![id.into()]).await?.first()
        {
            self.enter_lifts(row.try_get("", "site_id")?, vec![(row.try_get("", "moodle_id")?, now.0)]).await;
        }
        Ok(lifted.is_some())
    }

    /// Marks the erasure as done in our database.
    pub async fn end_local_erasure(&self, id: i64, now: Timestamp) -> Result<(), StoreError> {
        let sql =
            "UPDATE erasures SET state = 'local_done', local_at = ?, check_at = ? WHERE id = ? AND state = 'erasing'";
        execute(&self.write, sql, vec![now.0.into(), now.0.into(), id.into()]).await?;
        Ok(())
    }

    /// The number of the person's sync items that are not synced yet.
    pub async fn undelivered_of(&self, user: UserFilter) -> Result<u64, StoreError> {
        let (rows, values) = rows_of(user, "sync_items");
        let sql = format!("SELECT count(*) AS count FROM {rows} WHERE t.state <> 'synced'");
        count(&self.read, &sql, values).await
    }

    /// Marks the erasure as done at the destinations, with all ids that the person's records ever had there.
    pub async fn end_remote_erasure(&self, erasure: &Erasure, now: Timestamp) -> Result<(), StoreError> {
        let (transaction, _) = self.begin_write(0).await?;
        let connection = transaction.connection();
        let mut erased = transaction.erased_of(erasure.id).await?;
        for table in ["sync_items", "sync_attempts"] {
            erased.remote.extend(remote_records(connection, erasure.user, table).await?);
        }
        // Through a set: sorted, and each id once.
        erased.remote = erased.remote.into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
        transaction.save_erased(erasure.id, &erased).await?;
        let sql = "UPDATE erasures SET state = 'remote_done', remote_at = ?, check_at = ? WHERE id = ? AND state = 'local_done'";
        execute(connection, sql, vec![now.0.into(), now.0.into(), erasure.id.into()]).await?;
        transaction.commit().await
    }

    /// Stores a check's result and the time of the next check.
    pub async fn save_erasure_check(
        &self,
        erasure: &Erasure,
        check: &ErasureCheck,
        next: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let well = check.findings.is_empty();
        let state = if well { ErasureState::Verified } else { ErasureState::Found };
        let checks: Vec<&ErasureCheck> = erasure.checks.iter().chain([check]).collect();
        let sql = "UPDATE erasures SET state = ?, verified_at = ?, check_at = ?, checks = ? WHERE id = ? AND lifted_at IS NULL";
        let values = vec![
            state.as_str().into(),
            well.then_some(check.at).into(),
            next.map(|next| next.0).into(),
            text(&checks)?.into(),
            erasure.id.into(),
        ];
        execute(&self.write, sql, values).await?;
        Ok(())
    }

    /// Sets the time of an erasure's next check.
    pub async fn set_erasure_check(&self, id: i64, at: Timestamp) -> Result<(), StoreError> {
        execute(&self.write, "UPDATE erasures SET check_at = ? WHERE id = ?", vec![at.0.into(), id.into()]).await?;
        Ok(())
    }
}

impl WriteTransaction {
    pub(super) async fn erased_of(&self, id: i64) -> Result<Erased, StoreError> {
        let rows = query(self.connection(), "SELECT erased FROM erasures WHERE id = ?", vec![id.into()]).await?;
        rows.first().map_or_else(|| Ok(Erased::default()), |row| json(row, "erased"))
    }

    pub(super) async fn save_erased(&self, id: i64, erased: &Erased) -> Result<(), StoreError> {
        let values = vec![text(erased)?.into(), id.into()];
        execute(self.connection(), "UPDATE erasures SET erased = ? WHERE id = ?", values).await?;
        Ok(())
    }
}

/// The ids of the person's records at destinations, from one table.
pub(super) async fn remote_records(
    connection: &impl ConnectionTrait,
    user: UserFilter,
    table: &str,
) -> Result<Vec<RemoteRecord>, StoreError> {
    let (rows, values) = rows_of(user, table);
    // What is linked to another one's record has none of its own, nor has a person whose new account took it over.
    let not_linked = match table {
        "sync_items" => "AND NOT t.linked",
        _ => {
            "AND t.outcome <> 'linked' AND NOT EXISTS (SELECT 1 FROM sync_items w WHERE w.destination = t.destination \
             AND w.remote_id = t.remote_id AND NOT w.linked AND t.kind = 'user' AND w.kind = 'user' \
             AND (w.site_id <> t.site_id OR w.moodle_id <> t.moodle_id))"
        }
    };
    let sql = format!(
        "SELECT DISTINCT t.destination AS destination, t.kind AS kind, t.moodle_id AS moodle_id, t.remote_id AS remote_id \
         FROM {rows} WHERE t.remote_id IS NOT NULL {not_linked}"
    );
    let record = |row: &QueryResult| {
        Ok(RemoteRecord {
            destination: row.try_get("", "destination")?,
            kind: row.try_get("", "kind")?,
            moodle_id: row.try_get("", "moodle_id")?,
            remote_id: row.try_get("", "remote_id")?,
        })
    };
    query(connection, &sql, values).await?.iter().map(record).collect()
}

fn text(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Refused(sea_orm::DbErr::Type(error.to_string())))
}
