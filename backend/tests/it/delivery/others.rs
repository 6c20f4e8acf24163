//! Never another's record: what is in the way of a new one is named, and left as it is.

use backend_sync::zoho::mapping::Mapping;
use serde_json::{Value, json};

use super::{assert_conserved, held, item, reason, rest, start, start_by, with};
use crate::support::{
    Database, Server, ZohoSimulator,
    browser::Browser,
    events::{at, course, enrolment, user},
    server::{run, run_json},
    wait::until,
};

on_both_databases!(
    siblings_with_one_phone_stay_two_people,
    a_lead_in_the_way_is_named,
    people_are_looked_for_among_the_leads,
    people_are_recognised_by_a_second_address,
    records_with_our_keys_that_we_did_not_write_are_asked_about,
    a_merged_contact_is_not_created_again,
    a_contact_merged_into_one_of_admissions_goes_on_there,
);

/// A server with this in place of the mapping's `match`.
async fn start_matching(database: &Database, zoho: &ZohoSimulator, matching: &str) -> Server {
    start_by(database, zoho, &Mapping::DEFAULT.replacen("match = \"Email\"", matching, 1)).await
}

async fn siblings_with_one_phone_stay_two_people(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    zoho.change_field("Contacts", "Phone", json!({"unique": {"case_sensitive": false}})).await;
    let server = start(&database, &zoho).await;
    let with_phone = |id: i64, name: &str| {
        let mut sibling = user(id, name);
        sibling["phone1"] = json!("0731 123456");
        sibling
    };
    let site = server.site();
    site.apply(&[at(1, "user_created", with_phone(3, "ann")), at(2, "user_created", with_phone(4, "ben"))]).await;
    rest(&database).await;
    let contacts = zoho.records("Contacts").await;
    let ann = with(&contacts, "Moodle_User_Key", "moodle:3");
    assert_eq!((contacts.len(), &ann["Moodle_Username"]), (1, &json!("ann")), "{contacts:?}");
    assert_eq!(item(&database, "user", 4).await, ("failed".to_owned(), Some("DUPLICATE_DATA".to_owned())));
    let words = reason(&database, "user", 4).await;
    let id = ann["id"].as_str().unwrap();
    assert!(words.contains(id) && words.contains("Phone") && words.contains("moodle:3"), "{words}");
    assert!(!words.contains("123456"), "{words}");
    assert_conserved(&database);
    server.stop().await;
}

async fn a_lead_in_the_way_is_named(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    zoho.make_by_hand("Leads", json!({"Last_Name": "Oneil", "Company": "X", "Email": "ann@example.com"})).await;
    zoho.set_policies(json!({"duplicate_checks": [{
        "module": "Contacts", "field": "Email", "other_module": "Leads", "other_field": "Email",
    }]}))
    .await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann")), at(2, "user_created", user(4, "ben"))]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, ("failed".to_owned(), Some("DUPLICATE_DATA".to_owned())));
    let words = reason(&database, "user", 3).await;
    assert!(words.contains("not in Contacts") && words.contains("lead"), "{words}");
    assert_eq!(item(&database, "user", 4).await.0, "synced");
    server.stop().await;
}

async fn people_are_looked_for_among_the_leads(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let lead = json!({"Last_Name": "Oneil", "Company": "X", "Email": "ann@example.com"});
    zoho.make_by_hand("Leads", lead).await;
    let lead = zoho.records("Leads").await[0]["id"].clone();
    zoho.advance(60).await;
    let server = start_matching(&database, &zoho, "match = \"Email\"\nmatch_leads = true").await;
    server.site().apply(&[at(1, "user_created", user(3, "ann")), at(2, "user_created", user(4, "ben"))]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await, ("failed".to_owned(), Some("lead".to_owned())));
    let words = reason(&database, "user", 3).await;
    assert!(words.contains(lead.as_str().unwrap()) && words.contains("Convert"), "{words}");
    assert_eq!(item(&database, "user", 4).await.0, "synced");
    zoho.act("convert", json!({"lead": lead})).await;
    zoho.advance(60).await;
    assert!(run(&database, &["sync", "retry"]).status.success());
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await.0, "synced");
    let contacts = zoho.records("Contacts").await;
    assert_eq!(
        (contacts.len(), &with(&contacts, "Moodle_User_Key", "moodle:3")["Email"]),
        (2, &json!("ann@example.com"))
    );
    server.stop().await;
}

async fn people_are_recognised_by_a_second_address(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let old = json!({"Last_Name": "Oneil", "Email": "old@example.com", "Secondary_Email": "Ann@example.com"});
    zoho.make_by_hand("Contacts", old).await;
    zoho.advance(60).await;
    let server = start_matching(&database, &zoho, "match = [\"Email\", \"Secondary_Email\"]").await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await.0, "synced");
    let contacts = zoho.records("Contacts").await;
    assert_eq!((contacts.len(), &contacts[0]["Moodle_User_Key"]), (1, &json!("moodle:3")), "{contacts:?}");
    server.stop().await;
}

/// A second backend for a site of the same name, or a database that is older than Zoho.
async fn records_with_our_keys_that_we_did_not_write_are_asked_about(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    zoho.make_by_hand("Contacts", json!({"Last_Name": "Other", "Moodle_User_Key": "moodle:3"})).await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann")), at(2, "course_created", course(2, "bio"))]).await;
    let hold = held(&database).await;
    assert_eq!(
        (&hold["kind"], &hold["cause"], &hold["check_at"]),
        (&json!("user"), &json!("other_writer"), &Value::Null)
    );
    until("courses go on", async || (item(&database, "course", 2).await.0 == "synced").then_some(())).await;
    let contacts = zoho.records("Contacts").await;
    assert_eq!((contacts.len(), &contacts[0]["Last_Name"]), (1, &json!("Other")), "it is left as it is");
    let shown = run_json(&database, &["sync", "show", "user:moodle:3", "--json"]);
    assert!(shown["held"].as_str().unwrap().contains("sync accept records"), "{shown}");
    let page = Browser::signed_in(&server, server.api_token()).await.get("/attention").await.html;
    assert!(page.contains("Take them over"), "{page}");
    assert!(run(&database, &["sync", "accept", "records"]).status.success());
    rest(&database).await;
    assert_eq!(item(&database, "user", 3).await.0, "synced");
    let contacts = zoho.records("Contacts").await;
    assert_eq!((contacts.len(), &contacts[0]["Last_Name"]), (1, &json!("O'Neil")));
    server.stop().await;
}

/// Two people, of whom the second has an enrolment, and whose contacts somebody merges.
async fn merged(database: &Database, zoho: &ZohoSimulator, server: &Server) -> Value {
    let site = server.site();
    site.apply(&[at(1, "user_created", user(3, "ann")), at(2, "user_created", user(4, "ben"))]).await;
    site.apply(&[at(3, "course_created", course(2, "bio")), at(4, "user_enrolled", enrolment(5, 4, 2))]).await;
    rest(database).await;
    with(&zoho.records("Contacts").await, "Moodle_User_Key", "moodle:4")["id"].clone()
}

async fn a_merged_contact_is_not_created_again(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let ben = merged(&database, &zoho, &server).await;
    let ann = with(&zoho.records("Contacts").await, "Moodle_User_Key", "moodle:3")["id"].clone();
    zoho.act("merge", json!({"module": "Contacts", "survivor": ann, "merged": [ben]})).await;
    for (place, city) in ["Ulm", "Bonn"].into_iter().enumerate() {
        let mut changed = user(4, "ben");
        changed["city"] = json!(city);
        server.site().apply(&[at(10 + place as i64, "user_updated", changed)]).await;
        rest(&database).await;
        let code = ["merged", "linked"][place];
        assert_eq!(item(&database, "user", 4).await, ("synced".to_owned(), Some(code.to_owned())), "{city}");
        let contacts = zoho.records("Contacts").await;
        assert_eq!((contacts.len(), &contacts[0]["Moodle_Username"]), (1, &json!("ann")), "{contacts:?}");
    }
    let mut suspended = enrolment(5, 4, 2);
    suspended["status"] = json!("1");
    server.site().apply(&[at(20, "enrolment_updated", suspended)]).await;
    rest(&database).await;
    let enrolments = zoho.records("Moodle_Enrolments").await;
    assert_eq!((&enrolments[0]["Contact"]["id"], &enrolments[0]["Status"]), (&ann, &json!("Suspended")));
    assert_conserved(&database);
    server.stop().await;
}

async fn a_contact_merged_into_one_of_admissions_goes_on_there(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let ben = merged(&database, &zoho, &server).await;
    zoho.make_by_hand("Contacts", json!({"Last_Name": "Office", "Email": "else@example.com"})).await;
    let office = with(&zoho.records("Contacts").await, "Last_Name", "Office")["id"].clone();
    zoho.act("merge", json!({"module": "Contacts", "survivor": office, "merged": [ben]})).await;
    let mut changed = user(4, "ben");
    changed["city"] = json!("Ulm");
    server.site().apply(&[at(10, "user_updated", changed)]).await;
    rest(&database).await;
    let contacts = zoho.records("Contacts").await;
    let contact = with(&contacts, "Moodle_User_Key", "moodle:4");
    assert_eq!((contacts.len(), &contact["id"], &contact["Mailing_City"]), (2, &office, &json!("Ulm")), "{contacts:?}");
    assert_conserved(&database);
    server.stop().await;
}
