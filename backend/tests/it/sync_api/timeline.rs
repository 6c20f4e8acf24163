//! A learner's timeline: from Moodle's event to Zoho's id, and why something is missing.

use serde_json::{Value, json};

use super::{a_bad_user, a_learner, begin};
use crate::{
    delivery::rest,
    support::{
        Database,
        events::{at, grade},
    },
};

on_both_databases!(from_moodle_to_zoho_in_order, a_parked_grade_says_why);

const TIMELINE: &str = "/api/v1/users/moodle:1/timeline";

fn words(entries: &[Value], sort: &str) -> Vec<String> {
    let of_sort = entries.iter().filter(|entry| entry["entry"] == sort);
    of_sort.map(|entry| format!("{} {}", entry["kind"].as_str().unwrap(), entry["text"].as_str().unwrap())).collect()
}

async fn from_moodle_to_zoho_in_order(database: Database) {
    let (zoho, server) = begin(&database).await;
    server.site().apply(&a_learner()).await;
    rest(&database).await;
    let outcomes = server.site().send_batch(&[at(2, "grade_updated", grade(1, 1, 1, 7, "20.00000"))]).await;
    assert_eq!(outcomes, ["superseded"]);
    let operator = server.reader();
    let timeline = operator.read(TIMELINE).await;
    assert_eq!((&timeline["user"], &timeline["waiting"]), (&json!("moodle:1"), &json!([])));
    assert_eq!(timeline["next_cursor"], Value::Null);
    let entries = timeline["entries"].as_array().unwrap();
    let moments: Vec<&str> = entries.iter().map(|entry| entry["at"].as_str().unwrap()).collect();
    assert!(moments.is_sorted(), "{moments:?}");
    assert_eq!(
        words(entries, "event"),
        [
            "user Moodle reported user_created; it changed the record.",
            "enrolment Moodle reported enrolment_updated; it changed the record.",
            "grade Moodle reported grade_updated; it changed the record.",
            "grade Moodle reported grade_updated; the record was already newer.",
        ]
    );
    let id = zoho.records("Moodle_Grades").await[0]["id"].as_str().unwrap().to_owned();
    assert!(words(entries, "attempt").contains(&format!("grade zoho inserted it as {id}.")), "{timeline}");
    assert_eq!((words(entries, "record").len(), words(entries, "item").len()), (3, 3));
    let of_grade =
        |sort: &str| entries.iter().find(|entry| entry["entry"] == sort && entry["kind"] == "grade").unwrap();
    let item = &of_grade("item")["item"];
    assert_eq!((&item["state"], &item["remote_id"]), (&json!("synced"), &json!(id)));
    assert_eq!(of_grade("record")["state"]["version"]["sequence"], 4);

    for limit in [1, 2, 7] {
        let (mut pages, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = operator.read(&format!("{TIMELINE}?limit={limit}{cursor}")).await;
            pages.extend(page["entries"].as_array().unwrap().clone());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(&pages, entries, "page by page, the same: {limit}");
    }
    operator.get(&format!("{TIMELINE}?cursor=x")).await.problem(400, "invalid_parameter");
    server.stop().await;
}

async fn a_parked_grade_says_why(database: Database) {
    let (_zoho, server) = begin(&database).await;
    let operator = server.reader();
    server.site().apply(&a_learner()[1..]).await;
    rest(&database).await;
    let reasons = async || {
        let waiting = operator.read(TIMELINE).await["waiting"].as_array().unwrap().clone();
        let grade = waiting.iter().find(|waiting| waiting["kind"] == "grade").unwrap().clone();
        assert_eq!((&grade["state"], &grade["destination"]), (&json!("parked"), &json!("zoho")));
        assert_eq!(grade["waits_for"], json!({"kind": "user", "record": "moodle:1"}));
        (waiting.len(), grade["reason"].as_str().unwrap().to_owned())
    };
    let (count, reason) = reasons().await;
    assert_eq!(count, 2, "the enrolment too");
    assert!(reason.contains("waits for user moodle:1") && reason.contains("Moodle has not reported"), "{reason}");
    // Now Moodle reports the user, and Zoho refuses it.
    server.site().apply(&[a_bad_user(1)]).await;
    rest(&database).await;
    let (count, reason) = reasons().await;
    assert_eq!(count, 3);
    assert!(reason.contains("user moodle:1 is failed: ") && reason.contains("Last_Name"), "{reason}");
    server.stop().await;
}
