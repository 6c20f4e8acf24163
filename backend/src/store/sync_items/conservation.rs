//! Whether each record has exactly one sync item, in exactly one state.

use sea_orm::Value;
use serde::{Deserialize, Serialize};

use crate::store::{Store, StoreError, sql::query};

/// The result of the conservation check: each record must have exactly one item in exactly one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conservation {
    /// Records of all kinds.
    pub records: u64,
    /// Items of the destination.
    pub items: u64,
    /// Records without an item.
    pub without_item: u64,
    /// Items without a record.
    pub without_record: u64,
    /// Items in an unknown state, in flight without a lease, parked without a record to wait for, failed without a
    /// code, or linked to a remote record that no item writes.
    pub malformed: u64,
}

impl Conservation {
    /// Whether each record has exactly one item in exactly one state.
    pub fn holds(&self) -> bool {
        self.records == self.items && self.without_item == 0 && self.without_record == 0 && self.malformed == 0
    }
}

impl Store {
    /// Counts records and items at one instant.
    pub async fn conservation(&self, destination: &str) -> Result<Conservation, StoreError> {
        // One statement, so that everything is counted in one snapshot.
        let sql = "SELECT (SELECT count(*) FROM changes) AS records, \
             (SELECT count(*) FROM sync_items WHERE destination = ?) AS items, \
             (SELECT count(*) FROM changes c WHERE NOT EXISTS (SELECT 1 FROM sync_items i WHERE i.destination = ? \
              AND i.site_id = c.site_id AND i.kind = c.kind AND i.moodle_id = c.moodle_id)) AS without_item, \
             (SELECT count(*) FROM sync_items i WHERE i.destination = ? AND NOT EXISTS (SELECT 1 FROM changes c \
              WHERE c.site_id = i.site_id AND c.kind = i.kind AND c.moodle_id = i.moodle_id)) AS without_record, \
             (SELECT count(*) FROM sync_items WHERE destination = ? AND (state NOT IN ('pending', 'in_flight', 'synced', \
              'parked', 'failed') OR (state = 'in_flight') <> (lease IS NOT NULL) OR (state = 'parked' AND waits_id IS NULL) \
              OR (state = 'failed' AND code IS NULL) OR (linked AND NOT EXISTS (SELECT 1 FROM \
              sync_items writer WHERE writer.destination = sync_items.destination AND writer.remote_id = \
              sync_items.remote_id AND writer.remote_id IS NOT NULL AND NOT writer.linked)))) AS malformed";
        let values = vec![Value::from(destination); 4];
        let rows = query(&self.read.patient(), sql, values).await?;
        let count = |name: &str| -> Result<u64, StoreError> {
            let count = rows.first().map(|row| row.try_get::<i64>("", name)).transpose()?;
            Ok(count.unwrap_or_default().unsigned_abs())
        };
        Ok(Conservation {
            records: count("records")?,
            items: count("items")?,
            without_item: count("without_item")?,
            without_record: count("without_record")?,
            malformed: count("malformed")?,
        })
    }
}
