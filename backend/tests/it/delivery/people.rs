//! Of whom something is delivered, and whose contact is adopted: what the mapping and the account say.

use backend_sync::zoho::mapping::Mapping;
use serde_json::{Value, json};

use super::{assert_conserved, item, reason, rest, start, start_by, with};
use crate::support::{
    Database, Server, ZohoSimulator,
    events::{at, course, enrolment, grade, user},
    server::{run, run_json, run_with},
};

on_both_databases!(
    an_unconfirmed_account_waits_for_its_confirmation,
    what_is_in_zoho_of_an_unconfirmed_account_stays,
    who_registered_himself_asks_before_adopting,
    an_approval_keeps_what_is_written_once,
    nobody_is_adopted_without_asking,
    whoever_has_the_address_is_adopted,
    a_deleted_accounts_contact_is_not_for_strangers,
    a_sibling_gets_a_contact_without_the_address,
    the_advice_fits_two_moodles_or_two_people,
    excluded_people_are_left_out,
    excluded_people_stay_in_zoho_as_they_are,
);

/// The default mapping with this in the table of people.
fn with_setting(setting: &str) -> String {
    Mapping::DEFAULT.replacen("match = \"Email\"", &format!("match = \"Email\"\n{setting}"), 1)
}

fn changed(mut data: Value, changes: Value) -> Value {
    data.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    data
}

/// Imports Ann's contact as admissions does, and returns its id.
async fn import(zoho: &ZohoSimulator) -> String {
    zoho.make_by_hand("Contacts", json!({"Last_Name": "Oneil", "Email": "ann@example.com", "Phone": "0123"})).await;
    zoho.advance(60).await;
    zoho.records("Contacts").await[0]["id"].as_str().unwrap().to_owned()
}

fn synced(code: &str) -> (String, Option<String>) {
    ("synced".to_owned(), Some(code.to_owned()))
}

fn failed(code: &str) -> (String, Option<String>) {
    ("failed".to_owned(), Some(code.to_owned()))
}

async fn an_unconfirmed_account_waits_for_its_confirmation(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let id = import(&zoho).await;
    let server = start(&database, &zoho).await;
    let site = server.site();
    let unconfirmed = changed(user(3, "ann"), json!({"confirmed": false, "auth": "email"}));
    let others = [at(2, "course_created", course(2, "bio")), at(3, "user_enrolled", enrolment(5, 3, 2))];
    site.apply(&[at(1, "user_created", unconfirmed)]).await;
    site.apply(&others).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, synced("unconfirmed"));
    assert_eq!(item(&database, "enrolment", 5).await, synced("left_out"));
    let contacts = zoho.records("Contacts").await;
    assert_eq!((contacts.len(), contacts[0].get("Moodle_User_Key").filter(|key| !key.is_null())), (1, None));
    let confirmed = changed(user(3, "ann"), json!({"confirmed": true, "auth": "manual"}));
    site.apply(&[at(4, "user_updated", confirmed)]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), None));
    let enrolments = zoho.records("Moodle_Enrolments").await;
    assert_eq!((enrolments.len(), &enrolments[0]["Contact"]["id"]), (1, &json!(id)));
    assert_conserved(&database);
    server.stop().await;
}

async fn what_is_in_zoho_of_an_unconfirmed_account_stays(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    rest(&database).await;
    let unconfirmed = changed(user(3, "ann"), json!({"confirmed": false, "city": "Ulm"}));
    server.site().apply(&[at(2, "user_updated", unconfirmed)]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, synced("unconfirmed"));
    let contacts = zoho.records("Contacts").await;
    assert_eq!(
        (contacts.len(), &contacts[0]["Moodle_Status"], contacts[0].get("Mailing_City")),
        (1, &json!("Active"), None)
    );
    server.site().apply(&[at(3, "user_deleted", json!({"userid": 3}))]).await;
    rest(&database).await;
    assert_eq!(zoho.records("Contacts").await[0]["Moodle_Status"], "Deleted", "a deletion is no delivery of data");
    server.stop().await;
}

fn registered() -> Value {
    changed(user(3, "ann"), json!({"confirmed": true, "auth": "email"}))
}

/// The reason of the failed record, which names the contact and the key; then somebody writes the key there.
async fn approve(database: &Database, zoho: &ZohoSimulator, id: &str) {
    assert_eq!(item(database, "user", 3).await, failed("adoption_asks"));
    let words = reason(database, "user", 3).await;
    assert!(words.contains(id) && words.contains("write moodle:3 into the field Moodle_User_Key"), "{words}");
    assert!(!words.contains("ann@"), "{words}");
    // At once: Zoho's search does not show it yet.
    zoho.make_by_hand("Contacts", json!({"id": id, "Moodle_User_Key": "moodle:3"})).await;
    assert!(run(database, &["sync", "retry"]).status.success());
    rest(database).await;
    assert_eq!(item(database, "user", 3).await, ("synced".to_owned(), None));
}

async fn who_registered_himself_asks_before_adopting(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let id = import(&zoho).await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", registered()), at(2, "user_created", user(4, "ben"))]).await;
    rest(&database).await;
    let contacts = zoho.records("Contacts").await;
    assert_eq!(with(&contacts, "Email", "ann@example.com")["Last_Name"], "Oneil", "it is left as it is");
    assert_eq!(item(&database, "user", 4).await.0, "synced");
    approve(&database, &zoho, &id).await;
    let contacts = zoho.records("Contacts").await;
    let ann = with(&contacts, "Moodle_User_Key", "moodle:3");
    assert_eq!((contacts.len(), &ann["id"], &ann["Last_Name"]), (2, &json!(id), &json!("O'Neil")));
    let outcomes = database.texts("SELECT outcome FROM sync_attempts WHERE moodle_id = 3 ORDER BY id").await;
    assert_eq!(outcomes.last().unwrap().as_deref(), Some("adopted"));
    assert!(run_json(&database, &["sync", "status", "--json"])["holds"].as_array().unwrap().is_empty());
    server.stop().await;
}

async fn an_approval_keeps_what_is_written_once(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let id = import(&zoho).await;
    let mapping = Mapping::DEFAULT.replacen(
        "Last_Name = { from = [\"lastname\", \"username\"] }",
        "Last_Name = { from = [\"lastname\", \"username\"], owner = \"first\" }",
        1,
    );
    let server = start_by(&database, &zoho, &mapping).await;
    server.site().apply(&[at(1, "user_created", registered())]).await;
    rest(&database).await;
    approve(&database, &zoho, &id).await;
    let contacts = zoho.records("Contacts").await;
    assert_eq!((contacts.len(), &contacts[0]["Last_Name"]), (1, &json!("Oneil")), "the name is Zoho's");
    server.stop().await;
}

async fn nobody_is_adopted_without_asking(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let id = import(&zoho).await;
    let server = start_by(&database, &zoho, &with_setting("adopt = \"never\"")).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    rest(&database).await;
    approve(&database, &zoho, &id).await;
    server.stop().await;
}

async fn whoever_has_the_address_is_adopted(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let id = import(&zoho).await;
    let server = start_by(&database, &zoho, &with_setting("adopt = \"always\"")).await;
    server.site().apply(&[at(1, "user_created", registered())]).await;
    rest(&database).await;
    assert_eq!(with(&zoho.records("Contacts").await, "Moodle_User_Key", "moodle:3")["id"], json!(id));
    server.stop().await;
}

async fn a_deleted_accounts_contact_is_not_for_strangers(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", changed(user(9, "old"), json!({"email": "ann@example.com"})))]).await;
    rest(&database).await;
    let id = zoho.records("Contacts").await[0]["id"].as_str().unwrap().to_owned();
    server.site().apply(&[at(2, "user_deleted", json!({"userid": 9})), at(3, "user_created", registered())]).await;
    rest(&database).await;
    assert_eq!(zoho.records("Contacts").await[0]["Moodle_User_Key"], "moodle:9");
    approve(&database, &zoho, &id).await;
    let contacts = zoho.records("Contacts").await;
    assert_eq!((contacts.len(), &contacts[0]["Moodle_User_Key"]), (1, &json!("moodle:3")), "{contacts:?}");
    assert_conserved(&database);
    server.stop().await;
}

fn sibling() -> Value {
    changed(user(4, "ben"), json!({"email": "ann@example.com"}))
}

async fn remarks(database: &Database, id: i64) -> String {
    let sql = format!("SELECT remarks FROM sync_items WHERE kind = 'user' AND moodle_id = {id}");
    database.texts(&sql).await.pop().flatten().unwrap_or_default()
}

async fn a_sibling_gets_a_contact_without_the_address(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    zoho.change_field("Contacts", "Email", json!({"unique": {"case_sensitive": false}})).await;
    let server = start_by(&database, &zoho, &with_setting("same_address = \"without\"")).await;
    let site = server.site();
    site.apply(&[at(1, "user_created", user(3, "ann")), at(2, "user_created", sibling())]).await;
    rest(&database).await;
    let of_ben = async || with(&zoho.records("Contacts").await, "Moodle_User_Key", "moodle:4").clone();
    assert_eq!(zoho.records("Contacts").await.len(), 2);
    assert_eq!(of_ben().await.get("Email").filter(|email| !email.is_null()), None);
    assert!(remarks(&database, 4).await.contains("same_address"), "{}", remarks(&database, 4).await);
    // A change keeps it so; without one, nothing is sent.
    site.apply(&[at(3, "user_updated", changed(sibling(), json!({"city": "Ulm"})))]).await;
    rest(&database).await;
    site.apply(&[at(4, "user_updated", changed(sibling(), json!({"city": "Ulm", "timemodified": "1790000000"})))])
        .await;
    rest(&database).await;
    let ben = of_ben().await;
    assert_eq!((&ben["Mailing_City"], ben.get("Email").filter(|email| !email.is_null())), (&json!("Ulm"), None));
    assert!(remarks(&database, 4).await.contains("same_address"));
    // With an address of their own, they have it.
    site.apply(&[at(5, "user_updated", user(4, "ben"))]).await;
    rest(&database).await;
    assert_eq!(of_ben().await["Email"], "ben@example.com");
    assert_eq!(remarks(&database, 4).await, "");
    server.stop().await;
}

async fn the_advice_fits_two_moodles_or_two_people(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let second = run_json(&database, &["site", "add", "second", "--json"]);
    let second = server.site_with(second["token"].as_str().unwrap());
    let site = server.site();
    site.apply(&[at(1, "user_created", user(3, "ann"))]).await;
    rest(&database).await;
    site.apply(&[at(2, "user_created", sibling())]).await;
    rest(&database).await;
    let words = reason(&database, "user", 4).await;
    assert!(
        words.contains("siblings") && words.contains("same_address") && !words.contains("another Moodle"),
        "{words}"
    );
    second.apply(&[at(3, "user_created", user(7, "ann"))]).await;
    rest(&database).await;
    let words = reason(&database, "user", 7).await;
    assert!(words.contains("another Moodle") && words.contains("same_address"), "{words}");
    server.stop().await;
}

/// A server whose mapping excludes people.
async fn start_excluding(database: &Database, zoho: &ZohoSimulator) -> Server {
    let mapping = Mapping::DEFAULT.replacen("exclude_users = []", "exclude_users = [\"moodle:3\"]", 1).replacen(
        "exclude = {}",
        "exclude = { department = [\"Staff\", \"Board\"] }",
        1,
    );
    start_by(database, zoho, &mapping).await
}

async fn excluded_people_are_left_out(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start_excluding(&database, &zoho).await;
    let site = server.site();
    let staff = changed(user(4, "ben"), json!({"department": " staff"}));
    site.apply(&[
        at(1, "user_created", user(3, "ann")),
        at(2, "user_created", staff),
        at(3, "user_created", user(6, "cem")),
    ])
    .await;
    site.apply(&[at(4, "course_created", course(2, "bio")), at(5, "user_enrolled", enrolment(5, 3, 2))]).await;
    site.apply(&[at(6, "user_enrolled", enrolment(6, 4, 2)), at(7, "grade_updated", grade(8, 4, 9, 2, "50"))]).await;
    site.apply(&[at(8, "user_enrolled", enrolment(7, 6, 2))]).await;
    rest(&database).await;
    for (kind, id) in [("user", 3), ("user", 4), ("enrolment", 5), ("enrolment", 6), ("grade", 8)] {
        assert_eq!(item(&database, kind, id).await, synced("excluded"), "{kind} {id}");
    }
    assert_eq!(zoho.records("Contacts").await.len(), 1);
    assert_eq!(zoho.records("Moodle_Enrolments").await.len(), 1);
    // No longer excluded, with all that waited.
    site.apply(&[at(9, "user_updated", changed(user(4, "ben"), json!({"department": "Biology"})))]).await;
    rest(&database).await;
    for (kind, id) in [("user", 4), ("enrolment", 6), ("grade", 8)] {
        assert_eq!(item(&database, kind, id).await, ("synced".to_owned(), None), "{kind} {id}");
    }
    assert_conserved(&database);
    server.stop().await;
}

async fn excluded_people_stay_in_zoho_as_they_are(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start_excluding(&database, &zoho).await;
    let site = server.site();
    site.apply(&[at(1, "user_created", user(4, "ben")), at(2, "course_created", course(2, "bio"))]).await;
    site.apply(&[at(3, "user_enrolled", enrolment(6, 4, 2))]).await;
    rest(&database).await;
    site.apply(&[at(4, "user_updated", changed(user(4, "ben"), json!({"department": "Board", "city": "Ulm"})))]).await;
    site.apply(&[at(5, "enrolment_updated", changed(enrolment(6, 4, 2), json!({"status": "1"})))]).await;
    rest(&database).await;
    site.apply(&[at(6, "user_deleted", json!({"userid": 4}))]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 4).await, synced("excluded"));
    assert_eq!(item(&database, "enrolment", 6).await, synced("excluded"));
    let (contact, enrolment) = (zoho.records("Contacts").await, zoho.records("Moodle_Enrolments").await);
    assert_eq!((&contact[0]["Moodle_Status"], contact[0].get("Mailing_City")), (&json!("Active"), None));
    assert_eq!(enrolment[0]["Status"], "Active");
    // An erasure is another matter.
    let arguments = ["erase", "--site", "moodle", "--user", "4", "--yes", "--no-wait", "--json"];
    assert!(run_with(&database, &zoho.settings(), &arguments).status.success());
    crate::erasure::checked(&database, 1, 1).await;
    let contact = zoho.records("Contacts").await;
    assert_eq!(contact[0].get("Email").filter(|email| !email.is_null()), None, "{contact:?}");
    server.stop().await;
}
