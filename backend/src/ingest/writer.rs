//! The writer: commits whatever is waiting in one transaction, then answers.
//!
//! There is no timer: while one transaction commits, the next batch forms in the queue. So an idle server answers at
//! once, and a busy one shares each fsync among many requests.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Notify, mpsc, watch};
use tracing::Span;

use super::{
    Arrival, Ingest, IngestError, Written,
    parts::part_sizes,
    queue::{EventResult, Job},
    transaction::store_arrivals,
};
use crate::{
    clock::Clock,
    health::Health,
    limits,
    metrics::Counters,
    model::{EventType, Outcome, RecordKey},
    store::{Store, StoreError},
    telemetry::{cause, trace},
};

/// The interval at which a process looks for changed items whose grades another process left untouched.
const ITEM_CHANGES_INTERVAL: Duration = Duration::from_secs(60);

/// The only task of this process that stores events.
pub struct Writer {
    store: Store,
    jobs: mpsc::UnboundedReceiver<Job>,
    transaction_events: usize,
    repeat_ms: i64,
    committed: Arc<Notify>,
    grades_left: Arc<Notify>,
    health: Health,
    counters: Counters,
    clock: Clock,
}

impl Writer {
    /// A writer and the entrance to its queue. A transaction takes requests until it holds `transaction_events`. A
    /// record that was just delivered is delivered again after `repeat` at the earliest. `committed` is notified after
    /// each commit.
    pub fn new(
        store: Store,
        transaction_events: usize,
        queue_kib: u32,
        repeat: Duration,
        committed: Arc<Notify>,
        counters: Counters,
        clock: Clock,
    ) -> (Self, Ingest) {
        let (ingest, jobs) = Ingest::new(queue_kib, counters.metrics.clone(), clock.clone());
        let repeat_ms = i64::try_from(repeat.as_millis()).unwrap_or(i64::MAX);
        let (health, grades_left) = (Health::default(), Arc::default());
        (Self { store, jobs, transaction_events, repeat_ms, committed, grades_left, health, counters, clock }, ingest)
    }

    /// The health that the writer updates.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Touches the grades that the writer leaves when an item changed, and those that another process left: see
    /// [`Store::touch_next_grades`]. Runs until `stop` becomes true.
    pub fn touch_grades(&self, mut stop: watch::Receiver<bool>) -> impl Future<Output = ()> + Send + 'static {
        let (store, repeat_ms, clock) = (self.store.clone(), self.repeat_ms, self.clock.clone());
        let (grades_left, committed) = (Arc::clone(&self.grades_left), Arc::clone(&self.committed));
        async move {
            while !*stop.borrow() {
                let wait = match store.touch_next_grades(clock.now(), repeat_ms).await {
                    Ok(true) => {
                        committed.notify_one();
                        continue;
                    }
                    Ok(false) => ITEM_CHANGES_INTERVAL,
                    Err(error) => {
                        tracing::warn!(%error, "could not touch the grades of a changed item; trying again");
                        limits::SYNC_ERROR_WAIT
                    }
                };
                tokio::select! {
                    () = grades_left.notified() => {}
                    () = tokio::time::sleep(wait) => {}
                    _ = stop.changed() => {}
                }
            }
        }
    }

    /// Runs until all clones of the [`Ingest`] are dropped and the queue is empty.
    pub async fn run(mut self) {
        while let Some(first) = self.jobs.recv().await {
            let jobs = self.take_waiting(first).await;
            self.settle(jobs).await;
        }
    }

    /// Takes what is waiting. Yields once to let in requests that are being read right now: otherwise the first one
    /// after a commit would get a transaction of its own, and all others the next. This costs an idle server nothing.
    async fn take_waiting(&mut self, first: Job) -> Vec<Job> {
        let mut count = first.arrivals.len();
        let mut jobs = vec![first];
        loop {
            while count < self.transaction_events
                && let Ok(job) = self.jobs.try_recv()
            {
                count += job.arrivals.len();
                jobs.push(job);
            }
            tokio::task::yield_now().await;
            if count >= self.transaction_events || self.jobs.is_empty() {
                return jobs;
            }
        }
    }

    async fn settle(&self, mut jobs: Vec<Job>) {
        let transactions: Vec<Span> = jobs.iter_mut().map(begin_transaction).collect();
        let arrivals: Vec<&Arrival> = jobs.iter().flat_map(|job| &job.arrivals).collect();
        let tokens: Vec<i64> = jobs.iter().flat_map(|job| std::iter::repeat_n(job.token, job.arrivals.len())).collect();
        let started = Instant::now();
        let result = self.store_in_parts(&arrivals, &tokens).await;
        self.counters.metrics.ingest.transaction(arrivals.len(), started.elapsed());
        if result.is_ok() {
            for (job, transaction) in jobs.iter().zip(&transactions) {
                cause::remember(transaction, job.arrivals.iter().map(record));
            }
        }
        drop(transactions);
        match result {
            Ok(settled) => {
                self.health.stored(newest(&settled));
                self.committed.notify_one();
                self.count(&arrivals, &settled);
                let mut settled = settled.into_iter();
                for job in jobs {
                    // First take all of the job's own results: collecting into an Option would stop at the first None.
                    let own: Vec<_> = settled.by_ref().take(job.arrivals.len()).collect();
                    let own: Option<Vec<EventResult>> = own.into_iter().collect();
                    // The requester may be gone; its events are stored anyway.
                    let _ = job.reply.send(own.ok_or(IngestError::Revoked));
                }
            }
            Err(error) => {
                self.counters.metrics.ingest.database_error("ingest");
                self.health.batch_failed(&error);
                tracing::error!(%error, events = arrivals.len(), "could not store events; asked their senders to \
                                                                  retry");
                let error = Arc::new(error);
                for job in jobs {
                    let _ = job.reply.send(Err(IngestError::Unavailable(Arc::clone(&error))));
                }
            }
        }
    }

    /// Counts the outcomes, grouped, so that a large transaction costs little more than a small one.
    fn count(&self, arrivals: &[&Arrival], settled: &[Option<EventResult>]) {
        let mut counts: BTreeMap<(&str, EventType, &'static str), u64> = BTreeMap::new();
        for (arrival, settled) in arrivals.iter().zip(settled) {
            // Events of a revoked token were not stored.
            let Some(settled) = settled else { continue };
            let outcome = settled.as_ref().map_or(Outcome::Rejected, |written| written.outcome);
            *counts.entry((&arrival.site.name, arrival.event.event_type, outcome.as_str())).or_default() += 1;
        }
        let now = self.clock.now();
        for ((site, event_type, outcome), count) in counts {
            self.counters.events(now, site, Some(event_type), outcome, count);
        }
    }

    /// Stores all: in one transaction, unless their records do not fit into memory together.
    async fn store_in_parts(
        &self,
        mut arrivals: &[&Arrival],
        mut tokens: &[i64],
    ) -> Result<Vec<Option<EventResult>>, StoreError> {
        let mut settled = Vec::with_capacity(arrivals.len());
        for size in self.health.writer.during(part_sizes(&self.store, arrivals)).await? {
            let ((part, others), (of_part, of_others)) = (arrivals.split_at(size), tokens.split_at(size));
            settled.extend(self.store_or_isolate(part, of_part).await?);
            (arrivals, tokens) = (others, of_others);
        }
        Ok(settled)
    }

    /// Stores these in one transaction. If the database rejects the data, stores each event alone, so that only the bad
    /// one fails.
    async fn store_or_isolate(
        &self,
        arrivals: &[&Arrival],
        tokens: &[i64],
    ) -> Result<Vec<Option<EventResult>>, StoreError> {
        match self.store(arrivals, tokens).await {
            Ok(written) => Ok(written.into_iter().map(|written| written.map(Ok)).collect()),
            Err(StoreError::Refused(_)) => {
                let mut settled = Vec::with_capacity(arrivals.len());
                for (arrival, token) in arrivals.iter().zip(tokens) {
                    settled.push(match self.store(&[arrival], &[*token]).await {
                        Ok(written) => written.first().copied().flatten().map(Ok),
                        Err(error @ StoreError::Refused(_)) => Some(Err(Arc::new(error))),
                        Err(error) => return Err(error),
                    });
                }
                Ok(settled)
            }
            Err(error) => Err(error),
        }
    }

    /// Stores arrivals in one transaction.
    async fn store(&self, arrivals: &[&Arrival], tokens: &[i64]) -> Result<Vec<Option<Written>>, StoreError> {
        let stored = self.health.writer.during(store_arrivals(&self.store, arrivals, tokens, self.repeat_ms));
        let (written, grades_left) = stored.await?;
        if grades_left {
            self.grades_left.notify_one();
        }
        Ok(written)
    }
}

/// The place in the log of the newest event just stored. A duplicate was stored earlier.
fn newest(settled: &[Option<EventResult>]) -> Option<i64> {
    let stored = settled.iter().flatten().flatten().filter(|written| written.outcome != Outcome::Duplicate);
    stored.map(|written| written.event_id).max()
}

/// Ends the wait of a request's events.
fn begin_transaction(job: &mut Job) -> Span {
    job.waiting = Span::none();
    trace::transaction(&job.request, job.arrivals.len())
}

/// The record that an event is about.
fn record(arrival: &Arrival) -> RecordKey {
    let Arrival { site, event, .. } = arrival;
    RecordKey { kind: event.event_type.kind(), site_id: site.id, moodle_id: event.change.subject().0 }
}
