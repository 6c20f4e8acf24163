//! One contact per person: people who are already in Zoho, who change their address, or whose contact was changed by
//! hand.

use backend_sync::zoho::client::SCOPES;
use serde_json::{Map, Value, json};

use super::{item, reason, rest, start, until, with};
use crate::support::{
    Database, Server, ZohoSimulator,
    events::{at, course, enrolment, user},
    server::run_with,
};

on_both_databases!(
    the_scopes_that_are_asked_for_are_enough,
    a_contact_of_admissions_is_adopted,
    a_changed_address_stays_the_same_contact,
    two_contacts_with_the_address_need_a_person,
    a_contact_with_another_key_is_not_taken_over,
    two_users_with_one_address_are_distinguished,
    a_contact_deleted_by_hand_is_asked_about,
    a_contact_that_is_gone_is_recognised_in_any_words,
);

async fn begin(database: &Database) -> (ZohoSimulator, Server) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(database, &zoho).await;
    (zoho, server)
}

/// Creates a contact as the admissions office does, and makes Zoho's search see it.
async fn import(zoho: &ZohoSimulator, fields: Value) {
    zoho.make_by_hand("Contacts", fields).await;
    zoho.advance(60).await;
}

async fn contacts(zoho: &ZohoSimulator) -> Vec<Map<String, Value>> {
    zoho.records("Contacts").await
}

/// A search needs a scope more than the rest, and without one new people would never be delivered.
async fn the_scopes_that_are_asked_for_are_enough(database: Database) {
    let (zoho, server) = begin(&database).await;
    zoho.change(json!({ "scopes": SCOPES.split(',').collect::<Vec<_>>() })).await;
    import(&zoho, json!({"Last_Name": "Oneil", "Email": "ann@example.com"})).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann")), at(2, "user_created", user(4, "ben"))]).await;
    rest(&database).await;
    for person in [3, 4] {
        assert_eq!(item(&database, "user", person).await, ("synced".to_owned(), None));
    }
    assert_eq!(contacts(&zoho).await.len(), 2);
    assert!(zoho.log().await.iter().all(|call| call["status"].as_u64() < Some(300)), "{:?}", zoho.log().await);
    server.stop().await;
}

async fn a_contact_of_admissions_is_adopted(database: Database) {
    let (zoho, server) = begin(&database).await;
    import(&zoho, json!({"Last_Name": "Oneil", "Email": "Ann@example.com", "Phone": "0123"})).await;
    let id = contacts(&zoho).await[0]["id"].clone();
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    rest(&database).await;
    let contacts = contacts(&zoho).await;
    assert_eq!(contacts.len(), 1, "{contacts:?}");
    assert_eq!((&contacts[0]["id"], &contacts[0]["Moodle_User_Key"]), (&id, &json!("moodle:3")));
    assert_eq!((&contacts[0]["Last_Name"], &contacts[0]["Phone"]), (&json!("O'Neil"), &json!("0123")));
    server.stop().await;
}

async fn a_changed_address_stays_the_same_contact(database: Database) {
    let (zoho, server) = begin(&database).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    rest(&database).await;
    let mut changed = user(3, "ann");
    changed["email"] = json!("ann.oneil@example.com");
    server.site().apply(&[at(2, "user_updated", changed)]).await;
    rest(&database).await;
    let contacts = contacts(&zoho).await;
    assert_eq!((contacts.len(), &contacts[0]["Email"]), (1, &json!("ann.oneil@example.com")));
    server.stop().await;
}

async fn two_contacts_with_the_address_need_a_person(database: Database) {
    let (zoho, server) = begin(&database).await;
    for name in ["Oneil", "O Neil"] {
        import(&zoho, json!({"Last_Name": name, "Email": "ann@example.com"})).await;
    }
    server.site().apply(&[at(1, "user_created", user(3, "ann")), at(2, "user_created", user(4, "ben"))]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, ("failed".to_owned(), Some("email_taken".to_owned())));
    let reason = reason(&database, "user", 3).await;
    assert!(reason.starts_with("2 contacts") && reason.contains("merge") && !reason.contains("ann@"), "{reason}");
    assert_eq!(item(&database, "user", 4).await.0, "synced", "one bad record does not block the others");
    assert_eq!(contacts(&zoho).await.len(), 3);
    server.stop().await;
}

async fn a_contact_with_another_key_is_not_taken_over(database: Database) {
    let (zoho, server) = begin(&database).await;
    import(&zoho, json!({"Last_Name": "Oneil", "Email": "ann@example.com", "Moodle_User_Key": "other:9"})).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, ("failed".to_owned(), Some("email_taken".to_owned())));
    let words = reason(&database, "user", 3).await;
    assert!(words.contains("other:9") && words.contains("clear the field"), "{words}");
    let contacts = contacts(&zoho).await;
    assert_eq!((contacts.len(), &contacts[0]["Moodle_User_Key"]), (1, &json!("other:9")));
    server.stop().await;
}

async fn two_users_with_one_address_are_distinguished(database: Database) {
    let (zoho, server) = begin(&database).await;
    let mut other = user(4, "ann2");
    other["email"] = json!("ann@example.com");
    // In one batch, so that they are claimed together.
    server.site().apply(&[at(1, "user_created", user(3, "ann")), at(2, "user_created", other)]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await.0, "synced");
    assert_eq!(item(&database, "user", 4).await, ("failed".to_owned(), Some("email_taken".to_owned())));
    let contacts = contacts(&zoho).await;
    assert_eq!((contacts.len(), &contacts[0]["Moodle_User_Key"]), (1, &json!("moodle:3")));
    server.stop().await;
}

async fn a_contact_deleted_by_hand_is_asked_about(database: Database) {
    let (zoho, server) = begin(&database).await;
    let site = server.site();
    site.apply(&[
        at(1, "user_created", user(3, "ann")),
        at(2, "course_created", course(2, "bio")),
        at(3, "user_enrolled", enrolment(5, 3, 2)),
    ])
    .await;
    rest(&database).await;
    // Whether the person changes, or what refers to the person.
    let mut changed = user(3, "ann");
    changed["city"] = json!("Ulm");
    let mut suspended = super::super::support::events::enrolment(5, 3, 2);
    suspended["status"] = json!("1");
    for change in [at(4, "user_updated", changed), at(5, "enrolment_updated", suspended)] {
        let old = contacts(&zoho).await[0]["id"].clone();
        zoho.make_by_hand("Contacts", json!({"id": old, "$delete": true})).await;
        site.apply(&[change]).await;
        let asked = ("failed".to_owned(), Some("deleted_in_zoho".to_owned()));
        until("a person is asked", async || (item(&database, "user", 3).await == asked).then_some(())).await;
        assert_eq!(contacts(&zoho).await.len(), 0);
        restore_all(&database, &zoho);
        rest(&database).await;
        let now = contacts(&zoho).await;
        assert_eq!((now.len(), &now[0]["Mailing_City"]), (1, &json!("Ulm")));
        assert_ne!(now[0]["id"], old);
        let enrolments = zoho.records("Moodle_Enrolments").await;
        let enrolment = with(&enrolments, "Moodle_Enrolment_Key", "moodle:5");
        assert_eq!(enrolment["Contact"]["id"], now[0]["id"], "the enrolment points to the new one");
    }
    assert_eq!(zoho.records("Moodle_Enrolments").await[0]["Status"], "Suspended");
    server.stop().await;
}

/// A person decides that all deleted records are created again.
pub(super) fn restore_all(database: &Database, zoho: &ZohoSimulator) {
    let output = run_with(database, &zoho.settings(), &["parity", "restore", "--all", "--sort", "deleted", "--yes"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn a_contact_that_is_gone_is_recognised_in_any_words(database: Database) {
    let (zoho, server) = begin(&database).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    rest(&database).await;
    for (round, details) in ["usual", "api_name", "path_index", "empty"].into_iter().enumerate() {
        zoho.change(json!({ "error_details": details })).await;
        let old = contacts(&zoho).await[0]["id"].clone();
        zoho.make_by_hand("Contacts", json!({"id": old, "$delete": true})).await;
        let mut changed = user(3, "ann");
        changed["city"] = json!(details);
        server.site().apply(&[at(2 + round as i64, "user_updated", changed)]).await;
        rest(&database).await;
        let asked = ("failed".to_owned(), Some("deleted_in_zoho".to_owned()));
        assert_eq!(item(&database, "user", 3).await, asked, "{details}");
        restore_all(&database, &zoho);
        rest(&database).await;
        let now = contacts(&zoho).await;
        assert_eq!((now.len(), &now[0]["Mailing_City"]), (1, &json!(details)), "{details}");
    }
    server.stop().await;
}
