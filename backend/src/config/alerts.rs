//! The section `[alerts]`: what is watched, and who is notified.

use std::{collections::BTreeMap, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use super::{ConfigError, choice, is_safe};
use crate::authorities::Authorities;

/// What is watched, and who is notified.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    interval_seconds: u16,
    quiet_looks: u16,
    remind_hours: u16,
    audit_seconds: u32,
    keep_days: u16,
    /// The console's address, for links; empty for none.
    #[serde(default)]
    pub console_url: String,
    /// The rules' limits.
    pub rules: AlertRules,
    /// By name.
    #[serde(default)]
    pub webhooks: BTreeMap<String, Webhook>,
    /// By name.
    #[serde(default)]
    pub email: BTreeMap<String, Email>,
    /// Whom connections trust besides the public authorities.
    #[serde(skip)]
    pub authorities: Authorities,
}

/// The limits above which something is wrong. 0 turns a rule off.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertRules {
    /// Minutes that a change may wait for delivery.
    pub oldest_minutes: u32,
    /// Hours that a record may wait for another.
    pub parked_hours: u32,
    /// Failed records from which on it is a warning.
    pub failed: u32,
    /// Failed records from which on it is critical.
    pub failed_many: u32,
    /// Hours that an operator's pause may last.
    pub paused_hours: u32,
    /// API credits that must be left above the reserve.
    pub credits_left: u32,
    /// Hours that the credits must last.
    pub credits_hours: u32,
    /// Hours that a site may be silent.
    pub silent_hours: u32,
    /// Percentage of the disk that must be free.
    pub disk_free_percent: u8,
    /// MiB of the disk that must be free.
    pub disk_free_mib: u64,
    /// Events that may be rejected in ten minutes.
    pub rejected_events: u32,
    /// Percentage of events that may be rejected.
    pub rejected_percent: u8,
    /// Seconds for which the database may accept no events.
    pub database_seconds: u32,
    /// Days before a token's expiry to warn.
    pub token_days: u32,
    /// Hours within which there must be a backup.
    pub backup_hours: u32,
}

/// A webhook that notifications are sent to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Its address: anyone who knows it can post there.
    pub url: SecretString,
    /// The format it understands.
    #[serde(default, deserialize_with = "choice::variant")]
    pub format: WebhookFormat,
    /// Signs the requests, for [`WebhookFormat::Json`].
    #[serde(default)]
    pub secret: Option<SecretString>,
}

/// The format of a webhook's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookFormat {
    /// Slack, and services compatible with it.
    Slack,
    /// A workflow of Microsoft Teams.
    Teams,
    /// JSON, for a program.
    #[default]
    Json,
}

/// A mail server and the recipients of its e-mails.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    /// The mail server.
    pub host: String,
    /// Its port; default as in [`EmailTls::port`].
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is encrypted.
    #[serde(default, deserialize_with = "choice::variant")]
    pub tls: EmailTls,
    /// The user who signs in.
    #[serde(default)]
    pub username: Option<String>,
    /// The password.
    #[serde(default)]
    pub password: Option<SecretString>,
    /// The sender.
    pub from: String,
    /// The recipients.
    #[serde(deserialize_with = "addresses")]
    pub to: Vec<String>,
}

/// How the connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmailTls {
    /// TLS from the first byte.
    #[default]
    Required,
    /// TLS after STARTTLS; without it nothing is sent.
    StartTls,
    /// Unencrypted.
    None,
}

impl EmailTls {
    /// The default port.
    pub fn port(self) -> u16 {
        match self {
            Self::Required => 465,
            Self::StartTls => 587,
            Self::None => 25,
        }
    }
}

/// A list, or one string separated by commas, as in an environment variable.
fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Addresses {
        Text(String),
        List(Vec<String>),
    }
    Ok(match Addresses::deserialize(deserializer)? {
        Addresses::Text(text) => text.split(',').map(|address| address.trim().to_owned()).collect(),
        Addresses::List(list) => list,
    })
}

impl Alerts {
    /// The time between two checks.
    pub fn interval(&self) -> Duration {
        Duration::from_secs(self.interval_seconds.into())
    }

    /// Consecutive checks that must find nothing before an alert is resolved.
    pub fn quiet(&self) -> u32 {
        self.quiet_looks.into()
    }

    /// The time between reminders; none to send none.
    pub fn remind(&self) -> Option<Duration> {
        (self.remind_hours > 0).then(|| Duration::from_secs(u64::from(self.remind_hours) * 60 * 60))
    }

    /// The least time between two audits of a destination.
    pub fn audit(&self) -> Duration {
        Duration::from_secs(self.audit_seconds.into())
    }

    /// How long resolved alerts are kept.
    pub fn keep(&self) -> Duration {
        Duration::from_secs(u64::from(self.keep_days) * 24 * 60 * 60)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key, range| Err(ConfigError::OutOfRange { key, range });
        if self.interval_seconds == 0 {
            return wrong("alerts.interval_seconds", "1 or more");
        }
        if self.quiet_looks == 0 {
            return wrong("alerts.quiet_looks", "1 or more");
        }
        if self.rules.disk_free_percent > 100 || self.rules.rejected_percent > 100 {
            return wrong("alerts.rules: a percentage", "between 0 and 100");
        }
        let name_is_good = |name: &String| {
            let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
            !name.is_empty() && name.len() <= 50 && name.bytes().all(good)
        };
        let mut names = self.webhooks.keys().chain(self.email.keys());
        if !names.all(name_is_good) || self.webhooks.keys().any(|name| self.email.contains_key(name)) {
            return wrong("alerts: the name of a channel", "made of a-z, 0-9, - and _, and unique among the channels");
        }
        for webhook in self.webhooks.values() {
            if !is_safe(webhook.url.expose_secret()) {
                return wrong("alerts.webhooks: url", "an address that begins with https://");
            }
            if webhook.secret.is_some() && webhook.format != WebhookFormat::Json {
                return wrong(
                    "alerts.webhooks: secret",
                    "left out unless format is json: other formats are not signed",
                );
            }
        }
        self.email.values().try_for_each(Email::check)
    }
}

impl Email {
    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key, range| Err(ConfigError::OutOfRange { key, range });
        let is_address = |address: &String| address.parse::<lettre::message::Mailbox>().is_ok();
        if !is_address(&self.from) || self.to.is_empty() || !self.to.iter().all(is_address) {
            return wrong(
                "alerts.email: from and to",
                "addresses such as Backend Sync <sync@example.org>, at least one each",
            );
        }
        if self.username.is_some() != self.password.is_some() {
            return wrong("alerts.email: username and password", "both set, or neither");
        }
        let here = matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        if self.tls == EmailTls::None && self.password.is_some() && !here {
            return wrong("alerts.email: tls", "required or starttls when a password is sent to another machine");
        }
        Ok(())
    }
}
