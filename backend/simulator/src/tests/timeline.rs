//! Timelines, merging, and counting.

use serde_json::{Value, json};

use super::{Client, people};

/// The events of a record, the newest first.
async fn timeline(client: &Client, id: &str, query: &str) -> Vec<Value> {
    let seen = client.get(&format!("/crm/v8/Contacts/{id}/__timeline?{query}")).await;
    assert!(matches!(seen.status, 200 | 204), "{}", seen.text);
    seen.body["__timeline"].as_array().cloned().unwrap_or_default()
}

/// What was done and where.
fn actions(events: &[Value]) -> Vec<(&str, &str)> {
    events.iter().map(|event| (event["action"].as_str().unwrap(), event["source"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn what_was_emptied_can_still_be_read_until_the_record_is_purged() {
    let client = Client::new().await;
    let id = client.insert(json!([{ "Last_Name": "Ada", "Email": "ada@b.org" }])).await.id(0);
    client.update(&id, json!({ "Email": null, "Title": "Dr" })).await;
    client.update(&id, json!({ "Title": "Dr" })).await;
    let by_hand = json!({ "id": id, "Title": "Prof" });
    client.person("records/Contacts", by_hand).await;
    let events = timeline(&client, &id, "").await;
    assert_eq!(actions(&events), [("updated", "crm_ui"), ("updated", "crm_api"), ("added", "crm_api")]);
    let history = events[1]["field_history"].as_array().unwrap();
    let email = history.iter().find(|field| field["api_name"] == "Email").unwrap();
    assert_eq!(email["_value"], json!({ "old": "ada@b.org", "new": null }));
    assert_eq!((&email["data_type"], &email["field_label"]), (&json!("email"), &json!("Email")));
    assert_eq!(events[2]["field_history"], Value::Null);
    assert_eq!(events[0]["record"]["name"], "Ada");

    client.delete(&format!("/crm/v8/Contacts/{id}")).await;
    assert_eq!(actions(&timeline(&client, &id, "").await)[0], ("deleted", "crm_api"), "still there");
    client.allow_recycle_bin().await;
    client.delete(&format!("/crm/v8/settings/recycle_bin/{id}")).await;
    let gone = client.get(&format!("/crm/v8/Contacts/{id}/__timeline")).await;
    assert_eq!((gone.status, gone.code(0)), (400, "INVALID_DATA"));
}

#[tokio::test]
async fn timelines_come_in_pages() {
    let client = Client::new().await;
    let id = client.insert(people(1)).await.id(0);
    for title in ["A", "B", "C"] {
        client.update(&id, json!({ "Title": title })).await;
    }
    let seen = client.get(&format!("/crm/v8/Contacts/{id}/__timeline?per_page=3")).await.body;
    assert_eq!((&seen["info"]["count"], &seen["info"]["more_records"]), (&json!(3), &json!(true)));
    assert_eq!(seen["info"]["previous_page_token"], Value::Null);
    let token = seen["info"]["next_page_token"].as_str().unwrap();
    let rest = timeline(&client, &id, &format!("per_page=3&page_token={token}")).await;
    assert_eq!(actions(&rest), [("added", "crm_api")]);
    assert_eq!(actions(&timeline(&client, &id, "sort_order=asc").await)[0], ("added", "crm_api"));
    assert!(timeline(&client, &id, "page=3").await.is_empty());
    assert_eq!(client.get(&format!("/crm/v8/Contacts/{id}/__timeline?sort_by=id")).await.status, 400);
}

#[tokio::test]
async fn a_merge_leaves_one_contact_to_which_lookups_lead() {
    let client = Client::new().await;
    let people = json!([
        { "Last_Name": "Ada", "Phone": "1" },
        { "Last_Name": "Eve", "Phone": "2", "Email": "e@b.org", "Moodle_User_Key": "s:1" },
        { "Last_Name": "Zoe", "Email": "z@b.org" },
    ]);
    let seen = client.insert(people).await;
    let (survivor, merged) = (seen.id(0), [seen.id(1), seen.id(2)]);
    let lookup = json!({ "module": { "api_name": "Contacts" }, "display_label": "Friends" });
    let field = json!([{ "field_label": "Friend", "data_type": "lookup", "lookup": lookup }]);
    let made = client.make_fields("Contacts", field).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let friend = client.insert(json!([{ "Last_Name": "Kim", "Friend": { "id": merged[1] } }])).await.id(0);

    client.advance(11).await;
    client.person("merge", json!({ "module": "Contacts", "survivor": survivor, "merged": merged })).await;
    let kept = client.contact(&survivor).await;
    let values = ["Last_Name", "Phone", "Email", "Moodle_User_Key"].map(|field| kept[field].clone());
    assert_eq!(values, [json!("Ada"), json!("1"), json!("e@b.org"), json!("s:1")]);
    assert_eq!(client.contact(&friend).await["Friend"]["id"], json!(survivor));
    for id in &merged {
        assert_eq!(client.get(&format!("/crm/v8/Contacts/{id}")).await.status, 204);
    }
    let query = "select id from Contacts where Last_Name = 'Zoe'";
    assert_eq!(client.query(query).await.body["data"][0]["id"], json!(merged[1]), "COQL lags");
    client.advance(11).await;
    assert_eq!(client.query(query).await.status, 204);
    let events = timeline(&client, &survivor, "").await;
    assert_eq!(actions(&events)[..2], [("find_and_merge_duplicate", "findandmerge"); 2]);
    assert_eq!(events[1]["related_record"]["id"], json!(merged[0]));
    let deleted = client.get("/crm/v8/Contacts/deleted?type=permanent").await.body;
    assert_eq!(deleted["info"]["count"], 2);
    let four = json!({ "module": "Contacts", "survivor": survivor, "merged": [friend, friend, friend] });
    assert_eq!(client.post("/__sim/merge", four).await.status, 400);
}

#[tokio::test]
async fn a_count_lags_like_the_search_and_needs_its_scope() {
    let client = Client::new().await;
    client.upsert(people(3)).await;
    let uri = "/crm/v8/Contacts/actions/count";
    assert_eq!(client.get(uri).await.code(0), "OAUTH_SCOPE_MISMATCH");
    client.allow_search().await;
    assert_eq!(client.get(uri).await.body, json!({ "count": 0 }));
    client.advance(11).await;
    assert_eq!(client.get(uri).await.body, json!({ "count": 3 }));
    assert_eq!(client.get(&format!("{uri}?criteria=(Last_Name:equals:P1)")).await.body, json!({ "count": 1 }));
}
