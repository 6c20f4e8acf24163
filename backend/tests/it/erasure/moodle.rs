//! A person deleted in Moodle is erased here after the days of grace.

use serde_json::{Value, json};

use super::{ZELDA, begin_with, checked, search::assert_nowhere, zelda};
use crate::{
    delivery::{assert_conserved, rest, until},
    support::{
        Database,
        events::at,
        server::{run, run_json},
    },
};

on_both_databases!(a_deletion_in_moodle_erases, a_deletion_that_was_a_mistake_does_not, when_it_is_switched_off);

fn deletion(version: i64) -> Value {
    at(version, "user_deleted", json!({"userid": ZELDA, "username": "zquillmark", "email": "zquillmark@example.org"}))
}

async fn a_deletion_in_moodle_erases(database: Database) {
    let (zoho, server) = begin_with(&database, &[("BACKEND_SYNC_ERASURE__GRACE_DAYS", "0")]).await;
    server.site().apply(&[deletion(100)]).await;
    // The search for deleted people runs at the start and every minute.
    server.stop().await;
    let server = crate::delivery::start_with(&database, &zoho, &[("BACKEND_SYNC_ERASURE__GRACE_DAYS", "0")]).await;
    until("the request", async || (database.count("SELECT count(*) FROM erasures").await == 1).then_some(())).await;
    let certificate = checked(&database, 1, 1).await;
    assert_eq!((&certificate["requested_by"], &certificate["user"]), (&json!("moodle"), &json!("moodle:11")));
    assert_nowhere(&database, &server, &zoho).await;
    assert_eq!(database.count("SELECT count(*) FROM erasures").await, 1, "nobody else");
    assert_conserved(&database);
    server.stop().await;
}

async fn a_deletion_that_was_a_mistake_does_not(database: Database) {
    let (zoho, server) = begin_with(&database, &[]).await;
    server.site().apply(&[deletion(100)]).await;
    server.stop().await;
    let server = crate::delivery::start_with(&database, &zoho, &[]).await;
    let request =
        until("the request", async || run_json(&database, &["erasures", "list", "--json"]).get(0).cloned()).await;
    assert_eq!((&request["state"], &request["begun_at"]), (&json!("requested"), &Value::Null), "{request}");
    assert!(request["due_at"].as_str().unwrap()[..10] > request["requested_at"].as_str().unwrap()[..10], "{request}");
    // The account returns before the erasure is due.
    server.site().apply(&[at(101, "user_updated", zelda("Zeldamark"))]).await;
    database.execute("UPDATE erasures SET due_at = 0").await;
    until("it is withdrawn", async || {
        (database.count("SELECT count(*) FROM erasures WHERE state = 'lifted'").await == 1).then_some(())
    })
    .await;
    rest(&database).await;
    assert_eq!(server.reader().read("/api/v1/users/moodle:11").await["firstname"], "Zeldamark");
    // Deleted again, the person is scheduled again; an operator may cancel.
    server.site().apply(&[deletion(102)]).await;
    server.stop().await;
    let server = crate::delivery::start_with(&database, &zoho, &[]).await;
    until("the second request", async || {
        (database.count("SELECT count(*) FROM erasures WHERE state = 'requested'").await == 1).then_some(())
    })
    .await;
    assert!(run(&database, &["erasures", "lift", "2"]).status.success());
    assert_eq!(database.count("SELECT erased FROM counters WHERE name = 'event'").await, 0);
    server.stop().await;
}

async fn when_it_is_switched_off(database: Database) {
    let off = [("BACKEND_SYNC_ERASURE__GRACE_DAYS", "0"), ("BACKEND_SYNC_ERASURE__ON_USER_DELETED", "false")];
    let (zoho, server) = begin_with(&database, &off).await;
    server.site().apply(&[deletion(100)]).await;
    server.stop().await;
    let server = crate::delivery::start_with(&database, &zoho, &off).await;
    // A requested erasure is handled in the same rounds, which proves that the others had their turn.
    let answer = server.reader().post("/api/v1/erasures", json!({"site": "moodle", "user": 12}).to_string()).await;
    checked(&database, answer.json()["id"].as_i64().unwrap(), 1).await;
    assert_eq!(database.count("SELECT count(*) FROM erasures").await, 1);
    server.stop().await;
}
