//! An older database in the place of the one that was there, without our command.

use serde_json::Value;

use super::{registered, run_well};
use crate::support::{Database, Server, events::user_event};

on_both_databases!(an_older_database_is_noticed, a_register_that_is_gone_is_written_again);

/// Takes away what came last, as an older copy of the file or a standby that was behind lacks it.
async fn go_back(database: &Database) {
    for sql in [
        "DELETE FROM erasures",
        "UPDATE tokens SET revoked_at = NULL",
        "UPDATE users SET username = 'back', deleted = FALSE WHERE moodle_id = 3",
        "DELETE FROM changes WHERE moodle_id = 5",
        "DELETE FROM events WHERE moodle_id = 5",
        "DELETE FROM users WHERE moodle_id = 5",
        "UPDATE counters SET value = 2, erased = 0 WHERE name = 'event'",
    ] {
        database.execute(sql).await;
    }
}

async fn an_older_database_is_noticed(database: Database) {
    let register = database.file("register");
    let server = Server::start_with(&database, &registered(&register)).await;
    server.site().apply(&[user_event(3, "ann"), user_event(4, "ben")]).await;
    let early = server.reader().read("/api/v1/changes").await["next_cursor"].as_str().unwrap().to_owned();
    run_well(&database, &register, &["erase", "--site", "moodle", "--user", "3", "--yes", "--no-wait"]);
    server.site().apply(&[user_event(5, "cid")]).await;
    let late = server.reader().read("/api/v1/changes").await["next_cursor"].as_str().unwrap().to_owned();
    // Without an end of the life, a cursor goes on where it was.
    server.reader().read(&format!("/api/v1/changes?after={early}")).await;
    server.stop().await;
    let server = Server::start_with(&database, &registered(&register)).await;
    server.reader().read(&format!("/api/v1/changes?after={late}")).await;
    let highest = database.count("SELECT value FROM counters WHERE name = 'event'").await;
    server.stop().await;

    go_back(&database).await;
    let server = Server::start_with(&database, &registered(&register)).await;
    for cursor in [early, late] {
        server.reader().get(&format!("/api/v1/changes?after={cursor}")).await.problem(410, "cursor_gone");
    }
    server.logged(|line| line["message"].as_str().is_some_and(|text| text.contains("begins a new life"))).await;
    let erased = server.reader().read("/api/v1/users/moodle:3").await;
    assert_eq!((&erased["deleted"], &erased["username"]), (&Value::Bool(true), &Value::Null), "{erased}");
    server.site().apply(&[user_event(6, "dan")]).await;
    let newest = database.count("SELECT max(id) FROM events").await;
    assert!(newest > highest, "{newest} after {highest}");
    // Pages of a filter step over the numbers that the new life left out.
    let first = server.reader().read("/api/v1/events?site=moodle").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let last = server.reader().read(&format!("/api/v1/events?site=moodle&cursor={cursor}")).await;
    assert_eq!((&last["items"][0]["id"], &last["next_cursor"]), (&newest.into(), &Value::Null), "{first} {last}");
    let next = server.reader().read("/api/v1/changes").await["next_cursor"].as_str().unwrap().to_owned();
    server.stop().await;
    // Once, not at each start.
    let server = Server::start_with(&database, &registered(&register)).await;
    server.reader().read(&format!("/api/v1/changes?after={next}")).await;
    server.stop().await;
}

async fn a_register_that_is_gone_is_written_again(database: Database) {
    let register = database.file("register");
    let server = Server::start_with(&database, &registered(&register)).await;
    server.site().apply(&[user_event(3, "ann")]).await;
    run_well(&database, &register, &["erase", "--site", "moodle", "--user", "3", "--yes", "--no-wait"]);
    server.stop().await;
    std::fs::remove_file(&register).unwrap();
    Server::start_with(&database, &registered(&register)).await.stop().await;
    let text = std::fs::read_to_string(&register).unwrap();
    assert!(text.contains("\"erased\"") && text.contains("\"life\""), "{text}");
    assert!(run_well(&database, &register, &["doctor"]).contains("1 erasure, 0 revoked tokens"));
}
