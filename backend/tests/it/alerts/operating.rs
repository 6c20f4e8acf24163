//! Operators: acknowledging alerts, testing channels, and who may do so.

use serde_json::json;

use super::{begin_alone, evaluations, open, quick};
use crate::{
    delivery::until,
    support::{
        Database, Server,
        server::{SITE, run, run_json, run_with},
    },
};

on_both_databases!(acknowledged_alerts_send_no_reminders, a_test_says_whether_it_arrived, only_operators_see_alerts);

async fn acknowledged_alerts_send_no_reminders(database: Database) {
    let (receivers, server) = begin_alone(&database).await;
    run_json(&database, &["site", "rotate-token", SITE, "--expires", "1", "--json"]);
    receivers.receive(&database, "token_expiring", &["raised"]).await;
    database.execute("UPDATE alerts SET remind_at = 0").await;
    receivers.receive(&database, "token_expiring", &["raised", "reminder"]).await;
    let operator = server.reader();
    let id = open(&server).await[0]["id"].clone();
    let path = format!("/api/v1/alerts/{id}/acknowledge");
    let known = operator.send(operator.request(reqwest::Method::POST, &path)).await.json();
    assert_eq!(known["acknowledged_by"], "first", "the name of the token: {known}");
    // The first acknowledgement stays.
    let again = run(&database, &["alerts", "acknowledge", &id.to_string(), "--by", "ben"]);
    assert!(again.status.success(), "{again:?}");
    assert_eq!(open(&server).await[0]["acknowledged_by"], "first");
    database.execute("UPDATE alerts SET remind_at = 0").await;
    evaluations(&database, 3).await;
    receivers.receive(&database, "token_expiring", &["raised", "reminder"]).await;
    database.execute("UPDATE tokens SET revoked_at = 1 WHERE expires_at IS NOT NULL").await;
    receivers.receive(&database, "token_expiring", &["raised", "reminder", "resolved"]).await;
    assert_eq!(open(&server).await.len(), 0);
    let all = operator.list("/api/v1/alerts?state=all&limit=1").await;
    assert_eq!((all.len(), &all[0]["acknowledged_by"]), (1, &json!("first")), "{all:?}");
    let listed = String::from_utf8(run(&database, &["alerts", "list"]).stdout).unwrap();
    assert!(listed.starts_with("Nothing is wrong: no alert is open."), "{listed}");
    assert_eq!(run(&database, &["alerts", "acknowledge", &id.to_string()]).status.code(), Some(1), "it is resolved");
    // Old alerts are deleted in time.
    database.execute("UPDATE alerts SET resolved_at = 1").await;
    server.stop().await;
    let server = Server::start_with(&database, &receivers.settings()).await;
    until("it is deleted", async || (database.count("SELECT count(*) FROM alerts").await == 0).then_some(())).await;
    assert_eq!(database.count("SELECT count(*) FROM alert_notices").await, 0);
    server.stop().await;
}

async fn a_test_says_whether_it_arrived(database: Database) {
    let (receivers, server) = begin_alone(&database).await;
    let operator = server.reader();
    let test = async |query: &str| {
        let request = operator.request(reqwest::Method::POST, &format!("/api/v1/alerts/test{query}"));
        operator.send(request).await
    };
    let well = json!({"items": [{"channel": "ops", "error": null}, {"channel": "admins", "error": null}]});
    assert_eq!(test("").await.json(), well);
    assert_eq!((receivers.webhook.posted().len(), receivers.smtp.mails().len()), (1, 1));
    assert_eq!(receivers.smtp.mails()[0].header("Subject"), "Test: Backend Sync can send notifications here");
    assert_eq!(receivers.webhook.posted()[0].json()["event"], "test");
    receivers.smtp.refuse(true);
    let refused = test("?channel=admins").await.json();
    assert_eq!(refused["items"][0]["error"], "the mail server answered 451", "{refused}");
    assert_eq!(receivers.webhook.posted().len(), 1, "only the requested channel");
    test("?channel=nobody").await.problem(400, "invalid_parameter");

    let settings = receivers.settings();
    let output = run_with(&database, &settings, &["alerts", "test"]);
    let (said, failed) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("ops (json): the notification was accepted") && failed.contains("admins (email): the mail"),
        "{said}{failed}"
    );
    receivers.smtp.refuse(false);
    let output = run_with(&database, &settings, &["alerts", "test", "--channel", "admins"]);
    assert!(output.status.success(), "{output:?}");
    let output = run_with(&database, &quick(), &["alerts", "test"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("no channel is configured"));
    evaluations(&database, 2).await;
    assert_eq!((receivers.webhook.posted().len(), receivers.smtp.mails().len()), (2, 2), "a test is not retried");
    server.stop().await;
}

async fn only_operators_see_alerts(database: Database) {
    let server = Server::start(&database).await;
    let token = run_json(&database, &["token", "add", "looker", "--scope", "read", "--json"]);
    let looker = server.reader_with(token["token"].as_str().unwrap());
    for path in ["/api/v1/alerts", "/api/v1/alerts/1", "/api/v1/alerts/channels"] {
        looker.get(path).await.problem(403, "forbidden");
        server.anonymous().get(path).await.problem(401, "unauthorized");
        server.site().get(path).await.problem(401, "unauthorized");
    }
    for path in ["/api/v1/alerts/test", "/api/v1/alerts/1/acknowledge"] {
        looker.send(looker.request(reqwest::Method::POST, path)).await.problem(403, "forbidden");
        let anybody = server.anonymous();
        anybody.send(anybody.request(reqwest::Method::POST, path)).await.problem(401, "unauthorized");
    }
    let operator = server.reader();
    operator.get("/api/v1/alerts/99").await.problem(404, "not_found");
    operator
        .send(operator.request(reqwest::Method::POST, "/api/v1/alerts/99/acknowledge"))
        .await
        .problem(404, "not_found");
    operator.get("/api/v1/alerts/first").await.problem(400, "invalid_parameter");
    operator.get("/api/v1/alerts?state=sad").await.problem(400, "invalid_parameter");
    operator.get("/api/v1/alerts?cursor=x").await.problem(400, "invalid_parameter");
    assert_eq!(operator.read("/api/v1/alerts/channels").await, json!({"items": []}));
    server.stop().await;
}
