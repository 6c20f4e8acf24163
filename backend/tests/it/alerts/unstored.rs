//! A database that accepts no events still raises an alert; a rule that cannot be evaluated stops no other rule.

use serde_json::{Value, json};

use super::{Receivers, begin_alone, begin_with, evaluations, open, strings};
use crate::{
    alerts::sites::count,
    delivery::until,
    support::{
        Database, Server,
        browser::Browser,
        events::user_event,
        server::{SITE, run_json},
    },
};

on_both_databases!(
    a_database_that_accepts_no_events,
    a_database_that_recovers_in_time,
    a_rule_that_cannot_be_judged,
    alerts_that_cannot_be_stored,
    an_answered_event_that_is_missing,
);

/// A metric's value, as Prometheus reads it.
async fn metric(server: &Server, name: &str) -> String {
    let text = server.reader().get("/metrics").await.text;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
}

/// Waits for this many more failed writes.
async fn trials(server: &Server, more: usize) {
    let count = || server.log().matches("accepts no events").count();
    let before = count();
    until("a failed write", async || (count() >= before + more).then_some(())).await;
}

impl Receivers {
    /// Waits until both received exactly these events of a rule.
    async fn hear(&self, rule: &str, events: &[&str]) {
        until(&format!("{rule} {events:?}"), async || {
            (self.posted(rule).len() >= events.len() && self.mailed(rule).len() >= events.len()).then_some(())
        })
        .await;
        assert_eq!((self.posted(rule), self.mailed(rule)), (strings(events), strings(events)), "{rule}");
    }

    /// The webhook's last notification about a rule.
    fn last(&self, rule: &str) -> Value {
        let posted = self.webhook.posted().into_iter().rev().map(|posted| posted.json());
        posted.into_iter().find(|body| body["alert"]["rule"] == rule).unwrap()
    }
}

async fn a_database_that_accepts_no_events(database: Database) {
    let (receivers, server) = begin_with(&database, &[("BACKEND_SYNC_ALERTS__RULES__DATABASE_SECONDS", "1")]).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    evaluations(&database, 1).await;
    assert_eq!(metric(&server, "backend_sync_database_up").await, "1");
    // PostgreSQL becomes read-only, and SQLite's lock is held by another process.
    let lock = match database.is_postgres() {
        true => {
            database.set_read_only(true).await;
            None
        }
        false => Some(database.hold_writers_lock().await),
    };
    let (code, cause, advice) = match database.is_postgres() {
        true => ("database_read_only", "it is read-only", "default_transaction_read_only"),
        false => ("database_locked", "something else holds a lock on it", "another program"),
    };
    receivers.hear("database", &["raised"]).await;
    let notification = receivers.last("database");
    assert_eq!(
        (&notification["alert"]["code"], &notification["severity"]),
        (&json!(code), &json!("critical")),
        "{notification}"
    );
    let message = notification["message"].as_str().unwrap();
    for words in [cause, advice, "Seen by process ", " on host "] {
        assert!(message.contains(words), "{words}: {message}");
    }
    // The API of this process shows it too.
    let alert = open(&server).await.pop().unwrap();
    assert_eq!(
        (&alert["rule"], &alert["id"], &alert["code"]),
        (&json!("database"), &json!(0), &json!(code)),
        "{alert}"
    );
    assert_eq!(metric(&server, "backend_sync_database_up").await, "0");
    let firing = "backend_sync_alerts_firing{rule=\"database\"}";
    until("the metrics show it too", async || (metric(&server, firing).await == "1").then_some(())).await;
    for path in ["/", "/alerts"] {
        let page = browser.get(path).await;
        assert!(page.status == 200 && page.html.contains(cause), "{path}: {}", page.html);
    }
    trials(&server, 2).await;
    receivers.hear("database", &["raised"]).await;

    match lock {
        Some(lock) => lock.rollback().await.unwrap(),
        None => database.set_read_only(false).await,
    }
    receivers.hear("database", &["raised", "resolved"]).await;
    let reference = "SELECT reference FROM alerts WHERE rule = 'database' AND raised_at < resolved_at";
    let stored = async || {
        let stored = database.texts(reference).await;
        (!stored.is_empty()).then_some(stored)
    };
    assert_eq!(until("it is in the history", stored).await.len(), 1);
    evaluations(&database, 2).await;
    receivers.hear("database", &["raised", "resolved"]).await;
    assert_eq!(open(&server).await.len(), 0);
    assert_eq!(metric(&server, "backend_sync_database_up").await, "1");
    let all = server.reader().list("/api/v1/alerts?state=all").await;
    assert_eq!((all.len(), &all[0]["code"]), (1, &json!(code)), "{all:?}");
    server.stop().await;
}

async fn a_database_that_recovers_in_time(database: Database) {
    let (receivers, server) = begin_with(&database, &[("BACKEND_SYNC_ALERTS__RULES__DATABASE_SECONDS", "3600")]).await;
    let lock = database.hold_writers_lock().await;
    trials(&server, 2).await;
    assert_eq!(open(&server).await.len(), 0);
    assert_eq!(metric(&server, "backend_sync_database_up").await, "0", "it is known at once");
    lock.rollback().await.unwrap();
    evaluations(&database, 2).await;
    assert_eq!(receivers.posted("database"), strings(&[]), "the hour has not passed");
    server.stop().await;
}

/// As after a restore, or a promotion of a standby that lagged.
async fn an_answered_event_that_is_missing(database: Database) {
    let (receivers, server) = begin_alone(&database).await;
    server.site().apply(&[user_event(1, "a")]).await;
    database.execute("DELETE FROM events").await;
    receivers.hear("database", &["raised"]).await;
    let notification = receivers.last("database");
    assert_eq!(notification["alert"]["code"], json!("acknowledged_event_lost"), "{notification}");
    assert!(notification["message"].as_str().unwrap().contains("Synchronise everything"), "{notification}");
    server.stop().await;
}

async fn a_rule_that_cannot_be_judged(database: Database) {
    let (receivers, server) = begin_alone(&database).await;
    count(&database, 1, "rejected", 11).await;
    receivers.hear("ingest_rejecting", &["raised"]).await;
    database.execute("ALTER TABLE activity RENAME TO away").await;
    // These rules can no longer be evaluated; the others can.
    run_json(&database, &["site", "rotate-token", SITE, "--expires", "1", "--json"]);
    receivers.hear("token_expiring", &["raised"]).await;
    receivers.hear("look_failed", &["raised", "raised"]).await;
    let mut subjects: Vec<Value> = open(&server).await.into_iter().map(|mut alert| alert["subject"].take()).collect();
    subjects.sort_by_key(Value::to_string);
    assert_eq!(subjects[..2], [json!("rule:ingest_rejecting"), json!("rule:site_silent")], "{subjects:?}");
    let message = receivers.last("look_failed")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("a table or the database itself is missing"), "{message}");
    evaluations(&database, 3).await;
    receivers.hear("ingest_rejecting", &["raised"]).await;
    receivers.hear("look_failed", &["raised", "raised"]).await;
    database.execute("ALTER TABLE away RENAME TO activity").await;
    receivers.hear("look_failed", &["raised", "raised", "resolved", "resolved"]).await;
    receivers.hear("ingest_rejecting", &["raised"]).await;
    database.execute("DELETE FROM activity").await;
    receivers.hear("ingest_rejecting", &["raised", "resolved"]).await;
    server.stop().await;
}

async fn alerts_that_cannot_be_stored(database: Database) {
    let (receivers, server) = begin_alone(&database).await;
    evaluations(&database, 1).await;
    database.execute("ALTER TABLE alert_turns RENAME TO away").await;
    receivers.hear("look_failed", &["raised"]).await;
    let notification = receivers.last("look_failed");
    assert_eq!(
        (&notification["alert"]["subject"], &notification["alert"]["id"]),
        (&json!("alerts"), &Value::Null),
        "{notification}"
    );
    assert_eq!(metric(&server, "backend_sync_database_up").await, "1", "it accepts events");
    database.execute("ALTER TABLE away RENAME TO alert_turns").await;
    receivers.hear("look_failed", &["raised", "resolved"]).await;
    evaluations(&database, 2).await;
    receivers.hear("look_failed", &["raised", "resolved"]).await;
    assert_eq!(open(&server).await.len(), 0);
    server.stop().await;
}
