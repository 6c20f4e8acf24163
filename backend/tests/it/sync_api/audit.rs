//! Conservation: the counts add up, and a difference is found.

use serde_json::{Value, json};

use super::{ZOHO, a_bad_user, a_learner, begin};
use crate::{
    delivery::rest,
    support::{
        Database,
        events::{at, grade},
        server::{run, run_json},
    },
};

on_both_databases!(counts_add_up, a_row_that_is_deleted_by_hand_is_found);

async fn counts_add_up(database: Database) {
    let (_zoho, server) = begin(&database).await;
    server.site().apply(&a_learner()).await;
    server.site().apply(&[a_bad_user(2), at(2, "grade_updated", grade(2, 3, 1, 7, "10.00000"))]).await;
    rest(&database).await;
    let zoho = server.reader().read(ZOHO).await;
    let expected = json!({"total": 6, "pending": 0, "in_flight": 0, "synced": 4, "with_remarks": 0, "parked": 1,
        "failed": 1});
    assert_eq!(zoho["records"], expected);
    for state in ["total", "pending", "in_flight", "synced", "parked", "failed"] {
        let kinds = zoho["kinds"].as_array().unwrap();
        let sum: u64 = kinds.iter().map(|kind| kind[state].as_u64().unwrap()).sum();
        assert_eq!(sum, expected[state].as_u64().unwrap(), "{state}");
    }
    assert_eq!((&zoho["configured"], &zoho["pause"]), (&json!(true), &Value::Null));
    assert!(zoho["undelivered_since"].is_string(), "{zoho}");
    assert_eq!(server.reader().read("/api/v1/destinations").await["items"][0]["records"], expected);

    // An audit reads every record, so the API shows the last one.
    run(&database, &["sync", "audit"]);
    let mut conservation = server.reader().read(ZOHO).await["conservation"].clone();
    assert!(conservation["audited_at"].take().is_string(), "{conservation}");
    let expected_audit = json!({"holds": true, "records": 6, "items": 6, "without_item": 0, "without_record": 0,
        "malformed": 0, "audited_at": null});
    assert_eq!(conservation, expected_audit);

    // The command reports the same, with a configuration without Zoho.
    let status = run_json(&database, &["sync", "status", "--json"]);
    assert_eq!((&status["records"], &status["configured"]), (&expected, &json!(false)));
    let words = String::from_utf8(run(&database, &["sync", "status"]).stdout).unwrap();
    let all = words.lines().find(|line| line.starts_with("all")).unwrap();
    assert_eq!(all.split_whitespace().skip(1).collect::<Vec<_>>(), ["6", "4", "0", "0", "1", "1"]);
    assert!(words.contains("The sum is right"), "{words}");
    server.stop().await;
}

async fn a_row_that_is_deleted_by_hand_is_found(database: Database) {
    let (_zoho, server) = begin(&database).await;
    server.site().apply(&a_learner()).await;
    rest(&database).await;
    let audit = run(&database, &["sync", "audit"]);
    assert!(audit.status.success() && String::from_utf8(audit.stdout).unwrap().contains("4 records, 4 sync items"));
    database.execute("DELETE FROM sync_items WHERE kind = 'grade'").await;
    let audit = run(&database, &["sync", "audit", "--json"]);
    assert_eq!(audit.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert_eq!((&found["holds"], &found["without_item"]), (&json!(false), &json!(1)), "{found}");
    let words = String::from_utf8(audit.stderr).unwrap();
    assert!(words.contains("the sum is wrong") && words.contains("records without an item: 1"), "{words}");
    assert_eq!(server.reader().read(ZOHO).await["conservation"]["holds"], false);
    server.stop().await;
}
