//! What is news about an open alert: another cause, or so many more that it is no longer what was told.
//!
//! A mail for each record would be noise, and none for the hundredth would hide it. So a number is told again when it
//! has grown tenfold, which is another problem than the one that was told, or when it has doubled after an hour, which a
//! storm has ended by then. From one record to a thousand these are three mails in an hour, and never more than ten.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Observation;
use crate::clock::Timestamp;

/// So many times what was told is told at once.
const AT_ONCE: u64 = 10;

/// So many times what was told is told after [`SETTLED`].
const LATER: u64 = 2;

/// How long something must last to be believed: the alert before a doubling is told, and fewer before that many more
/// are news again. A retry takes what failed away for a moment.
pub const SETTLED: Duration = Duration::from_secs(60 * 60);

/// One of the causes of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertCause {
    /// What tells it from others of the same rule and subject, for programs.
    pub name: String,
    /// How many it concerns.
    pub count: u64,
    /// The finding in one line.
    pub title: String,
    /// What is wrong and what to do.
    pub message: String,
    /// The console's page where it is remedied; empty when the alert's own page is all there is.
    pub link: String,
}

/// What was told of a cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldCause {
    /// As in [`AlertCause`].
    pub name: String,
    /// How many it concerned at the last look.
    pub count: u64,
    /// How many were told.
    pub told: u64,
    /// Since when they have been fewer than told (Unix milliseconds), and the most since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fewer: Option<(i64, u64)>,
}

impl ToldCause {
    fn new(cause: &AlertCause) -> Self {
        Self { name: cause.name.clone(), count: cause.count, told: cause.count, fewer: None }
    }

    /// The same, told as it is now.
    pub fn told_now(self) -> Self {
        Self { told: self.count, fewer: None, ..self }
    }

    /// What has been told, after a look that found so many; none when it is forgotten.
    fn after(&self, count: u64, now: Timestamp) -> Option<Self> {
        let mut after = Self { count, ..self.clone() };
        after.fewer = match self.fewer {
            _ if count >= self.told => None,
            None => Some((now.0, count)),
            Some((since, most)) if now.since(Timestamp(since)) >= SETTLED => {
                after.told = most.max(count);
                None
            }
            Some((since, most)) => Some((since, most.max(count))),
        };
        (after.told > 0).then_some(after)
    }
}

/// What was told of an alert, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// By cause.
    pub causes: Vec<ToldCause>,
    /// When any of it was last told.
    pub at: Timestamp,
}

impl Told {
    /// All of a finding, told now.
    pub fn all(finding: &Observation, now: Timestamp) -> Self {
        Self { causes: finding.causes.iter().map(ToldCause::new).collect(), at: now }
    }

    /// The same after more was told; what is away for a moment was not told anew.
    pub(super) fn again(&self, finding: &Observation, now: Timestamp) -> Self {
        let mut told = Self::all(finding, now);
        let away = self.after(&finding.causes, now).into_iter().filter(|before| told.of(&before.name).is_none());
        let away: Vec<ToldCause> = away.collect();
        told.causes.extend(away);
        told
    }

    fn of(&self, name: &str) -> Option<&ToldCause> {
        self.causes.iter().find(|told| told.name == name)
    }

    fn is_news(&self, cause: &AlertCause, now: Timestamp) -> bool {
        let Some(ToldCause { told, .. }) = self.of(&cause.name) else { return true };
        let is_settled = now.since(self.at) >= SETTLED;
        cause.count >= told.saturating_mul(AT_ONCE) || is_settled && cause.count >= told.saturating_mul(LATER)
    }

    /// Those of the causes that are news.
    pub(super) fn news<'a>(&self, causes: &'a [AlertCause], now: Timestamp) -> Vec<&'a AlertCause> {
        causes.iter().filter(|cause| self.is_news(cause, now)).collect()
    }

    /// What has been told after a look that told nothing.
    pub(super) fn after(&self, causes: &[AlertCause], now: Timestamp) -> Vec<ToldCause> {
        let count = |name: &str| causes.iter().find(|cause| cause.name == name).map_or(0, |cause| cause.count);
        self.causes.iter().filter_map(|told| told.after(count(&told.name), now)).collect()
    }
}
