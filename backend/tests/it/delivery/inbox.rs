//! The inbox of adoptions: who asks for a contact is approved or refused; what was adopted is listed, and can be undone.

use backend_sync::zoho::mapping::Mapping;
use serde_json::{Value, json};

use super::{assert_conserved, item, reason, rest, start, start_by, start_with, with};
use crate::support::{
    Api, Database, Server, ZohoSimulator,
    browser::Browser,
    events::{at, course, enrolment, user},
    server::{run, run_json, run_with},
    wait::until,
};

on_both_databases!(
    who_asks_is_approved_field_by_field,
    who_is_refused_says_who_refused,
    who_is_refused_gets_a_contact_without_the_address,
    an_adoption_is_undone_except_for_what_people_changed,
    an_undone_adoption_leaves_no_enrolment_behind,
    an_undone_adoption_gives_way_to_an_own_contact,
    what_is_replaced_is_kept_before_it_is_written,
    one_of_several_contacts_is_chosen,
    an_erasure_and_retention_forget_replaced_values,
    the_console_shows_and_decides,
);

const ZOHO: &str = "/api/v1/destinations/zoho";

/// Imports a contact as admissions does, and returns its id.
async fn import(zoho: &ZohoSimulator, name: &str) -> String {
    let contact = json!({"Last_Name": name, "Email": "ann@example.com", "Phone": "0123", "Mailing_City": "Bonn"});
    zoho.make_by_hand("Contacts", contact).await;
    zoho.advance(60).await;
    zoho.records("Contacts").await.last().unwrap()["id"].as_str().unwrap().to_owned()
}

/// An account that registered itself.
fn registered() -> Value {
    let mut ann = user(3, "ann");
    ann.as_object_mut().unwrap().extend(json!({"confirmed": true, "auth": "email"}).as_object().unwrap().clone());
    ann
}

async fn adoptions(api: &Api, query: &str) -> Vec<Value> {
    api.read(&format!("{ZOHO}/adoptions{query}")).await["items"].as_array().unwrap().clone()
}

async fn decide(api: &Api, decision: &str, number: &Value) -> Value {
    let body = json!({"decision": decision, "numbers": [number]}).to_string();
    let answer = api.post(&format!("{ZOHO}/adoptions"), body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    serde_json::from_str(&answer.text).unwrap()
}

/// The contact with this id.
async fn contact(zoho: &ZohoSimulator, id: &str) -> serde_json::Map<String, Value> {
    with(&zoho.records("Contacts").await, "id", id).clone()
}

fn change<'a>(changes: &'a Value, field: &str) -> Option<&'a Value> {
    changes.as_array().unwrap().iter().find(|change| change["field"] == field)
}

async fn who_asks_is_approved_field_by_field(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let id = import(&zoho, "Oneil").await;
    let server = start(&database, &zoho).await;
    let api = server.reader();
    server.site().apply(&[at(1, "user_created", registered())]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await.1.as_deref(), Some("adoption_asks"));
    let waiting = run_json(&database, &["sync", "adoptions", "list", "--state", "waiting", "--json"]);
    assert_eq!((&waiting["record"], &waiting["remote_id"]), (&json!("moodle:3"), &json!(id)));
    let number = &waiting["number"];
    let shown = api.read(&format!("{ZOHO}/adoptions/{number}")).await;
    assert_eq!(shown["decision"], "approve");
    let name = change(&shown["changes"], "Last_Name").unwrap();
    assert_eq!((&name["before"], &name["after"]), (&json!("Oneil"), &json!("O'Neil")));
    assert_eq!(contact(&zoho, &id).await["Last_Name"], "Oneil", "nothing is written before the answer");

    let output = run(&database, &["sync", "adoptions", "approve", &number.to_string()]);
    assert!(!output.status.success(), "without a terminal it must be confirmed");
    let output = run(&database, &["sync", "adoptions", "approve", &number.to_string(), "--yes"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), None));
    let adopted = contact(&zoho, &id).await;
    assert_eq!((&adopted["Moodle_User_Key"], &adopted["Last_Name"]), (&json!("moodle:3"), &json!("O'Neil")));
    let listed = adoptions(&api, "?state=adopted").await;
    let name = change(&listed[0]["replaced"], "Last_Name").unwrap();
    assert_eq!((&name["before"], &listed[0]["writes"]), (&json!("Oneil"), &json!(true)));
    assert!(listed[0]["decided_by"].as_str().unwrap().contains("command line"));
    assert!(adoptions(&api, "?state=waiting").await.is_empty());
    assert!(!server.log().contains("Oneil"), "replaced values never reach the log");
    server.stop().await;
}

async fn who_is_refused_says_who_refused(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let id = import(&zoho, "Oneil").await;
    let server = start(&database, &zoho).await;
    let api = server.reader();
    server.site().apply(&[at(1, "user_created", registered())]).await;
    rest(&database).await;
    let number = adoptions(&api, "?state=waiting").await[0]["number"].clone();
    decide(&api, "refuse", &number).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, ("failed".to_owned(), Some("adoption_refused".to_owned())));
    let words = reason(&database, "user", 3).await;
    assert!(words.contains(&id) && words.contains("refused") && !words.starts_with("Somebody"), "{words}");
    assert!(words.contains(&format!("adoptions approve {number}")) && !words.contains("ann@"), "{words}");
    // Not even who writes the key by hand overrules it.
    zoho.make_by_hand("Contacts", json!({"id": id, "Moodle_User_Key": "moodle:3"})).await;
    zoho.advance(60).await;
    assert!(run(&database, &["sync", "retry"]).status.success());
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await.1.as_deref(), Some("adoption_refused"));
    assert_eq!(contact(&zoho, &id).await["Last_Name"], "Oneil");
    // It can be taken back.
    decide(&api, "approve", &number).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), None));
    assert_eq!(contact(&zoho, &id).await["Last_Name"], "O'Neil");
    let undecided = decide(&api, "refuse", &number).await;
    assert!(undecided["undecided"][0]["reason"].as_str().unwrap().contains("undo"), "{undecided}");
    server.stop().await;
}

fn without_address() -> String {
    Mapping::DEFAULT.replacen("match = \"Email\"", "match = \"Email\"\nsame_address = \"without\"", 1)
}

async fn who_is_refused_gets_a_contact_without_the_address(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let id = import(&zoho, "Oneil").await;
    let server = start_by(&database, &zoho, &without_address()).await;
    let api = server.reader();
    server.site().apply(&[at(1, "user_created", registered())]).await;
    rest(&database).await;
    let number = adoptions(&api, "?state=waiting").await[0]["number"].clone();
    decide(&api, "refuse", &number).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), None));
    let contacts = zoho.records("Contacts").await;
    let own = with(&contacts, "Moodle_User_Key", "moodle:3");
    assert_eq!((contacts.len(), own.get("Email")), (2, None));
    assert_ne!(own["id"], json!(id));
    server.stop().await;
}

/// An account whose contact was adopted by itself, with an enrolment; returns the contact's id.
async fn adopted(database: &Database, zoho: &ZohoSimulator, server: &Server) -> String {
    let id = import(zoho, "Oneil").await;
    let events = [
        at(1, "user_created", user(3, "ann")),
        at(2, "course_created", course(2, "bio")),
        at(3, "user_enrolled", enrolment(5, 3, 2)),
    ];
    server.site().apply(&events).await;
    rest(database).await;
    assert_eq!(contact(zoho, &id).await["Moodle_User_Key"], "moodle:3");
    id
}

async fn an_adoption_is_undone_except_for_what_people_changed(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let api = server.reader();
    let id = adopted(&database, &zoho, &server).await;
    // A later delivery overwrites more; then somebody corrects a value in Zoho.
    let mut moved = user(3, "ann");
    moved["city"] = json!("Kiel");
    server.site().apply(&[at(4, "user_updated", moved)]).await;
    rest(&database).await;
    assert_eq!(contact(&zoho, &id).await["Mailing_City"], "Kiel");
    zoho.make_by_hand("Contacts", json!({"id": id, "First_Name": "Anna"})).await;

    let listed = adoptions(&api, "").await;
    let number = &listed[0]["number"];
    assert_eq!((&listed[0]["state"], &listed[0]["decided_by"]), (&json!("adopted"), &Value::Null));
    let shown = api.read(&format!("{ZOHO}/adoptions/{number}")).await;
    assert_eq!((&shown["decision"], &shown["kept"]), (&json!("undo"), &json!(["First_Name"])), "{shown}");
    let city = change(&shown["changes"], "Mailing_City").unwrap();
    assert_eq!((&city["before"], &city["after"]), (&json!("Kiel"), &json!("Bonn")));
    let key = change(&shown["changes"], "Moodle_User_Key").unwrap();
    assert_eq!(key["after"], Value::Null);

    let pause = api.post(&format!("{ZOHO}/pause"), "{}".to_owned()).await;
    assert_eq!(pause.status, 200);
    decide(&api, "undo", number).await;
    let plan = api.read(&format!("{ZOHO}/plan?kind=user")).await;
    assert_eq!(plan["items"][0]["action"], "undo", "{plan}");
    assert_eq!(plan["items"][0]["differences"].as_array().unwrap().len(), shown["changes"].as_array().unwrap().len());
    assert_eq!(api.post(&format!("{ZOHO}/resume"), String::new()).await.status, 200);
    rest(&database).await;

    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), Some("adoption_undone".to_owned())));
    let now = contact(&zoho, &id).await;
    let value = |field: &str| now.get(field).cloned().unwrap_or_default();
    assert_eq!((value("Last_Name"), value("Mailing_City")), (json!("Oneil"), json!("Bonn")));
    assert_eq!((value("Phone"), value("First_Name")), (json!("0123"), json!("Anna")), "what people changed stays");
    assert_eq!((value("Moodle_User_Key"), value("Moodle_Sync_Status")), (Value::Null, Value::Null));
    // Its search shows the old key for a while; a change in Moodle does not bring the contact back.
    let mut moved = user(3, "ann");
    moved["city"] = json!("Ulm");
    server.site().apply(&[at(5, "user_updated", moved)]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await.1.as_deref(), Some("adoption_undone"));
    assert_eq!(contact(&zoho, &id).await["Mailing_City"], "Bonn");
    decide(&api, "approve", number).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), None));
    assert_eq!(contact(&zoho, &id).await["Mailing_City"], "Ulm");
    assert_conserved(&database);
    server.stop().await;
}

async fn an_undone_adoption_leaves_no_enrolment_behind(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let api = server.reader();
    adopted(&database, &zoho, &server).await;
    assert_eq!(zoho.records("Moodle_Enrolments").await[0]["Status"], "Active");
    let number = adoptions(&api, "").await[0]["number"].clone();
    decide(&api, "undo", &number).await;
    rest(&database).await;
    let enrolments = zoho.records("Moodle_Enrolments").await;
    assert_eq!((enrolments.len(), &enrolments[0]["Status"]), (1, &json!("Ended")), "it would show at a stranger");
    decide(&api, "approve", &number).await;
    rest(&database).await;
    assert_eq!(zoho.records("Moodle_Enrolments").await[0]["Status"], "Active");
    assert_conserved(&database);
    server.stop().await;
}

async fn an_undone_adoption_gives_way_to_an_own_contact(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start_by(&database, &zoho, &without_address()).await;
    let api = server.reader();
    let id = adopted(&database, &zoho, &server).await;
    let number = adoptions(&api, "").await[0]["number"].clone();
    decide(&api, "undo", &number).await;
    rest(&database).await;
    assert_eq!(contact(&zoho, &id).await["Last_Name"], "Oneil");
    let contacts = zoho.records("Contacts").await;
    let own = with(&contacts, "Moodle_User_Key", "moodle:3");
    assert_eq!((contacts.len(), own.get("Email")), (2, None));
    let enrolments = zoho.records("Moodle_Enrolments").await;
    assert_eq!((&enrolments[0]["Contact"]["id"], &enrolments[0]["Status"]), (&own["id"], &json!("Active")));
    server.stop().await;
}

/// If the process dies before the answer, the values are known.
async fn what_is_replaced_is_kept_before_it_is_written(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let id = import(&zoho, "Oneil").await;
    zoho.add_faults(json!([{
        "match": {"operation": "update", "module": "Contacts", "nth": 1}, "fault": "timeout_after_commit", "delay_ms": 60_000,
    }]))
    .await;
    let lease = [("BACKEND_SYNC_SYNC__LEASE_SECONDS", "2")];
    let server = start_with(&database, &zoho, &lease).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    let kept = "SELECT replaced FROM adoptions WHERE state = 'adopted'";
    let replaced = until("the values are kept", async || database.texts(kept).await.pop().flatten()).await;
    assert!(replaced.contains("Oneil") && replaced.contains("0123"), "{replaced}");
    server.kill();
    zoho.clear_faults().await;
    let server = start_with(&database, &zoho, &lease).await;
    rest(&database).await;
    let again = database.texts(kept).await.pop().flatten().unwrap();
    assert!(again.contains("Oneil"), "a second attempt does not take our own values for those before: {again}");
    let number = adoptions(&server.reader(), "").await[0]["number"].clone();
    decide(&server.reader(), "undo", &number).await;
    rest(&database).await;
    assert_eq!(contact(&zoho, &id).await["Last_Name"], "Oneil");
    server.stop().await;
}

async fn one_of_several_contacts_is_chosen(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let (first, second) = (import(&zoho, "Oneil").await, import(&zoho, "O Neil").await);
    let server = start(&database, &zoho).await;
    let api = server.reader();
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await.1.as_deref(), Some("email_taken"));
    let waiting = adoptions(&api, "?state=waiting&user=moodle:3").await;
    assert_eq!(waiting.len(), 2);
    let chosen = waiting.iter().find(|adoption| adoption["remote_id"] == json!(second)).unwrap();
    decide(&api, "approve", &chosen["number"]).await;
    rest(&database).await;
    assert_eq!(contact(&zoho, &second).await["Moodle_User_Key"], "moodle:3");
    assert_eq!(contact(&zoho, &first).await["Last_Name"], "Oneil");
    assert!(adoptions(&api, "?state=waiting").await.is_empty(), "the other one is not asked about any more");
    server.stop().await;
}

async fn an_erasure_and_retention_forget_replaced_values(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    adopted(&database, &zoho, &server).await;
    let kept = "SELECT count(*) FROM adoptions WHERE replaced IS NOT NULL";
    assert_eq!(database.count(kept).await, 1);
    let erase = ["erase", "--site", "moodle", "--user", "3", "--yes", "--no-wait", "--json"];
    let output = run_with(&database, &zoho.settings(), &erase);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(database.count(kept).await, 0);
    let certificate: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = certificate["rows"].as_array().unwrap();
    assert!(rows.iter().any(|rows| rows["table"] == "adoptions" && rows["rows"] == 1), "{certificate}");
    rest(&database).await;
    server.stop().await;

    // An old one, and a new one.
    for (id, at) in [(8, 1), (9, i64::MAX / 2)] {
        let sql = format!(
            "INSERT INTO adoptions (destination, site_id, moodle_id, remote_id, state, changed_at, replaced) \
             SELECT 'zoho', id, {id}, '{id}', 'adopted', {at}, '[]' FROM sites"
        );
        database.execute(&sql).await;
    }
    database.execute("DELETE FROM turns").await;
    let server = start(&database, &zoho).await;
    until("the old values are forgotten", async || (database.count(kept).await == 1).then_some(())).await;
    server.stop().await;
}

async fn the_console_shows_and_decides(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let id = import(&zoho, "Oneil").await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", registered())]).await;
    rest(&database).await;
    let looker = run_json(&database, &["token", "add", "looker", "--scope", "read", "--json"]);
    let looker = Browser::signed_in(&server, looker["token"].as_str().unwrap()).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let page = browser.get("/adoptions").await.html;
    assert!(page.contains(&id) && page.contains("Adopt the chosen"), "{page}");
    let number = database.count("SELECT max(id) FROM adoptions").await.to_string();
    let path = format!("/adoptions/{number}");
    let page = browser.get(&path).await.html;
    assert!(page.contains("Oneil") && page.contains("O&#39;Neil"), "{page}");
    let form = [("number", number.as_str()), ("decision", "approve")];
    let page = looker.get(&path).await.html;
    assert!(!page.contains("<form method=\"post\" action=\"/adoptions") && !page.contains("Oneil"), "{page}");
    assert_eq!(looker.post("/adoptions", &form).await.status, 403);
    assert_eq!(browser.post_from("/adoptions", &form, &[("sec-fetch-site", "cross-site")]).await.status, 403);
    assert_eq!(item(&database, "user", 3).await.0, "failed", "nothing was decided");
    let done = browser.post("/adoptions", &form).await;
    assert_eq!((done.status, done.header("location")), (303, Some("/adoptions?done=decided-1")));
    rest(&database).await;
    let page = browser.get(&path).await.html;
    assert!(page.contains("What an undo would write") && page.contains("What the adoption replaced"), "{page}");
    let again = browser.post("/adoptions", &form).await;
    assert!(again.status == 400 && again.html.contains("nothing to approve"), "{}", again.html);
    server.stop().await;
}
