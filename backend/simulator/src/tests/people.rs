//! Profiles, users, and what administrators do to fields.

use poem::http::Method;
use serde_json::{Value, json};

use super::{Client, people};

const SCOPES: [&str; 8] = [
    "ZohoCRM.modules.ALL",
    "ZohoCRM.settings.modules.ALL",
    "ZohoCRM.settings.fields.ALL",
    "ZohoCRM.settings.profiles.READ",
    "ZohoCRM.settings.layouts.READ",
    "ZohoCRM.users.READ",
    "ZohoCRM.coql.READ",
    "ZohoSearch.securesearch.READ",
];

async fn with_scopes() -> Client {
    let client = Client::new().await;
    client.set(json!({ "scopes": SCOPES })).await;
    client
}

async fn administer(client: &Client, field: &str, change: Value) {
    let seen = client.post(&format!("/__sim/fields/Contacts/{field}"), change).await;
    assert_eq!(seen.status, 204, "{}", seen.text);
}

async fn field(client: &Client, name: &str) -> Value {
    let fields = client.fields("Contacts", "&type=all").await;
    fields.into_iter().find(|field| field["api_name"] == name).expect("the field")
}

#[tokio::test]
async fn profiles_come_in_pages() {
    let client = with_scopes().await;
    for number in 0..10 {
        client.post("/__sim/profiles", json!({ "name": format!("P{number}") })).await;
    }
    let names = |body: &Value| body["profiles"].as_array().expect("profiles").len();
    let first = client.get("/crm/v8/settings/profiles").await.body;
    assert_eq!((names(&first), &first["info"]["more_records"]), (10, &json!(true)));
    let second = client.get("/crm/v8/settings/profiles?page=2").await.body;
    assert_eq!((names(&second), &second["info"]["more_records"]), (2, &json!(false)));
    let module = client.get("/crm/v8/settings/modules/Contacts").await.body["modules"][0].clone();
    assert_eq!(
        (names(&module), &module["has_more_profiles"], &module["profile_count"]),
        (10, &json!(true), &json!(12))
    );
    let id = second["profiles"][1]["id"].as_str().expect("an id");
    let one = client.get(&format!("/crm/v8/settings/profiles/{id}")).await.body;
    assert_eq!(one["profiles"][0]["name"], "P9");
    assert_eq!(client.get("/crm/v8/settings/profiles?type=none").await.code(0), "INVALID_DATA");
    assert_eq!(client.get("/crm/v8/settings/profiles/1").await.code(0), "INVALID_DATA");
}

#[tokio::test]
async fn a_profile_without_permission_for_a_module_is_refused() {
    let client = with_scopes().await;
    let profile = json!({ "name": "Clerk", "without": ["Contacts"], "mine": true });
    client.post("/__sim/profiles", profile).await;
    let seen = client.insert(people(1)).await;
    assert_eq!((seen.status, seen.code(0)), (403, "NO_PERMISSION"));
    assert_eq!(seen.body["details"]["permissions"], json!(["Crm_Implied_Create_Contacts"]));
    assert_eq!(seen.body["details"]["module"]["api_name"], "Contacts");
    let seen = client.get("/crm/v8/Contacts?fields=id").await;
    assert_eq!((seen.status, seen.code(0)), (403, "NO_PERMISSION"));
    assert_eq!(client.query("select id from Contacts where id = 1").await.code(0), "NO_PERMISSION");
    assert_eq!(client.get("/crm/v8/Leads?fields=id").await.status, 204);
    let module = client.get("/crm/v8/settings/modules/Contacts").await.body["modules"][0].clone();
    assert_eq!((&module["viewable"], &module["profile_count"]), (&json!(false), &json!(2)));
}

#[tokio::test]
async fn a_profile_that_does_not_customize_creates_nothing() {
    let client = with_scopes().await;
    client.post("/__sim/profiles", json!({ "name": "Clerk", "mine": true })).await;
    let module = json!({ "singular_label": "A", "plural_label": "As", "api_name": "As", "profiles": [] });
    let field = json!([{ "field_label": "A", "data_type": "text" }]);
    for seen in [client.make_module(module).await, client.make_fields("Contacts", field).await] {
        assert_eq!((seen.status, seen.code(0)), (403, "NO_PERMISSION"));
        assert_eq!(seen.body["details"]["permissions"], json!(["Crm_Implied_Customize_Zoho_CRM"]));
    }
    assert_eq!(client.insert(people(1)).await.code(0), "SUCCESS");
}

#[tokio::test]
async fn a_new_module_is_for_the_profiles_that_were_named() {
    let client = with_scopes().await;
    let standard = json!([{ "id": "5200000000000000097" }]);
    let module = json!({ "singular_label": "A", "plural_label": "As", "api_name": "As", "profiles": standard });
    assert_eq!(client.make_module(module.clone()).await.status, 201);
    assert_eq!(client.post("/crm/v8/As", json!({ "data": [{ "Name": "x" }] })).await.code(0), "NO_PERMISSION");
    for profiles in [json!([{ "id": "1" }]), json!([standard[0], standard[0]]), json!([])] {
        let mut wrong = module.clone();
        wrong["profiles"] = profiles;
        assert_eq!(client.make_module(wrong).await.status, 400);
    }
}

#[tokio::test]
async fn the_user_is_listed_by_type() {
    let client = with_scopes().await;
    let user = client.get("/crm/v8/users?type=CurrentUser").await.body["users"][0].clone();
    assert_eq!((&user["profile"]["name"], &user["status"]), (&json!("Administrator"), &json!("active")));
    let id = user["id"].as_str().expect("an id");
    assert_eq!(client.get(&format!("/crm/v8/users/{id}")).await.body["users"][0], user);
    assert_eq!(client.get("/crm/v8/users/1").await.status, 204);
    assert_eq!(client.get("/crm/v8/users?type=DeletedUsers").await.status, 204);
    assert_eq!(client.get("/crm/v8/users?type=Nobody").await.code(0), "INVALID_DATA");
    assert_eq!(client.call(Method::POST, "/crm/v8/users", json!({})).await.code(0), "INVALID_REQUEST_METHOD");
}

#[tokio::test]
async fn unused_fields_are_listed_only_when_asked_for_but_keep_their_names() {
    let client = with_scopes().await;
    administer(&client, "Moodle_User_Key", json!({ "unused": true })).await;
    let listed = |fields: Vec<Value>| fields.iter().any(|field| field["api_name"] == "Moodle_User_Key");
    assert!(!listed(client.fields("Contacts", "").await));
    assert!(!listed(client.fields("Contacts", "&type=used").await));
    assert!(listed(client.fields("Contacts", "&type=all").await));
    assert_eq!(client.fields("Contacts", "&type=unused").await.len(), 1);
    let again =
        client.make_fields("Contacts", json!([{ "field_label": "Moodle User Key", "data_type": "text" }])).await;
    assert_eq!(again.body["fields"][0]["code"], "DUPLICATE_DATA");
    assert_eq!(client.get("/crm/v8/settings/fields?module=Contacts&type=some").await.code(0), "INVALID_DATA");
    assert_eq!(client.get("/crm/v8/settings/fields?module=Leads&type=unused").await.status, 204);
}

#[tokio::test]
async fn a_field_loses_and_gains_unique() {
    let client = with_scopes().await;
    let same = json!([{ "Last_Name": "Ada", "Moodle_User_Key": "s:1", "Title": "Dr" }]);
    client.insert(same.clone()).await;
    assert_eq!(client.insert(same.clone()).await.code(0), "DUPLICATE_DATA");
    administer(&client, "Moodle_User_Key", json!({ "unique": null })).await;
    assert_eq!(client.insert(same.clone()).await.code(0), "SUCCESS");
    assert_eq!(client.upsert(same.clone()).await.code(0), "INVALID_DATA", "the key cannot be a duplicate check field");
    administer(&client, "Title", json!({ "unique": { "case_sensitive": false } })).await;
    assert_eq!(client.insert(same).await.code(0), "DUPLICATE_DATA");
}

#[tokio::test]
async fn a_field_becomes_mandatory_read_only_hidden_or_is_deleted() {
    let client = with_scopes().await;
    let ada = |title: &str| json!([{ "Last_Name": "Ada", "Title": title }]);
    let title = async |client: &Client, id: &str| client.contact(id).await.get("Title").cloned();
    administer(&client, "Title", json!({ "mandatory": true })).await;
    assert_eq!(client.insert(json!([{ "Last_Name": "Ada" }])).await.code(0), "MANDATORY_NOT_FOUND");
    assert_eq!(field(&client, "Title").await["system_mandatory"], false, "only the layout says so");
    let id = client.insert(ada("Dr")).await.id(0);
    administer(&client, "Title", json!({ "mandatory": false, "read_only": true })).await;
    client.update(&id, json!({ "Title": "Prof" })).await;
    assert_eq!(title(&client, &id).await, Some(json!("Dr")));
    administer(&client, "Title", json!({ "hidden": true })).await;
    assert_eq!(title(&client, &id).await, None);
    let shown = field(&client, "Title").await;
    assert_eq!((&shown["visible"], &shown["profiles"][0]["permission_type"]), (&json!(false), &json!("hidden")));
    administer(&client, "Title", json!({ "hidden": false })).await;
    client.update(&id, json!({ "Title": "Prof" })).await;
    assert_eq!(title(&client, &id).await, Some(json!("Prof")));
    assert_eq!(client.call(Method::DELETE, "/__sim/fields/Contacts/Title", Value::Null).await.status, 204);
    assert_eq!(title(&client, &id).await, None);
    assert_eq!(client.call(Method::DELETE, "/__sim/fields/Contacts/Title", Value::Null).await.status, 400);
}

#[tokio::test]
async fn a_restricted_field_is_not_searched() {
    let client = with_scopes().await;
    let search = "/crm/v8/Contacts/search?criteria=(Title:equals:Dr)";
    assert_eq!(client.get(search).await.status, 204);
    administer(&client, "Title", json!({ "restricted": true })).await;
    assert_eq!(client.get(search).await.code(0), "INVALID_QUERY");
    assert_eq!(field(&client, "Title").await["private"]["restricted"], true);
}

#[tokio::test]
async fn a_profile_may_lack_single_permissions() {
    let client = with_scopes().await;
    let id = client.insert(people(1)).await.id(0);
    client.post("/__sim/profiles", json!({ "name": "Clerk", "cannot": ["Delete"], "mine": true })).await;
    let seen = client.delete(&format!("/crm/v8/Contacts?ids={id}")).await;
    assert_eq!((seen.status, seen.code(0)), (403, "NO_PERMISSION"));
    assert_eq!(seen.body["details"]["permissions"], json!(["Crm_Implied_Delete_Contacts"]));
    assert_eq!(client.update(&id, json!({ "Title": "Dr" })).await.status, 200);
}

#[tokio::test]
async fn what_programs_may_not_write_is_ignored() {
    let client = with_scopes().await;
    administer(&client, "Title", json!({ "not_by_api": true })).await;
    administer(&client, "Department", json!({ "ignored": true })).await;
    let id = client.insert(json!([{ "Last_Name": "Ada", "Title": "Dr", "Department": "Maths" }])).await.id(0);
    let contact = client.contact(&id).await;
    assert_eq!((&contact["Title"], &contact["Department"]), (&Value::Null, &Value::Null));
    assert_eq!(field(&client, "Title").await["operation_type"]["api_create"], false);
    assert_eq!(field(&client, "Department").await["operation_type"]["api_create"], true);
}
