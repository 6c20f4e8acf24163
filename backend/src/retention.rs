//! Deletes old events, attempts, counts and replaced values, and joins counts by the minute to counts by the hour: in
//! small steps, in one process at a time, with or without a destination.
//!
//! Records do not depend on the event log: they hold the current state, and its version keeps older events from coming
//! back. Deleting an event only loses its idempotency key: the same event sent again is no longer `duplicate`, but
//! `unchanged` or `superseded`.

use std::time::Duration;

use tokio::sync::watch;

use crate::{
    clock::{Clock, Timestamp},
    limits,
    store::{Store, StoreError},
};

/// How long things are kept; none means for ever.
#[derive(Clone, Debug)]
pub struct Ages {
    /// Events.
    pub events: Option<Duration>,
    /// Attempts to deliver.
    pub attempts: Option<Duration>,
    /// Activity counts.
    pub activity: Option<Duration>,
    /// The values that adoptions replaced.
    pub replaced: Option<Duration>,
}

/// The task that deletes what is old.
pub struct Retention {
    /// The database.
    pub store: Store,
    /// How long things are kept.
    pub ages: Ages,
    /// The clock that decides what is old.
    pub clock: Clock,
}

/// What is deleted when it is old.
#[derive(Clone, Copy)]
enum OldRows {
    Events,
    Attempts,
    Activity,
    /// What the brake counted.
    Brake,
    Replaced,
    /// Findings that have ended.
    Findings,
}

impl Retention {
    /// Runs until `stop` becomes true.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let work = async {
            let mut joined = Timestamp(0);
            loop {
                if let Err(error) = self.round(&mut joined).await {
                    tracing::error!(%error, "could not delete old rows");
                }
                // Until the time is agreed, ask again soon.
                let is_agreed = self.clock.is_agreed();
                tokio::time::sleep(if is_agreed { limits::PRUNE_INTERVAL } else { limits::LAST_SEEN_INTERVAL }).await;
            }
        };
        tokio::select! {
            () = work => {}
            _ = stop.changed() => {}
        }
    }

    /// Deletes everything too old, if it is this process's turn; the counts before `joined` are known to be joined.
    async fn round(&self, joined: &mut Timestamp) -> Result<(), StoreError> {
        // To a clock that is years ahead, everything would be old.
        if !self.clock.is_agreed() {
            return Ok(());
        }
        let now = self.clock.now();
        if !self.store.take_turn("retention", now, now.after(limits::PRUNE_INTERVAL / 2)).await? {
            return Ok(());
        }
        let Ages { events, attempts, activity, replaced } = self.ages;
        let ages = [
            (OldRows::Events, events),
            (OldRows::Attempts, attempts),
            (OldRows::Activity, activity),
            (OldRows::Brake, Some(limits::BRAKE_LONGEST_APPROVAL)),
            (OldRows::Replaced, replaced),
            (OldRows::Findings, Some(limits::CLOSED_FINDINGS_TIME)),
        ];
        for (old, age) in ages {
            let Some(age) = age else { continue };
            self.prune(old, now.before(age)).await?;
        }
        self.join_activity(joined, now.before(limits::MINUTES_KEPT)).await
    }

    /// Joins the counts of each hour before `before`; those before `joined` are.
    async fn join_activity(&self, joined: &mut Timestamp, before: Timestamp) -> Result<(), StoreError> {
        while let Some((end, has_written)) = self.store.join_activity(*joined, before).await? {
            *joined = end;
            if has_written {
                tokio::time::sleep(limits::PRUNE_REST).await;
            }
            if !self.clock.is_agreed() {
                break;
            }
        }
        Ok(())
    }

    async fn prune(&self, old: OldRows, before: Timestamp) -> Result<(), StoreError> {
        loop {
            let limit = limits::PRUNE_ROWS;
            let pruned = match old {
                OldRows::Events => self.store.prune_events(before, limit).await?,
                OldRows::Attempts => self.store.prune_attempts(before, limit).await?,
                OldRows::Activity => self.store.prune_activity(before, limit).await?,
                OldRows::Brake => self.store.prune_brake(before, limit).await?,
                OldRows::Replaced => self.store.prune_replaced(before, limit).await?,
                OldRows::Findings => self.store.prune_findings(before, limit).await?,
            };
            if pruned < limit || !self.clock.is_agreed() {
                return Ok(());
            }
            tokio::time::sleep(limits::PRUNE_REST).await;
        }
    }
}
