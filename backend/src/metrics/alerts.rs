//! Alerts, and what is sent about them.

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

/// How many alerts of each rule are firing now.
#[derive(Debug)]
pub struct AlertsFiring(Family<RuleLabels, Gauge>);

impl AlertsFiring {
    pub(super) fn new(registry: &mut Registering<'_>) -> Self {
        let new = Self(Family::default());
        registry.add("alerts_firing", "Alerts of the backend itself that are firing, by rule", &new.0);
        new
    }

    /// So many alerts of this rule are firing. A rule that never fires is worth setting to 0.
    pub fn set(&self, rule: &str, count: u64) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.0.get_or_create(&RuleLabels { rule: rule.to_owned() }).set(count);
    }
}

/// How often a channel was told of an alert, or could not be.
#[derive(Debug)]
pub struct AlertNotifications(Family<NotificationLabels, Counter>);

impl AlertNotifications {
    pub(super) fn new(registry: &mut Registering<'_>) -> Self {
        let new = Self(Family::default());
        registry.add("alert_notifications", "Messages about alerts, by channel and by whether it took them", &new.0);
        new
    }

    /// A channel that there is.
    pub fn begin(&self, channel: &str) {
        for outcome in ["sent", "failed"] {
            let _ = self.0.get_or_create(&NotificationLabels { channel: channel.to_owned(), outcome });
        }
    }

    /// A channel took a message, or did not.
    pub fn count(&self, channel: &str, sent: bool) {
        let outcome = if sent { "sent" } else { "failed" };
        self.0.get_or_create(&NotificationLabels { channel: channel.to_owned(), outcome }).inc();
    }
}
