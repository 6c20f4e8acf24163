//! What SQLite's planner should expect of the tables.
//!
//! Without statistics the planner assumes some ten rows per site, and reads all rows of a site where an index on the
//! user or the course would find a few. ANALYZE on an empty database would teach it nothing, and an open connection
//! does not notice a later one; so the expectations are stored directly: "rows, rows per site, rows per site and value,
//! ...". PostgreSQL's autovacuum collects its own statistics.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

use crate::{Expectation, expect};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const EXPECTATIONS: [Expectation; 18] = [
    ("users", "users", "100000 100000 1"),
    ("users", "users_email", "100000 2"),
    ("courses", "courses", "10000 10000 1"),
    ("enrolments", "enrolments", "500000 500000 1"),
    ("enrolments", "enrolments_userid", "500000 500000 5 1"),
    ("enrolments", "enrolments_courseid", "500000 500000 50 1"),
    ("grade_items", "grade_items", "100000 100000 1"),
    ("grade_items", "grade_items_courseid", "100000 100000 10 1"),
    ("grades", "grades", "1000000 1000000 1"),
    ("grades", "grades_userid", "1000000 1000000 20 1"),
    ("grades", "grades_itemid", "1000000 1000000 30 1"),
    ("completions", "completions", "100000 100000 1"),
    ("completions", "completions_userid", "100000 100000 3 1"),
    ("completions", "completions_courseid", "100000 100000 30 1"),
    ("events", "events_client_id", "1000000 1000000 1"),
    ("events", "events_user", "1000000 1000000 50 1"),
    ("changes", "changes", "1000000 1000000 200000 1"),
    ("changes", "changes_position", "1000000 1"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Sqlite {
            return Ok(());
        }
        let connection = manager.get_connection();
        // Creates the statistics table.
        connection.execute_unprepared("ANALYZE").await?;
        connection.execute_unprepared("DELETE FROM sqlite_stat1").await?;
        expect(manager, &EXPECTATIONS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Sqlite {
            manager.get_connection().execute_unprepared("DELETE FROM sqlite_stat1").await?;
        }
        Ok(())
    }
}
