//! The words of alerts, and the rule by which checks raise, update and resolve them.

mod news;
#[cfg(test)]
mod tests;

use std::time::Duration;

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

pub use news::{AlertCause, SETTLED, Told, ToldCause};

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
    /// Moodle, the backend and a destination do not hold the same.
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
    /// It is worse than last reported: more urgent, by another cause, or by many more of the same.
    Worsened,
    /// It is still wrong, and no one has acknowledged it.
    Reminder,
    /// It is resolved.
    Resolved,
    /// Someone is testing the channel.
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
    /// The finding in one line, as in the subject of a mail. No personal data: it leaves the server.
    pub title: String,
    /// What is wrong and what to do. No personal data.
    pub message: String,
    /// The console's page where it is remedied; empty when the alert's own page is all there is.
    pub link: String,
    /// What it is made of: at least one cause.
    pub causes: Vec<AlertCause>,
}

impl Observation {
    /// What is told of it when these causes are news: a single one is told alone.
    fn told(&self, news: &[&AlertCause]) -> Self {
        let mut told = self.clone();
        if let [cause] = news {
            let AlertCause { title, message, link, .. } = (*cause).clone();
            (told.title, told.message, told.link) = (title, message, link);
        }
        told
    }
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
    /// Whether someone has acknowledged it, for a time that is not over.
    pub acknowledged: bool,
    /// What was told of it; none when an earlier version raised it.
    pub told: Option<Told>,
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
        /// What to notify its channels of, and in which words.
        notify: Option<(NotificationEvent, Observation)>,
        /// What has been told of it then.
        told: Told,
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

/// Days for which an alert is acknowledged, unless somebody says otherwise: none is silent for good.
pub const ACKNOWLEDGED_DAYS: u16 = 7;

/// The most days for which an alert is acknowledged: whoever sees to it for more than a term can say so again.
pub const ACKNOWLEDGED_DAYS_MAX: u16 = 90;

/// When an acknowledgement for so many days ends.
pub fn acknowledged_until(days: u16, now: Timestamp) -> Timestamp {
    now.after(Duration::from_secs(u64::from(days.min(ACKNOWLEDGED_DAYS_MAX)) * 24 * 60 * 60))
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
            Some(finding) => keep(alert, finding, now),
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

/// What becomes of an alert that is found again.
fn keep(alert: &OpenAlert, finding: &Observation, now: Timestamp) -> AlertChange {
    let finding = Observation { severity: finding.severity.max(alert.severity), ..finding.clone() };
    let news = alert.told.as_ref().map_or_else(Vec::new, |told| told.news(&finding.causes, now));
    let notify = if finding.severity > alert.severity {
        // The threshold may have been passed by what was told before.
        Some((NotificationEvent::Worsened, finding.clone()))
    } else if !news.is_empty() {
        Some((NotificationEvent::Worsened, finding.told(&news)))
    } else if !alert.acknowledged && alert.remind_at.is_some_and(|at| at <= now) {
        Some((NotificationEvent::Reminder, finding.clone()))
    } else {
        None
    };
    let told = match &alert.told {
        Some(told) if notify.is_none() => Told { causes: told.after(&finding.causes, now), at: told.at },
        Some(told) => told.again(&finding, now),
        None => Told::all(&finding, now),
    };
    AlertChange::Keep { id: alert.id, finding, notify, told }
}
