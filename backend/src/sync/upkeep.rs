//! What is done beside the deliveries: items of dead workers, parked items whose reason is gone.

use super::{Destination, Engine};
use crate::{clock::Timestamp, limits, store::StoreError};

/// When each was done last.
pub(super) struct Upkeep {
    leases_at: Timestamp,
    parked_at: Timestamp,
}

impl Upkeep {
    /// Leases and parked items are looked at at once, because a process may just have died.
    pub(super) fn new() -> Self {
        Self { leases_at: Timestamp(0), parked_at: Timestamp(0) }
    }

    pub(super) async fn run<D: Destination>(&mut self, engine: &Engine<D>, now: Timestamp) -> Result<(), StoreError> {
        // Twice in the time of a lease, or once in a while when leases are long.
        let lease_interval = (engine.settings.lease / 2).min(limits::LEASE_CHECK_INTERVAL);
        if now.since(self.leases_at) >= lease_interval {
            self.leases_at = now;
            let lost = engine.store.take_back_expired(D::NAME, now).await?;
            if !lost.is_empty() {
                tracing::warn!(destination = D::NAME, items = lost.len(), "took over the items of a process that died");
                engine.store.add_lost_attempts(D::NAME, &lost, now).await?;
            }
        }
        if now.since(self.parked_at) >= limits::PARKED_CHECK_INTERVAL {
            self.parked_at = now;
            let released = engine.store.release_in_vain(D::NAME, None, now).await?;
            if released > 0 {
                tracing::info!(destination = D::NAME, items = released, "released what waited in vain");
            }
        }
        Ok(())
    }
}
