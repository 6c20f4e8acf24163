//! Events with bad fields: the answer names each of them by JSON pointer.

use serde_json::{Value, json};

use super::{PRIVATE, assert_no_echo, assert_well, owned};
use crate::support::{
    Database, Server,
    api::{BATCH, errors},
    events::{at, event, grade, user, user_event},
    random::new_uuid,
};

on_both_databases!(every_bad_field_is_named, every_bad_field_of_the_envelope_is_named, characters_that_cannot_be);

/// The field's JSON pointer, and the error.
type Errors = Vec<(String, String)>;

/// Bad data of each type with the expected errors: wrong types, missing fields, numbers out of range.
fn bad_data() -> Vec<(&'static str, Value, Errors)> {
    let long = "x".repeat(1024 * 1024 + 1);
    let role = json!({"shortname": "student", "archetype": "student"});
    let case = |event_type, data, errors: &[(&str, &str)]| (event_type, data, owned(errors));
    vec![
        case(
            "user_created",
            json!({
                "userid": PRIVATE, "username": [PRIVATE], "firstname": {"a": PRIVATE}, "lastname": 1, "email": true,
                "suspended": PRIVATE, "confirmed": 2, "deleted": "yes", "timecreated": -1,
                "timemodified": 253_402_300_800_i64, "idnumber": long,
            }),
            &[
                ("/userid", "wrong_type"),
                ("/username", "wrong_type"),
                ("/firstname", "wrong_type"),
                ("/lastname", "wrong_type"),
                ("/email", "wrong_type"),
                ("/idnumber", "too_long"),
                ("/confirmed", "wrong_type"),
                ("/suspended", "wrong_type"),
                ("/timecreated", "out_of_range"),
                ("/timemodified", "out_of_range"),
                ("/deleted", "wrong_type"),
            ],
        ),
        case("user_updated", json!({"userid": null, "username": PRIVATE}), &[("/userid", "required")]),
        case("user_updated", json!({"userid": 0}), &[("/userid", "out_of_range")]),
        case("user_updated", json!({"userid": "9223372036854775808"}), &[("/userid", "out_of_range")]),
        case("user_updated", json!({"userid": 1.5}), &[("/userid", "wrong_type")]),
        case("user_updated", json!({"userid": " 1"}), &[("/userid", "wrong_type")]),
        case("user_updated", json!({"userid": 1, "profile": {"level": 3}}), &[("/profile", "wrong_type")]),
        case(
            "user_enrolled",
            json!({
                "status": PRIVATE, "timestart": "1e3", "roles": [role, {"shortname": 5}], "enabled": PRIVATE,
                "roleid": "99999999999999999999",
            }),
            &[
                ("/enrollmentid", "required"),
                ("/userid", "required"),
                ("/courseid", "required"),
                ("/roleid", "out_of_range"),
                ("/roles", "wrong_type"),
                ("/enabled", "wrong_type"),
                ("/status", "wrong_type"),
                ("/timestart", "wrong_type"),
            ],
        ),
        case(
            "user_enrolled",
            json!({"enrollmentid": 1, "userid": -3, "courseid": {}, "roles": vec![role; 101]}),
            &[("/userid", "out_of_range"), ("/courseid", "wrong_type"), ("/roles", "too_long")],
        ),
        case(
            "grade_updated",
            json!({
                "gradeid": 1, "userid": 2, "itemid": 3, "finalgrade": PRIVATE, "grademin": "1,5", "grademax": "1e400",
                "gradepass": "12345678901234567890123456789.5", "scaleid": "-1", "feedback": long,
            }),
            &[
                ("/grademin", "wrong_type"),
                ("/grademax", "out_of_range"),
                ("/gradepass", "out_of_range"),
                ("/scaleid", "out_of_range"),
                ("/finalgrade", "wrong_type"),
                ("/feedback", "too_long"),
            ],
        ),
    ]
}

async fn every_bad_field_is_named(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    let mut batch = vec![];
    for (event_type, data, mut expected) in bad_data() {
        let answer = site.post_event(event_type, &data).await;
        answer.problem(422, "validation_failed");
        assert_no_echo(&answer);
        let mut found = answer.errors();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{event_type}");
        batch.push((at(1, event_type, data), expected));
    }
    // The same in a batch, where pointers start at the request.
    for (place, (event, expected)) in batch.into_iter().enumerate() {
        let mut events = vec![user_event(1, "good"); place];
        events.iter_mut().for_each(|event| event["id"] = json!(new_uuid()));
        events.push(event);
        let answer = site.post_batch(&events).await;
        assert_eq!(answer.status, 200);
        assert_no_echo(&answer);
        let outcome = &answer.json()["outcomes"][place];
        assert_eq!((&outcome["outcome"], &outcome["code"]), (&json!("rejected"), &json!("validation_failed")));
        assert_eq!((&outcome["client_id"], &outcome["id"]), (&events[place]["id"], &Value::Null));
        let mut found = errors(outcome);
        found.sort_unstable();
        let below = |(pointer, code): (String, String)| (format!("/events/{place}/data{pointer}"), code);
        assert_eq!(found, expected.into_iter().map(below).collect::<Vec<_>>());
    }
    // No bad event left a trace.
    assert_eq!(database.count("SELECT count(*) FROM users").await, 1);
    assert_eq!(database.count("SELECT count(*) FROM enrolments").await, 0);
    assert_eq!(database.count("SELECT count(*) FROM grades").await, 0);
    assert_well(&server).await;
    server.stop().await;
}

async fn every_bad_field_of_the_envelope_is_named(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    let all = |code: &'static str| ["id", "type", "time", "sequence", "data"].map(|name| (name, code));
    let good = user_event(1, PRIVATE);
    let with = |name: &str, value: Value| {
        let mut event = good.clone();
        event[name] = value;
        event
    };
    for (event, expected) in [
        (json!({}), all("required").to_vec()),
        (json!({"id": null, "type": null, "time": null, "sequence": null, "data": null}), all("required").to_vec()),
        (json!({"id": 1, "type": 2, "time": [], "sequence": {}, "data": PRIVATE}), all("wrong_type").to_vec()),
        (with("id", json!(PRIVATE)), vec![("id", "wrong_type")]),
        (with("id", json!("0192f3a1-7c1e-7000-8000-00000000000")), vec![("id", "wrong_type")]),
        (with("type", json!(PRIVATE)), vec![("type", "unknown_value")]),
        (with("type", json!("User_Created")), vec![("type", "unknown_value")]),
        (with("time", json!(-1)), vec![("time", "out_of_range")]),
        (with("time", json!("9999999999999999999999")), vec![("time", "out_of_range")]),
        (with("sequence", json!(-1)), vec![("sequence", "out_of_range")]),
        (with("sequence", json!(1.5)), vec![("sequence", "wrong_type")]),
        (with("data", json!([])), vec![("data", "wrong_type")]),
        (with("data", json!({})), vec![("data/userid", "required")]),
    ] {
        let answer = site.post_batch(&[event.clone(), user_event(2, "neighbour")]).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_no_echo(&answer);
        let outcome = &answer.json()["outcomes"][0];
        assert_eq!(outcome["outcome"], "rejected", "{event}");
        assert_eq!(outcome["code"], "validation_failed", "{event}");
        let expected = expected.iter().map(|(name, code)| (format!("/events/0/{name}"), (*code).to_owned()));
        assert_eq!(errors(outcome), expected.collect::<Vec<_>>(), "{event}");
        assert_ne!(answer.outcomes()[1], "rejected");
    }
    assert_eq!(database.count("SELECT count(*) FROM users").await, 1);
    assert_well(&server).await;
    server.stop().await;
}

async fn characters_that_cannot_be(database: Database) {
    let server = Server::start(&database).await;
    let site = server.site();
    let single = "/api/v1/events/moodle/user_created";

    // U+0000, which PostgreSQL cannot store.
    let mut nul = user(1, "nul\u{0}name");
    nul["firstname"] = json!(format!("{PRIVATE}\u{0}"));
    let answer = site.post(single, nul.to_string()).await;
    answer.problem(422, "validation_failed");
    assert_no_echo(&answer);
    let pointers = ["/username", "/firstname", "/email"].map(|pointer| (pointer, "invalid_character"));
    assert_eq!(answer.errors(), owned(&pointers));
    let events = [user_event(1, "a"), at(1, "user_created", nul), user_event(2, "b")];
    let answer = site.post_batch(&events).await;
    assert_eq!(answer.outcomes(), ["applied", "rejected", "applied"]);
    let rejected = errors(&answer.json()["outcomes"][1]);
    assert_eq!(rejected[0], ("/events/1/data/username".to_owned(), "invalid_character".to_owned()));
    // An unknown field is only stored, so there it does no harm, and is returned unchanged.
    let mut kept = user(3, "kept");
    kept["note\u{0}"] = json!("a\u{0}b");
    assert_eq!(site.post_event("user_created", &kept).await.status, 200);
    let read = server.reader().read("/api/v1/users/moodle:3").await;
    assert_eq!(read["extra"]["note\u{0}"], "a\u{0}b");

    // Half of a surrogate pair is not a character.
    for half in ["\\ud800", "\\udfff", "\\ud83cx", "\\udf93\\ud83c"] {
        for data in [
            format!("{{\"userid\": 4, \"username\": \"{PRIVATE}{half}\"}}"),
            format!("{{\"userid\": 4, \"other\": \"{PRIVATE}{half}\"}}"),
            format!("{{\"userid\": 4, \"{PRIVATE}{half}\": 1}}"),
        ] {
            let answer = site.post(single, data.clone()).await;
            answer.problem(400, "malformed_json");
            assert_no_echo(&answer);
            let envelope = event("user_created", 1, 1, json!("DATA")).to_string().replace("\"DATA\"", &data);
            let neighbour = event("grade_updated", 1, 1, grade(1, 1, 1, 1, "1.00000"));
            let answer = site.post(BATCH, format!("{{\"events\": [{envelope}, {neighbour}]}}")).await;
            assert_eq!(answer.status, 200);
            assert_no_echo(&answer);
            let outcome = &answer.json()["outcomes"][0];
            assert_eq!((&outcome["outcome"], &outcome["code"]), (&json!("rejected"), &json!("malformed_json")));
            assert_eq!(errors(outcome), owned(&[("/events/0/data", "wrong_type")]));
            assert_ne!(answer.outcomes()[1], "rejected");
        }
    }
    // A complete pair is one.
    let whole = r#"{"userid": 5, "username": "\ud83c\udf93"}"#;
    assert_eq!(site.post(single, whole).await.status, 200);
    assert_eq!(server.reader().read("/api/v1/users/moodle:5").await["username"], "🎓");
    assert_well(&server).await;
    server.stop().await;
}
