//! Deleted records and the recycle bin.

use poem::http::{Method, header};
use serde_json::{Value, json};

use super::{Client, people};
use crate::rules::Rule;

const BIN: &str = "/crm/v8/settings/recycle_bin";
const DAY: u64 = 86_400;

/// Meets a rule about deleted records.
pub(super) async fn meet(rule: Rule, client: &mut Client) {
    let ids = deleted_people(client, 1).await;
    client.allow_recycle_bin().await;
    if rule == Rule::PermanentIsNameless {
        client.delete(&format!("{BIN}/{}", ids[0])).await;
    }
    if rule == Rule::BinIsForSixtyDays {
        advance_days(client, 61).await;
    }
    match rule {
        Rule::RecordsPerPage => client.get("/crm/v8/Contacts/deleted?per_page=201").await,
        Rule::BinHasRecord => client.delete(&format!("{BIN}/1")).await,
        Rule::BinIdsPerCall => client.delete(&format!("{BIN}?ids=1{}", ",1".repeat(100))).await,
        Rule::TimelineHasRecord => client.get("/crm/v8/Contacts/1/__timeline").await,
        _ => client.get("/crm/v8/Contacts/deleted").await,
    };
}

/// Contacts that are in the recycle bin.
async fn deleted_people(client: &Client, count: usize) -> Vec<String> {
    let seen = client.upsert(people(count)).await;
    let ids: Vec<String> = (0..count).map(|line| seen.id(line)).collect();
    assert_eq!(client.delete(&format!("/crm/v8/Contacts?ids={}", ids.join(","))).await.status, 200);
    ids
}

/// Lets days pass, which the token does not outlive.
async fn advance_days(client: &mut Client, days: u64) {
    client.advance(days * DAY).await;
    client.token = client.new_token().await.expect("a token");
}

/// The types of the deleted records, by id.
async fn kinds(client: &Client, query: &str) -> Vec<(String, String)> {
    let seen = client.get(&format!("/crm/v8/Contacts/deleted?{query}")).await;
    let lines = seen.body["data"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    lines.iter().map(|line| (text(&line["id"]), text(&line["type"]))).collect()
}

#[tokio::test]
async fn what_is_purged_is_listed_as_permanent_without_name_and_people() {
    let client = Client::new().await;
    let ids = deleted_people(&client, 2).await;
    let before = client.get("/crm/v8/Contacts/deleted?type=recycle").await.body["data"][0].clone();
    assert_eq!((&before["display_name"], &before["deleted_by"]["name"]), (&json!("P1"), &before["created_by"]["name"]));
    assert_eq!(client.delete(&format!("{BIN}/{}", ids[0])).await.code(0), "OAUTH_SCOPE_MISMATCH");
    client.allow_recycle_bin().await;
    let purged = client.delete(&format!("{BIN}/{}", ids[0])).await;
    assert_eq!((purged.status, &purged.body["recycle_bin"][0]["details"]), (200, &json!({ "id": ids[0] })));
    let kind = |id: &String, kind: &str| (id.clone(), kind.to_owned());
    assert_eq!(kinds(&client, "").await, [kind(&ids[1], "recycle"), kind(&ids[0], "permanent")]);
    assert_eq!(kinds(&client, "type=recycle").await, [kind(&ids[1], "recycle")]);
    let permanent = client.get("/crm/v8/Contacts/deleted?type=permanent").await.body["data"].clone();
    assert_eq!(permanent.as_array().map(Vec::len), Some(1));
    for name in ["display_name", "deleted_by", "created_by"] {
        assert_eq!(permanent[0][name], Value::Null);
    }
    assert_eq!(client.get("/crm/v8/Contacts/deleted?type=other").await.code(0), "INVALID_DATA");
}

#[tokio::test]
async fn deleted_records_are_listed_since_a_time_in_pages() {
    let client = Client::new().await;
    let old = deleted_people(&client, 3).await;
    client.advance(60).await;
    let new = deleted_people(&client, 1).await;
    let first = client.get("/crm/v8/Contacts/deleted?per_page=3").await.body;
    assert_eq!(first["info"], json!({ "per_page": 3, "count": 3, "page": 1, "more_records": true }));
    assert_eq!(kinds(&client, "per_page=3&page=2").await[0].0, old[0]);
    let time = first["data"][0]["deleted_time"].as_str().unwrap();
    let token = format!("Zoho-oauthtoken {}", client.token);
    let headers = [(header::AUTHORIZATION, token.as_str()), (header::IF_MODIFIED_SINCE, time)];
    let seen = client.send_with(Method::GET, "/crm/v8/Contacts/deleted", String::new(), &headers).await;
    assert_eq!((&seen.body["data"][0]["id"], &seen.body["info"]["count"]), (&json!(new[0]), &json!(1)));
}

#[tokio::test]
async fn the_recycle_bin_lists_counts_restores_and_empties() {
    let client = Client::new().await;
    let ids = deleted_people(&client, 4).await;
    client.allow_recycle_bin().await;
    let listed = client.get(&format!("{BIN}?per_page=3")).await.body;
    assert_eq!((&listed["recycle_bin"][0]["id"], &listed["info"]["more_records"]), (&json!(ids[3]), &json!(true)));
    assert_eq!(listed["recycle_bin"][0]["module"], "Contacts");
    let one = client.get(&format!("{BIN}/{}", ids[1])).await.body;
    assert_eq!(one["recycle_bin"][0]["module"]["api_name"], "Contacts", "an object for one, a text in lists");

    let restored = client.post(&format!("{BIN}/actions/restore"), json!({ "ids": [ids[0], 1] })).await;
    assert_eq!((restored.status, &restored.body["recycle_bin"][1]["code"]), (207, &json!("INVALID_DATA")));
    assert_eq!(restored.body["recycle_bin"][0]["id"], json!(ids[0]), "lines have ids if some failed");
    assert_eq!(client.contact(&ids[0]).await["Moodle_User_Key"], "s:0");
    assert_eq!(client.post(&format!("{BIN}/{}/actions/restore", ids[1]), Value::Null).await.status, 200);

    let count = async || client.get(&format!("{BIN}/actions/count")).await.body["count"].clone();
    assert_eq!(count().await, 2);
    let filters =
        r#"{"group_operator":"AND","group":[{"field":{"api_name":"display_name"},"comparator":"equal","value":"P2"}]}"#;
    let encoded: String = form_urlencoded::byte_serialize(filters.as_bytes()).collect();
    let seen = client.delete(&format!("{BIN}?filters={encoded}")).await;
    assert_eq!((seen.status, &seen.body["recycle_bin"][0]["code"]), (200, &json!("SCHEDULED")));
    assert_eq!(count().await, 1);
    assert_eq!(client.post(&format!("{BIN}/actions/empty"), Value::Null).await.status, 200);
    assert_eq!((count().await, client.get(BIN).await.status), (json!(0), 204));
    assert_eq!(client.get("/__sim/state").await.body["recycled"]["Contacts"], 0);
}

#[tokio::test]
async fn a_purge_by_ids_tells_of_each_and_needs_ids_or_filters() {
    let client = Client::new().await;
    let ids = deleted_people(&client, 2).await;
    client.allow_recycle_bin().await;
    let seen = client.delete(&format!("{BIN}?ids={},7,{}", ids[0], ids[1])).await;
    let codes: Vec<_> = (0..3).map(|line| seen.body["recycle_bin"][line]["code"].clone()).collect();
    assert_eq!((seen.status, codes), (207, vec![json!("SUCCESS"), json!("INVALID_DATA"), json!("SUCCESS")]));
    assert_eq!(client.delete(BIN).await.code(0), "REQUIRED_PARAM_MISSING");
}

#[tokio::test]
async fn a_record_is_not_restored_beside_one_with_its_key() {
    let client = Client::new().await;
    let ids = deleted_people(&client, 1).await;
    client.upsert(people(1)).await;
    client.allow_recycle_bin().await;
    assert_eq!(client.post(&format!("{BIN}/{}/actions/restore", ids[0]), Value::Null).await.code(0), "DUPLICATE_DATA");
}

#[tokio::test]
async fn after_sixty_days_deleted_records_are_gone_for_good() {
    let mut client = Client::new().await;
    let ids = deleted_people(&client, 1).await;
    let kind = |kind: &str| vec![(ids[0].clone(), kind.to_owned())];
    advance_days(&mut client, 59).await;
    assert_eq!(kinds(&client, "").await, kind("recycle"));
    advance_days(&mut client, 1).await;
    assert_eq!(kinds(&client, "").await, kind("permanent"));
    assert_eq!(client.get("/__sim/state").await.body["recycled"]["Contacts"], 0);
}
