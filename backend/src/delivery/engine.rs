//! The engine: one dispatcher per process and destination, which claims due items and hands them to workers.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::Instant,
};
use tracing::Instrument;

use super::{
    Admission, DeliverySettings, Destination, DestinationFailure, backoff,
    process::Process,
    upkeep::Upkeep,
    worker::{Report, Worker},
};
use crate::{
    clock::{Clock, Timestamp},
    health::Progress,
    limits,
    metrics::Counters,
    model::{Lane, RecordKey, Records},
    random::Random,
    store::{Hold, Pause, Store, StoreError},
    telemetry::trace,
};

/// The interval at which pending items are counted, to see whether the API credits last for them. Shorter than a call.
const WAITING_COUNT_INTERVAL: Duration = Duration::from_millis(100);

/// How many times as long as a count of pending items took the next one waits: counting millions must not keep the
/// database busy.
const WAITING_COUNT_SHARE: u32 = 20;

/// The longest rest after a destination reported too many calls at once.
const THROTTLED_REST: Duration = Duration::from_secs(2);

/// Delivers records to one destination until it is stopped.
pub struct Engine<D> {
    pub(super) store: Store,
    destination: Arc<D>,
    pub(super) settings: DeliverySettings,
    pub(super) clock: Clock,
    pub(super) random: Random,
    /// Notified by the ingest after each commit.
    wake: Arc<Notify>,
    counters: Counters,
    progress: Progress,
}

/// The dispatcher's state between two rounds.
pub(super) struct DispatcherState {
    running: JoinSet<Report>,
    /// No delivery begins before this: the circuit breaker is open.
    held_until: Option<Instant>,
    /// Consecutive deliveries that failed as a whole; above 0, the circuit breaker is open or half-open.
    outages: u32,
    /// Claims so far; every [`FAIR_SHARE`]th serves the least urgent lane first.
    claims: u32,
    /// Pending items, and when they were counted.
    waiting: (u64, Option<Instant>),
    /// What was last stored about credits and slowness.
    saved_credits: Option<SavedCredits>,
    upkeep: Upkeep,
    process: Process,
}

/// What to claim.
pub(super) struct Claim {
    pub(super) lane: Lane,
    pub(super) records: Records,
    /// The hold that one item is to try.
    pub(super) trial: Option<Hold>,
}

/// What operators see about a destination's credits.
#[derive(Clone, PartialEq, Eq)]
struct SavedCredits {
    credits: Option<i64>,
    slow: Option<(String, Option<Timestamp>)>,
}

/// One claim in this many goes to the least urgent lane with items, so that no lane starves.
const FAIR_SHARE: u32 = 8;

/// The result of a dispatcher's round.
enum Round {
    /// Something was started: run the next round at once.
    Busy,
    /// Nothing to do until something happens, or at the latest after this time.
    Idle(Duration),
}

impl<D: Destination> Engine<D> {
    /// An engine for a destination that [`Store::add_destination`] knows.
    pub fn new(
        store: Store,
        destination: Arc<D>,
        settings: DeliverySettings,
        clock: Clock,
        random: Random,
        wake: Arc<Notify>,
        counters: Counters,
    ) -> Self {
        counters.metrics.delivery.begin(D::NAME);
        let progress = Progress::default();
        Self { store, destination, settings, clock, random, wake, counters, progress }
    }

    /// Reports its progress to the watchdog.
    #[must_use]
    pub fn watched(self, progress: Progress) -> Self {
        Self { progress, ..self }
    }

    /// Delivers until `stop` becomes true, then finishes the running deliveries.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut state = DispatcherState {
            running: JoinSet::new(),
            held_until: None,
            outages: 0,
            claims: 0,
            waiting: (0, None),
            saved_credits: None,
            upkeep: Upkeep::new(),
            process: Process::new(self.destination.mapping(), &self.random, self.clock.now()),
        };
        while !*stop.borrow() {
            while let Some(ended) = state.running.try_join_next() {
                self.note_end(&mut state, ended.ok()).await;
            }
            let wait = match self.progress.during(self.round(&mut state)).await {
                Ok(Round::Busy) => continue,
                Ok(Round::Idle(_)) if state.upkeep.has_more() => continue,
                Ok(Round::Idle(time)) => time,
                Err(error) => {
                    self.counters.metrics.ingest.database_error("delivery");
                    tracing::error!(%error, destination = D::NAME, "could not read or write sync items");
                    limits::SYNC_ERROR_WAIT
                }
            };
            tokio::select! {
                () = self.wake.notified() => {}
                ended = state.running.join_next(), if !state.running.is_empty() => {
                    self.note_end(&mut state, ended.and_then(Result::ok)).await;
                }
                () = tokio::time::sleep(wait) => {}
                _ = stop.changed() => {}
            }
        }
        while state.running.join_next().await.is_some() {}
        state.process.leave::<D>(&self.store).await;
    }

    async fn round(&self, state: &mut DispatcherState) -> Result<Round, StoreError> {
        let now = self.clock.now();
        state.upkeep.run::<D>(&self.store, self.settings.lease, now).await?;
        if !state.process.may_deliver::<D>(&self.store, now).await? {
            return Ok(Round::Idle(limits::SYNC_POLL));
        }
        // Half-open circuit breaker: after a failure, a single delivery finds out whether the destination works.
        let workers = if state.outages > 0 { 1 } else { self.settings.workers };
        if state.running.len() >= workers {
            return Ok(Round::Idle(limits::SYNC_POLL));
        }
        let summary = self.store.destination(D::NAME).await?;
        let (pause, holds) = summary.map(|summary| (summary.pause, summary.holds)).unwrap_or_default();
        if let Some(pause) = pause {
            return self.check_paused(&pause, now).await;
        }
        let held = state.held_until.map(|until| until.saturating_duration_since(Instant::now()));
        if let Some(held) = held.filter(|held| !held.is_zero()) {
            return Ok(Round::Idle(held));
        }
        if self.begin_trial(state, &holds, now).await? {
            return Ok(Round::Busy);
        }
        self.begin_delivery(state, &holds, now).await
    }

    /// Claims items of the most urgent lane that may go, and starts a worker for them.
    async fn begin_delivery(
        &self,
        state: &mut DispatcherState,
        holds: &[Hold],
        now: Timestamp,
    ) -> Result<Round, StoreError> {
        let mut lanes = self.store.due_lanes(D::NAME, now).await?;
        if (state.claims + 1).is_multiple_of(FAIR_SHARE) {
            lanes.reverse();
        }
        if lanes.is_empty() {
            self.note_credits(state, None).await?;
            return Ok(Round::Idle(limits::SYNC_POLL));
        }
        let mut slow = None;
        for lane in lanes {
            let Some(records) = Hold::allowed(holds, lane.kind()) else { continue };
            let waiting = self.waiting(state).await?;
            match self.destination.admit(lane, waiting, now) {
                Admission::Go => {}
                Admission::Wait { until, reason, done_at } => {
                    tracing::debug!(?lane, until = until.to_rfc3339(), reason, "a lane waits");
                    slow.get_or_insert((reason, done_at));
                    continue;
                }
                Admission::Exhausted { reason, check_at } => {
                    self.pause("credits", reason, Some(check_at)).await?;
                    return Ok(Round::Busy);
                }
            }
            if self.claim(state, Claim { lane, records, trial: None }, now).await? {
                self.note_credits(state, slow).await?;
                return Ok(Round::Busy);
            }
        }
        if slow.is_some() && state.running.is_empty() {
            let destination = Arc::clone(&self.destination);
            state.running.spawn(async move {
                destination.refresh_credits().await;
                Report::default()
            });
        }
        self.note_credits(state, slow).await?;
        Ok(Round::Idle(limits::SYNC_POLL))
    }

    /// Claims items of a lane and starts a worker. False if there was nothing to claim.
    pub(super) async fn claim(
        &self,
        state: &mut DispatcherState,
        claim: Claim,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Claim { lane, records, trial } = claim;
        let limit = if trial.is_some() { 1 } else { limits::DELIVERY_RECORDS };
        let lease = format!("{:016x}", self.random.number());
        let until = now.after(self.settings.lease);
        let items = self.store.claim(D::NAME, (lane, records), limit, &lease, now, until).await?;
        if items.is_empty() {
            return Ok(false);
        }
        state.claims = state.claims.wrapping_add(1);
        state.waiting.0 = state.waiting.0.saturating_sub(items.len() as u64);
        let keys: Vec<RecordKey> = items.iter().map(|item| item.key).collect();
        let span = trace::delivery(&lease, &keys);
        let worker = Worker {
            store: self.store.clone(),
            destination: Arc::clone(&self.destination),
            settings: self.settings.clone(),
            counters: self.counters.clone(),
            clock: self.clock.clone(),
            lease,
            lease_until: until,
            trial,
        };
        state.running.spawn(worker.run(items).instrument(span));
        Ok(true)
    }

    /// The number of pending items in all lanes; counted at intervals, and only if the destination reports credits.
    async fn waiting(&self, state: &mut DispatcherState) -> Result<u64, StoreError> {
        let is_due = state.waiting.1.is_none_or(|due| Instant::now() >= due);
        if is_due && self.destination.credits().is_some() {
            let started = Instant::now();
            let waiting = self.store.waiting(D::NAME).await?;
            let rest = (started.elapsed() * WAITING_COUNT_SHARE).max(WAITING_COUNT_INTERVAL);
            state.waiting = (waiting, Some(Instant::now() + rest));
        }
        Ok(state.waiting.0)
    }

    async fn note_end(&self, state: &mut DispatcherState, report: Option<Report>) {
        // A worker's panic is in the log; its items come back when their lease expires.
        let Some(report) = report else { return };
        state.upkeep.readers_left |= report.readers_left;
        if report.answered && report.failure.is_none() {
            (state.outages, state.held_until) = (0, None);
        }
        if let Some(hold) = &report.trial
            && report.failure.is_none()
            && let Err(error) = self.end_trial(hold, report.answered, report.took).await
        {
            tracing::error!(%error, destination = D::NAME, "could not store that records are delivered again");
        }
        match report.failure {
            None => {}
            Some(DestinationFailure::Hold { kind, records, cause, reason, may_end }) => {
                let since = self.clock.now();
                let check_at = may_end.then(|| since.after(self.settings.check));
                let hold = Hold { kind, records, cause: cause.to_owned(), reason, since, check_at };
                if let Err(error) = self.hold(hold).await {
                    tracing::error!(%error, destination = D::NAME, "could not store that records are held");
                }
            }
            Some(DestinationFailure::Throttled) => {
                state.held_until = Some(Instant::now() + self.random.up_to(THROTTLED_REST));
            }
            Some(DestinationFailure::Outage { records, reason, everything }) => {
                if everything {
                    state.outages = state.outages.saturating_add(1);
                    let wait = backoff::wait(state.outages, limits::LONGEST_OPEN_CIRCUIT, &self.random);
                    state.held_until = Some(Instant::now() + wait);
                }
                tracing::warn!(destination = D::NAME, reason, everything, "the destination does not take deliveries");
                if let Some(kind) = report.kind {
                    self.hold_for_outage(kind, records, reason).await;
                }
            }
            Some(DestinationFailure::Pause { cause, reason, check_at }) => {
                if let Err(error) = self.pause(cause, reason, check_at).await {
                    tracing::error!(%error, destination = D::NAME, "could not store that the destination is paused");
                }
            }
        }
    }

    async fn pause(&self, cause: &str, reason: String, check_at: Option<Timestamp>) -> Result<(), StoreError> {
        let since = self.clock.now();
        let check_at = check_at.unwrap_or_else(|| since.after(self.settings.check));
        let pause = Pause { cause: cause.to_owned(), reason, since, check_at: Some(check_at) };
        if self.store.pause_destination(D::NAME, &pause).await? {
            let (cause, reason) = (pause.cause, pause.reason);
            tracing::error!(destination = D::NAME, cause, reason, "⏸ the delivery is paused; nothing is lost");
        }
        Ok(())
    }

    /// Checks whether a paused destination works again, if that is due.
    async fn check_paused(&self, pause: &Pause, now: Timestamp) -> Result<Round, StoreError> {
        let next = now.after(self.settings.check);
        if !self.store.begin_check(D::NAME, now, next).await? {
            return Ok(Round::Idle(limits::SYNC_POLL));
        }
        match self.destination.check().await {
            None => {
                if self.store.resume_destination(D::NAME, Some(&pause.cause)).await? {
                    tracing::info!(destination = D::NAME, cause = pause.cause, "▶ the delivery resumes");
                }
            }
            Some(DestinationFailure::Pause { cause, reason, check_at }) => {
                self.pause(cause, reason, check_at).await?;
                self.store.set_check(D::NAME, check_at.unwrap_or(next)).await?;
            }
            Some(failure) => tracing::warn!(destination = D::NAME, ?failure, "could not check the destination"),
        }
        Ok(Round::Busy)
    }

    /// Stores what operators should know about the credits, if it has changed.
    async fn note_credits(
        &self,
        state: &mut DispatcherState,
        slow: Option<(String, Option<Timestamp>)>,
    ) -> Result<(), StoreError> {
        let credits = self.destination.credits();
        let noted = SavedCredits { credits: credits.map(|(credits, _)| credits), slow };
        if state.saved_credits.as_ref() == Some(&noted) {
            return Ok(());
        }
        let slow = noted.slow.as_ref().map(|(reason, done_at)| (reason.as_str(), *done_at));
        // No longer reported: there are plenty again.
        if credits.is_none() && state.saved_credits.as_ref().is_some_and(|before| before.credits.is_some()) {
            self.store.forget_credits(D::NAME).await?;
        }
        self.store.save_credits(D::NAME, credits, slow).await?;
        state.saved_credits = Some(noted);
        Ok(())
    }
}
