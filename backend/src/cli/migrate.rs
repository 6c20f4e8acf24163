//! `backend-sync migrate`

use super::{CliError, counted, print};
use crate::{config::Config, store::Store};

pub(super) async fn run(config: Config) -> Result<(), CliError> {
    let (store, applied) = Store::open(&config.database_url, config.no_database).await?;
    store.close().await;
    match applied {
        0 => print("The database is up to date."),
        count => print(format_args!("Applied {}.", counted(count as u64, "migration"))),
    }
}
