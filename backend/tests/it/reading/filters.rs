//! Filters: each finds exactly what it should.

use serde_json::Value;

use crate::support::{
    Api, Database, Server,
    events::{at, completion, course, enrolment, grade, user},
    server::run_json,
};

on_both_databases!(records_are_found_by_what_they_are, users_are_found_by_email, changes_are_found_by_time);

/// The ids of a filtered list, which must be the same in pages.
async fn ids(reader: &Api, path: &str) -> Vec<String> {
    let id = |item: &Value| item["id"].to_string().trim_matches('"').to_owned();
    let whole: Vec<String> = reader.list(&format!("/api/v1/{path}")).await.iter().map(id).collect();
    let join = if path.contains('?') { '&' } else { '?' };
    let single: Vec<String> = reader.list(&format!("/api/v1/{path}{join}limit=1")).await.iter().map(id).collect();
    assert_eq!(single, whole, "{path} one by one");
    whole
}

async fn records_are_found_by_what_they_are(database: Database) {
    let server = Server::start(&database).await;
    let other = run_json(&database, &["site", "add", "other", "--json"]);
    let events = |shift: i64| {
        vec![
            at(1, "user_created", user(1, "one")),
            at(1, "user_created", user(2, "two")),
            at(1, "course_created", course(7, "c7")),
            at(1, "course_created", course(8, "c8")),
            at(1, "user_enrolled", enrolment(1 + shift, 1, 7)),
            at(1, "user_enrolled", enrolment(2 + shift, 2, 7)),
            at(1, "user_enrolled", enrolment(3 + shift, 1, 8)),
            at(1, "grade_updated", grade(1 + shift, 1, 70, 7, "1.00000")),
            at(1, "grade_updated", grade(2 + shift, 2, 70, 7, "2.00000")),
            at(1, "grade_updated", grade(3 + shift, 1, 80, 8, "3.00000")),
            at(1, "course_completed", completion(1 + shift, 1, 7)),
            at(1, "course_completed", completion(2 + shift, 2, 8)),
            at(2, "enrolment_deleted", enrolment(2 + shift, 2, 7)),
            at(2, "user_deleted", user(2, "two")),
        ]
    };
    server.site().apply(&events(0)).await;
    server.site_with(other["token"].as_str().unwrap()).apply(&events(10)).await;
    let reader = server.reader();

    for (path, expected) in [
        ("users", &["moodle:1", "moodle:2", "other:1", "other:2"][..]),
        ("users?site=other", &["other:1", "other:2"]),
        ("users?deleted=true", &["moodle:2", "other:2"]),
        ("users?deleted=false&site=moodle", &["moodle:1"]),
        ("courses?site=moodle", &["moodle:7", "moodle:8"]),
        ("courses?deleted=true", &[]),
        ("enrolments?user=moodle:1", &["moodle:1", "moodle:3"]),
        ("enrolments?user=1&site=moodle", &["moodle:1", "moodle:3"]),
        ("enrolments?user=moodle:1&site=moodle", &["moodle:1", "moodle:3"]),
        ("enrolments?user=moodle:1&site=other", &[]),
        ("enrolments?course=other:7", &["other:11", "other:12"]),
        ("enrolments?course=7&site=other&deleted=false", &["other:11"]),
        ("enrolments?course=7&site=other&deleted=true", &["other:12"]),
        ("enrolments?course=8&user=1&site=moodle", &["moodle:3"]),
        ("enrolments?course=moodle:8&user=other:1", &[]),
        ("enrolments?user=moodle:99", &[]),
        ("grades?user=other:1", &["other:11", "other:13"]),
        ("grades?course=moodle:7", &["moodle:1", "moodle:2"]),
        ("grades?course=moodle:7&user=moodle:2", &["moodle:2"]),
        ("grades?course=8&site=other", &["other:13"]),
        ("completions?course=moodle:7", &["moodle:1"]),
        ("completions?user=other:2", &["other:12"]),
        ("events?site=other&type=user_deleted", &["28"]),
        ("events?user=moodle:2", &["2", "6", "9", "12", "13", "14"]),
        ("events?user=2&site=other&type=grade_updated", &["23"]),
        ("events?type=grade_deleted", &[]),
    ] {
        assert_eq!(ids(&reader, path).await, expected, "{path}");
    }
    server.stop().await;
}

async fn users_are_found_by_email(database: Database) {
    let server = Server::start(&database).await;
    let addresses = [
        "ann@example.com",
        "Ann@example.com",
        "ann+a@example.com",
        "مرحبا@example.com",
        "",
        "100%_@x",
        "ann@example.com",
    ];
    let events: Vec<Value> = (1..)
        .zip(addresses)
        .map(|(userid, email)| {
            let mut data = user(userid, "u");
            data["email"] = email.into();
            at(1, "user_created", data)
        })
        .collect();
    server.site().apply(&events).await;
    let reader = server.reader();
    for (query, expected) in [
        ("ann@example.com", &["moodle:1", "moodle:7"][..]),
        ("Ann@example.com", &["moodle:2"]),
        ("ann%2Ba@example.com", &["moodle:3"]),
        ("%D9%85%D8%B1%D8%AD%D8%A8%D8%A7@example.com", &["moodle:4"]),
        ("", &["moodle:5"]),
        ("100%25_@x", &["moodle:6"]),
        ("%25", &[]),
        ("ann@example", &[]),
        ("'%20OR%20'1'='1", &[]),
    ] {
        assert_eq!(ids(&reader, &format!("users?email={query}")).await, expected, "{query}");
    }
    // An address longer than an index page of either database.
    let mut long = user(9, "long");
    long["email"] = "x".repeat(100_000).into();
    server.site().apply(&[at(1, "user_created", long)]).await;
    server.stop().await;
}

async fn changes_are_found_by_time(database: Database) {
    let server = Server::start(&database).await;
    let (site, reader) = (server.site(), server.reader());
    let mut changed_at = Vec::new();
    for userid in 1..=3 {
        site.apply(&[at(1, "user_created", user(userid, "u"))]).await;
        changed_at.push(reader.read(&format!("/api/v1/users/moodle:{userid}")).await["changed_at"].clone());
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let since = changed_at[1].as_str().unwrap();
    assert_eq!(ids(&reader, &format!("users?changed_since={since}")).await, ["moodle:2", "moodle:3"]);
    // The same moment in another time zone.
    let hour: u32 = since[11..13].parse().unwrap();
    // On the same day, at any time.
    let (hour, offset) = if hour < 12 { (hour + 2, "%2B02:00") } else { (hour - 2, "-02:00") };
    let elsewhere = format!("{}{hour:02}{}{offset}", &since[..11], &since[13..since.len() - 1]);
    assert_eq!(ids(&reader, &format!("users?changed_since={elsewhere}")).await, ["moodle:2", "moodle:3"]);
    // A changed record moves; an unchanged one does not.
    site.apply(&[at(2, "user_updated", user(1, "new"))]).await;
    assert_eq!(site.send_batch(&[at(2, "user_updated", user(2, "u"))]).await, ["unchanged"]);
    let last = changed_at[2].as_str().unwrap();
    assert_eq!(ids(&reader, &format!("users?changed_since={last}")).await, ["moodle:1", "moodle:3"]);
    assert_eq!(ids(&reader, "users?changed_since=2100-01-01T00:00:00Z").await, Vec::<String>::new());
    server.stop().await;
}
