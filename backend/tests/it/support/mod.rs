//! Shared by the tests.

pub(crate) mod api;
pub(crate) mod browser;
pub(crate) mod database;
pub(crate) mod events;
pub(crate) mod load;
pub(crate) mod pooler;
pub(crate) mod proxy;
pub(crate) mod random;
pub(crate) mod raw;
pub(crate) mod server;
pub(crate) mod smtp;
pub(crate) mod thread;
pub(crate) mod tls;
pub(crate) mod wait;
pub(crate) mod webhook;
pub(crate) mod zoho;

pub(crate) use api::{Answer, Api};
pub(crate) use database::Database;
pub(crate) use server::{Server, command};
pub(crate) use zoho::ZohoSimulator;

/// Makes a module of tests of `async fn name(database: Database)`, one for each kind of database.
macro_rules! tests_on {
    ($name:ident: $($kind:ident = $database:expr),+) => {
        mod $name {
            $(
                #[tokio::test]
                async fn $kind() {
                    super::$name($database).await;
                }
            )+
        }
    };
}

/// Makes two tests of each `async fn name(database: Database)`: `name::sqlite` and `name::postgres`. With `empty:`, the
/// database has no tables yet, and SQLite's file does not exist; otherwise it has them, which saves each test the
/// migrations.
macro_rules! on_both_databases {
    (empty: $($name:ident),+ $(,)?) => {$(
        tests_on!(
            $name: sqlite = crate::support::Database::empty_sqlite(), postgres = crate::support::Database::empty_postgres().await
        );
    )+};
    ($($name:ident),+ $(,)?) => {$(
        tests_on!($name: sqlite = crate::support::Database::sqlite(), postgres = crate::support::Database::postgres().await);
    )+};
}

/// The same for PostgreSQL alone.
macro_rules! on_postgres {
    (empty: $($name:ident),+ $(,)?) => {$(
        tests_on!($name: postgres = crate::support::Database::empty_postgres().await);
    )+};
    ($($name:ident),+ $(,)?) => {$(
        tests_on!($name: postgres = crate::support::Database::postgres().await);
    )+};
}
