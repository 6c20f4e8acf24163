//! Regressions: races, limits and corners of the contract.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{
    Database, Server,
    api::{Api, BATCH, errors},
    browser::Browser,
    events::{TIME, at, grade, user, user_event},
    server::{SITE, run, run_json},
    wait::SOON,
};

on_both_databases!(
    a_parameter_with_nul_is_a_bad_request,
    the_server_stops_in_time_though_the_database_hangs,
    a_request_is_answered_in_time_though_the_database_hangs,
    a_revoked_token_is_refused_whatever_it_sends,
    a_revoked_batch_does_not_shift_the_answers_of_others,
    the_feed_has_all_grades_of_a_changed_item,
    a_batch_is_an_object,
    an_event_without_a_time_is_not_older_than_all_others,
);
on_both_databases!(empty: two_servers_start_at_once_on_an_empty_database);

/// PostgreSQL's text cannot contain NUL.
async fn a_parameter_with_nul_is_a_bad_request(database: Database) {
    let server = Server::start(&database).await;
    for (path, parameter, code) in [
        ("users?email=%00", "email", "invalid_character"),
        ("users?email=a%00b", "email", "invalid_character"),
        ("users?site=%00", "site", "unknown_value"),
        ("enrolments?site=%00&user=3", "site", "unknown_value"),
    ] {
        let answer = server.reader().get(&format!("/api/v1/{path}")).await;
        answer.problem(400, "invalid_parameter");
        assert_eq!(answer.errors(), [(parameter.to_owned(), code.to_owned())], "{path}");
    }
}

async fn two_servers_start_at_once_on_an_empty_database(database: Database) {
    let servers: [Server; 2] = Server::start_together(&database).await;
    let shown: usize = servers.iter().map(|server| server.printed().matches("bss_").count()).sum();
    assert_eq!(shown, 1, "one of them shows the tokens");
    for table in ["sites", "tokens WHERE scope = 'ingest'", "tokens WHERE scope = 'operate'"] {
        assert_eq!(database.count(&format!("SELECT count(*) FROM {table}")).await, 1, "{table}");
    }
    // Both know the tokens, write, and see each other's writes.
    for (id, server) in (1..).zip(&servers) {
        server.site().apply(&[user_event(id, "a")]).await;
    }
    for server in servers {
        assert_eq!(server.reader().list("/api/v1/users").await.len(), 2);
        server.stop().await;
    }
}

async fn the_server_stops_in_time_though_the_database_hangs(database: Database) {
    let mut server = Server::start_with(&database, &[("BACKEND_SYNC_SHUTDOWN__GRACE_SECONDS", "2")]).await;
    server.site().apply(&[user_event(1, "a")]).await;
    let lock = database.hold_writers_lock().await;
    let site = server.site();
    let stuck = tokio::spawn(async move {
        let batch = json!({"events": [user_event(2, "b")]}).to_string();
        site.try_send(site.post_request(BATCH, batch)).await.map(|answer| answer.status)
    });
    server.queued(1).await;
    let begin = Instant::now();
    server.terminate();
    let status = server.wait(SOON).await;
    assert!(status.is_some(), "it still runs {:?} after SIGTERM, with 2 seconds of grace", begin.elapsed());
    drop(lock);
    assert!(!matches!(stuck.await.unwrap(), Ok(200)));
}

async fn a_request_is_answered_in_time_though_the_database_hangs(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    site.apply(&[user_event(1, "a")]).await;
    let lock = database.hold_writers_lock().await;
    let begin = Instant::now();
    let batch = json!({"events": [user_event(2, "b")]}).to_string();
    let answer = site.try_send(site.post_request(BATCH, batch)).await;
    let Ok(answer) = answer else { panic!("no answer after {:?}", begin.elapsed()) };
    answer.problem(503, "database_unavailable");
    drop(lock);
}

async fn a_revoked_token_is_refused_whatever_it_sends(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    site.apply(&[user_event(1, "a")]).await;
    assert!(run(&database, &["site", "revoke-token", SITE, "1"]).status.success());
    let single = "/api/v1/events/moodle/user_updated";
    let mut statuses = Vec::new();
    for (path, body) in [(single, "{\"userid\""), (single, "{}"), (BATCH, "{\"events\": [{}]}"), (BATCH, "{}")] {
        statuses.push(site.post(path, body).await.status);
    }
    assert_eq!(statuses, [401; 4]);
}

/// Both batches wait for the same transaction. It leaves out the revoked one; the other one gets its own answers.
async fn a_revoked_batch_does_not_shift_the_answers_of_others(database: Database) {
    let server = Server::start(&database).await;
    let added = run_json(&database, &["site", "add", "other", "--json"]);
    let (revoked, other) = (server.site(), server.site_with(added["token"].as_str().unwrap()));
    revoked.apply(&[at(1, "user_created", user(1, "a"))]).await;
    other.apply(&[at(1, "user_created", user(1, "a"))]).await;
    assert!(run(&database, &["site", "revoke-token", SITE, "1"]).status.success());
    let lock = database.hold_writers_lock().await;
    let send = |site: &Api, versions: std::ops::Range<i64>| {
        let site = site.apart();
        tokio::spawn(async move {
            let events: Vec<_> = versions.map(|v| at(v, "user_updated", user(v, &v.to_string()))).collect();
            site.post_batch(&events).await
        })
    };
    // The first batch keeps the writer busy, so that the next two meet in the queue.
    let first = send(&other, 2..3);
    server.queued(1).await;
    let refused = send(&revoked, 2..5);
    server.queued(2).await;
    let stored = send(&other, 3..5);
    server.queued(3).await;
    lock.rollback().await.unwrap();
    assert_eq!(first.await.unwrap().outcomes(), ["applied"]);
    refused.await.unwrap().problem(401, "unauthorized");
    assert_eq!(stored.await.unwrap().outcomes(), ["applied", "applied"]);
    assert_eq!(database.count("SELECT count(*) FROM events").await, 5);
    server.stop().await;
}

async fn the_feed_has_all_grades_of_a_changed_item(database: Database) {
    let server = Server::start(&database).await;
    let (site, reader) = (server.site(), server.reader());
    site.apply(&[
        at(1, "grade_updated", grade(1, 1, 9, 1, "5.00000")),
        at(2, "grade_updated", grade(2, 2, 9, 1, "6.00000")),
    ])
    .await;
    let before = reader.read("/api/v1/grades/moodle:1").await;
    let mut raised = grade(2, 2, 9, 1, "6.00000");
    raised["grademax"] = json!("20.00000");
    site.apply(&[at(3, "grade_updated", raised)]).await;
    let after = reader.read("/api/v1/grades/moodle:1").await;
    assert_ne!(before["grademax"], after["grademax"], "readers see that grade 1 is now out of 20");
    let feed = reader.read("/api/v1/changes?after=2").await;
    let ids: Vec<&Value> = feed["items"].as_array().unwrap().iter().map(|item| &item["id"]).collect();
    assert!(ids.contains(&&json!("moodle:1")), "a follower misses it: {ids:?}");
    assert_ne!(before["changed_at"], after["changed_at"]);
}

async fn a_batch_is_an_object(database: Database) {
    let server = Server::start(&database).await;
    let answer = server.site().post(BATCH, json!([[user_event(1, "a")]]).to_string()).await;
    answer.problem(422, "validation_failed");
}

/// Moodle's `grade_grades.timemodified` may be null. Then nothing shows that the event is old.
async fn an_event_without_a_time_is_not_older_than_all_others(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    let mut data = json!({"gradeid": 1, "userid": 2, "itemid": 3, "finalgrade": "5.00000", "timemodified": TIME});
    assert_eq!(site.post_event("grade_updated", &data).await.json()["outcome"], "applied");
    data["timemodified"] = Value::Null;
    data["finalgrade"] = Value::Null;
    assert_eq!(site.post_event("grade_updated", &data).await.json()["outcome"], "applied");
}

#[tokio::test]
async fn what_is_allowed_instead_is_said() {
    let database = Database::sqlite();
    let server = Server::start(&database).await;
    let reader = server.reader();
    let answer = reader.send(reader.request(reqwest::Method::DELETE, "/api/v1/users")).await;
    answer.problem(405, "method_not_allowed");
    assert!(answer.header("allow").is_some_and(|allow| allow.contains("GET")), "{:?}", answer.headers);
}

#[tokio::test]
async fn a_bad_parameter_is_called_by_its_name() {
    let database = Database::sqlite();
    let server = Server::start(&database).await;
    let names = async |path: &str| server.reader().get(path).await.errors().remove(0).0;
    let found = [names("/api/v1/changes?after=xyz").await, names("/api/v1/events/abc").await];
    assert_eq!(found, ["after", "id"]);
}

#[tokio::test]
async fn the_start_page_leads_to_the_documentation() {
    let database = Database::sqlite();
    let server = Server::start(&database).await;
    let start = Browser::signed_in(&server, server.api_token()).await.get("/").await;
    assert_eq!(start.status, 200);
    assert!(start.html.contains("<a href=\"/docs\">"), "{}", start.html);
    let documentation = server.anonymous().get("/docs").await;
    assert!(documentation.status == 200 && documentation.text.contains("SwaggerUIBundle"), "{}", documentation.text);
}

#[tokio::test]
async fn the_document_holds_the_schema_of_every_events_data() {
    let database = Database::sqlite();
    let server = Server::start(&database).await;
    let document = server.anonymous().get("/openapi.json").await;
    let schemas = &document.json()["components"]["schemas"];
    for name in ["UserData", "CourseData", "EnrolmentData", "GradeData", "CompletionData"] {
        assert!(document.text.contains(name));
        assert!(schemas[name].is_object(), "{name} is named in the schema Batch and is not there");
    }
}

#[tokio::test]
async fn the_example_of_a_grade_is_real() {
    let database = Database::sqlite();
    let server = Server::start(&database).await;
    let document = server.anonymous().get("/openapi.json").await.json();
    let example = &document["components"]["schemas"]["Record_Related_GradeWithItem"]["example"];
    assert_eq!((&example["courseid"], &example["course_known"]), (&Value::Null, &json!(false)));
}

#[tokio::test]
async fn the_duration_in_the_log_is_a_number() {
    let database = Database::sqlite();
    let server = Server::start(&database).await;
    server.site().post_event("user_created", &user(1, "a")).await;
    let received = server.logged(|message| message["outcome"] == "applied").await;
    assert!(received["duration_ms"].is_number(), "{received}");
}

#[tokio::test]
async fn an_event_that_is_not_an_object_is_invalid() {
    let database = Database::sqlite();
    let server = Server::start(&database).await;
    let answer = server.site().post_batch(&[json!(5)]).await;
    let outcome = &answer.json()["outcomes"][0];
    assert_eq!(errors(outcome), [("/events/0".to_owned(), "wrong_type".to_owned())]);
    assert_eq!(outcome["code"], "validation_failed", "{outcome}");
}

#[tokio::test]
async fn the_sqlite_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let database = Database::empty_sqlite();
    let server = Server::start(&database).await;
    server.site().apply(&[user_event(1, "a")]).await;
    for name in ["test.sqlite", "test.sqlite-wal"] {
        let mode = std::fs::metadata(database.file(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} has mode {:o}", mode & 0o777);
    }
}
