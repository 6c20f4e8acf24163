//! Fault rules, and the log.

use serde_json::json;

use super::{Client, people};

#[tokio::test]
async fn each_fault_has_its_answer() {
    let client = Client::new().await;
    for (fault, status, code) in [
        ("unauthorized", 401, "INVALID_TOKEN"),
        ("scope_mismatch", 401, "OAUTH_SCOPE_MISMATCH"),
        ("no_permission", 403, "NO_PERMISSION"),
        ("too_many_requests", 429, "TOO_MANY_REQUESTS"),
        ("limit_exceeded", 429, "LIMIT_EXCEEDED"),
        ("internal_error", 500, "INTERNAL_ERROR"),
        ("invalid_module", 400, "INVALID_MODULE"),
        ("bad_gateway_html", 502, "nothing"),
        ("service_unavailable_html", 503, "nothing"),
        ("record_locked", 202, "RECORD_LOCKED"),
        ("slow", 200, "SUCCESS"),
    ] {
        client.fault(json!({ "match": { "operation": "upsert", "times": 1 }, "fault": fault })).await;
        let seen = client.upsert(people(2)).await;
        assert_eq!((seen.status, seen.code(0)), (status, code), "{fault}");
        assert_eq!(client.contacts().await.len(), if fault == "slow" { 2 } else { 0 }, "{fault}");
        assert_eq!(client.log().await.last().unwrap()["fault"], fault);
    }
    assert!(
        client.get("/__sim/faults").await.body["faults"].as_array().unwrap().iter().all(|rule| rule["struck"] == 1)
    );
}

#[tokio::test]
async fn truncated_json_comes_after_the_work() {
    let client = Client::new().await;
    client.fault(json!({ "match": { "module": "Contacts" }, "fault": "truncated_json" })).await;
    let seen = client.upsert(people(1)).await;
    assert!(seen.status == 200 && seen.body.is_null() && seen.text.starts_with("{\"data\""), "{}", seen.text);
    assert_eq!(client.contacts().await.len(), 1);
}

#[tokio::test]
async fn some_of_the_records_fail() {
    let client = Client::new().await;
    for (fault, status) in [("partial_200", 200), ("partial_207", 207)] {
        client.fault(json!({ "match": { "times": 1, "operation": "upsert" }, "fault": fault })).await;
        let seen = client.upsert(people(3)).await;
        assert_eq!(seen.status, status);
        assert_eq!([seen.code(0), seen.code(1), seen.code(2)], ["SUCCESS", "RECORD_LOCKED", "SUCCESS"]);
    }
    client.fault(json!({ "match": { "key": "s:0" }, "fault": "record_locked" })).await;
    let seen = client.upsert(people(2)).await;
    assert_eq!([seen.code(0), seen.code(1)], ["RECORD_LOCKED", "SUCCESS"]);
}

#[tokio::test]
async fn rules_choose_their_calls() {
    let client = Client::new().await;
    let struck = async |rule: serde_json::Value, calls: usize| {
        client.fault(json!({ "match": rule, "fault": "internal_error" })).await;
        let mut struck = Vec::new();
        for call in 1..=calls {
            if client.upsert(people(1)).await.status == 500 {
                struck.push(call);
            }
        }
        client.call(poem::http::Method::DELETE, "/__sim/faults", json!(null)).await;
        struck
    };
    assert_eq!(struck(json!({}), 3).await, [1, 2, 3]);
    assert_eq!(struck(json!({ "nth": 3 }), 5).await, [3]);
    assert_eq!(struck(json!({ "nth": 2, "times": 2 }), 5).await, [2, 3]);
    assert_eq!(struck(json!({ "every": 2 }), 5).await, [2, 4]);
    assert_eq!(struck(json!({ "every": 2, "times": 1 }), 5).await, [2]);
    assert_eq!(struck(json!({ "path": "/upsert", "method": "post", "key": "s:0" }), 1).await, [1]);
    for other in
        [json!({ "method": "GET" }), json!({ "module": "Products" }), json!({ "key": "s:1" }), json!({ "path": "x" })]
    {
        assert_eq!(struck(other, 2).await, [0; 0]);
    }
    let by_chance = struck(json!({ "chance": 0.5, "seed": 7 }), 20).await;
    assert!((3..18).contains(&by_chance.len()), "{by_chance:?}");
    assert_eq!(struck(json!({ "chance": 0.5, "seed": 7 }), 20).await, by_chance, "the same seed, the same faults");
    let unknown = client.post("/__sim/faults", json!([{ "fault": "gremlin" }])).await;
    assert_eq!(unknown.status, 400);
}

#[tokio::test]
async fn the_accounts_server_fails_in_its_own_way() {
    let client = Client::new().await;
    let form = "grant_type=refresh_token&refresh_token=simulator&client_id=a&client_secret=b";
    for (fault, status, error) in [
        ("unauthorized", 200, json!("invalid_code")),
        ("too_many_requests", 200, json!("Access Denied")),
        ("bad_gateway_html", 502, json!(null)),
    ] {
        client.fault(json!({ "match": { "operation": "token", "times": 1 }, "fault": fault })).await;
        let seen = client.ask_token(form).await;
        assert_eq!((seen.status, seen.body["error"].clone()), (status, error), "{fault}");
    }
    assert!(client.new_token().await.is_some());
}

#[tokio::test]
async fn the_log_has_every_call() {
    let client = Client::new().await;
    client.upsert(people(12)).await;
    let log = client.log().await;
    let last = log.last().unwrap();
    let expected = [("n", json!(3)), ("records", json!(12)), ("credits", json!(2)), ("status", json!(200))];
    for (name, value) in expected {
        assert_eq!(last[name], value, "{name}");
    }
    assert_eq!((&last["operation"], &last["keys"][11]), (&json!("upsert"), &json!("s:11")));
    assert_eq!(client.get("/__sim/log?after=2").await.body["calls"].as_array().unwrap().len(), 1);
    client.call(poem::http::Method::DELETE, "/__sim/log", json!(null)).await;
    assert!(client.log().await.is_empty());
}
