//! Checks health regularly, even when no events arrive.

use tokio::sync::watch;

use super::Health;
use crate::{
    limits,
    store::{Store, StoreError},
};

/// Regularly tests whether the database accepts events, still holds those it accepted, and is one that this program knows.
pub struct HealthMonitor {
    /// The database.
    pub store: Store,
    /// The health to update.
    pub health: Health,
    /// Becomes true when the server stops.
    pub stop: watch::Sender<bool>,
}

impl HealthMonitor {
    /// Checks until the server stops. Stops it once a newer program has migrated the database, and returns that.
    pub async fn run(self) -> Option<StoreError> {
        let mut stop = self.stop.subscribe();
        while !*stop.borrow() {
            let outgrown = tokio::select! {
                outgrown = self.check() => outgrown,
                _ = stop.changed() => return None,
            };
            if let Some(error) = outgrown {
                tracing::error!(%error, "this process ends, because it is older than its database");
                self.stop.send_replace(true);
                return Some(error);
            }
            tokio::select! {
                () = tokio::time::sleep(limits::HEALTH_INTERVAL) => {}
                _ = stop.changed() => {}
            }
        }
        None
    }

    /// Returns why this program must not go on.
    async fn check(&self) -> Option<StoreError> {
        // Requests with events test the same.
        if self.health.is_write_test_due(limits::WRITE_CHECK_INTERVAL) {
            self.health.try_write(&self.store).await;
        }
        // It logs and remembers what it finds.
        if let Err(error) = self.health.check_acknowledged(&self.store).await {
            tracing::debug!(%error, "could not look for the newest event that was answered 200");
        }
        let stuck = [
            ("writer", &self.health.writer, limits::WRITER_PATIENCE),
            ("delivery", &self.health.delivery, limits::DELIVERY_PATIENCE),
        ];
        for (task, progress, patience) in stuck {
            if let Some(time) = progress.stuck_for(patience) {
                tracing::warn!(task, seconds = time.as_secs(), "a task makes no progress");
            }
        }
        // A few rows, whatever the load: no batch waits for it.
        self.store.outgrown().await.unwrap_or_else(|error| {
            tracing::debug!(%error, "could not look for migrations of a newer program");
            None
        })
    }
}
