//! Attempts of unknown outcome: what they may have made in Zoho is found, and nothing is made twice.

use backend_sync::zoho::mapping::Mapping;
use serde_json::json;

use super::{adoption::restore_all, assert_conserved, item, rest, start, start_by, with};
use crate::support::{
    Database, Server, ZohoSimulator,
    events::{at, course, user},
    server::run,
    wait::until,
};

on_both_databases!(
    what_was_created_again_is_marked,
    what_was_created_again_is_deleted,
    an_imported_contact_gets_no_double_by_a_deletion,
    of_several_deleted_accounts_the_newest_contact_is_taken_over,
);

/// A course that somebody deleted in Zoho was created again on request, but no answer came; then it is deleted in Moodle.
async fn delete_what_was_created_again(database: &Database, zoho: &ZohoSimulator, server: &Server) {
    server.site().apply(&[at(1, "course_created", course(2, "bio"))]).await;
    rest(database).await;
    let id = with(&zoho.records("Products").await, "Moodle_Course_Key", "moodle:2")["id"].clone();
    zoho.make_by_hand("Products", json!({"id": id, "$delete": true})).await;
    server.site().apply(&[at(2, "course_updated", course(2, "art"))]).await;
    rest(database).await;
    let lost = json!([{
        "match": {"operation": "insert", "module": "Products", "nth": 1}, "fault": "timeout_after_commit", "delay_ms": 300,
    }]);
    zoho.add_faults(lost).await;
    restore_all(database, zoho);
    let tried = "SELECT count(*) FROM sync_attempts WHERE outcome = 'retry'";
    until("the answer is lost", async || (database.count(tried).await > 0).then_some(())).await;
    server.site().apply(&[at(3, "course_deleted", json!({"courseid": 2}))]).await;
    rest(database).await;
    assert_conserved(database);
}

async fn what_was_created_again_is_marked(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    delete_what_was_created_again(&database, &zoho, &server).await;
    let products = zoho.records("Products").await;
    assert_eq!((products.len(), &products[0]["Moodle_Visible"]), (1, &json!(false)), "{products:?}");
    server.stop().await;
}

async fn what_was_created_again_is_deleted(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let (before, courses) = Mapping::DEFAULT.split_once("\n[course]\n").unwrap();
    let courses = courses.replacen("on_delete = \"mark\"", "on_delete = \"delete\"", 1);
    let courses = courses.replacen("[course.deleted]\nMoodle_Visible = false\n", "", 1);
    let server = start_by(&database, &zoho, &format!("{before}\n[course]\n{courses}")).await;
    delete_what_was_created_again(&database, &zoho, &server).await;
    assert_eq!(zoho.records("Products").await.len(), 0);
    server.stop().await;
}

/// Delivers what arrives meanwhile after an attempt of each, of which nothing is known.
async fn deliver_after_lost_attempts(database: &Database, server: &Server, events: &[serde_json::Value]) {
    assert!(run(database, &["sync", "pause"]).status.success());
    server.site().apply(events).await;
    database.execute("UPDATE sync_items SET attempts = 1 WHERE state = 'pending' AND remote_id IS NULL").await;
    assert!(run(database, &["sync", "resume"]).status.success());
    rest(database).await;
}

fn deletion(second: i64, userid: i64) -> serde_json::Value {
    at(second, "user_deleted", json!({"userid": userid}))
}

async fn an_imported_contact_gets_no_double_by_a_deletion(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    zoho.make_by_hand("Contacts", json!({"Last_Name": "Imported", "Email": "ann@example.com"})).await;
    zoho.advance(60).await;
    let server = start(&database, &zoho).await;
    deliver_after_lost_attempts(&database, &server, &[at(1, "user_created", user(3, "ann")), deletion(2, 3)]).await;
    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), Some("deleted".to_owned())));
    server.site().apply(&[at(3, "user_updated", user(3, "ann"))]).await;
    rest(&database).await;
    let contacts = zoho.records("Contacts").await;
    assert_eq!((contacts.len(), &contacts[0]["Moodle_User_Key"]), (1, &json!("moodle:3")), "{contacts:?}");
    server.stop().await;
}

async fn of_several_deleted_accounts_the_newest_contact_is_taken_over(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let with_address = |id, name: &str| {
        let mut user = user(id, name);
        user["email"] = json!("ann@example.com");
        user
    };
    let events = [
        at(1, "user_created", with_address(3, "ann")),
        deletion(2, 3),
        at(3, "user_created", with_address(4, "ann2")),
        deletion(4, 4),
    ];
    deliver_after_lost_attempts(&database, &server, &events).await;
    let contacts = zoho.records("Contacts").await;
    let newest = contacts.iter().map(|contact| contact["id"].as_str().unwrap()).max().unwrap();
    assert_eq!(contacts.len(), 2, "an insert found out about each: {contacts:?}");
    zoho.advance(60).await;
    server.site().apply(&[at(5, "user_created", with_address(5, "ann3"))]).await;
    rest(&database).await;
    let contacts = zoho.records("Contacts").await;
    assert_eq!((contacts.len(), with(&contacts, "Moodle_User_Key", "moodle:5")["id"].as_str()), (2, Some(newest)));
    assert_conserved(&database);
    server.stop().await;
}
