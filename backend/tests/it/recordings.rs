//! The main job on real input: events that the original plugin sent from a real Moodle become records.
//!
//! The expectation is computed from the recording alone: the last body of each id wins.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Map, Value, json};

use crate::support::{
    Database, Server,
    events::{at, user, user_event},
    raw::RawConnection,
    server::SITE,
};

on_both_databases!(
    recorded_requests_become_records,
    the_log_names_each_event_and_no_person,
    an_event_has_its_message_though_the_sender_went_away,
);

struct Recorded {
    path: String,
    event_type: String,
    body: String,
}

fn recording() -> Vec<Recorded> {
    let lines = include_str!("data/recorded-requests.jsonl").lines();
    let recorded = lines.map(|line| {
        let request: Value = serde_json::from_str(line).unwrap();
        let path = request["path"].as_str().unwrap().to_owned();
        let event_type = path.rsplit('/').next().unwrap().to_owned();
        Recorded { path, event_type, body: request["body"].as_str().unwrap().to_owned() }
    });
    recorded.collect()
}

pub(crate) async fn replay(server: &Server) -> Vec<Value> {
    let (site, mut answers) = (server.site(), Vec::new());
    for request in recording() {
        let answer = site.post(&request.path, request.body).await;
        assert_eq!(answer.status, 200, "{}: {}", request.event_type, answer.text);
        answers.push(answer.json());
    }
    answers
}

/// The last body of each id, for one kind of record.
pub(crate) fn last_bodies(event_types: &[&str], key: &str) -> BTreeMap<i64, Map<String, Value>> {
    let about = recording().into_iter().filter(|request| event_types.contains(&request.event_type.as_str()));
    let bodies = about.map(|request| serde_json::from_str::<Map<String, Value>>(&request.body).unwrap());
    bodies.map(|body| (body[key].as_str().unwrap().parse().unwrap(), body)).collect()
}

/// Fields that Moodle stores as integers and our API returns as numbers.
const INTEGERS: [&str; 12] = [
    "userid",
    "enrollmentid",
    "courseid",
    "roleid",
    "status",
    "timestart",
    "timeend",
    "gradeid",
    "itemid",
    "grader",
    "timecreated",
    "timemodified",
];

fn as_read(name: &str, sent: &Value) -> Value {
    match sent {
        Value::String(text) if INTEGERS.contains(&name) => json!(text.parse::<i64>().unwrap()),
        other => other.clone(),
    }
}

/// Compares records with the last bodies: every field sent, and null for every other field.
fn assert_same(items: &[Value], expected: &BTreeMap<i64, Map<String, Value>>, key: &str) {
    let ids: Vec<i64> = items.iter().map(|item| item[key].as_i64().unwrap()).collect();
    assert_eq!(ids, expected.keys().copied().collect::<Vec<_>>());
    for (item, (id, body)) in items.iter().zip(expected) {
        let sent = body.iter().filter(|(name, _)| *name != "eventname");
        let mut fields: Map<String, Value> = sent.map(|(name, value)| (name.clone(), as_read(name, value))).collect();
        fields.insert("id".to_owned(), json!(format!("{SITE}:{id}")));
        fields.insert("site".to_owned(), json!(SITE));
        fields.insert("deleted".to_owned(), json!(false));
        let modified = fields.get("timemodified").unwrap_or(&fields["timecreated"]).clone();
        fields.insert("version".to_owned(), json!({"time": modified, "sequence": null}));
        for (name, value) in item.as_object().unwrap() {
            match (name.as_str(), fields.remove(name)) {
                (_, Some(expected)) => assert_eq!(*value, expected, "{key} {id}: {name}"),
                ("changed_at" | "user_known" | "course_known", None) => {}
                (_, None) => assert_eq!(*value, Value::Null, "{key} {id}: {name}"),
            }
        }
        assert!(fields.is_empty(), "{key} {id}: readers do not get {fields:?}");
    }
}

async fn recorded_requests_become_records(database: Database) {
    let server = Server::start(&database).await;
    assert_eq!(replay(&server).await.len(), 38);
    let reader = server.reader();

    let users = reader.list("/api/v1/users").await;
    assert_same(&users, &last_bodies(&["user_created", "user_updated"], "userid"), "userid");
    let enrolments = reader.list("/api/v1/enrolments").await;
    assert_same(&enrolments, &last_bodies(&["user_enrolled"], "enrollmentid"), "enrollmentid");
    let grades = reader.list("/api/v1/grades").await;
    assert_same(&grades, &last_bodies(&["grade_updated"], "gradeid"), "gradeid");
    // The original plugin mentions courses only in its enrolments.
    for (record, course_known) in enrolments.iter().map(|e| (e, true)).chain(grades.iter().map(|g| (g, false))) {
        assert_eq!((&record["user_known"], &record["course_known"]), (&json!(true), &json!(course_known)), "{record}");
    }
    let courses = reader.list("/api/v1/courses").await;
    let mentioned: BTreeSet<i64> = enrolments.iter().map(|enrolment| enrolment["courseid"].as_i64().unwrap()).collect();
    assert_eq!(courses.iter().map(|course| course["courseid"].as_i64().unwrap()).collect::<BTreeSet<_>>(), mentioned);
    for course in &courses {
        assert_eq!([&course["fullname"], &course["version"]], [&Value::Null; 2], "{course}");
    }
    assert_eq!(reader.list("/api/v1/completions").await.len(), 0);

    // The same in the tables, without the API.
    let finalgrades = database.texts("SELECT finalgrade FROM grades ORDER BY moodle_id").await;
    let sent = last_bodies(&["grade_updated"], "gradeid");
    let sent: Vec<Option<String>> = sent.values().map(|body| body["finalgrade"].as_str().map(str::to_owned)).collect();
    assert_eq!(finalgrades, sent);
    assert!(sent.contains(&Some("3.33333".to_owned())) && sent.contains(&None));
    let names = database.texts("SELECT firstname FROM users ORDER BY moodle_id").await;
    let sent = last_bodies(&["user_created", "user_updated"], "userid");
    assert_eq!(names, sent.values().map(|body| body["firstname"].as_str().map(str::to_owned)).collect::<Vec<_>>());
    let bodies = database.texts("SELECT data FROM events ORDER BY id").await;
    let sent: Vec<_> = recording().into_iter().map(|request| Some(request.body)).collect();
    assert_eq!(bodies, sent, "the event log contains each body byte by byte");
    server.stop().await;
}

async fn the_log_names_each_event_and_no_person(database: Database) {
    let mut server = Server::start(&database).await;
    let answers = replay(&server).await;
    // Refused events are logged too, and are just as personal.
    let secret = "Confidential Person";
    let refused = server.site().post_event("user_created", &json!({"userid": secret, "firstname": [secret]})).await;
    refused.problem(422, "validation_failed");
    let mut broken = user(99, "person99");
    broken["timecreated"] = json!(secret);
    server.site().send_batch(&[at(1, "user_created", broken)]).await;
    let tokens = server.tokens().clone();
    server.end().await;

    let messages = server.log_messages();
    for (request, answer) in recording().iter().zip(&answers) {
        let received = format!("📥 Received {} event", request.event_type);
        let found = messages.iter().find(|message| message["message"] == received && message["id"] == answer["id"]);
        let found = found.unwrap_or_else(|| panic!("no message {received} of {answer}"));
        assert_eq!((&found["site"], &found["outcome"]), (&json!(SITE), &answer["outcome"]), "{found}");
        let duration = found["duration_ms"].to_string();
        assert!(duration.trim_matches('"').parse::<u64>().is_ok(), "{found}");
    }
    let rejected = messages.iter().filter(|message| message["outcome"] == "rejected").count();
    assert_eq!(rejected, 2, "each refused event has a message");

    let log = server.log();
    for request in recording() {
        let body: Map<String, Value> = serde_json::from_str(&request.body).unwrap();
        for name in ["username", "firstname", "lastname", "email", "idnumber", "phone1", "city", "feedback", "itemname"]
        {
            // Shorter values also occur in other words.
            let value = body.get(name).and_then(Value::as_str).filter(|value| value.chars().count() > 3);
            assert!(value.is_none_or(|value| !log.contains(value)), "the log contains a {name}: {value:?}");
        }
    }
    for secret in [secret, "person99", &tokens.site, &tokens.api] {
        assert!(!log.contains(secret), "the log contains {secret}");
    }
}

async fn an_event_has_its_message_though_the_sender_went_away(database: Database) {
    let mut server = Server::start(&database).await;
    server.site().apply(&[user_event(1, "a")]).await;
    let lock = database.hold_writers_lock().await;
    let (token, body) = (server.tokens().site.clone(), "{\"userid\": 2}");
    let mut connection = RawConnection::open(server.address).await;
    connection
        .write(format!(
            "POST /api/v1/events/moodle/user_created HTTP/1.1\r\nHost: x\r\nX-Moodle-Token: {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    server.queued(1).await;
    drop(connection);
    // Time for the server to notice. If it is too short, the sender only disconnects later.
    tokio::time::sleep(Duration::from_millis(500)).await;
    lock.rollback().await.unwrap();
    // Later events in the queue are answered after it is stored.
    server.site().apply(&[user_event(3, "a")]).await;
    assert_eq!(database.count("SELECT count(*) FROM events").await, 3, "it was stored all the same");
    server.end().await;
    let received = |message: &&Value| message["message"].as_str().is_some_and(|text| text.starts_with("📥 Received"));
    assert_eq!(server.log_messages().iter().filter(received).count(), 3);
}
