//! The words of alerts, and what becomes of one at each look: raised once, reminded, resolved.

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::clock::Timestamp;

words! {
    /// What is watched.
    #[oai(rename = "AlertRule")]
    Rule {
        /// A change waits too long for its delivery.
        OldestChange = "oldest_change",
        /// Records wait too long for other records.
        Parked = "parked",
        /// Records need a person.
        Failed = "failed",
        /// A destination is paused.
        Paused = "paused",
        /// A destination's allowance runs out.
        Credits = "credits",
        /// A site sends nothing when it usually does.
        SiteSilent = "site_silent",
        /// Records and sync items do not agree.
        Conservation = "conservation",
        /// The disk of the database fills.
        Disk = "disk",
        /// Many events of a site are rejected.
        IngestRejecting = "ingest_rejecting",
        /// A token ends soon.
        TokenExpiring = "token_expiring",
        /// Notices do not arrive.
        ChannelFailing = "channel_failing",
        /// The database takes nothing.
        Database = "database",
        /// Whether something is wrong cannot be found out.
        LookFailed = "look_failed",
        /// The time is not agreed, or a server's clock is wrong.
        Clock = "clock",
    }
}

words! {
    /// How bad it is.
    #[oai(rename = "AlertSeverity")]
    Severity {
        /// Somebody should look at it today.
        Warning = "warning",
        /// Somebody should look at it now.
        Critical = "critical",
    }
}

words! {
    /// What a notice tells.
    #[oai(rename = "NoticeEvent")]
    NoticeEvent {
        /// Something is wrong.
        Raised = "raised",
        /// It is worse than when it was told of.
        Worsened = "worsened",
        /// It is still wrong, and nobody has acknowledged it.
        Reminder = "reminder",
        /// It is well again.
        Resolved = "resolved",
        /// Nothing is wrong: somebody tries the channel.
        Test = "test",
    }
}

/// Something that is wrong now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What found it.
    pub rule: Rule,
    /// With what it is wrong, as in `destination:zoho`.
    pub subject: String,
    /// What is wrong, for programs; finer than the rule.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong and what to do, in words. Nothing personal: it leaves the house.
    pub message: String,
}

/// An alert that is not resolved, as far as deciding needs it.
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
    /// Whether somebody has acknowledged it.
    pub acknowledged: bool,
    /// Looks in a row that found nothing.
    pub quiet: u32,
    /// How many of them resolve it.
    pub quiet_needed: u32,
    /// When it is told of again.
    pub remind_at: Option<Timestamp>,
}

/// What becomes of alerts at one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new one.
    Raise(Finding),
    /// It is still there; `tell` says what of.
    Keep {
        /// Which.
        id: i64,
        /// As it is now, with the worst severity so far.
        finding: Finding,
        /// What its channels are told.
        tell: Option<NoticeEvent>,
    },
    /// It was not found this time; that may be chance.
    Doubt {
        /// Which.
        id: i64,
    },
    /// It is well again.
    Resolve {
        /// Which.
        id: i64,
    },
}

/// How alerts are told of.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Looks in a row that must find nothing before an alert is resolved.
    pub quiet: u32,
    /// After how long it is told of again; never when none.
    pub remind: Option<Duration>,
}

/// An alert that comes back within this time flaps: it must then be well for twice as long before it is resolved.
const FLAPPING_TIME: Duration = Duration::from_secs(60 * 60);

/// How much longer than usual a flapping alert must be well, at most.
const MOST_PATIENCE: u32 = 32;

impl Policy {
    /// How many quiet looks a new alert needs, when the one before needed `before` and was resolved at that time.
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

/// What becomes of the open alerts, given what is wrong now: at most one alert of each rule and subject. What was not found by a rule
/// that was `not_judged` this time stays as it is: nobody knows.
pub fn decide(open: &[OpenAlert], findings: Vec<Finding>, not_judged: &[Rule], now: Timestamp) -> Vec<Change> {
    let mut changes = Vec::new();
    for alert in open {
        let is_it = |finding: &&Finding| finding.rule == alert.rule && finding.subject == alert.subject;
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
                Change::Keep { id: alert.id, finding: Finding { severity, ..finding.clone() }, tell }
            }
            None if not_judged.contains(&alert.rule) => continue,
            None if alert.quiet + 1 >= alert.quiet_needed => Change::Resolve { id: alert.id },
            None => Change::Doubt { id: alert.id },
        });
    }
    let is_open = |finding: &Finding| {
        open.iter().any(|alert| (alert.rule, alert.subject.as_str()) == (finding.rule, finding.subject.as_str()))
    };
    changes.extend(findings.into_iter().filter(|finding| !is_open(finding)).map(Change::Raise));
    changes
}
