//! Whether Zoho has what the mapping writes: others change, delete and merge records there.
//!
//! - `watch`: looks at what was changed and deleted since the last look, which costs two calls a module.
//! - `prove`: reads all records with a key of ours, 200 for a credit.
//! - `confirm`: Zoho's queries lag behind writes, so whatever seems to differ is read by its id before it is a finding.
//! - `compare`: compares a record with what the mapping would write now.
//! - `strangers`: records with a key of ours that this database does not know.

mod compare;
mod confirm;
mod prove;
mod strangers;
mod watch;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Timelike, Utc};
use tokio::sync::watch as signal;

use self::confirm::in_calls;
use super::Zoho;
use crate::{
    clock::{Clock, Timestamp},
    delivery::{Admission, Destination, DestinationFailure},
    limits,
    model::{Lane, Records},
    store::{ItemFilter, ProofState, Store, StoreError, WatchState},
    zoho::client::{CallError, FOUND_PER_CALL, ROWS_PER_CALL},
};

/// When Zoho is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParitySettings {
    /// The interval between two looks at what was changed there; none means never.
    pub watch: Option<Duration>,
    /// The hour of the day, in UTC, from which all records are compared once; none means only when a person asks for it.
    pub proof_hour: Option<u32>,
}

/// Why a comparison did not end.
#[derive(Debug, thiserror::Error)]
pub enum ParityError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Zoho did not answer as it should, or it has to wait.
    #[error(transparent)]
    Zoho(#[from] ParityFailure),
}

/// Why Zoho cannot be compared now, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParityFailure(pub String);

impl From<CallError> for ParityError {
    fn from(error: CallError) -> Self {
        ParityFailure(error.to_string()).into()
    }
}

impl From<DestinationFailure> for ParityError {
    fn from(failure: DestinationFailure) -> Self {
        let words = match failure {
            DestinationFailure::Pause { reason, .. }
            | DestinationFailure::Outage { reason, .. }
            | DestinationFailure::Hold { reason, .. } => reason,
            DestinationFailure::Throttled => "Zoho accepts no more calls at the moment".to_owned(),
        };
        ParityFailure(words).into()
    }
}

/// What a comparison costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Spent {
    calls: u64,
    credits: u64,
}

impl Spent {
    /// A reading call: a credit each.
    fn call(&mut self) {
        self.calls += 1;
        self.credits += 1;
    }
}

impl Zoho {
    /// Fails if the API credits are needed for what is to be delivered.
    fn may_spend(&self) -> Result<(), ParityFailure> {
        match self.client.limiter().admit(Lane::User, 0, self.clock.now()) {
            Admission::Go => Ok(()),
            Admission::Wait { reason, .. } | Admission::Exhausted { reason, .. } => Err(ParityFailure(reason)),
        }
    }

    /// About the API credits of a comparison of all records.
    pub async fn proof_cost(&self) -> Result<u64, ParityError> {
        let mut credits = 0;
        for (kind, module) in self.mapping.modules() {
            let filter = ItemFilter { kind: Some(kind), ..ItemFilter::default() };
            let records = self.store.count_items(Self::NAME, &filter).await?;
            let calls = in_calls(&module.written_fields(), &["id"]).len() as u64;
            credits += (records / ROWS_PER_CALL as u64 + 1) * calls;
            credits += records.div_ceil(FOUND_PER_CALL) * module.matches.len() as u64;
        }
        Ok(credits)
    }

    fn unread(&self, error: &CallError) -> ParityError {
        self.failure(Records::All, error).into()
    }
}

/// The task that compares.
pub struct Parity {
    /// What is compared.
    pub zoho: Arc<Zoho>,
    /// The database.
    pub store: Store,
    /// When.
    pub settings: ParitySettings,
    /// The clock.
    pub clock: Clock,
}

impl Parity {
    /// Runs until `stop` becomes true. A comparison in progress is interrupted, and goes on at the next start.
    pub async fn run(self, mut stop: signal::Receiver<bool>) {
        let work = async {
            loop {
                if let Err(error) = self.round().await {
                    tracing::warn!(%error, "could not compare with Zoho");
                }
                tokio::time::sleep(limits::PARITY_TURN).await;
            }
        };
        tokio::select! {
            () = work => {}
            _ = stop.changed() => {}
        }
    }

    /// Does what is due, if it is this process's turn, for as long as the turn lasts.
    pub async fn round(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let (watch, proof) = (self.store.watch_state(Zoho::NAME).await?, self.store.proof_state(Zoho::NAME).await?);
        let wanted = self.store.proof_wanted(Zoho::NAME).await?.is_some();
        let (watches, proves) =
            (self.is_watch_due(&watch, now), proof.runs() || wanted || self.is_proof_due(&proof, now));
        let until = now.after(limits::PARITY_TURN);
        if !(watches || proves) || !self.clock.is_agreed() || self.is_paused().await? {
            return Ok(());
        }
        if !self.store.take_turn("parity", now, until).await? {
            return Ok(());
        }
        if watches {
            self.watch(watch).await?;
        }
        if proves {
            self.prove(proof, wanted, until).await?;
        }
        Ok(())
    }

    async fn is_paused(&self) -> Result<bool, StoreError> {
        let destination = self.store.destination(Zoho::NAME).await?;
        Ok(destination.is_none_or(|destination| destination.pause.is_some()))
    }

    fn is_watch_due(&self, state: &WatchState, now: Timestamp) -> bool {
        let Some(interval) = self.settings.watch else { return false };
        // What failed is tried again soon.
        let interval = if state.failure.is_some() { interval.min(limits::PARITY_RETRY) } else { interval };
        state.ended_at.is_none_or(|at| now.is_past(Timestamp(at), interval))
    }

    /// Whether the hour of the day has come, and none has begun since.
    fn is_proof_due(&self, state: &ProofState, now: Timestamp) -> bool {
        let Some(hour) = self.settings.proof_hour else { return false };
        let day = |at: Timestamp| DateTime::<Utc>::from_timestamp_millis(at.0).unwrap_or_default();
        let (time, last) = (day(now), state.began_at.map(|at| day(Timestamp(at))));
        let begins = time.date_naive().and_hms_opt(hour, 0, 0).map(|time| time.and_utc());
        time.hour() >= hour && last.is_none_or(|last| begins.is_some_and(|begins| last < begins))
    }

    async fn watch(&self, mut state: WatchState) -> Result<(), StoreError> {
        let outcome = self.zoho.watch(&mut state).await;
        state.ended_at = Some(self.clock.now().0);
        self.end(outcome, &mut state.failure)?;
        self.store.save_watch(Zoho::NAME, &state).await
    }

    async fn prove(&self, mut state: ProofState, wanted: bool, until: Timestamp) -> Result<(), StoreError> {
        if !state.runs() || wanted {
            state = self.store.begin_proof(Zoho::NAME, self.clock.now()).await?;
            tracing::info!("comparing all records with Zoho");
        }
        while self.clock.now() < until {
            let outcome = self.zoho.prove_step(&mut state).await;
            let is_over = !matches!(outcome, Ok(false));
            self.end(outcome, &mut state.failure)?;
            self.store.save_proof(Zoho::NAME, &state).await?;
            if is_over {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Keeps in words why a comparison did not end.
    fn end<T>(&self, outcome: Result<T, ParityError>, failure: &mut Option<String>) -> Result<(), StoreError> {
        match outcome {
            Ok(_) => *failure = None,
            Err(ParityError::Store(error)) => return Err(error),
            Err(ParityError::Zoho(ParityFailure(words))) => {
                tracing::info!(reason = words, "Zoho cannot be compared now; it is tried again");
                *failure = Some(words);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Spent;

    #[test]
    fn a_reading_call_costs_a_credit() {
        let mut spent = Spent::default();
        spent.call();
        spent.call();
        assert_eq!(spent, Spent { calls: 2, credits: 2 });
    }
}
