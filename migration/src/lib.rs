//! The database schema, one file per change, applied in order by `backend-sync migrate` and `backend-sync serve`.
//!
//! The same migrations run on SQLite and on PostgreSQL. Conventions:
//! - a column `time…` holds Moodle's Unix seconds as Moodle gave them; a column `…_at` holds our own Unix milliseconds;
//! - decimals are text, because SQLite has no exact numeric type and both databases must return every digit;
//! - JSON is text, because it must come back exactly as it was sent.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

mod m20261122_000001_sites_and_tokens;
mod m20261122_000002_events;
mod m20261122_000003_records;
mod m20261122_000004_changes;
mod m20261122_000005_statistics;
mod m20261122_000006_sync;
mod m20261122_000007_activity;
mod m20261122_000008_alerts;
mod m20261122_000009_erasures;
mod m20261122_000010_console_sessions;
mod m20261122_000011_console_search;
mod m20261127_000012_steps;
mod m20261127_000013_remarks;
mod m20261127_000014_writers;
mod m20261127_000016_derived;
mod m20261127_000017_brake;
mod m20261127_000018_adoptions;
mod m20261128_000019_processes;
mod m20261128_000021_parity;
mod m20261128_000022_incarnation;
mod m20261128_000026_news;
mod m20261128_000027_findings;
mod m20261128_000029_profile;
mod m20261128_000030_lists;

/// Applies the migrations in their order.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_sites_and_tokens::Migration),
            Box::new(m20261122_000002_events::Migration),
            Box::new(m20261122_000003_records::Migration),
            Box::new(m20261122_000004_changes::Migration),
            Box::new(m20261122_000005_statistics::Migration),
            Box::new(m20261122_000006_sync::Migration),
            Box::new(m20261122_000007_activity::Migration),
            Box::new(m20261122_000008_alerts::Migration),
            Box::new(m20261122_000009_erasures::Migration),
            Box::new(m20261122_000010_console_sessions::Migration),
            Box::new(m20261122_000011_console_search::Migration),
            Box::new(m20261127_000012_steps::Migration),
            Box::new(m20261127_000013_remarks::Migration),
            Box::new(m20261127_000014_writers::Migration),
            Box::new(m20261127_000016_derived::Migration),
            Box::new(m20261127_000017_brake::Migration),
            Box::new(m20261127_000018_adoptions::Migration),
            Box::new(m20261128_000019_processes::Migration),
            Box::new(m20261128_000021_parity::Migration),
            Box::new(m20261128_000022_incarnation::Migration),
            Box::new(m20261128_000026_news::Migration),
            Box::new(m20261128_000027_findings::Migration),
            Box::new(m20261128_000029_profile::Migration),
            Box::new(m20261128_000030_lists::Migration),
        ]
    }
}

/// Creates a table that is read and written by its key. SQLite then keeps its rows in one tree in the order of the key;
/// by default, it would add a second tree from the key to a row number.
async fn create_keyed_table(manager: &SchemaManager<'_>, table: TableCreateStatement) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Sqlite {
        return manager.create_table(table).await;
    }
    let sql = format!("{} WITHOUT ROWID", table.to_string(SqliteQueryBuilder));
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}

/// What SQLite's planner should expect of a table: the table, the index (for a table kept in the order of its key: the
/// table's name), and "rows, rows per first column, rows per first two columns, ...".
type Expectation = (&'static str, &'static str, &'static str);

/// Stores what SQLite's planner should expect; see `m20261122_000005_statistics` for why. Does nothing on PostgreSQL.
async fn expect(manager: &SchemaManager<'_>, expectations: &[Expectation]) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Sqlite {
        return Ok(());
    }
    let connection = manager.get_connection();
    for (table, index, expectation) in expectations {
        connection.execute_unprepared(&format!("DELETE FROM sqlite_stat1 WHERE idx = '{index}'")).await?;
        let row = format!("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('{table}', '{index}', '{expectation}')");
        connection.execute_unprepared(&row).await?;
    }
    // Makes this connection read the expectations; others do so when they see that the schema changed.
    connection.execute_unprepared("ANALYZE sqlite_schema").await?;
    Ok(())
}
