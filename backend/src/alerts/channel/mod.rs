//! Where notifications go: webhooks and mail servers.

mod email;
mod webhook;

use super::words::{heading, title, when};
use crate::{
    authorities::Authorities,
    config,
    http::Http,
    model::{NotificationEvent, Severity},
    store::ClaimedNotification,
};

use email::Email;
use webhook::Webhook;

/// A configured channel.
pub(super) struct Channel {
    pub(super) name: String,
    way: Transport,
}

enum Transport {
    Webhook(Webhook),
    Email(Box<Email>),
}

/// Why a notification was not sent. The text holds no secrets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SendFailure {
    /// It was certainly not delivered.
    NotSent(String),
    /// It may have been delivered.
    Unknown(String),
}

impl Channel {
    pub(super) fn webhook(name: &str, webhook: &config::Webhook, http: &Http) -> Self {
        Self { name: name.to_owned(), way: Transport::Webhook(Webhook::new(webhook.clone(), http.clone())) }
    }

    pub(super) fn email(name: &str, email: &config::Email, authorities: &Authorities) -> Self {
        let email = Email::new(email.clone(), authorities.clone());
        Self { name: name.to_owned(), way: Transport::Email(Box::new(email)) }
    }

    /// `slack`, `teams`, `json` or `email`.
    pub(super) fn kind(&self) -> &'static str {
        match &self.way {
            Transport::Webhook(webhook) => webhook.kind(),
            Transport::Email(_) => "email",
        }
    }

    /// Whether the receiver recognises a duplicate, so that a notification of unknown outcome can be retried.
    pub(super) fn is_repeatable(&self) -> bool {
        matches!(&self.way, Transport::Webhook(webhook) if webhook.is_repeatable())
    }

    pub(super) async fn send(&self, notification: &ClaimedNotification, console_url: &str) -> Result<(), SendFailure> {
        let rendered = RenderedNotification::new(notification, console_url);
        match &self.way {
            Transport::Webhook(webhook) => webhook.send(&rendered).await,
            Transport::Email(email) => email.send(&rendered).await,
        }
    }
}

/// A notification as text.
struct RenderedNotification<'a> {
    notification: &'a ClaimedNotification,
    /// What happened, in one line.
    title: String,
    /// What to do.
    text: String,
    /// Label and value.
    facts: Vec<(&'static str, String)>,
    link: Option<String>,
}

impl<'a> RenderedNotification<'a> {
    fn new(notification: &'a ClaimedNotification, console_url: &str) -> Self {
        let heading = heading(notification.event);
        let Some(alert) = &notification.alert else {
            let title = format!("{heading}: Backend Sync can send notifications here");
            return Self { notification, title, text: notification.message.clone(), facts: Vec::new(), link: None };
        };
        let (is_resolved, is_critical) =
            (notification.event == NotificationEvent::Resolved, notification.severity == Severity::Critical);
        let severity = if is_critical && !is_resolved { " (critical)" } else { "" };
        let text = match is_resolved {
            true => format!("The problem is gone. It was: {}", notification.message),
            false => notification.message.clone(),
        };
        let mut facts = vec![
            ("Severity", notification.severity.to_string()),
            ("Rule", alert.rule.clone()),
            ("Since", when(alert.raised_at)),
        ];
        if let Some(at) = alert.resolved_at.filter(|_| is_resolved) {
            facts.push(("Until", when(at)));
        }
        let url = console_url.trim_end_matches('/');
        let title = format!("{heading}{severity}: {}", title(&alert.rule, &alert.subject));
        Self { notification, title, text, facts, link: (!url.is_empty()).then(|| format!("{url}/")) }
    }
}
