//! Records that a destination does not have yet.

use std::collections::BTreeMap;

use crate::{
    model::{ItemState, Kind},
    store::{
        Store, StoreError,
        sql::{kind_of, query},
    },
};

impl Store {
    /// How many records of each kind the destination does not have, and would be sent: not those that are left out.
    /// Where each record has its item, as [`Store::item_counts`] knows it.
    pub async fn absent(&self, destination: &str) -> Result<Vec<(Kind, u64)>, StoreError> {
        if !self.has_all_items(destination).await? {
            return self.absent_records(destination).await;
        }
        let mut absent = BTreeMap::<Kind, u64>::new();
        for counts in self.item_counts(destination).await? {
            if counts.state != ItemState::Synced && counts.absent > 0 {
                *absent.entry(counts.kind).or_default() += counts.absent;
            }
        }
        Ok(absent.into_iter().collect())
    }

    async fn absent_records(&self, destination: &str) -> Result<Vec<(Kind, u64)>, StoreError> {
        let sql = "SELECT c.kind AS kind, count(*) AS count FROM changes c WHERE NOT EXISTS (SELECT 1 FROM sync_items i \
                   WHERE i.destination = ? AND i.site_id = c.site_id AND i.kind = c.kind AND i.moodle_id = c.moodle_id \
                   AND (i.remote_id IS NOT NULL OR i.state = 'synced')) GROUP BY c.kind ORDER BY c.kind";
        let rows = query(&self.read.patient(), sql, vec![destination.into()]).await?;
        let counted = |row: &sea_orm::QueryResult| {
            let (kind, count): (String, i64) = (row.try_get("", "kind")?, row.try_get("", "count")?);
            Ok((kind_of(&kind)?, count.unsigned_abs()))
        };
        rows.iter().map(counted).collect()
    }
}
