//! Counts per minute: for charts, and to know a site's usual activity. After a day, counts per hour: a week's chart reads
//! a tenth of the rows.

use std::collections::BTreeMap;

use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, EntityTrait, QueryResult,
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

/// Minutes in an hour.
const HOUR_MINUTES: i64 = 60;

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
        if counted.is_empty() {
            return Ok(());
        }
        let transaction = self.begin_immediate().await?;
        for counted in counted {
            let minute = counted.from.0.div_euclid(MINUTE_MS);
            let count = i64::try_from(counted.count).unwrap_or(i64::MAX);
            add(&transaction, minute, &counted.subject, &counted.name, count).await?;
        }
        transaction.commit().await
    }

    /// Joins the counts of the first hour that has any, is at `from` or later, and has ended by `before`: of each subject
    /// and name, one row is left, at its last minute, so that [`Store::last_activity`] remains exact. Returns the end of
    /// that hour and whether there was anything to join; `None` when there is no such hour.
    pub async fn join_activity(
        &self,
        from: Timestamp,
        before: Timestamp,
    ) -> Result<Option<(Timestamp, bool)>, StoreError> {
        let [from, before] = [from, before].map(|at| at.0.div_euclid(MINUTE_MS));
        let sql = "SELECT min(minute) AS minute FROM activity WHERE minute >= ? AND minute < ?";
        let rows = query(&self.read, sql, vec![from.into(), before.into()]).await?;
        let first = rows.first().map(|row| row.try_get::<Option<i64>>("", "minute")).transpose()?.flatten();
        let Some(first) = first else { return Ok(None) };
        let start = first - first.rem_euclid(HOUR_MINUTES);
        let end = start + HOUR_MINUTES;
        if end > before {
            return Ok(None);
        }
        let hour = || vec![start.into(), end.into()];
        let sql = "SELECT subject FROM activity WHERE minute >= ? AND minute < ? \
                   GROUP BY subject, name HAVING count(*) > 1 LIMIT 1";
        let is_joined = query(&self.read, sql, hour()).await?.is_empty();
        if !is_joined {
            let transaction = self.begin_immediate().await?;
            let sql = "DELETE FROM activity WHERE minute >= ? AND minute < ? RETURNING minute, subject, name, count";
            let mut joined: BTreeMap<(String, String), (i64, i64)> = BTreeMap::new();
            for row in query(&transaction, sql, hour()).await? {
                let (last, sum) = joined.entry((row.try_get("", "subject")?, row.try_get("", "name")?)).or_default();
                *last = Ord::max(*last, row.try_get("", "minute")?);
                *sum += row.try_get::<i64>("", "count")?;
            }
            for ((subject, name), (minute, count)) in joined {
                add(&transaction, minute, &subject, &name, count).await?;
            }
            transaction.commit().await?;
        }
        Ok(Some((Timestamp(end * MINUTE_MS), !is_joined)))
    }

    /// The counts from `since` until `until`, summed over steps of `step_minutes` (aligned to multiples), the oldest
    /// first. Empty steps are left out. What is older than [`crate::limits::MINUTES_KEPT`] is known by the hour.
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

async fn add(
    connection: &impl ConnectionTrait,
    minute: i64,
    subject: &str,
    name: &str,
    count: i64,
) -> Result<(), StoreError> {
    let row = activity::ActiveModel {
        minute: Set(minute),
        subject: Set(subject.to_owned()),
        name: Set(name.to_owned()),
        count: Set(count),
    };
    let mut more = OnConflict::columns([Column::Minute, Column::Subject, Column::Name]);
    let held = Expr::col((activity::Entity, Column::Count));
    more.value(Column::Count, ExprTrait::add(held, Expr::col(("excluded", Column::Count))));
    activity::Entity::insert(row).on_conflict(more).exec_without_returning(connection).await?;
    Ok(())
}
