//! Request ids and traces connect what belongs together.

pub(crate) mod export;

use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    delivery::until,
    support::{
        Answer, Api, Database, Server,
        api::BATCH,
        events::{user, user_event},
    },
};

on_both_databases!(
    a_request_has_one_id,
    every_answer_has_an_id,
    an_invalid_id_is_replaced,
    lines_have_the_id_at_every_level
);

const HEADER: &str = "x-request-id";

/// Sends a request with an id chosen by the sender.
async fn send_as(api: &Api, id: &str, method: Method, path: &str, body: Option<String>) -> Answer {
    let mut request = api.request(method, path).header(HEADER, id);
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body);
    }
    api.send(request).await
}

/// The log lines of a request, once there are this many; a separate thread of the server writes them.
async fn lines_of<const N: usize>(server: &Server, id: &str) -> [Value; N] {
    let lines = || server.log_messages().into_iter().filter(|line| line["request_id"] == id).collect::<Vec<_>>();
    until(&format!("the lines of {id}"), async || <[Value; N]>::try_from(lines()).ok()).await
}

async fn a_request_has_one_id(database: Database) {
    let server = Server::start(&database).await;
    let (site, user_created) = (server.site(), "/api/v1/events/moodle/user_created");

    let taken = site.post_event("user_created", &user(1, "ann")).await;
    let id = taken.header(HEADER).unwrap();
    assert_eq!(id.parse::<Uuid>().unwrap().get_version_num(), 7, "{id}");
    let [line] = lines_of(&server, id).await;
    assert_eq!((&line["message"], &line["outcome"]), (&"📥 Received user_created event".into(), &"applied".into()));

    let refused = send_as(&site, "moodle-1", Method::POST, user_created, Some(r#"{"userid":"x"}"#.to_owned())).await;
    assert_eq!(refused.problem(422, "validation_failed")["request_id"], "moodle-1");
    assert_eq!(refused.header(HEADER), Some("moodle-1"));
    let [event, request] = lines_of(&server, "moodle-1").await;
    assert_eq!((&event["level"], &event["outcome"]), (&"WARN".into(), &"rejected".into()));
    assert_eq!((&request["level"], &request["message"]), (&"INFO".into(), &"request refused".into()));
    assert_eq!((&request["method"], &request["status"]), (&"POST".into(), &422.into()));
    assert_eq!(request["route"], user_created);
    assert!(request["duration_ms"].is_u64(), "{request}");

    database.refuse_user("poison").await;
    let poison = serde_json::json!({"events": [user_event(2, "poison"), user_event(3, "good")]}).to_string();
    let mixed = send_as(&site, "moodle-2", Method::POST, BATCH, Some(poison)).await;
    assert_eq!(mixed.outcomes(), ["rejected", "applied"]);
    let [first, second] = lines_of(&server, "moodle-2").await;
    assert_eq!((&first["outcome"], &second["outcome"]), (&"rejected".into(), &"applied".into()));
    server.stop().await;
}

async fn every_answer_has_an_id(database: Database) {
    let server = Server::start(&database).await;
    let (site, reader, anybody) = (server.site(), server.reader(), server.anonymous());
    let large = || Some(format!("\"{}\"", "x".repeat(5 * 1024 * 1024)));
    let json = || Some("{".to_owned());
    let cases = [
        (&anybody, Method::GET, "/docs", None, 200, None),
        (&anybody, Method::GET, "/openapi.json", None, 200, None),
        (&anybody, Method::GET, "/api/v1/health", None, 200, None),
        (&anybody, Method::GET, "/nothing?email=ann@example.com", None, 404, None),
        (&anybody, Method::GET, "/api/v1/users/moodle:1", None, 401, Some("/api/v1/users/*")),
        (&reader, Method::GET, "/api/v1/users/moodle:1?email=ann@example.com", None, 404, Some("/api/v1/users/*")),
        (&reader, Method::GET, "/api/v1/users?limit=x", None, 400, Some("/api/v1/users")),
        (&reader, Method::DELETE, "/api/v1/users", None, 405, Some("/api/v1/users")),
        (&site, Method::POST, BATCH, json(), 400, Some(BATCH)),
        (&site, Method::POST, BATCH, large(), 413, Some(BATCH)),
    ];
    for (number, (api, method, path, body, status, route)) in cases.into_iter().enumerate() {
        let id = format!("case-{number}");
        let answer = send_as(&api.apart(), &id, method, path, body).await;
        assert_eq!((answer.status, answer.header(HEADER)), (status, Some(id.as_str())), "{path}");
        if status < 400 {
            let [] = lines_of(&server, &id).await;
            continue;
        }
        assert_eq!(answer.json()["request_id"], id, "{path}");
        let [line] = lines_of(&server, &id).await;
        assert_eq!((&line["status"], line["route"].as_str()), (&status.into(), route), "{line}");
    }
    assert!(!server.log().contains("example.com"), "{}", server.log());

    database.execute("ALTER TABLE users RENAME TO gone").await;
    let failed = send_as(&reader, "fault", Method::GET, "/api/v1/users/moodle:1", None).await;
    assert_eq!(failed.problem(503, "database_unavailable")["request_id"], "fault");
    let [cause, request] = lines_of(&server, "fault").await;
    assert_eq!((&cause["level"], &cause["message"]), (&"ERROR".into(), &"the database is unavailable".into()));
    assert_eq!((&request["level"], &request["message"]), (&"WARN".into(), &"request deferred".into()));
    assert_eq!(request["route"], "/api/v1/users/*");
    server.stop().await;
}

async fn an_invalid_id_is_replaced(database: Database) {
    let server = Server::start(&database).await;
    let (anybody, token) = (server.anonymous(), server.tokens().site.clone());
    let long = "x".repeat(100);
    for bad in ["ann@example.com", "a b", "{\"x\":1}", &token, &long] {
        let answer = send_as(&anybody, bad, Method::GET, "/nothing", None).await;
        let problem = answer.problem(404, "not_found");
        let id = answer.header(HEADER).unwrap();
        assert!(id.parse::<Uuid>().is_ok() && problem["request_id"] == id, "{id}");
        assert!(!answer.text.contains(bad) && !server.log().contains(bad), "{bad}");
        let [_line] = lines_of(&server, id).await;
    }
    server.stop().await;
    let messages = |line: &Value| ["timestamp", "level", "target", "message"].iter().all(|name| line[name].is_string());
    let server = Server::start(&database).await;
    assert!(server.log_messages().iter().all(messages), "{}", server.log());
}

async fn lines_have_the_id_at_every_level(database: Database) {
    // The test waits for a line of this level.
    let level = [("BACKEND_SYNC_LOG__LEVEL", "warn,backend_sync::cli::serve=info")];
    let server = Server::start_with(&database, &level).await;
    let refused = server.site().post_event("user_created", &serde_json::json!({})).await;
    let [line] = lines_of(&server, refused.header(HEADER).unwrap()).await;
    assert_eq!(line["level"], "WARN");
    server.stop().await;
}
