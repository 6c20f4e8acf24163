//! The words of alerts, and what becomes of one at each look: raised once, reminded, resolved.

#[cfg(test)]
mod tests;

use std::time::Duration;

use strum::VariantArray as _;

use crate::clock::Timestamp;

/// What is watched.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    poem_openapi::Enum,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[oai(rename = "AlertRule", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Rule {
    /// A change waits too long for its delivery.
    OldestChange,
    /// Records wait too long for other records.
    Parked,
    /// Records need a person.
    Failed,
    /// A destination is paused.
    Paused,
    /// A destination's allowance runs out.
    Credits,
    /// A site sends nothing when it usually does.
    SiteSilent,
    /// Records and sync items do not agree.
    Conservation,
    /// The disk of the database fills.
    Disk,
    /// Many events of a site are rejected.
    IngestRejecting,
    /// A token ends soon.
    TokenExpiring,
    /// Notices do not arrive.
    ChannelFailing,
    /// The database takes nothing.
    Database,
    /// Whether something is wrong cannot be found out.
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

/// How bad it is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    poem_openapi::Enum,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[oai(rename = "AlertSeverity", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Severity {
    /// Somebody should look at it today.
    Warning,
    /// Somebody should look at it now.
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

/// What a notice tells.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    poem_openapi::Enum,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[oai(rename = "NoticeEvent", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum NoticeEvent {
    /// Something is wrong.
    Raised,
    /// It is worse than when it was told of.
    Worsened,
    /// It is still wrong, and nobody has acknowledged it.
    Reminder,
    /// It is well again.
    Resolved,
    /// Nothing is wrong: somebody tries the channel.
    Test,
}

impl NoticeEvent {
    /// All of them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word in the database, the API and the logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Something that is wrong now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
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
pub enum AlertChange {
    /// A new one.
    Raise(Observation),
    /// It is still there; `tell` says what of.
    Keep {
        /// Which.
        id: i64,
        /// As it is now, with the worst severity so far.
        finding: Observation,
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
pub struct AlertPolicy {
    /// Looks in a row that must find nothing before an alert is resolved.
    pub quiet: u32,
    /// After how long it is told of again; never when none.
    pub remind: Option<Duration>,
}

/// An alert that comes back within this time flaps: it must then be well for twice as long before it is resolved.
const FLAPPING_TIME: Duration = Duration::from_secs(60 * 60);

/// How much longer than usual a flapping alert must be well, at most.
const MOST_PATIENCE: u32 = 32;

impl AlertPolicy {
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
