//! Approvals, blueprints, validation rules, room, Duplicate Check Preferences, and what a person does.

use serde_json::{Value, json};

use super::{Client, people};
use crate::rules::Rule;

/// Meets a rule about what refuses a record.
pub(super) async fn meet(rule: Rule, client: &Client) {
    let lead = json!({ "data": [{ "Last_Name": "Ada", "Email": "ada@b.org" }] });
    let lead = client.post("/crm/v8/Leads", lead).await.id(0);
    let id = client.insert(people(1)).await.id(0);
    let state = match rule {
        Rule::NotInApproval => "approval",
        Rule::NotInBlueprint => "blueprint",
        Rule::NotConverted => {
            client.person("convert", json!({ "lead": lead })).await;
            let body = json!({ "data": [{ "id": lead, "Last_Name": "Eve" }] });
            client.call(poem::http::Method::PUT, "/crm/v8/Leads", body).await;
            return;
        }
        _ => {
            client.person("policies", policies(if rule == Rule::RoomForRecords { 1 } else { 2 })).await;
            client.insert(json!([record_for(rule)])).await;
            return;
        }
    };
    client.person("hold", json!({ "module": "Contacts", "id": id, "state": state })).await;
    client.update(&id, json!({ "Title": "Dr" })).await;
}

fn policies(most: usize) -> Value {
    json!({
        "most_records": { "Contacts": most },
        "validation_rules": [{ "module": "Contacts", "field": "Mailing_City", "value": "Nowhere" }],
        "duplicate_checks": [
            { "module": "Contacts", "field": "Email", "other_module": "Leads", "other_field": "Email" }
        ],
    })
}

/// A contact that the policies refuse.
fn record_for(rule: Rule) -> Value {
    match rule {
        Rule::ValidationRules => json!({ "Last_Name": "Eve", "Mailing_City": "Nowhere" }),
        Rule::DuplicatePreferences => json!({ "Last_Name": "Eve", "Email": "ADA@b.org" }),
        _ => json!({ "Last_Name": "Eve" }),
    }
}

#[tokio::test]
async fn an_approval_and_a_blueprint_hold_a_record_until_it_is_let_go() {
    let client = Client::new().await;
    let id = client.insert(people(1)).await.id(0);
    for (state, code) in [("approval", "NOT_APPROVED"), ("blueprint", "RECORD_IN_BLUEPRINT")] {
        client.person("hold", json!({ "module": "Contacts", "id": id, "state": state })).await;
        let seen = client.upsert(json!([{ "Last_Name": "Eve", "Moodle_User_Key": "s:0" }])).await;
        assert_eq!((seen.status, seen.code(0)), (400, code));
        assert_eq!(client.contact(&id).await["Last_Name"], "P0");
    }
    client.person("hold", json!({ "module": "Contacts", "id": id })).await;
    assert_eq!(client.update(&id, json!({ "Last_Name": "Eve" })).await.status, 200);
}

#[tokio::test]
async fn a_record_that_breaks_a_validation_rule_is_neither_inserted_nor_changed() {
    let client = Client::new().await;
    let id = client.insert(people(1)).await.id(0);
    client.person("policies", policies(2)).await;
    let seen = client.update(&id, json!({ "Mailing_City": "Nowhere" })).await;
    assert_eq!(seen.body["data"][0]["details"]["json_path"], "$.data[0].Mailing_City");
    assert_eq!(client.insert(json!([record_for(Rule::ValidationRules)])).await.code(0), "INVALID_DATA");
    assert_eq!(client.update(&id, json!({ "Mailing_City": "Bern" })).await.status, 200);
}

#[tokio::test]
async fn a_full_module_takes_no_new_records_and_the_recycle_bin_counts() {
    let client = Client::new().await;
    client.person("policies", json!({ "most_records": { "Contacts": 2 } })).await;
    let seen = client.upsert(people(3)).await;
    assert_eq!((seen.code(1), seen.code(2)), ("SUCCESS", "MAX_RECORDS_LIMIT_REACHED"));
    assert_eq!(client.upsert(people(2)).await.status, 200, "what exists is updated");
    client.delete(&format!("/crm/v8/Contacts/{}", seen.id(0))).await;
    let again = json!([{ "Last_Name": "P2" }]);
    assert_eq!(client.insert(again.clone()).await.code(0), "MAX_RECORDS_LIMIT_REACHED");
    client.allow_recycle_bin().await;
    client.delete(&format!("/crm/v8/settings/recycle_bin/{}", seen.id(0))).await;
    assert_eq!(client.insert(again).await.status, 201);
}

#[tokio::test]
async fn a_converted_lead_can_be_the_duplicate_of_a_contact() {
    let client = Client::new().await;
    let lead = json!({ "data": [{ "Last_Name": "Ada", "Email": "ada@b.org", "Company": "Engines" }] });
    let lead = client.post("/crm/v8/Leads", lead).await.id(0);
    let made = client.person("convert", json!({ "lead": lead, "account": true })).await;
    let contact = client.contact(made["contact"].as_str().unwrap()).await;
    assert_eq!((&contact["Email"], &contact["Account_Name"]["name"]), (&json!("ada@b.org"), &json!("Engines")));
    assert_eq!(client.get("/crm/v8/Leads?fields=Email").await.status, 204, "out of sight");
    let again = client.post("/__sim/convert", json!({ "lead": lead })).await;
    assert_eq!(again.status, 400, "converted already");

    client.person("policies", policies(2)).await;
    client.delete(&format!("/crm/v8/Contacts/{}", made["contact"].as_str().unwrap())).await;
    let new = json!([{ "Last_Name": "Eve", "Email": "Ada@b.org", "Moodle_User_Key": "s:1" }]);
    for seen in [client.insert(new.clone()).await, client.upsert(new).await] {
        let details = &seen.body["data"][0]["details"];
        assert_eq!((seen.code(0), &details["id"]), ("DUPLICATE_DATA", &json!(lead)));
        assert_eq!(details["duplicate_record"]["module"]["api_name"], "Leads");
    }
}

#[tokio::test]
async fn ids_are_texts_or_numbers() {
    let client = Client::new().await;
    let id = client.insert(people(1)).await.id(0);
    let number: u64 = id.parse().unwrap();
    let body = json!({ "data": [{ "id": number, "Last_Name": "Eve" }] });
    assert_eq!(client.call(poem::http::Method::PUT, "/crm/v8/Contacts", body).await.status, 200);
    assert_eq!(client.upsert(json!([{ "id": number, "Title": "Dr" }])).await.id(0), id);
    assert_eq!(client.contact(&id).await["Title"], "Dr");
}

#[tokio::test]
async fn an_approval_process_holds_new_records() {
    let client = Client::new().await;
    client.person("policies", json!({ "held": { "Contacts": "approval" } })).await;
    let id = client.insert(people(1)).await.id(0);
    assert_eq!(client.update(&id, json!({ "Title": "Dr" })).await.code(0), "NOT_APPROVED");
    assert_eq!(client.contact(&id).await["Last_Name"], "P0");
}
