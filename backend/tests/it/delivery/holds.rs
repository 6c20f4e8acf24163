//! What concerns the records of one kind holds these, and nothing else.

use serde_json::json;

use super::{assert_conserved, held, item, rest, start};
use crate::support::{
    Database, ZohoSimulator,
    events::{at, course, enrolment, user},
    server::run_json,
    wait::until,
};

on_both_databases!(
    without_room_only_new_records_of_that_module_wait,
    a_missing_permission_holds_one_module,
    a_key_that_is_no_longer_unique_holds_the_module,
    a_record_that_nobody_may_write_holds_no_other,
);

async fn is_synced(database: &Database, kind: &str, id: i64) {
    until(&format!("{kind} {id} is synced"), async || (item(database, kind, id).await.0 == "synced").then_some(()))
        .await;
}

async fn without_room_only_new_records_of_that_module_wait(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let site = server.site();
    zoho.set_policies(json!({"most_records": {"Moodle_Enrolments": 1}})).await;
    site.apply(&[at(1, "user_created", user(3, "ann")), at(2, "course_created", course(2, "bio"))]).await;
    site.apply(&[at(3, "user_enrolled", enrolment(5, 3, 2))]).await;
    is_synced(&database, "enrolment", 5).await;
    site.apply(&[at(4, "course_created", course(7, "art")), at(5, "user_enrolled", enrolment(6, 3, 7))]).await;
    let hold = held(&database).await;
    assert_eq!((&hold["kind"], &hold["records"], &hold["cause"]), (&json!("enrolment"), &json!("new"), &json!("room")));
    assert!(hold["reason"].as_str().unwrap().contains("recycle bin"), "{hold}");
    // Everything else goes on: new people, and changes of what is there.
    let mut suspended = enrolment(5, 3, 2);
    suspended["status"] = json!("1");
    site.apply(&[at(6, "user_created", user(4, "ben")), at(7, "enrolment_updated", suspended)]).await;
    is_synced(&database, "user", 4).await;
    is_synced(&database, "enrolment", 5).await;
    assert_eq!(zoho.records("Moodle_Enrolments").await[0]["Status"], "Suspended");
    // At times one is tried.
    until("it waits", async || (item(&database, "enrolment", 6).await.0 == "pending").then_some(())).await;
    assert_conserved(&database);
    zoho.set_policies(json!({})).await;
    is_synced(&database, "enrolment", 6).await;
    let status = run_json(&database, &["sync", "status", "--json"]);
    assert_eq!(status["holds"], json!([]), "{status}");
    server.stop().await;
}

async fn a_missing_permission_holds_one_module(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    zoho.add_faults(json!([{
        "match": {"operation": "insert", "module": "Products", "every": 1}, "fault": "no_permission",
    }]))
    .await;
    server.site().apply(&[at(1, "course_created", course(2, "bio")), at(2, "user_created", user(3, "ann"))]).await;
    let hold = held(&database).await;
    assert_eq!((&hold["kind"], &hold["cause"]), (&json!("course"), &json!("permission")), "{hold}");
    let reason = hold["reason"].as_str().unwrap();
    assert!(reason.starts_with("Products: ") && reason.contains("Crm_Implied_Api_Access"), "{reason}");
    is_synced(&database, "user", 3).await;
    zoho.clear_faults().await;
    rest(&database).await;
    is_synced(&database, "course", 2).await;
    server.stop().await;
}

async fn a_key_that_is_no_longer_unique_holds_the_module(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    zoho.change_field("Contacts", "Moodle_User_Key", json!({"unique": null})).await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann")), at(2, "course_created", course(2, "bio"))]).await;
    let hold = held(&database).await;
    assert_eq!((&hold["kind"], &hold["records"]), (&json!("user"), &json!("all")), "{hold}");
    assert!(hold["reason"].as_str().unwrap().contains("not unique"), "{hold}");
    is_synced(&database, "course", 2).await;
    assert_eq!(zoho.records("Contacts").await.len(), 0);
    zoho.change_field("Contacts", "Moodle_User_Key", json!({"unique": {"case_sensitive": false}})).await;
    is_synced(&database, "user", 3).await;
    server.stop().await;
}

/// A rule about one record, such as who owns it, is refused like a missing permission.
async fn a_record_that_nobody_may_write_holds_no_other(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let site = server.site();
    site.apply(&[at(1, "user_created", user(3, "ann")), at(2, "user_created", user(4, "ben"))]).await;
    rest(&database).await;
    zoho.add_faults(json!([{
        "match": {"operation": "update", "module": "Contacts", "every": 1, "key": "ann"}, "fault": "no_permission",
    }]))
    .await;
    let mut ben = user(4, "ben");
    ben["city"] = json!("Ulm");
    let mut ann = user(3, "ann");
    ann["city"] = json!("Ulm");
    site.apply(&[at(3, "user_updated", ann)]).await;
    held(&database).await;
    site.apply(&[at(4, "user_updated", ben)]).await;
    until("the other one is delivered", async || {
        let contacts = zoho.records("Contacts").await;
        contacts.iter().any(|contact| contact.get("Mailing_City") == Some(&json!("Ulm"))).then_some(())
    })
    .await;
    server.stop().await;
}
