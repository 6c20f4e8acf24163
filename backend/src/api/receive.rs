//! What both ways of sending events share: storing, rejecting, logging and counting them.

use std::sync::Arc;

use super::{Context, auth::Sender, problem::Problem};
use crate::{
    ingest::{IngestError, Room, Written},
    model::{Event, EventType, FieldError, Outcome},
    store::StoreError,
};

/// The results of the events of one request, in order.
pub(super) type BatchResults = Vec<Result<Written, Arc<StoreError>>>;

/// Hands the events of one request to the writer and waits until they are durable.
pub(super) async fn store(
    context: &Context,
    sender: &Sender,
    room: Room,
    events: Vec<Event>,
) -> Result<BatchResults, Problem> {
    let settled = context.ingest.submit(room, &sender.site, sender.token_id, events).await;
    if matches!(settled, Err(IngestError::Revoked)) {
        context.tokens.forget(sender);
    }
    Ok(settled?)
}

/// Logs an event that never reached the writer: which fields were wrong, and why; never their values.
pub(super) fn log_rejected(sender: &Sender, what: &str, errors: &[FieldError]) {
    let fields: Vec<_> = errors.iter().map(|error| format!("{} {}", error.pointer, error.code.as_str())).collect();
    let (site, fields) = (&sender.site.name, fields.join(", "));
    tracing::warn!(site, outcome = "rejected", fields, "📥 Received {what} event");
}

/// Counts events that never reached the writer. The type is unknown if it could not be read.
pub(super) fn count_rejected(context: &Context, sender: &Sender, event_type: Option<EventType>, count: u64) {
    let outcome = Outcome::Rejected.as_str();
    context.counters().events(context.clock.now(), &sender.site.name, event_type, outcome, count);
}

/// The answer to events that never reach the writer: `problem`, unless the token has been revoked meanwhile.
pub(super) async fn reject(context: &Context, sender: &Sender, problem: Problem) -> Problem {
    context.tokens.check(sender, &context.own_store(), context.clock.now()).await.err().unwrap_or(problem)
}
