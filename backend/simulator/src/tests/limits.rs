//! Tokens, scopes, credits, concurrency, and the order of the checks.

use poem::http::Method;
use serde_json::{Value, json};

use super::{Client, people};

#[tokio::test]
async fn the_refresh_token_or_the_code_yields_tokens() {
    let client = Client::new().await;
    let form = |rest: &str| format!("client_id=a&client_secret=b&{rest}");
    let seen = client.ask_token(&form("grant_type=authorization_code&code=simulator")).await;
    assert_eq!((&seen.body["refresh_token"], &seen.body["expires_in"]), (&json!("simulator"), &json!(3600)));
    assert_eq!(seen.body["api_domain"], "http://sim.example:4020");
    for (wrong, error) in [
        ("grant_type=refresh_token&refresh_token=other", "invalid_code"),
        ("grant_type=authorization_code&code=other", "invalid_code"),
        ("grant_type=password", "unsupported_grant_type"),
    ] {
        let seen = client.ask_token(&form(wrong)).await;
        assert_eq!((seen.status, &seen.body["error"]), (200, &json!(error)));
    }
    let seen = client.ask_token("grant_type=refresh_token&refresh_token=simulator").await;
    assert_eq!(seen.body["error"], "invalid_client");
    let query = "/oauth/v2/token?grant_type=refresh_token&refresh_token=simulator&client_id=a&client_secret=b";
    assert!(client.send(Method::POST, query, String::new(), None).await.body["access_token"].is_string());
}

#[tokio::test]
async fn ten_tokens_in_ten_minutes_and_fifteen_alive() {
    let client = Client::new().await;
    for _ in 1..10 {
        assert!(client.new_token().await.is_some());
    }
    let form = "grant_type=refresh_token&refresh_token=simulator&client_id=a&client_secret=b";
    let denied = client.ask_token(form).await;
    assert_eq!((denied.status, &denied.body["error"]), (200, &json!("Access Denied")));
    client.advance(601).await;
    for _ in 10..15 {
        assert!(client.new_token().await.is_some());
    }
    assert_eq!(client.get("/crm/v8/org").await.status, 200, "the first of fifteen is alive");
    assert!(client.new_token().await.is_some());
    assert_eq!(client.get("/crm/v8/org").await.code(0), "INVALID_TOKEN", "the sixteenth replaced it");
}

#[tokio::test]
async fn a_token_lives_an_hour_and_is_not_a_bearer_token() {
    let client = Client::new().await;
    for wrong in [None, Some(format!("Bearer {}", client.token)), Some("Zoho-oauthtoken other".to_owned())] {
        let seen = client.send(Method::GET, "/crm/v8/org", String::new(), wrong.as_deref()).await;
        assert_eq!((seen.status, seen.code(0)), (401, "INVALID_TOKEN"));
    }
    client.advance(3_590).await;
    assert_eq!(client.get("/crm/v8/org").await.status, 200);
    client.advance(11).await;
    assert_eq!(client.get("/crm/v8/org").await.status, 401);
}

#[tokio::test]
async fn revoking_the_refresh_token_ends_all_access_tokens() {
    let client = Client::new().await;
    client.set(json!({ "revoked": true })).await;
    assert_eq!(client.get("/crm/v8/org").await.status, 401);
    assert_eq!(client.new_token().await, None);
    client.set(json!({ "revoked": false })).await;
    assert!(client.new_token().await.is_some());
}

#[tokio::test]
async fn the_checks_come_in_zohos_order() {
    let mut client = Client::new().await;
    let token = std::mem::take(&mut client.token);
    client.set(json!({ "allowance": 1, "used": 1, "concurrency": 0, "scopes": ["ZohoCRM.org.READ"] })).await;
    let wrong = async |client: &Client, code: &str| {
        let seen = client.post("/crm/v8/Nope/upsert", json!({ "data": 5 })).await;
        assert_eq!(seen.body["code"], code);
    };
    wrong(&client, "INVALID_TOKEN").await;
    client.token = token;
    wrong(&client, "OAUTH_SCOPE_MISMATCH").await;
    client.set(json!({ "scopes": ["ZohoCRM.modules.ALL"] })).await;
    wrong(&client, "LIMIT_EXCEEDED").await;
    client.set(json!({ "allowance": 1_000 })).await;
    wrong(&client, "TOO_MANY_REQUESTS").await;
    client.set(json!({ "concurrency": 10 })).await;
    wrong(&client, "INVALID_MODULE").await;
    let seen = client.post("/crm/v8/Contacts/upsert", json!({ "data": 5 })).await;
    assert_eq!(seen.code(0), "INVALID_DATA");
    // For one record: first missing values, then invalid ones, then duplicates.
    client.insert(people(1)).await;
    let mut record = json!({ "Moodle_User_Key": "s:0", "Email": "nobody" });
    assert_eq!(client.insert(json!([record])).await.code(0), "MANDATORY_NOT_FOUND");
    record["Last_Name"] = "Ada".into();
    assert_eq!(client.insert(json!([record])).await.code(0), "INVALID_DATA");
    record["Email"] = "ada@b.org".into();
    assert_eq!(client.insert(json!([record])).await.code(0), "DUPLICATE_DATA");
    assert_eq!(client.get("/crm/v8/Contacts/1/2/3").await.status, 404);
    assert_eq!(client.call(Method::PATCH, "/crm/v8/Contacts", Value::Null).await.code(0), "INVALID_REQUEST_METHOD");
}

#[tokio::test]
async fn only_calls_that_need_a_missing_scope_fail() {
    let client = Client::new().await;
    client.set(json!({ "scopes": ["ZohoCRM.modules.ALL", "ZohoCRM.settings.modules.READ"] })).await;
    assert_eq!(client.get("/crm/v8/settings/fields?module=Contacts").await.code(0), "OAUTH_SCOPE_MISMATCH");
    assert_eq!(client.get("/crm/v8/settings/modules").await.status, 200);
    assert_eq!(client.upsert(people(1)).await.status, 200);
}

#[tokio::test]
async fn a_search_needs_a_scope_of_its_own() {
    let client = Client::new().await;
    client.upsert(people(1)).await;
    let search = "/crm/v8/Contacts/search?criteria=(Last_Name:equals:P0)";
    assert_eq!(client.get(search).await.code(0), "OAUTH_SCOPE_MISMATCH");
    client.allow_search().await;
    assert_eq!(client.get(search).await.status, 204);
}

#[tokio::test]
async fn credits_are_used_by_tens_and_come_back_after_a_day() {
    let client = Client::new().await;
    client.set(json!({ "allowance": 20, "used": 0 })).await;
    let seen = client.upsert(people(81)).await;
    assert_eq!(seen.credits_left, None, "9 of 20");
    let seen = client.get("/crm/v8/org").await;
    assert_eq!(seen.credits_left, Some(10), "half of them used");
    client.advance(12 * 3_600).await;
    let mut client = client;
    client.token = client.new_token().await.unwrap();
    assert_eq!(client.upsert(people(91)).await.credits_left, Some(0));
    let refused = client.upsert(people(1)).await;
    assert_eq!((refused.status, refused.code(0), refused.credits_left), (429, "LIMIT_EXCEEDED", Some(0)));
    client.advance(12 * 3_600 + 1).await;
    client.token = client.new_token().await.unwrap();
    assert_eq!(client.get("/__sim/settings").await.body["used"], 10, "the first ten are a day old");
    assert_eq!(client.upsert(people(100)).await.status, 200);
    assert_eq!(client.get("/crm/v8/org").await.status, 429);
    let credits: Vec<_> = client.log().await.iter().map(|call| call["credits"].as_u64().unwrap()).collect();
    assert_eq!(credits.iter().sum::<u64>(), 1 + 9 + 1 + 10 + 10, "refused calls and tokens are free");
}

#[tokio::test]
async fn concurrent_calls_are_counted_also_when_the_client_leaves() {
    let client = Client::new().await;
    client.set(json!({ "concurrency": 1 })).await;
    client.fault(json!({ "match": { "operation": "upsert" }, "fault": "slow", "delay_ms": 600_000 })).await;
    {
        let slow = client.upsert(people(1));
        tokio::pin!(slow);
        assert!(futures_util::poll!(&mut slow).is_pending());
        assert_eq!(client.get("/crm/v8/org").await.code(0), "TOO_MANY_REQUESTS");
    }
    assert_eq!(client.get("/crm/v8/org").await.status, 200, "the client went away");
}

#[tokio::test]
async fn large_writes_have_a_limit_of_their_own() {
    let client = Client::new().await;
    client.set(json!({ "concurrency": 25 })).await;
    client
        .fault(json!({ "match": { "operation": "upsert", "times": 10 }, "fault": "slow", "delay_ms": 600_000 }))
        .await;
    let mut slow = Vec::new();
    for _ in 0..10 {
        let mut call = Box::pin(client.upsert(people(11)));
        assert!(futures_util::poll!(&mut call).is_pending());
        slow.push(call);
    }
    assert_eq!(client.upsert(people(11)).await.code(0), "TOO_MANY_REQUESTS");
    assert_eq!(client.upsert(people(10)).await.status, 200);
}
