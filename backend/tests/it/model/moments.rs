//! Moments that random tests seldom hit, one by one: a record changes, or a process dies or stalls, during a call.

use rustix::process::Signal;
use serde_json::json;

use super::SETTINGS;
use crate::support::{
    Database, Server, ZohoSimulator,
    events::{at, user},
    wait,
};

on_both_databases!(what_changes_during_its_delivery_is_delivered_again, what_a_dead_process_delivered_is_not_trusted);
on_postgres!(a_late_write_of_a_stalled_process_is_overwritten);

/// Longer than the lease and the takeover.
const CALL_MS: u64 = 6_000;

async fn until(what: &str, mut check: impl AsyncFnMut() -> bool) {
    wait::until(what, async || check().await.then_some(())).await;
}

async fn start(database: &Database, zoho: &ZohoSimulator) -> Server {
    let mut settings = zoho.settings();
    settings.push(("BACKEND_SYNC_SYNC__REPEAT_SECONDS", "0".to_owned()));
    settings.extend(SETTINGS.map(|(name, value)| (name, value.to_owned())));
    Server::start_with(database, &settings).await
}

/// The only user's state number `version`.
async fn tell(server: &Server, version: i64, city: &str) {
    let mut person = user(3, "ann");
    person["city"] = json!(city);
    server.site().apply(&[at(version, "user_updated", person)]).await;
}

async fn until_zoho_has(zoho: &ZohoSimulator, city: &str) {
    let city = json!(city);
    until(&format!("{city} in Zoho"), async || {
        zoho.records("Contacts").await.first().is_some_and(|contact| contact["Mailing_City"] == city)
    })
    .await;
}

async fn until_synced(database: &Database) {
    let synced = "SELECT count(*) FROM sync_items WHERE state = 'synced'";
    until("the item is synced", async || database.count(synced).await == 1).await;
}

/// Makes the next update fail, and sends a state that triggers it.
async fn meet(zoho: &ZohoSimulator, fault: &str, delay_ms: u64, server: &Server, city: &str) {
    let rule = json!({"match": {"operation": "update", "nth": 1}, "fault": fault, "delay_ms": delay_ms});
    zoho.add_faults(json!([rule])).await;
    tell(server, 2, city).await;
    until("the call", async || zoho.faults().await["faults"][0]["struck"] == 1).await;
}

async fn what_changes_during_its_delivery_is_delivered_again(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    tell(&server, 1, "first").await;
    until_zoho_has(&zoho, "first").await;
    meet(&zoho, "slow", 1_000, &server, "second").await;
    tell(&server, 3, "third").await;
    until_synced(&database).await;
    until_zoho_has(&zoho, "third").await;
    server.stop().await;
}

async fn what_a_dead_process_delivered_is_not_trusted(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    tell(&server, 1, "first").await;
    until_zoho_has(&zoho, "first").await;
    until_synced(&database).await;
    meet(&zoho, "timeout_after_commit", CALL_MS, &server, "second").await;
    until_zoho_has(&zoho, "second").await;
    server.kill();
    let server = start(&database, &zoho).await;
    // Back to the state that was last delivered as far as any process knows.
    tell(&server, 3, "first").await;
    until_zoho_has(&zoho, "first").await;
    until_synced(&database).await;
    server.stop().await;
}

async fn a_late_write_of_a_stalled_process_is_overwritten(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let (slow, other) = (start(&database, &zoho).await, start(&database, &zoho).await);
    tell(&slow, 1, "first").await;
    until_zoho_has(&zoho, "first").await;
    other.signal(Signal::STOP);
    meet(&zoho, "slow", CALL_MS, &slow, "second").await;
    slow.signal(Signal::STOP);
    other.signal(Signal::CONT);
    tell(&other, 3, "third").await;
    until_zoho_has(&zoho, "third").await;
    // The late call arrives.
    until_zoho_has(&zoho, "second").await;
    slow.signal(Signal::CONT);
    until_zoho_has(&zoho, "third").await;
    until_synced(&database).await;
    slow.stop().await;
    other.stop().await;
}
