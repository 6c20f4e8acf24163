//! Sync items: finding and retrying them.

use serde_json::{Value, json};

use super::{ZOHO, a_bad_user, a_learner, act, begin, instruct};
use crate::{
    delivery::{item, rest, writes},
    support::{
        Database,
        events::{at, user},
        server::{run, run_json},
    },
};

on_both_databases!(items_are_found, failed_items_are_retried, everything_is_delivered_again);

fn records(items: &[Value]) -> Vec<String> {
    let name = |item: &Value| format!("{} {}", item["kind"].as_str().unwrap(), item["record"].as_str().unwrap());
    items.iter().map(name).collect()
}

async fn items_are_found(database: Database) {
    let (_zoho, server) = begin(&database).await;
    server.site().apply(&a_learner()).await;
    server.site().apply(&[a_bad_user(2), at(1, "user_created", user(3, "bob"))]).await;
    rest(&database).await;
    let operator = server.reader();
    let all =
        ["course moodle:7", "enrolment moodle:1", "grade moodle:1", "user moodle:1", "user moodle:2", "user moodle:3"];
    for (query, expected) in [
        ("", &all[..]),
        ("?limit=1", &all),
        ("?limit=4", &all),
        ("?state=failed", &all[4..5]),
        ("?kind=user", &all[3..]),
        ("?kind=user&state=synced", &["user moodle:1", "user moodle:3"]),
        ("?code=INVALID_DATA", &all[4..5]),
        ("?kind=grade&record=moodle:1", &all[2..3]),
        ("?site=moodle&kind=grade&record=1", &all[2..3]),
        ("?user=moodle:1", &all[1..4]),
        ("?user=1&site=moodle&limit=1", &all[1..4]),
        ("?user=moodle:1&kind=grade", &all[2..3]),
        ("?user=moodle:2&state=synced", &[]),
    ] {
        assert_eq!(records(&operator.list(&format!("{ZOHO}/items{query}")).await), expected, "{query}");
    }
    let failed = operator.read(&format!("{ZOHO}/items/user/moodle:2")).await;
    assert_eq!((&failed["state"], &failed["code"]), (&json!("failed"), &json!("INVALID_DATA")));
    assert_eq!(failed["tries"][0]["outcome"], "failed");
    assert!(!failed.to_string().contains("her mother"), "values are not repeated: {failed}");
    let synced = operator.read(&format!("{ZOHO}/items/grade/moodle:1")).await;
    assert_eq!((&synced["state"], &synced["tries"][0]["outcome"]), (&json!("synced"), &json!("inserted")));
    assert_eq!(synced["remote_id"], synced["tries"][0]["remote_id"]);
    assert_eq!(run_json(&database, &["sync", "show", "grade:moodle:1", "--json"]), synced);
    let words = String::from_utf8(run(&database, &["sync", "show", "user:moodle:2"]).stdout).unwrap();
    assert!(words.starts_with("user moodle:2: failed") && words.contains("INVALID_DATA"), "{words}");
    for (record, code) in [("user:moodle:99", 1), ("pupil:moodle:1", 2), ("moodle:1", 2)] {
        assert_eq!(run(&database, &["sync", "show", record]).status.code(), Some(code), "{record}");
    }
    server.stop().await;
}

async fn failed_items_are_retried(database: Database) {
    let (zoho, server) = begin(&database).await;
    let operator = server.reader();
    server.site().apply(&[a_bad_user(2), a_bad_user(3)]).await;
    rest(&database).await;
    let tries = async |userid: i64| {
        let item = operator.read(&format!("{ZOHO}/items/user/moodle:{userid}")).await;
        item["tries"].as_array().unwrap().len()
    };
    assert_eq!((tries(2).await, tries(3).await), (1, 1));
    let retried = act(&operator, &format!("{ZOHO}/items/user/moodle:2/retry")).await;
    assert_eq!(retried["record"], "moodle:2");
    rest(&database).await;
    assert_eq!((tries(2).await, tries(3).await), (2, 1));
    let retry = format!("{ZOHO}/retry");
    assert_eq!(instruct(&operator, &retry, json!({"kind": "grade"})).await, json!({"items": 0}));
    assert_eq!(instruct(&operator, &retry, json!({"state": "parked"})).await, json!({"items": 0}));
    assert_eq!(instruct(&operator, &retry, json!({"code": "INVALID_DATA"})).await, json!({"items": 2}));
    rest(&database).await;
    assert_eq!(instruct(&operator, &retry, json!({})).await, json!({"items": 2}));
    rest(&database).await;
    assert_eq!(tries(3).await, 3);
    let said = |arguments: &[&str]| String::from_utf8(run(&database, arguments).stdout).unwrap();
    assert!(said(&["sync", "retry", "--record", "user:moodle:3"]).starts_with("1 record now pending"));
    rest(&database).await;
    let of_site = ["sync", "retry", "--kind", "user", "--site", "moodle", "--state", "failed"];
    assert!(said(&of_site).starts_with("2 records now pending"));
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await.0, "failed");
    assert_eq!(zoho.records("Contacts").await.len(), 0);
    assert_eq!(run(&database, &["sync", "retry", "--state", "synced"]).status.code(), Some(2));
    server.stop().await;
}

async fn everything_is_delivered_again(database: Database) {
    let (zoho, server) = begin(&database).await;
    let operator = server.reader();
    server.site().apply(&a_learner()).await;
    rest(&database).await;
    zoho.empty_log().await;
    let resync = format!("{ZOHO}/resync");
    assert_eq!(instruct(&operator, &resync, json!({"kind": "grade", "site": "moodle"})).await, json!({"items": 1}));
    rest(&database).await;
    assert_eq!(writes(&zoho.log().await).len(), 1);
    assert_eq!(instruct(&operator, &resync, json!({})).await, json!({"items": 4}));
    rest(&database).await;
    assert_eq!(writes(&zoho.log().await).len(), 5, "one more per kind");

    let said = |arguments: &[&str]| String::from_utf8(run(&database, arguments).stdout).unwrap();
    let words = said(&["sync", "resync", "--kind", "user", "--yes"]);
    assert!(words.contains("1 record now pending") && words.contains("Every record is delivered"), "{words}");
    assert_eq!(zoho.records("Contacts").await.len(), 1);
    assert!(run(&database, &["sync", "pause", "--reason", "Stocktaking."]).status.success());
    let words = said(&["sync", "resync", "--yes"]);
    assert!(words.contains("4 records still pending") && words.contains("Stocktaking."), "{words}");
    assert_eq!(said(&["sync", "resync", "--yes", "--no-wait"]).trim(), "4 records now pending.");
    server.stop().await;
}
