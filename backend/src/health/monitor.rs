//! Checks health regularly, even when no events arrive.

use tokio::sync::watch;

use super::Health;
use crate::{limits, store::Store};

/// Regularly tests whether the database accepts events, and still holds those it accepted.
pub struct HealthMonitor {
    /// The database.
    pub store: Store,
    /// The health to update.
    pub health: Health,
}

impl HealthMonitor {
    /// Checks until `stop` becomes true.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            tokio::select! {
                () = self.check() => {}
                _ = stop.changed() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(limits::HEALTH_INTERVAL) => {}
                _ = stop.changed() => {}
            }
        }
    }

    async fn check(&self) {
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
    }
}
