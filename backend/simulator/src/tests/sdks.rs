//! What Zoho's own SDKs send, in other forms than Zoho's description has. `scripts/zoho-sdk-test` has the SDKs
//! themselves.

use poem::http::{Method, header};
use serde_json::{Value, json};

use super::Client;

#[tokio::test]
async fn a_token_request_in_parts() {
    let client = Client::new().await;
    let form =
        [("client_id", "a"), ("client_secret", "b"), ("grant_type", "refresh_token"), ("refresh_token", "simulator")];
    let parts =
        form.map(|(name, value)| format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    let headers = [(header::CONTENT_TYPE, "multipart/form-data; boundary=x")];
    let body = format!("{}--x--\r\n", parts.concat());
    let seen = client.send_with(Method::POST, "/oauth/v2/token", body, &headers).await;
    assert_eq!(seen.body["expires_in"], 3_600, "{}", seen.body);
}

#[tokio::test]
async fn ids_as_numbers_and_times_with_z() {
    let client = Client::new().await;
    let number = |id: String| id.parse::<u64>().expect("an id");
    let account =
        number(client.post("/crm/v8/Accounts", json!({ "data": [{ "Account_Name": "College" }] })).await.id(0));
    client.make_fields("Contacts", json!([{ "field_label": "Seen at", "data_type": "datetime" }])).await;
    let person = json!({ "Last_Name": "Ada", "Account_Name": { "id": account }, "Seen_at": "2026-09-01T08:30:00Z" });
    let id = client.insert(json!([person])).await.id(0);
    let change = json!({ "data": [{ "id": number(id.clone()), "Title": "Dr" }] });
    assert_eq!(client.call(Method::PUT, "/crm/v8/Contacts", change).await.code(0), "SUCCESS");
    let contact = client.contact(&id).await;
    assert_eq!(contact["Account_Name"], json!({ "id": account.to_string(), "name": "College" }));
    assert_eq!((&contact["Seen_at"], &contact["Title"]), (&json!("2026-09-01T08:30:00+00:00"), &json!("Dr")));
    let profile = client.get("/crm/v8/settings/modules/Contacts").await.body["modules"][0]["profiles"][0]["id"].clone();
    let profile = number(profile.as_str().expect("an id").to_owned());
    let labels = json!({ "singular_label": "Room", "plural_label": "Rooms", "api_name": "Rooms", "profiles": [{ "id": profile }] });
    assert_eq!(client.post("/crm/v8/settings/modules", json!({ "modules": [labels] })).await.status, 201);
}

#[tokio::test]
async fn case_sensitivity_as_a_text() {
    let client = Client::new().await;
    let field = |label: &str, said: &str| json!({ "field_label": label, "data_type": "text", "unique": { "casesensitive": said } });
    client.make_fields("Products", json!([field("Exact", "true"), field("Loose", "false")])).await;
    let seen = client.get("/crm/v8/settings/fields?module=Products").await;
    let fields = seen.body["fields"].as_array().expect("fields");
    let unique = |name: &str| {
        fields.iter().find(|field| field["api_name"] == name).map(|field| &field["unique"]["case_sensitive"])
    };
    assert_eq!((unique("Exact"), unique("Loose")), (Some(&json!(true)), Some(&json!(false))));
}

#[tokio::test]
async fn what_was_deleted_since() {
    let client = Client::new().await;
    let id = client.insert(json!([{ "Last_Name": "Ada" }])).await.id(0);
    client.call(Method::DELETE, &format!("/crm/v8/Contacts/{id}"), Value::Null).await;
    for (since, status) in [("2000-01-01T00:00:00Z", 200), ("2100-01-01T01:00:00+01:00", 204)] {
        let authorization = format!("Zoho-oauthtoken {}", client.token);
        let headers = [(header::AUTHORIZATION, authorization.as_str()), (header::IF_MODIFIED_SINCE, since)];
        let seen = client.send_with(Method::GET, "/crm/v8/Contacts/deleted", String::new(), &headers).await;
        assert_eq!(seen.status, status, "{since}");
    }
}

#[tokio::test]
async fn the_user_of_a_token() {
    let client = Client::new().await;
    client.set(json!({ "scopes": ["ZohoCRM.org.READ"] })).await;
    assert_eq!(client.get("/crm/v8/users?type=CurrentUser").await.code(0), "OAUTH_SCOPE_MISMATCH");
    client.set(json!({ "scopes": ["ZohoCRM.users.READ"] })).await;
    let seen = client.get("/crm/v8/users?type=CurrentUser").await;
    assert_eq!(seen.body["users"][0]["full_name"], "Simulated Administrator");
}
