//! Bulk read.

use std::io::{Cursor, Read};

use poem::{Endpoint, IntoResponse, Request, http::header};
use serde_json::{Value, json};

use super::{Client, Seen, people};
use crate::rules::Rule;

const READ: &str = "/crm/bulk/v8/read";

/// Meets a rule about bulk read.
pub(super) async fn meet(rule: Rule, client: &Client) {
    client.upsert(people(2)).await;
    client.set(json!({ "bulk_rows": 1 })).await;
    let criterion = |field: &str, comparator: &str| json!({ "field": { "api_name": field }, "comparator": comparator, "value": "a" });
    let filtered = |group: Value| json!({ "criteria": { "group_operator": "or", "group": group } });
    let started = client.start(match rule {
        Rule::BulkBody => json!({ "page": "1" }),
        Rule::BulkPages => json!({ "page": 0 }),
        Rule::BulkModule => json!({ "module": { "api_name": "Nothing" } }),
        Rule::BulkFields => json!({ "fields": ["Nothing"] }),
        Rule::BulkCriteria => filtered(vec![criterion("Title", "equal"); 26].into()),
        Rule::BulkCriteriaFields => filtered(json!([criterion("Nothing", "equal")])),
        Rule::BulkComparators => filtered(json!([criterion("Title", "like")])),
        _ => json!({}),
    });
    let started = started.await;
    match rule {
        Rule::BulkJobExists => drop(client.get(&format!("{READ}/1")).await),
        Rule::BulkJobCompleted => drop(client.get(&format!("{READ}/{}/result", started.id(0))).await),
        Rule::BulkDownloads => {
            client.completed(&started.id(0)).await;
            for _ in 0..11 {
                client.get(&format!("{READ}/{}/result", started.id(0))).await;
            }
        }
        _ => {}
    }
}

impl Client {
    /// Starts a job that reads contacts, if the query names no other module.
    async fn start(&self, query: Value) -> Seen {
        let mut query = query;
        if query["module"].is_null() {
            query["module"] = json!({ "api_name": "Contacts" });
        }
        self.post(READ, json!({ "query": query })).await
    }

    /// Asks until the job is completed.
    async fn completed(&self, id: &str) -> (Vec<String>, Value) {
        let mut states = Vec::new();
        loop {
            let seen = self.get(&format!("{READ}/{id}")).await.body["data"][0].clone();
            states.push(seen["state"].as_str().expect("a state").to_owned());
            if seen["state"] == "COMPLETED" {
                return (states, seen["result"].clone());
            }
        }
    }

    /// The text of the file in the zip.
    async fn file(&self, id: &str) -> String {
        let token = format!("Zoho-oauthtoken {}", self.token);
        let request = Request::builder().uri_str(format!("{READ}/{id}/result")).header(header::AUTHORIZATION, token);
        let response = self.simulator.endpoint().call(request.finish()).await.unwrap().into_response();
        assert_eq!(response.content_type(), Some("application/zip"));
        let bytes = response.into_body().into_vec().await.unwrap();
        let mut text = String::new();
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        zip.by_index(0).unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

#[tokio::test]
async fn a_job_goes_through_its_states_and_leaves_a_zipped_csv() {
    let client = Client::new().await;
    let account = client.post("/crm/v8/Accounts", json!({ "data": [{ "Account_Name": "College" }] })).await.id(0);
    let people = json!([
        { "Last_Name": "Ada, \"A\"", "Moodle_User_Key": "s:1", "Account_Name": { "id": account } },
        { "Last_Name": "Bo" },
    ]);
    let ids = client.insert(people).await;
    let job = client.start(json!({ "fields": ["Last_Name", "Account_Name", "Email_Opt_Out"] })).await;
    assert_eq!((job.status, &job.body["data"][0]["details"]["state"]), (201, &json!("ADDED")));
    let log = client.log().await;
    assert_eq!((&log.last().unwrap()["credits"], &log.last().unwrap()["operation"]), (&json!(50), &json!("bulk")));
    let early = client.get(&format!("{READ}/{}/result", job.id(0))).await;
    assert_eq!((early.status, early.code(0)), (404, "RESOURCE_NOT_FOUND"));

    let (states, result) = client.completed(&job.id(0)).await;
    assert_eq!(states, ["QUEUED", "IN PROGRESS", "COMPLETED"]);
    assert_eq!((&result["count"], &result["more_records"]), (&json!(2), &json!(false)));
    assert_eq!(result["download_url"], format!("{READ}/{}/result", job.id(0)));
    let expected = format!(
        "Id,Last_Name,Account_Name,Email_Opt_Out\n{},\"Ada, \"\"A\"\"\",{account},false\n{},Bo,,false\n",
        ids.id(0),
        ids.id(1)
    );
    assert_eq!(client.file(&job.id(0)).await, expected);
}

#[tokio::test]
async fn jobs_have_pages_and_criteria() {
    let client = Client::new().await;
    client.upsert(people(12)).await;
    client.set(json!({ "bulk_rows": 10 })).await;
    for (page, count, more) in [(1, 10, true), (2, 2, false), (3, 0, false)] {
        let job = client.start(json!({ "fields": ["Last_Name"], "page": page })).await.id(0);
        let (_, result) = client.completed(&job).await;
        assert_eq!((&result["count"], &result["more_records"]), (&json!(count), &json!(more)));
    }
    let one = |value: &str, comparator: &str| json!({ "field": { "api_name": "Last_Name" }, "comparator": comparator, "value": value });
    let both = json!({ "group_operator": "and", "group": [one("P1", "starts_with"), one("P1", "not_equal")] });
    for (criteria, names) in [(one("p7", "equal"), "P7\n"), (both, "P10\nP11\n")] {
        let job = client.start(json!({ "fields": ["Last_Name"], "criteria": criteria })).await.id(0);
        client.completed(&job).await;
        let lines = client.file(&job).await;
        let found: String =
            lines.lines().skip(1).map(|line| format!("{}\n", line.split(',').nth(1).unwrap())).collect();
        assert_eq!(found, names);
    }
}

#[tokio::test]
async fn results_are_kept_for_a_day_and_downloaded_ten_times_a_minute() {
    let mut client = Client::new().await;
    let job = client.start(json!({})).await.id(0);
    client.completed(&job).await;
    for _ in 0..10 {
        client.file(&job).await;
    }
    assert_eq!(client.get(&format!("{READ}/{job}/result")).await.status, 429);
    client.advance(61).await;
    client.file(&job).await;
    client.advance(86_400).await;
    client.token = client.new_token().await.unwrap();
    assert_eq!(client.get(&format!("{READ}/{job}")).await.code(0), "RESOURCE_NOT_FOUND");
}
