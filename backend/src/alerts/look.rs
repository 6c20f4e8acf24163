//! Looking at what may be wrong, and writing the alerts of it.

use tokio::sync::watch;

use super::Alerts;
use crate::{
    clock::Timestamp,
    limits,
    model::{AlertPolicy, NotificationEvent, decide},
    store::{Cause, StoreError, Told},
};

impl Alerts {
    /// Looks now and then, when it is this process's turn.
    pub(super) async fn watch(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let looked = tokio::time::timeout(limits::ALERT_TURN, self.look()).await;
            self.looked(match looked {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => {
                    tracing::error!(%error, "could not look whether something is wrong");
                    // Perhaps because nothing can be written.
                    self.health.try_write(&self.store).await;
                    Err(error.cause())
                }
                Err(_) => {
                    tracing::error!("looking whether something is wrong took too long");
                    Err(Cause::Deadline)
                }
            });
            tokio::select! {
                () = tokio::time::sleep(self.settings.interval()) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Counts the looks in a row that failed while the database took writes: when it takes none, that is known already.
    fn looked(&self, result: Result<(), Cause>) {
        let takes_writes = self.health.write_health().failing().is_none();
        let mut memory = self.memory();
        memory.failed_looks = match result {
            Err(fault) if takes_writes => Some((memory.failed_looks.map_or(1, |(looks, _)| looks + 1), fault)),
            _ => None,
        };
    }

    /// Looks once, if it is time and no other process does.
    async fn look(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let holder = self.reference();
        if !self.store.begin_alert_turn(&holder, now, now.after(limits::ALERT_TURN)).await? {
            return Ok(());
        }
        let seen = self.see(now).await;
        let Some(turn) = self.store.end_alert_turn(&holder, now.after(self.settings.interval())).await? else {
            tracing::warn!("looking took so long that another process took over");
            return Ok(());
        };
        let not_judged = seen.not_judged();
        let changes = decide(&turn.open().await?, seen.findings, &not_judged, now);
        let told =
            turn.write(changes, &self.policy(), &|subject| self.told(subject), &|| self.reference(), now).await?;
        turn.commit().await?;
        self.wake.notify_waiters();
        told.iter().for_each(log);
        self.prune(now).await
    }

    /// How alerts are told of.
    pub(super) fn policy(&self) -> AlertPolicy {
        AlertPolicy { quiet: self.settings.quiet(), remind: self.settings.remind() }
    }

    /// The channels that are told of a subject: of a channel that fails, the others.
    fn told(&self, subject: &str) -> Vec<String> {
        let failing = subject.strip_prefix("channel:");
        self.channels.iter().map(|channel| channel.name.clone()).filter(|name| failing != Some(name)).collect()
    }

    /// Forgets what is old, now and then.
    async fn prune(&self, now: Timestamp) -> Result<(), StoreError> {
        let before = self.memory().pruned_at;
        if before.is_some_and(|at| !now.is_past(at, limits::PRUNE_INTERVAL)) || !self.clock.is_agreed() {
            return Ok(());
        }
        self.store.give_up_notices(now.before(limits::NOTIFICATION_RETRY_TIME), now).await?;
        let pruned = self.store.prune_alerts(now.before(self.settings.keep()), limits::PRUNE_ROWS).await?;
        // More of them at the next look.
        if pruned < limits::PRUNE_ROWS {
            self.memory().pruned_at = Some(now);
        }
        Ok(())
    }
}

pub(super) fn log(told: &Told) {
    let Told { event, rule, subject, severity, message } = told;
    let (event, severity) = (event.as_str(), severity.as_str());
    match told.event {
        NotificationEvent::Resolved => tracing::info!(rule, subject, severity, event, "✅ an alert is resolved"),
        _ => tracing::warn!(rule, subject, severity, event, detail = message, "🔔 an alert"),
    }
}
