//! Each erasure policy: what happens in Zoho, and what the checks find there.

use backend_sync::zoho::client::SCOPES;
use serde_json::{Map, Value, json};

use super::{
    MARKS, begin, begin_with, checked, erase, erase_with, search::assert_not_in_tables, search::assert_nowhere, zelda,
};
use crate::{
    delivery::{assert_conserved, rest, start, until, with},
    support::{
        Database, ZohoSimulator,
        events::at,
        server::{run_json, run_with},
    },
};

on_both_databases!(
    an_anonymised_contact_stays_empty,
    by_delete_nothing_is_left,
    by_purge_no_timeline_is_left,
    without_the_scope_what_is_left_is_found,
    by_keep_zoho_is_not_touched,
    what_is_entered_again_is_found,
    an_attempt_of_unknown_outcome_is_erased_too,
    an_outage_is_waited_out,
);

async fn an_anonymised_contact_stays_empty(database: Database) {
    let (zoho, server) = begin(&database).await;
    // The admissions office has added data of its own to the contact.
    let contacts = zoho.records("Contacts").await;
    let id = with(&contacts, "Moodle_User_Key", "moodle:11")["id"].clone();
    update(&zoho, "Contacts", json!({"id": id, "Description": "pays by bank transfer"})).await;
    zoho.empty_log().await;
    erase(&database, &zoho).await;
    let contacts = zoho.records("Contacts").await;
    let contact = with(&contacts, "Moodle_User_Key", "moodle:11");
    assert_eq!(contact["id"], id);
    assert_eq!(contact["Last_Name"], "Erased", "Zoho requires one");
    assert_eq!(contact["Moodle_Sync_Status"], "Erased");
    assert_eq!(contact["Moodle_Status"], "Deleted");
    assert_eq!(contact["Description"], "pays by bank transfer", "data of others stays");
    for field in ["First_Name", "Email", "Phone", "Mailing_City", "Moodle_Username", "Moodle_ID_Number"] {
        assert!(contact.get(field).is_none_or(Value::is_null), "{field}: {contact:?}");
    }
    // Whether Zoho has the grade that it refused is not known before.
    for (module, expected) in
        [("Moodle_Enrolments", &["PUT", "DELETE"][..]), ("Moodle_Grades", &["PUT", "POST", "DELETE"])]
    {
        assert_eq!(zoho.records(module).await.len(), 1, "the bystander's record: {module}");
        // The recycle bin was emptied before.
        let log = zoho.log().await;
        let calls: Vec<&str> = log
            .iter()
            .filter(|call| call["module"] == module && call["method"] != "GET")
            .map(|call| call["method"].as_str().unwrap())
            .collect();
        assert_eq!(calls, expected, "{module}");
    }
    // A full resync changes nothing.
    zoho.empty_log().await;
    assert!(crate::support::server::run(&database, &["sync", "resync", "--yes", "--no-wait"]).status.success());
    rest(&database).await;
    assert_nowhere(&database, &server, &zoho).await;
    assert_conserved(&database);
    server.stop().await;
}

async fn by_delete_nothing_is_left(database: Database) {
    let policy = [("BACKEND_SYNC_ERASURE__ZOHO", "delete")];
    let (zoho, server) = begin_with(&database, &policy).await;
    let certificate = erase_with(&database, &zoho, &policy).await;
    assert_eq!(
        (&certificate["policy"], &certificate["state"]),
        (&json!("delete"), &json!("verified")),
        "{certificate}"
    );
    let shown = ["Contacts (timeline)", "Moodle_Enrolments (timeline)", "Moodle_Grades (timeline)"];
    assert_eq!(places(&certificate, "still_shown"), shown, "the certificate tells the truth");
    assert_nowhere(&database, &server, &zoho).await;
    for module in ["Contacts", "Moodle_Enrolments", "Moodle_Grades"] {
        assert_eq!(zoho.records(module).await.len(), 1, "the bystander's record: {module}");
    }
    assert_conserved(&database);
    server.stop().await;
}

/// The places of one kind in the last check of a certificate.
fn places(certificate: &Value, kind: &str) -> Vec<String> {
    let check = certificate["checks"].as_array().unwrap().last().unwrap();
    let place = |found: &Value| found["place"].as_str().unwrap().to_owned();
    check[kind].as_array().unwrap().iter().map(place).collect()
}

const PURGE: [(&str, &str); 1] = [("BACKEND_SYNC_ERASURE__ZOHO", "purge")];

async fn by_purge_no_timeline_is_left(database: Database) {
    let (zoho, server) = begin_with(&database, &PURGE).await;
    let scopes = format!("{SCOPES},ZohoCRM.settings.recycle_bin.DELETE");
    zoho.change(json!({ "scopes": scopes.split(',').collect::<Vec<_>>() })).await;
    let certificate = erase_with(&database, &zoho, &PURGE).await;
    assert_eq!(certificate["state"], "verified", "{certificate}");
    assert_eq!((places(&certificate, "findings"), places(&certificate, "still_shown")), (vec![], vec![]));
    let state = zoho.state().await;
    assert_eq!(
        (&state["recycled"]["Contacts"], state["modules"]["Contacts"].as_array().unwrap().len()),
        (&json!(0), 1)
    );
    assert_nowhere(&database, &server, &zoho).await;
    server.stop().await;
}

async fn without_the_scope_what_is_left_is_found(database: Database) {
    let (zoho, server) = begin_with(&database, &PURGE).await;
    let certificate = erase_with(&database, &zoho, &PURGE).await;
    assert_eq!(certificate["state"], "found", "{certificate}");
    assert!(places(&certificate, "findings").contains(&"Contacts (timeline)".to_owned()), "{certificate}");
    server.stop().await;
}

async fn by_keep_zoho_is_not_touched(database: Database) {
    let policy = [("BACKEND_SYNC_ERASURE__ZOHO", "keep")];
    let (zoho, server) = begin_with(&database, &policy).await;
    let before = zoho.state().await;
    let certificate = erase_with(&database, &zoho, &policy).await;
    assert_eq!(certificate["state"], "verified", "{certificate}");
    assert_not_in_tables(&database).await;
    assert_eq!(zoho.state().await, before);
    assert_conserved(&database);
    server.stop().await;
}

async fn what_is_entered_again_is_found(database: Database) {
    let (zoho, server) = begin(&database).await;
    let certificate = erase(&database, &zoho).await;
    let id = certificate["id"].to_string();
    let check = || run_with(&database, &zoho.settings(), &["erasures", "check", &id, "--json"]);
    assert!(check().status.success());
    let contacts = zoho.records("Contacts").await;
    let contact = with(&contacts, "Moodle_User_Key", "moodle:11")["id"].clone();
    update(&zoho, "Contacts", json!({"id": contact, "First_Name": MARKS[0], "Phone": "phonemark"})).await;
    let found = check();
    assert!(!found.status.success());
    let document: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(document["state"], "found", "{document}");
    let findings = document["checks"].as_array().unwrap().last().unwrap()["findings"].clone();
    assert_eq!(
        findings,
        json!([{"place": "Contacts.First_Name", "count": 1}, {"place": "Contacts.Phone", "count": 1}])
    );
    assert!(!document.to_string().contains(MARKS[0]), "the field, and never the value");
    // A check by the API reports the same, and so it does after the contact is gone again.
    let path = format!("/api/v1/erasures/{id}/check");
    assert_eq!(server.reader().post(&path, "").await.json()["state"], "found");
    update(&zoho, "Contacts", json!({"id": contact, "First_Name": null, "Phone": null})).await;
    assert_eq!(server.reader().post(&path, "").await.json()["state"], "verified");
    server.stop().await;
}

async fn an_attempt_of_unknown_outcome_is_erased_too(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    zoho.add_faults(json!([{
        "match": {"operation": "insert", "module": "Contacts"}, "fault": "timeout_after_commit", "delay_ms": 100,
    }]))
    .await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", zelda("Zeldamark"))]).await;
    until("the contact is in Zoho, but not recorded here", async || {
        (!zoho.records("Contacts").await.is_empty()).then_some(())
    })
    .await;
    until("an attempt has failed", async || {
        (database.count("SELECT count(*) FROM sync_attempts").await > 0).then_some(())
    })
    .await;
    zoho.clear_faults().await;
    let certificate = erase(&database, &zoho).await;
    assert_eq!(certificate["state"], "verified", "{certificate}");
    assert_nowhere(&database, &server, &zoho).await;
    server.stop().await;
}

async fn an_outage_is_waited_out(database: Database) {
    let (zoho, server) = begin(&database).await;
    zoho.add_faults(json!([{"match": {"path": "/crm/", "times": 4}, "fault": "internal_error"}])).await;
    let answer = server.reader().post("/api/v1/erasures", json!({"site": "moodle", "user": 11}).to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let certificate = checked(&database, answer.json()["id"].as_i64().unwrap(), 1).await;
    assert_eq!(certificate["state"], "verified", "{certificate}");
    assert_eq!(certificate["requested_by"], "api");
    assert_nowhere(&database, &server, &zoho).await;
    let audit = run_json(&database, &["sync", "audit", "--json"]);
    assert_eq!(audit["holds"], true);
    server.stop().await;
}

/// Changes a record as a person does on Zoho's pages.
async fn update(zoho: &ZohoSimulator, module: &str, record: Value) {
    let record: Map<String, Value> = serde_json::from_value(record).unwrap();
    let entries = zoho.client().update(module, &[record], &[]).await.unwrap();
    assert!(matches!(entries[..], [backend_sync::zoho::client::RecordAnswer::Done { .. }]), "{entries:?}");
}
