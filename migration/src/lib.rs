//! The database schema, one file per change, applied in order by `backend-sync migrate` and `backend-sync serve`.
//!
//! The same migrations run on SQLite and on PostgreSQL. Conventions:
//! - a column `time…` holds Moodle's Unix seconds as Moodle gave them; a column `…_at` holds our own Unix milliseconds;
//! - decimals are text, because SQLite has no exact numeric type and both databases must give back every digit;
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
        ]
    }
}

/// Creates a table that is read and written by its key. SQLite then keeps the rows in the order of the key, in one tree; the
/// default would be a second tree from the key to a row number.
async fn create_keyed_table(manager: &SchemaManager<'_>, table: TableCreateStatement) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Sqlite {
        return manager.create_table(table).await;
    }
    let sql = format!("{} WITHOUT ROWID", table.to_string(SqliteQueryBuilder));
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}
