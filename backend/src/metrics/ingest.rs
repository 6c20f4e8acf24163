//! Receiving and storing events.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};

use super::family::{Histograms, Registering, short_times};
use crate::{clock::Timestamp, model::EventType};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EventLabels {
    site: String,
    r#type: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SiteLabels {
    site: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CodeLabels {
    code: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

/// The label of an event whose type could not be read.
const UNKNOWN: &str = "unknown";

/// Outcomes that alerting rules use: exposed as 0 before they happen.
const WATCHED: [&str; 2] = ["applied", "rejected"];

/// Events, the queue, and the transactions that store them.
#[derive(Debug)]
pub struct IngestMetrics {
    events: Family<EventLabels, Counter>,
    last_event: Family<SiteLabels, Gauge>,
    refused: Family<CodeLabels, Counter>,
    duration: Histogram,
    transaction_events: Histogram,
    queue_jobs: Gauge,
    queue_bytes: Gauge,
    queue_capacity: Gauge,
    writes: Histograms<OperationLabels>,
    errors: Family<OperationLabels, Counter>,
}

/// The operations of writing transactions: storing events, and settling deliveries.
const WRITES: [&str; 2] = ["ingest", "delivery"];

impl IngestMetrics {
    pub(super) fn new(registry: &mut Registering<'_>) -> Self {
        let new = Self {
            events: Family::default(),
            last_event: Family::default(),
            refused: Family::default(),
            duration: short_times(),
            transaction_events: Histogram::new([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024].map(f64::from)),
            queue_jobs: Gauge::default(),
            queue_bytes: Gauge::default(),
            queue_capacity: Gauge::default(),
            writes: Family::new_with_constructor(short_times),
            errors: Family::default(),
        };
        for operation in WRITES {
            let _ = new.writes.get_or_create(&OperationLabels { operation });
            let _ = new.errors.get_or_create(&OperationLabels { operation });
        }
        let _ = new.errors.get_or_create(&OperationLabels { operation: "metrics" });
        registry.add("ingest_events", "Events received, by outcome", &new.events);
        registry.add_seconds(
            "ingest_last_event_timestamp",
            "Unix time at which a site's latest event was stored, as far as this process knows",
            &new.last_event,
        );
        registry.add(
            "ingest_refused_requests",
            "Requests with events that were answered with a problem document, by code",
            &new.refused,
        );
        registry.add_seconds(
            "ingest_duration",
            "Time from the arrival of a request's events to their commit",
            &new.duration,
        );
        registry.add("ingest_transaction_events", "Events in one transaction", &new.transaction_events);
        registry.add("queue_jobs", "Requests whose events are waiting or being stored", &new.queue_jobs);
        registry.add_bytes("queue", "Bytes of requests reserved in the queue", &new.queue_bytes);
        registry.add_bytes("queue_capacity", "Bytes of requests that the queue can hold", &new.queue_capacity);
        registry.add_seconds(
            "database_write_duration",
            "Duration of writing transactions, committed or not",
            &new.writes,
        );
        registry.add(
            "database_errors",
            "Operations that failed because the database was unavailable or refused the data",
            &new.errors,
        );
        new
    }

    pub(super) fn events(
        &self,
        now: Timestamp,
        site: &str,
        event_type: Option<EventType>,
        outcome: &'static str,
        count: u64,
    ) {
        let r#type = event_type.map_or(UNKNOWN, EventType::as_str);
        self.events.get_or_create(&EventLabels { site: site.to_owned(), r#type, outcome }).inc_by(count);
        if outcome != "rejected" {
            self.last_event(site, now);
        }
    }

    /// Exposes the series of a site from the start.
    pub(super) fn site(&self, site: &str) {
        for r#type in EventType::ALL.iter().map(|event_type| event_type.as_str()).chain([UNKNOWN]) {
            for outcome in WATCHED {
                let _ = self.events.get_or_create(&EventLabels { site: site.to_owned(), r#type, outcome });
            }
        }
    }

    pub(super) fn last_event(&self, site: &str, at: Timestamp) {
        let last = self.last_event.get_or_create_owned(&SiteLabels { site: site.to_owned() });
        last.set(last.get().max(at.0.div_euclid(1_000)));
    }

    /// Counts a request with events that was refused as a whole.
    pub fn refused(&self, code: String) {
        self.refused.get_or_create(&CodeLabels { code }).inc();
    }

    /// Exposes the series of a code from the start.
    pub fn may_refuse(&self, code: String) {
        let _ = self.refused.get_or_create(&CodeLabels { code });
    }

    /// Observes the time from a request's arrival to the commit of its events.
    pub fn committed(&self, after: Duration) {
        self.duration.observe(after.as_secs_f64());
    }

    /// Observes a transaction that stored events.
    pub fn transaction(&self, events: usize, duration: Duration) {
        self.transaction_events.observe(events as f64);
        self.write("ingest", duration);
    }

    /// Counts a request as waiting until the returned guard is dropped.
    pub fn wait(&self) -> Waiting {
        self.queue_jobs.inc();
        Waiting(self.queue_jobs.clone())
    }

    /// Sets the queue's used and total bytes.
    pub fn queue(&self, used: u64, capacity: u64) {
        self.queue_bytes.set(i64::try_from(used).unwrap_or(i64::MAX));
        self.queue_capacity.set(i64::try_from(capacity).unwrap_or(i64::MAX));
    }

    /// Observes a transaction of `operation`: `ingest` or `delivery`.
    pub fn write(&self, operation: &'static str, duration: Duration) {
        self.writes.get_or_create(&OperationLabels { operation }).observe(duration.as_secs_f64());
    }

    /// Counts a failed database operation of `operation`: `ingest`, `delivery` or `metrics`.
    pub fn database_error(&self, operation: &'static str) {
        self.errors.get_or_create(&OperationLabels { operation }).inc();
    }
}

/// Counts a request as waiting in the queue until it is dropped.
#[derive(Debug)]
pub struct Waiting(Gauge);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dec();
    }
}
