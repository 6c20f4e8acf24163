//! Counts per minute: for charts, and to know a site's usual activity.

use sea_orm::{
    ActiveValue::Set,
    EntityTrait, QueryResult,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use super::{
    StoreError,
    connection::connect::Store,
    entity::activity::{self, Column},
    sql::{execute, query},
};
use crate::clock::Timestamp;

/// Milliseconds in a minute.
const MINUTE_MS: i64 = 60_000;

/// How often something happened in a span of one or more minutes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// The start of the span.
    pub from: Timestamp,
    /// `site:NAME` or `destination:NAME`.
    pub subject: String,
    /// What happened: see [`crate::activity`].
    pub name: String,
    /// The number of times.
    pub count: u64,
}

impl Store {
    /// Adds counts to those already stored, in one transaction.
    pub async fn add_activity(&self, counted: &[Activity]) -> Result<(), StoreError> {
        let rows = counted.iter().map(|counted| activity::ActiveModel {
            minute: Set(counted.from.0.div_euclid(MINUTE_MS)),
            subject: Set(counted.subject.clone()),
            name: Set(counted.name.clone()),
            count: Set(i64::try_from(counted.count).unwrap_or(i64::MAX)),
        });
        let mut more = OnConflict::columns([Column::Minute, Column::Subject, Column::Name]);
        let held = Expr::col((activity::Entity, Column::Count));
        more.value(Column::Count, ExprTrait::add(held, Expr::col(("excluded", Column::Count))));
        if counted.is_empty() {
            return Ok(());
        }
        let transaction = self.begin_immediate().await?;
        for row in rows {
            activity::Entity::insert(row).on_conflict(more.clone()).exec_without_returning(&transaction).await?;
        }
        transaction.commit().await
    }

    /// The counts from `since` until `until`, summed over steps of `step_minutes` (aligned to multiples), the oldest
    /// first. Empty steps are left out.
    pub async fn activity(
        &self,
        since: Timestamp,
        until: Timestamp,
        step_minutes: u32,
    ) -> Result<Vec<Activity>, StoreError> {
        let step = i64::from(Ord::max(step_minutes, 1));
        // A literal, because PostgreSQL does not see that two parameters are equal.
        let sql = format!(
            "SELECT minute / {step} AS step, subject, name, CAST(sum(count) AS bigint) AS total FROM activity \
             WHERE minute >= ? AND minute < ? GROUP BY minute / {step}, subject, name ORDER BY 1, 2, 3"
        );
        let values = vec![since.0.div_euclid(MINUTE_MS).into(), until.0.div_euclid(MINUTE_MS).into()];
        let activity = |row: &QueryResult| {
            let (from, total): (i64, i64) = (row.try_get("", "step")?, row.try_get("", "total")?);
            Ok(Activity {
                from: Timestamp(from * step * MINUTE_MS),
                subject: row.try_get("", "subject")?,
                name: row.try_get("", "name")?,
                count: total.unsigned_abs(),
            })
        };
        query(&self.read, &sql, values).await?.iter().map(activity).collect()
    }

    /// The last minute in which a subject has a count.
    pub async fn last_activity(&self, subject: &str) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT max(minute) AS minute FROM activity WHERE subject = ?";
        let rows = query(&self.read, sql, vec![subject.into()]).await?;
        let minute = rows.first().map(|row| row.try_get::<Option<i64>>("", "minute")).transpose()?.flatten();
        Ok(minute.map(|minute| Timestamp(minute * MINUTE_MS)))
    }

    /// Deletes counts before `before`: at most `limit` rows, the oldest. Returns how many.
    pub async fn prune_activity(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        let minute = before.0.div_euclid(MINUTE_MS);
        let sql = "DELETE FROM activity WHERE minute < ? AND (minute, subject, name) IN \
                   (SELECT minute, subject, name FROM activity ORDER BY minute, subject, name LIMIT ?)";
        execute(&self.write, sql, vec![minute.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()]).await
    }
}
