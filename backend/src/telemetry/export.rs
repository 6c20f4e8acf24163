//! Exports traces to a collector: OTLP over HTTP, in batches. If that fails, traces are lost and nothing else.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};
use secrecy::ExposeSecret;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use super::TelemetryError;
use crate::{config::Tracing, http::Http};

/// How long sending one batch may take. The next ones wait; if too many do, they are lost.
const CALL_TIME: Duration = Duration::from_secs(10);

/// The exporter of traces.
pub(super) struct TraceExport(SdkTracerProvider);

impl TraceExport {
    /// Must be called within a runtime.
    pub(super) fn start(settings: &Tracing) -> Result<Self, TelemetryError> {
        let failed = |error: &dyn std::error::Error| TelemetryError::Export(error.to_string());
        let http = Http::with_call_time(CALL_TIME, &settings.authorities).map_err(|error| failed(&error))?;
        let runtime = Handle::try_current().map_err(|error| failed(&error))?;
        let headers = settings.headers.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned()));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector { http, runtime, is_failing: AtomicBool::new(false) })
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(settings.traces_url())
            .with_headers(headers.collect::<HashMap<_, _>>())
            .with_timeout(CALL_TIME)
            .build()
            .map_err(|error| failed(&error))?;
        let resource = Resource::builder()
            .with_service_name(settings.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        // The sampling of a trace that a sender began follows the sender's decision.
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sampling_ratio)));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .with_sampler(sampler)
            .build();
        Ok(Self(provider))
    }

    /// The layer that receives the spans.
    pub(super) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> OpenTelemetryLayer<S, SdkTracer> {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("backend-sync"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
    }

    /// Sends the remaining spans.
    pub(super) async fn end(self, grace: Duration) {
        // This blocks on the batch thread, which needs the runtime to send.
        let _ = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(grace)).await;
    }
}

/// Calls the collector with our own HTTP client. The exporter's thread is outside the runtime, so the calls are spawned
/// on it.
#[derive(Debug)]
struct Collector {
    http: Http,
    runtime: Handle,
    is_failing: AtomicBool,
}

impl HttpClient for Collector {
    // Written as `async_trait` expands the trait's function.
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let result = self.runtime.spawn(send(self.http.clone(), request)).await?;
            self.note(&result);
            result
        })
    }
}

impl Collector {
    /// Logs one line when exporting starts to fail, and one when it works again.
    fn note(&self, result: &Result<Response<Bytes>, HttpError>) {
        let trouble = match result {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("the collector answers {}", response.status())),
            Err(error) => Some(error.to_string()),
        };
        let was_failing = self.is_failing.swap(trouble.is_some(), Ordering::Relaxed);
        match trouble {
            Some(error) if !was_failing => {
                tracing::warn!(error, "exporting traces fails; traces are lost until it works again")
            }
            None if was_failing => tracing::info!("exporting traces works again"),
            _ => {}
        }
    }
}

async fn send(http: Http, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let (parts, body) = request.into_parts();
    let call = http.request(parts.method, &parts.uri.to_string()).headers(parts.headers).body(body);
    let answer = http.send(call).await?;
    let mut response = Response::builder().status(answer.status).body(answer.body)?;
    *response.headers_mut() = answer.headers;
    Ok(response)
}
