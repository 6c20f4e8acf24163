//! Records whose ids Moodle has given to other ones.
//!
//! A Moodle that was restored from a backup gives the ids of what it lost a second time. What is at a destination under
//! such an id is the former record's, and must not become the other one's. So a former record lives on as a deleted one,
//! under an id of its own that no Moodle gives, and takes along what is known about its remote record. The other one
//! starts as if it had never been delivered.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait, Value};

use super::{
    StoreError, StoredRecord, WriteTransaction,
    bounded::places,
    bulk,
    entity::records::RecordTable,
    sql::{execute, key_of, query},
    sync_items::{by_site_and_kind, hold},
    write::{Changes, NewChange},
};
use crate::{
    clock::Timestamp,
    model::{Id, Kind, RecordKey, State},
};

/// A record that goes on under another id.
pub(crate) struct Moved {
    /// What it was, and what another record is now.
    pub(crate) from: RecordKey,
    /// Its own id.
    pub(crate) to: Id,
}

impl WriteTransaction {
    /// Keeps those of these former records that are at a destination, and adds them to the changes.
    pub(crate) async fn keep_former<T: RecordTable>(
        &self,
        former: Vec<StoredRecord<T::State>>,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<Vec<Moved>, StoreError> {
        let key = |stored: &StoredRecord<T::State>| RecordKey {
            kind: T::State::KIND,
            site_id: stored.site_id,
            moodle_id: stored.record.state.moodle_id(),
        };
        let delivered = delivered(self.connection(), &former.iter().map(key).collect::<Vec<_>>()).await?;
        let kept = former.into_iter().map(|stored| (key(&stored), stored));
        let kept: Vec<_> = kept.filter(|(key, _)| delivered.contains(key)).collect();
        if kept.is_empty() {
            return Ok(Vec::new());
        }
        let first = self.reserve(kept.len()).await?;
        let (mut moved, mut records) = (Vec::new(), Vec::new());
        for ((from, mut stored), position) in kept.into_iter().zip(first..) {
            let to = Id::former(position);
            changes.insert((from.site_id, from.kind, to), NewChange { position, deleted: true, changed_at: now });
            stored.record.state = stored.record.state.with_id(to);
            stored.record.deleted = true;
            records.push(StoredRecord { changed_at: now, ..stored });
            moved.push(Moved { from, to });
        }
        self.save_records::<T>(records, true).await?;
        Ok(moved)
    }

    /// Gives the items of former records, and what belongs to them, their new ids.
    pub(super) async fn move_items(
        &self,
        destination: &str,
        moved: &[Moved],
        keys: Vec<RecordKey>,
    ) -> Result<(), StoreError> {
        if moved.is_empty() {
            return Ok(());
        }
        // All that this transaction is about to change, in the order of all.
        hold(self.connection(), destination, keys).await?;
        for Moved { from: RecordKey { kind, site_id, moodle_id }, to } in moved {
            let place = [to.0.into(), destination.into(), Value::from(*site_id), moodle_id.0.into()];
            for table in ["sync_items", "sync_attempts", "findings"] {
                let sql = format!(
                    "UPDATE {table} SET moodle_id = ? WHERE destination = ? AND site_id = ? AND moodle_id = ? AND kind = ?"
                );
                let values = place.iter().cloned().chain([kind.as_str().into()]);
                execute(self.connection(), &sql, values.collect()).await?;
            }
            if *kind == Kind::User {
                let sql = "UPDATE adoptions SET moodle_id = ? WHERE destination = ? AND site_id = ? AND moodle_id = ?";
                execute(self.connection(), sql, place.to_vec()).await?;
            }
        }
        Ok(())
    }
}

/// Those of these records that are at any destination.
async fn delivered(connection: &impl ConnectionTrait, keys: &[RecordKey]) -> Result<HashSet<RecordKey>, StoreError> {
    let mut delivered = HashSet::new();
    for ((site_id, kind), ids) in by_site_and_kind(keys) {
        for list in bulk::key_lists(&ids) {
            let sql = format!(
                "SELECT site_id, kind, moodle_id FROM sync_items WHERE destination IN (SELECT name FROM destinations) \
                 AND site_id = ? AND kind = ? AND moodle_id IN ({}) AND remote_id IS NOT NULL",
                places(list.len())
            );
            let mut values = vec![site_id.into(), kind.into()];
            values.extend(list.into_iter().map(|id| Value::from(id.0)));
            for row in query(connection, &sql, values).await? {
                delivered.insert(key_of(&row)?);
            }
        }
    }
    Ok(delivered)
}
