//! Opening the database for a command.

use super::CliError;
use crate::{
    clock::Clock,
    config::Config,
    store::{Cause, Opened, Reapplied, Store, StoreError},
    timekeeper,
};

/// Opens the database, which must be there and up to date: whoever stands in the wrong folder must not be shown a new,
/// empty one.
pub(super) async fn open(config: &Config, clock: &Clock) -> Result<Store, CliError> {
    let store = Store::open_existing(&config.database_url).await.map_err(|error| unopened(config, error))?;
    prepare(&store, clock).await?;
    Ok(store)
}

/// Opens the database; creates it if there is none, and applies migrations.
pub(super) async fn open_or_create(config: &Config, clock: &Clock) -> Result<Store, CliError> {
    let opened = Store::open(&config.database_url, config.no_database).await;
    let (store, opened) = opened.map_err(|error| unopened(config, error))?;
    match opened {
        Opened::Unchanged => {}
        Opened::Created => tracing::info!(database = %config.database_url, "created a new database"),
        Opened::Migrated(applied) => tracing::info!(database = %config.database_url, applied, "applied migrations"),
    }
    prepare(&store, clock).await?;
    Ok(store)
}

/// The error of a database that was not opened: where nothing answers, which one it is.
pub(super) fn unopened(config: &Config, error: StoreError) -> CliError {
    match error.cause() {
        Cause::Unreachable => CliError::Unreachable { url: Box::new(config.database_url.clone()), error },
        _ => error.into(),
    }
}

/// Sets the clock by the database, because servers compare the times written here with theirs.
async fn prepare(store: &Store, clock: &Clock) -> Result<(), CliError> {
    timekeeper::set_clock(store, clock).await?;
    reapply_register(store, clock).await
}

/// Lets a database that is older than its register learn what that holds.
async fn reapply_register(store: &Store, clock: &Clock) -> Result<(), CliError> {
    let done = store.reapply_register(clock.now()).await?;
    let Reapplied { noticed, erased, requested, lifted, revoked, decided } = done;
    if noticed {
        tracing::warn!(
            "the database is older than its register says: it was restored from a backup, and begins a new life"
        );
    }
    if done.is_anything() {
        tracing::warn!(
            erased,
            requested,
            lifted,
            revoked,
            decided,
            "what an older database did not know was applied again from the register"
        );
    }
    Ok(())
}
