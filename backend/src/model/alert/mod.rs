//! The words of alerts, and the rule by which checks raise, update and resolve them.

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::clock::Timestamp;

words! {
    /// What an alert watches.
    #[oai(rename = "AlertRule")]
    Rule {
        /// A change has been waiting too long for its delivery.
        OldestChange = "oldest_change",
        /// Records have been waiting too long for other records.
        Parked = "parked",
        /// Records have failed and need a person.
        Failed = "failed",
        /// A destination is paused.
        Paused = "paused",
        /// A destination's API credits are running out.
        Credits = "credits",
        /// A site is silent at a time when it usually sends events.
        SiteSilent = "site_silent",
        /// Records and sync items do not match.
        Conservation = "conservation",
        /// The database's disk is filling up.
        Disk = "disk",
        /// Many of a site's events are rejected.
        IngestRejecting = "ingest_rejecting",
        /// A token expires soon.
        TokenExpiring = "token_expiring",
        /// A channel's notifications do not arrive.
        ChannelFailing = "channel_failing",
        /// The database accepts no writes.
        Database = "database",
        /// A rule cannot be checked.
        LookFailed = "look_failed",
        /// The time is not agreed, or a server's clock is wrong.
        Clock = "clock",
    }
}

words! {
    /// How urgent it is.
    #[oai(rename = "AlertSeverity")]
    Severity {
        /// Someone should look at it today.
        Warning = "warning",
        /// Someone should look at it now.
        Critical = "critical",
    }
}

words! {
    /// What a notification reports.
    #[oai(rename = "NoticeEvent")]
    NoticeEvent {
        /// Something is wrong.
        Raised = "raised",
        /// It has become worse than last reported.
        Worsened = "worsened",
        /// It is still wrong, and no one has acknowledged it.
        Reminder = "reminder",
        /// It is resolved.
        Resolved = "resolved",
        /// Nothing is wrong: someone is testing the channel.
        Test = "test",
    }
}

/// Something that a check found to be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What found it.
    pub rule: Rule,
    /// With what it is wrong, as in `destination:zoho`.
    pub subject: String,
    /// What is wrong, for programs; finer than the rule.
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
    /// What found it.
    pub rule: Rule,
    /// With what something is wrong.
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
        tell: Option<NoticeEvent>,
    },
    /// This check did not find it, which may be chance.
    Doubt {
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
const MOST_PATIENCE: u32 = 32;

impl AlertPolicy {
    /// How many quiet checks a new alert needs, when the previous one needed and ended as `before` says.
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
                    Some(NoticeEvent::Worsened)
                } else if !alert.acknowledged && alert.remind_at.is_some_and(|at| at <= now) {
                    Some(NoticeEvent::Reminder)
                } else {
                    None
                };
                AlertChange::Keep { id: alert.id, finding: Observation { severity, ..finding.clone() }, tell }
            }
            None if not_judged.contains(&alert.rule) => continue,
            None if alert.quiet + 1 >= alert.quiet_needed => AlertChange::Resolve { id: alert.id },
            None => AlertChange::Doubt { id: alert.id },
        });
    }
    let is_open = |finding: &Observation| {
        open.iter().any(|alert| (alert.rule, alert.subject.as_str()) == (finding.rule, finding.subject.as_str()))
    };
    changes.extend(findings.into_iter().filter(|finding| !is_open(finding)).map(AlertChange::Raise));
    changes
}
