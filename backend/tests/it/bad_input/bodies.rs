//! Bodies that are not events at all.

use futures_util::stream;
use serde_json::{Value, json};

use super::{PRIVATE, assert_no_echo, assert_well, owned};
use crate::support::{
    Api, Database, Server,
    api::{BATCH, errors},
    events::{user, user_event},
    raw::RawConnection,
    server::SITE,
};

on_both_databases!(
    invalid_json_is_malformed,
    json_of_another_shape_is_invalid,
    a_body_over_the_limit_is_too_large,
    too_deep_nesting_is_malformed,
    only_json_is_accepted,
    a_body_of_unknown_length_is_accepted,
);

const SINGLE: &str = "/api/v1/events/moodle/user_created";

async fn invalid_json_is_malformed(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    let good = user_event(1, PRIVATE).to_string();
    let bodies: Vec<Vec<u8>> = vec![
        vec![],
        b"   ".to_vec(),
        good.as_bytes()[..good.len() - 1].to_vec(),
        format!("{good}{good}").into_bytes(),
        format!("{{\"userid\": 1, \"username\": {PRIVATE}}}").into_bytes(),
        format!("userid=1&username={PRIVATE}").into_bytes(),
        b"{\"userid\": 1, \"username\": \"\xff\xfe\"}".to_vec(),
        vec![0; 100],
        b"\xef\xbb\xbf{}".to_vec(),
    ];
    for body in bodies {
        for path in [SINGLE, BATCH] {
            let answer = site.post(path, body.clone()).await;
            answer.problem(400, "malformed_json");
            assert_no_echo(&answer);
        }
    }
    let half = format!("{{\"events\": [{}, {{\"id\"", user_event(1, PRIVATE));
    let answer = site.post(BATCH, half).await;
    answer.problem(400, "malformed_json");
    assert_no_echo(&answer);
    assert_eq!(database.count("SELECT count(*) FROM events").await, 0);
    assert_well(&server).await;
    server.stop().await;
}

async fn json_of_another_shape_is_invalid(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    let private = json!(PRIVATE);
    for (path, body, place, code) in [
        (SINGLE, private.clone(), "", "wrong_type"),
        (SINGLE, json!([user(1, PRIVATE)]), "", "wrong_type"),
        (SINGLE, json!(null), "", "wrong_type"),
        (SINGLE, json!({}), "/userid", "required"),
        (BATCH, private.clone(), "", "wrong_type"),
        (BATCH, json!(4711), "", "wrong_type"),
        (BATCH, json!([user_event(1, PRIVATE)]), "", "wrong_type"),
        (BATCH, json!({}), "/events", "required"),
        (BATCH, json!({"events": null}), "/events", "required"),
        (BATCH, json!({"events": []}), "/events", "required"),
        (BATCH, json!({"events": private}), "/events", "wrong_type"),
        (BATCH, json!({"events": {"a": private}}), "/events", "wrong_type"),
    ] {
        let answer = site.post(path, body.to_string()).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.errors(), owned(&[(place, code)]), "{body}");
        assert_no_echo(&answer);
    }
    assert_eq!(database.count("SELECT count(*) FROM events").await, 0);
    assert_well(&server).await;
    server.stop().await;
}

async fn a_body_over_the_limit_is_too_large(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    let limit = site.get("/api/v1/events/moodle/handshake").await.json()["max_body_bytes"].as_u64().unwrap();
    let limit = usize::try_from(limit).unwrap();
    for size in [limit + 1, 10_000_000] {
        let body = format!("{{\"userid\":1,\"username\":\"{}\"}}", PRIVATE.repeat(size / PRIVATE.len() + 1));
        let answer = site.post(SINGLE, body.clone()).await;
        answer.problem(413, "payload_too_large");
        assert_no_echo(&answer);
        // The same, without a declared length.
        let pieces: Vec<_> = body.into_bytes().chunks(64 * 1024).map(<[u8]>::to_vec).collect();
        let pieces = stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>));
        let apart = site.apart();
        let request = apart.post_request(SINGLE, reqwest::Body::wrap_stream(pieces));
        // The server may close the connection early; if an answer arrives, it is the right one.
        if let Ok(answer) = apart.try_send(request).await {
            answer.problem(413, "payload_too_large");
        }
    }
    // Exactly the maximum size, made of texts of exactly the maximum length.
    let text = "a".repeat(1024 * 1024);
    let mut data = json!({"userid": 1, "firstname": text, "lastname": text, "city": text, "department": text});
    let spaces = limit - data.to_string().len() - "\"pad\":\"\",".len();
    data["pad"] = json!(" ".repeat(spaces));
    let body = data.to_string();
    assert_eq!(body.len(), limit);
    assert_eq!(site.post(SINGLE, body).await.status, 200);
    let read = server.reader().read(&format!("/api/v1/users/{SITE}:1")).await;
    assert_eq!(read["city"].as_str().map(str::len), Some(1024 * 1024));
    assert_well(&server).await;
    server.stop().await;
}

async fn too_deep_nesting_is_malformed(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    for (open, close, status, code) in [("[", "]", 422, "validation_failed"), ("{\"a\":", "}", 400, "malformed_json")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        // A list is wrong whatever it contains.
        site.post(SINGLE, deep.clone()).await.problem(status, code);
        site.post(SINGLE, open.repeat(100_000)).await.problem(status, code);
        let inside = format!("{{\"userid\": 1, \"firstname\": {deep}}}");
        site.post(SINGLE, inside.clone()).await.problem(400, "malformed_json");
        // In a batch, only that event is rejected.
        let mut bad = user_event(1, "deep");
        bad["data"] = Value::from("DATA");
        let bad = bad.to_string().replace("\"DATA\"", &inside);
        let (first, last) = (user_event(2, "first"), user_event(3, "last"));
        let answer = site.post(BATCH, format!("{{\"events\": [{first}, {bad}, {last}]}}")).await;
        assert_eq!(answer.outcomes(), ["applied", "rejected", "applied"]);
        let rejected = &answer.json()["outcomes"][1];
        assert_eq!(rejected["code"], "malformed_json");
        assert_eq!(errors(rejected), owned(&[("/events/1/data", "wrong_type")]));
        database.execute("DELETE FROM users").await;
    }
    // Deeper than any real JSON.
    let fine = format!("{{\"userid\": 4, \"other\": {}{}}}", "[".repeat(100), "]".repeat(100));
    assert_eq!(site.post(SINGLE, fine).await.status, 200);
    let read = server.reader().read(&format!("/api/v1/users/{SITE}:4")).await;
    assert_eq!(read["extra"]["other"].to_string(), format!("{}{}", "[".repeat(100), "]".repeat(100)));
    assert_well(&server).await;
    server.stop().await;
}

async fn only_json_is_accepted(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    let body = user(1, PRIVATE).to_string();
    let send = async |api: &Api, content_type: Option<&str>| {
        let mut request = api.request(reqwest::Method::POST, SINGLE).body(body.clone());
        if let Some(content_type) = content_type {
            request = request.header("Content-Type", content_type);
        }
        api.send(request).await
    };
    for bad in [Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/xml"), Some("x"), None]
    {
        let answer = send(&site, bad).await;
        answer.problem(415, "unsupported_media_type");
        assert_no_echo(&answer);
    }
    assert_eq!(database.count("SELECT count(*) FROM events").await, 0);
    for good in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"] {
        assert_eq!(send(&site, Some(good)).await.status, 200, "{good}");
    }
    assert_well(&server).await;
    server.stop().await;
}

async fn a_body_of_unknown_length_is_accepted(database: Database) {
    let server = Server::start(&database).await;
    let token = &server.tokens().site;
    let head = format!(
        "POST {SINGLE} HTTP/1.1\r\nHost: x\r\nX-Moodle-Token: {token}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    let mut connection = RawConnection::open(server.address).await;
    connection.write(format!("{head}8\r\n{{\"userid\r\n5\r\n\": 7}}\r\n0\r\n\r\n")).await;
    let answer = connection.read().await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"applied\""), "{answer}");
    // A wrong chunk size: the connection becomes unusable, the server does not.
    let mut connection = RawConnection::open(server.address).await;
    connection.write(format!("{head}zz\r\n{{\"userid\": 8}}\r\n0\r\n\r\n")).await;
    let answer = connection.read().await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    // A client that disconnects half-way.
    let mut connection = RawConnection::open(server.address).await;
    connection.write(format!("{head}8\r\n{{\"user")).await;
    drop(connection);
    assert_eq!(database.count("SELECT count(*) FROM events").await, 1);
    assert_well(&server).await;
    server.stop().await;
}
