//! The cheap look at what others changed.

use backend_sync::zoho::mapping::Mapping;
use serde_json::json;

use super::{ann, begin, decide, edit, finding, findings, only, watch};
use crate::{
    delivery::{item, rest, start_by, until},
    support::{Database, ZohoSimulator, events::at, server::run_with},
};

on_both_databases!(
    an_edit_of_a_contact_is_reported,
    an_edit_of_our_own_module_is_restored_twice_a_day,
    our_own_writes_are_no_findings,
    a_late_answer_of_zohos_queries_hides_nothing,
    an_edit_that_is_taken_back_is_no_finding_any_more,
    a_merge_is_followed_without_a_change_in_moodle,
    a_deletion_is_found_with_who_and_when,
    a_double_and_a_foreign_key_are_found,
    a_converted_lead_is_left,
);

async fn an_edit_of_a_contact_is_reported(database: Database) {
    let (zoho, server) = begin(&database).await;
    edit(&zoho, "Contacts", json!({"Mailing_City": "Hull"})).await;
    watch(&database, &zoho);
    let (found, words) = finding(&database, &zoho);
    assert_eq!(words, "changed open");
    assert_eq!(found["fields"].as_array().unwrap().len(), 1, "{found}");
    let field = &found["fields"][0];
    assert_eq!(
        (&field["field"], &field["here"], &field["there"]),
        (&json!("Mailing_City"), &json!("Leeds"), &json!("Hull"))
    );
    assert_eq!(found["record"], "moodle:3");
    assert!(found["modified_at"].is_string() && found["modified_by"].is_string(), "{found}");
    // What Moodle changes is delivered, and the rest stays as people have it.
    server.site().apply(&[ann(10, "Leeds", "+44 113 496 0001")]).await;
    rest(&database).await;
    let contact = only(&zoho, "Contacts").await;
    assert_eq!(
        (&contact["Mailing_City"], &contact["Phone"]),
        (&json!("Hull"), &json!("+44 113 496 0001")),
        "{contact:?}"
    );
    assert_eq!(finding(&database, &zoho).1, "changed open");
    // Until Moodle changes it.
    server.site().apply(&[ann(11, "York", "+44 113 496 0001")]).await;
    rest(&database).await;
    assert_eq!(only(&zoho, "Contacts").await["Mailing_City"], "York");
    until("the finding is closed", async || findings(&database, &zoho).is_empty().then_some(())).await;
    server.stop().await;
}

async fn an_edit_of_our_own_module_is_restored_twice_a_day(database: Database) {
    let (zoho, server) = begin(&database).await;
    for round in 0..3 {
        edit(&zoho, "Moodle_Grades", json!({"Final_Grade": 10 + round})).await;
        watch(&database, &zoho);
        rest(&database).await;
        zoho.advance(2).await;
        let grade = only(&zoho, "Moodle_Grades").await["Final_Grade"].clone();
        if round < 2 {
            assert_eq!(grade, json!(80.5), "round {round}: it is written again");
            until("the finding is closed", async || findings(&database, &zoho).is_empty().then_some(())).await;
        } else {
            assert_eq!(grade, json!(12), "and then a person is asked");
        }
    }
    let (found, words) = finding(&database, &zoho);
    assert_eq!(words, "changed open");
    assert_eq!(found["fields"][0]["contended"], json!(true));
    assert!(found["sentence"].as_str().unwrap().contains("somebody else writes this field"), "{found}");
    decide(&database, &zoho, "restore", &found);
    rest(&database).await;
    assert_eq!(only(&zoho, "Moodle_Grades").await["Final_Grade"], json!(80.5));
    server.stop().await;
}

async fn our_own_writes_are_no_findings(database: Database) {
    let (zoho, server) = begin(&database).await;
    for round in 0..3 {
        server.site().apply(&[ann(10 + round, &format!("City {round}"), "+44 113 496 0002")]).await;
        rest(&database).await;
        zoho.empty_log().await;
        let said = watch(&database, &zoho);
        assert!(said.contains(": 0 records read, 8 API credits"), "two calls for each of four modules: {said}");
        assert_eq!(findings(&database, &zoho), [] as [serde_json::Value; 0]);
        zoho.advance(2).await;
    }
    server.stop().await;
}

async fn a_late_answer_of_zohos_queries_hides_nothing(database: Database) {
    let (zoho, server) = begin(&database).await;
    zoho.change(json!({ "lag_seconds": 30 })).await;
    edit(&zoho, "Contacts", json!({"Mailing_City": "Hull"})).await;
    watch(&database, &zoho);
    assert_eq!(findings(&database, &zoho).len(), 0, "Zoho does not show it yet");
    zoho.advance(60).await;
    watch(&database, &zoho);
    assert_eq!(finding(&database, &zoho).1, "changed open");
    // Nor does it make a finding of what was delivered a moment ago.
    server.site().apply(&[ann(10, "York", "+44 113 496 0009")]).await;
    rest(&database).await;
    watch(&database, &zoho);
    assert!(super::prove(&database, &zoho));
    assert_eq!(findings(&database, &zoho).len(), 0);
    server.stop().await;
}

async fn an_edit_that_is_taken_back_is_no_finding_any_more(database: Database) {
    let (zoho, server) = begin(&database).await;
    edit(&zoho, "Contacts", json!({"Mailing_City": "Hull"})).await;
    watch(&database, &zoho);
    assert_eq!(finding(&database, &zoho).1, "changed open");
    edit(&zoho, "Contacts", json!({"Mailing_City": "Leeds"})).await;
    watch(&database, &zoho);
    assert_eq!(findings(&database, &zoho).len(), 0);
    server.stop().await;
}

async fn a_merge_is_followed_without_a_change_in_moodle(database: Database) {
    let (zoho, server) = begin(&database).await;
    let ann = only(&zoho, "Contacts").await["id"].clone();
    zoho.make_by_hand("Contacts", json!({"Last_Name": "Office", "Email": "office@example.com"})).await;
    let contacts = zoho.records("Contacts").await;
    let office = contacts.iter().find(|contact| contact["id"] != ann).unwrap()["id"].clone();
    zoho.act("merge", json!({"module": "Contacts", "survivor": office, "merged": [ann]})).await;
    zoho.advance(2).await;
    for _ in 0..2 {
        watch(&database, &zoho);
        rest(&database).await;
        zoho.advance(2).await;
    }
    let contact = only(&zoho, "Contacts").await;
    assert_eq!((&contact["id"], &contact["Moodle_User_Key"]), (&office, &json!("moodle:3")), "{contact:?}");
    assert_eq!(item(&database, "user", 3).await.0, "synced");
    let enrolment = only(&zoho, "Moodle_Enrolments").await;
    assert_eq!(enrolment["Contact"]["id"], office);
    assert_eq!(findings(&database, &zoho), [] as [serde_json::Value; 0], "the merge is that person's decision");
    server.stop().await;
}

async fn a_deletion_is_found_with_who_and_when(database: Database) {
    let (zoho, server) = begin(&database).await;
    edit(&zoho, "Contacts", json!({"$delete": true})).await;
    watch(&database, &zoho);
    rest(&database).await;
    let (found, words) = finding(&database, &zoho);
    assert_eq!(words, "deleted open");
    assert!(found["modified_at"].is_string() && found["modified_by"].is_string(), "{found}");
    assert_eq!(item(&database, "user", 3).await, ("failed".to_owned(), Some("deleted_in_zoho".to_owned())));
    // Neither a change in Moodle nor a retry undoes what a person did.
    server
        .site()
        .apply(&[
            ann(10, "York", "+44 113 496 0002"),
            at(11, "user_enrolled", crate::support::events::enrolment(6, 3, 2)),
        ])
        .await;
    until("what belongs to it waits", async || (item(&database, "enrolment", 6).await.0 == "parked").then_some(()))
        .await;
    assert_eq!(zoho.records("Contacts").await.len(), 0);
    assert_eq!(finding(&database, &zoho).1, "deleted open");
    server.stop().await;
}

async fn a_double_and_a_foreign_key_are_found(database: Database) {
    let (zoho, server) = begin(&database).await;
    zoho.make_by_hand("Contacts", json!({"Last_Name": "Ann again", "Email": "Ann@example.com"})).await;
    zoho.make_by_hand("Contacts", json!({"Last_Name": "Nobody", "Moodle_User_Key": "moodle:99"})).await;
    watch(&database, &zoho);
    let mut found = findings(&database, &zoho);
    found.sort_by_key(|finding| finding["sort"].as_str().unwrap().to_owned());
    let sorts: Vec<&str> = found.iter().map(|finding| finding["sort"].as_str().unwrap()).collect();
    assert_eq!(sorts, ["doubled", "surplus"], "{found:?}");
    assert_eq!(found[0]["record"], "moodle:3");
    let (done, said) = super::parity(&database, &zoho, &["restore", &found[0]["number"].to_string(), "--yes"]);
    assert!(!done && said.contains("by a person"), "{said}");
    // The office merges the two, and deletes the other one.
    let contacts = zoho.records("Contacts").await;
    let named = |name: &str| contacts.iter().find(|contact| contact["Last_Name"] == name).unwrap()["id"].clone();
    let ann = contacts.iter().find(|contact| contact["Moodle_User_Key"] == "moodle:3").unwrap()["id"].clone();
    zoho.act("merge", json!({"module": "Contacts", "survivor": ann, "merged": [named("Ann again")]})).await;
    zoho.make_by_hand("Contacts", json!({"id": named("Nobody"), "$delete": true})).await;
    watch(&database, &zoho);
    assert_eq!(findings(&database, &zoho).len(), 0);
    server.stop().await;
}

async fn a_converted_lead_is_left(database: Database) {
    let zoho = ZohoSimulator::start();
    zoho.change(json!({ "lag_seconds": 0 })).await;
    let mapping = "[user]\nmodule = \"Leads\"\nkey = \"Moodle_User_Key\"\ntrigger = []\non_delete = \"keep\"\n\n[user.fields]\n\
                   Last_Name = { from = \"lastname\" }\nCompany = { value = \"College\" }\nCity = { from = \"city\" }\n";
    zoho.set_up(&Mapping::parse(mapping).unwrap()).await;
    let server = start_by(&database, &zoho, mapping).await;
    server.site().apply(&[ann(1, "Leeds", "")]).await;
    rest(&database).await;
    zoho.advance(2).await;
    let lead = only(&zoho, "Leads").await["id"].clone();
    zoho.act("convert", json!({ "lead": lead })).await;
    server.site().apply(&[ann(2, "York", "")]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, ("failed".to_owned(), Some("converted_in_zoho".to_owned())));
    let (found, words) = finding(&database, &zoho);
    assert_eq!(words, "converted open");
    let mut settings = zoho.settings();
    settings.push(("BACKEND_SYNC_ZOHO__MAPPING", database.file("mapping.toml").to_str().unwrap().to_owned()));
    assert!(run_with(&database, &settings, &["parity", "watch"]).status.success());
    assert_eq!(finding(&database, &zoho).1, "converted open", "no look takes it for a record that is gone");
    decide(&database, &zoho, "leave", &found);
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, ("synced".to_owned(), Some("left_deleted".to_owned())));
    assert_eq!(zoho.records("Contacts").await.len(), 1, "what that person made of the lead stands");
    server.stop().await;
}
