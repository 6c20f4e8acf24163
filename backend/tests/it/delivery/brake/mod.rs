//! The brake: unusually much that cannot be undone waits for a person, and nothing else does.

use serde_json::{Map, Value, json};

mod deciding;
mod erasing;

use super::{assert_conserved, item, reason, rest, start_with, until};
use crate::support::{
    Database, Server, ZohoSimulator,
    events::{at, course, enrolment, grade, user},
    server::{run, run_json, run_with},
};

use backend_sync::zoho::mapping::Mapping;

on_both_databases!(
    a_flood_of_deletions_waits_for_a_person,
    what_is_refused_is_an_exception,
    an_expected_flood_is_approved_ahead,
    two_processes_share_the_count,
    who_returns_while_waiting_is_delivered,
    what_was_done_longer_ago_does_not_count,
    adoptions_wait_as_they_were_planned,
    what_a_person_decided_is_not_asked_again,
    what_the_mapping_deletes_waits,
    the_brake_can_be_off,
);

/// Few are ordinary, whatever the number of people.
fn ordinary(minimum: &str) -> [(&'static str, &str); 4] {
    [
        ("BACKEND_SYNC_BRAKE__MINIMUM", minimum),
        ("BACKEND_SYNC_BRAKE__PERCENT", "0"),
        ("BACKEND_SYNC_ALERTS__INTERVAL_SECONDS", "1"),
        ("BACKEND_SYNC_ERASURE__GRACE_DAYS", "0"),
    ]
}

/// A server that has delivered these people.
async fn with_people(database: &Database, zoho: &ZohoSimulator, minimum: &str, people: std::ops::Range<i64>) -> Server {
    let server = start_with(database, zoho, &ordinary(minimum)).await;
    let events: Vec<Value> = people.map(|id| at(1, "user_created", user(id, &format!("u{id}")))).collect();
    server.site().apply(&events).await;
    rest(database).await;
    server
}

async fn delete(server: &Server, database: &Database, people: std::ops::Range<i64>) {
    let events: Vec<Value> = people.map(|id| at(2, "user_deleted", json!({ "userid": id }))).collect();
    server.site().apply(&events).await;
    rest(database).await;
}

/// How many contacts are marked as deleted.
async fn marked(zoho: &ZohoSimulator) -> usize {
    zoho.records("Contacts").await.iter().filter(|contact| contact["Moodle_Status"] == "Deleted").count()
}

/// How many items have this state and code.
async fn coded(database: &Database, state: &str, code: &str) -> i64 {
    database.count(&format!("SELECT count(*) FROM sync_items WHERE state = '{state}' AND code = '{code}'")).await
}

/// What `sync brake` says about an effect at the site.
fn brake(database: &Database, settings: &[(&str, &str)], effect: &str) -> Value {
    let output = run_with(database, settings, &["sync", "brake", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let effects = found["sites"][0]["effects"].as_array().unwrap();
    effects.iter().find(|found| found["effect"] == effect).unwrap().clone()
}

fn decide(database: &Database, arguments: &[&str]) -> String {
    let all: Vec<&str> = ["sync", "brake"].into_iter().chain(arguments.iter().copied()).collect();
    let output = run(database, &all);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn a_flood_of_deletions_waits_for_a_person(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = with_people(&database, &zoho, "10", 1..201).await;
    let others = [at(1, "course_created", course(7, "bio")), at(1, "grade_updated", grade(1, 150, 1, 7, "50.00000"))];
    let enrolled: Vec<Value> =
        (101..131).map(|id| at(1, "user_enrolled", enrolment(id, id, 7))).chain(others).collect();
    server.site().apply(&enrolled).await;
    rest(&database).await;
    let mut flood: Vec<Value> = (1..201).map(|id| at(2, "user_deleted", json!({ "userid": id }))).collect();
    // Results and unenrolments are ordinary, however many.
    flood.push(at(2, "grade_updated", grade(1, 150, 1, 7, "85.00000")));
    flood.extend((101..131).map(|id| at(2, "enrolment_deleted", enrolment(id, id, 7))));
    server.site().apply(&flood).await;
    rest(&database).await;
    assert_eq!((marked(&zoho).await, coded(&database, "failed", "braked_deletion").await), (10, 190));
    assert_eq!(zoho.records("Moodle_Grades").await[0]["Final_Grade"], 85.0);
    let ended = zoho.records("Moodle_Enrolments").await;
    assert_eq!(ended.iter().filter(|enrolment| enrolment["Status"] == "Ended").count(), 30, "{ended:?}");
    assert_conserved(&database);
    let words = reason(&database, "user", 200).await;
    assert!(words.contains("more than 10 deletions of people within 60 minutes"), "{words}");
    assert!(words.contains("backend-sync sync brake --site moodle") && !words.contains("u200"), "{words}");

    let found = brake(&database, &ordinary("10"), "deletion");
    assert_eq!((&found["done"], &found["limit"], &found["waiting"]), (&json!(10), &json!(10), &json!(190)));
    assert_eq!(found["records"].as_array().unwrap().len(), 20);
    let reader = server.reader();
    // The first look may have come while they arrived.
    let alert = until("the alert", async || {
        let alerts = reader.list("/api/v1/alerts").await;
        let counts_all = |alert: &Value| alert["message"].as_str().is_some_and(|text| text.contains("190 deletions"));
        alerts.into_iter().find(|alert| alert["rule"] == "braked" && counts_all(alert))
    })
    .await;
    let message = alert["message"].as_str().unwrap();
    assert!(message.contains("190 deletions of people") && message.contains("approve or refuse"), "{message}");
    assert_eq!((&alert["subject"], &alert["severity"]), (&json!("site:moodle"), &json!("critical")));
    assert!(reader.list("/api/v1/alerts").await.iter().all(|alert| alert["rule"] != "failed"), "one cause, one alert");
    let metric = until("the metric", async || {
        let metrics = reader.get("/metrics").await.text;
        metrics
            .lines()
            .find(|line| line.starts_with("backend_sync_braked") && line.ends_with(" 190"))
            .map(str::to_owned)
    })
    .await;
    assert!(metric.contains("effect=\"deletion\"") && metric.contains("site=\"moodle\""), "{metric}");

    // A restart and a retry change nothing: a person decides.
    server.stop().await;
    let server = start_with(&database, &zoho, &ordinary("10")).await;
    assert!(run(&database, &["sync", "retry"]).status.success());
    rest(&database).await;
    assert_eq!((marked(&zoho).await, coded(&database, "failed", "braked_deletion").await), (10, 190));
    assert!(decide(&database, &["approve", "--site", "moodle", "--number", "100"]).contains("Approved: 100 records"));
    rest(&database).await;
    assert_eq!((marked(&zoho).await, coded(&database, "failed", "braked_deletion").await), (110, 90));
    // Its erasure may be under way already.
    assert_ne!(item(&database, "user", 1).await.0, "failed", "those first that waited longest");
    decide(&database, &["approve", "--site", "moodle", "--kind", "deletion"]);
    rest(&database).await;
    assert_eq!((marked(&zoho).await, coded(&database, "failed", "braked_deletion").await), (200, 0));
    assert_eq!(brake(&database, &ordinary("10"), "deletion")["done"], 10, "what was approved is not counted");
    assert_conserved(&database);
    server.stop().await;
}

async fn what_is_refused_is_an_exception(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = with_people(&database, &zoho, "2", 1..7).await;
    delete(&server, &database, 1..7).await;
    assert_eq!((marked(&zoho).await, coded(&database, "failed", "braked_deletion").await), (2, 4));
    let waiting = brake(&database, &ordinary("2"), "deletion")["records"].clone();
    let first = waiting[0]["record"].as_str().unwrap().to_owned();
    let body = json!({"site": "moodle", "record": format!("user:{first}")});
    let answer = server.reader().post("/api/v1/brake/refuse", body.to_string()).await;
    assert_eq!((answer.status, &answer.json()["records"]), (200, &json!(1)), "{}", answer.text);
    rest(&database).await;
    assert_eq!(coded(&database, "synced", "excepted_deletion").await, 1);
    decide(&database, &["refuse", "--site", "moodle", "--by", "Registrar"]);
    rest(&database).await;
    assert_eq!((marked(&zoho).await, coded(&database, "synced", "excepted_deletion").await), (2, 4));
    let found = brake(&database, &ordinary("2"), "deletion");
    assert_eq!((&found["waiting"], &found["excepted"]), (&json!(0), &json!(4)), "{found}");
    let by: Vec<&str> = found["exceptions"].as_array().unwrap().iter().map(|one| one["by"].as_str().unwrap()).collect();
    assert_eq!(by.iter().filter(|by| **by == "Registrar").count(), 3, "{by:?}");
    let sql = "SELECT reason FROM sync_items WHERE code = 'excepted_deletion'";
    assert!(
        database.texts(sql).await.iter().flatten().all(|words| words.contains("Kept in Zoho as it is by the decision"))
    );
    // The decision stands when the record is delivered again.
    assert!(run(&database, &["sync", "resync", "--yes"]).status.success());
    rest(&database).await;
    assert_eq!((marked(&zoho).await, coded(&database, "synced", "excepted_deletion").await), (2, 4));
    assert_conserved(&database);
    decide(&database, &["withdraw", "--site", "moodle"]);
    rest(&database).await;
    assert_eq!((marked(&zoho).await, coded(&database, "failed", "braked_deletion").await), (2, 4));
    decide(&database, &["approve", "--site", "moodle"]);
    rest(&database).await;
    assert_eq!(marked(&zoho).await, 6);
    server.stop().await;
}

async fn an_expected_flood_is_approved_ahead(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = with_people(&database, &zoho, "2", 1..13).await;
    let ahead = ["approve", "--site", "moodle", "--effect", "deletion", "--number", "8", "--for", "2"];
    assert!(decide(&database, &ahead).contains("Approved ahead: 8 more"));
    delete(&server, &database, 1..11).await;
    assert_eq!((marked(&zoho).await, coded(&database, "failed", "braked_deletion").await), (10, 0));
    let approvals = run_json(&database, &["sync", "brake", "--json"])["approvals"].clone();
    assert_eq!((&approvals[0]["number"], &approvals[0]["used"]), (&json!(8), &json!(8)), "{approvals}");
    // It is used up; what comes beyond waits. One that has ended approves nothing.
    decide(&database, &ahead);
    database.execute("UPDATE brake_approvals SET until_at = 1").await;
    delete(&server, &database, 11..13).await;
    assert_eq!((marked(&zoho).await, coded(&database, "failed", "braked_deletion").await), (10, 2));
    server.stop().await;
}

async fn two_processes_share_the_count(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = with_people(&database, &zoho, "7", 1..301).await;
    let other = start_with(&database, &zoho, &ordinary("7")).await;
    let events: Vec<Value> = (1..301).map(|id| at(2, "user_deleted", json!({ "userid": id }))).collect();
    server.site().apply(&events).await;
    rest(&database).await;
    assert_eq!((marked(&zoho).await, coded(&database, "failed", "braked_deletion").await), (7, 293));
    other.stop().await;
    server.stop().await;
}

async fn who_returns_while_waiting_is_delivered(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = with_people(&database, &zoho, "0", 1..4).await;
    delete(&server, &database, 1..4).await;
    assert_eq!((marked(&zoho).await, coded(&database, "failed", "braked_deletion").await), (0, 3));
    let mut back = user(1, "u1");
    back["city"] = json!("Ulm");
    server.site().apply(&[at(3, "user_updated", back)]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 1).await, ("synced".to_owned(), None));
    assert_eq!(brake(&database, &ordinary("0"), "deletion")["waiting"], 2, "it is harmless now");
    // A refusal was about that deletion, not about another one.
    decide(&database, &["refuse", "--site", "moodle"]);
    rest(&database).await;
    let mut back = user(2, "u2");
    back["city"] = json!("Ulm");
    server.site().apply(&[at(3, "user_updated", back)]).await;
    rest(&database).await;
    server
        .site()
        .apply(&[at(4, "user_deleted", json!({"userid": 2})), at(4, "user_deleted", json!({"userid": 1}))])
        .await;
    rest(&database).await;
    for id in [1, 2] {
        assert_eq!(item(&database, "user", id).await, ("failed".to_owned(), Some("braked_deletion".to_owned())));
    }
    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), Some("excepted_deletion".to_owned())));
    assert_conserved(&database);
    server.stop().await;
}

async fn what_was_done_longer_ago_does_not_count(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = with_people(&database, &zoho, "2", 1..7).await;
    delete(&server, &database, 1..5).await;
    assert_eq!((marked(&zoho).await, coded(&database, "failed", "braked_deletion").await), (2, 2));
    database.execute("UPDATE brake_effects SET at = at - 3600001 WHERE state = 'done'").await;
    delete(&server, &database, 5..7).await;
    assert_eq!(marked(&zoho).await, 4);
    database.execute("UPDATE brake_effects SET at = at - 3600001 WHERE state = 'done'").await;
    assert!(run(&database, &["sync", "retry"]).status.success());
    rest(&database).await;
    assert_eq!((marked(&zoho).await, coded(&database, "failed", "braked_deletion").await), (4, 2), "what waits, waits");
    server.stop().await;
}

/// Imports contacts with the addresses of these people, as admissions does.
async fn import(zoho: &ZohoSimulator, people: std::ops::Range<i64>) {
    for id in people {
        let contact = json!({"Last_Name": "Import", "Email": format!("u{id}@example.com")});
        zoho.make_by_hand("Contacts", contact).await;
    }
    zoho.advance(60).await;
}

fn people(range: std::ops::Range<i64>) -> Vec<Value> {
    range.map(|id| at(1, "user_created", user(id, &format!("u{id}")))).collect()
}

fn adopted(contacts: &[Map<String, Value>]) -> usize {
    contacts.iter().filter(|contact| contact.get("Moodle_User_Key").is_some_and(|key| !key.is_null())).count()
}

async fn adoptions_wait_as_they_were_planned(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    import(&zoho, 1..6).await;
    let server = start_with(&database, &zoho, &ordinary("2")).await;
    let operator = server.reader();
    operator.post("/api/v1/destinations/zoho/pause", "{}").await;
    server.site().apply(&people(1..8)).await;
    let enrolled = [at(1, "course_created", course(7, "bio")), at(1, "user_enrolled", enrolment(5, 5, 7))];
    server.site().apply(&enrolled).await;
    let plan = operator.read("/api/v1/destinations/zoho/plan?kind=user&limit=100").await;
    assert_eq!(plan["actions"], json!({"adopt": 2, "brake": 3, "insert": 2}), "{plan}");
    assert_eq!(database.count("SELECT count(*) FROM brake_effects").await, 0, "a plan counts nothing");
    operator.post("/api/v1/destinations/zoho/resume", "{}").await;
    rest(&database).await;
    assert_eq!(coded(&database, "failed", "braked_adoption").await, 3);
    assert_eq!((adopted(&zoho.records("Contacts").await), zoho.records("Contacts").await.len()), (4, 7));
    assert_eq!(item(&database, "enrolment", 5).await.0, "parked");
    decide(&database, &["refuse", "--site", "moodle", "--record", "user:moodle:4"]);
    rest(&database).await;
    assert_eq!(item(&database, "user", 4).await, ("synced".to_owned(), Some("excepted_adoption".to_owned())));
    decide(&database, &["approve", "--site", "moodle", "--effect", "adoption"]);
    rest(&database).await;
    assert_eq!(item(&database, "user", 5).await, ("synced".to_owned(), None));
    assert_eq!(item(&database, "enrolment", 5).await, ("synced".to_owned(), None), "it follows");
    assert_eq!(adopted(&zoho.records("Contacts").await), 6);
    assert_conserved(&database);
    server.stop().await;
}

async fn what_a_person_decided_is_not_asked_again(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    import(&zoho, 3..4).await;
    let id = zoho.records("Contacts").await[0]["id"].clone();
    let server = start_with(&database, &zoho, &ordinary("0")).await;
    let mut registered = user(3, "u3");
    registered["auth"] = json!("email");
    server.site().apply(&[at(1, "user_created", registered)]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await.1.as_deref(), Some("adoption_asks"));
    zoho.make_by_hand("Contacts", json!({"id": id, "Moodle_User_Key": "moodle:3"})).await;
    assert!(run(&database, &["sync", "retry"]).status.success());
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), None));
    server.stop().await;
}

async fn what_the_mapping_deletes_waits(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let (before, table) = Mapping::DEFAULT.split_once("\n[enrolment]\n").unwrap();
    let table = table.replacen("on_delete = \"mark\"", "on_delete = \"delete\"", 1);
    let table = table.replacen("[enrolment.deleted]\nStatus = \"Ended\"\n", "", 1);
    let mapping = format!("{before}\n[enrolment]\n{table}");
    let file = database.file("mapping.toml");
    std::fs::write(&file, &mapping).unwrap();
    let mut settings = ordinary("2").to_vec();
    settings.push(("BACKEND_SYNC_ZOHO__MAPPING", file.to_str().unwrap()));
    let server = start_with(&database, &zoho, &settings).await;
    let mut events = people(1..6);
    events.push(at(1, "course_created", course(7, "bio")));
    events.extend((1..6).map(|id| at(1, "user_enrolled", enrolment(id, id, 7))));
    server.site().apply(&events).await;
    rest(&database).await;
    assert_eq!(zoho.records("Moodle_Enrolments").await.len(), 5);
    let gone: Vec<Value> = (1..6).map(|id| at(2, "enrolment_deleted", enrolment(id, id, 7))).collect();
    server.site().apply(&gone).await;
    rest(&database).await;
    assert_eq!(zoho.records("Moodle_Enrolments").await.len(), 3);
    assert_eq!(coded(&database, "failed", "braked_removal").await, 3);
    decide(&database, &["approve", "--site", "moodle", "--effect", "removal"]);
    rest(&database).await;
    assert_eq!(zoho.records("Moodle_Enrolments").await.len(), 0);
    assert_conserved(&database);
    server.stop().await;
}

async fn the_brake_can_be_off(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = with_people(&database, &zoho, "1", 1..5).await;
    delete(&server, &database, 1..5).await;
    assert_eq!(marked(&zoho).await, 1);
    server.stop().await;
    let mut off = ordinary("1").to_vec();
    off.push(("BACKEND_SYNC_BRAKE__WINDOW_MINUTES", "0"));
    let server = start_with(&database, &zoho, &off).await;
    assert!(run(&database, &["sync", "retry"]).status.success());
    rest(&database).await;
    assert_eq!((marked(&zoho).await, coded(&database, "failed", "braked_deletion").await), (4, 0));
    for (setting, wrong) in [("PERCENT", "101"), ("WINDOW_MINUTES", "10081"), ("MINIMUM", "-1")] {
        let variable = format!("BACKEND_SYNC_BRAKE__{setting}");
        let output = run_with(&database, &[(variable.as_str(), wrong)], &["sync", "brake"]);
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && words.contains(&setting.to_lowercase()), "{setting}: {words}");
    }
    server.stop().await;
}
