//! What took how long: the spans that go to a collector. Those of requests and deliveries are in the log as well; without a collector, the
//! others are never made.

use opentelemetry::{
    KeyValue,
    propagation::TextMapPropagator,
    trace::{Status, TraceContextExt},
};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use poem::http::HeaderMap;
use tracing::{Span, error_span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::cause;
use crate::model::RecordKey;

/// The header in which a sender names its trace.
const PARENT: &str = "traceparent";

/// What tells the spans of traces alone.
pub(super) const TARGET: &str = "backend_sync::trace";

/// What tells the spans of both, the log and traces.
pub(super) const SHARED: &str = "backend_sync::span";

/// A request that is answered: a part of the sender's trace if it names one (W3C Trace Context).
pub(crate) fn request(id: &str, headers: &HeaderMap) -> Span {
    // Of the highest level, so that the lines of a request have its id whatever the level of the log is.
    let span = error_span!(target: SHARED, "request", request_id = id, otel.kind = "server");
    if headers.contains_key(PARENT) {
        // Fails when nothing is traced.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&HeaderExtractor(headers)));
    }
    span
}

/// Whether the span goes to a collector.
pub(crate) fn is_recorded(span: &Span) -> bool {
    span.context().span().is_recording()
}

/// What became of the request. Its address is named by its pattern: what was really asked for may be about a person.
pub(crate) fn answered(request: &Span, method: &'static str, route: Option<&str>, status: u16) {
    let context = request.context();
    let span = context.span();
    span.update_name(route.map_or(method.into(), |route| format!("{method} {route}")));
    span.set_attribute(KeyValue::new("http.request.method", method));
    span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
    if let Some(route) = route {
        span.set_attribute(KeyValue::new("http.route", route.to_owned()));
    }
    if status >= 500 {
        span.set_status(Status::error(""));
    }
}

/// Events that wait for the writer.
pub(crate) fn queue(events: usize) -> Span {
    info_span!(target: TARGET, "queue", events)
}

/// The transaction that stores the events of a request, maybe together with those of others.
pub(crate) fn transaction(request: &Span, events: usize) -> Span {
    info_span!(target: TARGET, parent: request, "transaction", events)
}

/// A delivery: a trace of its own, because it delivers what many requests have changed. It is linked with those.
pub(crate) fn delivery(id: &str, records: &[RecordKey]) -> Span {
    // Of the highest level, as that of a request.
    let span = error_span!(target: SHARED, "delivery", delivery = id);
    cause::link(&span, records);
    span
}

/// A call of Zoho's API.
pub(crate) fn zoho_call(method: &str, path: &str, records: usize) -> Span {
    info_span!(
        target: TARGET,
        "zoho",
        otel.name = format_args!("Zoho {method}"),
        otel.kind = "client",
        http.request.method = method,
        url.path = path,
        records
    )
}

/// What became of the call.
pub(crate) fn called(call: &Span, status: Option<u16>, error: Option<&'static str>) {
    if call.is_disabled() {
        return;
    }
    let context = call.context();
    let span = context.span();
    if let Some(status) = status {
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
    }
    if let Some(error) = error {
        span.set_attribute(KeyValue::new("error.type", error));
        span.set_status(Status::error(""));
    }
}
