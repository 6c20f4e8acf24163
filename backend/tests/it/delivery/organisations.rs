//! Another organisation than the one that the records are in: a sandbox, then the real one.

use backend_sync::zoho::mapping::Mapping;
use serde_json::{Value, json};

use super::{assert_conserved, item, rest, start, until, writes};
use crate::support::{
    Database, ZohoSimulator,
    browser::Browser,
    events::{at, course, enrolment, user},
    server::{run, run_json},
};

on_both_databases!(nothing_is_believed_to_be_in_another_organisation,);

async fn nothing_is_believed_to_be_in_another_organisation(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann")), at(2, "course_created", course(2, "bio"))]).await;
    server.site().apply(&[at(3, "user_enrolled", enrolment(5, 3, 2))]).await;
    rest(&database).await;
    server.stop().await;
    zoho.change(json!({"organisation": "sandbox"})).await;
    zoho.set_up(&Mapping::parse(Mapping::DEFAULT).unwrap()).await;
    zoho.empty_log().await;
    let server = start(&database, &zoho).await;
    let mut changed = user(3, "ann");
    changed["city"] = json!("Ulm");
    server.site().apply(&[at(4, "user_updated", changed)]).await;
    let pause = until("the pause", async || {
        let status = run_json(&database, &["sync", "status", "--json"]);
        Some(status["pause"].clone()).filter(|pause| !pause.is_null())
    })
    .await;
    assert_eq!(pause["cause"], "organisation", "{pause}");
    assert!(pause["reason"].as_str().unwrap().contains("sync accept organisation"), "{pause}");
    assert_eq!(writes(&zoho.log().await), [], "nothing was sent");
    let page = Browser::signed_in(&server, server.api_token()).await.get("/attention").await.html;
    assert!(page.contains("Deliver everything anew"), "{page}");

    let accepted = run(&database, &["sync", "accept", "organisation"]);
    assert!(accepted.status.success(), "{accepted:?}");
    rest(&database).await;
    for (kind, id) in [("user", 3), ("course", 2), ("enrolment", 5)] {
        assert_eq!(item(&database, kind, id).await.0, "synced", "{kind}");
    }
    let enrolments = zoho.records("Moodle_Enrolments").await;
    let contacts = zoho.records("Contacts").await;
    assert_eq!((enrolments.len(), contacts.len(), &contacts[0]["Mailing_City"]), (1, 1, &json!("Ulm")));
    assert_eq!(enrolments[0]["Contact"]["id"], contacts[0]["id"]);
    let status = run_json(&database, &["sync", "status", "--json"]);
    assert_eq!(status["pause"], Value::Null, "{status}");
    assert_conserved(&database);
    server.stop().await;
}
