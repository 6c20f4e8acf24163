//! What people decided after a backup was made stays decided when it is restored.

use serde_json::{Value, json};

use super::{another, registered, run_well};
use crate::{
    delivery::{item, rest, start_with, with},
    support::{
        Database, Server, ZohoSimulator,
        events::{at, user, user_event},
        server::run_with,
        wait::until,
    },
};

on_both_databases!(
    decided_adoptions_stay_decided,
    requested_and_withdrawn_erasures_stay_so,
    no_erasure_is_claimed_that_the_register_lacks,
);

const ADOPTIONS: &str = "/api/v1/destinations/zoho/adoptions";

/// With both at 0, each erasure waits.
const BRAKE: [&str; 2] = ["BACKEND_SYNC_BRAKE__MINIMUM", "BACKEND_SYNC_BRAKE__PERCENT"];

/// Imports a contact of an address as admissions does, and returns its id.
async fn import(zoho: &ZohoSimulator, name: &str) -> String {
    let contact = json!({"Last_Name": name, "Email": format!("{name}@example.com"), "Mailing_City": "Bonn"});
    zoho.make_by_hand("Contacts", contact).await;
    zoho.advance(60).await;
    zoho.records("Contacts").await.last().unwrap()["id"].as_str().unwrap().to_owned()
}

/// An account of somebody who registered without us: it may not adopt without asking.
fn registered_by_itself(id: i64, name: &str) -> Value {
    let mut account = user(id, name);
    account.as_object_mut().unwrap().extend(json!({"confirmed": true, "auth": "email"}).as_object().unwrap().clone());
    at(1, "user_created", account)
}

async fn decided_adoptions_stay_decided(database: Database) {
    let (register, file) = (database.file("register"), database.file("backup"));
    let settings = [("BACKEND_SYNC_BACKUP__REGISTER", register.to_str().unwrap())];
    let zoho = ZohoSimulator::start_set_up().await;
    let mut contacts = Vec::new();
    for name in ["ann", "ben", "cid", "dan"] {
        contacts.push(import(&zoho, name).await);
    }
    let contact = async |id: &str| with(&zoho.records("Contacts").await, "id", id).clone();
    let server = start_with(&database, &zoho, &settings).await;
    // Ann and Ben ask; Cid is adopted.
    let accounts = [registered_by_itself(3, "ann"), registered_by_itself(4, "ben"), user_event(5, "cid")];
    server.site().apply(&accounts).await;
    rest(&database).await;
    run_well(&database, &register, &["backup", file.to_str().unwrap()]);
    // Dan comes afterwards, and is adopted, too.
    let dan = at(1, "user_created", user(6, "dan"));
    server.site().apply(std::slice::from_ref(&dan)).await;
    rest(&database).await;
    let listed = server.reader().list(ADOPTIONS).await;
    for (decision, account) in
        [("refuse", "moodle:3"), ("approve", "moodle:4"), ("undo", "moodle:5"), ("undo", "moodle:6")]
    {
        let number = &listed.iter().find(|adoption| adoption["record"] == account).unwrap()["number"];
        let body = json!({"decision": decision, "numbers": [number]}).to_string();
        assert_eq!(server.reader().post(ADOPTIONS, body).await.status, 200);
    }
    rest(&database).await;
    // Zoho finds nothing that was just written.
    zoho.advance(60).await;
    let before = [contact(&contacts[0]).await, contact(&contacts[2]).await, contact(&contacts[3]).await];
    server.stop().await;
    let text = std::fs::read_to_string(&register).unwrap();
    assert!(!text.contains("Bonn") && !text.contains("example.com") && text.contains("undone"), "{text}");

    let other = another(&database).await;
    run_well(&other, &register, &["restore", file.to_str().unwrap()]);
    let server = start_with(&other, &zoho, &settings).await;
    let waiting = server.reader().list(&format!("{ADOPTIONS}?state=waiting")).await;
    assert!(waiting.is_empty(), "nobody is asked again: {waiting:?}");
    // Moodle sends what the backup lacks, and something new about everybody.
    let again = |id: i64, name: &str| {
        let mut account = user(id, name);
        account["city"] = json!("Ulm");
        at(2, "user_updated", account)
    };
    server.site().apply(&[dan, again(3, "ann"), again(4, "ben"), again(5, "cid"), again(6, "dan")]).await;
    rest(&other).await;
    assert_eq!(item(&other, "user", 3).await.1.as_deref(), Some("adoption_refused"));
    assert_eq!(item(&other, "user", 4).await, ("synced".to_owned(), None));
    assert_eq!(contact(&contacts[1]).await["Mailing_City"], "Ulm");
    for (place, id) in [(0, &contacts[0]), (1, &contacts[2]), (2, &contacts[3])] {
        assert_eq!(contact(id).await, before[place], "nobody's word is undone");
    }
    assert_eq!(zoho.records("Contacts").await.len(), contacts.len(), "and nobody is doubled");
    server.stop().await;
    // What the database knows is entered again where the register lost its file.
    std::fs::remove_file(&register).unwrap();
    run_well(&other, &register, &["sync", "status"]);
    assert!(run_well(&other, &register, &["doctor"]).contains("4 decided adoptions"));
}

async fn requested_and_withdrawn_erasures_stay_so(database: Database) {
    let (register, file) = (database.file("register"), database.file("backup"));
    let server = Server::start_with(&database, &registered(&register)).await;
    server.site().apply(&[user_event(3, "ann"), user_event(4, "ben"), user_event(5, "cid")]).await;
    // Each waits for a person.
    let mut settings = registered(&register).to_vec();
    settings.extend(BRAKE.map(|name| (name, "0".to_owned())));
    let erase = |user: &str| {
        let output =
            run_with(&database, &settings, &["erase", "--site", "moodle", "--user", user, "--yes", "--no-wait"]);
        assert!(output.status.success(), "{output:?}");
    };
    erase("3");
    run_well(&database, &register, &["backup", file.to_str().unwrap()]);
    run_well(&database, &register, &["erasures", "lift", "1"]);
    erase("4");
    server.stop().await;
    run_well(&database, &register, &["restore", file.to_str().unwrap(), "--replace", "--yes"]);
    run_well(&database, &register, &["doctor"]);
    let state = async |user: i64| {
        let states = database.texts(&format!("SELECT state FROM erasures WHERE moodle_id = {user}")).await;
        states.into_iter().flatten().collect::<String>()
    };
    assert_eq!(state(3).await, "lifted", "Ann's erasure was withdrawn");
    assert_eq!(state(4).await, "requested", "Ben's was requested");
    assert_eq!(database.count("SELECT count(*) FROM users WHERE username IS NULL").await, 0);
    // Opened again, nothing more happens.
    run_well(&database, &register, &["doctor"]);
    assert_eq!(database.count("SELECT count(*) FROM erasures").await, 2);
}

async fn no_erasure_is_claimed_that_the_register_lacks(database: Database) {
    let (folder, away) = (database.file("kept"), database.file("away"));
    std::fs::create_dir(&folder).unwrap();
    let register = folder.join("register");
    let mut settings = registered(&register).to_vec();
    settings.extend(BRAKE.map(|name| (name, "0".to_owned())));
    let server = Server::start_with(&database, &settings).await;
    server.site().apply(&[user_event(3, "ann"), user_event(4, "ben")]).await;
    let ask = async |user: i64| {
        server.reader().post("/api/v1/erasures", json!({"site": "moodle", "user": user}).to_string()).await.status
    };
    assert_eq!(ask(4).await, 200);
    let braked = "SELECT count(*) FROM erasures WHERE braked_at IS NOT NULL";
    until("Ben waits for a decision", async || (database.count(braked).await == 1).then_some(())).await;
    std::fs::rename(&folder, &away).unwrap();
    // One that is asked for, and one that was to begin.
    assert_eq!(ask(3).await, 503);
    let approve = ["sync", "brake", "approve", "--site", "moodle", "--effect", "erasure"];
    assert!(run_with(&database, &settings, &approve).status.success());
    let tried = || server.log().matches("cannot write the register").count() > 2;
    until("the server tries to erase", async || tried().then_some(())).await;
    let states = database.texts("SELECT state FROM erasures").await;
    assert_eq!(states, [Some("requested".to_owned())]);
    assert_eq!(database.count("SELECT count(*) FROM users WHERE username IS NOT NULL").await, 2);
    std::fs::rename(&away, &folder).unwrap();
    let erased = "SELECT count(*) FROM users WHERE username IS NULL";
    until("Ben is erased", async || (database.count(erased).await == 1).then_some(())).await;
    let text = std::fs::read_to_string(&register).unwrap();
    assert!(text.contains(r#"{"erased":{"site":"moodle","user":4"#) && !text.contains(r#""user":3"#), "{text}");
    server.stop().await;
}
