//! Behaviour that the mapping file configures.

use backend_sync::{clock::Clock, store::Store, zoho::mapping::Mapping};
use serde_json::json;

use super::{item, rest, start, start_by, until};
use crate::support::{
    Database, Server, ZohoSimulator, command,
    events::{at, user},
};

on_both_databases!(
    a_record_that_is_gone_is_deleted,
    a_refused_deletion_is_not_taken_for_done,
    a_record_that_is_gone_is_blanked,
    a_record_that_is_gone_is_kept,
    old_attempts_are_forgotten,
);

/// A server with this policy for deleted users.
pub(super) async fn start_on_delete(database: &Database, zoho: &ZohoSimulator, on_delete: &str) -> Server {
    let text = Mapping::DEFAULT.replacen("on_delete = \"mark\"", &format!("on_delete = \"{on_delete}\""), 1);
    // With these policies, the status fields are not needed.
    let text = match on_delete {
        "blank" => text,
        _ => text.replacen("[user.deleted]\nMoodle_Status = \"Deleted\"\n", "", 1),
    };
    start_by(database, zoho, &text).await
}

async fn create_and_delete(server: &Server, database: &Database) {
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    rest(database).await;
    server.site().apply(&[at(2, "user_deleted", json!({"userid": 3}))]).await;
    rest(database).await;
    assert_eq!(item(database, "user", 3).await.0, "synced");
}

async fn a_record_that_is_gone_is_deleted(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start_on_delete(&database, &zoho, "delete").await;
    create_and_delete(&server, &database).await;
    assert_eq!(zoho.records("Contacts").await.len(), 0);
    assert_eq!(zoho.state().await["recycled"]["Contacts"], 1);
    // The user returns: Moodle had deleted it by mistake.
    server.site().apply(&[at(3, "user_updated", user(3, "ann"))]).await;
    rest(&database).await;
    assert_eq!(zoho.records("Contacts").await.len(), 1);
    server.stop().await;
}

/// Whether the record was there is only found out by inserting it again, and then Zoho refuses to delete it.
async fn a_refused_deletion_is_not_taken_for_done(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start_on_delete(&database, &zoho, "delete").await;
    zoho.add_faults(json!([
        {"match": {"operation": "insert", "module": "Contacts", "nth": 1}, "fault": "timeout_after_commit", "delay_ms": 1_500},
        {"match": {"operation": "delete", "module": "Contacts", "nth": 1}, "fault": "record_locked"},
    ]))
    .await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    until("the insert", async || (zoho.faults().await["faults"][0]["struck"] == 1).then_some(())).await;
    server.site().apply(&[at(2, "user_deleted", json!({"userid": 3}))]).await;
    rest(&database).await;
    let (contacts, log) = (zoho.records("Contacts").await, zoho.log().await);
    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), None), "{log:?}");
    assert_eq!((contacts.len(), &zoho.state().await["recycled"]["Contacts"]), (0, &json!(1)), "{contacts:?} {log:?}");
    assert_eq!(log.iter().filter(|call| call["method"] == "DELETE").count(), 2, "one was refused: {log:?}");
    server.stop().await;
}

async fn a_record_that_is_gone_is_blanked(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start_on_delete(&database, &zoho, "blank").await;
    create_and_delete(&server, &database).await;
    let contact = zoho.records("Contacts").await.pop().unwrap();
    for field in ["First_Name", "Email", "Moodle_Username"] {
        assert_eq!(contact.get(field).filter(|value| !value.is_null()), None, "{field}: {contact:?}");
    }
    let kept = (&contact["Moodle_User_Key"], &contact["Last_Name"], &contact["Moodle_Status"]);
    assert_eq!(kept, (&json!("moodle:3"), &json!("O'Neil"), &json!("Deleted")), "the key and what Zoho requires stay");
    server.stop().await;
}

async fn a_record_that_is_gone_is_kept(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start_on_delete(&database, &zoho, "keep").await;
    create_and_delete(&server, &database).await;
    let contact = zoho.records("Contacts").await.pop().unwrap();
    assert_eq!((&contact["Moodle_Status"], &contact["First_Name"]), (&json!("Active"), &json!("Ann")));
    server.stop().await;
}

async fn old_attempts_are_forgotten(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann")), at(2, "user_created", user(4, "ben"))]).await;
    rest(&database).await;
    server.stop().await;
    database.execute("UPDATE sync_attempts SET started_at = 1 WHERE moodle_id = 3").await;
    let store = Store::connect(&database.url.parse().unwrap()).await.unwrap();
    let hour_ago = backend_sync::clock::Timestamp(Clock::system().now().0 - 3_600_000);
    assert_eq!(store.prune_attempts(hour_ago, 1_000).await.unwrap(), 1);
    store.close().await;
    assert_eq!(database.texts("SELECT outcome FROM sync_attempts WHERE moodle_id = 4").await.len(), 1);
}

#[tokio::test]
async fn a_wrong_mapping_is_reported_at_the_start_by_line() {
    let database = Database::sqlite();
    let mapping = database.file("mapping.toml");
    std::fs::write(
        &mapping,
        "[user]\nmodule = \"Contacts\"\nkey = \"K\"\non_delete = \"burn\"\n[user.fields]\nA = { from = \"town\" }\n",
    )
    .unwrap();
    let output = command(&database.url)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .envs(["CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN"].map(|name| (format!("BACKEND_SYNC_ZOHO__{name}"), "x")))
        .env("BACKEND_SYNC_ZOHO__MAPPING", &mapping)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    for expected in ["line 4", "on_delete", "mapping.toml"] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
}
