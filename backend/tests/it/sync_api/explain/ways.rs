//! The explanation is true, and each way to ask for it answers: API, command, console.

use serde_json::{Value, json};

use super::{explain, field};
use crate::{
    delivery::rest,
    support::{
        Database,
        browser::Browser,
        events::{TIME, at, course, enrolment, grade, user},
        server::run_with,
    },
    sync_api::{REFUSED, ZOHO, a_bad_user, a_learner, act, begin, instruct},
};

on_both_databases!(
    nobody_explains_what_is_unknown,
    what_would_be_sent_is_what_is_sent,
    the_command_explains_in_words,
    the_console_draws_the_edges,
);

async fn nobody_explains_what_is_unknown(database: Database) {
    let (zoho, server) = begin(&database).await;
    let operator = server.reader();
    for place in ["user/moodle:99", "pupil/moodle:1", "user/nowhere:1"] {
        operator.get(&format!("{ZOHO}/items/{place}/explanation")).await.problem(404, "not_found");
    }
    operator.get("/api/v1/destinations/none/items/user/moodle:1/explanation").await.problem(404, "not_found");
    for (record, code) in [("user:moodle:99", 1), ("pupil:moodle:1", 2), ("moodle:1", 2)] {
        let output = run_with(&database, &zoho.settings(), &["sync", "explain", record]);
        assert_eq!(output.status.code(), Some(code), "{record}");
    }
    server.stop().await;
}

async fn what_would_be_sent_is_what_is_sent(database: Database) {
    let (zoho, server) = begin(&database).await;
    let operator = server.reader();
    // The server knows the fields once it has delivered something of the kind.
    server.site().apply(&a_learner()).await;
    rest(&database).await;
    instruct(&operator, &format!("{ZOHO}/pause"), json!({})).await;
    let mut bob = user(2, "bob");
    (bob["phone1"], bob["city"], bob["suspended"]) = (json!("n/a (ask her)"), json!("Ely"), json!(true));
    let mut ended = enrolment(2, 1, 7);
    (ended["timestart"], ended["timeend"]) = (json!(TIME - 9), json!(TIME - 1));
    server
        .site()
        .apply(&[
            at(5, "user_created", bob),
            at(5, "course_created", course(8, "Art")),
            at(5, "user_enrolled", ended),
            at(5, "grade_updated", grade(1, 1, 1, 7, "91.50000")),
        ])
        .await;
    let mut expected = Vec::new();
    for (kind, id, module) in [
        ("user", 2, "Contacts"),
        ("course", 8, "Products"),
        ("enrolment", 2, "Moodle_Enrolments"),
        ("grade", 1, "Moodle_Grades"),
    ] {
        expected.push((module, kind, id, explain(&operator, &format!("{kind}/moodle:{id}")).await));
    }
    let phone = field(&expected[0].3, "Phone");
    assert_eq!((&phone["outcome"], &phone["value"]), (&json!("left_out"), &Value::Null), "{phone}");
    assert!(phone["remark"].as_str().unwrap().contains("telephone number"), "{phone}");
    assert_eq!((&expected[0].3["action"], &expected[3].3["action"]), (&json!("insert"), &json!("update")));
    zoho.empty_log().await;
    act(&operator, &format!("{ZOHO}/resume")).await;
    rest(&database).await;
    for (module, kind, id, found) in expected {
        let sql = format!("SELECT remote_id FROM sync_items WHERE kind = '{kind}' AND moodle_id = {id}");
        let remote = database.texts(&sql).await.pop().flatten().unwrap();
        let records = zoho.records(module).await;
        let record = crate::delivery::with(&records, "id", &remote);
        let written = found["fields"].as_array().unwrap().iter().filter(|field| field["outcome"] == "written");
        let mut compared = 0;
        for field in written {
            let (name, value) = (field["field"].as_str().unwrap(), &field["value"]);
            let held = record.get(name).cloned().unwrap_or_default();
            let same = match (held.get("id"), value.get("id"), held.as_f64(), value.as_f64()) {
                (Some(held), Some(value), ..) => held == value,
                (.., Some(held), Some(value)) => held == value,
                _ => held == *value,
            };
            assert!(same, "{kind} {name}: {held}, explained as {value}");
            compared += 1;
        }
        assert!(compared > 3, "{found}");
        let after = explain(&operator, &format!("{kind}/moodle:{id}")).await;
        assert_eq!((&after["action"], &after["obstacles"]), (&json!("nothing"), &json!([])), "{after}");
    }
    server.stop().await;
}

async fn the_command_explains_in_words(database: Database) {
    let (zoho, server) = begin(&database).await;
    server.site().apply(&[a_bad_user(2), at(2, "grade_updated", grade(4, 2, 1, 7, "85.00000"))]).await;
    rest(&database).await;
    zoho.empty_log().await;
    let run = |arguments: &[&str]| {
        let output = run_with(&database, &zoho.settings(), arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let words = run(&["sync", "explain", "grade:moodle:4"]);
    assert!(
        words.starts_with("grade moodle:4: parked\nIt waits for user moodle:2, which failed; last tried at"),
        "{words}"
    );
    for part in [
        "    waits     needs           It waits for user moodle:2, which failed and needs a person.",
        "    => park: It waits for user moodle:2",
        "    waits for user moodle:2 (failed, last tried at 20",
        "    Final_Grade: \"85\"  <- finalgrade",
        "--live asks Zoho",
        "Nothing was sent.",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert!(zoho.log().await.is_empty(), "without --live, Zoho is not asked");
    let words = run(&["sync", "explain", "user:moodle:2", "--live"]);
    assert!(words.contains("Asked of Zoho just now:\ninsert   user moodle:2"), "{words}");
    assert!(words.contains("    Moodle_User_Key: \"moodle:2\"") && !words.contains("--live asks"), "{words}");
    let found: Value = serde_json::from_str(&run(&["sync", "explain", "grade:moodle:4", "--json"])).unwrap();
    assert_eq!((&found["item"]["state"], &found["fitted"]), (&json!("parked"), &json!(false)));
    server.stop().await;
}

async fn the_console_draws_the_edges(database: Database) {
    let (_zoho, server) = begin(&database).await;
    server.site().apply(&a_learner()).await;
    server.site().apply(&[a_bad_user(2), at(2, "grade_updated", grade(4, 2, 1, 7, "85.00000"))]).await;
    rest(&database).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let page = browser.get("/records/grade:moodle:4").await.html;
    for part in [
        "It waits for user moodle:2, which failed; last tried at",
        "<li class=\"awaited\">",
        "href=\"/records/user:moodle:2\"",
        "href=\"/records/course:moodle:7\"",
        "The decision, step by step",
        "It waits for user moodle:2, which failed and needs a person.",
        "waits for that record",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let page = browser.get("/records/user:moodle:2").await.html;
    assert!(page.contains("waits for this record") && page.contains("href=\"/records/grade:moodle:4\""), "{page}");
    assert!(!browser.get("/records/user:moodle:2/why").await.html.contains(REFUSED), "reasons name no values");
    let page = browser.get("/records/grade:moodle:1").await.html;
    assert!(page.contains("Zoho has it as ") && page.contains("<code>Final_Grade</code>"), "{page}");
    assert_eq!(browser.get("/records/grade:moodle:99/why").await.status, 404);
    server.stop().await;
}
