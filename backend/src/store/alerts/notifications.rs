//! Sending notifications: claimed under a lease, settled once. One that may have been delivered is not sent again.

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};

use super::{Acknowledgement, moment, number, word};
use crate::{
    clock::Timestamp,
    model::{NotificationEvent, Severity},
    store::{
        StoreError,
        connection::connect::Store,
        sql::{execute, query},
    },
};

/// A notification that this process has claimed for sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedNotification {
    /// Row id; 0 when the database does not have it.
    pub id: i64,
    /// Unique, and the same for every attempt.
    pub reference: String,
    /// Attempts, including this one.
    pub attempts: u32,
    /// What happened to the alert.
    pub event: NotificationEvent,
    /// The alert's severity at that time.
    pub severity: Severity,
    /// The finding in one line; empty if an earlier version stored it.
    pub title: String,
    /// What is wrong and what to do.
    pub message: String,
    /// The console's page where it is remedied; empty for the alert's own page.
    pub link: String,
    /// When the alert changed.
    pub created_at: Timestamp,
    /// `None` for a test.
    pub alert: Option<NotifiedAlert>,
}

/// What a notification says about its alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifiedAlert {
    /// Row id; `None` when the database does not have it.
    pub id: Option<i64>,
    /// Its unique reference.
    pub reference: String,
    /// The rule that raised it.
    pub rule: String,
    /// What it is about, for example `destination:zoho`.
    pub subject: String,
    /// What is wrong, for programs.
    pub code: String,
    /// The first finding.
    pub raised_at: Timestamp,
    /// `None` while it is open.
    pub resolved_at: Option<Timestamp>,
    /// Whether somebody sees to it.
    pub acknowledged: Option<Acknowledgement>,
}

/// The outcome of an attempt to send a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// The channel accepted it.
    Delivered,
    /// It was certainly not delivered.
    Failed {
        /// Why; without secrets.
        error: String,
        /// When to retry; `None` when it is given up.
        retry_at: Option<Timestamp>,
    },
    /// It may have been delivered. It is not sent again.
    Unknown {
        /// What happened; without secrets.
        error: String,
        /// When to send a reminder, if the alert is still open then.
        remind_at: Timestamp,
    },
}

/// A channel's recent outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelState {
    /// As configured.
    pub name: String,
    /// `None` before the first success.
    pub last_success_at: Option<Timestamp>,
    /// `None` before the first failure.
    pub last_failure_at: Option<Timestamp>,
    /// Consecutive failed attempts.
    pub failures: u32,
    /// Why the last of them failed.
    pub error: Option<String>,
}

impl Store {
    /// The recent outcomes of every channel that was ever used.
    pub async fn channel_states(&self) -> Result<Vec<ChannelState>, StoreError> {
        let sql = "SELECT name, last_success_at, last_failure_at, failures, error FROM alert_channels ORDER BY name";
        let state = |row: &QueryResult| {
            Ok(ChannelState {
                name: row.try_get("", "name")?,
                last_success_at: moment(row, "last_success_at")?,
                last_failure_at: moment(row, "last_failure_at")?,
                failures: number(row, "failures")?,
                error: row.try_get("", "error")?,
            })
        };
        query(&self.read, sql, vec![]).await?.iter().map(state).collect()
    }

    /// Claims the next notification for a channel, until `until`. Notifications about one alert keep their order.
    pub async fn claim_notification(
        &self,
        channel: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<ClaimedNotification>, StoreError> {
        let due = "SELECT n.id FROM alert_notices n WHERE n.channel = ? AND n.state = 'pending' AND n.next_at <= ? \
                   AND NOT EXISTS (SELECT 1 FROM alert_notices o WHERE o.channel = n.channel AND o.id < n.id \
                   AND o.alert_id = n.alert_id AND o.state IN ('pending', 'sending')) ORDER BY n.id LIMIT 1";
        let found = query(&self.read, due, vec![channel.into(), now.0.into()]).await?;
        let Some(id) = found.first().map(|row| row.try_get::<i64>("", "id")).transpose()? else { return Ok(None) };
        // The first process to change the state has it.
        let sql = "UPDATE alert_notices SET state = 'sending', attempts = attempts + 1, lease_until = ? \
                   WHERE id = ? AND state = 'pending'";
        if execute(&self.write, sql, vec![until.0.into(), id.into()]).await? == 0 {
            return Ok(None);
        }
        self.claimed(id).await
    }

    /// Adds a test notification, already claimed.
    pub async fn add_test_notification(
        &self,
        channel: &str,
        reference: &str,
        message: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<ClaimedNotification>, StoreError> {
        let sql = "INSERT INTO alert_notices (reference, channel, event, severity, message, state, attempts, next_at, \
                   lease_until, created_at) VALUES (?, ?, 'test', 'warning', ?, 'sending', 1, ?, ?, ?) RETURNING id";
        let values = vec![reference.into(), channel.into(), message.into(), now.0.into(), until.0.into(), now.0.into()];
        let rows = query(&self.write, sql, values).await?;
        match rows.first() {
            Some(row) => self.claimed(row.try_get("", "id")?).await,
            None => Ok(None),
        }
    }

    async fn claimed(&self, id: i64) -> Result<Option<ClaimedNotification>, StoreError> {
        let sql = "SELECT n.id, n.reference, n.attempts, n.event, n.severity, n.title, n.message, n.link, n.created_at, n.alert_id, \
                   a.reference AS alert_reference, a.rule, a.subject, a.code, a.raised_at, a.resolved_at, \
                   a.acknowledged_at, a.acknowledged_by, a.acknowledged_until \
                   FROM alert_notices n LEFT JOIN alerts a ON a.id = n.alert_id WHERE n.id = ?";
        query(&self.read, sql, vec![id.into()]).await?.first().map(claimed_of).transpose()
    }

    /// Stores the outcome of a claimed notification, for its channel too. Does nothing if another process did it first.
    pub async fn settle_notification(
        &self,
        channel: &str,
        id: i64,
        sent: &SendOutcome,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let transaction = self.begin_immediate().await?;
        let (state, next_at, error): (_, Option<i64>, _) = match sent {
            SendOutcome::Delivered => ("sent", None, None),
            SendOutcome::Failed { error, retry_at: Some(at) } => ("pending", Some(at.0), Some(error)),
            SendOutcome::Failed { error, retry_at: None } => ("failed", None, Some(error)),
            SendOutcome::Unknown { error, .. } => ("unknown", None, Some(error)),
        };
        let finished_at = next_at.is_none().then_some(now.0);
        let sql = "UPDATE alert_notices SET state = ?, next_at = coalesce(?, next_at), finished_at = ?, lease_until = NULL, \
                   error = ? WHERE id = ? AND state = 'sending'";
        let values: Vec<Value> =
            vec![state.into(), next_at.into(), finished_at.into(), error.cloned().into(), id.into()];
        if execute(&transaction, sql, values).await? > 0 {
            note_channel(&transaction, channel, error, now).await?;
            if let SendOutcome::Unknown { remind_at, .. } = sent {
                // A reminder is a new message with a new time: nothing is sent twice, and nothing goes unsaid.
                let sooner = match transaction.get_database_backend() {
                    DbBackend::Postgres => "LEAST",
                    _ => "MIN",
                };
                let sql = format!(
                    "UPDATE alerts SET remind_at = {sooner}(coalesce(remind_at, ?), ?) WHERE resolved_at IS NULL \
                     AND id = (SELECT alert_id FROM alert_notices WHERE id = ?)"
                );
                let values = vec![remind_at.0.into(), remind_at.0.into(), id.into()];
                execute(&transaction, &sql, values).await?;
            }
        }
        transaction.commit().await
    }

    /// Claims, until `until`, a channel's notifications whose sender let its lease expire.
    pub async fn claim_lost_notifications(
        &self,
        channel: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<i64>, StoreError> {
        let sql =
            "SELECT id FROM alert_notices WHERE channel = ? AND state = 'sending' AND lease_until <= ? ORDER BY id";
        let mut claimed = Vec::new();
        for row in query(&self.read, sql, vec![channel.into(), now.0.into()]).await? {
            let id: i64 = row.try_get("", "id")?;
            let sql =
                "UPDATE alert_notices SET lease_until = ? WHERE id = ? AND state = 'sending' AND lease_until <= ?";
            if execute(&self.write, sql, vec![until.0.into(), id.into(), now.0.into()]).await? > 0 {
                claimed.push(id);
            }
        }
        Ok(claimed)
    }

    /// Gives up notifications created before `before`, including those for channels that are no longer configured.
    /// Returns how many.
    pub async fn give_up_notifications(&self, before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        let sql = "UPDATE alert_notices SET state = 'failed', finished_at = ?, \
                   error = coalesce(error, 'the channel is no longer configured') \
                   WHERE state = 'pending' AND created_at < ?";
        execute(&self.write, sql, vec![now.0.into(), before.0.into()]).await
    }
}

async fn note_channel(
    connection: &impl ConnectionTrait,
    name: &str,
    error: Option<&String>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(error) = error else {
        let sql = "INSERT INTO alert_channels (name, last_success_at, failures) VALUES (?, ?, 0) \
                   ON CONFLICT (name) DO UPDATE SET last_success_at = excluded.last_success_at, failures = 0, error = NULL";
        execute(connection, sql, vec![name.into(), now.0.into()]).await?;
        return Ok(());
    };
    let sql = "INSERT INTO alert_channels (name, last_failure_at, failures, error) VALUES (?, ?, 1, ?) \
               ON CONFLICT (name) DO UPDATE SET last_failure_at = excluded.last_failure_at, \
               failures = alert_channels.failures + 1, error = excluded.error";
    execute(connection, sql, vec![name.into(), now.0.into(), error.as_str().into()]).await?;
    Ok(())
}

fn claimed_of(row: &QueryResult) -> Result<ClaimedNotification, StoreError> {
    let alert = match row.try_get::<Option<i64>>("", "alert_id")? {
        Some(id) => Some(NotifiedAlert {
            id: Some(id),
            reference: row.try_get("", "alert_reference")?,
            rule: row.try_get("", "rule")?,
            subject: row.try_get("", "subject")?,
            code: row.try_get("", "code")?,
            raised_at: Timestamp(row.try_get("", "raised_at")?),
            resolved_at: moment(row, "resolved_at")?,
            acknowledged: Acknowledgement::of(row)?,
        }),
        None => None,
    };
    Ok(ClaimedNotification {
        id: row.try_get("", "id")?,
        reference: row.try_get("", "reference")?,
        attempts: number(row, "attempts")?,
        event: word(row, "event")?,
        severity: word(row, "severity")?,
        title: row.try_get("", "title")?,
        message: row.try_get("", "message")?,
        link: row.try_get("", "link")?,
        created_at: Timestamp(row.try_get("", "created_at")?),
        alert,
    })
}
