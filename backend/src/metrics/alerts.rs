//! Alerts and their notifications.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

use super::family::Registering;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RuleLabels {
    rule: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct NotificationLabels {
    channel: String,
    outcome: &'static str,
}

/// Open alerts, by rule.
#[derive(Debug)]
pub struct AlertsFiring(Family<RuleLabels, Gauge>);

impl AlertsFiring {
    pub(super) fn new(registry: &mut Registering<'_>) -> Self {
        let new = Self(Family::default());
        registry.add("alerts_firing", "Alerts of the backend itself that are firing, by rule", &new.0);
        new
    }

    /// Sets the number of open alerts of a rule. Set 0 for rules without alerts, so that their series exist.
    pub fn set(&self, rule: &str, count: u64) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.0.get_or_create(&RuleLabels { rule: rule.to_owned() }).set(count);
    }
}

/// Attempts to notify a channel, by outcome.
#[derive(Debug)]
pub struct AlertNotifications(Family<NotificationLabels, Counter>);

impl AlertNotifications {
    pub(super) fn new(registry: &mut Registering<'_>) -> Self {
        let new = Self(Family::default());
        registry.add("alert_notifications", "Attempts to send a notification, by channel and outcome", &new.0);
        new
    }

    /// Exposes the series of a channel from the start.
    pub fn begin(&self, channel: &str) {
        for outcome in ["sent", "failed"] {
            let _ = self.0.get_or_create(&NotificationLabels { channel: channel.to_owned(), outcome });
        }
    }

    /// Counts an attempt to notify a channel.
    pub fn count(&self, channel: &str, sent: bool) {
        let outcome = if sent { "sent" } else { "failed" };
        self.0.get_or_create(&NotificationLabels { channel: channel.to_owned(), outcome }).inc();
    }
}
