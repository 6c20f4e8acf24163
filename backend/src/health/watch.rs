//! Finding out, when nobody sends anything.

use tokio::sync::watch;

use super::Health;
use crate::{limits, store::Store};

/// Tries now and then whether the database takes events, and keeps those that it took.
pub struct Watch {
    /// The database.
    pub store: Store,
    /// What is found out.
    pub health: Health,
}

impl Watch {
    /// Looks until `stop` becomes true.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            tokio::select! {
                () = self.look() => {}
                _ = stop.changed() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(limits::HEALTH_INTERVAL) => {}
                _ = stop.changed() => {}
            }
        }
    }

    async fn look(&self) {
        // Those who send find it out as well.
        if self.health.is_quiet(limits::WRITE_CHECK_INTERVAL) {
            self.health.try_write(&self.store).await;
        }
        // What it finds is logged, and remembered.
        if let Err(error) = self.health.look_for_acknowledged(&self.store).await {
            tracing::debug!(%error, "could not look for the newest event that was answered");
        }
        let stuck = [
            ("writer", &self.health.writer, limits::WRITER_PATIENCE),
            ("delivery", &self.health.delivery, limits::DELIVERY_PATIENCE),
        ];
        for (task, progress, patience) in stuck {
            if let Some(time) = progress.stuck_for(patience) {
                tracing::warn!(task, seconds = time.as_secs(), "a task does not move on");
            }
        }
    }
}
