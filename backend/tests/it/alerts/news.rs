//! What is news about an open alert is told, also after somebody acknowledged it, and to channels that are new.

use serde_json::{Value, json};

use super::{Receivers, begin, begin_alone, evaluations, open, quick};
use crate::{
    delivery::{item, until},
    support::{
        Api, Database, Server,
        events::{at, user},
        server::{SITE, run, run_json},
    },
    sync_api::{REFUSED, refuse_bad_users},
};

on_both_databases!(
    many_more_are_told_after_an_acknowledgement,
    another_cause_is_told_after_an_acknowledgement,
    an_acknowledgement_ends,
    a_channel_that_is_new_hears_what_is_open,
    nothing_is_wrong_only_after_a_look,
    what_a_resync_queues_is_not_old,
);

const CONSOLE: &[(&str, &str)] = &[("BACKEND_SYNC_ALERTS__CONSOLE_URL", "https://sync.example.org/")];

fn bad_user(id: i64) -> Value {
    let mut bad = user(id, &format!("bad{id}"));
    bad["lastname"] = json!(REFUSED);
    bad["email"] = json!(format!("bad{id}@example.org"));
    bad
}

async fn acknowledge(operator: &Api, alert: &Value) -> Value {
    let path = format!("/api/v1/alerts/{}/acknowledge", alert["id"]);
    operator.send(operator.request(reqwest::Method::POST, &path)).await.json()
}

async fn many_more_are_told_after_an_acknowledgement(database: Database) {
    let (receivers, zoho, server) = begin(&database, CONSOLE).await;
    refuse_bad_users(&zoho).await;
    server.site().apply(&[at(1, "user_created", bad_user(3))]).await;
    receivers.receive(&database, "failed", &["raised"]).await;
    let alert = open(&server).await.pop().unwrap();
    assert_eq!(alert["title"], "1 person is not in Zoho: Zoho does not accept a value", "{alert}");
    assert_eq!(alert["link"], "/records/user:moodle:3", "{alert}");
    let known = acknowledge(&server.reader(), &alert).await;
    assert_eq!(known["acknowledged_by"], "first", "{known}");
    let events: Vec<Value> = (4..=11).map(|id| at(id, "user_created", bad_user(id))).collect();
    server.site().apply(&events).await;
    until("nine failed", async || {
        let failed = "SELECT count(*) FROM sync_items WHERE state = 'failed'";
        (database.count(failed).await == 9).then_some(())
    })
    .await;
    receivers.receive(&database, "failed", &["raised"]).await;
    server.site().apply(&[at(12, "user_created", bad_user(12))]).await;
    receivers.receive(&database, "failed", &["raised", "worsened"]).await;
    let group = "/attention?destination=zoho&state=failed&kind=user&code=INVALID_DATA";
    let mail = receivers.smtp.mails().pop().unwrap();
    assert_eq!(mail.header("Subject"), "Worse: 10 people are not in Zoho: Zoho does not accept a value");
    assert!(mail.text.contains(&format!("Look and act: https://sync.example.org{group}\n")), "{}", mail.text);
    let acknowledging = format!("Acknowledge: https://sync.example.org/alerts/{}\n", alert["id"]);
    assert!(mail.text.contains(&acknowledging), "{}", mail.text);
    let posted = receivers.webhook.posted().pop().unwrap().json();
    assert_eq!(posted["link"], format!("https://sync.example.org{group}"), "{posted}");
    let alert = open(&server).await.pop().unwrap();
    assert_eq!((&alert["acknowledged_by"], &alert["link"]), (&Value::Null, &json!(group)), "it was for one: {alert}");
    server.stop().await;
}

async fn another_cause_is_told_after_an_acknowledgement(database: Database) {
    let (receivers, zoho, server) = begin(&database, CONSOLE).await;
    refuse_bad_users(&zoho).await;
    server.site().apply(&[at(1, "user_created", bad_user(3)), at(2, "user_created", user(4, "ben"))]).await;
    receivers.receive(&database, "failed", &["raised"]).await;
    until("ben is delivered", async || (item(&database, "user", 4).await.0 == "synced").then_some(())).await;
    let alert = open(&server).await.pop().unwrap();
    acknowledge(&server.reader(), &alert).await;
    // Somebody else with Ben's address.
    let mut twin = user(5, "ben2");
    twin["email"] = user(4, "ben")["email"].clone();
    server.site().apply(&[at(3, "user_created", twin)]).await;
    receivers.receive(&database, "failed", &["raised", "worsened"]).await;
    let posted = receivers.webhook.posted().pop().unwrap().json();
    assert_eq!(
        posted["title"], "Worse: 1 person is not in Zoho: somebody else has the same e-mail address",
        "{posted}"
    );
    assert_eq!(posted["link"], "https://sync.example.org/records/user:moodle:5", "{posted}");
    let message = posted["message"].as_str().unwrap();
    assert!(message.contains("What to do: Decide whether they are the same person."), "{message}");
    let alert = open(&server).await.pop().unwrap();
    assert_eq!(alert["title"], "2 records are not in Zoho, for 2 reasons", "{alert}");
    server.stop().await;
}

async fn an_acknowledgement_ends(database: Database) {
    let (receivers, server) = begin_alone(&database).await;
    run_json(&database, &["site", "rotate-token", SITE, "--expires", "1", "--json"]);
    receivers.receive(&database, "token_expiring", &["raised"]).await;
    let alert = open(&server).await.pop().unwrap();
    let (id, operator) = (alert["id"].to_string(), server.reader());
    let path = |days: &str| format!("/api/v1/alerts/{id}/acknowledge?days={days}");
    for days in ["0", "91", "x"] {
        operator.send(operator.request(reqwest::Method::POST, &path(days))).await.problem(400, "invalid_parameter");
    }
    let known = operator.send(operator.request(reqwest::Method::POST, &path("2"))).await.json();
    let days = |known: &Value| {
        let at = |name: &str| backend_sync::clock::Timestamp::from_rfc3339(known[name].as_str().unwrap()).unwrap();
        at("acknowledged_until").since(at("acknowledged_at")).as_secs() / 86_400
    };
    assert_eq!(days(&known), 2, "{known}");
    // By default a week, which is longer. It says for what and for how long.
    let said = run(&database, &["alerts", "acknowledge", &id, "--by", "ben"]);
    let said = String::from_utf8(said.stdout).unwrap();
    let known = open(&server).await.pop().unwrap();
    assert_eq!((days(&known), &known["acknowledged_by"]), (7, &json!("first")), "{known}");
    for words in [known["title"].as_str().unwrap(), known["acknowledged_until"].as_str().unwrap(), "Another cause"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    database.execute("UPDATE alerts SET remind_at = 0").await;
    receivers.receive(&database, "token_expiring", &["raised"]).await;
    database.execute("UPDATE alerts SET acknowledged_until = 1").await;
    receivers.receive(&database, "token_expiring", &["raised", "reminder"]).await;
    assert_eq!(open(&server).await[0]["acknowledged_by"], Value::Null);
    server.stop().await;
}

async fn a_channel_that_is_new_hears_what_is_open(database: Database) {
    let receivers = Receivers::start();
    let (mut settings, all) = (quick(), receivers.settings());
    settings.extend(all.iter().filter(|(name, _)| name.contains("WEBHOOKS")).cloned());
    let server = Server::start_with(&database, &settings).await;
    run_json(&database, &["site", "rotate-token", SITE, "--expires", "1", "--json"]);
    until("the webhook hears", async || (receivers.posted("token_expiring") == ["raised"]).then_some(())).await;
    server.stop().await;
    let server = Server::start_with(&database, &all).await;
    receivers.receive(&database, "token_expiring", &["raised"]).await;
    // A channel that never heard of it need not know that it is over.
    server.stop().await;
    let server = Server::start_with(&database, &settings).await;
    database.execute("DELETE FROM alert_notices WHERE channel = 'admins'").await;
    server.stop().await;
    database.execute("UPDATE tokens SET revoked_at = 1 WHERE expires_at IS NOT NULL").await;
    let server = Server::start_with(&database, &all).await;
    until("it is over", async || (receivers.posted("token_expiring") == ["raised", "resolved"]).then_some(())).await;
    evaluations(&database, 2).await;
    assert_eq!(receivers.mailed("token_expiring"), ["raised"]);
    server.stop().await;
}

/// As if a server began and another process had the turn.
pub(crate) async fn never_looked(database: &Database) {
    Server::start(database).await.stop().await;
    let lease = super::now() + 120_000;
    let sql =
        format!("UPDATE alert_turns SET holder = 'other', lease_until = {lease}, due_at = 0, evaluated_at = NULL");
    database.execute(&sql).await;
}

async fn nothing_is_wrong_only_after_a_look(database: Database) {
    never_looked(&database).await;
    let server = Server::start_with(&database, &quick()).await;
    let operator = server.reader();
    let said = || String::from_utf8(run(&database, &["alerts", "list"]).stdout).unwrap();
    assert!(said().starts_with("Whether anything is wrong is not known yet"), "{}", said());
    let before = operator.read("/api/v1/alerts").await;
    assert_eq!((&before["items"], &before["evaluated_at"]), (&json!([]), &Value::Null), "{before}");
    database.execute("UPDATE alert_turns SET lease_until = NULL").await;
    evaluations(&database, 1).await;
    assert!(
        said().starts_with("Nothing is wrong: no alert is open. The rules were last evaluated at 20"),
        "{}",
        said()
    );
    assert!(operator.read("/api/v1/alerts").await["evaluated_at"].is_string());
    server.stop().await;
    database.execute("UPDATE alert_turns SET evaluated_at = evaluated_at - 7200000").await;
    assert!(said().contains("does the server run?") && !said().contains("Nothing is wrong"), "{}", said());
}

async fn what_a_resync_queues_is_not_old(database: Database) {
    let (receivers, zoho, server) = begin(&database, &[]).await;
    refuse_bad_users(&zoho).await;
    server.site().apply(&[at(1, "user_created", bad_user(3)), at(2, "user_created", user(4, "ben"))]).await;
    until("one fails", async || (item(&database, "user", 3).await.0 == "failed").then_some(())).await;
    until("one is there", async || (item(&database, "user", 4).await.0 == "synced").then_some(())).await;
    database
        .execute("UPDATE sync_items SET changed_at = changed_at - 86400000, queued_at = queued_at - 86400000")
        .await;
    zoho.add_faults(json!([{"match": {"every": 1}, "fault": "internal_error"}])).await;
    let resync = async || {
        let done = run(&database, &["sync", "resync", "--yes", "--no-wait"]);
        assert!(done.status.success(), "{done:?}");
    };
    resync().await;
    let waiting = "SELECT count(*) FROM sync_items WHERE state IN ('pending', 'in_flight')";
    assert_eq!(database.count(waiting).await, 2);
    evaluations(&database, 3).await;
    assert_eq!(receivers.posted("oldest_change").len(), 0, "they were queued a moment ago");
    // Asking again does not make younger what has waited for long.
    database.execute("UPDATE sync_items SET queued_at = queued_at - 660000").await;
    resync().await;
    receivers.receive(&database, "oldest_change", &["raised"]).await;
    server.stop().await;
}
