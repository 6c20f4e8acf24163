//! Alerts that the database cannot store: each process keeps them in memory and notifies the channels itself.
//!
//! They follow the same rules as others ([`crate::model::decide`]), but without turns, stored notifications and leases,
//! which need the database. So every process that sees the same problem sends the same alert, and names itself. When
//! the database works again, alerts that ended are stored for the history. A process that stops before that loses them.

use std::{
    collections::{HashMap, VecDeque},
    sync::{MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::{mpsc, watch};

use super::{Alerts, channel::Channel, evaluate::log, rules};
use crate::{
    clock::Timestamp,
    health::WriteHealth,
    limits,
    model::{AlertChange, AlertPolicy, NotificationEvent, Observation, OpenAlert, Rule, Told, decide},
    store::{Alert, Announcement, ClaimedNotification, EndedAlert, NotifiedAlert, SendOutcome, StoreError},
};

/// The alerts that are not in the database.
#[derive(Default)]
pub(super) struct Unstored {
    open: Vec<UnstoredAlert>,
    last_id: i64,
    /// By rule and subject: how many quiet evaluations the last alert needed, and when it was resolved.
    before: HashMap<(Rule, String), (u32, Timestamp)>,
    /// Resolved alerts that the database does not have yet.
    ended: VecDeque<EndedAlert>,
}

/// An open alert.
struct UnstoredAlert {
    reference: String,
    open: OpenAlert,
    finding: Observation,
    raised_at: Timestamp,
    last_seen_at: Timestamp,
}

impl UnstoredAlert {
    fn alert(&self, resolved_at: Option<Timestamp>) -> Alert {
        let Observation { rule, subject, code, title, message, link, .. } = self.finding.clone();
        Alert {
            id: 0,
            rule,
            subject,
            code: code.to_owned(),
            severity: self.open.severity,
            title,
            message,
            link,
            raised_at: self.raised_at,
            last_seen_at: self.last_seen_at,
            resolved_at,
            acknowledged: None,
        }
    }

    /// A notification about it; each channel's copy gets a reference of its own.
    fn notification(&self, event: NotificationEvent, finding: &Observation, now: Timestamp) -> ClaimedNotification {
        let Observation { rule, subject, code, title, message, link, .. } = finding.clone();
        let alert = NotifiedAlert {
            id: None,
            reference: self.reference.clone(),
            rule: rule.as_str().to_owned(),
            subject,
            code: code.to_owned(),
            raised_at: self.raised_at,
            resolved_at: (event == NotificationEvent::Resolved).then_some(now),
            acknowledged: None,
        };
        let (severity, alert) = (self.open.severity, Some(alert));
        ClaimedNotification {
            id: 0,
            reference: String::new(),
            attempts: 0,
            event,
            severity,
            title,
            message,
            link,
            created_at: now,
            alert,
        }
    }
}

impl Unstored {
    /// The open alerts.
    pub(super) fn open(&self) -> Vec<Alert> {
        self.open.iter().map(|entry| entry.alert(None)).collect()
    }

    /// Applies the findings of one evaluation; returns the notifications for all channels.
    fn judge(
        &mut self,
        findings: Vec<Observation>,
        policy: &AlertPolicy,
        reference: &dyn Fn() -> String,
        now: Timestamp,
    ) -> Vec<ClaimedNotification> {
        let open: Vec<OpenAlert> = self.open.iter().map(|entry| entry.open.clone()).collect();
        let changes = decide(&open, findings, &[], now);
        changes.into_iter().filter_map(|change| self.change(change, policy, reference, now)).collect()
    }

    fn change(
        &mut self,
        change: AlertChange,
        policy: &AlertPolicy,
        reference: &dyn Fn() -> String,
        now: Timestamp,
    ) -> Option<ClaimedNotification> {
        let remind_at = policy.remind.map(|time| now.after(time));
        match change {
            AlertChange::Raise(finding) => {
                self.last_id += 1;
                let (id, rule, subject) = (self.last_id, finding.rule, finding.subject.clone());
                let before = self.before.get(&(rule, subject.clone())).copied();
                let (severity, quiet_needed) = (finding.severity, policy.quiet_needed(before, now));
                let (acknowledged, quiet, told) = (false, 0, Some(Told::all(&finding, now)));
                let open =
                    OpenAlert { id, rule, subject, severity, acknowledged, told, quiet, quiet_needed, remind_at };
                let entry = UnstoredAlert { reference: reference(), open, finding, raised_at: now, last_seen_at: now };
                let notification = entry.notification(NotificationEvent::Raised, &entry.finding, now);
                self.open.push(entry);
                Some(notification)
            }
            AlertChange::Keep { id, finding, notify, told } => {
                let entry = self.open.iter_mut().find(|entry| entry.open.id == id)?;
                (entry.open.severity, entry.open.quiet, entry.last_seen_at) = (finding.severity, 0, now);
                (entry.finding, entry.open.told) = (finding, Some(told));
                let (event, news) = notify?;
                let notification = entry.notification(event, &news, now);
                entry.open.remind_at = remind_at;
                Some(notification)
            }
            AlertChange::Quiet { id } => {
                self.open.iter_mut().find(|entry| entry.open.id == id)?.open.quiet += 1;
                None
            }
            AlertChange::Resolve { id } => {
                let place = self.open.iter().position(|entry| entry.open.id == id)?;
                let entry = self.open.remove(place);
                let key = (entry.open.rule, entry.open.subject.clone());
                self.before.insert(key, (entry.open.quiet_needed, now));
                let (notification, alert) =
                    (entry.notification(NotificationEvent::Resolved, &entry.finding, now), entry.alert(Some(now)));
                if self.ended.len() < limits::UNSTORED_ALERTS {
                    let (reference, quiet_needed) = (entry.reference, entry.open.quiet_needed);
                    self.ended.push_back(EndedAlert { reference, alert, quiet_needed });
                }
                Some(notification)
            }
        }
    }

    /// Schedules a reminder, because it is unknown whether the alert's notification was delivered.
    fn remind(&mut self, reference: &str, at: Timestamp) {
        if let Some(entry) = self.open.iter_mut().find(|entry| entry.reference == reference) {
            entry.open.remind_at = Some(entry.open.remind_at.map_or(at, |before| before.min(at)));
        }
    }
}

impl Alerts {
    /// The open alerts, including those that only this process knows; the worst first.
    pub async fn open(&self) -> Result<Vec<Alert>, StoreError> {
        let mut open = self.unstored().open();
        open.extend(self.store.open_alerts().await?);
        open.sort_by_key(|alert| std::cmp::Reverse(alert.severity));
        Ok(open)
    }

    /// The open alerts that the database cannot store.
    pub fn only_in_memory(&self) -> Vec<Alert> {
        self.unstored().open()
    }

    pub(super) fn unstored(&self) -> MutexGuard<'_, Unstored> {
        self.unstored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches whether the database accepts alerts, and passes the others to the channels' senders,
    /// until `stop` becomes true.
    pub(super) async fn watch_writes(
        &self,
        senders: Vec<mpsc::UnboundedSender<ClaimedNotification>>,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            tokio::select! {
                () = self.watch_writes_once(&senders) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            tokio::select! {
                () = tokio::time::sleep(self.settings.interval()) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn watch_writes_once(&self, senders: &[mpsc::UnboundedSender<ClaimedNotification>]) {
        let health = self.health.write_health();
        let now = self.clock.now();
        let notifications =
            self.unstored().judge(self.cannot_be_stored(&health), &self.policy(), &|| self.reference(), now);
        for notification in notifications {
            log(&announcement(&notification));
            for sender in senders {
                let notification = ClaimedNotification { reference: self.reference(), ..notification.clone() };
                // Fails only when the sender's task has ended, because the server stops.
                let _ = sender.send(notification);
            }
        }
        if health.failing().is_none() {
            self.store_ended().await;
        }
    }

    /// Problems that the database cannot store an alert about.
    fn cannot_be_stored(&self, health: &WriteHealth) -> Vec<Observation> {
        let found = rules::database(health, &self.settings.rules, &self.place, Instant::now());
        let failed = self.memory().failed_evaluations.filter(|_| health.failing().is_none());
        let failed = failed.filter(|(evaluations, _)| *evaluations >= limits::UNJUDGED_CHECKS);
        let failed = failed.map(|(evaluations, cause)| rules::not_stored(evaluations, cause, &self.place));
        // Only this process knows what it answered.
        let lost = self.health.lost().map(|id| rules::lost(id, &self.place));
        found.into_iter().chain(failed).chain(lost).collect()
    }

    /// Stores resolved alerts, for the history. If that fails, it is retried.
    async fn store_ended(&self) {
        loop {
            let Some(ended) = self.unstored().ended.front().cloned() else { return };
            if let Err(error) = self.store.add_ended_alert(&ended).await {
                return tracing::warn!(%error, "could not store a resolved alert");
            }
            self.unstored().ended.pop_front();
        }
    }

    /// Sends one channel the notifications that the database does not have, one by one, until `stop` becomes true.
    pub(super) async fn send_unstored(
        &self,
        channel: &Channel,
        mut notifications: mpsc::UnboundedReceiver<ClaimedNotification>,
        mut stop: watch::Receiver<bool>,
    ) {
        while let Some(notification) = tokio::select! {
            notification = notifications.recv() => notification,
            _ = stop.wait_for(|stop| *stop) => None,
        } {
            self.send_until_settled(channel, notification, &mut stop).await;
        }
    }

    /// Retries until the notification is delivered, may have been, or is given up.
    async fn send_until_settled(
        &self,
        channel: &Channel,
        mut notification: ClaimedNotification,
        stop: &mut watch::Receiver<bool>,
    ) {
        loop {
            notification.attempts += 1;
            let Err(failure) = self.try_to_send(channel, &notification).await else { return };
            let now = self.clock.now();
            match self.judge(channel, failure, self.retry_at(&notification, now), now) {
                SendOutcome::Failed { retry_at: Some(at), .. } => tokio::select! {
                    () = tokio::time::sleep(at.since(now)) => {}
                    _ = stop.wait_for(|stop| *stop) => return,
                },
                SendOutcome::Unknown { remind_at, .. } => {
                    let reference = notification.alert.as_ref().map_or("", |alert| &alert.reference);
                    return self.unstored().remind(reference, remind_at);
                }
                SendOutcome::Failed { retry_at: None, .. } | SendOutcome::Delivered => return,
            }
        }
    }
}

fn announcement(notification: &ClaimedNotification) -> Announcement {
    let (rule, subject) =
        notification.alert.as_ref().map(|alert| (alert.rule.clone(), alert.subject.clone())).unwrap_or_default();
    Announcement {
        event: notification.event,
        rule,
        subject,
        severity: notification.severity,
        title: notification.title.clone(),
        message: notification.message.clone(),
        link: notification.link.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Unstored;
    use crate::{
        clock::Timestamp,
        model::{AlertCause, AlertPolicy, NotificationEvent, Observation, Rule, Severity},
    };

    const POLICY: AlertPolicy = AlertPolicy { quiet: 2, remind: Some(Duration::from_secs(60)) };

    fn finding(code: &'static str) -> Observation {
        let (name, link) = (code.to_owned(), String::new());
        let cause = AlertCause { name: name.clone(), count: 1, title: name.clone(), message: name.clone(), link };
        Observation {
            rule: Rule::Database,
            subject: "database".to_owned(),
            code,
            severity: Severity::Critical,
            title: name.clone(),
            message: name,
            link: String::new(),
            causes: vec![cause],
        }
    }

    fn announced(unstored: &mut Unstored, findings: Vec<Observation>, second: i64) -> Vec<(NotificationEvent, String)> {
        let now = Timestamp(second * 1_000);
        let notifications = unstored.judge(findings, &POLICY, &|| second.to_string(), now);
        notifications
            .into_iter()
            .map(|notification| (notification.event, notification.alert.unwrap().reference))
            .collect()
    }

    #[test]
    fn an_alert_is_sent_once_reminded_and_resolved() {
        let mut unstored = Unstored::default();
        assert_eq!(announced(&mut unstored, vec![finding("a")], 1), [(NotificationEvent::Raised, "1".to_owned())]);
        assert_eq!(announced(&mut unstored, vec![finding("a")], 2), []);
        assert_eq!(announced(&mut unstored, vec![finding("a")], 61), [(NotificationEvent::Reminder, "1".to_owned())]);
        let another = announced(&mut unstored, vec![finding("b")], 62);
        assert_eq!(another, [(NotificationEvent::Worsened, "1".to_owned())], "another cause is news");
        assert_eq!(unstored.open()[0].code, "b", "the latest finding");
        assert_eq!(announced(&mut unstored, vec![], 63), []);
        assert_eq!(announced(&mut unstored, vec![finding("b")], 64), [], "it never went away");
        assert_eq!(announced(&mut unstored, vec![], 65), []);
        assert_eq!(announced(&mut unstored, vec![], 66), [(NotificationEvent::Resolved, "1".to_owned())]);
        assert!(unstored.open().is_empty());
        let ended = unstored.ended.pop_front().unwrap();
        let times = (ended.alert.raised_at, ended.alert.last_seen_at, ended.alert.resolved_at);
        assert_eq!(times, (Timestamp(1_000), Timestamp(64_000), Some(Timestamp(66_000))));
        // A flapping alert must stay quiet for longer.
        assert_eq!(announced(&mut unstored, vec![finding("a")], 70), [(NotificationEvent::Raised, "70".to_owned())]);
        assert_eq!(unstored.open[0].open.quiet_needed, 4);
    }

    #[test]
    fn a_notification_of_unknown_outcome_is_followed_by_a_reminder() {
        let mut unstored = Unstored::default();
        announced(&mut unstored, vec![finding("a")], 1);
        unstored.remind("another", Timestamp(2_000));
        assert_eq!(announced(&mut unstored, vec![finding("a")], 2), []);
        unstored.remind("1", Timestamp(3_000));
        assert_eq!(announced(&mut unstored, vec![finding("a")], 3), [(NotificationEvent::Reminder, "1".to_owned())]);
    }
}
