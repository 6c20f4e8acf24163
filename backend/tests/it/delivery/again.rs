//! Accounts that are deleted in Moodle and made again with the same address: the new one takes the contact over.

use serde_json::{Value, json};

use super::{assert_conserved, item, mapped::start_on_delete, rest, start, with};
use crate::{
    erasure::checked,
    support::{
        Database, Server, ZohoSimulator,
        events::{at, course, enrolment, user},
        server::{run_json, run_with},
        wait::until,
    },
};

on_both_databases!(
    an_account_made_again_takes_the_contact_over,
    both_in_one_batch,
    a_deletion_that_arrives_late_frees_the_address,
    a_changed_address_frees_it,
    a_contact_that_no_longer_has_the_address_stays,
    the_erasure_of_the_old_account_leaves_the_contact,
    an_old_account_that_returns_is_another_person,
    who_is_being_delivered_is_waited_for,
);

/// A second account of the same person.
fn again() -> Value {
    let mut again = user(4, "ann2");
    again["email"] = json!("ann@example.com");
    again
}

fn deletion(second: i64) -> Value {
    at(second, "user_deleted", json!({"userid": 3}))
}

/// A server that has delivered the first account.
async fn begin(database: &Database) -> (ZohoSimulator, Server) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(database, &zoho).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    rest(database).await;
    (zoho, server)
}

async fn contact_of(zoho: &ZohoSimulator, key: &str) -> Value {
    with(&zoho.records("Contacts").await, "Moodle_User_Key", key)["id"].clone()
}

async fn the_new_one_has_it(database: &Database, zoho: &ZohoSimulator, contact: &Value) {
    assert_eq!(item(database, "user", 4).await, ("synced".to_owned(), None));
    assert_eq!(item(database, "user", 3).await, ("synced".to_owned(), Some("deleted".to_owned())));
    let contacts = zoho.records("Contacts").await;
    assert_eq!((contacts.len(), &contacts[0]["id"]), (1, contact), "{contacts:?}");
    let there = (&contacts[0]["Moodle_User_Key"], &contacts[0]["Moodle_Username"], &contacts[0]["Moodle_Status"]);
    assert_eq!(there, (&json!("moodle:4"), &json!("ann2"), &json!("Active")));
    assert_conserved(database);
}

async fn an_account_made_again_takes_the_contact_over(database: Database) {
    let (zoho, server) = begin(&database).await;
    let contact = contact_of(&zoho, "moodle:3").await;
    server.site().apply(&[deletion(2)]).await;
    rest(&database).await;
    let of_new = [at(4, "course_created", course(2, "bio")), at(5, "user_enrolled", enrolment(5, 4, 2))];
    server.site().apply(&[at(3, "user_created", again())]).await;
    server.site().apply(&of_new).await;
    rest(&database).await;
    the_new_one_has_it(&database, &zoho, &contact).await;
    assert_eq!(zoho.records("Moodle_Enrolments").await[0]["Contact"]["id"], contact);
    server.stop().await;
}

async fn both_in_one_batch(database: Database) {
    let (zoho, server) = begin(&database).await;
    let contact = contact_of(&zoho, "moodle:3").await;
    server.site().apply(&[deletion(2), at(3, "user_created", again())]).await;
    rest(&database).await;
    the_new_one_has_it(&database, &zoho, &contact).await;
    server.stop().await;
}

async fn a_deletion_that_arrives_late_frees_the_address(database: Database) {
    let (zoho, server) = begin(&database).await;
    let contact = contact_of(&zoho, "moodle:3").await;
    server.site().apply(&[at(3, "user_created", again())]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 4).await, ("failed".to_owned(), Some("email_taken".to_owned())));
    server.site().apply(&[deletion(2)]).await;
    until("the new account is delivered", async || (item(&database, "user", 4).await.0 == "synced").then_some(()))
        .await;
    rest(&database).await;
    the_new_one_has_it(&database, &zoho, &contact).await;
    server.stop().await;
}

async fn a_changed_address_frees_it(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann")), at(2, "user_created", again())]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 4).await.0, "failed");
    let mut changed = user(3, "ann");
    changed["email"] = json!("ann.oneil@example.com");
    server.site().apply(&[at(3, "user_updated", changed)]).await;
    until("the other one is delivered", async || (item(&database, "user", 4).await.0 == "synced").then_some(())).await;
    let contacts = zoho.records("Contacts").await;
    assert_eq!(with(&contacts, "Moodle_User_Key", "moodle:3")["Email"], "ann.oneil@example.com");
    assert_eq!(with(&contacts, "Moodle_User_Key", "moodle:4")["Email"], "ann@example.com");
    server.stop().await;
}

/// Blanked or deleted contacts are nobody's; Zoho's search still shows the old address for a while.
async fn a_contact_that_no_longer_has_the_address_stays(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start_on_delete(&database, &zoho, "blank").await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    rest(&database).await;
    zoho.advance(60).await;
    server.site().apply(&[deletion(2)]).await;
    rest(&database).await;
    server.site().apply(&[at(3, "user_created", again())]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 4).await, ("synced".to_owned(), None));
    let contacts = zoho.records("Contacts").await;
    assert_eq!(contacts.len(), 2, "{contacts:?}");
    assert_eq!(with(&contacts, "Moodle_User_Key", "moodle:4")["Email"], "ann@example.com");
    assert_eq!(with(&contacts, "Moodle_User_Key", "moodle:3")["Moodle_Status"], "Deleted");
    server.stop().await;
}

async fn the_erasure_of_the_old_account_leaves_the_contact(database: Database) {
    let (zoho, server) = begin(&database).await;
    let contact = contact_of(&zoho, "moodle:3").await;
    server.site().apply(&[deletion(2), at(3, "user_created", again())]).await;
    rest(&database).await;
    let arguments = ["erase", "--site", "moodle", "--user", "3", "--yes", "--no-wait", "--json"];
    let output = run_with(&database, &zoho.settings(), &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let certificate = checked(&database, 1, 1).await;
    assert_eq!(certificate["remote"], json!([]), "nothing in Zoho is the old account's");
    assert_eq!(run_json(&database, &["erasures", "show", "1", "--json"])["state"], "verified", "{certificate}");
    rest(&database).await;
    let contacts = zoho.records("Contacts").await;
    assert_eq!((contacts.len(), &contacts[0]["id"]), (1, &contact));
    let there = (&contacts[0]["Email"], &contacts[0]["Moodle_Status"], &contacts[0]["First_Name"]);
    assert_eq!(there, (&json!("ann@example.com"), &json!("Active"), &json!("Ann")));
    server.stop().await;
}

async fn an_old_account_that_returns_is_another_person(database: Database) {
    let (zoho, server) = begin(&database).await;
    server.site().apply(&[deletion(2), at(3, "user_created", again())]).await;
    rest(&database).await;
    server.site().apply(&[at(4, "user_updated", user(3, "ann"))]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, ("failed".to_owned(), Some("email_taken".to_owned())));
    let mut changed = user(3, "ann");
    changed["email"] = json!("ann.oneil@example.com");
    server.site().apply(&[at(5, "user_updated", changed)]).await;
    rest(&database).await;
    let contacts = zoho.records("Contacts").await;
    assert_eq!(with(&contacts, "Moodle_User_Key", "moodle:3")["Email"], "ann.oneil@example.com");
    assert_eq!(with(&contacts, "Moodle_User_Key", "moodle:4")["Email"], "ann@example.com");
    server.stop().await;
}

/// The mark of the deletion is on its way, for longer than anything else.
async fn who_is_being_delivered_is_waited_for(database: Database) {
    let (zoho, server) = begin(&database).await;
    let contact = contact_of(&zoho, "moodle:3").await;
    let slow =
        json!([{"match": {"operation": "update", "module": "Contacts", "nth": 1}, "fault": "slow", "delay_ms": 1_500}]);
    zoho.add_faults(slow).await;
    server.site().apply(&[deletion(2)]).await;
    until("it is on its way", async || (item(&database, "user", 3).await.0 == "in_flight").then_some(())).await;
    server.site().apply(&[at(3, "user_created", again())]).await;
    rest(&database).await;
    the_new_one_has_it(&database, &zoho, &contact).await;
    server.stop().await;
}
