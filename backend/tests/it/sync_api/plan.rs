//! The dry run: the exact difference and its cost, and nothing is sent.

use serde_json::{Value, json};

use super::{ZOHO, a_learner, act, begin, instruct};
use crate::{
    delivery::rest,
    support::{
        Database, Server,
        events::{at, grade, user},
        server::run_with,
    },
};

on_both_databases!(the_plan_shows_the_difference_and_sends_nothing, without_zoho_there_is_no_plan);

fn action<'a>(plan: &'a Value, kind: &str, record: &str) -> &'a Value {
    let items = plan["items"].as_array().unwrap();
    let found = items.iter().find(|item| item["kind"] == kind && item["record"] == record);
    found.unwrap_or_else(|| panic!("no {kind} {record}: {plan}"))
}

async fn the_plan_shows_the_difference_and_sends_nothing(database: Database) {
    let (zoho, server) = begin(&database).await;
    let operator = server.reader();
    server.site().apply(&a_learner()).await;
    rest(&database).await;
    assert_eq!(operator.read(&format!("{ZOHO}/plan")).await["pending"], 0);
    instruct(&operator, &format!("{ZOHO}/pause"), json!({})).await;
    let changes = [
        at(10, "grade_updated", grade(1, 1, 1, 7, "90.00000")),
        at(11, "user_created", user(2, "bob")),
        at(12, "grade_updated", grade(2, 9, 1, 7, "10.00000")),
    ];
    server.site().apply(&changes).await;
    let before = zoho.state().await;
    zoho.empty_log().await;
    let plan = operator.read(&format!("{ZOHO}/plan")).await;
    assert_eq!((&plan["pending"], &plan["planned"]), (&json!(3), &json!(3)));
    assert_eq!(plan["actions"], json!({"insert": 1, "park": 1, "update": 1}));
    let update = action(&plan, "grade", "moodle:1");
    assert_eq!(update["action"], "update");
    assert_eq!(update["differences"], json!([{"field": "Final_Grade", "before": 85, "after": 90}]));
    let insert = action(&plan, "user", "moodle:2");
    assert_eq!((&insert["action"], &insert["remote_id"]), (&json!("insert"), &Value::Null));
    assert!(action(&plan, "grade", "moodle:2")["reason"].as_str().unwrap().contains("user moodle:9"), "{plan}");
    let room = |module: &str| {
        plan["room"]["modules"].as_array().unwrap().iter().find(|m| m["module"] == module).unwrap().clone()
    };
    assert_eq!(room("Contacts")["coming"], 1, "bob: {plan}");
    assert_eq!(room("Moodle_Grades")["coming"], 1, "his grade, which waits for him");
    assert!(room("Contacts")["held"].is_u64(), "{plan}");
    assert_eq!((&plan["room"]["limit"], &plan["room"]["warning"]), (&json!(5_000_000), &Value::Null));
    // Two writing calls, and one that searches for a contact with the same address.
    assert_eq!((&plan["calls"], &plan["credits"]), (&json!(3), &json!(3)));
    assert_eq!((&plan["estimated_calls"], &plan["estimated_credits"]), (&json!(3), &json!(3)));

    // The command, in its own process.
    let output = run_with(&database, &zoho.settings(), &["sync", "plan"]);
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(words.contains("Final_Grade: 85 -> 90") && words.contains("Nothing was sent."), "{words}");
    assert!(words.contains("Moodle_Grades: ") && words.contains("in Zoho, 1 come."), "{words}");
    let output = run_with(&database, &zoho.settings(), &["sync", "plan", "--kind", "grade", "--limit", "1", "--json"]);
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&plan["pending"], &plan["planned"]), (&json!(2), &json!(1)));

    let output = run_with(&database, &zoho.settings(), &["zoho", "setup", "--yes"]);
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && words.contains("in Zoho, 1 come.\n"), "setup shows it too: {words}");

    let log = zoho.log().await;
    assert!(!log.is_empty());
    // Counting and searching are POSTs, too.
    let sent: Vec<_> = crate::delivery::writes(&log).into_iter().filter(|(path, _)| path != "/crm/v8/coql").collect();
    assert!(sent.is_empty(), "a plan sends nothing: {sent:?}");
    assert_eq!(zoho.state().await, before);

    act(&operator, &format!("{ZOHO}/resume")).await;
    rest(&database).await;
    let grades = zoho.records("Moodle_Grades").await;
    assert_eq!(grades[0]["Final_Grade"].as_f64(), Some(90.0), "the plan is what happens");
    server.stop().await;
}

async fn without_zoho_there_is_no_plan(database: Database) {
    let (_zoho, server) = begin(&database).await;
    server.site().apply(&a_learner()).await;
    rest(&database).await;
    server.stop().await;
    // The same database, with a configuration that does not deliver.
    let server = Server::start(&database).await;
    server.reader().get(&format!("{ZOHO}/plan")).await.problem(409, "not_configured");
    assert_eq!(server.reader().read(ZOHO).await["configured"], false);
    server.stop().await;
}
