//! The queue between requests and writer, bounded by the memory it may hold.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, Span};

use super::{
    Arrival, IngestError, Written,
    room::{Budget, Room},
};
use crate::{
    clock::Clock,
    metrics::{Metrics, Waiting},
    model::{Event, EventType},
    store::{Site, StoreError},
    telemetry::trace,
};

/// The result of one event of a request: stored, or rejected by the database.
pub(super) type EventResult = Result<Written, Arc<StoreError>>;

/// The events of one request, and the channel for the answer.
pub(super) struct Job {
    pub(super) token: i64,
    pub(super) arrivals: Vec<Arrival>,
    pub(super) reply: oneshot::Sender<Result<Vec<EventResult>, IngestError>>,
    /// The request's span, for its trace.
    pub(super) request: Span,
    /// The span of the wait in the queue, which ends when this is dropped.
    pub(super) waiting: Span,
    /// Returns the room to the queue when the job is done.
    _room: Room,
    _waiting: Waiting,
}

/// The entrance to the queue. Cheap to clone.
#[derive(Clone)]
pub struct Ingest {
    jobs: mpsc::UnboundedSender<Job>,
    budget: Arc<Budget>,
    draining: Arc<AtomicBool>,
    metrics: Metrics,
    clock: Clock,
}

impl Ingest {
    /// An entrance whose queue holds bodies of at most `room_kib` KiB, and the receiver for the writer.
    pub(super) fn new(room_kib: u32, metrics: Metrics, clock: Clock) -> (Self, mpsc::UnboundedReceiver<Job>) {
        // Unbounded, because the budget bounds the memory of the jobs.
        let (jobs, receiver) = mpsc::unbounded_channel();
        (Self { jobs, budget: Budget::new(room_kib), draining: Arc::default(), metrics, clock }, receiver)
    }

    /// Room for a body of a site, or of an operator; it grows as the body arrives. Fails at once if there is none.
    pub fn enter(&self, site: Option<i64>) -> Result<Room, IngestError> {
        match self.is_draining() {
            true => Err(IngestError::Draining),
            false => self.budget.enter(site),
        }
    }

    /// Stores the events of one request. Returns once they are durable, with one result per event, in order.
    ///
    /// Dropping the future undoes nothing: the events may still be stored.
    pub async fn submit(
        &self,
        room: Room,
        site: &Arc<Site>,
        token: i64,
        events: Vec<Event>,
    ) -> Result<Vec<EventResult>, IngestError> {
        let (received_at, started) = (self.clock.now(), Instant::now());
        let arrivals: Vec<Arrival> =
            events.into_iter().map(|event| Arrival { site: Arc::clone(site), event, received_at }).collect();
        let event_types: Vec<_> = arrivals.iter().map(|arrival| arrival.event.event_type).collect();
        let (reply, answer) = oneshot::channel();
        let (request, waiting) = (Span::current(), trace::queue(arrivals.len()));
        let counted = self.metrics.ingest.wait();
        let job = Job { token, arrivals, reply, request: request.clone(), waiting, _room: room, _waiting: counted };
        self.jobs.send(job).map_err(|_| IngestError::Draining)?;
        let (site, metrics) = (Arc::clone(site), self.metrics.clone());
        // A separate task, so that the events are logged even if the sender has hung up.
        let answered = async move {
            let settled = answer.await.map_err(|_| IngestError::Draining)??;
            let duration = started.elapsed();
            metrics.ingest.committed(duration);
            let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            for (event_type, settled) in event_types.into_iter().zip(&settled) {
                log(&site, event_type, settled, duration_ms);
            }
            Ok(settled)
        };
        tokio::spawn(answered.instrument(request)).await.map_err(|_| IngestError::Draining)?
    }

    /// The queue's reserved bytes, and its capacity in bytes.
    pub fn room(&self) -> (u64, u64) {
        let (taken, all) = self.budget.state();
        (u64::from(taken) * 1_024, u64::from(all) * 1_024)
    }

    /// Accepts no new events from now on; those in the queue are still stored.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether [`Ingest::drain`] was called, or the writer is gone.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed) || self.jobs.is_closed()
    }
}

fn log(site: &Site, event_type: EventType, settled: &EventResult, duration_ms: u64) {
    let site = &site.name;
    match settled {
        Ok(Written { event_id: id, outcome }) => {
            let outcome = outcome.as_str();
            tracing::info!(site, id, outcome, duration_ms, "📥 Received {event_type} event");
        }
        Err(error) => {
            tracing::error!(site, outcome = "rejected", duration_ms, %error, "📥 Received {event_type} event");
        }
    }
}
