//! Missing, wrong and revoked credentials.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{PRIVATE, assert_no_echo, assert_well};
use crate::support::{
    Api, Database, Server,
    api::BATCH,
    events::{user, user_event},
    raw::RawConnection,
    server::{SITE, run, run_json},
};

on_both_databases!(
    nobody_sends_without_a_site_token,
    nobody_reads_without_an_api_token,
    the_token_is_checked_before_the_body_is_read,
    a_revoked_site_token_is_refused_at_once,
    a_revoked_api_token_is_refused_at_once,
);

const SENDING: [&str; 5] = ["user_created", "user_updated", "user_enrolled", "grade_updated", "batch"];
const READING: [&str; 8] =
    ["users", "courses", "enrolments", "grades", "completions", "events", "changes", "users/moodle:1"];

async fn nobody_sends_without_a_site_token(database: Database) {
    let server = Server::start(&database).await;
    let tokens = server.tokens().clone();
    let strangers = [
        server.anonymous(),
        server.site_with(""),
        server.site_with(PRIVATE),
        server.site_with(&PRIVATE.repeat(100)),
        server.site_with(&tokens.site[..tokens.site.len() - 1]),
        server.site_with(&tokens.site.to_uppercase()),
        server.site_with(&tokens.api),
        server.reader_with(&tokens.site),
        server.reader(),
    ];
    for stranger in &strangers {
        let handshake = stranger.get("/api/v1/events/moodle/handshake").await;
        handshake.problem(401, "unauthorized");
        for path in SENDING {
            let answer = stranger.post_event(path, &user(1, PRIVATE)).await;
            answer.problem(401, "unauthorized");
            assert_no_echo(&answer);
        }
    }
    assert_eq!(server.reader().list("/api/v1/events").await, Vec::<Value>::new());
    assert_well(&server).await;
    server.stop().await;
}

async fn nobody_reads_without_an_api_token(database: Database) {
    let server = Server::start(&database).await;
    let tokens = server.tokens().clone();
    let strangers = [
        server.anonymous(),
        server.reader_with(PRIVATE),
        server.reader_with(&PRIVATE.repeat(100)),
        server.reader_with(&tokens.site),
        server.site_with(&tokens.api),
        server.site(),
    ];
    for stranger in &strangers {
        for path in READING {
            let answer = stranger.get(&format!("/api/v1/{path}")).await;
            answer.problem(401, "unauthorized");
            assert_no_echo(&answer);
        }
    }
    let basic = server.anonymous();
    let basic = basic.request(Method::GET, "/api/v1/users").header("Authorization", format!("Basic {}", tokens.api));
    server.anonymous().send(basic).await.problem(401, "unauthorized");
    assert_well(&server).await;
    server.stop().await;
}

async fn the_token_is_checked_before_the_body_is_read(database: Database) {
    let server = Server::start(&database).await;
    let stranger = server.site_with(PRIVATE);
    for body in ["", "{", "\u{0}", "[]"] {
        stranger.post(BATCH, body).await.problem(401, "unauthorized");
    }
    // The answer comes although the body never does.
    let mut connection = RawConnection::open(server.address).await;
    let head = "Host: x\r\nContent-Type: application/json\r\nContent-Length: 10000000\r\n\r\n{";
    connection.write(format!("POST {BATCH} HTTP/1.1\r\n{head}")).await;
    let answer = connection.read().await;
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("\"unauthorized\""), "{answer}");
    assert_well(&server).await;
    server.stop().await;
}

fn token_ids(database: &Database) -> Vec<i64> {
    let sites = run_json(database, &["site", "list", "--json"]);
    let tokens = sites[0]["tokens"].as_array().unwrap().clone();
    tokens.iter().map(|token| token["id"].as_i64().unwrap()).collect()
}

async fn assert_takes(site: &Api, status: u16) {
    let single = site.post_event("user_updated", &user(1, "one")).await;
    let batch = site.post_batch(&[user_event(2, "two")]).await;
    let handshake = site.get("/api/v1/events/moodle/handshake").await;
    for answer in [single, batch, handshake] {
        match status {
            200 => assert_eq!(answer.status, 200, "{}", answer.text),
            _ => drop(answer.problem(status, "unauthorized")),
        }
    }
}

async fn a_revoked_site_token_is_refused_at_once(database: Database) {
    let server = Server::start(&database).await;
    let old = server.site();
    assert_takes(&old, 200).await;
    let rotated = run_json(&database, &["site", "rotate-token", SITE, "--json"]);
    let new = server.site_with(rotated["token"].as_str().unwrap());
    // Both are valid, so that no event is lost until the new one is in Moodle.
    assert_takes(&new, 200).await;
    assert_takes(&old, 200).await;
    let stored = database.count("SELECT count(*) FROM events").await;

    let ids = token_ids(&database);
    let revoked = run(&database, &["site", "revoke-token", SITE, &ids[0].to_string()]);
    assert!(revoked.status.success(), "{revoked:?}");
    let single = old.post_event("user_updated", &user(1, "after")).await;
    single.problem(401, "unauthorized");
    assert_takes(&old, 401).await;
    assert_eq!(database.count("SELECT count(*) FROM events").await, stored);
    assert_takes(&new, 200).await;

    // The same under load: from some event on all are refused, and none of those is stored.
    let storm = tokio::spawn(async move {
        let (mut taken, mut refused) = (0, 0);
        for userid in 100..100_000 {
            match new.post_event("user_updated", &user(userid, "storm")).await.status {
                200 => assert_eq!((refused, { taken += 1 }), (0, ()), "a revoked token was accepted again"),
                401 => refused += 1,
                other => panic!("{other}"),
            }
            if refused == 20 {
                break;
            }
        }
        (taken, refused)
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(run(&database, &["site", "revoke-token", SITE, &ids[1].to_string()]).status.success());
    let (taken, refused) = storm.await.unwrap();
    assert_eq!(refused, 20);
    assert_eq!(database.count("SELECT count(*) FROM users WHERE username = 'storm'").await, taken);
    let json = json!({"other": run_json(&database, &["site", "add", "other", "--json"])});
    assert_takes(&server.site_with(json["other"]["token"].as_str().unwrap()), 200).await;
    server.stop().await;
}

async fn a_revoked_api_token_is_refused_at_once(database: Database) {
    let server = Server::start(&database).await;
    let added = run_json(&database, &["token", "add", "reports", "--scope", "read", "--json"]);
    let reader = server.reader_with(added["token"].as_str().unwrap());
    assert_eq!(reader.get("/api/v1/users").await.status, 200);
    let tokens = run_json(&database, &["token", "list", "--json"]);
    let token = tokens.as_array().unwrap().iter().find(|token| token["name"] == "reports").unwrap();
    assert!(run(&database, &["token", "revoke", &token["id"].to_string()]).status.success());
    reader.get("/api/v1/users").await.problem(401, "unauthorized");
    assert_eq!(server.reader().get("/api/v1/users").await.status, 200);
    server.stop().await;
}
