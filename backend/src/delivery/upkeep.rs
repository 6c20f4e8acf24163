//! Maintenance beside the deliveries: items with expired leases, parked items whose reason is gone, and items that read
//! what has changed, or the clock.

use tokio::time::Instant;

use std::time::Duration;

use super::Destination;
use crate::{
    clock::Timestamp,
    limits,
    store::{Store, StoreError},
};

/// The longest interval between two searches for items of dead workers.
const LEASE_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The interval at which records are looked for that change by the clock: the latest that an enrolment ends in Zoho.
const MOMENT_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// When each task last ran.
pub(super) struct Upkeep {
    leases_at: Option<Instant>,
    parked_at: Option<Instant>,
    readers_at: Option<Instant>,
    /// Whether items are left that read what has changed.
    pub(super) readers_left: bool,
    moments_at: Option<Instant>,
    /// Whether items are left whose moment has come.
    moments_left: bool,
}

impl Upkeep {
    /// All tasks are due at once, because a process may just have died.
    pub(super) fn new() -> Self {
        Self {
            leases_at: None,
            parked_at: None,
            readers_at: None,
            readers_left: false,
            moments_at: None,
            moments_left: false,
        }
    }

    /// Whether the next step is to follow at once.
    pub(super) fn has_more(&self) -> bool {
        self.readers_left || self.moments_left
    }

    pub(super) async fn run<D: Destination>(
        &mut self,
        store: &Store,
        lease: Duration,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // Twice per lease, and more often when leases are long.
        let lease_interval = (lease / 2).min(LEASE_CHECK_INTERVAL);
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
        if self.parked_at.is_none() {
            store.release_all_blocked(D::NAME, now).await?;
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
        // One step per round, so that deliveries begin meanwhile. Other processes look at intervals, in case that the one
        // which noted the change has died.
        if self.readers_left || is_due(self.readers_at, limits::PARKED_CHECK_INTERVAL) {
            self.readers_at = Some(Instant::now());
            self.readers_left = store.judge_readers(D::NAME, now).await?;
        }
        if self.moments_left || is_due(self.moments_at, MOMENT_CHECK_INTERVAL) {
            self.moments_at = Some(Instant::now());
            self.moments_left = store.judge_due(D::NAME, now).await?;
        }
        Ok(())
    }
}
