//! The words of alerts, and the rule by which checks raise, update and resolve them.

#[cfg(test)]
mod tests;

use std::time::Duration;

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::clock::Timestamp;

/// What an alert watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[derive(poem_openapi::Enum, Display, EnumString, IntoStaticStr, VariantArray)]
#[oai(rename = "AlertRule", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Rule {
    /// A change has been waiting too long for its delivery.
    OldestChange,
    /// Records have been waiting too long for other records.
    Parked,
    /// Records have failed and need a person.
    Failed,
    /// A destination is paused.
    Paused,
    /// There is no recent backup.
    BackupMissed,
    /// A process delivers nothing because its mapping is another one.
    OtherMapping,
    /// Unusually much that cannot be undone waits for a person.
    Braked,
    /// Moodle and the backend do not hold the same.
    ParityBroken,
    /// A destination's API credits are running out.
    Credits,
    /// A site is silent at a time when it usually sends events.
    SiteSilent,
    /// Records and sync items do not match.
    Conservation,
    /// The database's disk is filling up.
    Disk,
    /// Many of a site's events are rejected.
    IngestRejecting,
    /// A token expires soon.
    TokenExpiring,
    /// A channel's notifications do not arrive.
    ChannelFailing,
    /// The database accepts no events.
    Database,
    /// A rule cannot be checked.
    LookFailed,
    /// The time is not agreed, or a server's clock is wrong.
    Clock,
}

impl Rule {
    /// All of them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word in the database, the API and the logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How urgent it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[derive(poem_openapi::Enum, Display, EnumString, IntoStaticStr, VariantArray)]
#[oai(rename = "AlertSeverity", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Severity {
    /// Someone should look at it today.
    Warning,
    /// Someone should look at it now.
    Critical,
}

impl Severity {
    /// All of them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word in the database, the API and the logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What a notification reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[derive(poem_openapi::Enum, Display, EnumString, IntoStaticStr, VariantArray)]
#[oai(rename = "NoticeEvent", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum NotificationEvent {
    /// Something is wrong.
    Raised,
    /// It has become worse than last reported.
    Worsened,
    /// It is still wrong, and no one has acknowledged it.
    Reminder,
    /// It is resolved.
    Resolved,
    /// Nothing is wrong: someone is testing the channel.
    Test,
}

impl NotificationEvent {
    /// All of them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word in the database, the API and the logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Something that a check found to be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The rule that found it.
    pub rule: Rule,
    /// What it is about, such as `destination:zoho`.
    pub subject: String,
    /// What is wrong, for programs; more specific than the rule.
    pub code: &'static str,
    /// How urgent it is.
    pub severity: Severity,
    /// What is wrong and what to do. No personal data: it leaves the server.
    pub message: String,
}

/// An unresolved alert, as far as [`decide`] needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAlert {
    /// Its id.
    pub id: i64,
    /// The rule that found it.
    pub rule: Rule,
    /// What the alert is about.
    pub subject: String,
    /// The worst so far.
    pub severity: Severity,
    /// Whether someone has acknowledged it.
    pub acknowledged: bool,
    /// Consecutive checks that found nothing.
    pub quiet: u32,
    /// The number of such checks that resolves it.
    pub quiet_needed: u32,
    /// When the next reminder is due.
    pub remind_at: Option<Timestamp>,
}

/// A change that a check makes to an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertChange {
    /// A new one.
    Raise(Observation),
    /// It is still wrong; `notify` says what to report, if anything.
    Keep {
        /// Which.
        id: i64,
        /// The latest finding, with the highest severity so far.
        finding: Observation,
        /// What to notify its channels of.
        notify: Option<NotificationEvent>,
    },
    /// This check did not find it, which may be chance.
    Quiet {
        /// Which.
        id: i64,
    },
    /// It is resolved.
    Resolve {
        /// Which.
        id: i64,
    },
}

/// When alerts are resolved and reminded of.
#[derive(Clone, Copy, Debug)]
pub struct AlertPolicy {
    /// Consecutive checks that must find nothing before an alert is resolved.
    pub quiet: u32,
    /// The time between reminders; none to send none.
    pub remind: Option<Duration>,
}

/// An alert that comes back within this time flaps: it is then resolved only after twice as many quiet checks.
const FLAPPING_TIME: Duration = Duration::from_secs(60 * 60);

/// The highest multiple of the usual quiet checks that a flapping alert must pass.
const FLAPPING_FACTOR_MAX: u32 = 32;

impl AlertPolicy {
    /// How many quiet checks a new alert needs, when the previous one needed and ended as `before` says.
    pub fn quiet_needed(&self, before: Option<(u32, Timestamp)>, now: Timestamp) -> u32 {
        let most = self.quiet.saturating_mul(FLAPPING_FACTOR_MAX);
        match before {
            Some((needed, resolved_at)) if now.since(resolved_at) < FLAPPING_TIME => {
                needed.saturating_mul(2).clamp(self.quiet, most)
            }
            _ => self.quiet,
        }
    }
}

/// Decides how the open alerts change, given what is wrong now: at most one alert per rule and subject. An alert stays
/// unchanged if its rule is in `not_judged`: nothing is known about it then.
pub fn decide(open: &[OpenAlert], findings: Vec<Observation>, not_judged: &[Rule], now: Timestamp) -> Vec<AlertChange> {
    let mut changes = Vec::new();
    for alert in open {
        let is_it = |finding: &&Observation| finding.rule == alert.rule && finding.subject == alert.subject;
        changes.push(match findings.iter().find(is_it) {
            Some(finding) => {
                let severity = finding.severity.max(alert.severity);
                let tell = if severity > alert.severity {
                    Some(NotificationEvent::Worsened)
                } else if !alert.acknowledged && alert.remind_at.is_some_and(|at| at <= now) {
                    Some(NotificationEvent::Reminder)
                } else {
                    None
                };
                AlertChange::Keep { id: alert.id, finding: Observation { severity, ..finding.clone() }, notify: tell }
            }
            None if not_judged.contains(&alert.rule) => continue,
            None if alert.quiet + 1 >= alert.quiet_needed => AlertChange::Resolve { id: alert.id },
            None => AlertChange::Quiet { id: alert.id },
        });
    }
    let is_open = |finding: &Observation| {
        open.iter().any(|alert| (alert.rule, alert.subject.as_str()) == (finding.rule, finding.subject.as_str()))
    };
    changes.extend(findings.into_iter().filter(|finding| !is_open(finding)).map(AlertChange::Raise));
    changes
}
