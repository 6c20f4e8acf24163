//! `GET /metrics`, and the metrics of all HTTP requests.
//!
//! Reading it needs an API token, even from localhost: behind a reverse proxy on the same machine, every request comes
//! from there.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use poem::{Endpoint, IntoResponse, PathPattern, Request, Response, endpoint::make, get, http::header};
use poem_openapi::types::ToJSON;

use super::{
    auth::{check_reader, context},
    matched_pattern,
    problem::{Code, Problem},
};
use crate::metrics::{LocalState, Metrics};

/// The route of a request that matched no route.
const UNMATCHED: &str = "unmatched";

/// The prefix of all routes for events.
const EVENTS: &str = "/api/v1/events/moodle/";

/// The codes with which events may be refused, so that each is present as 0 before it first happens.
const REFUSALS: [Code; 11] = [
    Code::MalformedJson,
    Code::Unauthorized,
    Code::RequestTimeout,
    Code::PayloadTooLarge,
    Code::UnsupportedMediaType,
    Code::ValidationFailed,
    Code::EventNotStorable,
    Code::InternalError,
    Code::QueueFull,
    Code::Draining,
    Code::DatabaseUnavailable,
];

/// The page that Prometheus scrapes.
pub(super) fn page() -> impl Endpoint {
    get(make(|request: Request| async move {
        check_reader(&request).await?;
        let context = context(&request)?;
        let (used, capacity) = context.ingest.room();
        context.metrics.ingest.queue(used, capacity);
        let accepts_events = context.health.failing().is_none();
        let witnessed = LocalState { accepts_events, alerts: context.alerts().only_in_memory() };
        context.metrics.refresh(&context.own_store(), &witnessed, context.clock.now()).await;
        let accepted = request.header(header::ACCEPT).unwrap_or_default();
        let (content_type, text) = if accepted.contains("application/openmetrics-text") {
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", context.metrics.open_metrics())
        } else {
            ("text/plain; version=0.0.4; charset=utf-8", context.metrics.prometheus_text())
        };
        let text = text.map_err(|_| Problem::new(Code::InternalError))?;
        Ok::<_, poem::Error>(Response::builder().content_type(content_type).body(text))
    }))
}

/// Passes the matched route from the inner middleware to the outer.
#[derive(Clone, Default)]
struct MatchedRoute(Arc<OnceLock<Arc<str>>>);

/// Records which route matched. The outer middleware cannot see it on requests that failed.
pub(super) async fn note_route<E: Endpoint>(endpoint: E, request: Request) -> poem::Result<Response> {
    let matched = request.data::<MatchedRoute>().cloned();
    let result = endpoint.call(request).await.map(IntoResponse::into_response);
    let pattern = match &result {
        Ok(response) => response.data::<PathPattern>(),
        Err(error) => error.data::<PathPattern>(),
    };
    if let Some((matched, pattern)) = matched.zip(matched_pattern(pattern)) {
        let _ = matched.0.set(Arc::clone(pattern));
    }
    result
}

/// Registers the codes with which events may be refused.
pub(super) fn prepare(metrics: &Metrics) {
    REFUSALS.into_iter().for_each(|code| metrics.ingest.may_refuse(code_name(code)));
}

/// Counts and times a request, whether or not it succeeds.
pub(super) async fn observe<E: Endpoint>(
    metrics: Metrics,
    endpoint: E,
    mut request: Request,
) -> poem::Result<Response> {
    let (started, method, matched) = (Instant::now(), request.method().clone(), MatchedRoute::default());
    request.set_data(matched.clone());
    let response = endpoint.call(request).await?.into_response();
    let route = matched.0.get().cloned().unwrap_or_else(|| Arc::from(UNMATCHED));
    if let Some(problem) = response.data::<Problem>().filter(|_| route.starts_with(EVENTS)) {
        metrics.ingest.refused(code_name(problem.code));
    }
    metrics.http.answered(method.as_str(), route, response.status().as_u16(), started.elapsed());
    Ok(response)
}

/// A code as written in problem documents.
fn code_name(code: Code) -> String {
    code.to_json().as_ref().and_then(|code| code.as_str()).unwrap_or_default().to_owned()
}
