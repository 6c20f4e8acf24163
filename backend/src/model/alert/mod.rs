//! The vocabulary of alerts, and what an evaluation does to them: raise once, remind, resolve.

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::clock::Timestamp;

words! {
    /// What an alert is about.
    #[oai(rename = "AlertRule")]
    Rule {
        /// A change has waited too long to be delivered.
        OldestChange = "oldest_change",
        /// Records have waited too long for other records.
        Parked = "parked",
        /// Records need a person.
        Failed = "failed",
        /// A destination is paused.
        Paused = "paused",
        /// A destination's API credits are running out.
        Credits = "credits",
        /// A site sends nothing when it usually does.
        SiteSilent = "site_silent",
        /// Records and sync items do not match.
        Conservation = "conservation",
        /// The database's disk is filling up.
        Disk = "disk",
        /// Many events of a site are being rejected.
        IngestRejecting = "ingest_rejecting",
        /// A token expires soon, or has expired.
        TokenExpiring = "token_expiring",
        /// The notifications of a channel fail.
        ChannelFailing = "channel_failing",
        /// The database takes no writes.
        Database = "database",
        /// Alert rules cannot be evaluated, or alerts not stored.
        LookFailed = "look_failed",
        /// The time is not agreed, or a server's clock differs.
        Clock = "clock",
    }
}

words! {
    /// How urgent an alert is.
    #[oai(rename = "AlertSeverity")]
    Severity {
        /// Somebody should look at it today.
        Warning = "warning",
        /// Somebody should look at it now.
        Critical = "critical",
    }
}

words! {
    /// Why a notification is sent.
    #[oai(rename = "NoticeEvent")]
    NotificationEvent {
        /// Something is wrong.
        Raised = "raised",
        /// It has become critical.
        Worsened = "worsened",
        /// It is still wrong, and nobody has acknowledged it.
        Reminder = "reminder",
        /// It is no longer wrong.
        Resolved = "resolved",
        /// Nothing is wrong: somebody tests the channel.
        Test = "test",
    }
}

/// A rule's finding: something that is wrong now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The rule that found it.
    pub rule: Rule,
    /// What it is about, for example `destination:zoho`.
    pub subject: String,
    /// What is wrong, for programs; finer than the rule.
    pub code: &'static str,
    /// How urgent it is.
    pub severity: Severity,
    /// What is wrong and what to do. Without personal data: it is sent to outside services.
    pub message: String,
}

/// An open alert, as [`decide`] needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAlert {
    /// Row id, or a number in memory.
    pub id: i64,
    /// The rule that raised it.
    pub rule: Rule,
    /// What it is about.
    pub subject: String,
    /// The worst since it was raised.
    pub severity: Severity,
    /// Whether somebody has acknowledged it.
    pub acknowledged: bool,
    /// Consecutive evaluations that found nothing.
    pub quiet: u32,
    /// How many of them resolve it.
    pub quiet_needed: u32,
    /// When the next reminder is due.
    pub remind_at: Option<Timestamp>,
}

/// What one evaluation does to an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertChange {
    /// A new alert.
    Raise(Observation),
    /// It is still there.
    Keep {
        /// The alert.
        id: i64,
        /// The latest finding, with the worst severity since it was raised.
        finding: Observation,
        /// What its channels are notified of, if anything.
        notify: Option<NotificationEvent>,
    },
    /// It was not found this time, but too few times in a row to resolve it.
    Quiet {
        /// The alert.
        id: i64,
    },
    /// It is no longer wrong.
    Resolve {
        /// The alert.
        id: i64,
    },
}

/// When alerts resolve and are repeated.
#[derive(Clone, Copy, Debug)]
pub struct AlertPolicy {
    /// Consecutive evaluations without a finding that resolve an alert.
    pub quiet: u32,
    /// The time between reminders; `None` for no reminders.
    pub remind: Option<Duration>,
}

/// An alert that comes back within this time is flapping: it then takes twice as long to resolve.
const FLAPPING_TIME: Duration = Duration::from_secs(60 * 60);

/// The most that flapping multiplies the time to resolve.
const MOST_PATIENCE: u32 = 32;

impl AlertPolicy {
    /// How many quiet evaluations resolve a new alert. `before` is what the previous one needed, and when it was
    /// resolved.
    pub fn quiet_needed(&self, before: Option<(u32, Timestamp)>, now: Timestamp) -> u32 {
        let most = self.quiet.saturating_mul(MOST_PATIENCE);
        match before {
            Some((needed, resolved_at)) if now.since(resolved_at) < FLAPPING_TIME => {
                needed.saturating_mul(2).clamp(self.quiet, most)
            }
            _ => self.quiet,
        }
    }
}

/// What the findings change in the open alerts, with at most one alert per rule and subject. Alerts of a rule that
/// could not be evaluated (`not_judged`) and were not found stay unchanged.
pub fn decide(open: &[OpenAlert], findings: Vec<Observation>, not_judged: &[Rule], now: Timestamp) -> Vec<AlertChange> {
    let mut changes = Vec::new();
    for alert in open {
        let is_it = |finding: &&Observation| finding.rule == alert.rule && finding.subject == alert.subject;
        changes.push(match findings.iter().find(is_it) {
            Some(finding) => {
                let severity = finding.severity.max(alert.severity);
                let notify = if severity > alert.severity {
                    Some(NotificationEvent::Worsened)
                } else if !alert.acknowledged && alert.remind_at.is_some_and(|at| at <= now) {
                    Some(NotificationEvent::Reminder)
                } else {
                    None
                };
                AlertChange::Keep { id: alert.id, finding: Observation { severity, ..finding.clone() }, notify }
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
