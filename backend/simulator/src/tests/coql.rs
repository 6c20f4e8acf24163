//! COQL.

use serde_json::{Value, json};

use super::{Client, people};

fn values<'a>(body: &'a Value, field: &str) -> Vec<&'a str> {
    body["data"].as_array().map_or_else(Vec::new, |rows| rows.iter().filter_map(|row| row[field].as_str()).collect())
}

#[tokio::test]
async fn finds_what_it_saw_in_time() {
    let client = Client::new().await;
    client.insert(json!([{ "Last_Name": "O'Brien", "Email": "O'Brien@b.org" }])).await;
    let query = "select Last_Name, Email from Contacts where Email in ('o''brien@B.org', 'c@d.org')";
    assert_eq!(client.query(query).await.status, 204, "it lags behind writes");
    client.advance(11).await;
    let seen = client.query(query).await;
    assert_eq!((seen.status, values(&seen.body, "Last_Name")), (200, vec!["O'Brien"]));
    assert!(seen.body["data"][0]["id"].is_string());
    assert_eq!(seen.body["info"], json!({ "count": 1, "more_records": false }));
}

#[tokio::test]
async fn pages_by_id() {
    let client = Client::new().await;
    client.insert(people(5)).await;
    client.advance(11).await;
    let mut last = "0".to_owned();
    let mut found = Vec::new();
    loop {
        let query = format!("select Last_Name from Contacts where id > {last} order by id asc limit 2");
        let seen = client.query(&query).await;
        found.extend(values(&seen.body, "Last_Name").into_iter().map(str::to_owned));
        last = values(&seen.body, "id").last().expect("a row").to_string();
        if seen.body["info"]["more_records"] != true {
            break;
        }
    }
    assert_eq!(found, ["P0", "P1", "P2", "P3", "P4"]);
}

#[tokio::test]
async fn compares_by_type_and_shows_lookups_as_ids() {
    let client = Client::new().await;
    let account =
        client.post("/crm/v8/Accounts", json!({ "data": [{ "Account_Name": "A", "Employees": 9 }] })).await.id(0);
    let person = json!({ "Last_Name": "Ada", "Account_Name": { "id": account } });
    client.insert(json!([person, { "Last_Name": "Eve" }])).await;
    client.advance(11).await;
    let rows = async |query: &str| client.query(query).await.body["data"].clone();
    assert_eq!(rows("select id from Accounts where Employees < 10").await.as_array().map(Vec::len), Some(1));
    assert!(rows("select id from Accounts where Employees > 10").await.is_null());
    let with_account = rows("select Account_Name from Contacts where Account_Name is not null").await;
    assert_eq!(with_account[0]["Account_Name"], json!({ "id": account }));
    assert_eq!(rows("select Last_Name from Contacts where Last_Name like 'E%'").await[0]["Last_Name"], "Eve");
    let old = "select id from Contacts where Modified_Time < '2001-01-01T00:00:00+00:00'";
    assert!(rows(old).await.is_null());
}

#[tokio::test]
async fn a_page_beyond_all_numbers_is_refused() {
    let client = Client::new().await;
    let query = format!("select id from Contacts where id > 0 limit {}, 1", usize::MAX);
    assert_eq!(client.query(&query).await.code(0), "LIMIT_EXCEEDED");
}

#[tokio::test]
async fn costs_more_for_more_rows() {
    let client = Client::new().await;
    client.set(json!({ "coql_rows": 2_000 })).await;
    for (rows, credits) in [(200, 1), (201, 2), (1_000, 2), (1_001, 3)] {
        client.query(&format!("select id from Contacts where id > 0 limit {rows}")).await;
        assert_eq!(client.log().await.last().expect("a call")["credits"], credits, "{rows} rows");
    }
}

#[tokio::test]
async fn needs_the_scope_of_the_query_and_of_the_module() {
    let client = Client::new().await;
    let query = "select id from Contacts where id > 0";
    for (scopes, status) in [
        (json!(["ZohoCRM.coql.READ"]), 401),
        (json!(["ZohoCRM.modules.ALL"]), 401),
        (json!(["ZohoCRM.coql.READ", "ZohoCRM.modules.leads.READ"]), 401),
        (json!(["ZohoCRM.coql.READ", "ZohoCRM.modules.contacts.READ"]), 204),
    ] {
        client.set(json!({ "scopes": scopes })).await;
        assert_eq!(client.query(query).await.status, status, "{scopes}");
    }
}

#[tokio::test]
async fn records_are_counted() {
    let client = Client::new().await;
    client.insert(people(3)).await;
    let count = async |condition: &str| {
        let seen = client.query(&format!("select COUNT(id) from Contacts where {condition}")).await;
        seen.body["data"][0]["COUNT(id)"].clone()
    };
    assert_eq!(count("id is not null").await, 0, "it lags behind writes");
    client.advance(11).await;
    assert_eq!((count("id is not null").await, count("Last_Name = 'P1'").await), (json!(3), json!(1)));
    assert_eq!(
        client.query("select COUNT(Last_Name) from Contacts where id is not null").await.code(0),
        "SYNTAX_ERROR"
    );
}
