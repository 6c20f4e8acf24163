//! Alerts: each is raised by its real cause, sent once by a real mail server and a real webhook, and resolved.

mod causes;
mod channels;
pub(crate) mod news;
mod operating;
mod sites;
mod unstored;

use serde_json::Value;

use crate::{
    delivery::until,
    support::{Database, Server, ZohoSimulator, smtp::SmtpServer, webhook::Webhook},
};

/// The receivers of notifications.
pub(crate) struct Receivers {
    smtp: SmtpServer,
    webhook: Webhook,
}

const SECRET: &str = "it stays between us";

pub(crate) type Setting = (&'static str, String);

impl Receivers {
    fn start() -> Self {
        Self { smtp: SmtpServer::start(), webhook: Webhook::start() }
    }

    /// The environment of a server that sends to the receivers and evaluates its rules every second.
    fn settings(&self) -> Vec<Setting> {
        let mut settings = quick();
        settings.extend([
            ("BACKEND_SYNC_ALERTS__WEBHOOKS__OPS__URL", self.webhook.url("ops")),
            ("BACKEND_SYNC_ALERTS__WEBHOOKS__OPS__SECRET", SECRET.to_owned()),
            ("BACKEND_SYNC_ALERTS__EMAIL__ADMINS__HOST", "127.0.0.1".to_owned()),
            ("BACKEND_SYNC_ALERTS__EMAIL__ADMINS__PORT", self.smtp.port.to_string()),
            ("BACKEND_SYNC_ALERTS__EMAIL__ADMINS__TLS", "none".to_owned()),
            ("BACKEND_SYNC_ALERTS__EMAIL__ADMINS__FROM", "Backend Sync <sync@example.org>".to_owned()),
            ("BACKEND_SYNC_ALERTS__EMAIL__ADMINS__TO", "admin@example.org, nobody@example.org".to_owned()),
        ]);
        settings
    }

    /// The webhook's notifications about a rule, in order.
    fn posted(&self, rule: &str) -> Vec<String> {
        let posted = self.webhook.posted().iter().map(super::support::webhook::Posted::json).collect::<Vec<_>>();
        let of_rule = posted.iter().filter(|body| body["alert"]["rule"] == rule);
        of_rule.map(|body| body["event"].as_str().unwrap().to_owned()).collect()
    }

    /// The mails about a rule, in order.
    fn mailed(&self, rule: &str) -> Vec<String> {
        let line = format!("\nRule: {rule}\n");
        let mails = self.smtp.mails().into_iter().filter(|mail| mail.text.contains(&line));
        let event = |subject: &str| match subject.split([':', ' ']).next() {
            Some("Alert") => "raised",
            Some("Worse") => "worsened",
            Some("Reminder") => "reminder",
            Some("Resolved") => "resolved",
            other => panic!("{other:?}"),
        };
        mails.map(|mail| event(mail.header("Subject")).to_owned()).collect()
    }

    /// Waits until both received these events of a rule; fails if either receives more during another evaluation.
    async fn receive(&self, database: &Database, rule: &str, events: &[&str]) {
        until(&format!("{rule} {events:?}"), async || {
            let received = [self.posted(rule), self.mailed(rule)];
            let (most, all) =
                (received.iter().map(Vec::len).max(), received.iter().all(|received| received.len() >= events.len()));
            assert!(most <= Some(events.len()), "{rule}: {received:?}");
            all.then_some(())
        })
        .await;
        evaluations(database, 2).await;
        assert_eq!((self.posted(rule), self.mailed(rule)), (strings(events), strings(events)), "{rule}");
    }

    /// Everything sent to the receivers.
    fn everything(&self) -> String {
        let mails = self.smtp.mails().into_iter().map(|mail| mail.text);
        mails.chain(self.webhook.posted().into_iter().map(|posted| posted.text)).collect()
    }
}

fn strings(events: &[&str]) -> Vec<String> {
    events.iter().map(|event| (*event).to_owned()).collect()
}

/// Evaluates every second.
pub(crate) fn quick() -> Vec<Setting> {
    [
        ("BACKEND_SYNC_ALERTS__INTERVAL_SECONDS", "1"),
        ("BACKEND_SYNC_ALERTS__QUIET_LOOKS", "2"),
        ("BACKEND_SYNC_ALERTS__AUDIT_SECONDS", "0"),
        ("BACKEND_SYNC_SYNC__REPEAT_SECONDS", "0"),
        ("BACKEND_SYNC_SYNC__CHECK_SECONDS", "1"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

/// Waits for this many evaluations.
async fn evaluations(database: &Database, count: usize) {
    for _ in 0..count {
        let due = "SELECT due_at FROM alert_turns";
        let before = database.count(due).await;
        until("an evaluation", async || (database.count(due).await > before).then_some(())).await;
    }
}

/// A server that delivers to the simulator and sends to the receivers.
pub(crate) async fn begin(database: &Database, more: &[(&'static str, &str)]) -> (Receivers, ZohoSimulator, Server) {
    let (receivers, zoho) = (Receivers::start(), ZohoSimulator::start_set_up().await);
    let mut settings = receivers.settings();
    settings.extend(zoho.settings());
    settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let server = Server::start_with(database, &settings).await;
    (receivers, zoho, server)
}

/// A server without a destination that sends to the receivers.
async fn begin_alone(database: &Database) -> (Receivers, Server) {
    begin_with(database, &[]).await
}

/// The same, with settings from the environment.
async fn begin_with(database: &Database, more: &[(&'static str, &str)]) -> (Receivers, Server) {
    let receivers = Receivers::start();
    let mut settings = receivers.settings();
    settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let server = Server::start_with(database, &settings).await;
    (receivers, server)
}

/// The open alerts from the API.
async fn open(server: &Server) -> Vec<Value> {
    server.reader().list("/api/v1/alerts").await
}

/// Unix milliseconds, by the machine's clock.
fn now() -> i64 {
    backend_sync::clock::Clock::system().now().0
}
