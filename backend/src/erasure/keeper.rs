//! Starts, continues and checks erasures: one process at a time, with or without a destination.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Notify, watch};

use super::{check, empty, follow};
use crate::{
    clock::{Clock, Timestamp},
    limits,
    model::{ErasurePolicy, ErasureState},
    store::{BY_MOODLE, BrakeLimits, Erasure, ErasureRequest, Store, StoreError},
    zoho::destination::Zoho,
};

/// How people who were deleted in Moodle are erased.
#[derive(Clone, Debug)]
pub struct ErasureSettings {
    /// What happens at the destination.
    pub policy: ErasurePolicy,
    /// Time from the deletion to the erasure; `None` when they are not erased.
    pub grace: Option<Duration>,
    /// How many erasures are ordinary.
    pub brake: BrakeLimits,
}

/// Carries out all erasures.
pub struct Keeper {
    /// The database.
    pub store: Store,
    /// `None` when Zoho is not configured.
    pub zoho: Option<Arc<Zoho>>,
    /// How people who were deleted in Moodle are erased.
    pub settings: ErasureSettings,
    /// Wakes this process's delivery when items are due.
    pub due: Arc<Notify>,
    /// The steady clock.
    pub clock: Clock,
}

impl Keeper {
    /// Runs until `stop` becomes true. Work in progress is interrupted, and continues at the next start.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut people_at = None;
        let work = async {
            loop {
                if let Err(error) = self.round(&mut people_at).await {
                    tracing::error!(%error, "could not read or write erasures");
                }
                tokio::time::sleep(limits::ERASURE_INTERVAL).await;
            }
        };
        tokio::select! {
            () = work => {}
            _ = stop.changed() => {}
        }
    }

    async fn round(&self, people_at: &mut Option<Instant>) -> Result<(), StoreError> {
        let now = self.clock.now();
        // A clock may be wrong by years, so no erasure starts because of its date until the time is agreed. Erasures
        // that a person requested do start.
        let agreed = self.clock.is_agreed();
        if agreed && people_at.is_none_or(|at| at.elapsed() >= limits::DELETED_PEOPLE_INTERVAL) {
            *people_at = Some(Instant::now());
            self.request_deleted(now).await?;
        }
        let due = self.store.due_erasures(now, agreed, limits::ERASURES_AT_ONCE).await?;
        // Half the interval, so that the process that had the last turn does not wait for its own lease.
        let until = now.after(limits::ERASURE_INTERVAL / 2);
        if due.is_empty() || !self.store.take_turn("erasures", now, until).await? {
            return Ok(());
        }
        let (begun, done): (Vec<_>, Vec<_>) = due
            .into_iter()
            .partition(|erasure| matches!(erasure.state, ErasureState::Requested | ErasureState::Erasing));
        self.erase(begun, now).await?;
        for erasure in done {
            if erasure.state == ErasureState::LocalDone {
                follow(&self.store, &erasure, now).await?;
            } else if let Err(error) = check(&self.store, self.zoho.as_deref(), &erasure, &self.clock).await {
                tracing::warn!(erasure = erasure.id, %error, "could not check an erasure; it will be retried");
                self.store.set_erasure_check(erasure.id, now.after(limits::ERASURE_CHECK_RETRY)).await?;
            }
        }
        Ok(())
    }

    /// Requests the erasure of people who were deleted in Moodle.
    async fn request_deleted(&self, now: Timestamp) -> Result<(), StoreError> {
        let Some(grace) = self.settings.grace else { return Ok(()) };
        for user in self.store.deleted_people(limits::PRUNE_ROWS).await? {
            let (policy, due_at) = (self.settings.policy, now.after(grace));
            let request = ErasureRequest { user, policy, requested_by: BY_MOODLE, due_at };
            let erasure = self.store.request_erasure(&request, now).await?;
            tracing::info!(
                erasure,
                due_at = due_at.to_rfc3339(),
                "🧹 a person who was deleted in Moodle will be erased"
            );
        }
        Ok(())
    }

    /// Blanks what is stored about these people, then scrubs the files once for all of them.
    async fn erase(&self, erasures: Vec<Erasure>, now: Timestamp) -> Result<(), StoreError> {
        let mut emptied = Vec::new();
        for erasure in erasures {
            let waits = erasure.state == ErasureState::Requested;
            if waits && erasure.requested_by == BY_MOODLE && self.store.is_living(erasure.user).await? {
                tracing::info!(erasure = erasure.id, "🧹 a person is back in Moodle and is not erased");
                self.store.lift_erasure(erasure.id, now).await?;
                continue;
            }
            if !empty(&self.store, erasure.id, self.settings.brake, &self.clock).await? {
                tracing::warn!(erasure = erasure.id, "🧹 an erasure waits for a person: unusually many began lately");
                continue;
            }
            emptied.push(erasure.id);
        }
        // If a reader blocks the scrub, the next round continues.
        if emptied.is_empty() || !self.store.scrub().await? {
            return Ok(());
        }
        for id in emptied {
            self.store.end_local_erasure(id, self.clock.now()).await?;
            tracing::info!(erasure = id, "🧹 a person was erased from this database");
        }
        self.due.notify_one();
        Ok(())
    }
}
