//! Requests with wrong paths, methods or parameters.

use reqwest::Method;

use super::{PRIVATE, assert_no_echo, assert_well, owned};
use crate::support::{Database, Server, api::BATCH, events::user};

on_both_databases!(a_missing_record_is_not_found, what_cannot_be_done_is_not_allowed, every_bad_parameter_is_named);

async fn a_missing_record_is_not_found(database: Database) {
    let server = Server::start(&database).await;
    let (site, reader) = (server.site(), server.reader());
    for path in [
        "/nothing",
        "/api",
        "/api/v1",
        "/api/v2/users",
        "/api/v1/users/",
        "/api/v1/users/a/b",
        "/api/v1/events/moodle/user_eaten/x",
        "/docs/nothing",
        "/..%2f..%2fetc/passwd",
    ] {
        let answer = reader.get(&format!("{path}?{PRIVATE}")).await;
        answer.problem(404, "not_found");
        assert_no_echo(&answer);
    }
    reader.get(&format!("/{PRIVATE}%ff")).await.problem(404, "not_found");
    let answer = site.post_event(&format!("user_{PRIVATE}"), &user(1, "a")).await;
    answer.problem(404, "not_found");
    assert_no_echo(&answer);
    for kind in ["users", "courses", "enrolments", "grades", "completions"] {
        for id in
            ["moodle:1", "nobody:1", "moodle:0", "moodle:-1", "moodle:99999999999999999999", "1", PRIVATE, "%00:1"]
        {
            let answer = reader.get(&format!("/api/v1/{kind}/{id}")).await;
            answer.problem(404, "not_found");
            assert_no_echo(&answer);
        }
    }
    for id in ["1", "0", "-1", "9223372036854775807"] {
        reader.get(&format!("/api/v1/events/{id}")).await.problem(404, "not_found");
    }
    assert_well(&server).await;
    server.stop().await;
}

async fn what_cannot_be_done_is_not_allowed(database: Database) {
    let server = Server::start(&database).await;
    let (site, reader) = (server.site(), server.reader());
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        site.send(site.request(method, BATCH)).await.problem(405, "method_not_allowed");
    }
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        for path in ["/api/v1/users", "/api/v1/users/moodle:1", "/api/v1/events", "/api/v1/changes", "/api/v1/health"] {
            let answer = reader.send(reader.request(method.clone(), path).body(PRIVATE)).await;
            answer.problem(405, "method_not_allowed");
            assert_no_echo(&answer);
        }
    }
    assert_well(&server).await;
    server.stop().await;
}

async fn every_bad_parameter_is_named(database: Database) {
    let server = Server::start(&database).await;
    let reader = server.reader();
    for (path, parameter, code) in [
        ("users?limit=0", "limit", None),
        ("users?limit=501", "limit", None),
        ("users?limit=-1", "limit", None),
        ("users?limit=Private-4711", "limit", None),
        ("users?limit=99999999999999999999999", "limit", None),
        ("users?cursor=Private-4711", "cursor", Some("unknown_value")),
        ("users?cursor=1", "cursor", Some("unknown_value")),
        ("users?cursor=1.2.3", "cursor", Some("unknown_value")),
        ("events?cursor=1.2", "cursor", Some("unknown_value")),
        ("changes?limit=501", "limit", None),
        ("users?site=Private-4711", "site", Some("unknown_value")),
        ("users?site=", "site", Some("unknown_value")),
        ("users?deleted=Private-4711", "deleted", None),
        ("users?changed_since=Private-4711", "changed_since", Some("wrong_type")),
        ("users?changed_since=2026-02-30T00:00:00Z", "changed_since", Some("wrong_type")),
        ("users?changed_since=1795333607", "changed_since", Some("wrong_type")),
        ("enrolments?user=3", "user", Some("wrong_type")),
        ("enrolments?user=moodle:Private-4711", "user", Some("wrong_type")),
        ("enrolments?site=moodle&user=0", "user", Some("wrong_type")),
        ("enrolments?user=nobody:3", "user", Some("unknown_value")),
        ("grades?course=3", "course", Some("wrong_type")),
        ("completions?course=nobody:3", "course", Some("unknown_value")),
        ("events?type=user_eaten", "type", None),
        ("events?user=moodle", "user", Some("wrong_type")),
    ] {
        let answer = reader.get(&format!("/api/v1/{path}")).await;
        answer.problem(400, "invalid_parameter");
        let errors = answer.errors();
        // The framework finds what does not fit the schema, and knows no finer code.
        assert_eq!(errors, owned(&[(parameter, code.unwrap_or("wrong_type"))]), "{path}");
        assert_no_echo(&answer);
    }
    assert_well(&server).await;
    server.stop().await;
}
