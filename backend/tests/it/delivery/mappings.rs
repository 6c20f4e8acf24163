//! Processes with different mapping files do not overwrite each other's values.

use backend_sync::zoho::mapping::Mapping;
use serde_json::{Value, json};

use super::{rest, start_with, with};
use crate::support::{
    Database, Server, ZohoSimulator,
    events::{at, user},
    server::run_json,
    wait::until,
};

on_postgres!(a_process_with_another_mapping_waits_until_the_first_ends);

on_both_databases!(a_new_mapping_is_delivered_by_at_once);

/// A server with this source of the contact's city.
async fn start(database: &Database, zoho: &ZohoSimulator, city: &str) -> Server {
    let text =
        Mapping::DEFAULT.replace("Mailing_City = { from = \"city\"", &format!("Mailing_City = {{ from = \"{city}\""));
    let file = database.file(&format!("{city}.toml"));
    std::fs::write(&file, text).unwrap();
    start_with(database, zoho, &[("BACKEND_SYNC_ZOHO__MAPPING", file.to_str().unwrap())]).await
}

fn waiting(database: &Database) -> Value {
    run_json(database, &["sync", "status", "--json"])["waiting_processes"].take()
}

async fn city(zoho: &ZohoSimulator) -> Value {
    with(&zoho.records("Contacts").await, "Email", "ann@example.com")["Mailing_City"].clone()
}

fn living_in(city: &str) -> Value {
    let mut ann = user(3, "ann");
    ann["city"] = json!(city);
    ann["institution"] = json!("Institute");
    ann
}

async fn a_process_with_another_mapping_waits_until_the_first_ends(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let first = start(&database, &zoho, "city").await;
    first.site().apply(&[at(1, "user_created", living_in("Ely"))]).await;
    rest(&database).await;
    assert_eq!(waiting(&database), json!([]));
    let second = start(&database, &zoho, "institution").await;
    let place = until("the second process says that it waits", async || {
        waiting(&database)[0]["place"].as_str().map(str::to_owned)
    })
    .await;
    assert!(place.starts_with("process "), "{place}");
    // Whichever process takes the event, the first one delivers it.
    second.site().apply(&[at(2, "user_updated", living_in("York"))]).await;
    rest(&database).await;
    assert_eq!(city(&zoho).await, json!("York"));
    first.stop().await;
    second.site().apply(&[at(3, "user_updated", living_in("Hull"))]).await;
    until("the second process delivers", async || (city(&zoho).await == json!("Institute")).then_some(())).await;
    assert_eq!(waiting(&database), json!([]));
    second.stop().await;
}

/// Nobody waits for a process that has ended.
async fn a_new_mapping_is_delivered_by_at_once(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let first = start(&database, &zoho, "city").await;
    first.site().apply(&[at(1, "user_created", living_in("Ely"))]).await;
    rest(&database).await;
    first.stop().await;
    assert_eq!(database.count("SELECT count(*) FROM delivery_processes").await, 0);
    let second = start(&database, &zoho, "institution").await;
    second.site().apply(&[at(2, "user_updated", living_in("York"))]).await;
    rest(&database).await;
    assert_eq!(city(&zoho).await, json!("Institute"));
    second.stop().await;
}
