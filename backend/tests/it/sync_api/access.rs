//! Who may operate, and unknown names.

use serde_json::json;

use super::{ZOHO, a_learner, begin};
use crate::{
    delivery::rest,
    support::{
        Database, Server,
        server::{run, run_json},
    },
};

on_both_databases!(only_operators_operate, names_that_do_not_exist, without_a_destination);

const READS: [&str; 7] = [
    "/api/v1/destinations",
    ZOHO,
    "/api/v1/destinations/zoho/items",
    "/api/v1/destinations/zoho/items/user/moodle:1",
    "/api/v1/destinations/zoho/plan",
    "/api/v1/destinations/zoho/findings",
    "/api/v1/users/moodle:1/timeline",
];

const ACTIONS: [&str; 6] = ["/pause", "/resume", "/retry", "/resync", "/prove", "/items/user/moodle:1/retry"];

async fn only_operators_operate(database: Database) {
    let (_zoho, server) = begin(&database).await;
    server.site().apply(&a_learner()).await;
    rest(&database).await;
    let token = run_json(&database, &["token", "add", "looker", "--scope", "read", "--json"]);
    let looker = server.reader_with(token["token"].as_str().unwrap());
    assert_eq!(looker.get("/api/v1/users").await.status, 200);
    for path in READS {
        looker.get(path).await.problem(403, "forbidden");
        server.anonymous().get(path).await.problem(401, "unauthorized");
        server.site().get(path).await.problem(401, "unauthorized");
        assert_eq!(server.reader().get(path).await.status, 200, "{path}");
    }
    for action in ACTIONS {
        let path = format!("{ZOHO}{action}");
        looker.apart().post(&path, "{}").await.problem(403, "forbidden");
        server.anonymous().apart().post(&path, "{}").await.problem(401, "unauthorized");
        let answer = server.reader().get(&path).await;
        answer.problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some("POST"), "{path}");
    }
    server.stop().await;
}

async fn names_that_do_not_exist(database: Database) {
    let (_zoho, server) = begin(&database).await;
    server.site().apply(&a_learner()).await;
    rest(&database).await;
    let operator = server.reader();
    for path in [
        "/api/v1/destinations/salesforce",
        "/api/v1/destinations/salesforce/items",
        "/api/v1/destinations/salesforce/plan",
        "/api/v1/destinations/zoho/items/user/moodle:99",
        "/api/v1/destinations/zoho/items/pupil/moodle:1",
        "/api/v1/destinations/zoho/items/user/nowhere:1",
        "/api/v1/destinations/zoho/items/user/1",
        "/api/v1/users/moodle:99/timeline",
        "/api/v1/users/nowhere:1/timeline",
        "/api/v1/users/ann/timeline",
    ] {
        operator.get(path).await.problem(404, "not_found");
    }
    for (query, parameter, code) in [
        ("state=lost", "state", "wrong_type"),
        ("kind=pupil", "kind", "wrong_type"),
        ("site=nowhere", "site", "unknown_value"),
        ("record=moodle:1", "kind", "required"),
        ("kind=user&record=ann", "record", "wrong_type"),
        ("user=nowhere:1", "user", "unknown_value"),
        ("code=%00", "code", "invalid_character"),
        ("cursor=x", "cursor", "unknown_value"),
        ("limit=0", "limit", "wrong_type"),
    ] {
        let answer = operator.get(&format!("{ZOHO}/items?{query}")).await;
        answer.problem(400, "invalid_parameter");
        assert_eq!(answer.errors(), [(parameter.to_owned(), code.to_owned())], "{query}");
    }
    for (action, body, pointer, code) in [
        ("/retry", json!({"state": "synced"}), "/state", "unknown_value"),
        ("/retry", json!({"kind": "pupil"}), "/kind", "unknown_value"),
        ("/retry", json!({"kinds": "user"}), "/kinds", "unknown_value"),
        ("/resync", json!({"site": "nowhere"}), "/site", "unknown_value"),
        ("/resync", json!({"state": "failed"}), "/state", "unknown_value"),
        ("/pause", json!({"reason": 7}), "/reason", "wrong_type"),
        ("/pause", json!([]), "", "wrong_type"),
    ] {
        let answer = operator.apart().post(&format!("{ZOHO}{action}"), body.to_string()).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.errors(), [(pointer.to_owned(), code.to_owned())], "{action} {body}");
    }
    operator.apart().post("/api/v1/destinations/salesforce/retry", "{}").await.problem(404, "not_found");
    server.stop().await;
}

async fn without_a_destination(database: Database) {
    let server = Server::start(&database).await;
    server.site().apply(&a_learner()).await;
    let operator = server.reader();
    assert_eq!(operator.read("/api/v1/destinations").await, json!({"items": []}));
    operator.get(ZOHO).await.problem(404, "not_found");
    let timeline = operator.read("/api/v1/users/moodle:1/timeline").await;
    assert_eq!(timeline["waiting"], json!([]));
    assert_eq!(timeline["entries"].as_array().unwrap().len(), 6, "an event and a record for each: {timeline}");
    server.stop().await;
    let status = run(&database, &["sync", "status"]);
    let words = String::from_utf8(status.stdout).unwrap();
    assert!(status.status.success() && words.contains("backend-sync zoho connect"), "{words}");
    for command in [&["sync", "retry"][..], &["sync", "pause"], &["sync", "plan"], &["sync", "resync", "--yes"]] {
        let output = run(&database, command);
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("zoho connect"), "{command:?}");
    }
}
