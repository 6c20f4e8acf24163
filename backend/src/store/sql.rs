//! Helpers for hand-written SQL that works on both databases, and for columns that many rows share.

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};

use super::StoreError;
use crate::model::{Id, Kind, RecordKey};

/// Makes a statement from SQL with `?` parameters, for either database.
fn statement(backend: DbBackend, sql: &str, values: Vec<Value>) -> Statement {
    let sql = match backend {
        DbBackend::Postgres => {
            let mut numbers = 1..;
            let number = |piece: &str| format!("{piece}${}", numbers.next().unwrap_or_default());
            let (pieces, last) = sql.rsplit_once('?').map_or((None, sql), |(first, last)| (Some(first), last));
            pieces.map_or_else(String::new, |first| first.split('?').map(number).collect::<String>()) + last
        }
        _ => sql.to_owned(),
    };
    Statement::from_sql_and_values(backend, sql, values)
}

/// `FOR UPDATE SKIP LOCKED` on PostgreSQL. SQLite has one writer at a time, so there is nothing to skip.
pub(super) fn skip_locked(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" }
}

pub(super) async fn execute(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: Vec<Value>,
) -> Result<u64, StoreError> {
    let statement = statement(connection.get_database_backend(), sql, values);
    Ok(connection.execute_raw(statement).await?.rows_affected())
}

pub(super) async fn query(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<QueryResult>, StoreError> {
    let statement = statement(connection.get_database_backend(), sql, values);
    Ok(connection.query_all_raw(statement).await?)
}

/// The value of the column `count` in a query with one row.
pub(super) async fn count(connection: &impl ConnectionTrait, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
    let rows = query(connection, sql, values).await?;
    let count = rows.first().map(|row| row.try_get::<i64>("", "count")).transpose()?;
    Ok(count.unwrap_or_default().unsigned_abs())
}

/// Reads the columns `site_id`, `kind` and `moodle_id`.
pub(super) fn key_of(row: &QueryResult) -> Result<RecordKey, StoreError> {
    let kind: String = row.try_get("", "kind")?;
    Ok(RecordKey {
        kind: kind_of(&kind)?,
        site_id: row.try_get("", "site_id")?,
        moodle_id: Id(row.try_get("", "moodle_id")?),
    })
}

/// Reads the columns `site_id` and `moodle_id`.
pub(super) fn key_of_user(row: &QueryResult) -> Result<(i64, Id), StoreError> {
    Ok((row.try_get("", "site_id")?, Id(row.try_get("", "moodle_id")?)))
}

/// Parses a column that holds one of our enumerations.
pub(super) fn word<T: std::str::FromStr<Err: std::fmt::Display>>(
    row: &QueryResult,
    column: &str,
) -> Result<T, StoreError> {
    let word: String = row.try_get("", column)?;
    word.parse().map_err(|error| StoreError::Refused(sea_orm::DbErr::Type(format!("{column}: {error}"))))
}

pub(super) fn kind_of(word: &str) -> Result<Kind, StoreError> {
    word.parse().map_err(|error| StoreError::Refused(sea_orm::DbErr::Type(format!("{error}"))))
}

#[cfg(test)]
mod tests {
    use sea_orm::DbBackend;

    #[test]
    fn parameters_are_numbered_for_postgresql() {
        let sql = "SELECT ? + ? WHERE a = ?;";
        assert_eq!(super::statement(DbBackend::Postgres, sql, vec![]).sql, "SELECT $1 + $2 WHERE a = $3;");
        assert_eq!(super::statement(DbBackend::Sqlite, sql, vec![]).sql, sql);
        assert_eq!(super::statement(DbBackend::Postgres, "SELECT 1", vec![]).sql, "SELECT 1");
    }
}
