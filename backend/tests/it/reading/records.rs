//! Records: deleted ones, ones of unknown users, and unknown fields.

use serde_json::{Value, json};

use crate::support::{
    Database, Server,
    events::{TIME, at, completion, course, enrolment, grade, user},
};

on_both_databases!(
    deleted_records_stay_visible,
    references_may_arrive_in_any_order,
    unknown_fields_are_kept,
    a_grade_carries_its_item,
    numbers_come_in_every_form
);

async fn deleted_records_stay_visible(database: Database) {
    let server = Server::start(&database).await;
    let (site, reader) = (server.site(), server.reader());
    let things = [
        ("users", "user_created", "user_deleted", user(1, "ann"), json!({"userid": 1})),
        ("courses", "course_created", "course_deleted", course(2, "c"), json!({"courseid": 2})),
        ("enrolments", "user_enrolled", "enrolment_deleted", enrolment(3, 1, 2), enrolment(3, 1, 2)),
        (
            "grades",
            "grade_updated",
            "grade_deleted",
            grade(4, 1, 9, 2, "82.50000"),
            json!({"gradeid": "4", "userid": "1", "itemid": "9"}),
        ),
        (
            "completions",
            "course_completed",
            "completion_deleted",
            completion(5, 1, 2),
            json!({"completionid": "5", "userid": "1", "courseid": "2"}),
        ),
    ];
    for (kind, created, deleted, data, references) in things {
        site.apply(&[at(1, created, data)]).await;
        let list = reader.list(&format!("/api/v1/{kind}")).await;
        let [before] = list.as_slice() else { panic!("{list:?}") };
        assert_eq!(before["deleted"], false);
        site.apply(&[at(3, deleted, references.clone())]).await;
        assert_eq!(site.send_batch(&[at(4, deleted, references.clone())]).await, ["unchanged"]);
        let mut expected = before.clone();
        expected["deleted"] = json!(true);
        let after = reader.list(&format!("/api/v1/{kind}")).await.remove(0);
        expected["changed_at"] = after["changed_at"].clone();
        assert_eq!(after, expected, "a deleted record shows its last state");
        let id = after["id"].as_str().unwrap();
        assert_eq!(reader.read(&format!("/api/v1/{kind}/{id}")).await, after);
        assert_eq!(reader.list(&format!("/api/v1/{kind}?deleted=false")).await, Vec::<Value>::new());
        // A record restored in Moodle is restored here.
        let back = site.send_batch(&[at(5, created, before_data(kind))]).await;
        assert_eq!(back, ["applied"]);
        assert_eq!(reader.read(&format!("/api/v1/{kind}/{id}")).await["deleted"], false);
    }
    // The deletion of an unknown record: only its references are known.
    site.apply(&[at(1, "grade_deleted", json!({"gradeid": 50, "userid": 51, "itemid": 52}))]).await;
    let grade = reader.read("/api/v1/grades/moodle:50").await;
    assert_eq!((&grade["deleted"], &grade["version"], &grade["userid"]), (&json!(true), &Value::Null, &json!(51)));
    server.stop().await;
}

fn before_data(kind: &str) -> Value {
    match kind {
        "users" => user(1, "ann"),
        "courses" => course(2, "c"),
        "enrolments" => enrolment(3, 1, 2),
        "completions" => completion(5, 1, 2),
        _ => grade(4, 1, 9, 2, "82.50000"),
    }
}

async fn references_may_arrive_in_any_order(database: Database) {
    let server = Server::start(&database).await;
    let (site, reader) = (server.site(), server.reader());
    let orphans = [
        at(1, "grade_updated", grade(1, 5, 6, 7, "1.00000")),
        at(1, "user_enrolled", enrolment(1, 5, 7)),
        at(1, "course_completed", completion(1, 5, 7)),
    ];
    site.apply(&orphans).await;
    let known = async |user: bool, course: bool| {
        for kind in ["grades", "enrolments", "completions"] {
            let one = reader.read(&format!("/api/v1/{kind}/moodle:1")).await;
            assert_eq!((&one["user_known"], &one["course_known"]), (&json!(user), &json!(course)), "{kind}");
            let listed = reader.list(&format!("/api/v1/{kind}")).await;
            assert_eq!(listed, [one]);
        }
    };
    known(false, false).await;
    reader.get("/api/v1/users/moodle:5").await.problem(404, "not_found");
    // The same number on another site is another person.
    let other = crate::support::server::run_json(&database, &["site", "add", "other", "--json"]);
    server.site_with(other["token"].as_str().unwrap()).apply(&[at(1, "user_created", user(5, "x"))]).await;
    known(false, false).await;
    site.apply(&[at(1, "user_created", user(5, "ann"))]).await;
    known(true, false).await;
    site.apply(&[at(1, "course_created", course(7, "c"))]).await;
    known(true, true).await;
    server.stop().await;
}

async fn unknown_fields_are_kept(database: Database) {
    let server = Server::start(&database).await;
    let (site, reader) = (server.site(), server.reader());
    let extra = r#"{"profile_field_x":"ä","list":[1,2.50,null,{"a":"b"}],"big":123456789012345678901234567890.10,"zero":0,"e":{}}"#;
    let body = format!("{{\"userid\": 1, \"timemodified\": {TIME}, {}", &extra[1..]);
    assert_eq!(site.post("/api/v1/events/moodle/user_created", body.clone()).await.status, 200);
    let text = reader.get("/api/v1/users/moodle:1").await.text;
    let read: Value = serde_json::from_str(&text).unwrap();
    let expected: Value = serde_json::from_str(extra).unwrap();
    assert_eq!(read["extra"], expected);
    for digits in ["2.50", "123456789012345678901234567890.10"] {
        assert!(text.contains(digits), "every digit is kept: {text}");
    }
    let event = reader.read("/api/v1/events/1").await;
    assert_eq!(event["data"], serde_json::from_str::<Value>(&body).unwrap());
    // Unknown fields belong to the state: a newer state replaces them.
    assert_eq!(site.post("/api/v1/events/moodle/user_updated", body).await.json()["outcome"], "unchanged");
    let newer = json!({"userid": 1, "timemodified": TIME + 1});
    assert_eq!(site.post_event("user_updated", &newer).await.json()["outcome"], "applied");
    assert_eq!(reader.read("/api/v1/users/moodle:1").await["extra"], Value::Null);
    server.stop().await;
}

async fn a_grade_carries_its_item(database: Database) {
    let server = Server::start(&database).await;
    let (site, reader) = (server.site(), server.reader());
    let data = json!({
        "gradeid": "1", "userid": "2", "itemid": "3", "courseid": "4", "itemname": "Unit 5", "itemtype": "mod",
        "itemmodule": "assign", "iteminstance": "6", "itemidnumber": "U5", "gradetype": "2", "grademin": "1.00000",
        "grademax": "3.00000", "gradepass": "0.00000", "scaleid": "7", "scale": "Refer, Pass, Merit",
        "finalgrade": "3.00000", "gradetext": "Merit", "feedback": "<p>Good</p>", "grader": "8", "hidden": "0",
        "timecreated": null, "timemodified": "1795333608",
    });
    site.apply(&[at(1, "grade_updated", data)]).await;
    let grade = reader.read("/api/v1/grades/moodle:1").await;
    let expected = json!({
        "gradeid": 1, "userid": 2, "itemid": 3, "courseid": 4, "itemname": "Unit 5", "itemtype": "mod",
        "itemmodule": "assign", "iteminstance": 6, "itemidnumber": "U5", "gradetype": 2, "grademin": "1.00000",
        "grademax": "3.00000", "gradepass": "0.00000", "scaleid": 7, "scale": "Refer, Pass, Merit",
        "finalgrade": "3.00000", "gradetext": "Merit", "feedback": "<p>Good</p>", "grader": 8, "hidden": false,
        "timecreated": null, "timemodified": 1_795_333_608,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(grade[name], *value, "{name}");
    }
    // The same grade with another maximum is a different grade.
    let mut raised = json!({"gradeid": 1, "userid": 2, "itemid": 3, "grademax": "20.00000"});
    raised["finalgrade"] = json!("3.00000");
    site.apply(&[at(2, "grade_updated", raised)]).await;
    assert_eq!(reader.read("/api/v1/grades/moodle:1").await["grademax"], "20.00000");
    server.stop().await;
}

async fn numbers_come_in_every_form(database: Database) {
    let server = Server::start(&database).await;
    let (site, reader) = (server.site(), server.reader());
    for (id, finalgrade, read) in [
        (1, "\"82.50000\"", json!("82.50000")),
        (2, "82.50000", json!("82.50000")),
        (3, "82.5", json!("82.5")),
        (4, "\"-0.00001\"", json!("-0.00001")),
        (5, "100", json!("100")),
        (6, "\"1234567890.12345\"", json!("1234567890.12345")),
        (7, "null", Value::Null),
        (8, "0.1000000000000000000000000001", json!("0.1000000000000000000000000001")),
        (9, "0", json!("0")),
    ] {
        let body =
            format!("{{\"gradeid\": \"{id}\", \"userid\": {id}, \"itemid\": \"{id}\", \"finalgrade\": {finalgrade}}}");
        let answer = site.post("/api/v1/events/moodle/grade_updated", body).await;
        assert_eq!(answer.status, 200, "{finalgrade}: {}", answer.text);
        assert_eq!(reader.read(&format!("/api/v1/grades/moodle:{id}")).await["finalgrade"], read);
    }
    for (id, (suspended, read)) in
        (1..).zip([("true", true), ("\"0\"", false), ("1", true), ("\"1\"", true), ("false", false)])
    {
        let body = format!("{{\"userid\": {id}, \"suspended\": {suspended}}}");
        assert_eq!(site.post("/api/v1/events/moodle/user_updated", body).await.status, 200);
        assert_eq!(reader.read(&format!("/api/v1/users/moodle:{id}")).await["suspended"], read);
    }
    let largest = i64::MAX.to_string();
    let answer = site.post_event("user_updated", &json!({"userid": largest})).await;
    assert_eq!(answer.status, 200);
    let read = reader.read(&format!("/api/v1/users/moodle:{largest}")).await;
    assert_eq!(read["userid"].to_string(), largest);
    server.stop().await;
}
