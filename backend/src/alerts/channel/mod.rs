//! Where notifications go: webhooks and mail servers.

mod email;
mod webhook;

use super::words::{heading, title, when};
use crate::{
    config,
    http::Http,
    model::{NoticeEvent, Severity},
    store::ClaimedNotice,
};

use email::Email;
use webhook::Webhook;

/// A configured channel.
pub(super) struct Channel {
    pub(super) name: String,
    way: Way,
}

enum Way {
    Webhook(Webhook),
    Email(Box<Email>),
}

/// Why a notification was not sent. The text holds no secrets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It was certainly not delivered.
    Refused(String),
    /// It may have been delivered.
    Unknown(String),
}

impl Channel {
    pub(super) fn webhook(name: &str, webhook: &config::Webhook, http: &Http) -> Self {
        Self { name: name.to_owned(), way: Way::Webhook(Webhook::new(webhook.clone(), http.clone())) }
    }

    pub(super) fn email(name: &str, email: &config::Email) -> Self {
        Self { name: name.to_owned(), way: Way::Email(Box::new(Email::new(email.clone()))) }
    }

    /// `slack`, `teams`, `json` or `email`.
    pub(super) fn kind(&self) -> &'static str {
        match &self.way {
            Way::Webhook(webhook) => webhook.kind(),
            Way::Email(_) => "email",
        }
    }

    /// Whether the receiver recognises a duplicate, so that a notification of unknown outcome can be retried.
    pub(super) fn is_repeatable(&self) -> bool {
        matches!(&self.way, Way::Webhook(webhook) if webhook.is_repeatable())
    }

    pub(super) async fn send(&self, notice: &ClaimedNotice, console_url: &str) -> Result<(), Failure> {
        let letter = Letter::new(notice, console_url);
        match &self.way {
            Way::Webhook(webhook) => webhook.send(&letter).await,
            Way::Email(email) => email.send(&letter).await,
        }
    }
}

/// A notification as text.
struct Letter<'a> {
    notice: &'a ClaimedNotice,
    /// What happened, in one line.
    title: String,
    /// What to do.
    text: String,
    /// Label and value.
    facts: Vec<(&'static str, String)>,
    link: Option<String>,
}

impl<'a> Letter<'a> {
    fn new(notice: &'a ClaimedNotice, console_url: &str) -> Self {
        let heading = heading(notice.event);
        let Some(alert) = &notice.alert else {
            let title = format!("{heading}: Backend Sync can send notifications here");
            return Self { notice, title, text: notice.message.clone(), facts: Vec::new(), link: None };
        };
        let (is_resolved, is_critical) = (notice.event == NoticeEvent::Resolved, notice.severity == Severity::Critical);
        let severity = if is_critical && !is_resolved { " (critical)" } else { "" };
        let text = match is_resolved {
            true => format!("The problem is gone. It was: {}", notice.message),
            false => notice.message.clone(),
        };
        let mut facts = vec![
            ("Severity", notice.severity.to_string()),
            ("Rule", alert.rule.clone()),
            ("Since", when(alert.raised_at)),
        ];
        if let Some(at) = alert.resolved_at.filter(|_| is_resolved) {
            facts.push(("Until", when(at)));
        }
        let url = console_url.trim_end_matches('/');
        let title = format!("{heading}{severity}: {}", title(&alert.rule, &alert.subject));
        Self { notice, title, text, facts, link: (!url.is_empty()).then(|| format!("{url}/")) }
    }
}
