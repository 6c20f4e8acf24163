//! What the rules look at and nothing else reads.

use sea_orm::QueryResult;

use crate::{
    clock::Timestamp,
    store::{
        StoreError, TokenSummary,
        connection::connect::Store,
        sql::{execute, query},
    },
};

/// Records of one state that have not reached a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undelivered {
    /// How many wait for their turn or are being delivered, and since when the oldest.
    pub waiting: Option<(u64, Timestamp)>,
    /// How many wait for another record, and since when the oldest.
    pub parked: Option<(u64, Timestamp)>,
}

/// What was left of a destination's allowance at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditSample {
    /// When the destination said so.
    pub at: Timestamp,
    /// Credits.
    pub left: i64,
}

impl Store {
    /// What has not reached the destination, without what failed. Reads the undelivered items alone.
    pub async fn undelivered(&self, destination: &str) -> Result<Undelivered, StoreError> {
        let mut found = Undelivered::default();
        // One statement for each state, literally, because of the partial indexes.
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

    /// Writes down what is left of an allowance, once for each time that the destination said so; forgets what is older than
    /// `before`.
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

    /// What was left of an allowance since `since`, in the order of time.
    pub async fn credit_samples(&self, destination: &str, since: Timestamp) -> Result<Vec<CreditSample>, StoreError> {
        let sql =
            "SELECT taken_at, credits FROM credit_samples WHERE destination = ? AND taken_at >= ? ORDER BY taken_at";
        let sample = |row: &QueryResult| {
            Ok(CreditSample { at: Timestamp(row.try_get("", "taken_at")?), left: row.try_get("", "credits")? })
        };
        query(&self.read, sql, vec![destination.into(), since.0.into()]).await?.iter().map(sample).collect()
    }

    /// The tokens of sites and of API consumers that somebody may still use, or may believe to be good.
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
