//! Reads that only the alert rules need.

use sea_orm::QueryResult;

use crate::{
    clock::Timestamp,
    store::{
        StoreError, TokenSummary,
        connection::connect::Store,
        sql::{execute, query},
    },
};

/// Records that have not reached a destination yet, without those that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undelivered {
    /// Items that are pending or in flight, and the time of the oldest change among them.
    pub waiting: Option<(u64, Timestamp)>,
    /// Items that are parked, and the time of the oldest change among them.
    pub parked: Option<(u64, Timestamp)>,
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
    /// Counts what has not reached the destination, without what failed. Reads only the undelivered items.
    pub async fn undelivered(&self, destination: &str) -> Result<Undelivered, StoreError> {
        let mut found = Undelivered::default();
        // One statement per state, with literals, so that the partial indexes are used.
        for (condition, parked) in [
            ("state = 'pending'", false),
            ("state = 'in_flight'", false),
            ("state IN ('parked', 'failed') AND state = 'parked'", true),
        ] {
            let sql = format!(
                "SELECT count(*) AS count, min(changed_at) AS oldest FROM sync_items WHERE destination = ? AND {condition}"
            );
            let rows = query(&self.read.patient(), &sql, vec![destination.into()]).await?;
            let Some(row) = rows.first() else { continue };
            let Some(oldest) = row.try_get::<Option<i64>>("", "oldest")?.map(Timestamp) else { continue };
            let count = row.try_get::<i64>("", "count")?.unsigned_abs();
            let sum = if parked { &mut found.parked } else { &mut found.waiting };
            *sum = Some(match sum {
                Some((before, since)) => (*before + count, oldest.min(*since)),
                None => (count, oldest),
            });
        }
        Ok(found)
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
