//! Where notifications go: webhooks and mail servers.

mod email;
mod webhook;

use super::{
    links,
    words::{heading, when},
};
use crate::{
    authorities::Authorities,
    config,
    http::Http,
    model::{NotificationEvent, Severity},
    store::{Acknowledgement, ClaimedNotification, NotifiedAlert},
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
    /// Where to act.
    link: Option<Link>,
    /// The alert itself, to acknowledge it.
    alert: Option<Link>,
}

/// A page of the console.
struct Link {
    label: &'static str,
    /// Complete, or the place in a console whose address is not configured.
    address: String,
    is_complete: bool,
}

impl Link {
    fn new(label: &'static str, console_url: &str, path: &str) -> Self {
        let console = console_url.trim_end_matches('/');
        Self { label, address: format!("{console}{path}"), is_complete: !console.is_empty() }
    }

    /// The address that a program or a button opens; none without the console's.
    fn url(&self) -> Option<&str> {
        self.is_complete.then_some(self.address.as_str())
    }

    /// A line of text. Without the console's address it names the place.
    fn line(&self) -> String {
        let Self { label, address, is_complete } = self;
        if *is_complete { format!("{label}: {address}") } else { format!("{label}: {address} in the console") }
    }
}

impl<'a> RenderedNotification<'a> {
    fn new(notification: &'a ClaimedNotification, console_url: &str) -> Self {
        let heading = heading(notification.event);
        let Some(alert) = &notification.alert else {
            let title = format!("{heading}: Backend Sync can send notifications here");
            let text = notification.message.clone();
            return Self { notification, title, text, facts: Vec::new(), link: None, alert: None };
        };
        let (is_resolved, is_critical) =
            (notification.event == NotificationEvent::Resolved, notification.severity == Severity::Critical);
        let severity = if is_critical && !is_resolved { " (critical)" } else { "" };
        let text = match is_resolved {
            true => format!("The problem is gone. It was: {}", notification.message),
            false => notification.message.clone(),
        };
        let finding = match notification.title.as_str() {
            "" => format!("{}: {}", alert.rule, alert.subject),
            title => title.to_owned(),
        };
        let own = links::alert(alert.id);
        let page = if notification.link.is_empty() { &own } else { &notification.link };
        let act = if is_resolved { "Look" } else { "Look and act" };
        Self {
            notification,
            title: format!("{heading}{severity}: {finding}"),
            text,
            facts: facts(notification, alert),
            link: Some(Link::new(act, console_url, page)),
            alert: (!is_resolved && *page != own).then(|| Link::new("Acknowledge", console_url, &own)),
        }
    }
}

fn facts(notification: &ClaimedNotification, alert: &NotifiedAlert) -> Vec<(&'static str, String)> {
    let is_resolved = notification.event == NotificationEvent::Resolved;
    let mut facts = vec![
        ("Severity", notification.severity.to_string()),
        ("Rule", alert.rule.clone()),
        ("Since", when(alert.raised_at)),
    ];
    if let Some(at) = alert.resolved_at.filter(|_| is_resolved) {
        facts.push(("Until", when(at)));
    }
    if let Some(Acknowledgement { by, until, .. }) = alert.acknowledged.as_ref().filter(|_| !is_resolved) {
        let until = until.map(|at| format!(", until {}", when(at))).unwrap_or_default();
        facts.push(("Acknowledged", format!("by {by}{until}")));
    }
    facts
}
