//! Sending notices: each is claimed, sent once, and settled.

use tokio::sync::watch;

use super::{
    Alerts,
    channel::{Channel, Failure},
    words,
};
use crate::{
    clock::Timestamp,
    delivery::backoff,
    limits,
    store::{ClaimedNotice, Sent, StoreError},
};

/// What became of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The channel.
    pub channel: String,
    /// `slack`, `teams`, `json` or `email`.
    pub kind: &'static str,
    /// Why the notice did not arrive, or may not have.
    pub error: Option<String>,
}

impl Alerts {
    /// Sends the notices of one channel until `stop` becomes true.
    pub(super) async fn serve(&self, channel: &Channel, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            // Before looking, so that what is added meanwhile is not overlooked.
            let woken = self.wake.notified();
            if let Err(error) = self.send_due(channel, &stop).await {
                tracing::error!(%error, channel = channel.name, "could not read or write the notices of a channel");
            }
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep(limits::NOTIFICATION_POLL.min(self.settings.interval())) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Sends what is due.
    async fn send_due(&self, channel: &Channel, stop: &watch::Receiver<bool>) -> Result<(), StoreError> {
        let now = self.clock.now();
        for id in self.store.claim_lost_notices(&channel.name, now, now.after(limits::NOTIFICATION_LEASE)).await? {
            tracing::warn!(channel = channel.name, notice = id, "a process died while it sent a notice");
            let lost = Failure::Unknown("the process ended while it was sent".to_owned());
            let sent = self.judge(channel, lost, Some(now), now);
            self.store.settle_notice(&channel.name, id, &sent, now).await?;
        }
        while !*stop.borrow() {
            let now = self.clock.now();
            let until = now.after(limits::NOTIFICATION_LEASE);
            let Some(notice) = self.store.claim_notice(&channel.name, now, until).await? else { return Ok(()) };
            self.send(channel, &notice).await?;
        }
        Ok(())
    }

    /// Sends a claimed notice, and writes down what became of it.
    async fn send(&self, channel: &Channel, notice: &ClaimedNotice) -> Result<(), StoreError> {
        let result = self.try_to_send(channel, notice).await;
        let now = self.clock.now();
        let sent = match result {
            Ok(()) => Sent::Arrived,
            Err(failure) => self.judge(channel, failure, self.retry_at(notice, now), now),
        };
        self.store.settle_notice(&channel.name, notice.id, &sent, now).await
    }

    /// Sends a notice once, and says so.
    pub(super) async fn try_to_send(&self, channel: &Channel, notice: &ClaimedNotice) -> Result<(), Failure> {
        let result = channel.send(notice, &self.settings.console_url).await;
        self.metrics.alert_notifications.count(&channel.name, result.is_ok());
        let (name, event) = (&channel.name, notice.event.as_str());
        match &result {
            Ok(()) => tracing::info!(channel = name, notice = notice.id, event, "sent a notice"),
            Err(Failure::Refused(reason) | Failure::Unknown(reason)) => {
                tracing::warn!(channel = name, notice = notice.id, event, reason, "a notice was not sent");
            }
        }
        result
    }

    /// When a notice that was not sent is tried again; none when it is given up.
    pub(super) fn retry_at(&self, notice: &ClaimedNotice, now: Timestamp) -> Option<Timestamp> {
        let wait = || backoff::wait(notice.attempts, limits::NOTIFICATION_LONGEST_BACKOFF, &self.random);
        (now.since(notice.created_at) < limits::NOTIFICATION_RETRY_TIME).then(|| now.after(wait()))
    }

    /// What follows from a failure. What may have arrived is sent again only to those who recognise it.
    pub(super) fn judge(
        &self,
        channel: &Channel,
        failure: Failure,
        retry_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Sent {
        match failure {
            Failure::Unknown(error) if !channel.is_repeatable() => {
                Sent::Unknown { error, remind_at: now.after(limits::NOTIFICATION_UNKNOWN_TIME) }
            }
            Failure::Refused(error) | Failure::Unknown(error) => Sent::Refused { error, retry_at },
        }
    }

    /// Sends a notice of nothing to one channel, or to all, and says at once what became of it. It is not repeated.
    pub async fn send_test(&self, only: Option<&str>) -> Result<Vec<Tried>, StoreError> {
        let chosen = self.channels.iter().filter(|channel| only.is_none_or(|name| channel.name == name));
        let tries = chosen.map(|channel| self.send_test_to(channel));
        futures_util::future::try_join_all(tries).await
    }

    async fn send_test_to(&self, channel: &Channel) -> Result<Tried, StoreError> {
        let now = self.clock.now();
        let until = now.after(limits::NOTIFICATION_LEASE);
        let (name, kind, reference) = (&channel.name, channel.kind(), self.reference());
        let notice = self.store.add_test_notice(name, &reference, words::TEST, now, until).await?;
        let error = match &notice {
            Some(notice) => match channel.send(notice, &self.settings.console_url).await {
                Ok(()) => None,
                Err(Failure::Refused(error) | Failure::Unknown(error)) => Some(error),
            },
            None => Some("the notice is gone from the database".to_owned()),
        };
        if let Some(notice) = &notice {
            let sent = error.clone().map_or(Sent::Arrived, |error| Sent::Refused { error, retry_at: None });
            self.store.settle_notice(name, notice.id, &sent, self.clock.now()).await?;
        }
        Ok(Tried { channel: name.clone(), kind, error })
    }
}
