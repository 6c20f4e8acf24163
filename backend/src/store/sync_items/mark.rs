//! Marking items pending, in the transaction that changes their records.

use std::collections::HashMap;

use sea_orm::{ActiveValue::Set, EntityTrait, QuerySelect, Value};

use crate::{
    clock::Timestamp,
    limits,
    model::{Id, ItemState, Kind, Lane, RecordKey},
    store::{
        Store, StoreError, WriteTransaction, bulk,
        entity::{destination, sync_item::ActiveModel},
        former::Moved,
        records::Key,
        sql::{execute, key_of, query},
        sync_items::{lock, siblings::grades_beside},
        write::Changes,
    },
};

/// SQL for the lane of a record that is new to a destination, from the column `kind`.
fn lane_of_new_sql() -> String {
    let when = |kind: Kind| format!(" WHEN '{kind}' THEN {}", Lane::of(kind, false).number());
    format!("CASE kind{} END", Kind::ALL.map(when).concat())
}

impl Store {
    /// Adds the missing items of a destination, in steps.
    pub(in crate::store) async fn add_items(&self, destination: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let (condition, mut values) = match after {
                None => ("TRUE", vec![]),
                Some(RecordKey { site_id, kind, moodle_id }) => (
                    "(site_id, kind, moodle_id) > (?, ?, ?)",
                    vec![Value::from(site_id), kind.as_str().into(), moodle_id.0.into()],
                ),
            };
            let step = format!("FROM changes WHERE {condition} ORDER BY site_id, kind, moodle_id LIMIT ?");
            values.push(i64::from(limits::STEP_ITEMS).into());
            let keys = format!("SELECT site_id, kind, moodle_id {step}");
            let Some(last) = query(&self.read, &keys, values.clone()).await?.pop() else { return Ok(()) };
            let sql = format!(
                "INSERT INTO sync_items \
                 (destination, site_id, kind, moodle_id, state, lane, revision, changed_at, queued_at, due_at, attempts) \
                 SELECT ?, site_id, kind, moodle_id, 'pending', {}, 1, ?, ?, ?, 0 {step} ON CONFLICT DO NOTHING",
                lane_of_new_sql()
            );
            // However old the changes are: nothing could be delivered before.
            let first = vec![destination.into(), now.0.into(), now.0.into(), now.0.into()];
            execute(&self.write, &sql, [first, values].concat()).await?;
            after = Some(key_of(&last)?);
        }
    }
}

impl WriteTransaction {
    /// Marks the items of changed records pending at every destination, and creates missing ones. A record that was
    /// just delivered waits until `repeat_ms` after that, so that many changes become one delivery.
    ///
    /// `new_grades` are grades that did not exist before, with their users and items: an earlier, deleted grade of the
    /// same user and item stands for the same remote record and is reconsidered too. `moved` are records that go on under
    /// other ids.
    pub(crate) async fn mark_pending(
        &self,
        changes: &Changes,
        new_grades: &HashMap<Key, (Id, Id)>,
        moved: &[Moved],
        repeat_ms: i64,
    ) -> Result<(), StoreError> {
        let mut destinations: Vec<String> = destination::Entity::find()
            .select_only()
            .column(destination::Column::Name)
            .into_tuple()
            .all(self.connection())
            .await?;
        if destinations.is_empty() || changes.is_empty() {
            return Ok(());
        }
        let mut keys: Vec<(RecordKey, Timestamp)> = changes
            .iter()
            .map(|((site_id, kind, moodle_id), change)| {
                (RecordKey { kind: *kind, site_id: *site_id, moodle_id: *moodle_id }, change.changed_at)
            })
            .collect();
        if let Some(now) = changes.values().map(|change| change.changed_at).max() {
            let siblings = grades_beside(self.connection(), new_grades).await?;
            keys.extend(siblings.into_iter().filter(|key| !is_among(changes, key)).map(|key| (key, now)));
        }
        destinations.sort_unstable();
        keys.sort_unstable_by_key(|(key, _)| lock::order(key));
        for destination in &destinations {
            self.move_items(destination, moved, keys.iter().map(|(key, _)| *key).collect()).await?;
            // The locks are taken in this order.
            let rows = keys.iter().map(|(key, now)| pending(destination, *key, *now)).collect();
            bulk::insert(self.connection(), rows, &marking(repeat_ms)).await?;
        }
        Ok(())
    }
}

fn is_among(changes: &Changes, key: &RecordKey) -> bool {
    changes.contains_key(&(key.site_id, key.kind, key.moodle_id))
}

fn pending(destination: &str, key: RecordKey, now: Timestamp) -> ActiveModel {
    ActiveModel {
        destination: Set(destination.to_owned()),
        site_id: Set(key.site_id),
        kind: Set(key.kind.as_str().to_owned()),
        moodle_id: Set(key.moodle_id.0),
        state: Set(ItemState::Pending.as_str().to_owned()),
        lane: Set(Lane::of(key.kind, false).number()),
        revision: Set(1),
        changed_at: Set(now.0),
        queued_at: Set(Some(now.0)),
        due_at: Set(now.0),
        attempts: Set(0),
        ..Default::default()
    }
}

/// What a change does to an existing item. An item in flight stays so: the higher revision makes it pending when it is
/// settled.
fn marking(repeat_ms: i64) -> String {
    // A `synced_at` after now comes from a clock that was wrong.
    format!(
        "ON CONFLICT (destination, site_id, kind, moodle_id) DO UPDATE SET revision = sync_items.revision + 1, \
         state = CASE sync_items.state WHEN 'in_flight' THEN 'in_flight' ELSE 'pending' END, \
         changed_at = CASE WHEN sync_items.state IN ('synced', 'in_flight') THEN excluded.changed_at \
         ELSE sync_items.changed_at END, \
         queued_at = CASE sync_items.state WHEN 'pending' THEN sync_items.queued_at ELSE excluded.queued_at END, \
         due_at = CASE WHEN sync_items.synced_at > excluded.due_at THEN excluded.due_at + {repeat_ms} \
         WHEN sync_items.synced_at + {repeat_ms} > excluded.due_at THEN sync_items.synced_at + {repeat_ms} \
         ELSE excluded.due_at END"
    )
}
