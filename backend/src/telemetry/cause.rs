//! Remembers which transactions changed the records to be delivered, so that a delivery's trace links to them.
//!
//! This is kept in memory only: a delivery does not link to what another process stored, or this one before a restart.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
};

use opentelemetry::trace::{SpanContext, TraceContextExt};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::model::RecordKey;

/// The most records to remember: a backlog need not be traceable to its last record.
const RECORDS: usize = 10_000;

/// The most links of one delivery: the first ones show what is going on.
const LINKS: usize = 32;

/// One per process, like its traces.
static CAUSES: Mutex<BTreeMap<RecordKey, SpanContext>> = Mutex::new(BTreeMap::new());

/// Remembers which transaction changed records, if it is traced.
pub(crate) fn remember(transaction: &Span, records: impl Iterator<Item = RecordKey>) {
    if transaction.is_disabled() {
        return;
    }
    let cause = transaction.context().span().span_context().clone();
    if !cause.is_sampled() {
        return;
    }
    let mut causes = CAUSES.lock().unwrap_or_else(PoisonError::into_inner);
    if causes.len() >= RECORDS {
        causes.clear();
    }
    causes.extend(records.map(|record| (record, cause.clone())));
}

/// Links a delivery with the transactions that changed its records.
pub(super) fn link(delivery: &Span, records: &[RecordKey]) {
    if !delivery.context().span().is_recording() {
        return;
    }
    let mut causes = CAUSES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut linked = HashSet::new();
    for cause in records.iter().filter_map(|record| causes.remove(record)) {
        if linked.len() < LINKS && linked.insert(cause.span_id()) {
            delivery.add_link(cause);
        }
    }
}
