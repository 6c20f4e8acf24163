//! Alerts and their notifications as operators read them; acknowledging and pruning.

mod ended;
mod notifications;
mod observe;
mod turn;

use sea_orm::{QueryResult, Value};

pub use ended::EndedAlert;
pub use notifications::{ChannelState, ClaimedNotification, NotifiedAlert, SendOutcome};
pub use observe::{CreditSample, Reason, Waiting};
pub use turn::{AlertTurn, Announcement};

use super::{
    StoreError,
    connection::connect::Store,
    page::{Page, PageRequest},
    sql::{execute, query},
};
use crate::{
    clock::Timestamp,
    model::{NotificationEvent, Rule, Severity},
};

/// Something that is or was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// 0 when the database does not have it.
    pub id: i64,
    /// The rule that raised it.
    pub rule: Rule,
    /// What it is about, for example `destination:zoho`.
    pub subject: String,
    /// What is wrong, for programs; finer than the rule.
    pub code: String,
    /// The worst since it was raised.
    pub severity: Severity,
    /// The last finding in one line; empty if an earlier version stored it.
    pub title: String,
    /// What is wrong and what to do, as of the last finding.
    pub message: String,
    /// The console's page where it is remedied; empty for the alert's own page.
    pub link: String,
    /// The first finding.
    pub raised_at: Timestamp,
    /// The latest finding.
    pub last_seen_at: Timestamp,
    /// `None` while it is open.
    pub resolved_at: Option<Timestamp>,
    /// Whether somebody sees to it.
    pub acknowledged: Option<Acknowledgement>,
}

/// That somebody sees to an alert, so that nobody is reminded of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// When somebody said so.
    pub at: Timestamp,
    /// The name of the token.
    pub by: String,
    /// Until when; `None` for as long as the alert lasts, as earlier versions meant it.
    pub until: Option<Timestamp>,
}

impl Acknowledgement {
    fn of(row: &QueryResult) -> Result<Option<Self>, StoreError> {
        let by: Option<String> = row.try_get("", "acknowledged_by")?;
        let until = moment(row, "acknowledged_until")?;
        Ok(moment(row, "acknowledged_at")?.zip(by).map(|(at, by)| Self { at, by, until }))
    }
}

/// A message about an alert to one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Row id.
    pub id: i64,
    /// The channel's name.
    pub channel: String,
    /// What happened to the alert.
    pub event: NotificationEvent,
    /// `pending`, `sending`, `sent`, `failed` or `unknown`.
    pub state: String,
    /// Attempts so far.
    pub attempts: u32,
    /// When the alert changed.
    pub created_at: Timestamp,
    /// When it reached its final state.
    pub finished_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

const ALERT_COLUMNS: &str = "id, rule, subject, code, severity, title, message, link, raised_at, last_seen_at, \
                             resolved_at, acknowledged_at, acknowledged_by, acknowledged_until";

/// An upper bound, more than anybody reads.
const OPEN_ALERTS: i64 = 1_000;

impl Store {
    /// The open alerts: the worst first, then the oldest.
    pub async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        let sql = format!(
            "SELECT {ALERT_COLUMNS} FROM alerts WHERE resolved_at IS NULL \
             ORDER BY CASE severity WHEN 'critical' THEN 0 ELSE 1 END, id LIMIT {OPEN_ALERTS}"
        );
        query(&self.read, &sql, vec![]).await?.iter().map(alert_of).collect()
    }

    /// A page of all alerts, the newest first. The cursor is an alert's id.
    pub async fn alerts(&self, page: PageRequest<i64>) -> Result<Page<Alert, i64>, StoreError> {
        let sql = format!("SELECT {ALERT_COLUMNS} FROM alerts WHERE id < ? ORDER BY id DESC LIMIT ?");
        let limit = i64::try_from(page.limit).unwrap_or(i64::MAX).saturating_add(1);
        let values = vec![page.after.unwrap_or(i64::MAX).into(), limit.into()];
        let rows = query(&self.read, &sql, values).await?;
        let alerts: Result<Vec<Alert>, StoreError> = rows.iter().map(alert_of).collect();
        Ok(Page::cut(alerts?, page.limit, |alert| alert.id))
    }

    /// One alert, open or resolved.
    pub async fn alert(&self, id: i64) -> Result<Option<Alert>, StoreError> {
        let sql = format!("SELECT {ALERT_COLUMNS} FROM alerts WHERE id = ?");
        query(&self.read, &sql, vec![id.into()]).await?.first().map(alert_of).transpose()
    }

    /// The notifications of an alert, the oldest first.
    pub async fn notifications(&self, alert_id: i64) -> Result<Vec<Notification>, StoreError> {
        let sql = "SELECT id, channel, event, state, attempts, created_at, finished_at, error FROM alert_notices \
                   WHERE alert_id = ? ORDER BY id";
        query(&self.read, sql, vec![alert_id.into()]).await?.iter().map(notification_of).collect()
    }

    /// When all rules were last evaluated; `None` if they never were.
    pub async fn alerts_evaluated_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let rows = query(&self.read, "SELECT evaluated_at FROM alert_turns WHERE name = 'look'", vec![]).await?;
        Ok(rows.first().map(|row| moment(row, "evaluated_at")).transpose()?.flatten())
    }

    /// Records who sees to an alert until `until`, which stops its reminders; the first name stays, and so does the
    /// latest end. It is acknowledged as it is now: more of it is news. False when there is no such open alert.
    pub async fn acknowledge_alert(
        &self,
        id: i64,
        who: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin_immediate().await?;
        let sql = "UPDATE alerts SET acknowledged_at = coalesce(acknowledged_at, ?), \
                   acknowledged_by = coalesce(acknowledged_by, ?), acknowledged_until = \
                   CASE WHEN acknowledged_until > ? THEN acknowledged_until ELSE ? END \
                   WHERE id = ? AND resolved_at IS NULL";
        let values = vec![now.0.into(), who.into(), until.0.into(), until.0.into(), id.into()];
        let changed = execute(&transaction, sql, values).await?;
        if changed > 0 {
            turn::withdraw_reminders(&transaction, id).await?;
            turn::tell_all(&transaction, id, now).await?;
        }
        transaction.commit().await?;
        Ok(changed > 0)
    }

    /// Deletes alerts resolved before `before`, and test notifications created before it: at most `limit` of each, the
    /// oldest. Returns how many.
    pub async fn prune_alerts(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = || -> Vec<Value> { vec![before.0.into(), limit.into()] };
        let tests = "DELETE FROM alert_notices WHERE id IN \
                     (SELECT id FROM alert_notices WHERE alert_id IS NULL AND created_at < ? ORDER BY id LIMIT ?)";
        let old = "SELECT id FROM alerts WHERE resolved_at < ? ORDER BY id LIMIT ?";
        let transaction = self.begin_immediate().await?;
        let tests = execute(&transaction, tests, values()).await?;
        let notifications = format!("DELETE FROM alert_notices WHERE alert_id IN ({old})");
        execute(&transaction, &notifications, values()).await?;
        let alerts = execute(&transaction, &format!("DELETE FROM alerts WHERE id IN ({old})"), values()).await?;
        transaction.commit().await?;
        Ok(tests + alerts)
    }
}

/// Parses a column that holds one of our enumerations.
fn word<T: std::str::FromStr<Err: std::fmt::Display>>(row: &QueryResult, column: &str) -> Result<T, StoreError> {
    let word: String = row.try_get("", column)?;
    word.parse().map_err(|error| StoreError::Refused(sea_orm::DbErr::Type(format!("{column}: {error}"))))
}

fn moment(row: &QueryResult, column: &str) -> Result<Option<Timestamp>, StoreError> {
    Ok(row.try_get::<Option<i64>>("", column)?.map(Timestamp))
}

fn number(row: &QueryResult, column: &str) -> Result<u32, StoreError> {
    Ok(row.try_get::<i32>("", column)?.unsigned_abs())
}

fn alert_of(row: &QueryResult) -> Result<Alert, StoreError> {
    Ok(Alert {
        id: row.try_get("", "id")?,
        rule: word(row, "rule")?,
        subject: row.try_get("", "subject")?,
        code: row.try_get("", "code")?,
        severity: word(row, "severity")?,
        title: row.try_get("", "title")?,
        message: row.try_get("", "message")?,
        link: row.try_get("", "link")?,
        raised_at: Timestamp(row.try_get("", "raised_at")?),
        last_seen_at: Timestamp(row.try_get("", "last_seen_at")?),
        resolved_at: moment(row, "resolved_at")?,
        acknowledged: Acknowledgement::of(row)?,
    })
}

fn notification_of(row: &QueryResult) -> Result<Notification, StoreError> {
    Ok(Notification {
        id: row.try_get("", "id")?,
        channel: row.try_get("", "channel")?,
        event: word(row, "event")?,
        state: row.try_get("", "state")?,
        attempts: number(row, "attempts")?,
        created_at: Timestamp(row.try_get("", "created_at")?),
        finished_at: moment(row, "finished_at")?,
        error: row.try_get("", "error")?,
    })
}
