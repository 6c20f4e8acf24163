//! Delivery of records to a simulated Zoho, by a real server process.

mod adoption;
mod again;
mod brake;
mod contention;
mod custom;
mod derived;
mod failures;
mod former;
mod holds;
mod inbox;
mod locks;
mod mapped;
mod mappings;
mod order;
mod organisations;
mod others;
mod outages;
mod parts;
mod people;
mod planned;
mod recorded;
mod remarks;
mod reservations;
mod stale;
mod storms;
mod take_over;
mod unknown;

use serde_json::{Map, Value, json};

pub(super) use crate::support::wait::until;
use crate::support::{Database, Server, ZohoSimulator, server::run_json};

/// A server that delivers to the simulator, without waiting times that would slow a test.
pub(super) async fn start(database: &Database, zoho: &ZohoSimulator) -> Server {
    start_with(database, zoho, &[]).await
}

pub(super) async fn start_with(database: &Database, zoho: &ZohoSimulator, more: &[(&str, &str)]) -> Server {
    let mut settings = zoho.settings();
    for (name, value) in [("BACKEND_SYNC_SYNC__REPEAT_SECONDS", "0"), ("BACKEND_SYNC_SYNC__CHECK_SECONDS", "1")] {
        settings.push((name, value.to_owned()));
    }
    settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Server::start_with(database, &settings).await
}

/// The same with this mapping.
pub(super) async fn start_by(database: &Database, zoho: &ZohoSimulator, mapping: &str) -> Server {
    let file = database.file("mapping.toml");
    std::fs::write(&file, mapping).unwrap();
    start_with(database, zoho, &[("BACKEND_SYNC_ZOHO__MAPPING", file.to_str().unwrap())]).await
}

/// Counts items that are pending, in flight, or about to be: an item whose prerequisite arrived while it was being
/// settled is released a moment later, and what reads of a changed record is judged again in steps.
pub(super) const BUSY: &str = "SELECT count(*) FROM (SELECT 1 FROM sync_items i WHERE state IN ('pending', 'in_flight') OR state IN ('parked', 'synced') \
    AND waits_id IS NOT NULL AND EXISTS (SELECT 1 FROM sync_items w WHERE w.destination = i.destination AND w.site_id = i.site_id \
    AND w.kind = i.waits_kind AND w.moodle_id = i.waits_id AND w.state = 'synced' AND (w.remote_id IS NOT NULL OR i.state = 'parked')) \
    UNION ALL SELECT 1 FROM edge_changes) busy";

/// Waits until nothing is pending, in flight, or about to be.
pub(super) async fn rest(database: &Database) {
    until("nothing is pending or in flight", async || (database.count(BUSY).await == 0).then_some(())).await;
}

/// An item's state and code.
pub(super) async fn item(database: &Database, kind: &str, id: i64) -> (String, Option<String>) {
    let sql = format!("SELECT state, code FROM sync_items WHERE kind = '{kind}' AND moodle_id = {id}");
    let rows = database.rows(&sql).await;
    let row = rows.first().unwrap_or_else(|| panic!("no item of {kind} {id}"));
    (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap())
}

async fn reason(database: &Database, kind: &str, id: i64) -> String {
    let sql = format!("SELECT reason FROM sync_items WHERE kind = '{kind}' AND moodle_id = {id}");
    database.texts(&sql).await.pop().flatten().unwrap_or_default()
}

/// Waits for a hold, and returns the first.
pub(super) async fn held(database: &Database) -> Value {
    until("a hold", async || {
        let status = run_json(database, &["sync", "status", "--json"]);
        status["holds"].as_array().and_then(|holds| holds.first().cloned())
    })
    .await
}

/// Fails unless each record has exactly one item.
pub(super) fn assert_conserved(database: &Database) {
    let audit = run_json(database, &["sync", "audit", "--json"]);
    assert_eq!(audit["holds"], json!(true), "{audit}");
}

/// The only record with this value in a field.
pub(super) fn with<'a>(records: &'a [Map<String, Value>], field: &str, value: &str) -> &'a Map<String, Value> {
    let found: Vec<_> = records.iter().filter(|record| record.get(field) == Some(&json!(value))).collect();
    assert_eq!(found.len(), 1, "records whose {field} is {value}: {found:?}");
    found[0]
}

/// The writing calls, by operation and module.
pub(super) fn writes(log: &[Value]) -> Vec<(String, String)> {
    let text = |call: &Value, name: &str| call[name].as_str().unwrap_or_default().to_owned();
    let writes = log.iter().filter(|call| ["POST", "PUT", "DELETE"].contains(&call["method"].as_str().unwrap()));
    let writes = writes.filter(|call| call["path"].as_str().unwrap().starts_with("/crm/"));
    writes.map(|call| (text(call, "path"), text(call, "module"))).collect()
}
