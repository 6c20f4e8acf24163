//! Items by the ids of their remote records.

use sea_orm::Value;

use super::view::{ITEM_COLUMNS, ItemRow, item_of};
use crate::{
    clock::Timestamp,
    model::Kind,
    store::{
        Store, StoreError,
        bounded::places,
        bulk,
        sql::{execute, query},
        sync_items::place,
    },
};

/// The condition of the items that write a remote record. See the index `sync_items_writers`.
const WRITES: &str = "destination = ? AND NOT linked AND remote_id IS NOT NULL";

impl Store {
    /// The items that write these remote records.
    pub async fn items_by_remote(&self, destination: &str, ids: &[String]) -> Result<Vec<ItemRow>, StoreError> {
        let mut found = Vec::new();
        for list in bulk::key_lists(ids) {
            let sql = format!(
                "SELECT {ITEM_COLUMNS} FROM sync_items WHERE {WRITES} AND remote_id IN ({})",
                places(list.len())
            );
            let values = std::iter::once(Value::from(destination)).chain(list.into_iter().map(Value::from)).collect();
            let rows = query(&self.read, &sql, values).await?;
            found.extend(rows.iter().map(item_of).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(found)
    }

    /// The items of a kind that write a remote record with an id behind `after` and up to `to`, in the order of these
    /// ids; at most `limit`.
    pub async fn items_between(
        &self,
        (destination, kind): (&str, Kind),
        (after, to): (&str, Option<&str>),
        limit: u64,
    ) -> Result<Vec<ItemRow>, StoreError> {
        let mut values: Vec<Value> = vec![destination.into(), after.into()];
        let up_to = to.map_or("", |to| {
            values.push(to.into());
            " AND remote_id <= ?"
        });
        values.extend([Value::from(kind.as_str()), i64::try_from(limit).unwrap_or(i64::MAX).into()]);
        let sql = format!(
            "SELECT {ITEM_COLUMNS} FROM sync_items WHERE {WRITES} AND remote_id > ?{up_to} AND kind = ? \
             ORDER BY remote_id LIMIT ?"
        );
        query(&self.read, &sql, values).await?.iter().map(item_of).collect()
    }

    /// The items that write a remote record, of living people with one of these addresses.
    pub async fn items_by_address(&self, destination: &str, addresses: &[String]) -> Result<Vec<ItemRow>, StoreError> {
        let mut found = Vec::new();
        for list in bulk::key_lists(addresses) {
            let sql = format!(
                "SELECT {ITEM_COLUMNS} FROM sync_items WHERE {WRITES} AND kind = 'user' AND (site_id, moodle_id) IN \
                 (SELECT site_id, moodle_id FROM users WHERE email IN ({}) AND NOT deleted)",
                places(list.len())
            );
            let values = std::iter::once(Value::from(destination)).chain(list.into_iter().map(Value::from)).collect();
            let rows = query(&self.read, &sql, values).await?;
            found.extend(rows.iter().map(item_of).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(found)
    }

    /// Notes when a remote record was changed last, if that was looked at and it is as it should be. Not if the item was
    /// delivered meanwhile.
    pub async fn note_remote_change(&self, destination: &str, row: &ItemRow, at: Timestamp) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE sync_items SET remote_modified_at = ? WHERE {} AND revision = ? AND state = 'synced'",
            super::writers::PLACE
        );
        let mut values: Vec<Value> = vec![at.0.into()];
        values.extend(place(destination, row.key));
        values.push(row.revision.into());
        execute(&self.write, &sql, values).await?;
        Ok(())
    }
}
