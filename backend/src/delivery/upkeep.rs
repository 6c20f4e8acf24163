//! Maintenance beside the deliveries: items with expired leases, and parked items whose reason is gone.

use tokio::time::Instant;

use std::time::Duration;

use super::Destination;
use crate::{
    clock::Timestamp,
    limits,
    store::{Store, StoreError},
};

/// When each task last ran.
pub(super) struct Upkeep {
    leases_at: Option<Instant>,
    parked_at: Option<Instant>,
}

impl Upkeep {
    /// Both tasks are due at once, because a process may just have died.
    pub(super) fn new() -> Self {
        Self { leases_at: None, parked_at: None }
    }

    pub(super) async fn run<D: Destination>(
        &mut self,
        store: &Store,
        lease: Duration,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // Twice per lease, and more often when leases are long.
        let lease_interval = (lease / 2).min(limits::LEASE_CHECK_INTERVAL);
        let is_due = |at: Option<Instant>, interval| at.is_none_or(|at| at.elapsed() >= interval);
        if is_due(self.leases_at, lease_interval) {
            self.leases_at = Some(Instant::now());
            loop {
                let lost = store.reclaim_expired(D::NAME, now).await?;
                if lost.is_empty() {
                    break;
                }
                tracing::warn!(destination = D::NAME, items = lost.len(), "took over items whose lease had expired");
                store.add_lost_attempts(D::NAME, &lost, now).await?;
            }
        }
        if is_due(self.parked_at, limits::PARKED_CHECK_INTERVAL) {
            self.parked_at = Some(Instant::now());
            let released = store.release_missed(D::NAME, now).await?;
            if released > 0 {
                tracing::info!(
                    destination = D::NAME,
                    items = released,
                    "released items that missed their prerequisite"
                );
            }
        }
        Ok(())
    }
}
