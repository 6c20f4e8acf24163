//! The comparison of all records: it needs no look at what was changed.

use serde_json::{Value, json};

use super::{begin, edit, findings, prove};
use crate::{
    delivery::{rest, until},
    support::{
        Database, ZohoSimulator,
        events::{at, course, enrolment, grade, user},
    },
};

on_both_databases!(
    what_was_delivered_agrees,
    each_kind_of_difference_is_found_by_the_proof_alone,
    a_cleared_key_is_found,
    another_installations_records_are_theirs,
    a_server_proves_on_request,
);

async fn what_was_delivered_agrees(database: Database) {
    let (zoho, server) = begin(&database).await;
    let mut events = vec![at(20, "course_created", course(30, "chem"))];
    for id in 30..60 {
        events.push(at(20, "user_created", user(id, &format!("u{id}"))));
        events.push(at(21, "user_enrolled", enrolment(id, id, 30)));
        events.push(at(22, "grade_updated", grade(id, id, 30, 30, "66.66667")));
    }
    server.site().apply(&events).await;
    rest(&database).await;
    assert!(prove(&database, &zoho), "{:?}", findings(&database, &zoho));
    let sql = "SELECT proof FROM destinations";
    let proof: Value = serde_json::from_str(&database.texts(sql).await.pop().flatten().unwrap()).unwrap();
    let equal: u64 = proof["kinds"].as_object().unwrap().values().map(|kind| kind["equal"].as_u64().unwrap()).sum();
    assert_eq!(equal, 4 + 1 + 3 * 30, "{proof}");
    server.stop().await;
}

/// Sorts of findings with the ids of their records here.
fn sorts(database: &Database, zoho: &ZohoSimulator) -> Vec<String> {
    let of = |finding: &Value| {
        format!(
            "{} {} {}",
            finding["sort"].as_str().unwrap(),
            finding["kind"].as_str().unwrap(),
            finding["record"].as_str().unwrap_or("-")
        )
    };
    let mut sorts: Vec<String> = findings(database, zoho).iter().map(of).collect();
    sorts.sort();
    sorts
}

async fn each_kind_of_difference_is_found_by_the_proof_alone(database: Database) {
    let (zoho, server) = begin(&database).await;
    let site = server.site();
    site.apply(&[at(20, "user_created", user(4, "ben")), at(21, "user_created", user(5, "cy"))]).await;
    site.apply(&[at(22, "user_enrolled", enrolment(8, 4, 2))]).await;
    rest(&database).await;
    zoho.advance(2).await;
    assert!(prove(&database, &zoho));
    let contacts = zoho.records("Contacts").await;
    let id = |name: &str| contacts.iter().find(|contact| contact["Moodle_Username"] == name).unwrap()["id"].clone();
    // A field, a deletion, a lookup that points elsewhere, a key that no record has.
    zoho.make_by_hand("Contacts", json!({"id": id("ann"), "Mailing_City": "Hull"})).await;
    zoho.make_by_hand("Contacts", json!({"id": id("cy"), "$delete": true})).await;
    edit(&zoho, "Products", json!({"Product_Name": "Biology"})).await;
    let enrolments = zoho.records("Moodle_Enrolments").await;
    let bens = enrolments.iter().find(|enrolment| enrolment["Moodle_Enrolment_Key"] == "moodle:8").unwrap();
    zoho.make_by_hand("Moodle_Enrolments", json!({"id": bens["id"], "Contact": {"id": id("ann")}})).await;
    zoho.make_by_hand("Contacts", json!({"Last_Name": "Nobody", "Moodle_User_Key": "moodle:99"})).await;
    zoho.make_by_hand("Contacts", json!({"Last_Name": "Ben again", "Email": "BEN@example.com"})).await;
    zoho.advance(2).await;
    assert!(!prove(&database, &zoho));
    rest(&database).await;
    let expected = [
        "changed course moodle:2",
        "changed user moodle:3",
        "deleted user moodle:5",
        "doubled user moodle:4",
        "surplus user -",
    ];
    // The lookup was written again by the policy of our own modules.
    until("all are found", async || (sorts(&database, &zoho) == expected).then_some(())).await;
    let enrolments = zoho.records("Moodle_Enrolments").await;
    let bens = enrolments.iter().find(|enrolment| enrolment["Moodle_Enrolment_Key"] == "moodle:8").unwrap();
    assert_eq!(bens["Contact"]["id"], id("ben"));
    server.stop().await;
}

async fn a_cleared_key_is_found(database: Database) {
    let (zoho, server) = begin(&database).await;
    edit(&zoho, "Contacts", json!({"Moodle_User_Key": null})).await;
    assert!(!prove(&database, &zoho));
    assert_eq!(sorts(&database, &zoho), ["changed user moodle:3"]);
    assert_eq!(findings(&database, &zoho)[0]["fields"][0]["field"], "Moodle_User_Key");
    server.stop().await;
}

async fn another_installations_records_are_theirs(database: Database) {
    let (zoho, server) = begin(&database).await;
    zoho.make_by_hand("Contacts", json!({"Last_Name": "Theirs", "Moodle_User_Key": "elsewhere:3"})).await;
    zoho.make_by_hand("Contacts", json!({"Last_Name": "Of admissions", "Email": "a@example.com"})).await;
    assert!(prove(&database, &zoho));
    assert_eq!(findings(&database, &zoho).len(), 0);
    server.stop().await;
}

/// With the settings of an ordinary installation, by the server itself.
async fn a_server_proves_on_request(database: Database) {
    let (zoho, server) = begin(&database).await;
    edit(&zoho, "Contacts", json!({"Mailing_City": "Hull"})).await;
    database.execute("UPDATE destinations SET proof_wanted_at = 1").await;
    until("the server has compared", async || {
        let ended = "SELECT count(*) FROM destinations WHERE proof LIKE '%\"ended_at\":1%' AND proof_wanted_at IS NULL";
        (database.count(ended).await == 1).then_some(())
    })
    .await;
    assert_eq!(sorts(&database, &zoho), ["changed user moodle:3"]);
    server.stop().await;
}
