//! Alerts about the delivery, each with its real cause.

use serde_json::json;

use super::{begin, evaluations, open};
use crate::{
    delivery::{item, rest, until},
    support::{
        Database,
        events::{at, course, enrolment, user},
        server::run,
    },
    sync_api::{REFUSED, refuse_bad_users},
};

on_both_databases!(
    a_change_that_waits_because_zoho_is_down,
    records_that_zoho_refuses,
    a_revoked_token,
    few_credits,
    a_lost_item,
    an_enrolment_without_its_person,
);

async fn a_change_that_waits_because_zoho_is_down(database: Database) {
    let (receivers, zoho, server) = begin(&database, &[]).await;
    zoho.add_faults(json!([{"match": {"every": 1}, "fault": "internal_error"}])).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    evaluations(&database, 2).await;
    assert_eq!(open(&server).await.len(), 0, "the ten minutes have not passed");
    database.execute("UPDATE sync_items SET queued_at = queued_at - 660000").await;
    receivers.receive(&database, "oldest_change", &["raised"]).await;
    let alert = open(&server).await.pop().unwrap();
    assert_eq!((&alert["code"], &alert["severity"]), (&json!("change_waiting"), &json!("warning")), "{alert}");
    zoho.clear_faults().await;
    until("it is delivered", async || {
        assert!(run(&database, &["sync", "retry", "--state", "pending"]).status.success());
        (item(&database, "user", 3).await.0 == "synced").then_some(())
    })
    .await;
    receivers.receive(&database, "oldest_change", &["raised", "resolved"]).await;
    assert_eq!(open(&server).await.len(), 0);
    server.stop().await;
}

async fn records_that_zoho_refuses(database: Database) {
    let (receivers, zoho, server) = begin(&database, &[("BACKEND_SYNC_ALERTS__RULES__FAILED_MANY", "2")]).await;
    refuse_bad_users(&zoho).await;
    let mut bad = user(3, "ann");
    bad["lastname"] = json!(REFUSED);
    server.site().apply(&[at(1, "user_created", bad.clone())]).await;
    receivers.receive(&database, "failed", &["raised"]).await;
    // Twice as many is worse, and notified again.
    bad["userid"] = json!("4");
    bad["email"] = json!("ben@example.com");
    server.site().apply(&[at(2, "user_created", bad)]).await;
    receivers.receive(&database, "failed", &["raised", "worsened"]).await;
    server.site().apply(&[at(3, "user_updated", user(3, "ann")), at(4, "user_updated", user(4, "ben"))]).await;
    receivers.receive(&database, "failed", &["raised", "worsened", "resolved"]).await;
    let (text, log) = (receivers.everything(), server.log());
    for personal in ["ann@", "Ann", "O'Neil", "ben@", "mother"] {
        assert!(!text.contains(personal), "{personal} in a notice: {text}");
        assert!(!log.contains(personal), "{personal} in the log: {log}");
    }
    assert!(text.contains("Alert: 1 person is not in Zoho: Zoho does not accept a value"), "{text}");
    server.stop().await;
}

async fn a_revoked_token(database: Database) {
    let (receivers, zoho, server) = begin(&database, &[]).await;
    zoho.change(json!({"revoked": true})).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    receivers.receive(&database, "paused", &["raised"]).await;
    let alert = open(&server).await.pop().unwrap();
    assert_eq!((&alert["code"], &alert["severity"]), (&json!("paused_credentials"), &json!("critical")), "{alert}");
    assert!(alert["message"].as_str().unwrap().contains("zoho connect"), "{alert}");
    zoho.change(json!({"revoked": false})).await;
    receivers.receive(&database, "paused", &["raised", "resolved"]).await;
    rest(&database).await;
    server.stop().await;
}

async fn few_credits(database: Database) {
    let (receivers, zoho, server) = begin(&database, &[("BACKEND_SYNC_ZOHO__RESERVE_CREDITS", "100")]).await;
    zoho.change(json!({"allowance": 10_000, "used": 9_500})).await;
    server.site().apply(&[at(1, "course_created", course(1, "first"))]).await;
    receivers.receive(&database, "credits", &["raised"]).await;
    let alert = open(&server).await.pop().unwrap();
    assert_eq!(alert["code"], "credits_low", "{alert}");
    zoho.change(json!({"used": 0})).await;
    server.site().apply(&[at(2, "course_created", course(2, "second"))]).await;
    receivers.receive(&database, "credits", &["raised", "resolved"]).await;
    server.stop().await;
}

async fn a_lost_item(database: Database) {
    let (receivers, _zoho, server) = begin(&database, &[]).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann")), at(2, "user_created", user(4, "ben"))]).await;
    rest(&database).await;
    database.execute("DELETE FROM sync_items WHERE moodle_id = 3").await;
    receivers.receive(&database, "conservation", &["raised"]).await;
    assert_eq!(open(&server).await[0]["severity"], "critical");
    let audit = database.texts("SELECT audit FROM destinations").await.pop().flatten().unwrap();
    assert!(audit.contains("\"without_item\":1"), "the counts are stored: {audit}");
    server.site().apply(&[at(3, "user_updated", user(3, "ann2"))]).await;
    receivers.receive(&database, "conservation", &["raised", "resolved"]).await;
    server.stop().await;
}

async fn an_enrolment_without_its_person(database: Database) {
    let (receivers, _zoho, server) = begin(&database, &[]).await;
    server
        .site()
        .apply(&[at(1, "course_created", course(7, "Maths")), at(2, "enrolment_updated", enrolment(1, 3, 7))])
        .await;
    until("it is parked", async || (item(&database, "enrolment", 1).await.0 == "parked").then_some(())).await;
    database.execute("UPDATE sync_items SET changed_at = changed_at - 90000000 WHERE state = 'parked'").await;
    receivers.receive(&database, "parked", &["raised"]).await;
    server.site().apply(&[at(3, "user_created", user(3, "ann"))]).await;
    receivers.receive(&database, "parked", &["raised", "resolved"]).await;
    server.stop().await;
}
