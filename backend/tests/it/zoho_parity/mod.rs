//! What others do in Zoho: each change is found, belongs to somebody, and is decided by people or by the mapping.

mod decided;
mod model;
mod pages;
mod proof;
mod watched;

use serde_json::{Map, Value, json};

use crate::{
    delivery::{rest, start_with},
    support::{
        Database, Server, ZohoSimulator,
        events::{at, course, enrolment, grade, user},
        server::run_with,
    },
};

/// Runs `backend-sync parity …`.
fn parity(database: &Database, zoho: &ZohoSimulator, arguments: &[&str]) -> (bool, String) {
    let output = run_with(database, &zoho.settings(), &[&["parity"], arguments].concat());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), text + &String::from_utf8_lossy(&output.stderr))
}

/// Looks at what others changed.
fn watch(database: &Database, zoho: &ZohoSimulator) -> String {
    let (done, text) = parity(database, zoho, &["watch"]);
    assert!(done, "{text}");
    text
}

/// Compares all records; whether all agree.
fn prove(database: &Database, zoho: &ZohoSimulator) -> bool {
    let (agrees, text) = parity(database, zoho, &["prove", "--yes"]);
    assert!(agrees || text.contains("differs in"), "{text}");
    agrees
}

/// The findings that are not closed, the newest first.
fn findings(database: &Database, zoho: &ZohoSimulator) -> Vec<Value> {
    let (done, text) = parity(database, zoho, &["findings", "--json"]);
    assert!(done, "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The only finding, as `sort state`.
fn finding(database: &Database, zoho: &ZohoSimulator) -> (Value, String) {
    let mut found = findings(database, zoho);
    assert_eq!(found.len(), 1, "{found:?}");
    let finding = found.remove(0);
    let word = |name: &str| finding[name].as_str().unwrap().to_owned();
    let words = format!("{} {}", word("sort"), word("state"));
    (finding, words)
}

/// Decides about a finding.
fn decide(database: &Database, zoho: &ZohoSimulator, decision: &str, finding: &Value) {
    let (done, text) = parity(database, zoho, &[decision, &finding["number"].to_string(), "--yes"]);
    assert!(done, "{text}");
}

/// Ann with an enrolment and a grade in a course, delivered.
async fn begin(database: &Database) -> (ZohoSimulator, Server) {
    begin_with(database, &[]).await
}

/// The same with more settings.
async fn begin_with(database: &Database, more: &[(&str, &str)]) -> (ZohoSimulator, Server) {
    let zoho = ZohoSimulator::start_set_up().await;
    zoho.change(json!({ "lag_seconds": 0 })).await;
    let server = start_with(database, &zoho, more).await;
    let mut ann = user(3, "ann");
    (ann["city"], ann["phone1"]) = (json!("Leeds"), json!("+44 113 496 0000"));
    server
        .site()
        .apply(&[
            at(1, "user_created", ann),
            at(2, "course_created", course(2, "bio")),
            at(3, "user_enrolled", enrolment(5, 3, 2)),
            at(4, "grade_updated", grade(7, 3, 9, 2, "80.50000")),
        ])
        .await;
    rest(database).await;
    // From here on, changes are in another second than the deliveries.
    watch(database, &zoho);
    zoho.advance(2).await;
    (zoho, server)
}

/// The only record of a module.
async fn only(zoho: &ZohoSimulator, module: &str) -> Map<String, Value> {
    let mut records = zoho.records(module).await;
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

/// Changes the only record of a module as a person does.
async fn edit(zoho: &ZohoSimulator, module: &str, mut change: Value) {
    change["id"] = only(zoho, module).await["id"].clone();
    zoho.make_by_hand(module, change).await;
    zoho.advance(2).await;
}

/// Ann with another city and phone.
fn ann(version: i64, city: &str, phone: &str) -> Value {
    let mut ann = user(3, "ann");
    (ann["city"], ann["phone1"]) = (json!(city), json!(phone));
    at(version, "user_updated", ann)
}
