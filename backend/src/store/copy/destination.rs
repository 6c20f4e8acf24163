//! The PostgreSQL database that is copied to.
//!
//! Its table `copy_progress` says what is copied (the source's tables with their sums), and how far. It exists from the
//! first row to the last, and each step updates it in the same transaction as its rows. So a copy that was killed can
//! be resumed, and no server starts on half a database.

use std::collections::BTreeMap;

use backend_sync_migration::{Migrator, MigratorTrait};
use futures_util::{Stream, TryStreamExt};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, Statement,
    sqlx::{
        self, AssertSqlSafe, Connection, Error, Executor, PgConnection, Postgres, Transaction, postgres::PgArguments,
        query::Query, sqlite::SqliteRow,
    },
};

use super::{
    error::CopyError,
    line::Type,
    source::{RowKey, SourceTable, list, quoted},
    sum::Sum,
};
use crate::{
    secret::hidden,
    store::{
        DatabaseUrl, Store,
        connection::{
            postgres::{server::Server, settings::Access},
            set_up::COPY_PROGRESS,
        },
    },
};

/// The key of the advisory lock that a copy holds: any number that no other lock uses.
const COPY_LOCK: i64 = 7_263_002;

/// Bytes after which a step ends, however few rows it has: so much is copied again after a failure.
const STEP_BYTES: usize = 64 * 1024 * 1024;

/// Bytes sent at once: enough that the overhead does not matter.
const SEND_BYTES: usize = 256 * 1024;

/// SQLSTATE `lock_not_available`.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Statements that drop and recreate a table's indexes and foreign keys, except the indexes that its constraints need.
const REMOVABLE: &str = "SELECT 'DROP INDEX ' || indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index \
    WHERE indrelid = $1::regclass AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid) \
    UNION ALL SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname), \
    format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) \
    FROM pg_constraint WHERE conrelid = $1::regclass AND contype = 'f'";

/// Takes the lock until the transaction ends, which stays open for hours.
const LOCK: &str = "SELECT set_config('idle_in_transaction_session_timeout', '0', true), pg_advisory_xact_lock(";

/// The destination, locked against other copies.
///
/// All is done in transactions that begin as our others do: through a pooler, nothing else of a session stays.
pub(super) struct CopyDestination {
    store: Store,
    server: Server,
    connection: PgConnection,
    /// Its transaction holds the lock.
    guard: PgConnection,
}

/// How far a table has been copied.
#[derive(Debug, Default)]
pub(super) struct CopyProgress {
    pub(super) copied: u64,
    pub(super) after: Option<RowKey>,
}

impl CopyDestination {
    /// Connects and takes the lock, waiting a few seconds for a process that may just have been killed.
    pub(super) async fn open(url: &DatabaseUrl) -> Result<Self, CopyError> {
        let store = Store::connect(url).await?;
        let failed = CopyError::Destination;
        let server = store.write.as_postgres().ok_or(CopyError::Kinds)?.server().clone();
        let connection = server.connect(Access::Write).await.map_err(failed)?;
        let mut guard = server.connect(Access::Write).await.map_err(failed)?;
        let sql = format!("{}; {LOCK}{COPY_LOCK})", server.begin_sql(Access::Write));
        guard.execute(AssertSqlSafe(sql)).await.map_err(|error| match &error {
            Error::Database(database) if database.code().as_deref() == Some(LOCK_NOT_AVAILABLE) => {
                CopyError::DestinationBusy
            }
            _ => CopyError::Destination(error),
        })?;
        Ok(Self { store, server, connection, guard })
    }

    /// Closes the connections, which releases the lock.
    pub(super) async fn close(self) {
        for connection in [self.connection, self.guard] {
            // What was not committed is rolled back, however the connection ends.
            let _ = connection.close().await;
        }
        self.store.close().await;
    }

    async fn transaction(&mut self) -> Result<Transaction<'_, Postgres>, CopyError> {
        self.server.begin(&mut self.connection, Access::Write).await.map_err(CopyError::Destination)
    }

    /// Whether it holds an unfinished copy.
    pub(super) async fn is_begun(&mut self) -> Result<bool, CopyError> {
        let begun = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").persistent(false).bind(COPY_PROGRESS);
        let mut transaction = self.transaction().await?;
        let begun = begun.fetch_one(&mut *transaction).await.map_err(CopyError::Destination)?;
        end(transaction).await?;
        if begun && self.store.missing_migrations().await? > 0 {
            return Err(CopyError::OtherVersion);
        }
        Ok(begun)
    }

    /// Creates the tables, and checks that they hold only what a new database holds.
    pub(super) async fn prepare(&mut self, tables: &[SourceTable]) -> Result<(), CopyError> {
        self.store.migrate().await?;
        let fresh = fresh_counts(tables).await?;
        let mut transaction = self.transaction().await?;
        for (table, fresh) in tables.iter().zip(fresh) {
            let sql = format!("SELECT count(*) FROM {}", quoted(&table.name));
            let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
                .persistent(false)
                .fetch_one(&mut *transaction)
                .await
                .map_err(CopyError::Destination)?;
            if count > fresh {
                return Err(CopyError::DestinationNotEmpty(table.name.clone()));
            }
        }
        end(transaction).await
    }

    /// The types of a table's columns, in the order of the source's.
    pub(super) async fn types(&mut self, table: &SourceTable) -> Result<Vec<Type>, CopyError> {
        let sql = "SELECT column_name::text, data_type::text FROM information_schema.columns \
                   WHERE table_schema = current_schema() AND table_name = $1";
        let mut transaction = self.transaction().await?;
        let columns: Vec<(String, String)> = sqlx::query_as(sql)
            .persistent(false)
            .bind(&table.name)
            .fetch_all(&mut *transaction)
            .await
            .map_err(CopyError::Destination)?;
        end(transaction).await?;
        let columns: BTreeMap<String, String> = columns.into_iter().collect();
        if columns.len() != table.columns.len() {
            return Err(CopyError::table(&table.name, "its columns are not the same in both databases"));
        }
        let of = |name: &String| {
            let missing = || CopyError::table(&table.name, format!("the destination has no column {name}"));
            let data_type = columns.get(name).ok_or_else(missing)?;
            let strange = || CopyError::table(&table.name, format!("{name} has the unknown type {data_type}"));
            Type::of(data_type).ok_or_else(strange)
        };
        table.columns.iter().map(of).collect()
    }

    /// Stores what is to be copied, and deletes the rows of a new database. Indexes and foreign keys are dropped too,
    /// because creating them at the end takes half the time; the statements that recreate them are stored with the
    /// rest.
    pub(super) async fn begin(&mut self, sums: &[(SourceTable, Sum)]) -> Result<(), CopyError> {
        let mut transaction = self.transaction().await?;
        let mut statements: Vec<String> =
            sums.iter().rev().map(|(table, _)| format!("DELETE FROM {}", quoted(&table.name))).collect();
        statements.push(format!(
            "CREATE TABLE {COPY_PROGRESS} (name text PRIMARY KEY, rows bigint NOT NULL, checksum text NOT NULL, \
             copied bigint NOT NULL DEFAULT 0, after text, afterwards text[] NOT NULL)"
        ));
        run(&mut transaction, statements).await?;
        for (table, sum) in sums {
            let removable: Vec<(String, String)> = sqlx::query_as(REMOVABLE)
                .persistent(false)
                .bind(quoted(&table.name))
                .fetch_all(&mut *transaction)
                .await
                .map_err(CopyError::Destination)?;
            let (remove, restore): (Vec<_>, Vec<_>) = removable.into_iter().unzip();
            run(&mut transaction, remove).await?;
            let sql = format!("INSERT INTO {COPY_PROGRESS} (name, rows, checksum, afterwards) VALUES ($1, $2, $3, $4)");
            unprepared(sql)
                .bind(&table.name)
                .bind(i64::try_from(sum.rows).unwrap_or(i64::MAX))
                .bind(sum.checksum())
                .bind(restore)
                .execute(&mut *transaction)
                .await
                .map_err(CopyError::Destination)?;
        }
        transaction.commit().await.map_err(CopyError::Destination)
    }

    /// How far an earlier copy got, in the order of `sums`; fails if it was of a different source.
    pub(super) async fn places(&mut self, sums: &[(SourceTable, Sum)]) -> Result<Vec<CopyProgress>, CopyError> {
        let sql = format!("SELECT name, rows, checksum, copied, after FROM {COPY_PROGRESS} ORDER BY name");
        let mut transaction = self.transaction().await?;
        let rows: Vec<(String, i64, String, i64, Option<String>)> = sqlx::query_as(AssertSqlSafe(sql))
            .persistent(false)
            .fetch_all(&mut *transaction)
            .await
            .map_err(CopyError::Destination)?;
        end(transaction).await?;
        let mut begun: BTreeMap<_, _> = rows.into_iter().map(|row| (row.0.clone(), row)).collect();
        let (mut places, mut differing) = (Vec::new(), Vec::new());
        for (table, sum) in sums {
            match begun.remove(&table.name) {
                Some((_, rows, checksum, copied, after))
                    if rows.unsigned_abs() == sum.rows && checksum == sum.checksum() =>
                {
                    let after = after.map(|after| serde_json::from_str(&after)).transpose();
                    let after = after.map_err(|_| CopyError::OtherVersion)?;
                    places.push(CopyProgress { copied: copied.unsigned_abs(), after });
                }
                _ => differing.push(table.name.clone()),
            }
        }
        differing.extend(begun.into_keys());
        if differing.is_empty() { Ok(places) } else { Err(CopyError::OtherSource(differing)) }
    }

    /// Writes the next rows, up to `limit` or [`STEP_BYTES`], and the table's progress, in one transaction. Returns the number of rows.
    pub(super) async fn copy(
        &mut self,
        table: &SourceTable,
        types: &[Type],
        rows: &mut (impl Stream<Item = Result<SqliteRow, CopyError>> + Unpin),
        limit: u32,
    ) -> Result<u64, CopyError> {
        let failed = CopyError::Destination;
        let mut transaction = self.transaction().await?;
        let statement = format!("COPY {} ({}) FROM STDIN", quoted(&table.name), list(&table.columns));
        let mut copy = transaction.copy_in_raw(&statement).await.map_err(failed)?;
        let (mut text, mut sent, mut last, mut count) = (Vec::with_capacity(SEND_BYTES), 0, None, 0);
        while count < u64::from(limit)
            && sent < STEP_BYTES
            && let Some(row) = rows.try_next().await?
        {
            table.write_line(&row, types, &mut text)?;
            if text.len() >= SEND_BYTES {
                copy.send(text.as_slice()).await.map_err(failed)?;
                sent += text.len();
                text.clear();
            }
            last = Some(row);
            count += 1;
        }
        copy.send(text.as_slice()).await.map_err(failed)?;
        copy.finish().await.map_err(failed)?;
        if let Some(last) = last {
            let after = serde_json::to_string(&table.key_of(&last)?)
                .map_err(|_| CopyError::table(&table.name, "a key cannot be stored"))?;
            let sql = format!("UPDATE {COPY_PROGRESS} SET copied = copied + $1, after = $2 WHERE name = $3");
            let update = unprepared(sql).bind(i64::try_from(count).unwrap_or(i64::MAX));
            update.bind(after).bind(&table.name).execute(&mut *transaction).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)?;
        Ok(count)
    }

    /// Completes a table whose rows are all there: recreates its indexes and foreign keys, unless that is done already,
    /// and sets its sequences so that PostgreSQL's ids continue where SQLite's stopped.
    pub(super) async fn complete(&mut self, table: &SourceTable, highest_id: Option<i64>) -> Result<(), CopyError> {
        let mut transaction = self.transaction().await?;
        let sql = format!("SELECT afterwards FROM {COPY_PROGRESS} WHERE name = $1");
        let afterwards: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .persistent(false)
            .bind(&table.name)
            .fetch_one(&mut *transaction)
            .await
            .map_err(CopyError::Destination)?;
        run(&mut transaction, afterwards).await?;
        let sql = format!("UPDATE {COPY_PROGRESS} SET afterwards = '{{}}' WHERE name = $1");
        let done = unprepared(sql).bind(&table.name).execute(&mut *transaction).await;
        done.map_err(CopyError::Destination)?;
        set_sequences(&mut transaction, table, highest_id).await?;
        transaction.commit().await.map_err(CopyError::Destination)
    }

    /// Reads a table back, counting and summing its rows.
    pub(super) async fn sum(&mut self, table: &SourceTable, mut advance: impl FnMut(u64)) -> Result<Sum, CopyError> {
        let statement = format!("COPY {} ({}) TO STDOUT", quoted(&table.name), list(&table.columns));
        let mut transaction = self.transaction().await?;
        let mut lines = transaction.copy_out_raw(&statement).await.map_err(CopyError::Destination)?;
        let mut sum = Sum::default();
        // PostgreSQL sends one message per row.
        while let Some(line) = lines.try_next().await.map_err(CopyError::Destination)? {
            sum.add(&line);
            advance(1);
        }
        drop(lines);
        end(transaction).await?;
        Ok(sum)
    }

    /// Collects the statistics that a new database lacks, and removes the mark of an unfinished copy.
    pub(super) async fn finish(&mut self, tables: &[SourceTable]) -> Result<(), CopyError> {
        let names = tables.iter().map(|table| quoted(&table.name)).collect::<Vec<_>>().join(", ");
        let mut transaction = self.transaction().await?;
        run(&mut transaction, vec![format!("ANALYZE {names}"), format!("DROP TABLE {COPY_PROGRESS}")]).await?;
        transaction.commit().await.map_err(CopyError::Destination)?;
        // It allows no transaction, so a pooler's settings may end it. Autovacuum does the same later.
        if let Err(error) = self.connection.execute(AssertSqlSafe(format!("VACUUM {names}"))).await {
            tracing::info!(error = hidden(error), "the new tables were not vacuumed");
        }
        Ok(())
    }
}

/// Ends a transaction that only read. If it were dropped, it would last until the connection's next statement, perhaps for
/// hours, and PostgreSQL ends what idles in a transaction.
async fn end(transaction: Transaction<'_, Postgres>) -> Result<(), CopyError> {
    transaction.rollback().await.map_err(CopyError::Destination)
}

/// A statement that does not stay prepared, because through a pooler the next one may meet another session.
fn unprepared<'q>(sql: String) -> Query<'q, Postgres, PgArguments> {
    sqlx::query(AssertSqlSafe(sql)).persistent(false)
}

async fn run(connection: &mut PgConnection, statements: Vec<String>) -> Result<(), CopyError> {
    for sql in statements {
        unprepared(sql).execute(&mut *connection).await.map_err(CopyError::Destination)?;
    }
    Ok(())
}

async fn set_sequences(
    connection: &mut PgConnection,
    table: &SourceTable,
    highest_id: Option<i64>,
) -> Result<(), CopyError> {
    let counted = "SELECT column_name::text FROM information_schema.columns WHERE table_schema = current_schema() \
                   AND table_name = $1 AND pg_get_serial_sequence(quote_ident($1), column_name) IS NOT NULL";
    let columns: Vec<String> = sqlx::query_scalar(counted)
        .persistent(false)
        .bind(&table.name)
        .fetch_all(&mut *connection)
        .await
        .map_err(CopyError::Destination)?;
    for column in columns {
        let (id, rows) = (quoted(&column), quoted(&table.name));
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence($1, $2), greatest(max({id}), $3)) FROM {rows} \
             HAVING greatest(max({id}), $3) > 0"
        );
        let query = unprepared(sql).bind(&rows).bind(&column).bind(highest_id);
        query.execute(&mut *connection).await.map_err(CopyError::Destination)?;
    }
    Ok(())
}

/// The number of rows that the migrations themselves insert into each table.
async fn fresh_counts(tables: &[SourceTable]) -> Result<Vec<i64>, CopyError> {
    let mut options = sea_orm::ConnectOptions::new("sqlite::memory:");
    options.max_connections(1).sqlx_logging(false);
    let failed = |error: DbErr| CopyError::Store(error.into());
    let fresh = sea_orm::Database::connect(options).await.map_err(failed)?;
    Migrator::up(&fresh, None).await.map_err(failed)?;
    let mut counts = Vec::new();
    for table in tables {
        let sql = format!("SELECT count(*) AS count FROM {}", quoted(&table.name));
        let row = fresh.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.map_err(failed)?;
        let count = row.map(|row| row.try_get("", "count")).transpose().map_err(failed)?;
        counts.push(count.unwrap_or(0));
    }
    Ok(counts)
}
