//! Keeps PostgreSQL's statistics in step with tables that grow fast, so that the delivery of a first backfill finds its
//! items through the right indexes.

use tokio::sync::watch;

use crate::{limits, store::Store};

/// Runs until `stop` becomes true.
pub async fn run(store: Store, mut stop: watch::Receiver<bool>) {
    let work = async {
        loop {
            tokio::time::sleep(limits::STATISTICS_INTERVAL).await;
            match store.refresh_statistics().await {
                Ok(0) => {}
                Ok(tables) => tracing::debug!(tables, "collected statistics of tables that have grown"),
                Err(error) => tracing::warn!(%error, "could not collect the database's statistics"),
            }
        }
    };
    tokio::select! {
        () = work => {}
        _ = stop.changed() => {}
    }
}
