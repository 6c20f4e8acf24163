//! Holds: while some records wait for a person, one of them is tried from time to time. Only the call that failed shows
//! whether it works again.

use super::{
    Destination,
    engine::{Claim, DispatcherState, Engine},
};
use crate::{
    clock::Timestamp,
    model::Lane,
    store::{Hold, StoreError},
};

impl<D: Destination> Engine<D> {
    /// Starts a worker for one of the held records, if one is to be tried now.
    pub(super) async fn begin_trial(
        &self,
        state: &mut DispatcherState,
        holds: &[Hold],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        for hold in holds.iter().filter(|hold| hold.check_at.is_some_and(|at| at <= now)) {
            if !self.store.begin_trial(D::NAME, hold, now, now.after(self.settings.check)).await? {
                continue;
            }
            for lane in Lane::ALL.into_iter().filter(|lane| lane.kind() == hold.kind) {
                if self.claim(state, Claim { lane, records: hold.records, trial: Some(hold.clone()) }, now).await? {
                    return Ok(true);
                }
            }
            if !self.store.holds_anything(D::NAME, hold).await? {
                self.store.end_hold(D::NAME, hold.kind, hold.records).await?;
            }
        }
        Ok(false)
    }

    /// Begins a hold.
    pub(super) async fn hold(&self, hold: Hold) -> Result<(), StoreError> {
        if self.store.hold(D::NAME, &hold).await? {
            let Hold { kind, records, cause, reason, .. } = hold;
            let (kind, records) = (kind.as_str(), records.as_str());
            tracing::error!(
                destination = D::NAME,
                kind,
                records,
                cause,
                reason,
                "⏸ some records are held; nothing is lost"
            );
        }
        Ok(())
    }

    /// Ends a hold if the destination took one of its records, or refused it for a reason of its own. If no call was
    /// made, the next record is tried at once.
    pub(super) async fn end_trial(&self, hold: &Hold, answered: bool) -> Result<(), StoreError> {
        if !answered {
            self.store.set_trial(D::NAME, hold, self.clock.now()).await?;
        } else if self.store.end_hold(D::NAME, hold.kind, hold.records).await? {
            let (kind, records) = (hold.kind.as_str(), hold.records.as_str());
            tracing::info!(
                destination = D::NAME,
                kind,
                records,
                cause = hold.cause,
                "▶ held records are delivered again"
            );
        }
        Ok(())
    }
}
