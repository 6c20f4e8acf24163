//! What editions allow, what settings calls cost, and how they are refused.

use serde_json::{Value, json};

use super::Client;

fn text(label: &str) -> Value {
    json!({ "field_label": label, "data_type": "text" })
}

fn module(label: &str, api_name: &str) -> Value {
    let profiles = json!([{ "id": "5200000000000000098" }]);
    json!({ "singular_label": label, "plural_label": format!("{label}s"), "api_name": api_name, "profiles": profiles })
}

/// Up to ten custom fields, by their number; the client's organisation begins with one in its contacts.
async fn ten_fields(client: &Client) -> Vec<u16> {
    let mut statuses = Vec::new();
    for number in 1..=10 {
        statuses.push(client.make_fields("Contacts", json!([text(&format!("F{number}"))])).await.status);
    }
    statuses
}

#[tokio::test]
async fn a_standard_organisation_has_ten_custom_fields_per_module_and_no_modules_by_api() {
    let client = Client::new().await;
    client.set(json!({ "edition": "standard" })).await;
    let statuses = ten_fields(&client).await;
    assert_eq!((&statuses[..9], statuses[9]), (&[201; 9][..], 400));
    let seen = client.make_fields("Products", json!([text("A")])).await;
    assert_eq!(seen.status, 201, "the limit is of each module");
    let seen = client.make_module(module("A", "As")).await;
    assert_eq!((seen.status, seen.code(0), &seen.body["details"]), (400, "LIMIT_EXCEEDED", &json!({ "limit": 0 })));
    client.set(json!({ "edition": "enterprise" })).await;
    assert_eq!(client.make_module(module("A", "As")).await.status, 201);
    assert_eq!(ten_fields(&client).await[9], 201);
}

#[tokio::test]
async fn two_fields_of_a_module_can_be_unique_or_more_if_set() {
    let client = Client::new().await;
    let unique = |label: &str| json!([{ "field_label": label, "data_type": "text", "unique": true }]);
    assert_eq!(client.make_fields("Contacts", unique("Second")).await.status, 201);
    let third = client.make_fields("Contacts", unique("Third")).await;
    assert_eq!((third.status, &third.body["fields"][0]["details"]["limit"]), (400, &json!(2)));
    client.set(json!({ "unique_fields": 3 })).await;
    assert_eq!(client.make_fields("Contacts", unique("Third")).await.status, 201);
}

#[tokio::test]
async fn a_new_module_costs_500_credits() {
    let client = Client::new().await;
    client.make_module(module("A", "As")).await;
    assert_eq!(client.log().await.last().expect("a call")["credits"], 500);
    client.set(json!({ "allowance": 1_000, "used": 600 })).await;
    assert_eq!(client.make_module(module("B", "Bs")).await.code(0), "LIMIT_EXCEEDED");
}

#[tokio::test]
async fn the_edition_limits_concurrency_unless_a_number_is_set() {
    let client = Client::new().await;
    let concurrency = async || client.simulator.shared.with(|state| state.settings.concurrency());
    for (edition, limit) in [("free", 5), ("standard", 10), ("professional", 15), ("enterprise", 20), ("ultimate", 25)]
    {
        client.set(json!({ "edition": edition })).await;
        assert_eq!(concurrency().await, limit, "{edition}");
        assert_eq!(client.get("/crm/v8/org").await.body["org"][0]["license_details"]["paid_type"], edition);
    }
    client.set(json!({ "concurrency": 3 })).await;
    assert_eq!(concurrency().await, 3);
}

#[tokio::test]
async fn new_fields_are_refused_together_listed_flat_or_each() {
    let client = Client::new().await;
    let mixed = json!([text("Good"), text("Moodle User Key"), { "field_label": "Bad", "data_type": "poem" }]);
    let listed = client.make_fields("Contacts", mixed.clone()).await;
    let paths: Vec<_> = listed.body["fields"].as_array().expect("a list").iter().collect();
    assert_eq!((listed.status, paths.len()), (400, 2));
    assert_eq!(paths[0]["details"]["json_path"], "$.fields[1].field_label");
    client.set(json!({ "field_errors": "flat" })).await;
    let flat = client.make_fields("Contacts", mixed.clone()).await;
    assert_eq!((flat.status, &flat.body["code"]), (400, &json!("DUPLICATE_DATA")));
    let made = client.fields("Contacts", "").await;
    assert!(made.iter().all(|field| field["api_name"] != "Good"), "none is created");
    client.set(json!({ "field_errors": "each" })).await;
    let each = client.make_fields("Contacts", mixed).await;
    assert_eq!((each.status, &each.body["fields"][0]["code"]), (207, &json!("SUCCESS")));
    assert_eq!(each.body["fields"][1]["code"], "DUPLICATE_DATA");
}

#[tokio::test]
async fn labels_of_modules_are_plain_unless_the_pages_count() {
    let client = Client::new().await;
    let seen = client.make_module(module("Moodle Grade", "Grades")).await;
    assert_eq!((seen.status, &seen.body["modules"][0]["details"]["api_name"]), (400, &json!("singular_label")));
    client.set(json!({ "label_blanks": true, "api_name_underscores": false })).await;
    let seen = client.make_module(module("Moodle Grade", "Moodle_Grades")).await;
    assert_eq!((seen.status, &seen.body["modules"][0]["details"]["api_name"]), (400, &json!("api_name")));
    assert_eq!(client.make_module(module("Moodle Grade", "MoodleGrades")).await.status, 201);
}

#[tokio::test]
async fn long_labels_and_values_are_refused() {
    let client = Client::new().await;
    let long = "A label that is far too long";
    let picklist = |value: &str| {
        json!([{ "field_label": "A", "data_type": "picklist", "pick_list_values": [
            { "display_value": value, "actual_value": value },
        ] }])
    };
    let lookup = |label: &str| {
        json!([{ "field_label": "A", "data_type": "lookup",
            "lookup": { "module": { "api_name": "Leads" }, "display_label": label } }])
    };
    for fields in [json!([text(long)]), picklist(long), lookup(long)] {
        let seen = client.make_fields("Contacts", fields).await;
        assert_eq!((seen.status, &seen.body["fields"][0]["details"]["maximum_length"]), (400, &json!(25)));
    }
    assert_eq!(client.make_fields("Contacts", lookup("")).await.body["fields"][0]["code"], "MANDATORY_NOT_FOUND");
}

#[tokio::test]
async fn a_sandbox_is_another_empty_organisation() {
    let client = Client::new().await;
    client.insert(json!([{ "Last_Name": "Ada" }])).await;
    let org = async || client.get("/crm/v8/org").await.body["org"][0].clone();
    let production = org().await;
    client.set(json!({ "organisation": "sandbox" })).await;
    let sandbox = org().await;
    assert_eq!((&production["type"], &sandbox["type"]), (&json!("production"), &json!("sandbox")));
    assert_ne!(production["id"], sandbox["id"]);
    assert_eq!(client.contacts().await, [] as [Value; 0]);
    assert!(client.fields("Contacts", "").await.iter().all(|field| field["custom_field"] == false));
}

#[tokio::test]
async fn errors_about_ids_have_different_details() {
    let client = Client::new().await;
    for (setting, details) in [
        ("api_name", json!({ "api_name": "id" })),
        ("path_index", json!({ "resource_path_index": 0 })),
        ("empty", json!({})),
    ] {
        client.set(json!({ "error_details": setting })).await;
        let seen = client.update("1", json!({ "Title": "Dr" })).await;
        assert_eq!((seen.code(0), &seen.body["data"][0]["details"]), ("INVALID_DATA", &details), "{setting}");
        let seen = client.post("/crm/v8/Nothing", json!({ "data": [{}] })).await;
        assert_eq!((seen.code(0), &seen.body["details"]), ("INVALID_MODULE", &details), "{setting}");
        let mandatory = client.insert(json!([{ "Title": "Dr" }])).await;
        assert_eq!(mandatory.body["data"][0]["details"]["api_name"], "Last_Name");
    }
}
