//! What waits for a record, and behind how many others a record waits.

use sea_orm::Value;

use super::view::{ITEM_COLUMNS, ItemRow, item_of};
use crate::{
    clock::Timestamp,
    model::{Lane, RecordKey},
    store::{
        Store, StoreError,
        sql::{count, query},
    },
};

impl Store {
    /// The items that wait for a record, or that it is in the way of: at most `limit`.
    pub async fn waiting_for(&self, destination: &str, key: RecordKey, limit: u64) -> Result<Vec<ItemRow>, StoreError> {
        let sql = format!(
            "SELECT {ITEM_COLUMNS} FROM sync_items WHERE destination = ? AND site_id = ? AND waits_kind = ? AND waits_id = ? \
             AND waits_id IS NOT NULL ORDER BY kind, moodle_id LIMIT ?"
        );
        let values = vec![
            destination.into(),
            key.site_id.into(),
            key.kind.as_str().into(),
            key.moodle_id.0.into(),
            i64::try_from(limit).unwrap_or(i64::MAX).into(),
        ];
        query(&self.read, &sql, values).await?.iter().map(item_of).collect()
    }

    /// How many due items of its lane are delivered before this pending one; counts no further than `limit`.
    pub async fn ahead_of(
        &self,
        destination: &str,
        row: &ItemRow,
        now: Timestamp,
        limit: u64,
    ) -> Result<u64, StoreError> {
        let lane = Lane::of(row.key.kind, row.remote_id.is_some());
        let sql = "SELECT count(*) AS count FROM (SELECT 1 FROM sync_items WHERE destination = ? AND state = 'pending' \
                   AND lane = ? AND due_at < ? LIMIT ?) AS ahead";
        let before = row.due_at.min(now);
        let limit = Value::from(i64::try_from(limit).unwrap_or(i64::MAX));
        count(&self.read, sql, vec![destination.into(), lane.number().into(), before.0.into(), limit]).await
    }
}
