//! Channels that fail, hang or die, and several processes: every notification is sent exactly once.

use std::collections::HashSet;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Receivers, SECRET, begin_alone, evaluations, open, quick};
use crate::{
    delivery::until,
    support::{
        Database, Server,
        server::{SITE, run_json},
        webhook::{Posted, Webhook},
    },
};

on_both_databases!(
    notifications_are_well_formed,
    a_failing_webhook_is_reported_by_mail,
    what_may_have_arrived_is_not_sent_again,
    a_program_recognises_a_repetition,
    two_processes_notify_once,
);

/// A problem that lasts until the token is revoked.
fn expire_a_token_soon(database: &Database) {
    run_json(database, &["site", "rotate-token", SITE, "--expires", "1", "--json"]);
}

async fn repair(database: &Database) {
    database.execute("UPDATE tokens SET revoked_at = 1 WHERE expires_at IS NOT NULL").await;
}

async fn notifications_are_well_formed(database: Database) {
    let (receivers, server) = begin_alone(&database).await;
    expire_a_token_soon(&database);
    receivers.receive(&database, "token_expiring", &["raised"]).await;
    repair(&database).await;
    receivers.receive(&database, "token_expiring", &["raised", "resolved"]).await;

    let mails = receivers.smtp.mails();
    let ids: HashSet<&str> = mails.iter().map(|mail| mail.header("Message-ID")).collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert_eq!(mails[0].header("References"), mails[1].header("References"), "one mail for both");
    let subjects: Vec<&str> = mails.iter().map(|mail| mail.header("Subject")).collect();
    let finding = mails[0].header("Subject").strip_prefix("Alert: ").unwrap();
    assert!(finding.starts_with("Site token ") && finding.contains(" of moodle expires at 20"), "{finding}");
    assert_eq!(subjects, [format!("Alert: {finding}"), format!("Resolved: {finding}")]);
    // One recipient does not exist; the other one still gets the mail.
    assert_eq!((mails[0].from.as_str(), &mails[0].to[..]), ("sync@example.org", &["admin@example.org".to_owned()][..]));

    for posted in receivers.webhook.posted() {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(posted.text.as_bytes());
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        assert_eq!(posted.headers["X-Backend-Sync-Signature"], signature);
        assert_eq!(posted.headers["Idempotency-Key"], posted.json()["id"].as_str().unwrap());
    }
    server.stop().await;
}

async fn a_failing_webhook_is_reported_by_mail(database: Database) {
    let (receivers, server) = begin_alone(&database).await;
    receivers.webhook.answer(500);
    expire_a_token_soon(&database);
    until("it arrives by mail", async || (receivers.mailed("channel_failing") == ["raised"]).then_some(())).await;
    assert_eq!(receivers.mailed("token_expiring"), ["raised"]);
    let channels = server.reader().read("/api/v1/alerts/channels").await;
    let ops = &channels["items"][0];
    assert_eq!((&ops["name"], &ops["failing"]), (&json!("ops"), &json!(true)), "{channels}");
    assert_eq!(ops["error"], "the webhook answered 500");
    assert_eq!(channels["items"][1]["failing"], false, "{channels}");
    let rules: Vec<Value> = open(&server).await.into_iter().map(|alert| alert["rule"].clone()).collect();
    assert!(rules.contains(&json!("channel_failing")), "{rules:?}");
    // It works again: what it missed arrives late, and once.
    receivers.webhook.answer(200);
    let before = receivers.webhook.posted().len();
    database.execute("UPDATE alert_notices SET next_at = 0 WHERE state = 'pending'").await;
    until("it arrives by mail", async || (receivers.mailed("channel_failing") == ["raised", "resolved"]).then_some(()))
        .await;
    let taken: Vec<String> = receivers.webhook.posted().split_off(before).iter().map(summary).collect();
    assert_eq!(taken, ["token_expiring raised"], "the channel does not report itself");
    let alert = server.reader().read("/api/v1/alerts?state=all").await;
    let id = alert["items"].as_array().unwrap().iter().find(|alert| alert["rule"] == "token_expiring").unwrap()["id"]
        .clone();
    let notices = server.reader().read(&format!("/api/v1/alerts/{id}")).await["notices"].clone();
    assert!(notices[0]["attempts"].as_i64().unwrap() >= 4, "{notices}");
    assert!(notices.as_array().unwrap().iter().all(|notice| notice["state"] == "sent"), "{notices}");
    let log = server.log();
    assert!(!log.contains(&receivers.webhook.url("ops")) && !log.contains(SECRET), "{log}");
    server.stop().await;
}

fn summary(posted: &Posted) -> String {
    let body = posted.json();
    format!("{} {}", body["alert"]["rule"].as_str().unwrap(), body["event"].as_str().unwrap())
}

/// A server that dies while sending a notification of this format, and another one that continues.
async fn die_while_sending(database: &Database, format: &str) -> (Webhook, Server) {
    let webhook = Webhook::start();
    let mut settings = quick();
    settings.push(("BACKEND_SYNC_ALERTS__WEBHOOKS__OPS__URL", webhook.url("ops")));
    settings.push(("BACKEND_SYNC_ALERTS__WEBHOOKS__OPS__FORMAT", format.to_owned()));
    let server = Server::start_with(database, &settings).await;
    webhook.hang(true);
    expire_a_token_soon(database);
    until("it is being sent", async || (webhook.posted().len() == 1).then_some(())).await;
    server.kill();
    webhook.hang(false);
    let server = Server::start_with(database, &settings).await;
    evaluations(database, 2).await;
    assert_eq!(webhook.posted().len(), 1, "another process may still be sending it");
    // The dead server's lease expires.
    database.execute("UPDATE alert_notices SET lease_until = 0 WHERE state = 'sending'").await;
    (webhook, server)
}

async fn what_may_have_arrived_is_not_sent_again(database: Database) {
    let (webhook, server) = die_while_sending(&database, "slack").await;
    let unknown = "SELECT count(*) FROM alert_notices WHERE state = 'unknown'";
    until("it is given up", async || (database.count(unknown).await == 1).then_some(())).await;
    evaluations(&database, 2).await;
    assert_eq!(webhook.posted().len(), 1, "it is not sent again");
    let channels = server.reader().read("/api/v1/alerts/channels").await;
    assert!(channels["items"][0]["error"].as_str().unwrap().contains("died"), "{channels}");
    // It is soon raised again, as a new alert.
    let remind_in = "SELECT (remind_at - raised_at) / 1000 FROM alerts";
    assert!((600..700).contains(&database.count(remind_in).await), "{}", database.count(remind_in).await);
    database.execute("UPDATE alerts SET remind_at = 0").await;
    until("the reminder", async || (webhook.posted().len() == 2).then_some(())).await;
    let text = webhook.posted()[1].json()["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with(":warning: *Reminder: Site token "), "{text}");
    repair(&database).await;
    until("it is resolved", async || (webhook.posted().len() == 3).then_some(())).await;
    evaluations(&database, 2).await;
    assert_eq!(webhook.posted().len(), 3);
    server.stop().await;
}

async fn a_program_recognises_a_repetition(database: Database) {
    let (webhook, server) = die_while_sending(&database, "json").await;
    until("it is sent again", async || (webhook.posted().len() == 2).then_some(())).await;
    let posted = webhook.posted();
    assert_eq!(posted[0].text, posted[1].text, "the same notification");
    assert_eq!(posted[0].headers["Idempotency-Key"], posted[1].headers["Idempotency-Key"]);
    evaluations(&database, 2).await;
    assert_eq!(webhook.posted().len(), 2);
    server.stop().await;
}

async fn two_processes_notify_once(database: Database) {
    let receivers = Receivers::start();
    let first = Server::start_with(&database, &receivers.settings()).await;
    let second = Server::start_with(&database, &receivers.settings()).await;
    expire_a_token_soon(&database);
    receivers.receive(&database, "token_expiring", &["raised"]).await;
    evaluations(&database, 4).await;
    receivers.receive(&database, "token_expiring", &["raised"]).await;
    // The process that may have evaluated last dies; the other one goes on.
    first.kill();
    database.execute("UPDATE alert_turns SET lease_until = NULL").await;
    repair(&database).await;
    receivers.receive(&database, "token_expiring", &["raised", "resolved"]).await;
    second.stop().await;
}
