use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::Metrics;
use crate::{clock::Timestamp, model::EventType};

/// The names after `# TYPE`, with their types.
fn families(text: &str) -> BTreeSet<(&str, &str)> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect()
}

#[test]
fn all_families_are_exposed_from_the_start() {
    let metrics = Metrics::new(Timestamp(1_500));
    let text = metrics.prometheus_text().unwrap();
    let found = families(&text);
    for expected in [
        ("backend_sync_alerts_firing", "gauge"),
        ("backend_sync_items", "gauge"),
        ("backend_sync_ingest_events_total", "counter"),
        ("backend_sync_zoho_call_duration_seconds", "histogram"),
        ("backend_sync_queue_bytes", "gauge"),
        ("process_cpu_seconds_total", "counter"),
    ] {
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
    assert!(text.contains("\nprocess_start_time_seconds 1.5\n"), "{text}");
    for name in ["process_resident_memory_bytes", "process_open_fds", "process_max_fds"] {
        assert!(text.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}");
    }
    assert_eq!(found.len(), families(&metrics.open_metrics().unwrap()).len(), "the same in both formats");
}

#[test]
fn an_unknown_method_creates_no_series_of_its_own() {
    let metrics = Metrics::new(Timestamp(0));
    for method in ["GET", "BREW", "x\"y"] {
        metrics.http.answered(method, Arc::from("/a/:id"), 200, Duration::ZERO);
    }
    let text = metrics.prometheus_text().unwrap();
    assert!(text.contains("backend_sync_http_requests_total{method=\"GET\",route=\"/a/:id\",status=\"200\"} 1\n"));
    assert!(text.contains("backend_sync_http_requests_total{method=\"other\",route=\"/a/:id\",status=\"200\"} 2\n"));
}

#[test]
fn the_last_event_never_goes_back_and_rejected_events_do_not_count() {
    let metrics = Metrics::new(Timestamp(0));
    metrics.ingest.events(Timestamp(9_999), "a", Some(EventType::UserCreated), "applied", 3);
    metrics.ingest.last_event("a", Timestamp(1_000));
    metrics.ingest.events(Timestamp(20_000), "a", None, "rejected", 1);
    let text = metrics.prometheus_text().unwrap();
    for line in [
        "backend_sync_ingest_last_event_timestamp_seconds{site=\"a\"} 9",
        "backend_sync_ingest_events_total{site=\"a\",type=\"user_created\",outcome=\"applied\"} 3",
        "backend_sync_ingest_events_total{site=\"a\",type=\"unknown\",outcome=\"rejected\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}

#[test]
fn the_queue_counts_waiting_requests() {
    let metrics = Metrics::new(Timestamp(0));
    let jobs = |count: u32| {
        let text = metrics.prometheus_text().unwrap();
        assert!(text.contains(&format!("\nbackend_sync_queue_jobs {count}\n")), "{text}");
    };
    let (first, second) = (metrics.ingest.wait(), metrics.ingest.wait());
    jobs(2);
    drop((first, second));
    jobs(0);
}
