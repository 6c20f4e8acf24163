//! While one operation of Zoho fails, everything else is delivered, and everybody can see what waits and why.

use serde_json::json;

use super::{assert_conserved, held, item, rest, start};
use crate::support::{
    Database, Server, ZohoSimulator,
    events::{at, course, enrolment, user},
    server::run_json,
    wait::until,
};

on_both_databases!(
    while_people_cannot_be_found_everything_else_goes_on,
    while_records_cannot_be_changed_new_ones_arrive,
    one_person_who_breaks_the_search_blocks_nobody,
    one_record_that_breaks_zoho_holds_nothing_for_ever,
    bad_records_in_both_halves_of_a_call_block_nobody,
);

async fn is_synced(database: &Database, kind: &str, id: i64) {
    until(&format!("{kind} {id} is synced"), async || (item(database, kind, id).await.0 == "synced").then_some(()))
        .await;
}

async fn fail(zoho: &ZohoSimulator, matching: serde_json::Value, fault: &str) {
    zoho.add_faults(json!([{"match": matching, "fault": fault}])).await;
}

/// A server that has delivered a person, a course and an enrolment.
async fn begin(database: &Database) -> (ZohoSimulator, Server) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(database, &zoho).await;
    let events = [at(1, "user_created", user(3, "ann")), at(2, "course_created", course(2, "bio"))];
    server.site().apply(&events).await;
    server.site().apply(&[at(3, "user_enrolled", enrolment(5, 3, 2))]).await;
    rest(database).await;
    (zoho, server)
}

async fn while_people_cannot_be_found_everything_else_goes_on(database: Database) {
    let (zoho, server) = begin(&database).await;
    fail(&zoho, json!({"operation": "coql", "every": 1}), "internal_error").await;
    let mut renamed = user(3, "ann");
    renamed["city"] = json!("Ely");
    let site = server.site();
    site.apply(&[at(4, "user_created", user(4, "ben"))]).await;
    let hold = held(&database).await;
    assert_eq!((&hold["kind"], &hold["records"], &hold["cause"]), (&json!("user"), &json!("new"), &json!("outage")));
    let reason = hold["reason"].as_str().unwrap();
    assert!(reason.starts_with("Contacts: people cannot be looked for") && reason.contains("500"), "{reason}");
    site.apply(&[at(5, "user_updated", renamed), at(6, "course_created", course(7, "art"))]).await;
    site.apply(&[at(7, "user_enrolled", enrolment(6, 3, 7))]).await;
    is_synced(&database, "user", 3).await;
    is_synced(&database, "course", 7).await;
    is_synced(&database, "enrolment", 6).await;
    until("the person waits, with the reason", async || {
        (item(&database, "user", 4).await == ("pending".to_owned(), Some("search_failed".to_owned()))).then_some(())
    })
    .await;
    assert_conserved(&database);
    zoho.clear_faults().await;
    is_synced(&database, "user", 4).await;
    until("the hold ends", async || {
        (run_json(&database, &["sync", "status", "--json"])["holds"] == json!([])).then_some(())
    })
    .await;
    server.stop().await;
}

async fn while_records_cannot_be_changed_new_ones_arrive(database: Database) {
    let (zoho, server) = begin(&database).await;
    fail(&zoho, json!({"operation": "update", "every": 1}), "service_unavailable_html").await;
    let mut renamed = user(3, "ann");
    renamed["city"] = json!("Ely");
    server.site().apply(&[at(4, "user_updated", renamed), at(4, "course_updated", course(2, "art"))]).await;
    let hold = held(&database).await;
    assert_eq!((&hold["records"], &hold["cause"]), (&json!("known"), &json!("outage")), "{hold}");
    server.site().apply(&[at(5, "user_created", user(4, "ben")), at(6, "course_created", course(7, "art"))]).await;
    is_synced(&database, "user", 4).await;
    is_synced(&database, "course", 7).await;
    zoho.clear_faults().await;
    is_synced(&database, "user", 3).await;
    is_synced(&database, "course", 2).await;
    server.stop().await;
}

async fn one_person_who_breaks_the_search_blocks_nobody(database: Database) {
    let (zoho, server) = begin(&database).await;
    fail(&zoho, json!({"operation": "coql", "every": 1, "key": "person17@example.com"}), "internal_error").await;
    let people: Vec<_> = (10..50).map(|id| at(id, "user_created", user(id, &format!("person{id}")))).collect();
    server.site().apply(&people).await;
    until("all others are there", async || (zoho.records("Contacts").await.len() == 40).then_some(())).await;
    until("one waits, with the reason", async || {
        (item(&database, "user", 17).await == ("pending".to_owned(), Some("search_failed".to_owned()))).then_some(())
    })
    .await;
    server.site().apply(&[at(60, "user_created", user(60, "late"))]).await;
    is_synced(&database, "user", 60).await;
    server.stop().await;
}

async fn one_record_that_breaks_zoho_holds_nothing_for_ever(database: Database) {
    let (zoho, server) = begin(&database).await;
    fail(&zoho, json!({"operation": "insert", "every": 1, "key": "poison"}), "internal_error").await;
    server.site().apply(&[at(4, "course_created", course(7, "poison"))]).await;
    let tries = "SELECT count(*) FROM sync_attempts WHERE kind = 'course' AND moodle_id = 7";
    until("it was tried alone", async || {
        database.execute("UPDATE sync_items SET due_at = 0 WHERE state = 'pending'").await;
        (database.count(tries).await > 4).then_some(())
    })
    .await;
    server.site().apply(&[at(5, "course_created", course(8, "art"))]).await;
    is_synced(&database, "course", 8).await;
    until("nothing is held", async || {
        (run_json(&database, &["sync", "status", "--json"])["holds"] == json!([])).then_some(())
    })
    .await;
    server.stop().await;
}

async fn bad_records_in_both_halves_of_a_call_block_nobody(database: Database) {
    let (zoho, server) = begin(&database).await;
    for key in ["bad11", "bad49"] {
        fail(&zoho, json!({"operation": "insert", "every": 1, "key": key}), "internal_error").await;
    }
    let name = |id: i64| if [11, 49].contains(&id) { format!("bad{id}") } else { format!("course{id}") };
    let courses: Vec<_> = (10..50).map(|id| at(id, "course_created", course(id, &name(id)))).collect();
    server.site().apply(&courses).await;
    until("all others are there", async || (zoho.records("Products").await.len() == 39).then_some(())).await;
    zoho.clear_faults().await;
    until("all are there", async || {
        database.execute("UPDATE sync_items SET due_at = 0 WHERE state = 'pending'").await;
        (zoho.records("Products").await.len() == 41).then_some(())
    })
    .await;
    rest(&database).await;
    assert_conserved(&database);
    server.stop().await;
}
