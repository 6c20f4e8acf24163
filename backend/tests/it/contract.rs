//! The contract: the committed document matches the code, the server accepts its examples, and its descriptions are
//! true.

use std::{collections::HashSet, path::PathBuf};

use backend_sync::model::EventType;
use serde_json::{Value, json};

use crate::support::{
    Database, Server,
    events::event,
    server::{SITE, run_json},
};

on_both_databases!(the_examples_are_accepted, the_examples_of_records_are_what_readers_get);

fn openapi_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../openapi")
}

fn committed_text() -> String {
    std::fs::read_to_string(openapi_folder().join("openapi.json")).unwrap()
}

fn committed() -> Value {
    serde_json::from_str(&committed_text()).unwrap()
}

fn example(name: &str) -> Value {
    let text = std::fs::read_to_string(openapi_folder().join(format!("examples/{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn the_committed_document_is_the_programs() {
    let database = Database::sqlite();
    let output = crate::support::server::run(&database, &["openapi"]);
    assert!(output.status.success());
    let made = String::from_utf8(output.stdout).unwrap();
    assert!(made == committed_text(), "openapi/openapi.json differs from the code: run scripts/openapi");
    let file = database.file("openapi.json");
    let written = crate::support::server::run(&database, &["openapi", "--output", file.to_str().unwrap()]);
    assert!(written.status.success());
    assert_eq!(std::fs::read_to_string(file).unwrap(), made);
}

/// All operations in the document.
fn operations(document: &Value) -> Vec<(String, Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (format!("{method} {path}"), operation.clone()))
    });
    operations.collect()
}

#[test]
fn every_operation_says_what_it_is_and_how_it_fails() {
    let document = committed();
    let operations = operations(&document);
    assert!(operations.len() >= 31);
    let mut ids = HashSet::new();
    for (name, operation) in operations {
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{name} has no summary");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{name}: operationId comes twice");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{name}");
        let responses = operation["responses"].as_object().unwrap();
        for (status, response) in responses.iter().filter(|(status, _)| status.as_str() >= "400") {
            let schema = &response["content"]["application/problem+json"]["schema"]["allOf"][0]["$ref"];
            assert_eq!(schema, "#/components/schemas/Problem", "{name} {status}");
            assert_eq!(response["content"].as_object().map(serde_json::Map::len), Some(1), "{name} {status}");
            assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{name} {status}");
            assert_eq!(status == "503", response["headers"]["Retry-After"].is_object(), "{name} {status}");
        }
        let expected: &[&str] = match name.split_once(' ').unwrap() {
            ("post", path) if path.contains("/items/") || path.ends_with("/resume") => {
                &["200", "401", "403", "404", "500", "503"]
            }
            ("post", path) if path.ends_with("/prove") => &["200", "401", "403", "404", "409", "500", "503"],
            ("post", path) if path.starts_with("/api/v1/destinations/") => {
                &["200", "400", "401", "403", "404", "413", "415", "422", "503"]
            }
            (_, "/api/v1/destinations") => &["200", "401", "403", "503"],
            ("post", path) if path.ends_with("/check") => &["200", "401", "403", "404", "409", "503"],
            (_, path) if path.ends_with("/plan") => &["200", "400", "401", "403", "404", "409", "503"],
            (_, path) if path.starts_with("/api/v1/destinations/") || path.ends_with("/timeline") => {
                &["200", "401", "403", "404", "503"]
            }
            (_, "/api/v1/alerts/channels") => &["200", "401", "403", "503"],
            (_, path) if path.starts_with("/api/v1/alerts") => &["200", "400", "401", "403", "404", "503"],
            ("post", _) => &["200", "400", "401", "413", "415", "422", "503"],
            (_, path) if path.ends_with("/{id}") => &["200", "400", "401", "404", "503"],
            (_, "/api/v1/health") => &["200"],
            (_, "/api/v1/health/ready") => &["200", "503"],
            (_, path) if path.ends_with("handshake") => &["200", "401", "503"],
            _ => &["200", "400", "401", "503"],
        };
        for status in expected {
            assert!(responses.contains_key(*status), "{name} does not tell of {status}");
        }
        let security = match name.as_str() {
            name if name.contains("/health") => Value::Null,
            name if name.contains("/events/moodle/") => json!([{"SiteToken": []}]),
            name if ["/destinations", "/alerts", "/brake", "/erasures", "/timeline"]
                .iter()
                .any(|part| name.contains(part)) =>
            {
                json!([{"OperatorToken": []}])
            }
            _ => json!([{"ApiToken": []}]),
        };
        assert_eq!(operation["security"], security, "{name}");
    }
    // Swagger UI offers *Authorize* because of these.
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(
        (&schemes["SiteToken"]["in"], &schemes["SiteToken"]["name"]),
        (&json!("header"), &json!("X-Moodle-Token"))
    );
    for scheme in [&schemes["ApiToken"], &schemes["OperatorToken"]] {
        assert_eq!((&scheme["type"], &scheme["scheme"]), (&json!("http"), &json!("bearer")));
    }
}

#[test]
fn every_body_of_a_request_has_its_example() {
    let document = committed();
    for (name, operation) in operations(&document) {
        let Some(reference) = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str() else {
            continue;
        };
        let schema = document.pointer(reference.trim_start_matches('#')).unwrap();
        assert!(schema["example"].is_object(), "{name}: {reference} has no example");
    }
    let schemas = &document["components"]["schemas"];
    for (schema, file) in [
        ("UserData", "user_created"),
        ("EnrolmentData", "user_enrolled"),
        ("GradeData", "grade_updated"),
        ("Batch", "batch"),
    ] {
        assert_eq!(schemas[schema]["example"], example(file), "{schema}");
    }
}

#[test]
fn every_event_type_has_an_example() {
    let files = std::fs::read_dir(openapi_folder().join("examples")).unwrap();
    let mut names: Vec<String> =
        files.map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    let mut expected: Vec<String> = EventType::ALL.iter().map(ToString::to_string).collect();
    expected.push("batch".to_owned());
    expected.sort();
    assert_eq!(names, expected);
    let batch = example("batch");
    let types: HashSet<_> = batch["events"].as_array().unwrap().iter().map(|event| event["type"].clone()).collect();
    assert_eq!(types.len(), EventType::ALL.len(), "the batch has an event of every type");
}

async fn the_examples_are_accepted(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    let batch = example("batch")["events"].as_array().unwrap().clone();
    let outcomes = site.send_batch(&batch).await;
    assert_eq!(outcomes, vec!["applied"; batch.len()]);
    assert_eq!(site.send_batch(&batch).await, vec!["duplicate"; batch.len()]);

    // Single events: the guide's four at their own paths; in a batch: all.
    let server_two = run_json(&database, &["site", "add", "alone", "--json"]);
    let alone = server.site_with(server_two["token"].as_str().unwrap());
    for event_type in ["user_created", "user_updated", "user_enrolled", "grade_updated"] {
        let answer = alone.post_event(event_type, &example(event_type)).await;
        assert_eq!((answer.status, answer.json()["outcome"].as_str()), (200, Some("applied")), "{event_type}");
    }
    for (place, event_type) in (1..).zip(EventType::ALL) {
        let data = example(event_type.as_str());
        let outcomes = alone.send_batch(&[event(event_type.as_str(), 1_795_340_000 + place, place, data)]).await;
        assert!(["applied", "unchanged"].contains(&outcomes[0].as_str()), "{event_type}: {outcomes:?}");
    }
    server.stop().await;
}

/// The document's example answers are what its example requests lead to.
async fn the_examples_of_records_are_what_readers_get(database: Database) {
    let server = Server::start(&database).await;
    let college = run_json(&database, &["site", "add", "college", "--json"]);
    let site = server.site_with(college["token"].as_str().unwrap());
    let document = committed();
    for (event_type, kind, schema) in [
        ("user_created", "users", "Record_User"),
        ("course_created", "courses", "Record_Course"),
        ("enrolment_updated", "enrolments", "Record_Related_Enrolment"),
        ("grade_updated", "grades", "Record_Related_GradeWithItem"),
        ("course_completed", "completions", "Record_Related_Completion"),
    ] {
        let expected = &document["components"]["schemas"][schema]["example"];
        let version =
            (expected["version"]["time"].as_i64().unwrap(), expected["version"]["sequence"].as_i64().unwrap());
        site.apply(&[event(event_type, version.0, version.1, example(event_type))]).await;
        let id = expected["id"].as_str().unwrap();
        let mut read = server.reader().read(&format!("/api/v1/{kind}/{id}")).await;
        // The time is the server's.
        read["changed_at"] = expected["changed_at"].clone();
        assert_eq!(read, *expected, "{schema}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_documentation_needs_no_internet() {
    let database = Database::sqlite();
    let server = Server::start(&database).await;
    let anybody = server.anonymous();
    let document = anybody.get("/openapi.json").await;
    assert_eq!((document.status, document.text == committed_text()), (200, true));
    assert!(document.header("content-type").unwrap().starts_with("application/json"));

    let page = anybody.get("/docs").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    assert!(page.text.starts_with("<!DOCTYPE html>") && page.text.contains("Backend Sync API"));
    // Outside scripts and styles: what the page itself loads or links to.
    let mut markup = page.text.clone();
    for tag in ["script", "style"] {
        while let Some(begin) = markup.find(&format!("<{tag}>")) {
            let end = begin + markup[begin..].find(&format!("</{tag}>")).expect("the element ends");
            markup.replace_range(begin..end, "");
        }
    }
    for place in ["src=", "href="] {
        for (at, _) in markup.match_indices(place) {
            let value = markup[at + place.len()..].trim_start_matches(['"', '\'']);
            assert!(!value.starts_with("http") && !value.starts_with("//"), "the page loads {}", &value[..60]);
        }
    }
    assert!(!markup.contains("@import") && !markup.contains("url(http"));
    assert!(page.text.contains("SwaggerUIBundle"), "the page contains its script");
    assert!(page.text.contains("X-Moodle-Token"), "the page contains the document");
    server.stop().await;
}

#[tokio::test]
async fn the_handshake_and_health_tell_what_the_plugin_and_the_operator_need() {
    let database = Database::sqlite();
    let server = Server::start(&database).await;
    let handshake = server.site().get("/api/v1/events/moodle/handshake").await.json();
    assert_eq!(handshake["site"], SITE);
    assert_eq!(handshake["backend_version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(handshake["contract_version"], "1.0");
    assert_eq!(handshake["max_batch_events"], 1_000);
    let types: Vec<&str> = EventType::ALL.iter().map(|event_type| event_type.as_str()).collect();
    assert_eq!(handshake["event_types"], json!(types));
    let skew = handshake["time"].as_i64().unwrap() - backend_sync::clock::Clock::system().now().0 / 1000;
    assert!(skew.abs() <= 2, "{handshake}");
    for path in ["/api/v1/health", "/api/v1/health/ready"] {
        let health = server.anonymous().get(path).await;
        let expected = json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")});
        assert_eq!((health.status, health.json()), (200, expected), "{path}");
    }
    server.stop().await;
}
