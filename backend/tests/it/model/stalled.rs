//! A process that stands still while it delivers, and whose call reaches Zoho after another process has delivered something newer.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::SETTINGS;
use crate::support::{
    Database, Server, ZohoSimulator,
    events::{at, user},
};

/// How long each step may take, on a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longer than the lease and what taking over takes.
const CALL_MS: u64 = 6_000;

async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !look().await {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn person(city: &str) -> Value {
    let mut person = user(3, "ann");
    person["city"] = json!(city);
    person
}

#[tokio::test]
async fn what_a_stalled_process_wrote_late_is_written_over() {
    let Some(database) = Database::postgres().await else {
        return eprintln!("skipped: set TEST_POSTGRES_URL (scripts/test does)");
    };
    let zoho = ZohoSimulator::start_set_up().await;
    let mut settings = zoho.settings();
    settings.push(("BACKEND_SYNC_SYNC__REPEAT_SECONDS", "0".to_owned()));
    settings.extend(SETTINGS.map(|(name, value)| (name, value.to_owned())));
    let (slow, other) =
        (Server::start_with(&database, &settings).await, Server::start_with(&database, &settings).await);
    let city = async || zoho.records("Contacts").await.first().map(|contact| contact["Mailing_City"].clone());

    slow.site().apply(&[at(1, "user_created", person("first"))]).await;
    until("the contact", async || city().await == Some(json!("first"))).await;
    other.signal(Signal::STOP);
    zoho.add_faults(json!([{"match": {"operation": "update", "nth": 1}, "fault": "slow", "delay_ms": CALL_MS}])).await;
    slow.site().apply(&[at(2, "user_updated", person("second"))]).await;
    let struck = async || zoho.faults().await["faults"][0]["struck"] == 1;
    until("the slow call", struck).await;
    slow.signal(Signal::STOP);
    other.signal(Signal::CONT);
    other.site().apply(&[at(3, "user_updated", person("third"))]).await;
    until("the other takes over", async || city().await == Some(json!("third"))).await;
    until("the late call comes through", async || city().await == Some(json!("second"))).await;
    slow.signal(Signal::CONT);
    until("it is written over", async || city().await == Some(json!("third"))).await;
    slow.stop().await;
    other.stop().await;
}
