//! Which processes deliver. With two mapping files, two processes would overwrite each other's values for ever. So those
//! with another mapping than the process that has delivered the longest wait until it ends, and say so.

use std::time::Duration;

use tokio::time::Instant;

use super::Destination;
use crate::{
    clock::Timestamp,
    place::place,
    random::Random,
    store::{DeliveryProcess, Store, StoreError},
};

/// How often a process reports that it lives: several times in the time after which it counts as dead.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// How often a process that waits looks whether it may deliver.
const WAITING_INTERVAL: Duration = Duration::from_secs(2);

/// This process among those that deliver.
pub(super) struct Process {
    own: DeliveryProcess,
    reported_at: Option<Instant>,
    /// The process whose mapping is another one, and is delivered by.
    waits_for: Option<DeliveryProcess>,
}

impl Process {
    pub(super) fn new(mapping: String, random: &Random, now: Timestamp) -> Self {
        let own = DeliveryProcess { id: format!("{:016x}", random.number()), place: place(), mapping, since: now };
        Self { own, reported_at: None, waits_for: None }
    }

    /// Whether this process may deliver.
    pub(super) async fn may_deliver<D: Destination>(
        &mut self,
        store: &Store,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let interval = if self.waits_for.is_some() { WAITING_INTERVAL } else { REPORT_INTERVAL };
        if self.reported_at.is_some_and(|at| at.elapsed() < interval) {
            return Ok(self.waits_for.is_none());
        }
        let living = store.report_process(D::NAME, &self.own, now).await?;
        self.reported_at = Some(Instant::now());
        let first = living.into_iter().next().filter(|first| first.mapping != self.own.mapping);
        match (&first, &self.waits_for) {
            (Some(first), None) => tracing::error!(
                destination = D::NAME,
                delivers = first.place,
                "⏸ this process delivers nothing, because its mapping is not the one that is delivered by; give all processes the \
                 same mapping file, and let those that have another one read it again"
            ),
            (None, Some(_)) => tracing::info!(destination = D::NAME, "▶ this process's mapping is delivered by now"),
            _ => {}
        }
        self.waits_for = first;
        Ok(self.waits_for.is_none())
    }

    /// Makes room for others at once.
    pub(super) async fn leave<D: Destination>(&self, store: &Store) {
        if let Err(error) = store.leave_process(D::NAME, &self.own.id).await {
            tracing::warn!(%error, destination = D::NAME, "could not store that this process delivers no more");
        }
    }
}
