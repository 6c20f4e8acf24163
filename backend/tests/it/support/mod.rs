//! What the tests share.

pub(crate) mod api;
pub(crate) mod browser;
pub(crate) mod database;
pub(crate) mod events;
pub(crate) mod load;
pub(crate) mod proxy;
pub(crate) mod random;
pub(crate) mod raw;
pub(crate) mod server;
pub(crate) mod smtp;
pub(crate) mod thread;
pub(crate) mod wait;
pub(crate) mod webhook;
pub(crate) mod zoho;

pub(crate) use api::{Answer, Api};
pub(crate) use database::Database;
pub(crate) use server::{Server, command};
pub(crate) use zoho::ZohoSimulator;

/// Makes two tests of each `async fn name(database: Database)`: `name::sqlite` and `name::postgres`.
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test]
            $(#[$meta])*
            async fn sqlite() {
                super::$name(crate::support::Database::sqlite()).await;
            }

            #[tokio::test]
            $(#[$meta])*
            async fn postgres() {
                match crate::support::Database::postgres().await {
                    Some(database) => super::$name(database).await,
                    None => eprintln!("skipped: set TEST_POSTGRES_URL (scripts/test does)"),
                }
            }
        }
    )+};
}
