//! Zoho's failures, and what follows from each.

use std::time::Duration;

use serde_json::{Value, json};

use super::{assert_conserved, held, item, reason, rest, start, start_with, until, with, writes};
use crate::support::{
    Database, ZohoSimulator,
    events::{at, course, user},
    server::{run, run_json},
};

on_both_databases!(
    a_time_out_after_the_commit_makes_no_second_record,
    a_revoked_token_pauses_and_costs_no_attempt,
    credits_are_never_overrun,
    too_many_calls_at_once_slow_it_down,
    an_outage_is_waited_out,
    a_record_that_breaks_zoho_is_isolated,
    a_refused_record_is_marked_in_zoho,
    a_refused_mark_is_reported,
    the_owner_of_a_field_is_respected,
    a_missing_field_holds_the_module_until_it_is_there,
    an_attempt_of_a_killed_process_is_kept,
);

async fn a_time_out_after_the_commit_makes_no_second_record(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    zoho.add_faults(json!([{
        "match": {"operation": "insert", "module": "Contacts", "nth": 1}, "fault": "timeout_after_commit", "delay_ms": 300,
    }]))
    .await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    rest(&database).await;
    let contacts = zoho.records("Contacts").await;
    assert_eq!(contacts.len(), 1, "{contacts:?}");
    let outcomes = database.texts("SELECT outcome FROM sync_attempts ORDER BY id").await;
    assert_eq!(outcomes.first().unwrap().as_deref(), Some("retry"), "{outcomes:?}");
    assert_eq!(item(&database, "user", 3).await.0, "synced");
    server.stop().await;
}

async fn a_revoked_token_pauses_and_costs_no_attempt(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    rest(&database).await;
    zoho.change(json!({"revoked": true})).await;
    server.site().apply(&[at(2, "user_created", user(4, "ben"))]).await;
    let pause = until("the pause", async || {
        let status = run_json(&database, &["sync", "status", "--json"]);
        Some(status["pause"].clone()).filter(|pause| !pause.is_null())
    })
    .await;
    assert_eq!(pause["cause"], "credentials", "{pause}");
    assert!(pause["reason"].as_str().unwrap().contains("zoho connect"), "{pause}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(item(&database, "user", 4).await.0, "pending");
    let tries = "SELECT count(*) FROM sync_attempts WHERE moodle_id = 4";
    assert_eq!(database.count(tries).await, 0, "no attempt is counted");
    let is_error = |message: &Value| message["level"] == "ERROR";
    server.logged(is_error).await;
    assert_eq!(server.log_messages().iter().filter(|message| is_error(message)).count(), 1, "one log message");
    // Once repaired in Zoho, delivery resumes by itself.
    zoho.change(json!({"revoked": false})).await;
    rest(&database).await;
    assert_eq!(zoho.records("Contacts").await.len(), 2);
    assert_eq!(run_json(&database, &["sync", "status", "--json"])["pause"], Value::Null);
    server.stop().await;
}

async fn credits_are_never_overrun(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    zoho.change(json!({"allowance": 10_000, "used": 9_500})).await;
    let server = start_with(&database, &zoho, &[("BACKEND_SYNC_ZOHO__RESERVE_CREDITS", "100")]).await;
    // One call learns how much is left; then 10,000 items wait.
    server.site().apply(&[at(1, "course_created", course(1, "first"))]).await;
    rest(&database).await;
    assert!(run(&database, &["sync", "pause"]).status.success());
    for thousand in 1..=10 {
        let ids = (1..=1_000).map(|number| thousand * 1_000 + number);
        let events: Vec<Value> = ids.map(|id| at(id, "course_created", course(id, &format!("course{id}")))).collect();
        server.site().apply(&events).await;
    }
    assert!(run(&database, &["sync", "resume"]).status.success());
    let slow = until("it says that it is slow", async || {
        let status = run_json(&database, &["sync", "status", "--json"]);
        Some(status["slow"].clone()).filter(|slow| !slow.is_null())
    })
    .await;
    assert!(slow["reason"].as_str().unwrap().contains("credits"), "{slow}");
    assert!(slow["done_at"].as_str().is_some_and(|time| time > "2026"), "it says when it will be done: {slow}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let settings = zoho.settings_now().await;
    let left = settings["allowance"].as_i64().unwrap() - settings["used"].as_i64().unwrap();
    // They need a thousand credits, so hardly anything is delivered in three seconds.
    assert!(left > 400, "{left} credits are left");
    assert_conserved(&database);
    server.stop().await;
}

async fn too_many_calls_at_once_slow_it_down(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    zoho.change(json!({"concurrency": 2, "delay_ms": 30})).await;
    let server = start(&database, &zoho).await;
    let events: Vec<Value> =
        (1..=1_000).map(|id| at(id, "course_created", course(id, &format!("course{id}")))).collect();
    server.site().apply(&events).await;
    rest(&database).await;
    assert_eq!(zoho.records("Products").await.len(), 1_000);
    let failed = "SELECT count(*) FROM sync_attempts WHERE outcome <> 'inserted'";
    assert_eq!(database.count(failed).await, 0, "being asked to wait does not count as an attempt");
    server.stop().await;
}

async fn an_outage_is_waited_out(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let faults =
        ["bad_gateway_html", "internal_error", "truncated_json", "service_unavailable_html", "connection_reset"];
    for (id, fault) in (1..).zip(faults) {
        zoho.add_faults(json!([{"match": {"operation": "insert", "nth": 1}, "fault": fault}])).await;
        server.site().apply(&[at(id, "course_created", course(id, fault))]).await;
        rest(&database).await;
        let sql = format!("SELECT outcome FROM sync_attempts WHERE moodle_id = {id} ORDER BY id");
        let outcomes = database.texts(&sql).await;
        let outcomes: Vec<&str> = outcomes.iter().flatten().map(String::as_str).collect();
        assert_eq!(outcomes.first(), Some(&"retry"), "{fault}");
        assert!(["inserted", "updated"].contains(outcomes.last().unwrap()), "{fault}: {outcomes:?}");
    }
    assert_eq!(zoho.records("Products").await.len(), faults.len());
    server.stop().await;
}

async fn a_record_that_breaks_zoho_is_isolated(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    zoho.add_faults(
        json!([{"match": {"operation": "insert", "every": 1, "key": "poison"}, "fault": "internal_error"}]),
    )
    .await;
    let server = start(&database, &zoho).await;
    let name = |id: i64| if id == 7 { "poison".to_owned() } else { format!("course{id}") };
    let events: Vec<Value> = (1..=40).map(|id| at(id, "course_created", course(id, &name(id)))).collect();
    server.site().apply(&events).await;
    until("all others are there", async || (zoho.records("Products").await.len() == 39).then_some(())).await;
    // It is retried again and again: in flight at times, pending with the reason in between.
    until("it waits", async || (item(&database, "course", 7).await.0 == "pending").then_some(())).await;
    assert!(reason(&database, "course", 7).await.contains("Zoho"), "it says why");
    zoho.clear_faults().await;
    until("it is there", async || {
        assert!(run(&database, &["sync", "retry", "--state", "pending"]).status.success());
        (zoho.records("Products").await.len() == 40).then_some(())
    })
    .await;
    rest(&database).await;
    assert_eq!(zoho.records("Products").await.len(), 40);
    server.stop().await;
}

async fn a_refused_record_is_marked_in_zoho(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann")), at(2, "user_created", user(4, "ben"))]).await;
    rest(&database).await;
    zoho.refuse("Contacts", "Last_Name", "Broken").await;
    let mut broken = user(3, "ann");
    broken["lastname"] = json!("Broken");
    server.site().apply(&[at(3, "user_updated", broken)]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await.0, "failed");
    let words = reason(&database, "user", 3).await;
    assert!(words.contains("Last_Name") && !words.contains("Broken"), "{words}");
    let contacts = zoho.records("Contacts").await;
    let contact = with(&contacts, "Moodle_User_Key", "moodle:3");
    assert_eq!((&contact["Moodle_Sync_Status"], &contact["Last_Name"]), (&json!("Failed"), &json!("O'Neil")));
    assert!(contact["Moodle_Sync_Error"].as_str().unwrap().contains("Last_Name"));
    assert_conserved(&database);
    // Once corrected in Moodle, it is delivered by itself.
    server.site().apply(&[at(4, "user_updated", user(3, "ann"))]).await;
    rest(&database).await;
    let contacts = zoho.records("Contacts").await;
    let contact = with(&contacts, "Moodle_User_Key", "moodle:3");
    assert_eq!((&contact["Moodle_Sync_Status"], contact.get("Moodle_Sync_Error")), (&json!("Synced"), None));
    server.stop().await;
}

async fn a_refused_mark_is_reported(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    rest(&database).await;
    let rule = |field: &str, value: &str| json!({"module": "Contacts", "field": field, "value": value});
    let rules = [rule("Last_Name", "Broken"), rule("Moodle_Sync_Status", "Failed")];
    zoho.set_policies(json!({ "validation_rules": rules })).await;
    let mut broken = user(3, "ann");
    broken["lastname"] = json!("Broken");
    server.site().apply(&[at(2, "user_updated", broken)]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await.0, "failed");
    let refused = |message: &Value| message.to_string().contains("Zoho refused reasons of failures");
    server.logged(refused).await;
    server.stop().await;
}

async fn the_owner_of_a_field_is_respected(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let mapping = database.file("mapping.toml");
    let text = "[user]\nmodule = \"Contacts\"\nkey = \"Moodle_User_Key\"\nmatch = \"Email\"\non_delete = \"mark\"\n\
                [user.fields]\nLast_Name = { from = \"lastname\" }\nEmail = { from = \"email\" }\n\
                Phone = { from = \"phone1\", owner = \"zoho\" }\nMailing_City = { from = \"city\", owner = \"first\" }\n\
                [user.deleted]\nMoodle_Status = \"Deleted\"\n";
    std::fs::write(&mapping, text).unwrap();
    let server = start_with(&database, &zoho, &[("BACKEND_SYNC_ZOHO__MAPPING", mapping.to_str().unwrap())]).await;
    let person = |lastname: &str, city: &str| {
        let mut person = user(3, "ann");
        (person["lastname"], person["city"], person["phone1"]) = (json!(lastname), json!(city), json!("0123"));
        person
    };
    server.site().apply(&[at(1, "user_created", person("Smith", "Ulm"))]).await;
    rest(&database).await;
    let contact = zoho.records("Contacts").await.pop().unwrap();
    assert_eq!((&contact["Mailing_City"], contact.get("Phone")), (&json!("Ulm"), None));
    let ours = json!({"id": contact["id"], "Mailing_City": "Bonn", "Phone": "0999", "Last_Name": "Wrong"});
    zoho.make_by_hand("Contacts", ours).await;
    server.site().apply(&[at(2, "user_updated", person("Jones", "Kiel"))]).await;
    rest(&database).await;
    let contact = zoho.records("Contacts").await.pop().unwrap();
    let fields = (&contact["Mailing_City"], &contact["Phone"], &contact["Last_Name"]);
    assert_eq!(fields, (&json!("Bonn"), &json!("0999"), &json!("Jones")));
    server.stop().await;
}

async fn a_missing_field_holds_the_module_until_it_is_there(database: Database) {
    let zoho = ZohoSimulator::start();
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    let hold = held(&database).await;
    assert_eq!((&hold["kind"], &hold["cause"]), (&json!("user"), &json!("configuration")), "{hold}");
    assert!(hold["reason"].as_str().unwrap().contains("zoho setup"), "{hold}");
    assert_eq!(writes(&zoho.log().await), []);
    zoho.set_up(&backend_sync::zoho::mapping::Mapping::parse(backend_sync::zoho::mapping::Mapping::DEFAULT).unwrap())
        .await;
    rest(&database).await;
    assert_eq!(zoho.records("Contacts").await.len(), 1);
    server.stop().await;
}

/// What a killed process did is unknown, and its attempt says so.
async fn an_attempt_of_a_killed_process_is_kept(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    zoho.change(json!({"delay_ms": 60_000})).await;
    let lease = [("BACKEND_SYNC_SYNC__LEASE_SECONDS", "2")];
    let server = start_with(&database, &zoho, &lease).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    let in_flight = "SELECT count(*) FROM sync_items WHERE state = 'in_flight'";
    until("it is being delivered", async || (database.count(in_flight).await == 1).then_some(())).await;
    server.kill();
    zoho.change(json!({"delay_ms": 0})).await;
    let server = start_with(&database, &zoho, &lease).await;
    rest(&database).await;
    let tries = database.texts("SELECT outcome || ' ' || COALESCE(code, '') FROM sync_attempts ORDER BY id").await;
    let tries: Vec<&str> = tries.iter().flatten().map(String::as_str).collect();
    assert_eq!(tries.first(), Some(&"lost worker_lost"), "{tries:?}");
    assert_eq!(item(&database, "user", 3).await.0, "synced");
    server.stop().await;
}
