//! Sending notifications: each is claimed, sent once, and settled.

use tokio::sync::watch;

use super::{
    Alerts,
    channel::{Channel, SendFailure},
    words,
};
use crate::{
    clock::Timestamp,
    delivery::backoff,
    limits,
    store::{ClaimedNotification, SendOutcome, StoreError},
};

/// The outcome of a test notification to one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelTest {
    /// The channel's name.
    pub channel: String,
    /// `slack`, `teams`, `json` or `email`.
    pub kind: &'static str,
    /// Why it was not delivered, or may not have been.
    pub error: Option<String>,
}

impl Alerts {
    /// Sends the notifications of one channel until `stop` becomes true.
    pub(super) async fn serve(&self, channel: &Channel, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            // Registered before the query, so that what is added meanwhile is not missed.
            let woken = self.wake.notified();
            if let Err(error) = self.send_due(channel, &stop).await {
                tracing::error!(%error, channel = channel.name, "could not read or write a channel's notifications");
            }
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep(limits::NOTIFICATION_POLL.min(self.settings.interval())) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Sends the notifications that are due.
    async fn send_due(&self, channel: &Channel, stop: &watch::Receiver<bool>) -> Result<(), StoreError> {
        let now = self.clock.now();
        for id in self.store.claim_lost_notifications(&channel.name, now, now.after(limits::NOTIFICATION_LEASE)).await?
        {
            tracing::warn!(channel = channel.name, notice = id, "a process died while sending a notification");
            let lost = SendFailure::Unknown("the process died while sending it".to_owned());
            let sent = self.judge(channel, lost, Some(now), now);
            self.store.settle_notification(&channel.name, id, &sent, now).await?;
        }
        while !*stop.borrow() {
            let now = self.clock.now();
            let until = now.after(limits::NOTIFICATION_LEASE);
            let Some(notification) = self.store.claim_notification(&channel.name, now, until).await? else {
                return Ok(());
            };
            self.send(channel, &notification).await?;
        }
        Ok(())
    }

    /// Sends a claimed notification and stores the outcome.
    async fn send(&self, channel: &Channel, notification: &ClaimedNotification) -> Result<(), StoreError> {
        let result = self.try_to_send(channel, notification).await;
        let now = self.clock.now();
        let sent = match result {
            Ok(()) => SendOutcome::Delivered,
            Err(failure) => self.judge(channel, failure, self.retry_at(notification, now), now),
        };
        self.store.settle_notification(&channel.name, notification.id, &sent, now).await
    }

    /// Sends a notification once, and logs it.
    pub(super) async fn try_to_send(
        &self,
        channel: &Channel,
        notification: &ClaimedNotification,
    ) -> Result<(), SendFailure> {
        let result = channel.send(notification, &self.settings.console_url).await;
        self.metrics.alert_notifications.count(&channel.name, result.is_ok());
        let (name, event) = (&channel.name, notification.event.as_str());
        match &result {
            Ok(()) => tracing::info!(channel = name, notice = notification.id, event, "notification sent"),
            Err(SendFailure::NotSent(reason) | SendFailure::Unknown(reason)) => {
                tracing::warn!(channel = name, notice = notification.id, event, reason, "notification not sent");
            }
        }
        result
    }

    /// When a failed notification is retried; `None` when it is given up.
    pub(super) fn retry_at(&self, notification: &ClaimedNotification, now: Timestamp) -> Option<Timestamp> {
        let wait = || backoff::wait(notification.attempts, limits::NOTIFICATION_LONGEST_BACKOFF, &self.random);
        (now.since(notification.created_at) < limits::NOTIFICATION_RETRY_TIME).then(|| now.after(wait()))
    }

    /// Turns a failure into an outcome. A notification that may have been delivered is retried only if the receiver
    /// recognises duplicates.
    pub(super) fn judge(
        &self,
        channel: &Channel,
        failure: SendFailure,
        retry_at: Option<Timestamp>,
        now: Timestamp,
    ) -> SendOutcome {
        match failure {
            SendFailure::Unknown(error) if !channel.is_repeatable() => {
                SendOutcome::Unknown { error, remind_at: now.after(limits::NOTIFICATION_UNKNOWN_TIME) }
            }
            SendFailure::NotSent(error) | SendFailure::Unknown(error) => SendOutcome::Failed { error, retry_at },
        }
    }

    /// Sends a test notification to one channel, or to all, and returns the outcomes. It is not retried.
    pub async fn send_test(&self, only: Option<&str>) -> Result<Vec<ChannelTest>, StoreError> {
        let chosen = self.channels.iter().filter(|channel| only.is_none_or(|name| channel.name == name));
        let tries = chosen.map(|channel| self.send_test_to(channel));
        futures_util::future::try_join_all(tries).await
    }

    async fn send_test_to(&self, channel: &Channel) -> Result<ChannelTest, StoreError> {
        let now = self.clock.now();
        let until = now.after(limits::NOTIFICATION_LEASE);
        let (name, kind, reference) = (&channel.name, channel.kind(), self.reference());
        let notification = self.store.add_test_notification(name, &reference, words::TEST, now, until).await?;
        let error = match &notification {
            Some(notification) => match channel.send(notification, &self.settings.console_url).await {
                Ok(()) => None,
                Err(SendFailure::NotSent(error) | SendFailure::Unknown(error)) => Some(error),
            },
            None => Some("the notification has disappeared from the database".to_owned()),
        };
        if let Some(notification) = &notification {
            let sent =
                error.clone().map_or(SendOutcome::Delivered, |error| SendOutcome::Failed { error, retry_at: None });
            self.store.settle_notification(name, notification.id, &sent, self.clock.now()).await?;
        }
        Ok(ChannelTest { channel: name.clone(), kind, error })
    }
}
