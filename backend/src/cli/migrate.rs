//! `backend-sync migrate`

use super::{CliError, counted, print, unopened};
use crate::{
    config::Config,
    store::{Opened, Store},
};

pub(super) async fn run(config: Config) -> Result<(), CliError> {
    let opened = Store::open(&config.database_url, config.no_database).await;
    let (store, opened) = opened.map_err(|error| unopened(&config, error))?;
    store.close().await;
    match opened {
        Opened::Unchanged => print("The database is up to date."),
        Opened::Created => print(format_args!("Created a new database at {}.", config.database_url)),
        Opened::Migrated(count) => print(format_args!("Applied {}.", counted(count as u64, "migration"))),
    }
}
