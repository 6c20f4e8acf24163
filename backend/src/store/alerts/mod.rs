//! Alerts and their notices as operators read them; acknowledging and forgetting them.

mod ended;
mod notices;
mod observe;
mod turn;

use sea_orm::{QueryResult, Value};

pub use ended::EndedAlert;
pub use notices::{ChannelState, ClaimedNotice, NoticedAlert, Sent};
pub use observe::{CreditSample, Undelivered};
pub use turn::{AlertTurn, Told};

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
    /// Its id.
    pub id: i64,
    /// What found it.
    pub rule: Rule,
    /// With what something is wrong, as in `destination:zoho`.
    pub subject: String,
    /// What is wrong, for programs.
    pub code: String,
    /// The worst so far.
    pub severity: Severity,
    /// What is wrong and what to do, as it was last seen.
    pub message: String,
    /// Since when.
    pub raised_at: Timestamp,
    /// When it was last seen.
    pub last_seen_at: Timestamp,
    /// Since when it is well again.
    pub resolved_at: Option<Timestamp>,
    /// When somebody acknowledged it, and the name of the token.
    pub acknowledged: Option<(Timestamp, String)>,
}

/// A notice to one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its id.
    pub id: i64,
    /// Where it goes.
    pub channel: String,
    /// What it tells.
    pub event: NotificationEvent,
    /// `pending`, `sending`, `sent`, `failed` or `unknown`.
    pub state: String,
    /// Tries so far.
    pub attempts: u32,
    /// When that happened of which it tells.
    pub created_at: Timestamp,
    /// Since when nothing more becomes of it.
    pub finished_at: Option<Timestamp>,
    /// Why it is not sent.
    pub error: Option<String>,
}

const ALERT_COLUMNS: &str = "id, rule, subject, code, severity, message, raised_at, last_seen_at, resolved_at, \
                             acknowledged_at, acknowledged_by";

/// More open alerts than anybody reads.
const OPEN_ALERTS: i64 = 1_000;

impl Store {
    /// The alerts that are not resolved: the worst first, and of these the oldest.
    pub async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        let sql = format!(
            "SELECT {ALERT_COLUMNS} FROM alerts WHERE resolved_at IS NULL \
             ORDER BY CASE severity WHEN 'critical' THEN 0 ELSE 1 END, id LIMIT {OPEN_ALERTS}"
        );
        query(&self.read, &sql, vec![]).await?.iter().map(alert_of).collect()
    }

    /// A page of all alerts, the newest first. A place is an alert's id.
    pub async fn alerts(&self, page: PageRequest<i64>) -> Result<Page<Alert, i64>, StoreError> {
        let sql = format!("SELECT {ALERT_COLUMNS} FROM alerts WHERE id < ? ORDER BY id DESC LIMIT ?");
        let limit = i64::try_from(page.limit).unwrap_or(i64::MAX).saturating_add(1);
        let values = vec![page.after.unwrap_or(i64::MAX).into(), limit.into()];
        let rows = query(&self.read, &sql, values).await?;
        let alerts: Result<Vec<Alert>, StoreError> = rows.iter().map(alert_of).collect();
        Ok(Page::cut(alerts?, page.limit, |alert| alert.id))
    }

    /// One alert.
    pub async fn alert(&self, id: i64) -> Result<Option<Alert>, StoreError> {
        let sql = format!("SELECT {ALERT_COLUMNS} FROM alerts WHERE id = ?");
        query(&self.read, &sql, vec![id.into()]).await?.first().map(alert_of).transpose()
    }

    /// The notices of an alert, the oldest first.
    pub async fn notices(&self, alert_id: i64) -> Result<Vec<Notice>, StoreError> {
        let sql = "SELECT id, channel, event, state, attempts, created_at, finished_at, error FROM alert_notices \
                   WHERE alert_id = ? ORDER BY id";
        query(&self.read, sql, vec![alert_id.into()]).await?.iter().map(notice_of).collect()
    }

    /// Writes down who knows of an alert, so that nobody is reminded of it; whoever was first stays. False when there is no such
    /// alert, or it is resolved.
    pub async fn acknowledge_alert(&self, id: i64, who: &str, now: Timestamp) -> Result<bool, StoreError> {
        let transaction = self.begin_immediate().await?;
        let sql = "UPDATE alerts SET acknowledged_at = coalesce(acknowledged_at, ?), \
                   acknowledged_by = coalesce(acknowledged_by, ?) WHERE id = ? AND resolved_at IS NULL";
        let changed = execute(&transaction, sql, vec![now.0.into(), who.into(), id.into()]).await?;
        if changed > 0 {
            turn::withdraw_reminders(&transaction, id).await?;
        }
        transaction.commit().await?;
        Ok(changed > 0)
    }

    /// Forgets alerts that were resolved before `before`, and tests of that time: at most `limit` of each, the oldest. Returns how
    /// many.
    pub async fn prune_alerts(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = || -> Vec<Value> { vec![before.0.into(), limit.into()] };
        let tests = "DELETE FROM alert_notices WHERE id IN \
                     (SELECT id FROM alert_notices WHERE alert_id IS NULL AND created_at < ? ORDER BY id LIMIT ?)";
        let old = "SELECT id FROM alerts WHERE resolved_at < ? ORDER BY id LIMIT ?";
        let transaction = self.begin_immediate().await?;
        let tests = execute(&transaction, tests, values()).await?;
        let notices = format!("DELETE FROM alert_notices WHERE alert_id IN ({old})");
        execute(&transaction, &notices, values()).await?;
        let alerts = execute(&transaction, &format!("DELETE FROM alerts WHERE id IN ({old})"), values()).await?;
        transaction.commit().await?;
        Ok(tests + alerts)
    }
}

/// A word of ours in a column.
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
    let by: Option<String> = row.try_get("", "acknowledged_by")?;
    Ok(Alert {
        id: row.try_get("", "id")?,
        rule: word(row, "rule")?,
        subject: row.try_get("", "subject")?,
        code: row.try_get("", "code")?,
        severity: word(row, "severity")?,
        message: row.try_get("", "message")?,
        raised_at: Timestamp(row.try_get("", "raised_at")?),
        last_seen_at: Timestamp(row.try_get("", "last_seen_at")?),
        resolved_at: moment(row, "resolved_at")?,
        acknowledged: moment(row, "acknowledged_at")?.zip(by),
    })
}

fn notice_of(row: &QueryResult) -> Result<Notice, StoreError> {
    Ok(Notice {
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
