//! Layouts, which alone say what they demand.

use serde_json::{Value, json};

use super::Client;

#[tokio::test]
async fn a_module_has_a_layout_with_its_used_fields() {
    let client = Client::new().await;
    client.set(json!({ "scopes": ["ZohoCRM.settings.layouts.READ", "ZohoCRM.settings.fields.READ"] })).await;
    client.post("/__sim/fields/Contacts/Title", json!({ "mandatory": true })).await;
    client.post("/__sim/fields/Contacts/Department", json!({ "unused": true })).await;
    let seen = client.get("/crm/v8/settings/layouts?module=Contacts").await;
    let layouts = seen.body["layouts"].as_array().expect("layouts");
    assert_eq!((layouts.len(), &layouts[0]["name"]), (1, &json!("Standard")));
    let fields = layouts[0]["sections"][0]["fields"].as_array().expect("fields");
    let required = |name: &str| fields.iter().find(|field| field["api_name"] == name).map(|field| &field["required"]);
    assert_eq!(required("Title"), Some(&Value::Bool(true)));
    assert_eq!(required("Last_Name"), Some(&Value::Bool(true)));
    assert_eq!(required("Phone"), Some(&Value::Bool(false)));
    assert_eq!(required("Department"), None);
    let id = layouts[0]["id"].as_str().expect("an id");
    let one = client.get(&format!("/crm/v8/settings/layouts/{id}?module=Contacts")).await;
    assert_eq!(one.body, seen.body);
    assert_eq!(client.get("/crm/v8/settings/layouts/1?module=Contacts").await.code(0), "NOT_SUPPORTED");
    assert_eq!(client.get("/crm/v8/settings/fields/1?module=Contacts").await.code(0), "INVALID_DATA");
    assert_eq!(client.get("/crm/v8/settings/layouts?module=Nope").await.code(0), "INVALID_MODULE");
    assert_eq!(client.get("/crm/v8/settings/layouts").await.code(0), "REQUIRED_PARAM_MISSING");
}

#[tokio::test]
async fn a_field_is_read_by_its_id() {
    let client = Client::new().await;
    let fields = client.fields("Contacts", "").await;
    let id = fields[0]["id"].as_str().expect("an id");
    let one = client.get(&format!("/crm/v8/settings/fields/{id}?module=Contacts")).await;
    assert_eq!(one.body["fields"][0], fields[0]);
    assert_eq!(client.get("/crm/v8/settings/fields/1?module=Contacts").await.code(0), "INVALID_DATA");
}
