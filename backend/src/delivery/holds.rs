//! Holds: while some records wait for a person, one of them is tried from time to time. Only the call that failed shows
//! whether it works again.

use std::time::Duration;

use super::{
    Destination,
    engine::{Claim, DispatcherState, Engine},
};
use crate::{
    clock::Timestamp,
    limits,
    model::{Kind, Lane, Records},
    store::{Hold, OUTAGE, StoreError},
};

/// The longest time to the first trial after an outage began: most last no longer.
const FIRST_TRIAL: Duration = Duration::from_secs(2);

impl<D: Destination> Engine<D> {
    /// Starts a worker for one of the held records, if one is to be tried now.
    pub(super) async fn begin_trial(
        &self,
        state: &mut DispatcherState,
        holds: &[Hold],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        for hold in holds.iter().filter(|hold| hold.check_at.is_some_and(|at| at <= now)) {
            if !self.store.begin_trial(D::NAME, hold, now, self.next_trial(hold, now)).await? {
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

    /// An outage is looked at again soon, and less and less often the longer it lasts.
    fn next_trial(&self, hold: &Hold, now: Timestamp) -> Timestamp {
        if hold.cause != OUTAGE {
            return now.after(self.settings.check);
        }
        let longest = now.since(hold.since).clamp(FIRST_TRIAL, limits::LONGEST_OPEN_CIRCUIT);
        now.after(longest / 2 + self.random.up_to(longest / 2))
    }

    /// Holds the records that an outage concerns.
    pub(super) async fn hold_for_outage(&self, kind: Kind, records: Records, reason: String) {
        let since = self.clock.now();
        let check_at = Some(since.after(self.random.up_to(FIRST_TRIAL)));
        let hold = Hold { kind, records, cause: OUTAGE.to_owned(), reason, since, check_at };
        if let Err(error) = self.store.hold(D::NAME, &hold).await {
            tracing::error!(%error, destination = D::NAME, "could not store that records are held");
        }
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
    /// made, the next record is tried at once; if an outage hit that record again, another one is tried later.
    pub(super) async fn end_trial(&self, hold: &Hold, answered: bool, took: bool) -> Result<(), StoreError> {
        if !answered {
            self.store.set_trial(D::NAME, hold, self.clock.now()).await?;
        } else if hold.cause == OUTAGE && !took {
            // Its next trial is due at the time that was set when this one began.
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
