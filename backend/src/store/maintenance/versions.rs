//! Versions in the future: until then, no correct state replaces such a record.

use sea_orm::Value;

use crate::{
    clock::Timestamp,
    limits,
    model::Id,
    store::{
        StoreError, bulk,
        connection::connect::Store,
        sql::{execute, query},
    },
};

/// The tables with versions, and their columns for time and sequence.
const TABLES: [(&str, &[(&str, &str)]); 6] = [
    ("users", &RECORD),
    ("courses", &RECORD),
    ("enrolments", &RECORD),
    ("grades", &RECORD),
    ("completions", &RECORD),
    ("grade_items", &[RECORD[0]]),
];

/// A record's columns: for its state, and for its presence.
const RECORD: [(&str, &str); 2] = [("version_time", "version_sequence"), ("presence_time", "presence_sequence")];

/// Rows of a site and table whose versions are in the future.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FutureVersions {
    /// The site's name.
    pub site: String,
    /// The table's name.
    pub table: &'static str,
    /// The number of rows.
    pub count: u64,
}

fn is_ahead(columns: &[(&str, &str)]) -> String {
    let ahead: Vec<String> = columns.iter().map(|(time, _)| format!("{time} > ?")).collect();
    format!("({})", ahead.join(" OR "))
}

/// The limit in Unix seconds: later versions are ahead of now by more than `slack`.
fn end(now: Timestamp, slack: std::time::Duration) -> i64 {
    now.after(slack).0 / 1_000
}

impl Store {
    /// The records whose versions are further ahead than a batch's may be. Reads whole tables.
    pub async fn future_versions(&self, now: Timestamp) -> Result<Vec<FutureVersions>, StoreError> {
        let end = end(now, limits::CLOCK_AHEAD);
        let mut found = Vec::new();
        for (table, columns) in TABLES {
            let sql = format!(
                "SELECT s.name AS site, count(*) AS count FROM {table} t JOIN sites s ON s.id = t.site_id WHERE {} \
                 GROUP BY s.name ORDER BY s.name",
                is_ahead(columns)
            );
            for row in query(&self.read, &sql, vec![end.into(); columns.len()]).await? {
                let count = row.try_get::<i64>("", "count")?.unsigned_abs();
                found.push(FutureVersions { site: row.try_get("", "site")?, table, count });
            }
        }
        Ok(found)
    }

    /// Resets a site's future versions to the lowest, so that Moodle's next state of such a record replaces it. Works
    /// in steps under the writers' lock; returns the number of rows by table.
    pub async fn repair_versions(&self, site_id: i64, now: Timestamp) -> Result<Vec<(&'static str, u64)>, StoreError> {
        let end = end(now, limits::CLOCK_SLACK);
        let mut repaired = Vec::new();
        for (table, columns) in TABLES {
            let (mut count, mut after) = (0, i64::MIN);
            loop {
                let ids = self.versions_ahead(table, columns, site_id, after, end).await?;
                let Some(last) = ids.last() else { break };
                after = last.0;
                count += self.lower_versions(table, columns, site_id, &ids, end).await?;
            }
            repaired.push((table, count));
        }
        Ok(repaired)
    }

    async fn versions_ahead(
        &self,
        table: &str,
        columns: &[(&str, &str)],
        site_id: i64,
        after: i64,
        end: i64,
    ) -> Result<Vec<Id>, StoreError> {
        let sql = format!(
            "SELECT moodle_id FROM {table} WHERE site_id = ? AND moodle_id > ? AND {} ORDER BY moodle_id LIMIT {}",
            is_ahead(columns),
            limits::STATEMENT_ROWS
        );
        let mut values: Vec<Value> = vec![site_id.into(), after.into()];
        values.extend(vec![Value::from(end); columns.len()]);
        let rows = query(&self.read, &sql, values).await?;
        rows.iter().map(|row| Ok(Id(row.try_get("", "moodle_id")?))).collect()
    }

    /// One step, under the writers' lock.
    async fn lower_versions(
        &self,
        table: &str,
        columns: &[(&str, &str)],
        site_id: i64,
        ids: &[Id],
        end: i64,
    ) -> Result<u64, StoreError> {
        let (transaction, _) = self.begin_write(0).await?;
        let mut count = 0;
        for list in bulk::key_lists(ids) {
            let set = columns.iter().map(|(time, sequence)| {
                format!(
                    "{sequence} = CASE WHEN {time} > ? THEN NULL ELSE {sequence} END, {time} = CASE WHEN {time} > ? THEN 0 ELSE {time} END"
                )
            });
            let places = vec!["?"; list.len()].join(", ");
            let sql = format!(
                "UPDATE {table} SET {} WHERE site_id = ? AND moodle_id IN ({places}) AND {}",
                set.collect::<Vec<_>>().join(", "),
                is_ahead(columns)
            );
            let mut values = vec![Value::from(end); 2 * columns.len()];
            values.push(site_id.into());
            values.extend(list.into_iter().map(|id| Value::from(id.0)));
            values.extend(vec![Value::from(end); columns.len()]);
            count += execute(transaction.connection(), &sql, values).await?;
        }
        transaction.commit().await?;
        Ok(count)
    }
}
