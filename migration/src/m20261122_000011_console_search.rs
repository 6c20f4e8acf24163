//! Indexes for the console's search for people and its list of what needs attention.
//!
//! Expression indexes instead of a table of search words: an event that changes no name, address or number does not
//! write to them, and what is erased from a record disappears from them too. They index the beginning of values,
//! because PostgreSQL's B-trees reject long values, in lower case (ASCII only, on both databases). The expressions must
//! match those of `store::people`.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

use crate::{Expectation, expect};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Each index and its columns. The last name's index includes the first name, to find full names.
const SEARCHES: [(&str, &[&str]); 5] = [
    ("users_search_lastname", &["lastname", "firstname"]),
    ("users_search_firstname", &["firstname"]),
    ("users_search_username", &["username"]),
    ("users_search_idnumber", &["idnumber"]),
    ("users_search_email", &["email"]),
];

/// Partial indexes, so that most items are in none of them.
const ITEM_INDEXES: [(&str, &str); 2] = [
    ("sync_items_reason", "(destination, state, kind, code, site_id, moodle_id) WHERE state IN ('parked', 'failed')"),
    ("sync_items_person", "(remote_id) WHERE kind = 'user' AND remote_id IS NOT NULL"),
];

/// See `m20261122_000005_statistics`.
const EXPECTATIONS: [Expectation; 7] = [
    ("users", "users_search_lastname", "100000 5 1"),
    ("users", "users_search_firstname", "100000 50"),
    ("users", "users_search_username", "100000 1"),
    ("users", "users_search_idnumber", "100000 2"),
    ("users", "users_search_email", "100000 1"),
    ("sync_items", "sync_items_reason", "10000 10000 5000 1000 500 500 1"),
    ("sync_items", "sync_items_person", "100000 1"),
];

/// The indexed expression of a column.
fn folded(backend: DbBackend, column: &str) -> String {
    match backend {
        DbBackend::Postgres => format!("(lower(substr({column}, 1, 64) COLLATE \"C\"))"),
        _ => format!("lower(substr({column}, 1, 64))"),
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (connection, backend) = (manager.get_connection(), manager.get_database_backend());
        for (index, columns) in SEARCHES {
            let columns: Vec<String> = columns.iter().map(|column| folded(backend, column)).collect();
            let sql = format!("CREATE INDEX {index} ON users ({})", columns.join(", "));
            connection.execute_unprepared(&sql).await?;
        }
        for (index, columns) in ITEM_INDEXES {
            connection.execute_unprepared(&format!("CREATE INDEX {index} ON sync_items {columns}")).await?;
        }
        expect(manager, &EXPECTATIONS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let indexes = SEARCHES.iter().map(|(index, _)| index).chain(ITEM_INDEXES.iter().map(|(index, _)| index));
        for index in indexes {
            manager.get_connection().execute_unprepared(&format!("DROP INDEX {index}")).await?;
        }
        Ok(())
    }
}
