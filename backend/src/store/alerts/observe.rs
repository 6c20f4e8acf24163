//! Reads that only the alert rules need.

use sea_orm::QueryResult;

use super::word;
use crate::{
    clock::Timestamp,
    model::{Id, ItemState, Kind, RecordKey},
    store::{
        StoreError, TokenSummary,
        connection::connect::Store,
        sql::{execute, kind_of, query},
        sync_items::SINCE,
    },
};

/// What is on its way to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Items that are pending or in flight.
    pub count: u64,
    /// Since when the oldest of them is due to be delivered.
    pub since: Timestamp,
    /// The record, if it is one alone.
    pub only: Option<RecordKey>,
}

/// Items that failed or are parked, of one kind and for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Failed or parked.
    pub state: ItemState,
    /// The records' kind.
    pub kind: Kind,
    /// The reason's code; empty if there is none.
    pub code: String,
    /// The number of items.
    pub count: u64,
    /// How many of them the destination has, as they were before.
    pub there: u64,
    /// How many of them have waited for too long.
    pub late: u64,
    /// The oldest change among them.
    pub since: Timestamp,
    /// The record, if it is one alone.
    pub only: Option<RecordKey>,
}

/// A destination's remaining credits at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditSample {
    /// When the destination reported it.
    pub at: Timestamp,
    /// Credits left.
    pub left: i64,
}

impl Store {
    /// What is on its way to the destination. Reads only these items.
    pub async fn undelivered(&self, destination: &str) -> Result<Option<Waiting>, StoreError> {
        let mut found: Option<Waiting> = None;
        // One statement per state, with literals, so that the partial indexes are used.
        for state in ["pending", "in_flight"] {
            let sql = format!(
                "SELECT count(*) AS count, min({SINCE}) AS oldest, min(site_id) AS site_id, min(kind) AS kind, \
                 min(moodle_id) AS moodle_id FROM sync_items WHERE destination = ? AND state = '{state}'"
            );
            let rows = query(&self.read.patient(), &sql, vec![destination.into()]).await?;
            let Some(row) = rows.first() else { continue };
            let Some(since) = row.try_get::<Option<i64>>("", "oldest")?.map(Timestamp) else { continue };
            let (count, only) = (count_of(row, "count")?, only(row)?);
            found = Some(match found {
                Some(before) => Waiting { count: before.count + count, since: since.min(before.since), only: None },
                None => Waiting { count, since, only },
            });
        }
        Ok(found)
    }

    /// What failed or is parked, by reason. Those whose change is older than `late` have waited for too long. Reads only
    /// these items.
    pub async fn reasons(&self, destination: &str, late: Timestamp) -> Result<Vec<Reason>, StoreError> {
        let sql = "SELECT state, kind, coalesce(code, '') AS code, count(*) AS count, count(remote_id) AS there, \
                   sum(CASE WHEN changed_at < ? THEN 1 ELSE 0 END) AS late, min(changed_at) AS oldest, \
                   min(site_id) AS site_id, min(moodle_id) AS moodle_id FROM sync_items \
                   WHERE destination = ? AND state IN ('parked', 'failed') GROUP BY state, kind, coalesce(code, '') \
                   ORDER BY state, kind, 3";
        let reason = |row: &QueryResult| {
            Ok(Reason {
                state: word(row, "state")?,
                kind: kind_of(&row.try_get::<String>("", "kind")?)?,
                code: row.try_get("", "code")?,
                count: count_of(row, "count")?,
                there: count_of(row, "there")?,
                late: count_of(row, "late")?,
                since: Timestamp(row.try_get("", "oldest")?),
                only: only(row)?,
            })
        };
        let rows = query(&self.read.patient(), sql, vec![late.0.into(), destination.into()]).await?;
        rows.iter().map(reason).collect()
    }

    /// Stores a sample, once for each time that the destination reported one; deletes those older than `before`.
    pub async fn add_credit_sample(
        &self,
        destination: &str,
        sample: CreditSample,
        before: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO credit_samples (destination, taken_at, credits) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
        execute(&self.write, sql, vec![destination.into(), sample.at.0.into(), sample.left.into()]).await?;
        let sql = "DELETE FROM credit_samples WHERE destination = ? AND taken_at < ?";
        execute(&self.write, sql, vec![destination.into(), before.0.into()]).await?;
        Ok(())
    }

    /// The samples since `since`, the oldest first.
    pub async fn credit_samples(&self, destination: &str, since: Timestamp) -> Result<Vec<CreditSample>, StoreError> {
        let sql =
            "SELECT taken_at, credits FROM credit_samples WHERE destination = ? AND taken_at >= ? ORDER BY taken_at";
        let sample = |row: &QueryResult| {
            Ok(CreditSample { at: Timestamp(row.try_get("", "taken_at")?), left: row.try_get("", "credits")? })
        };
        query(&self.read, sql, vec![destination.into(), since.0.into()]).await?.iter().map(sample).collect()
    }

    /// All site tokens and API tokens that are not revoked; expired ones included.
    pub async fn tokens_in_use(&self) -> Result<Vec<TokenSummary>, StoreError> {
        let mut tokens = self.tokens(None).await?;
        for site in self.sites().await? {
            if let Some(site) = self.site(&site.name).await? {
                tokens.extend(self.tokens(Some(&site)).await?);
            }
        }
        tokens.retain(|token| token.revoked_at.is_none());
        Ok(tokens)
    }
}

fn count_of(row: &QueryResult, column: &str) -> Result<u64, StoreError> {
    Ok(row.try_get::<i64>("", column)?.unsigned_abs())
}

/// The record of a group of one: the least of each part of its key.
fn only(row: &QueryResult) -> Result<Option<RecordKey>, StoreError> {
    if count_of(row, "count")? != 1 {
        return Ok(None);
    }
    let (kind, site_id) = (kind_of(&row.try_get::<String>("", "kind")?)?, row.try_get("", "site_id")?);
    Ok(Some(RecordKey { kind, site_id, moodle_id: Id(row.try_get("", "moodle_id")?) }))
}
