//! Alerts about sites, tokens and the machine.

use super::{Receivers, begin_alone, evaluations, now, open};
use crate::support::{
    Database, Server,
    events::{at, user},
    server::{SITE, run, run_json},
    wait::until,
};

on_both_databases!(
    a_site_that_is_silent,
    a_site_whose_events_are_rejected,
    an_expiring_token,
    an_expired_token_is_refused,
    a_disk_that_fills,
);

const WEEK_MINUTES: i64 = 7 * 24 * 60;

/// Counts events of the first site, this many minutes ago.
pub(super) async fn count(database: &Database, minutes_ago: i64, name: &str, count: i64) {
    let minute = now() / 60_000 - minutes_ago;
    let row = format!("({minute}, 'site:{SITE}', '{name}', {count})");
    database.execute(&format!("INSERT INTO activity (minute, subject, name, count) VALUES {row}")).await;
}

async fn a_site_that_is_silent(database: Database) {
    let (receivers, server) = begin_alone(&database).await;
    for week in 1..=3 {
        count(&database, week * WEEK_MINUTES + 70, "applied", 50).await;
    }
    evaluations(&database, 2).await;
    assert_eq!(open(&server).await.len(), 0, "three weeks are too short for a rhythm");
    count(&database, 4 * WEEK_MINUTES + 70, "applied", 50).await;
    receivers.receive(&database, "site_silent", &["raised"]).await;
    assert_eq!(open(&server).await[0]["subject"], format!("site:{SITE}"));
    // The alert stays open although the site's history expires.
    database.execute(&format!("DELETE FROM activity WHERE minute < {}", now() / 60_000 - 2 * WEEK_MINUTES)).await;
    evaluations(&database, 4).await;
    receivers.receive(&database, "site_silent", &["raised"]).await;
    count(&database, 0, "unchanged", 1).await;
    receivers.receive(&database, "site_silent", &["raised", "resolved"]).await;
    server.stop().await;
}

async fn a_site_whose_events_are_rejected(database: Database) {
    let (receivers, server) = begin_alone(&database).await;
    count(&database, 1, "applied", 500).await;
    count(&database, 2, "rejected", 5).await;
    evaluations(&database, 2).await;
    assert_eq!(open(&server).await.len(), 0, "five of five hundred");
    count(&database, 1, "rejected", 6).await;
    receivers.receive(&database, "ingest_rejecting", &["raised"]).await;
    assert!(receivers.everything().contains("11 of 511 events"), "{}", receivers.everything());
    // Ten minutes later.
    database.execute("UPDATE activity SET minute = minute - 11").await;
    receivers.receive(&database, "ingest_rejecting", &["raised", "resolved"]).await;
    server.stop().await;
}

async fn an_expiring_token(database: Database) {
    let (receivers, server) = begin_alone(&database).await;
    run_json(&database, &["site", "rotate-token", SITE, "--expires", "1", "--json"]);
    run_json(&database, &["token", "add", "in a month", "--scope", "read", "--expires", "30", "--json"]);
    receivers.receive(&database, "token_expiring", &["raised"]).await;
    let alert = open(&server).await.pop().unwrap();
    assert_eq!(alert["code"], "token_ends", "{alert}");
    assert!(alert["message"].as_str().unwrap().contains("site rotate-token moodle"), "{alert}");
    let sites = run_json(&database, &["site", "list", "--json"]);
    let ending = sites[0]["tokens"].as_array().unwrap().iter().find(|token| !token["expires_at"].is_null()).unwrap();
    assert_eq!(alert["subject"], format!("token:{}", ending["id"]));
    assert!(run(&database, &["site", "revoke-token", SITE, &ending["id"].to_string()]).status.success());
    receivers.receive(&database, "token_expiring", &["raised", "resolved"]).await;
    server.stop().await;
}

async fn an_expired_token_is_refused(database: Database) {
    let server = Server::start(&database).await;
    let site = run_json(&database, &["site", "rotate-token", SITE, "--expires", "1", "--json"]);
    let api = run_json(&database, &["token", "add", "brief", "--scope", "operate", "--expires", "1", "--json"]);
    let sender = server.site_with(site["token"].as_str().unwrap());
    let operator = server.reader_with(api["token"].as_str().unwrap());
    let mut sequence = 1..;
    let mut send = async || {
        let sequence = sequence.next().unwrap();
        sender.apart().post_batch(&[at(sequence, "user_created", user(3, "ann"))]).await
    };
    // A slow machine needs more time to use them before they expire.
    let mut used = false;
    for seconds in [3, 30, 120] {
        let end = now() + seconds * 1_000;
        database.execute(&format!("UPDATE tokens SET expires_at = {end} WHERE expires_at IS NOT NULL")).await;
        used = operator.get("/api/v1/alerts").await.status == 200 && send().await.status == 200;
        if used {
            break;
        }
    }
    assert!(used, "they were refused before they expired");
    // The site is cached, and still refused; the server's clock decides when, not the test's.
    let refused =
        until("the site token expires", async || Some(send().await).filter(|answer| answer.status != 200)).await;
    refused.problem(401, "unauthorized");
    let refused = async || Some(operator.get("/api/v1/alerts").await).filter(|answer| answer.status != 200);
    until("the API token expires", refused).await.problem(401, "unauthorized");
    server.site().apply(&[at(1, "user_created", user(5, "cy"))]).await;
    let listed = String::from_utf8(run(&database, &["token", "list"]).stdout).unwrap();
    assert!(listed.contains("brief") && listed.contains("  expired 20"), "{listed}");
    server.stop().await;
}

async fn a_disk_that_fills(database: Database) {
    let receivers = Receivers::start();
    let mut settings = receivers.settings();
    settings.push(("BACKEND_SYNC_ALERTS__RULES__DISK_FREE_PERCENT", "100".to_owned()));
    let server = Server::start_with(&database, &settings).await;
    if database.is_postgres() {
        evaluations(&database, 2).await;
        assert_eq!(open(&server).await.len(), 0, "the database is on another machine");
        server.stop().await;
        return;
    }
    receivers.receive(&database, "disk", &["raised"]).await;
    server.stop().await;
    // Lowering the threshold has the same effect as more free space.
    let server = Server::start_with(&database, &receivers.settings()).await;
    receivers.receive(&database, "disk", &["raised", "resolved"]).await;
    server.stop().await;
}
