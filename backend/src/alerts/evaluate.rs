//! Evaluating the rules and storing the alerts that change.

use tokio::sync::watch;

use super::Alerts;
use crate::{
    clock::Timestamp,
    limits,
    model::{AlertPolicy, NotificationEvent, decide},
    store::{Announcement, Cause, StoreError},
};

impl Alerts {
    /// Evaluates the rules at the configured interval, while this process holds the turn.
    pub(super) async fn watch(&self, mut stop: watch::Receiver<bool>) {
        // Identifies this process, so that it can reclaim a turn that it could not end while the database was away.
        let holder = self.reference();
        while !*stop.borrow() {
            let outcome = tokio::time::timeout(limits::ALERT_TURN, self.evaluate(&holder)).await;
            self.note_evaluation(match outcome {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => {
                    tracing::error!(%error, "could not evaluate the alert rules");
                    // Find out whether the database accepts events.
                    self.health.try_write(&self.store).await;
                    Err(error.cause())
                }
                Err(_) => {
                    tracing::error!("evaluating the alert rules took too long");
                    Err(Cause::Deadline)
                }
            });
            tokio::select! {
                () = tokio::time::sleep(self.settings.interval()) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Counts consecutive failed evaluations, but only while the database accepts events: when it does not, that is an
    /// alert of its own.
    fn note_evaluation(&self, result: Result<(), Cause>) {
        let accepts_events = self.health.write_health().failing().is_none();
        let mut memory = self.memory();
        memory.failed_evaluations = match result {
            Err(fault) if accepts_events => {
                Some((memory.failed_evaluations.map_or(1, |(evaluations, _)| evaluations + 1), fault))
            }
            _ => None,
        };
    }

    /// Evaluates the rules once, if it is due and no other process does it.
    async fn evaluate(&self, holder: &str) -> Result<(), StoreError> {
        let now = self.clock.now();
        if !self.store.begin_alert_turn(holder, now, now.after(limits::ALERT_TURN)).await? {
            return Ok(());
        }
        let evaluation = self.gather(now).await;
        let not_judged = evaluation.not_judged();
        let evaluated = not_judged.is_empty().then_some(now);
        let next = now.after(self.settings.interval());
        let Some(turn) = self.store.end_alert_turn(holder, evaluated, next).await? else {
            tracing::warn!("evaluating the alert rules took so long that another process took over");
            return Ok(());
        };
        let changes = decide(&turn.open(now).await?, evaluation.findings, &not_judged, now);
        let announcements = turn
            .write(changes, &self.policy(), &|subject| self.channels_for(subject), &|| self.reference(), now)
            .await?;
        turn.commit().await?;
        self.wake.notify_waiters();
        announcements.iter().for_each(log);
        self.prune(now).await
    }

    /// When alerts resolve and are repeated.
    pub(super) fn policy(&self) -> AlertPolicy {
        AlertPolicy { quiet: self.settings.quiet(), remind: self.settings.remind() }
    }

    /// The channels for alerts about a subject. A failing channel is left out of its own alert.
    fn channels_for(&self, subject: &str) -> Vec<String> {
        let failing = subject.strip_prefix("channel:");
        self.channels.iter().map(|channel| channel.name.clone()).filter(|name| failing != Some(name)).collect()
    }

    /// Deletes old alerts, at most once per interval.
    async fn prune(&self, now: Timestamp) -> Result<(), StoreError> {
        let before = self.memory().pruned_at;
        if before.is_some_and(|at| !now.is_past(at, limits::PRUNE_INTERVAL)) || !self.clock.is_agreed() {
            return Ok(());
        }
        self.store.give_up_notifications(now.before(limits::NOTIFICATION_RETRY_TIME), now).await?;
        let pruned = self.store.prune_alerts(now.before(self.settings.keep()), limits::PRUNE_ROWS).await?;
        // A full batch: there may be more at the next evaluation.
        if pruned < limits::PRUNE_ROWS {
            self.memory().pruned_at = Some(now);
        }
        Ok(())
    }
}

pub(super) fn log(announcement: &Announcement) {
    let Announcement { event, rule, subject, severity, message, .. } = announcement;
    let (event, severity) = (event.as_str(), severity.as_str());
    match announcement.event {
        NotificationEvent::Resolved => tracing::info!(rule, subject, severity, event, "✅ alert resolved"),
        _ => tracing::warn!(rule, subject, severity, event, detail = message, "🔔 alert"),
    }
}
