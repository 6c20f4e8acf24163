//! The spans that go to a collector: what took how long. Those of requests and deliveries are in the log as well; the
//! others are never created without a collector.

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

/// The target of spans that are only for traces.
pub(super) const TARGET: &str = "backend_sync::trace";

/// The target of spans for both the log and traces.
pub(super) const SHARED: &str = "backend_sync::span";

/// The span of a request: part of the sender's trace if it names one (W3C Trace Context).
pub(crate) fn request(id: &str, headers: &HeaderMap) -> Span {
    // At the highest level, so that a request's log lines have its id at every log level.
    let span = error_span!(target: SHARED, "request", request_id = id, otel.kind = "server");
    if headers.contains_key(PARENT) {
        // Fails if nothing is traced.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&HeaderExtractor(headers)));
    }
    span
}

/// Whether the span goes to a collector.
pub(crate) fn is_recorded(span: &Span) -> bool {
    span.context().span().is_recording()
}

/// Records the answer to a request. Names its address by the route's pattern: the actual path may identify a person.
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

/// The span of events waiting for the writer.
pub(crate) fn queue(events: usize) -> Span {
    info_span!(target: TARGET, "queue", events)
}

/// The span of the transaction that stores a request's events, possibly along with others.
pub(crate) fn transaction(request: &Span, events: usize) -> Span {
    info_span!(target: TARGET, parent: request, "transaction", events)
}

/// The span of a delivery: a trace of its own, because it delivers the changes of many requests, and links to them.
pub(crate) fn delivery(id: &str, records: &[RecordKey]) -> Span {
    // At the highest level, as for a request.
    let span = error_span!(target: SHARED, "delivery", delivery = id);
    cause::link(&span, records);
    span
}

/// The span of a call to Zoho's API.
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

/// Records the result of a call.
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
