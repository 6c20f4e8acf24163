//! Requesting erasures: permissions, the preview, and the certificate.

use serde_json::{Value, json};

use super::{begin, erase, search::find_in_tables};
use crate::support::{
    Database,
    server::{run, run_json},
};

on_both_databases!(only_operators_erase, the_command_asks_first, it_works_without_a_destination);

async fn only_operators_erase(database: Database) {
    let (_zoho, server) = begin(&database).await;
    let body = json!({"site": "moodle", "user": 11}).to_string();
    let token = run_json(&database, &["token", "add", "looker", "--scope", "read", "--json"]);
    let looker = server.reader_with(token["token"].as_str().unwrap());
    looker.apart().post("/api/v1/erasures", body.clone()).await.problem(403, "forbidden");
    server.site().apart().post("/api/v1/erasures", body.clone()).await.problem(401, "unauthorized");
    looker.get("/api/v1/erasures").await.problem(403, "forbidden");
    let operator = server.reader();
    for (wrong, place) in [
        (json!({"site": "nowhere", "user": 11}), "/site"),
        (json!({"site": "moodle", "user": 99}), "/user"),
        (json!({"site": "moodle"}), "/user"),
        (json!({"site": "moodle", "user": 11, "when": "now"}), "/when"),
    ] {
        let answer = operator.post("/api/v1/erasures", wrong.to_string()).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.errors()[0].0, place);
    }
    operator.get("/api/v1/erasures/1").await.problem(404, "not_found");
    operator.post("/api/v1/erasures/1/check", "").await.problem(404, "not_found");
    assert_eq!(database.count("SELECT count(*) FROM erasures").await, 0);
    let first = operator.post("/api/v1/erasures", body.clone()).await.json();
    let second = operator.post("/api/v1/erasures", body).await.json();
    assert_eq!(first["id"], second["id"], "a person is erased once");
    assert_eq!(operator.list("/api/v1/erasures").await.len(), 1);
    server.stop().await;
}

async fn the_command_asks_first(database: Database) {
    let (zoho, server) = begin(&database).await;
    let person = ["erase", "--site", "moodle", "--user", "11"];
    let dry = run(&database, &[&person[..], &["--dry-run"]].concat());
    let shown = String::from_utf8(dry.stdout).unwrap();
    assert!(dry.status.success() && shown.contains("9 rows of events") && shown.contains("anonymise"), "{shown}");
    assert!(!run(&database, &person).status.success(), "there is nobody to answer, and no --yes");
    for nobody in [
        ["erase", "--yes", "--site", "moodle", "--user", "99"],
        ["erase", "--yes", "--site", "nowhere", "--user", "11"],
    ] {
        assert!(!run(&database, &nobody).status.success());
    }
    assert_eq!(database.count("SELECT count(*) FROM erasures").await, 0);
    assert!(!find_in_tables(&database, "Quillmark").await.is_empty());
    let certificate = erase(&database, &zoho).await;
    let id = certificate["id"].to_string();
    let text = String::from_utf8(run(&database, &["erasures", "show", &id]).stdout).unwrap();
    assert!(text.contains("nothing was found") && text.contains(certificate["sha256"].as_str().unwrap()), "{text}");
    let by_api = server.reader().read(&format!("/api/v1/erasures/{id}")).await;
    assert_eq!(by_api, certificate, "the API and the command say the same");
    server.stop().await;
}

async fn it_works_without_a_destination(database: Database) {
    let server = crate::support::Server::start(&database).await;
    server.site().apply(&super::story()).await;
    let answer = server.reader().post("/api/v1/erasures", json!({"site": "moodle", "user": 11}).to_string()).await;
    let certificate = super::checked(&database, answer.json()["id"].as_i64().unwrap(), 1).await;
    assert_eq!((&certificate["state"], &certificate["remote"]), (&json!("verified"), &json!([])), "{certificate}");
    assert_ne!(certificate["check_at"], Value::Null);
    super::search::assert_not_in_tables(&database).await;
    server.stop().await;
}
