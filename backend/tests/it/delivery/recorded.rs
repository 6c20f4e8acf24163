//! Events recorded from a real Moodle become the right records in Zoho.

use std::collections::BTreeMap;

use backend_sync::clock::Clock;
use serde_json::{Map, Value, json};

use super::{rest, start, with};
use crate::{
    recordings::{last_bodies, replay},
    support::{Database, ZohoSimulator, server::SITE},
};

on_both_databases!(recorded_requests_end_in_zoho);

async fn recorded_requests_end_in_zoho(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    replay(&server).await;
    rest(&database).await;

    let users = last_bodies(&["user_created", "user_updated"], "userid");
    let contacts = zoho.records("Contacts").await;
    assert_eq!(contacts.len(), users.len());
    for (id, user) in &users {
        let contact = with(&contacts, "Moodle_User_Key", &format!("{SITE}:{id}"));
        assert_fields(contact, user, &[("First_Name", "firstname"), ("Last_Name", "lastname"), ("Email", "email")]);
        assert_fields(contact, user, &[("Moodle_Username", "username"), ("Moodle_ID_Number", "idnumber")]);
        let status = if user["suspended"] == json!(true) { "Suspended" } else { "Active" };
        assert_eq!(contact["Moodle_Status"], status);
        assert_tracked(contact, user);
    }
    let enrolments = last_bodies(&["user_enrolled"], "enrollmentid");
    let products = zoho.records("Products").await;
    let courses: BTreeMap<_, _> = enrolments.values().map(|body| (text(body, "courseid"), ())).collect();
    assert_eq!(products.len(), courses.len(), "the courses that the enrolments mention");
    let delivered = zoho.records("Moodle_Enrolments").await;
    assert_eq!(delivered.len(), enrolments.len());
    for (id, enrolment) in &enrolments {
        let record = with(&delivered, "Moodle_Enrolment_Key", &format!("{SITE}:{id}"));
        let contact = with(&contacts, "Moodle_User_Key", &format!("{SITE}:{}", text(enrolment, "userid")));
        let product = with(&products, "Moodle_Course_Key", &format!("{SITE}:{}", text(enrolment, "courseid")));
        assert_eq!((&record["Contact"]["id"], &record["Course"]["id"]), (&contact["id"], &product["id"]));
        let end: i64 = text(enrolment, "timeend").parse().unwrap();
        let ended = end != 0 && end <= Clock::system().now().0 / 1_000;
        let active = if ended { "Ended" } else { "Active" };
        assert_eq!(record["Status"], if enrolment["status"] == json!("0") { active } else { "Suspended" });
    }
    let grades = last_bodies(&["grade_updated"], "gradeid");
    let delivered = zoho.records("Moodle_Grades").await;
    assert_eq!(delivered.len(), grades.len());
    for grade in grades.values() {
        let key = format!("{SITE}:{}:{}", text(grade, "userid"), text(grade, "itemid"));
        let record = with(&delivered, "Moodle_Grade_Key", &key);
        let contact = with(&contacts, "Moodle_User_Key", &format!("{SITE}:{}", text(grade, "userid")));
        assert_eq!(record["Contact"]["id"], contact["id"]);
        // Zoho's field has two decimals.
        let number = |value: Option<&Value>| match value {
            Some(Value::String(text)) => text.parse::<f64>().ok().map(|number| (number * 100.0).round() as i64),
            Some(Value::Number(number)) => number.as_f64().map(|number| (number * 100.0).round() as i64),
            _ => None,
        };
        assert_eq!(number(record.get("Final_Grade")), number(grade.get("finalgrade")), "{key}");
        assert!(
            !record.get("Feedback").is_some_and(|text| text.to_string().contains('<')),
            "without its HTML: {record:?}"
        );
        assert_tracked(record, grade);
    }
    server.stop().await;
}

fn text(body: &Map<String, Value>, name: &str) -> String {
    body[name].as_str().unwrap().to_owned()
}

/// Compares texts as Zoho stores them: trimmed, and null if empty.
fn assert_fields(record: &Map<String, Value>, body: &Map<String, Value>, names: &[(&str, &str)]) {
    for (field, name) in names {
        let sent = body.get(*name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        assert_eq!(record.get(*field).and_then(Value::as_str), sent, "{field}");
    }
}

fn assert_tracked(record: &Map<String, Value>, body: &Map<String, Value>) {
    assert_eq!(record["Moodle_Sync_Status"], "Synced");
    assert!(record["Moodle_Last_Sync"].as_str().is_some_and(|time| time.ends_with("+00:00")), "{record:?}");
    assert_eq!(record.get("Moodle_Sync_Error").filter(|error| !error.is_null()), None);
    let modified: i64 = text(body, "timemodified").parse().unwrap();
    let told = backend_sync::clock::Timestamp::from_rfc3339(record["Moodle_Event_Time"].as_str().unwrap()).unwrap();
    assert_eq!(told.0, modified * 1000);
}
