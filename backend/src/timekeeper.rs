//! Keeps the time: compares the clocks regularly, corrects ours as [`judge`](crate::clock::judge) decides, saves the
//! last agreed time, and ends waits that lie too far ahead.

use std::time::Duration;

use tokio::sync::watch;

use crate::{
    clock::{
        Clock, ClockSource, ClockStatus, Timestamp,
        judge::{ClockReadings, ClockStart, ClockVerdict, Disagreement, Judge, duration_in_words, offset_in_words},
        ms,
        steady::Steady,
    },
    config::Config,
    limits,
    store::{Extent, Longest, Store, StoreError, StoredTime},
};

/// Keeps the time of this process.
pub struct Timekeeper {
    store: Store,
    clock: Clock,
    machine: Clock,
    longest: Longest,
    judge: Judge,
    /// When the clock was last accepted, as far as this process knows.
    accepted: Option<Timestamp>,
    /// When, by the monotonic clock, the last agreed time was saved and waits were checked.
    written_at: Option<Duration>,
    /// Other processes still have to be told that our time went back.
    went_back: bool,
}

impl From<&Config> for Longest {
    fn from(config: &Config) -> Self {
        let (sync, alerts) = (&config.sync, &config.alerts);
        Self { lease: sync.lease(), repeat: sync.repeat(), evaluation: alerts.interval(), remind: alerts.remind() }
    }
}

/// Reads the clocks of machine and database, and what is stored about the time.
pub async fn read_clocks(store: &Store) -> Result<(StoredTime, ClockStart), StoreError> {
    let mut stored = store.time().await?;
    if stored.last_seen.is_none()
        && let Some(newest) = store.newest_event_at().await?
    {
        // A version that did not save the time ran here before.
        let now = stored.database.unwrap_or_else(|| Clock::system().now());
        stored.last_seen = Some(newest).filter(|newest| *newest <= now.after(limits::CLOCK_SLACK));
    }
    let (database, last_seen) = (stored.database, stored.last_seen);
    Ok((stored, ClockStart { machine: Clock::system().now(), database, last_seen }))
}

/// Sets a clock by those of machine and database, and by the last agreed time. Returns what it was set by.
pub async fn set_clock(store: &Store, clock: &Clock) -> Result<(StoredTime, ClockStart), StoreError> {
    let (stored, start) = read_clocks(store).await?;
    if let Some(steady) = clock.as_steady() {
        let offset = start.time().0 - ms(steady.monotonic());
        steady.set(
            offset,
            ClockStatus { disagreement: start.disagreement(), machine_ahead_ms: start.machine.0 - start.time().0 },
        );
    }
    Ok((stored, start))
}

impl Timekeeper {
    /// Sets the clock and returns its keeper; none if the clock is not steady.
    pub async fn begin(store: Store, clock: Clock, longest: Longest) -> Result<Option<Self>, StoreError> {
        if clock.as_steady().is_none() {
            return Ok(None);
        }
        let (stored, start) = set_clock(&store, &clock).await?;
        if let Some(seen) = stored.last_seen {
            // Save it now: soon the newest event will no longer tell when the time was agreed.
            store.save_last_seen(seen).await?;
        }
        if let Some(disagreement) = start.disagreement() {
            log_disagreement(disagreement, start.time());
        }
        let monotonic = clock.as_steady().map(Steady::monotonic).unwrap_or_default();
        let judge = Judge::begin(monotonic, start.time(), stored.last_seen);
        let machine = Clock::system();
        let accepted = stored.accepted;
        Ok(Some(Self { store, clock, machine, longest, judge, accepted, written_at: None, went_back: false }))
    }

    /// Keeps the time until `stop` becomes true.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let work = async {
            loop {
                if let Err(error) = self.check().await {
                    tracing::warn!(%error, "could not compare the time with the database");
                }
                tokio::time::sleep(limits::CLOCK_INTERVAL).await;
            }
        };
        tokio::select! {
            () = work => {}
            _ = stop.changed() => {}
        }
    }

    async fn check(&mut self) -> Result<(), StoreError> {
        let clock = self.clock.clone();
        let Some(steady) = clock.as_steady() else { return Ok(()) };
        let asked_at = steady.monotonic();
        // Check the machine's clock even if the database fails.
        let result = self.store.time().await;
        let at = steady.monotonic();
        let quick = at.saturating_sub(asked_at) <= limits::CLOCK_DRIFT;
        let stored = result.as_ref().copied().unwrap_or_default();
        let readings = self.readings(steady, at, &stored, quick && result.is_ok());
        if result.is_ok() && stored.accepted != self.accepted {
            self.accepted = stored.accepted;
            tracing::warn!("⏱ the clock was accepted; our time follows it");
            self.judge.accept(at, &readings);
        }
        let verdict = self.judge.assess(at, &readings, stored.last_seen);
        self.apply(steady, &verdict, &readings);
        result?;
        self.write(at, verdict.disagreement.is_none()).await
    }

    /// The clocks' readings. A slow answer from the database says nothing about the time.
    fn readings(&self, steady: &Steady, at: Duration, stored: &StoredTime, in_time: bool) -> ClockReadings {
        let offset = |time: Timestamp| time.0.saturating_sub(ms(at));
        let machine = offset(self.machine.now());
        let mut others = steady.recent_readings();
        if stored.is_remote {
            others.push((ClockSource::Machine, machine));
        }
        let followed = match self.store.has_own_clock() {
            true => stored.database.filter(|_| in_time).map(offset),
            false => Some(machine),
        };
        ClockReadings { followed, machine, others }
    }

    fn apply(&mut self, steady: &Steady, verdict: &ClockVerdict, readings: &ClockReadings) {
        let before = self.clock.status().disagreement;
        if let Some(step) = verdict.step_ms {
            let (by, _) = offset_in_words(step);
            self.went_back |= step < 0;
            tracing::warn!(by, back = step < 0, "⏱ our time was corrected");
        }
        if verdict.step_ms.is_some() || before.is_some() != verdict.disagreement.is_some() {
            // Tell the other processes, and check waits that may now lie too far ahead.
            self.written_at = None;
        }
        steady.adjust(
            verdict.offset,
            ClockStatus { disagreement: verdict.disagreement, machine_ahead_ms: readings.machine - verdict.offset },
        );
        match (before, verdict.disagreement) {
            (None, Some(disagreement)) => log_disagreement(disagreement, self.clock.now()),
            (Some(_), None) => tracing::info!("⏱ the time is agreed"),
            _ => {}
        }
    }

    /// Regularly saves what other processes need to know about the time, and ends waits that lie too far ahead.
    async fn write(&mut self, at: Duration, agreed: bool) -> Result<(), StoreError> {
        let now = self.clock.now();
        if self.went_back {
            self.store.accept_time(now).await?;
            (self.accepted, self.went_back) = (Some(now), false);
        }
        if self.written_at.is_some_and(|written| at.saturating_sub(written) < limits::LAST_SEEN_INTERVAL) {
            return Ok(());
        }
        if agreed {
            self.store.save_last_seen(now).await?;
        }
        for found in self.store.repair_future_times(now, &self.longest, Extent::Waits).await? {
            let (place, count, ahead) = (found.place, found.count, duration_in_words(found.furthest.since(now)));
            tracing::warn!(
                place,
                count,
                ahead,
                "⏱ ended waits that were too long: the clock was wrong when they were written"
            );
        }
        self.written_at = Some(at);
        Ok(())
    }
}

fn log_disagreement(disagreement: Disagreement, now: Timestamp) {
    let (reason, time) = (disagreement.to_string(), now.to_rfc3339());
    tracing::warn!(
        reason,
        time,
        "⏱ the time is not agreed: nothing is deleted or erased because of its age; see backend-sync clock"
    );
}
