//! Lookups, lists and the lagging search.

use poem::http::Method;
use serde_json::{Value, json};

use super::{Client, people};

async fn ids_found(client: &Client, query: &str) -> Vec<String> {
    let seen = client.get(&format!("/crm/v8/Contacts/search?{query}")).await;
    assert!(matches!(seen.status, 200 | 204), "{}", seen.text);
    let records = seen.body["data"].as_array().cloned().unwrap_or_default();
    records.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_search_sees_the_past() {
    let client = Client::new().await;
    client.allow_search().await;
    let id = client.insert(json!([{ "Last_Name": "Ada", "Email": "old@b.org" }])).await.id(0);
    let (old, new) = ("criteria=(Email:equals:OLD@b.org)", "email=new@b.org");
    assert!(ids_found(&client, old).await.is_empty(), "not yet");
    client.advance(11).await;
    assert_eq!(ids_found(&client, old).await, [id.as_str()]);
    client.update(&id, json!({ "Email": "new@b.org" })).await;
    assert_eq!(client.contact(&id).await["Email"], "new@b.org", "reading by id does not lag");
    assert_eq!((ids_found(&client, old).await.len(), ids_found(&client, new).await.len()), (1, 0));
    client.advance(11).await;
    assert_eq!((ids_found(&client, old).await.len(), ids_found(&client, new).await.len()), (0, 1));
    client.call(Method::DELETE, &format!("/crm/v8/Contacts/{id}"), Value::Null).await;
    assert_eq!(ids_found(&client, new).await.len(), 1, "still seen");
    client.advance(11).await;
    assert!(ids_found(&client, new).await.is_empty());
}

#[tokio::test]
async fn without_lag_the_search_sees_every_write() {
    let client = Client::new().await;
    client.allow_search().await;
    client.set(json!({ "lag_seconds": 0 })).await;
    let one = json!({ "Last_Name": "Ada", "Email": "a@b.org", "Mailing_City": "Bern" });
    let seen = client.insert(json!([one, { "Last_Name": "Bo", "Email": "b@b.org" }])).await;
    let both = vec![seen.id(1), seen.id(0)];
    assert_eq!(ids_found(&client, "criteria=((Email:equals:a@b.org)or(Email:equals:b@b.org))").await, both);
    assert_eq!(ids_found(&client, "criteria=(Email:in:a@b.org,b@b.org,c@b.org)").await, both);
    assert_eq!(
        ids_found(&client, "criteria=((Last_Name:starts_with:a)and(Mailing_City:equals:Bern))").await,
        both[1..]
    );
    client.update(&both[0], json!({ "Email": "c@b.org" })).await;
    assert_eq!(ids_found(&client, "email=c@b.org").await, both[..1]);
    assert!(ids_found(&client, "email=b@b.org").await.is_empty());
    let eleven = (0..11).map(|n| format!("(Email:equals:{n}@b.org)")).collect::<Vec<_>>().join("or");
    for wrong in ["", "criteria=Email", "criteria=(Nope:equals:1)", &format!("criteria=({eleven})")] {
        assert_eq!(client.get(&format!("/crm/v8/Contacts/search?{wrong}")).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_lookup_points_to_a_record_that_exists() {
    let client = Client::new().await;
    let account = client.post("/crm/v8/Accounts", json!({ "data": [{ "Account_Name": "College" }] })).await.id(0);
    let to = |id: Value| json!([{ "Last_Name": "Ada", "Account_Name": { "id": id } }]);
    let contact = client.insert(to(json!(account))).await.id(0);
    assert_eq!(client.contact(&contact).await["Account_Name"], json!({ "name": "College", "id": account }));
    assert_eq!(client.insert(to(json!("5200000000000999999"))).await.code(0), "INVALID_DATA");
    assert_eq!(client.insert(to(json!(contact))).await.code(0), "INVALID_DATA", "of another module");
    let text = client.insert(json!([{ "Last_Name": "Ada", "Account_Name": account }])).await;
    assert_eq!(text.body["data"][0]["details"]["expected_data_type"], "jsonobject");
    client.call(Method::DELETE, &format!("/crm/v8/Accounts/{account}"), Value::Null).await;
    assert_eq!(client.insert(to(json!(account))).await.code(0), "INVALID_DATA", "deleted");
    assert_eq!(client.contact(&contact).await["Account_Name"], Value::Null);
}

#[tokio::test]
async fn lists_come_in_pages_and_need_fields() {
    let client = Client::new().await;
    let ids: Vec<String> = {
        let seen = client.upsert(people(5)).await;
        (0..5).map(|line| seen.id(line)).collect()
    };
    assert_eq!(client.get("/crm/v8/Contacts").await.body["data"][0]["code"], "REQUIRED_PARAM_MISSING");
    let mut found = Vec::new();
    for page in 1..=3 {
        let uri = format!("/crm/v8/Contacts?fields=Moodle_User_Key&per_page=2&sort_order=asc&page={page}");
        let seen = client.get(&uri).await;
        assert_eq!(seen.body["info"]["more_records"], page < 3);
        found.extend(seen.body["data"].as_array().unwrap().iter().map(|record| record["id"].clone()));
    }
    assert_eq!(json!(found), json!(ids));
    let two = client.get(&format!("/crm/v8/Contacts?fields=Moodle_User_Key&ids={},{},77", ids[3], ids[1])).await;
    let expected = json!([{ "id": ids[3], "Moodle_User_Key": "s:3" }, { "id": ids[1], "Moodle_User_Key": "s:1" }]);
    assert_eq!(two.body["data"], expected);
    assert_eq!(client.get("/crm/v8/Contacts?fields=Email&ids=77").await.status, 204);
    // According to Zoho's documentation, errors are lists when records are read, but not for deleted ones.
    assert_eq!(client.get("/crm/v8/Nope?fields=Email").await.body["data"][0]["code"], "INVALID_MODULE");
    assert_eq!(client.get("/crm/v8/Nope/deleted").await.body["code"], "INVALID_MODULE");
}
