//! Where notices go: webhooks and mail servers.

mod email;
mod webhook;

use super::words::{heading, title, when};
use crate::{
    config,
    http::Http,
    model::{NotificationEvent, Severity},
    store::ClaimedNotice,
};

use email::Email;
use webhook::Webhook;

/// A channel of the configuration.
pub(super) struct Channel {
    pub(super) name: String,
    way: Way,
}

enum Way {
    Webhook(Webhook),
    Email(Box<Email>),
}

/// Why a notice was not sent, in words without secrets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It certainly did not arrive.
    Refused(String),
    /// It may have arrived.
    Unknown(String),
}

impl Channel {
    pub(super) fn webhook(name: &str, webhook: &config::Webhook, http: &Http) -> Self {
        Self { name: name.to_owned(), way: Way::Webhook(Webhook::new(webhook.clone(), http.clone())) }
    }

    pub(super) fn email(name: &str, email: &config::Email) -> Self {
        Self { name: name.to_owned(), way: Way::Email(Box::new(Email::new(email.clone()))) }
    }

    /// What it is, in a word.
    pub(super) fn kind(&self) -> &'static str {
        match &self.way {
            Way::Webhook(webhook) => webhook.kind(),
            Way::Email(_) => "email",
        }
    }

    /// Whether the receiver recognises a repetition, so that what may have arrived can be sent again.
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

/// A notice in words.
struct Letter<'a> {
    notice: &'a ClaimedNotice,
    /// What happened, in one line.
    title: String,
    /// What to do.
    text: String,
    /// Names and values.
    facts: Vec<(&'static str, String)>,
    link: Option<String>,
}

impl<'a> Letter<'a> {
    fn new(notice: &'a ClaimedNotice, console_url: &str) -> Self {
        let heading = heading(notice.event);
        let Some(alert) = &notice.alert else {
            let title = format!("{heading}: notices of Backend Sync arrive");
            return Self { notice, title, text: notice.message.clone(), facts: Vec::new(), link: None };
        };
        let (is_resolved, is_critical) =
            (notice.event == NotificationEvent::Resolved, notice.severity == Severity::Critical);
        let severity = if is_critical && !is_resolved { " (critical)" } else { "" };
        let text = match is_resolved {
            true => format!("This is well again. It was: {}", notice.message),
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
