//! Which processes deliver. With two mapping files, two processes would overwrite each other's values for ever. So those
//! with another mapping than the process that has delivered the longest wait until it ends, and say so.

use std::time::Duration;

use tokio::time::Instant;

use super::{Destination, engine::Engine};
use crate::{
    clock::Timestamp,
    store::{DeliveryProcess, StoreError},
};

/// How often a process reports that it lives: several times in the time after which it counts as dead.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// How often a process that waits looks whether it may deliver.
const WAITING_INTERVAL: Duration = Duration::from_secs(2);

/// What a process knows about the others.
#[derive(Default)]
pub(super) struct Others {
    reported_at: Option<Instant>,
    /// The process whose mapping is another one, and is delivered by.
    waits_for: Option<DeliveryProcess>,
}

impl<D: Destination> Engine<D> {
    /// Whether this process may deliver.
    pub(super) async fn may_deliver(&self, others: &mut Others, now: Timestamp) -> Result<bool, StoreError> {
        let interval = if others.waits_for.is_some() { WAITING_INTERVAL } else { REPORT_INTERVAL };
        if others.reported_at.is_some_and(|at| at.elapsed() < interval) {
            return Ok(others.waits_for.is_none());
        }
        let living = self.store.report_process(D::NAME, &self.process, now).await?;
        others.reported_at = Some(Instant::now());
        let first = living.into_iter().next().filter(|first| first.mapping != self.process.mapping);
        match (&first, &others.waits_for) {
            (Some(first), None) => tracing::error!(
                destination = D::NAME,
                delivers = first.place,
                "⏸ this process delivers nothing, because its mapping is not the one that is delivered by; give all processes the \
                 same mapping file and restart those that have another one"
            ),
            (None, Some(_)) => tracing::info!(destination = D::NAME, "▶ this process's mapping is delivered by now"),
            _ => {}
        }
        others.waits_for = first;
        Ok(others.waits_for.is_none())
    }

    /// Makes room for others at once.
    pub(super) async fn leave(&self) {
        if let Err(error) = self.store.leave_process(D::NAME, &self.process.id).await {
            tracing::warn!(%error, destination = D::NAME, "could not store that this process delivers no more");
        }
    }
}
