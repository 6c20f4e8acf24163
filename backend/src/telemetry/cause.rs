//! Which transactions changed the records that are to be delivered, so that the trace of a delivery names them.
//!
//! It is in memory alone: what another process stored, or this one before it was started, is delivered without naming its cause.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
};

use opentelemetry::trace::{SpanContext, TraceContextExt};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::model::RecordKey;

/// Records whose last change is remembered, at most: a backlog need not be explained to the last record.
const RECORDS: usize = 10_000;

/// Links of one delivery, at most. The first ones show what is going on.
const LINKS: usize = 32;

/// One for the process, as its traces are.
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
