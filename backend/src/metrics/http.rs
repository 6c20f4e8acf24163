//! HTTP requests.

use std::{sync::Arc, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

use super::family::{Histograms, Registering, short_times};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: Arc<str>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AnswerLabels {
    method: &'static str,
    route: Arc<str>,
    status: u16,
}

/// Requests and their durations.
#[derive(Debug)]
pub struct Http {
    requests: Family<AnswerLabels, Counter>,
    durations: Histograms<RouteLabels>,
}

impl Http {
    pub(super) fn new(registry: &mut Registering<'_>) -> Self {
        let new = Self { requests: Family::default(), durations: Family::new_with_constructor(short_times) };
        registry.add("http_requests", "Requests answered, by matched route", &new.requests);
        registry.add_seconds(
            "http_request_duration",
            "Time from the request's head to the head of its answer",
            &new.durations,
        );
        new
    }

    /// Counts an answered request. `route` is the pattern, never the requested path.
    pub fn answered(&self, method: &str, route: Arc<str>, status: u16, duration: Duration) {
        let method = known(method);
        self.durations
            .get_or_create(&RouteLabels { method, route: Arc::clone(&route) })
            .observe(duration.as_secs_f64());
        self.requests.get_or_create(&AnswerLabels { method, route, status }).inc();
    }
}

/// Clients may send any word as a method; unknown ones must not create series.
fn known(method: &str) -> &'static str {
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    known.into_iter().find(|known| *known == method).unwrap_or("other")
}
