//! Traces reach a collector, or are lost without harm.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value},
    trace::v1::Span,
};
use poem::{
    EndpointExt, Request, Route, Server as HttpServer, handler,
    listener::{Acceptor, Listener, TcpListener},
    post,
    web::Data,
};
use prost::Message;
use reqwest::Method;
use serde_json::json;

use crate::{
    delivery::rest,
    support::{Database, Server, ZohoSimulator, api::BATCH, events::user_event, wait::SOON},
};

on_both_databases!(a_trace_goes_from_moodle_to_zoho, an_unavailable_collector_does_no_harm);

/// The batches a collector received: the credential and the body of each.
pub(crate) type Batches = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

#[handler]
async fn take(request: &Request, body: Vec<u8>, batches: Data<&Batches>) {
    let credential = request.header("x-key").unwrap_or_default().to_owned();
    batches.lock().unwrap().push((credential, body));
}

/// A collector of OTLP over HTTP.
pub(crate) async fn collector() -> (SocketAddr, Batches) {
    let batches = Batches::default();
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
    let address = *acceptor.local_addr()[0].as_socket_addr().unwrap();
    let endpoint = Route::new().at("/v1/traces", post(take)).data(Arc::clone(&batches));
    tokio::spawn(HttpServer::new_with_acceptor(acceptor).run(endpoint));
    (address, batches)
}

/// How many batches it received.
pub(crate) fn received(batches: &Batches) -> usize {
    batches.lock().unwrap().len()
}

/// The spans, and their common service name.
fn spans(batches: &Batches, service: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    for (credential, body) in batches.lock().unwrap().iter() {
        assert_eq!(credential, "pa55");
        for resource in ExportTraceServiceRequest::decode(body.as_slice()).unwrap().resource_spans {
            assert_eq!(attribute(&resource.resource.unwrap().attributes, "service.name"), service);
            spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    spans
}

fn attribute(attributes: &[KeyValue], name: &str) -> String {
    let value = attributes.iter().find(|attribute| attribute.key == name).and_then(|found| found.value.clone());
    match value.and_then(|value| value.value) {
        Some(any_value::Value::StringValue(text)) => text,
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        other => panic!("{name}: {other:?}"),
    }
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

async fn a_trace_goes_from_moodle_to_zoho(database: Database) {
    let (address, batches) = collector().await;
    let zoho = ZohoSimulator::start_set_up().await;
    let mut settings = zoho.settings();
    settings.push(("BACKEND_SYNC_TRACING__OTLP_ENDPOINT", format!("http://{address}")));
    settings.push(("BACKEND_SYNC_TRACING__SERVICE_NAME", "college".to_owned()));
    settings.push(("BACKEND_SYNC_TRACING__HEADERS__X-KEY", "pa55".to_owned()));
    let mut server = Server::start_with(&database, &settings).await;

    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let site = server.site();
    let body = json!({"events": [user_event(1, "ann.oneil"), user_event(2, "bob")]}).to_string();
    let request = site.request(Method::POST, BATCH).header("content-type", "application/json").body(body);
    let request = request.header("traceparent", format!("00-{trace}-{parent}-01")).header("x-request-id", "moodle-1");
    assert_eq!(site.send(request).await.outcomes(), ["applied", "applied"]);
    rest(&database).await;
    server.reader().read("/api/v1/users/moodle:1?limit=1").await;
    let token = server.tokens().site.clone();
    server.end().await;
    let level = server.log_messages();

    let spans = spans(&batches, "college");
    let (trace, parent) = (hex::decode(trace).unwrap(), hex::decode(parent).unwrap());
    let [request] = named(&spans, &format!("POST {BATCH}"))[..] else { panic!("{spans:?}") };
    assert_eq!((&request.trace_id, &request.parent_span_id), (&trace, &parent));
    assert_eq!(attribute(&request.attributes, "request_id"), "moodle-1");
    assert_eq!(attribute(&request.attributes, "http.response.status_code"), "200");
    let [queue] = named(&spans, "queue")[..] else { panic!("{spans:?}") };
    let [transaction] = named(&spans, "transaction")[..] else { panic!("{spans:?}") };
    for span in [queue, transaction] {
        assert_eq!((&span.trace_id, &span.parent_span_id), (&trace, &request.span_id));
        assert_eq!(attribute(&span.attributes, "events"), "2");
    }
    // However many batches the delivery took: it refers to this transaction, and each call to Zoho belongs to a
    // delivery.
    let deliveries = named(&spans, "delivery");
    let linked =
        |span: &&&Span| span.links.iter().any(|link| link.span_id == transaction.span_id && link.trace_id == trace);
    assert!(deliveries.iter().any(|span| linked(&span)), "{deliveries:?}");
    assert!(deliveries.iter().all(|span| span.trace_id != trace && span.parent_span_id.is_empty()));
    let calls = named(&spans, "Zoho POST");
    assert!(calls.iter().any(|call| deliveries.iter().any(|span| span.span_id == call.parent_span_id)), "{spans:?}");
    // The log identifies the delivery by the same id.
    let id = attribute(&deliveries[0].attributes, "delivery");
    assert!(level.iter().any(|line| line["message"] == "📤 Delivered" && line["delivery"] == id.as_str()), "{level:?}");
    assert_eq!(named(&spans, "GET /api/v1/users/*").len(), 1);

    for (_, body) in batches.lock().unwrap().iter() {
        let text = String::from_utf8_lossy(body).to_lowercase();
        for personal in ["ann.oneil", "o'neil", "example.com", "limit=1", "moodle:1", &token] {
            assert!(!text.contains(personal), "{personal}: {text}");
        }
    }
}

async fn an_unavailable_collector_does_no_harm(database: Database) {
    let settings = [
        // A port where nothing listens, and that the system never assigns.
        ("BACKEND_SYNC_TRACING__OTLP_ENDPOINT", "http://127.0.0.1:1"),
        // Each batch is sent as soon as there is something, so that there are many.
        ("OTEL_BSP_SCHEDULE_DELAY", "10"),
    ];
    let mut server = Server::start_with(&database, &settings).await;
    for userid in 1..10 {
        server.site().apply(&[user_event(userid, "ann")]).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.terminate();
    let status = server.wait(SOON).await.expect("it ends within the grace time");
    assert_eq!(status.code(), Some(0), "{}", server.log());
    let messages = server.log_messages();
    let warnings: Vec<_> = messages.iter().filter(|line| line["level"] == "WARN" || line["level"] == "ERROR").collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0]["message"].as_str().unwrap().contains("exporting traces fails"), "{warnings:?}");
}
