//! Tests of the simulator's API, in process.

mod bulk;
mod connections;
mod coql;
mod deleted;
mod editions;
mod faults;
mod layouts;
mod limits;
mod lookups;
mod metadata;
mod people;
mod refusals;
mod rules;
mod sdks;
mod timeline;
mod writes;

use chrono::Utc;
use poem::{
    Endpoint, IntoResponse, Request,
    http::{HeaderName, Method, StatusCode, header},
};
use serde_json::{Value, json};

use super::{Simulator, answer::CREDITS_HEADER};

/// An answer as a client sees it.
struct Seen {
    status: u16,
    body: Value,
    text: String,
    credits_left: Option<u64>,
}

impl Seen {
    /// The code of the answer, or of one of its entries.
    fn code(&self, line: usize) -> &str {
        let flat = self.body.get("code").and_then(Value::as_str);
        flat.or_else(|| self.body["data"][line]["code"].as_str()).unwrap_or("nothing")
    }

    fn id(&self, line: usize) -> String {
        self.body["data"][line]["details"]["id"].as_str().expect("an id").to_owned()
    }
}

/// A client with a token; the organisation's contacts have a key field.
struct Client {
    simulator: Simulator,
    token: String,
}

impl Client {
    #[expect(clippy::disallowed_methods, reason = "a clock that a test moves begins anywhere")]
    async fn new() -> Self {
        let mut client = Self { simulator: Simulator::new(Utc::now), token: String::new() };
        client.token = client.new_token().await.expect("a token");
        let field =
            json!({ "field_label": "Moodle User Key", "data_type": "text", "unique": { "case_sensitive": true } });
        client.make_fields("Contacts", json!([field])).await;
        client
    }

    async fn new_token(&self) -> Option<String> {
        let seen = self.ask_token("grant_type=refresh_token&refresh_token=simulator&client_id=a&client_secret=b").await;
        seen.body["access_token"].as_str().map(str::to_owned)
    }

    async fn ask_token(&self, form: &str) -> Seen {
        self.send(Method::POST, "/oauth/v2/token", form.to_owned(), None).await
    }

    async fn make_fields(&self, module: &str, fields: Value) -> Seen {
        self.post(&format!("/crm/v8/settings/fields?module={module}"), json!({ "fields": fields })).await
    }

    async fn make_module(&self, module: Value) -> Seen {
        self.post("/crm/v8/settings/modules", json!({ "modules": [module] })).await
    }

    /// The fields of a module that a call for its settings lists; `more` are further parameters.
    async fn fields(&self, module: &str, more: &str) -> Vec<Value> {
        let seen = self.get(&format!("/crm/v8/settings/fields?module={module}{more}")).await;
        seen.body["fields"].as_array().expect("fields").clone()
    }

    async fn send(&self, method: Method, uri: &str, body: String, authorization: Option<&str>) -> Seen {
        let headers: Vec<_> = authorization.map(|value| (header::AUTHORIZATION, value)).into_iter().collect();
        self.send_with(method, uri, body, &headers).await
    }

    async fn send_with(&self, method: Method, uri: &str, body: String, headers: &[(HeaderName, &str)]) -> Seen {
        let mut request = Request::builder().method(method).uri_str(uri).header(header::HOST, "sim.example:4020");
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let response = self.simulator.endpoint().call(request.body(body)).await.expect("an answer").into_response();
        let (status, left) = (response.status().as_u16(), response.headers().get(CREDITS_HEADER).cloned());
        let text = response.into_body().into_string().await.unwrap_or_default();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Seen { status, body, text, credits_left: left.map(|left| left.to_str().unwrap().parse().unwrap()) }
    }

    async fn call(&self, method: Method, uri: &str, body: Value) -> Seen {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let token = format!("Zoho-oauthtoken {}", self.token);
        self.send(method, uri, body, Some(&token)).await
    }

    async fn get(&self, uri: &str) -> Seen {
        self.call(Method::GET, uri, Value::Null).await
    }

    async fn post(&self, uri: &str, body: Value) -> Seen {
        self.call(Method::POST, uri, body).await
    }

    async fn insert(&self, data: Value) -> Seen {
        self.post("/crm/v8/Contacts", json!({ "data": data })).await
    }

    async fn update(&self, id: &str, fields: Value) -> Seen {
        self.call(Method::PUT, &format!("/crm/v8/Contacts/{id}"), json!({ "data": [fields] })).await
    }

    async fn update_unless_modified(&self, id: &str, since: &str, fields: Value) -> Seen {
        let token = format!("Zoho-oauthtoken {}", self.token);
        let headers = [(header::AUTHORIZATION, token.as_str()), (header::IF_UNMODIFIED_SINCE, since)];
        let (uri, body) = (format!("/crm/v8/Contacts/{id}"), json!({ "data": [fields] }).to_string());
        self.send_with(Method::PUT, &uri, body, &headers).await
    }

    /// An upsert of contacts by key, then by e-mail.
    async fn upsert(&self, data: Value) -> Seen {
        let checks = ["Moodle_User_Key", "Email"];
        self.post("/crm/v8/Contacts/upsert", json!({ "data": data, "duplicate_check_fields": checks })).await
    }

    async fn query(&self, query: &str) -> Seen {
        self.post("/crm/v8/coql", json!({ "select_query": query })).await
    }

    /// A contact's fields, by GET.
    async fn contact(&self, id: &str) -> Value {
        self.get(&format!("/crm/v8/Contacts/{id}")).await.body["data"][0].clone()
    }

    async fn contacts(&self) -> Vec<Value> {
        self.get("/__sim/state").await.body["modules"]["Contacts"].as_array().expect("contacts").clone()
    }

    /// Grants the scope that a search needs beside the module's.
    async fn allow_search(&self) {
        self.set(json!({ "scopes": ["ZohoCRM.modules.ALL", "ZohoSearch.securesearch.READ"] })).await;
    }

    /// Grants the scopes of the recycle bin.
    async fn allow_recycle_bin(&self) {
        self.set(json!({ "scopes": ["ZohoCRM.modules.ALL", "ZohoCRM.settings.recycle_bin.ALL"] })).await;
    }

    /// Does what a person does on Zoho's pages.
    async fn person(&self, what: &str, body: Value) -> Value {
        let seen = self.post(&format!("/__sim/{what}"), body).await;
        assert!(matches!(seen.status, 200 | 204), "{}", seen.text);
        seen.body
    }

    async fn delete(&self, uri: &str) -> Seen {
        self.call(Method::DELETE, uri, Value::Null).await
    }

    async fn set(&self, settings: Value) {
        assert_eq!(self.post("/__sim/settings", settings).await.status, 200);
    }

    async fn advance(&self, seconds: u64) {
        assert_eq!(self.post("/__sim/clock", json!({ "advance_seconds": seconds })).await.status, 200);
    }

    async fn fault(&self, rule: Value) {
        assert_eq!(self.post("/__sim/faults", json!([rule])).await.status, StatusCode::OK);
    }

    async fn log(&self) -> Vec<Value> {
        self.get("/__sim/log").await.body["calls"].as_array().expect("calls").clone()
    }
}

/// `count` contacts, with keys from 0.
fn people(count: usize) -> Value {
    let person = |number| json!({ "Last_Name": format!("P{number}"), "Moodle_User_Key": format!("s:{number}") });
    (0..count).map(person).collect()
}
