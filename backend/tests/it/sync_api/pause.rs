//! Pausing and resuming, by API and by command.

use serde_json::{Value, json};

use super::{ZOHO, a_learner, act, begin, instruct};
use crate::{
    delivery::{rest, until},
    support::{
        Api, Database,
        events::{at, user},
        server::run,
    },
};

on_both_databases!(a_pause_holds_until_somebody_ends_it);

async fn pending(operator: &Api) -> u64 {
    operator.read(ZOHO).await["records"]["pending"].as_u64().unwrap()
}

async fn a_pause_holds_until_somebody_ends_it(database: Database) {
    let (zoho, server) = begin(&database).await;
    let operator = server.reader();
    let paused = instruct(&operator, &format!("{ZOHO}/pause"), json!({"reason": "Stocktaking."})).await;
    assert_eq!((&paused["pause"]["cause"], &paused["pause"]["reason"]), (&json!("operator"), &json!("Stocktaking.")));
    assert_eq!(paused["pause"]["check_at"], Value::Null, "only a person ends it");
    server.site().apply(&a_learner()).await;
    let timeline = operator.read("/api/v1/users/moodle:1/timeline").await;
    let reason = timeline["waiting"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("paused") && reason.contains("Stocktaking."), "{reason}");
    assert_eq!(pending(&operator).await, 4);
    assert_eq!(zoho.records("Contacts").await.len(), 0);
    let status = String::from_utf8(run(&database, &["sync", "status"]).stdout).unwrap();
    assert!(status.contains("PAUSED") && status.contains("Stocktaking."), "{status}");
    assert_eq!(act(&operator, &format!("{ZOHO}/resume")).await["pause"], Value::Null);
    rest(&database).await;
    assert_eq!(zoho.records("Moodle_Grades").await.len(), 1);

    assert!(run(&database, &["sync", "pause"]).status.success());
    server.site().apply(&[at(5, "user_created", user(5, "bob"))]).await;
    assert_eq!(operator.read(ZOHO).await["pause"]["cause"], "operator");
    assert_eq!(pending(&operator).await, 1);
    let again = String::from_utf8(run(&database, &["sync", "pause"]).stdout).unwrap();
    assert!(again.contains("already"), "{again}");
    assert!(run(&database, &["sync", "resume"]).status.success());
    until("the server notices by itself", async || (zoho.records("Contacts").await.len() == 2).then_some(())).await;
    server.stop().await;
}
