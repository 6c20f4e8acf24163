//! People's decisions about what differs.

use serde_json::{Value, json};

use super::{ann, begin, decide, edit, finding, findings, only, parity, prove, watch};
use crate::{
    delivery::{item, rest, until},
    support::{Database, events::at, server::run_with},
};

on_both_databases!(
    a_deleted_contact_is_restored_with_its_references,
    a_deleted_contact_is_left,
    a_contact_restored_from_the_recycle_bin_goes_on,
    what_is_left_stays_until_moodle_changes_it,
    all_at_once,
    an_erased_person_leaves_no_finding,
);

async fn a_deleted_contact_is_restored_with_its_references(database: Database) {
    let (zoho, server) = begin(&database).await;
    let old = only(&zoho, "Contacts").await["id"].clone();
    edit(&zoho, "Contacts", json!({"$delete": true})).await;
    watch(&database, &zoho);
    rest(&database).await;
    decide(&database, &zoho, "restore", &finding(&database, &zoho).0);
    rest(&database).await;
    let contact = only(&zoho, "Contacts").await;
    assert_ne!(contact["id"], old);
    assert_eq!(only(&zoho, "Moodle_Enrolments").await["Contact"]["id"], contact["id"], "it points to the new one");
    assert_eq!(only(&zoho, "Moodle_Grades").await["Contact"]["id"], contact["id"]);
    until("the finding is closed", async || findings(&database, &zoho).is_empty().then_some(())).await;
    assert!(prove(&database, &zoho));
    server.stop().await;
}

async fn a_deleted_contact_is_left(database: Database) {
    let (zoho, server) = begin(&database).await;
    edit(&zoho, "Contacts", json!({"$delete": true})).await;
    watch(&database, &zoho);
    rest(&database).await;
    decide(&database, &zoho, "leave", &finding(&database, &zoho).0);
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), Some("left_deleted".to_owned())));
    server
        .site()
        .apply(&[
            ann(10, "York", "+44 113 496 0002"),
            at(11, "user_enrolled", crate::support::events::enrolment(6, 3, 2)),
        ])
        .await;
    rest(&database).await;
    assert_eq!(zoho.records("Contacts").await.len(), 0, "it is not made again");
    assert_eq!(item(&database, "enrolment", 6).await.0, "synced");
    assert_eq!(zoho.records("Moodle_Enrolments").await.len(), 1, "nor what belongs to it");
    let (left, words) = finding(&database, &zoho);
    assert_eq!(words, "deleted left");
    assert!(prove(&database, &zoho), "a named exception");
    let (_, said) = parity(&database, &zoho, &["show"]);
    assert!(said.contains("1 record left as in Zoho by a person"), "{said}");
    // Later, after all.
    decide(&database, &zoho, "restore", &left);
    rest(&database).await;
    assert_eq!(only(&zoho, "Contacts").await["Mailing_City"], "York");
    assert_eq!(zoho.records("Moodle_Enrolments").await.len(), 2);
    server.stop().await;
}

async fn a_contact_restored_from_the_recycle_bin_goes_on(database: Database) {
    let (zoho, server) = begin(&database).await;
    let id = only(&zoho, "Contacts").await["id"].clone();
    edit(&zoho, "Contacts", json!({"$delete": true})).await;
    watch(&database, &zoho);
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await.0, "failed");
    zoho.act("restore", json!({"id": id})).await;
    zoho.advance(2).await;
    watch(&database, &zoho);
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await.0, "synced");
    assert_eq!(only(&zoho, "Contacts").await["id"], id);
    until("the finding is closed", async || findings(&database, &zoho).is_empty().then_some(())).await;
    server.stop().await;
}

async fn what_is_left_stays_until_moodle_changes_it(database: Database) {
    let (zoho, server) = begin(&database).await;
    edit(&zoho, "Contacts", json!({"Mailing_City": "Hull"})).await;
    watch(&database, &zoho);
    decide(&database, &zoho, "leave", &finding(&database, &zoho).0);
    rest(&database).await;
    edit(&zoho, "Contacts", json!({"Mailing_City": "Goole"})).await;
    watch(&database, &zoho);
    assert_eq!(finding(&database, &zoho).1, "changed left", "it is theirs");
    assert!(prove(&database, &zoho));
    server.site().apply(&[ann(10, "York", "+44 113 496 0000")]).await;
    rest(&database).await;
    assert_eq!(only(&zoho, "Contacts").await["Mailing_City"], "York");
    until("the finding is closed", async || findings(&database, &zoho).is_empty().then_some(())).await;
    server.stop().await;
}

async fn all_at_once(database: Database) {
    let (zoho, server) = begin(&database).await;
    edit(&zoho, "Contacts", json!({"Mailing_City": "Hull"})).await;
    edit(&zoho, "Products", json!({"Product_Name": "Biology"})).await;
    watch(&database, &zoho);
    assert_eq!(findings(&database, &zoho).len(), 2);
    let (done, said) = parity(&database, &zoho, &["restore", "--all", "--kind", "course", "--yes"]);
    assert!(done && said.contains("1 finding decided"), "{said}");
    rest(&database).await;
    assert_eq!(only(&zoho, "Products").await["Product_Name"], "bio");
    assert_eq!(only(&zoho, "Contacts").await["Mailing_City"], "Hull");
    let (done, said) = parity(&database, &zoho, &["restore", "--all", "--yes"]);
    assert!(done && said.contains("1 finding decided"), "{said}");
    rest(&database).await;
    assert_eq!(only(&zoho, "Contacts").await["Mailing_City"], "Leeds");
    let (done, said) = parity(&database, &zoho, &["leave", "999", "--yes"]);
    assert!(!done && said.contains("there is no finding with this number"), "{said}");
    server.stop().await;
}

async fn an_erased_person_leaves_no_finding(database: Database) {
    let (zoho, server) = begin(&database).await;
    edit(&zoho, "Contacts", json!({"Mailing_City": "Hull"})).await;
    watch(&database, &zoho);
    assert_eq!(finding(&database, &zoho).1, "changed open");
    let erase = ["erase", "--site", "moodle", "--user", "3", "--yes", "--no-wait"];
    assert!(run_with(&database, &zoho.settings(), &erase).status.success());
    let kept = "SELECT count(*) FROM findings";
    until("the finding is gone", async || (database.count(kept).await == 0).then_some(())).await;
    let held: Vec<Value> = findings(&database, &zoho);
    assert!(held.is_empty());
    server.stop().await;
}
