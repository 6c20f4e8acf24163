//! The SQLite database that is copied, locked against other processes.

use std::{collections::BTreeSet, path::Path};

use backend_sync_migration::{Migrator, MigratorTrait};
use futures_util::{Stream, TryStreamExt};
use sea_orm::sqlx::{
    self, AssertSqlSafe, Connection, Decode, Error, Row, Sqlite, SqliteConnection, TypeInfo, ValueRef,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteRow},
};
use serde::{Deserialize, Serialize};

use super::{
    error::CopyError,
    line::{self, Cell, Type},
    sum::Sum,
};
use crate::limits;

/// The table of applied migrations, which is not copied: every database has its own.
const MIGRATIONS: &str = "seaql_migrations";

/// SQLite's result code for a database that another process has open.
const BUSY: u32 = 5;

/// Rows that SQLite reads ahead. A row may have megabytes.
const ROWS_AHEAD: usize = 8;

/// The source, locked.
pub(in crate::store) struct CopySource {
    connection: SqliteConnection,
}

/// A table of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceTable {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    /// Indexes into `columns` of the primary key's columns, in the key's order.
    key: Vec<usize>,
    /// The tables that its foreign keys reference.
    parents: BTreeSet<String>,
}

/// One column of a row's key.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Part {
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
}

/// The primary key of a row: how far a table has been copied.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RowKey(Vec<Part>);

impl CopySource {
    /// Opens it exclusively: fails if another process has it open, busy or not, and keeps others out until it is
    /// closed. A killed process leaves no lock.
    pub(in crate::store) async fn open(path: &Path) -> Result<Self, CopyError> {
        if !path.exists() {
            return Err(CopyError::NoSource(path.to_owned()));
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .row_buffer_size(ROWS_AHEAD)
            .busy_timeout(limits::LOCK_WAIT)
            .locking_mode(SqliteLockingMode::Exclusive)
            .journal_mode(SqliteJournalMode::Wal);
        let in_use = |error: Error| match &error {
            Error::Database(database)
                if database.code().and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff) == Some(BUSY) =>
            {
                CopyError::SourceInUse(path.to_owned())
            }
            _ => CopyError::Source(error),
        };
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(in_use)?;
        // The first read takes the lock, which stays.
        sqlx::query("SELECT count(*) FROM sqlite_schema").execute(&mut connection).await.map_err(in_use)?;
        Ok(Self { connection })
    }

    /// The connection that has it open.
    pub(in crate::store) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    pub(in crate::store) async fn close(self) -> Result<(), CopyError> {
        self.connection.close().await.map_err(CopyError::Source)
    }

    /// Fails unless exactly this version's migrations are applied.
    pub(super) async fn check_version(&mut self) -> Result<(), CopyError> {
        let ours: BTreeSet<String> =
            Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
        let known = self.names("SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ?", MIGRATIONS).await?;
        if known.is_empty() {
            return Err(CopyError::SourceOlder);
        }
        let sql = format!("SELECT version FROM {MIGRATIONS} WHERE version <> ?");
        let applied: BTreeSet<String> = self.names(&sql, "").await?.into_iter().collect();
        match (applied.is_subset(&ours), ours.is_subset(&applied)) {
            (true, true) => Ok(()),
            (true, false) => Err(CopyError::SourceOlder),
            (false, _) => Err(CopyError::SourceNewer),
        }
    }

    /// All tables, each after those that it references.
    pub(super) async fn tables(&mut self) -> Result<Vec<SourceTable>, CopyError> {
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite^_%' ESCAPE '^' \
                   AND name <> ? ORDER BY name";
        let mut tables = Vec::new();
        for name in self.names(sql, MIGRATIONS).await? {
            tables.push(self.table(name).await?);
        }
        parents_first(tables)
    }

    async fn table(&mut self, name: String) -> Result<SourceTable, CopyError> {
        let sql = "SELECT name, pk FROM pragma_table_info(?) ORDER BY cid";
        let rows = sqlx::query(sql).bind(&name).fetch_all(&mut self.connection).await.map_err(CopyError::Source)?;
        let (mut columns, mut key) = (Vec::new(), Vec::new());
        for (place, row) in rows.iter().enumerate() {
            columns.push(row.try_get(0).map_err(CopyError::Source)?);
            let in_key: i64 = row.try_get(1).map_err(CopyError::Source)?;
            key.extend((in_key > 0).then_some((in_key, place)));
        }
        if key.is_empty() {
            return Err(CopyError::table(&name, "it has no primary key"));
        }
        key.sort_unstable();
        let parents = self.names(r#"SELECT DISTINCT "table" FROM pragma_foreign_key_list(?)"#, &name).await?;
        let parents = parents.into_iter().filter(|parent| *parent != name).collect();
        Ok(SourceTable { name, columns, key: key.into_iter().map(|(_, place)| place).collect(), parents })
    }

    /// The highest id that SQLite ever assigned in the table. It never reuses one, even after the row was deleted.
    pub(super) async fn highest_id(&mut self, table: &SourceTable) -> Result<Option<i64>, CopyError> {
        let kept = self.names("SELECT name FROM sqlite_schema WHERE name = ?", "sqlite_sequence").await?;
        if kept.is_empty() {
            return Ok(None);
        }
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?";
        let row = sqlx::query_scalar(sql).bind(&table.name).fetch_optional(&mut self.connection).await;
        row.map_err(CopyError::Source)
    }

    pub(super) async fn count(&mut self, table: &SourceTable) -> Result<u64, CopyError> {
        let sql = format!("SELECT count(*) FROM {}", quoted(&table.name));
        let count: i64 =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.connection).await.map_err(CopyError::Source)?;
        Ok(count.unsigned_abs())
    }

    /// The rows after `after`, in the order of the key.
    pub(super) fn rows<'a>(
        &'a mut self,
        table: &SourceTable,
        after: Option<RowKey>,
    ) -> impl Stream<Item = Result<SqliteRow, CopyError>> + Unpin + use<'a> {
        let key: Vec<String> = table.key.iter().filter_map(|place| table.columns.get(*place)).map(quoted).collect();
        let key = key.join(", ");
        let after = after.map(|RowKey(parts)| parts).unwrap_or_default();
        let beyond = match after.len() {
            0 => String::new(),
            parts => format!(" WHERE ({key}) > ({})", vec!["?"; parts].join(", ")),
        };
        let sql = format!("SELECT {} FROM {}{beyond} ORDER BY {key}", list(&table.columns), quoted(&table.name));
        let query = after.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, part| match part {
            Part::Integer(number) => query.bind(number),
            Part::Text(text) => query.bind(text),
            Part::Blob(bytes) => query.bind(bytes),
        });
        query.fetch(&mut self.connection).map_err(CopyError::Source)
    }

    /// Counts and sums all rows of a table.
    pub(super) async fn sum(
        &mut self,
        table: &SourceTable,
        types: &[Type],
        mut advance: impl FnMut(u64),
    ) -> Result<Sum, CopyError> {
        let (mut sum, mut text) = (Sum::default(), Vec::new());
        let mut rows = self.rows(table, None);
        while let Some(row) = rows.try_next().await? {
            text.clear();
            table.write_line(&row, types, &mut text)?;
            sum.add(&text);
            advance(1);
        }
        Ok(sum)
    }

    async fn names(&mut self, sql: &str, value: &str) -> Result<Vec<String>, CopyError> {
        let query = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).bind(value.to_owned());
        query.fetch_all(&mut self.connection).await.map_err(CopyError::Source)
    }
}

impl SourceTable {
    /// Appends a row as a line.
    pub(super) fn write_line(&self, row: &SqliteRow, types: &[Type], text: &mut Vec<u8>) -> Result<(), CopyError> {
        for (place, (name, column)) in self.columns.iter().zip(types).enumerate() {
            if place > 0 {
                text.push(b'\t');
            }
            let unfit =
                |_| CopyError::table(&self.name, format!("a value in column {name} does not have the column's type"));
            line::write(text, *column, cell(row, place)?).map_err(unfit)?;
        }
        text.push(b'\n');
        Ok(())
    }

    pub(super) fn key_of(&self, row: &SqliteRow) -> Result<RowKey, CopyError> {
        let odd = || CopyError::table(&self.name, "a key has an unexpected type");
        let part = |place: &usize| match cell(row, *place)? {
            Cell::Integer(number) => Ok(Part::Integer(number)),
            Cell::Text(text) => Ok(Part::Text(String::from_utf8(text.to_vec()).map_err(|_| odd())?)),
            Cell::Blob(bytes) => Ok(Part::Blob(bytes.to_vec())),
            Cell::Null => Err(odd()),
        };
        self.key.iter().map(part).collect::<Result<_, _>>().map(RowKey)
    }
}

fn cell(row: &SqliteRow, place: usize) -> Result<Cell<'_>, CopyError> {
    let value = row.try_get_raw(place).map_err(CopyError::Source)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let decoded = match value.type_info().name() {
        "INTEGER" => <i64 as Decode<Sqlite>>::decode(value).map(Cell::Integer),
        "TEXT" => <&[u8] as Decode<Sqlite>>::decode(value).map(Cell::Text),
        "BLOB" => <&[u8] as Decode<Sqlite>>::decode(value).map(Cell::Blob),
        other => Err(format!("a value has the unexpected type {other}").into()),
    };
    decoded.map_err(|error| CopyError::Source(Error::Decode(error)))
}

/// A quoted identifier.
pub(in crate::store) fn quoted(name: impl AsRef<str>) -> String {
    format!("\"{}\"", name.as_ref().replace('"', "\"\""))
}

pub(super) fn list(columns: &[String]) -> String {
    columns.iter().map(quoted).collect::<Vec<_>>().join(", ")
}

fn parents_first(mut tables: Vec<SourceTable>) -> Result<Vec<SourceTable>, CopyError> {
    let mut sorted: Vec<SourceTable> = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let is_sorted = |name: &String| sorted.iter().any(|table| table.name == *name);
        let (ready, waiting): (Vec<_>, Vec<_>) =
            tables.into_iter().partition(|table| table.parents.iter().all(is_sorted));
        if let (true, Some(table)) = (ready.is_empty(), waiting.first()) {
            return Err(CopyError::table(&table.name, "its foreign keys form a circle or reference a missing table"));
        }
        sorted.extend(ready);
        tables = waiting;
    }
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use super::{SourceTable, parents_first};

    fn table(name: &str, parents: &[&str]) -> SourceTable {
        let parents = parents.iter().map(|parent| (*parent).to_owned()).collect();
        SourceTable { name: name.to_owned(), columns: vec!["id".to_owned()], key: vec![0], parents }
    }

    #[test]
    fn referenced_tables_come_first() {
        let tables = vec![table("a", &["c", "b"]), table("b", &["c"]), table("c", &[]), table("d", &[])];
        let sorted = parents_first(tables).unwrap();
        assert_eq!(sorted.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["c", "d", "b", "a"]);
        assert!(parents_first(vec![table("a", &["b"]), table("b", &["a"])]).is_err());
    }
}
